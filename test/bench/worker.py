#!/usr/bin/env python3
"""A peer's process: answers requests, one JSON line each.

    worker.py PEER THREADS

    {"model": ..., "folder": ..., "mode": ..., "batch": ...}   gets ready: {"version", "note", "answer", "libraries"}
    {"seconds": S}     works for so long: {"median", "least", "calls", "peak"}
    where "libraries" and "peak" are bytes: with the peer loaded and no model yet; the most since it got ready
    a request that fails is answered by {"error"}
"""
import json
import os
import pathlib
import statistics
import sys
import time

import peers

GROUP_SECONDS = 0.2e-3  # very short calls are timed together, for the clock's sake
WARM_UP_SECONDS = 0.3


def bytes_of(key):
    """VmRSS: resident now; VmHWM: the most since `forget_peak`."""
    (line,) = (line for line in open("/proc/self/status") if line.startswith(key))
    return int(line.split()[1]) * 1024


def forget_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")


class Worker:
    def __init__(self, name, threads):
        self.name, self.threads, self.libraries = name, threads, 0
        self.peer, self.step, self.group = None, None, 1

    def prepare(self, request):
        self.step = None
        if not self.peer:
            self.peer = peers.load(self.name)(self.threads)
            self.libraries = bytes_of("VmRSS")
        work = peers.Work(pathlib.Path(request["model"]), pathlib.Path(request["folder"]),
                          request["mode"], request["batch"])
        self.step = self.peer.prepare(work)
        returned = self.step.run()
        answer = {"version": self.peer.version, "note": self.step.note, "libraries": self.libraries}
        if self.step.answer:
            answer["answer"] = [float(v) for v in self.step.answer(returned).ravel()[:256]]
        least, end = 1e9, time.perf_counter() + WARM_UP_SECONDS
        while least == 1e9 or time.perf_counter() < end:
            start = time.perf_counter()
            self.step.run()
            least = min(least, time.perf_counter() - start)
        self.group = max(1, round(GROUP_SECONDS / max(least, 1e-7)))
        forget_peak()  # what compiling took
        return answer

    def burst(self, seconds):
        clock, run, group, times = time.perf_counter, self.step.run, self.group, []
        if group > 1:
            run()  # the caches and the clock have been someone else's
        end = clock() + seconds
        while True:
            start = clock()
            for _ in range(group):
                run()
            stop = clock()
            times.append((stop - start) / group)
            if stop >= end:
                return {"median": statistics.median(times), "least": min(times), "calls": len(times) * group,
                        "peak": bytes_of("VmHWM")}


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = worker.burst(request["seconds"]) if "seconds" in request else worker.prepare(request)
        except BaseException as error:  # a library may also exit
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
