#!/usr/bin/env python3
"""Times Cornu beside its peers on this machine and prints a table.

    compare.py                                            every row (hours)
    compare.py --only mlp_seed,lenet --threads 1 --out results.jsonl
    compare.py --table results.jsonl                      the table of stored lines
    compare.py --readme results.jsonl                     keeps them, and puts the table into the README

Peers that are not installed or fail are one line each; the rest goes on.
README.md says how it measures.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import machine
import peers
import table
import turns
from further_models import FURTHER
from peers import export

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEPT = HERE / "results.jsonl"  # the lines behind the README's table
# In the order of their cost. Training of the large ones with 32 images takes
# some peers more memory than most machines have.
ORDER = ["mlp_seed", "mlp_mnist", "kws_dscnn", "lenet", "lstm_sentiment", "seq2seq_gru", "resnet20", "transformer",
         "mobilenet_v2", "resnet50"]
# Measured where --only asks for them.
FURTHER_NAMES = [f.__name__ for f in FURTHER]
MORE = ["matmul_1024", *FURTHER_NAMES]
LARGE = {"mobilenet_v2", "resnet50"}
LARGE_TRAINING_BATCH = 8


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def installed(options):
    """The peers that can run here; the others get a line that says why not."""
    names = options.peer.split(",") if options.peer else list(peers.PEERS)
    unknown = [n for n in names if n not in peers.PEERS]
    if unknown:
        sys.exit(f"unknown peer {', '.join(unknown)}; there are: {', '.join(peers.PEERS)}")
    there, question = {}, "import importlib.util as u, sys\nfor m in sys.argv[1:]:\n  try: print(m if u.find_spec(m) else '')\n  except ImportError: pass"
    for python in {sys.executable, options.torch_python}:
        modules = {m for p in peers.PEERS.values() for m in p.needs}
        there[python] = subprocess.run([python, "-c", question, *modules], capture_output=True, text=True).stdout.split()
    can = []
    for name in names:
        peer = peers.PEERS[name]
        python = options.torch_python if peer.torch else sys.executable
        missing = [m for m in peer.needs if m not in there[python]]
        if missing:
            say(f"{name}: not in the table, since {', '.join(missing)} is not installed")
        else:
            can.append((name, python))
    return can


def wanted_rows(options):
    """Pairs of (model, threads) and their (mode, batch)."""
    chosen = options.only.split(",") if options.only else ["matmul_1024", *ORDER]
    unknown = [m for m in chosen if m not in [*ORDER, *MORE]]
    if unknown:
        sys.exit(f"unknown model {', '.join(unknown)}; there are: {', '.join([*ORDER, *MORE])}")
    for model in chosen:
        for threads in options.threads:
            if model == "matmul_1024":
                yield model, threads, [("infer", 1024)] if "infer" in options.mode else []
                continue
            yield model, threads, [
                (mode, LARGE_TRAINING_BATCH if model in LARGE and mode == "train" and batch > LARGE_TRAINING_BATCH else batch)
                for mode in options.mode for batch in options.batch]


def prepare_model(model, batches, names, options):
    """Builds, describes, exports and compiles a model: (its path, its folder, the programs by mode).

    One program trains; the other only predicts, as what the peers' converters make of a model does."""
    path = options.folder / f"{model}.keras"
    if not path.exists():
        subprocess.run([sys.executable, HERE / "models.py", options.folder, model], check=True, capture_output=True)
    folder = options.folder / f"{model}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    facts = folder / "facts.json"
    known = json.loads(facts.read_text()) if facts.exists() else {}
    if any(f"infer {b}" not in known for b in batches):
        done = subprocess.run([sys.executable, HERE / "facts.py", path, folder, *map(str, batches)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"facts.py {model}: {done.stderr[-2000:]}")
    kinds = sorted({peers.PEERS[n].exports for n, _ in names} - {""})
    export.together(path, folder, batches, kinds)
    programs = {"train": folder / "cornu-train", "infer": folder / "cornu-infer"}
    for mode, program in programs.items():
        flags, start = ["--inference-only"] if mode == "infer" else [], time.monotonic()
        done = subprocess.run([options.cornu, "compile", path, *flags, "-o", program], capture_output=True, text=True)
        if done.returncode:
            say(f"{model}: cornu compile: exit code {done.returncode}: {done.stderr.strip()[:300]}")
            return path, folder, None
        say(f"{model}: compiled to {mode} in {time.monotonic() - start:.2f} s, {os.path.getsize(program) / 1e3:.0f} kB with its weights")
    return path, folder, programs


def difference(answer, reference):
    """The largest difference, by the reference's largest magnitude."""
    return max(abs(a - b) for a, b in zip(answer, reference)) / (max(map(abs, reference)) or 1)


def takes_part(name, model, mode):
    if name == "cornu":
        return True
    peer = peers.PEERS[name]
    return mode in peer.modes and (name != "openblas" or model == "matmul_1024") \
        and not (peer.torch and model in FURTHER_NAMES)


def measure_rows(model, threads, rows, names, version, options):
    """Yields a line for each peer of each row."""
    import numpy as np

    batches = sorted({b for _, b in rows})
    path, folder, programs = prepare_model(model, batches, names, options)
    facts = json.loads((folder / "facts.json").read_text())
    players = [turns.Program(programs, version, threads, options.nice)] if programs else []
    players += [turns.Worker(n, threads, python, options.folder, options.nice) for n, python in names]
    try:
        for mode, batch in rows:
            able = [p for p in players if takes_part(p.name, model, mode)]
            for player in players:
                if player not in able:
                    player.stop()  # its memory is wanted by the others
            work = {"model": str(path), "folder": str(folder), "mode": mode, "batch": batch}
            results = turns.measure(work, able, options.bursts, options.seconds, options.cap)
            with np.load(folder / f"b{batch}.npz") as file:
                reference = [float(v) for v in file["answer"].ravel()[:256]]
            for name, cell in results.items():
                line = {"model": model, "mode": mode, "batch": batch, "threads": threads, "peer": name, **cell}
                if "answer" in line:
                    line["difference"] = float(f"{difference(line.pop('answer'), reference):.2g}")
                if name == "cornu":
                    line.update(facts[f"{mode} {batch}"])
                yield {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items() if v != ""}
    finally:
        for player in players:
            player.stop()


def numbers(text):
    return [int(t) for t in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description="Times Cornu beside its peers on this machine and prints a table.")
    parser.add_argument("--only", help=f"models, comma-separated, from: {','.join([*ORDER, *MORE])}")
    parser.add_argument("--mode", type=lambda t: t.split(","), default=["infer", "train"], help="infer,train")
    parser.add_argument("--batch", type=numbers, default=[1, 32], help="1,32")
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="1,2")
    parser.add_argument("--peer", help=f"from: {','.join(peers.PEERS)} (all that are installed)")
    parser.add_argument("--bursts", type=int, default=5, help="undisturbed bursts of each peer in a row (5)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each burst (0.3)")
    parser.add_argument("--cap", type=float, default=30, help="seconds after which a slow peer has no more turns (30)")
    parser.add_argument("--nice", type=int, default=0, help="priority of what is measured; -15 as root, where others work too")
    parser.add_argument("--out", type=pathlib.Path, help="append the figures to this file as JSON lines")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="only print the table of an earlier --out")
    parser.add_argument("--short", action="store_true", help="with --table: the README's form of it")
    parser.add_argument("--readme", type=pathlib.Path, metavar="FILE",
                        help="only keep the lines of an earlier --out as results.jsonl, and put their table into README.md")
    parser.add_argument("--cornu", default=ROOT / "build/bin/cornu", type=pathlib.Path)
    parser.add_argument("--folder", default=ROOT / "build/bench", type=pathlib.Path, help="for models and what is made of them")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has torch (this one)")
    return parser.parse_args()


