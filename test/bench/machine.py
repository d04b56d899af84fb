"""The roofline: what the machine can do, and so the least time of a row."""
import json
import os
import pathlib
import platform
import shutil
import subprocess

from turns import cores, prioritize

HERE = pathlib.Path(__file__).resolve().parent


def measure(folder, threads, nice):
    """Builds and runs roofline.c: {"gflops", "read_gbs"} on so many cores, or None without a C compiler."""
    compiler = next(filter(None, map(shutil.which, ("clang-22", "clang", "cc"))), None)
    if not compiler:
        return None
    program = folder / "roofline"
    subprocess.run([compiler, "-O3", "-march=native", "-ffp-contract=fast", "-Wno-unknown-pragmas", "-pthread",
                    HERE / "roofline.c", "-o", program], check=True)
    command = ["taskset", "-c", ",".join(map(str, sorted(cores(threads)))), program, str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    prioritize(process.pid, nice)
    return json.loads(process.communicate()[0])


def least_seconds(rates, cost):
    """The bound: all operations at the FMA's rate, or all bytes at the rate of
    the next smaller working set that was measured, which is never too slow."""
    smallest = rates["read_gbs"][0][1]
    rate = next((r for size, r in reversed(rates["read_gbs"]) if size <= cost["held_bytes"]), smallest)
    return max(cost["operations"] / rates["gflops"], cost["moved_bytes"] / rate) * 1e-9


def description():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(tuple(part.strip() for part in line.split(":", 1)) for line in reversed(lines) if ":" in line)
    name = fields.get("model name") or platform.machine()
    family = f", family {fields['cpu family']} model {fields['model']}" if "cpu family" in fields else ""
    vectors = next((v for v in ("avx512f", "avx2", "asimd") if v in fields.get("flags", fields.get("Features", "")).split()), "")
    return f"{len(os.sched_getaffinity(0))} cores of {name}{family}, {vectors}, {platform.system()}"
