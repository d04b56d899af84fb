"""Fair timing: a process for each peer, held to its cores; they take turns.

All work on a row in short bursts, one after the other, so that a slow minute of
the machine hits all alike. Who is not at work is stopped (SIGSTOP), so that its
spinning threads take no core. A burst in which other processes took the cores
is put aside.
"""
import concurrent.futures
import json
import os
import pathlib
import select
import signal
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
NOISE = 0.1  # the share of a burst's core time that others may take
PATIENCE = 3  # times the bursts wanted, before disturbed ones count too
TIMEOUT = 900  # seconds for one preparation or burst


class Failure(Exception):
    """Why a peer has no figure: one line for the table's reader."""


# What a peer's end, or an answer that is none, may look like from here.
FAILURES = (Failure, OSError, ValueError, LookupError, subprocess.SubprocessError)


# --- what the kernel counts -------------------------------------------------------------------


def cores(threads):
    """The last cores of those this process may use: the first get most interrupts."""
    return set(sorted(os.sched_getaffinity(0))[-threads:])


def busy_seconds(cpus):
    """Seconds that the cores have worked for anybody, or were taken by a hypervisor."""
    ticks = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cpus:
            user, nice, system, _, _, irq, softirq, steal = map(int, counts[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def own_and_waited(pid):
    """Seconds in which the process's threads ran, and in which they wanted a core and had none."""
    ran = waited = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            on, off, _ = (task / "schedstat").read_text().split()
            ran, waited = ran + int(on), waited + int(off)
        except OSError:
            pass  # this thread has ended
    return ran * 1e-9, waited * 1e-9


def hold(pid, cpus):
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            os.sched_setaffinity(int(task), cpus)
        except OSError:
            pass


def prioritize(pid, nice):
    """Ahead of other sessions too: the scheduler shares cores out by session first."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(nice))
    except OSError:
        pass  # without the right, or the file, it stays as it is


# --- the peers' processes ------------------------------------------------------------------------


class Worker:
    """A peer behind worker.py."""

    def __init__(self, name, threads, python, logs, nice):
        self.name, self.threads, self.python, self.log, self.nice = name, threads, python, logs / f"{name}.log", nice
        self.cpus, self.process = cores(threads), None

    def start(self):
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        for library in ("OMP", "MKL", "OPENBLAS", "TF_INTRAOP", "TF_INTEROP"):
            env[f"{library}_NUM_THREADS"] = str(self.threads)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([self.python, HERE / "worker.py", self.name, str(self.threads)], env=env,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            start_new_session=True)

    def ask(self, request):
        line, end = b"", time.monotonic() + TIMEOUT
        try:
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            self.process.stdin.flush()
            while not line.endswith(b"\n"):
                ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
                if not ready:
                    raise Failure(f"no answer within {TIMEOUT} s")
                part = os.read(self.process.stdout.fileno(), 1 << 16)
                if not part:
                    raise Failure(f"ended with exit code {self.process.wait()}")
                line += part
        except (Failure, OSError) as error:
            self.stop()
            raise error if isinstance(error, Failure) else Failure(str(error))
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def prepare(self, work):
        """Compiles, on any core, at ordinary priority; then waits on its own cores."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        os.killpg(self.process.pid, signal.SIGCONT)
        hold(self.process.pid, self.cpus if self.threads > 1 else set(os.sched_getaffinity(0)))
        prioritize(self.process.pid, 0)
        try:
            return self.ask(work)
        finally:
            if self.process.poll() is None:
                hold(self.process.pid, self.cpus)
                prioritize(self.process.pid, self.nice)
                os.killpg(self.process.pid, signal.SIGSTOP)

    def burst(self, seconds):
        os.killpg(self.process.pid, signal.SIGCONT)
        wall, busy, (own, waited) = time.monotonic(), busy_seconds(self.cpus), own_and_waited(self.process.pid)
        try:
            answer = self.ask({"seconds": seconds})
            after = own_and_waited(self.process.pid)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGSTOP)
        wall = time.monotonic() - wall
        # The cores' ticks are 10 ms; and what waited for a sibling was not disturbed.
        foreign = busy_seconds(self.cpus) - busy - (after[0] - own) - 0.02
        return {**answer, "lost": max(0.0, min(foreign, after[1] - waited)) / (wall * self.threads)}

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Program:
    """Cornu: the compiled program's own `bench` command, started for each burst."""

    name = "cornu"

    def __init__(self, executables, version, threads, nice):
        self.executables, self.version, self.threads, self.nice = executables, version, threads, nice
        self.cpus, self.command = cores(threads), None

    def prepare(self, work):
        self.command = ["taskset", "-c", ",".join(map(str, sorted(self.cpus))), self.executables[work["mode"]], "bench",
                        f"--mode={work['mode']}", f"--batch-size={work['batch']}", f"--threads={self.threads}", "--json"]
        return {"version": self.version, **({"answer": self.answer(work)} if work["mode"] == "infer" else {})}

    def answer(self, work):
        import numpy as np

        folder, arguments = pathlib.Path(work["folder"]), []
        with np.load(folder / f"b{work['batch']}.npz") as file:
            names = [k for k in file if k.startswith("input:")]
            for key in names:
                path = folder / f"cornu-{key[6:]}.npy"
                np.save(path, file[key])
                arguments += ["--input", f"{key[6:]}={path}" if len(names) > 1 else path]
        out = folder / "cornu-answer.npy"
        done = subprocess.run([self.executables["infer"], "predict", *arguments, "--output", out], capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"predict: exit code {done.returncode}: {done.stderr.strip()[:300]}")
        return [float(v) for v in np.load(out).ravel()[:256]]

    def burst(self, seconds):
        wall, busy = time.monotonic(), busy_seconds(self.cpus)
        process = subprocess.Popen([*self.command, f"--min-seconds={seconds}"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        prioritize(process.pid, self.nice)
        before = os.times()
        try:
            out, error = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()  # if it has not ended
        if process.returncode:
            raise Failure(f"bench: exit code {process.returncode}: {error.strip()[:300]}")
        wall, after = time.monotonic() - wall, os.times()
        own = after.children_user - before.children_user + after.children_system - before.children_system
        line = json.loads(out.splitlines()[-1])
        return {"median": line["median_s"], "least": line["min_s"], "calls": line["n_runs"], "peak": line["peak_bytes"],
                "lost": max(0.0, busy_seconds(self.cpus) - busy - own - 0.02) / (wall * self.threads)}

    def stop(self):
        pass


# --- a row -----------------------------------------------------------------------------------------


class Bursts:
    """What one peer did on one row."""

    def __init__(self, wanted, cap):
        self.all, self.wanted, self.cap = [], wanted, cap

    def quiet(self):
        return [b for b in self.all if b["lost"] <= NOISE]

    def enough(self):
        spent = sum(b["median"] * b["calls"] for b in self.all)
        return len(self.quiet()) >= self.wanted or len(self.all) >= PATIENCE * self.wanted or (
            bool(self.all) and spent >= self.cap)

    def summary(self):
        """The median of the bursts' medians, of the undisturbed bursts if there are any."""
        used = self.quiet() or self.all
        return {"median_s": statistics.median(b["median"] for b in used), "min_s": min(b["least"] for b in used),
                "bursts": len(used), "calls": sum(b["calls"] for b in used), "peak": max(b["peak"] for b in self.all),
                "disturbed": round(1 - len(self.quiet()) / len(self.all), 2)}


def measure(work, players, bursts, seconds, cap):
    """For each player's name a dictionary: its figures, or its `error`."""
    ready, results = {}, {}

    def prepare(player):
        try:
            results[player.name] = player.prepare(work)
            ready[player.name] = Bursts(bursts, cap)
        except FAILURES as error:
            results[player.name] = {"error": str(error)}

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(prepare, players))
    while left := [p for p in players if p.name in ready and not ready[p.name].enough()]:
        for player in left:
            try:
                ready[player.name].all.append(player.burst(seconds))
            except FAILURES as error:
                results[player.name] = {"error": str(error)}
                del ready[player.name]
    for name, done in ready.items():
        results[name].update(done.summary())
    return results
