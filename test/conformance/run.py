#!/usr/bin/env python3
"""Compares Cornu with Keras, case by case.

    .venv/bin/python test/conformance/run.py                all cases
    .venv/bin/python test/conformance/run.py -k lstm        those whose name or family contains "lstm"
    .venv/bin/python test/conformance/run.py --list
    .venv/bin/python test/conformance/run.py --machine aarch64 -k dense
    .venv/bin/python test/conformance/run.py --keras-only   only compute what Keras says, and judge the cases

What Keras says is kept in build/conformance-cache. The last line is
`N passed, M failed`; the work folder of a case that failed is kept.
"""
import argparse
import concurrent.futures
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import program
import reference
import registry

# Arguments of the compiler and of qemu.
MACHINES = {"aarch64": ([], []), "sve": (["--mcpu=neoverse-v1"], ["-cpu", "max,sve256=on"])}


def emulated(machine):
    """What Program is told to make code for another machine and run it under qemu."""
    compiler, emulator = MACHINES[machine]
    return {"flags": ["--target=aarch64-linux-gnu", *compiler],
            "launcher": ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", *emulator]}


def arguments():
    parser = argparse.ArgumentParser(description="Compares Cornu with Keras, case by case.")
    parser.add_argument("-k", metavar="WORD", action="append", default=[],
                        help="only cases whose family/name contains one of these")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--keras-only", action="store_true", help="only compute what Keras says")
    parser.add_argument("--cornu", default=ROOT / "build/bin/cornu", type=pathlib.Path)
    parser.add_argument("--cache", default=ROOT / "build/conformance-cache", type=pathlib.Path)
    parser.add_argument("--work", default=ROOT / "build/conformance", type=pathlib.Path)
    parser.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--machine", choices=MACHINES, help="compile for AArch64, with NEON or SVE, and run under qemu")
    parser.add_argument("--keep", action="store_true", help="keep all work folders")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each case that passes, too")
    return parser.parse_args()


class References:
    """Processes that compute what Keras says; `await_case` blocks until it is there."""

    def __init__(self, cases, cache, jobs):
        self.cache, self.log = cache, cache / "reference.log"
        cache.mkdir(parents=True, exist_ok=True)
        self.answers = {c.name: concurrent.futures.Future() for c in cases}
        self.folders = {c.name: reference.folder(cache, c) for c in cases}
        self.todo = queue.Queue()
        missing = 0
        for case in cases:
            if (self.folders[case.name] / "case.json").exists():
                self.answers[case.name].set_result("done")
            else:
                self.todo.put(case)
                missing += 1
        self.threads = [threading.Thread(target=self.serve, daemon=True) for _ in range(min(jobs, missing))]
        for thread in self.threads:
            thread.start()

    def serve(self):
        worker = None
        while True:
            try:
                case = self.todo.get_nowait()
            except queue.Empty:
                break
            if worker is None or worker.poll() is not None:
                worker = subprocess.Popen([sys.executable, HERE / "reference.py"], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "a"))
            try:
                worker.stdin.write(f"{case.name}\t{self.folders[case.name]}\n")
                worker.stdin.flush()
                answer = worker.stdout.readline().strip()
            except OSError:
                answer = ""
            said = answer.partition(" ")[2] if answer else f"failed the Keras process died, see {self.log}"
            self.answers[case.name].set_result(said)
        if worker:
            worker.stdin.close()
            worker.wait()

    def await_case(self, case):
        return self.answers[case.name].result()


def judge(case, references, options):
    """(failures, seconds) of one case; nothing that goes wrong leaves this function."""
    said = references.await_case(case)
    start = time.monotonic()
    if said != "done":
        return [f"Keras: {said}"], 0
    try:
        folder = references.folders[case.name]
        if options.keras_only:
            return reference.weak(case, folder), 0
        run = program.Program(options.cornu, folder, options.work / case.name, case,
                              threads=options.jobs if case.heavy else 1,
                              **(emulated(options.machine) if options.machine else {}))
        failures = program.check(run)
        if not failures and not options.keep:
            run.clean()
    except Exception as error:
        failures = [f"the harness: {type(error).__name__}: {error}"]
    return failures, time.monotonic() - start


def main():
    options = arguments()
    options.cornu, options.cache, options.work = (
        p.absolute() for p in (options.cornu, options.cache, options.work))
    cases = [c for c in registry.load_families().values()
             if not options.k or any(k in f"{c.family}/{c.name}" for k in options.k)]
    if options.list:
        for case in cases:
            print(f"{case.family}/{case.name}")
        return 0
    if not cases:
        print("no case matches", file=sys.stderr)
        return 1
    if not options.keras_only and not options.cornu.exists():
        print(f"{options.cornu} is not there: build it first", file=sys.stderr)
        return 1

    start = time.monotonic()
    references = References(cases, options.cache, options.jobs)
    results = {}

    def report(case, outcome):
        failures, seconds = outcome
        results[case.name] = failures, seconds
        if failures or options.verbose:
            print(f"{'FAIL' if failures else 'ok  '}  {case.family}/{case.name} ({seconds:.1f} s)", flush=True)
        for failure in failures[:6]:
            print(f"        {failure}", flush=True)
        if len(failures) > 6:
            print(f"        and {len(failures) - 6} more", flush=True)

    light, heavy = [c for c in cases if not c.heavy], [c for c in cases if c.heavy]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(judge, case, references, options): case for case in light}
        for future in concurrent.futures.as_completed(running):
            report(running[future], future.result())
    for case in heavy:
        report(case, judge(case, references, options))

    print(f"\n{'family':<16}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for family in dict.fromkeys(c.family for c in cases):
        mine = [results[c.name] for c in cases if c.family == family]
        bad = sum(bool(f) for f, _ in mine)
        print(f"{family:<16}{len(mine) - bad:>8}{bad:>8}{sum(s for _, s in mine):>9.1f}")
    failed = sum(bool(f) for f, _ in results.values())
    print(f"in {time.monotonic() - start:.0f} s")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