def main():
    options = parse()
    if options.table:
        return print((table.short if options.short else table.full)(*table.read(options.table)))
    if options.readme:
        stored = table.read(options.readme)
        table.write(KEPT, *stored)
        return table.rewrite(ROOT / "README.md", table.short(*stored))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that stopped workers are ended, too
    options.folder.mkdir(parents=True, exist_ok=True)
    out = options.out or options.folder / f"results-{os.getpid()}.jsonl"

    def record(line):
        with open(out, "a") as file:
            file.write(json.dumps(line) + "\n")

    here = len(os.sched_getaffinity(0))
    for threads in [t for t in options.threads if t > here]:
        say(f"{threads} threads: left out, since there are {here} cores")
        options.threads.remove(threads)
    names = installed(options)
    version = subprocess.run([options.cornu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    version += f" ({commit})" if commit else ""
    roofline = {t: machine.measure(options.folder, t, options.nice) for t in options.threads}
    record({"machine": machine.description(), "date": str(datetime.date.today()), "version": version,
            "roofline": {str(t): r for t, r in roofline.items() if r}})
    for model, threads, rows in wanted_rows(options):
        for line in measure_rows(model, threads, rows, names, version, options) if rows else ():
            record(line)
            figure = f"{line['median_s'] * 1e3:.4g} ms" if "median_s" in line else line["error"]
            say(f"{model} {line['mode']} b{line['batch']} t{threads} {line['peer']}: {figure}")
    print(table.full(*table.read(out)))


if __name__ == "__main__":
    main()
