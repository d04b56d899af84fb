"""Mutates the IR of each stage and gives it to cornu-opt: it may refuse, but
not crash or hang. Ends with `N passed, M failed`.

    python3 mutate_ir.py COUNT [SEED]
"""
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORNU, OPT = ROOT / "build/bin/cornu", ROOT / "build/bin/cornu-opt"
MODEL = ROOT / "test/examples/digits/digits.json"
# The stage's IR, and what cornu-opt does with it.
STAGES = [("nn", ["--canonicalize"]), ("graph", ["--canonicalize", "--cse"]), ("linalg", []), ("buffers", []), ("kernels", [])]
TOKEN = re.compile(r"%[\w]+|@[\w\"/]+|\d+x|\?x|\d+|f32|i32|\bnn\.\w+|#\w+|[<>\[\](){}]")


def mutate(text, rng):
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        kind, i = rng.random(), rng.randrange(len(lines))
        if kind < 0.2:
            del lines[i]
        elif kind < 0.35:
            lines.insert(rng.randrange(len(lines)), lines[i])
        elif kind < 0.5:
            j = rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
        else:
            tokens = list(TOKEN.finditer(lines[i]))
            if not tokens:
                continue
            token = rng.choice(tokens)
            others = TOKEN.findall(lines[rng.randrange(len(lines))]) or ["0"]
            new = rng.choice(others + ["0", "-1", "9223372036854775807", "?x", "i1", "", "nn.relu"])
            lines[i] = lines[i][: token.start()] + new + lines[i][token.end():]
    return "\n".join(lines)


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = random.Random(seed)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "m.mlir"
        for stage, flags in STAGES:
            command = [CORNU, "compile", MODEL, f"--emit={stage}", "-o", "-"]
            made = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if made.returncode:
                print(f"{stage}: {made.stderr[:300]}")
                failed += 1
                continue
            for _ in range(count):
                path.write_text(mutate(made.stdout, rng))
                try:
                    result = subprocess.run([OPT, path, *flags, "-o", "/dev/null"], capture_output=True, text=True, timeout=20)
                    wrong = "" if result.returncode in (0, 1) else f"exit code {result.returncode}: {result.stderr[-600:]}"
                except subprocess.TimeoutExpired:
                    wrong = "no answer within 20 s"
                if wrong:
                    failed += 1
                    keep = ROOT / f"build/check/crash-{stage}-{failed}.mlir"
                    keep.parent.mkdir(parents=True, exist_ok=True)
                    keep.write_text(path.read_text())
                    print(f"{stage}: {keep}: {wrong}")
                else:
                    passed += 1
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
