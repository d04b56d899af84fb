"""Cycles of loops, as llvm-mca predicts them from LLVM's scheduling models."""
import json
import re
import subprocess

MCA = "/usr/lib/llvm-22/bin/llvm-mca"
# So many that the first iterations, which fill the pipeline, do not count.
ITERATIONS = 200


def fuse(instructions):
    """Without a comparison that processors fuse with the branch after it (all
    x86-64 of the last fifteen years): llvm-mca counts two."""
    pairs = zip(instructions, (*instructions[1:], ""))
    return [line for line, after in pairs if not (re.match(r"(?:cmp|test)[bwlq]\t", line) and re.match(r"j[^m]\w*\t", after))]


def cycles(loops, triple, cpu, dispatch=0):
    """Cycles of an iteration of each loop, all loads from the nearest cache.
    `dispatch` are the instructions that the processor takes per cycle, where
    LLVM's model has another number."""
    comment = "//" if triple.startswith("aarch64") else "#"
    text = "".join(f"{comment} LLVM-MCA-BEGIN {i}\n" + "\n".join(fuse(loop.instructions)) + f"\n{comment} LLVM-MCA-END\n"
                   for i, loop in enumerate(loops))
    command = [MCA, f"-mtriple={triple}", f"-mcpu={cpu}", f"-iterations={ITERATIONS}", f"-dispatch={dispatch}", "--json"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    regions = json.loads(result.stdout)["CodeRegions"]
    assert len(regions) == len(loops)
    return [region["SummaryView"]["TotalCycles"] / ITERATIONS for region in regions]
