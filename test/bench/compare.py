#!/usr/bin/env python3
"""Times Cornu beside its peers, in turns on one machine, and prints a table.

    .venv/bin/python test/bench/compare.py                          a quick subset
    .venv/bin/python test/bench/compare.py --full                   all ten models
    .venv/bin/python test/bench/compare.py --only lenet,mlp_seed --mode train --threads 1
    .venv/bin/python test/bench/compare.py --out rows.jsonl         the figures as JSON lines, too

Peers that are not installed are left out, with a line that says so. Every peer
is a process of its own, held to T cores, and only the call is timed: inputs and
outputs are in the peer's own arrays. The peers take turns in short bursts, so
that noise hits all alike. A cell is the median in ms; the last column is the
best peer's time divided by Cornu's: above 1, Cornu is the faster.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = ["mlp_seed", "mlp_mnist", "lenet", "resnet20", "kws_dscnn", "lstm_sentiment", "seq2seq_gru"]
LARGE = ["transformer", "mobilenet_v2", "resnet50"]
QUICK = [
    ("matmul_1024", "infer", 1024, 1),
    ("mlp_seed", "infer", 1, 1), ("mlp_seed", "train", 32, 1),
    ("mlp_mnist", "infer", 32, 1), ("mlp_mnist", "train", 32, 1),
    ("lenet", "infer", 1, 1), ("lenet", "train", 32, 1),
    ("kws_dscnn", "infer", 1, 1), ("kws_dscnn", "train", 32, 1),
    ("lstm_sentiment", "infer", 1, 1), ("resnet20", "infer", 1, 2), ("mobilenet_v2", "infer", 1, 2),
]
FULL = ([("matmul_1024", "infer", 1024, 1)]
        + [(m, "infer", b, t) for m in SMALL + LARGE for t in (1, 2) for b in (1, 32)]
        + [(m, "train", 8 if m in ("mobilenet_v2", "resnet50") else 32, t) for m in SMALL + LARGE for t in (1, 2)])
# Name: what must be installed, the environment, the modes.
PEERS = {
    "keras-jax": ("jax", {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}, ("infer", "train")),
    # Without YNNPACK, whose convolutions run on one core.
    "keras-jax-eigen": ("jax", {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu",
                                "XLA_FLAGS": "--xla_cpu_experimental_ynn_fusion_type="}, ("infer", "train")),
    "keras-tf": ("tensorflow", {"KERAS_BACKEND": "tensorflow"}, ("infer", "train")),
    "keras-torch": ("torch", {"KERAS_BACKEND": "torch"}, ("infer", "train")),
    "openvino": ("openvino", {"KERAS_BACKEND": "openvino"}, ("infer",)),
    "numpy": ("numpy", {}, ("infer",)),  # OpenBLAS, for the matrix product alone
}


# --- a peer's process: reads "MODE BATCH", answers when ready; then bursts ----------------


def data(model, batch):
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = []
    for tensor in model.inputs:
        shape = (batch, *tensor.shape[1:])
        high = [l.input_dim for l in model._flatten_layers() if isinstance(l, keras.layers.Embedding)]
        x.append(rng.integers(0, min(high), shape).astype("int32") if "int" in str(tensor.dtype)
                 else rng.standard_normal(shape).astype("float32"))
    shape, loss = (batch, *model.outputs[0].shape[1:]), str(model.loss)
    if loss == "categorical_crossentropy":
        y = np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
    elif loss == "sparse_categorical_crossentropy":
        y = rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    else:
        y = rng.integers(0, 2, shape).astype("float32")
    return x, y


def keras_step(path, mode, batch, threads):
    """A function that does the work once. The learning rate is 0, so that the
    same batch can be trained on for ever."""
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        torch.set_num_threads(threads)
    model = keras.models.load_model(path)
    x, y = data(model, batch)
    if backend == "jax":
        return jax_step(model, mode, x, y)
    x = [keras.ops.convert_to_tensor(a) for a in x]
    x = x if len(x) > 1 else x[0]
    if mode == "infer":
        if backend == "tensorflow":
            import tensorflow as tf

            call = tf.function(lambda v: model(v, training=False))
            return lambda: call(x).numpy()
        if backend == "torch":
            import torch

            def infer():
                with torch.no_grad():
                    return model(x, training=False).numpy()

            return infer
        return lambda: model.predict_on_batch(x)
    model.optimizer.learning_rate = 0.0
    return lambda: model.train_on_batch(x, y)


def jax_step(model, mode, x, y):
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    x = [jax.numpy.asarray(a) for a in x]
    x = x if len(x) > 1 else x[0]
    trainable = [v.value for v in model.trainable_variables]
    rest = [v.value for v in model.non_trainable_variables]
    if mode == "infer":
        call = jax.jit(lambda t, n, v: model.stateless_call(t, n, v, training=False)[0])
        return lambda: jax.block_until_ready(call(trainable, rest, x))
    model.optimizer.learning_rate = 0.0
    model.optimizer.build(model.trainable_variables)
    slots = [v.value for v in model.optimizer.variables]
    y = jax.numpy.asarray(y)

    def loss(t, n, v, target):
        predictions, n = model.stateless_call(t, n, v, training=True)
        return model.compute_loss(x=v, y=target, y_pred=predictions), n

    def step(t, n, s, v, target):
        (value, n), gradients = jax.value_and_grad(loss, has_aux=True)(t, n, v, target)
        t, s = model.optimizer.stateless_apply(s, gradients, t)
        return value, t, n, s

    call, state = jax.jit(step, donate_argnums=(0, 1, 2)), [trainable, rest, slots]

    def train():
        value, *state[:] = call(*state, x, y)
        jax.block_until_ready(value)

    return train


def numpy_step(batch):
    import numpy as np

    a, b, c = (np.ones((n, 1024), "float32") for n in (batch, 1024, batch))
    return lambda: np.matmul(a, b, out=c)


def worker(name, path, mode, batch, threads):
    step = numpy_step(batch) if name == "numpy" else keras_step(path, mode, batch, threads)
    step()
    start = time.perf_counter()
    step()
    once = time.perf_counter() - start
    calls = max(1, int(2e-4 / max(once, 1e-9)))  # at least 0.2 ms for the clock
    print("ready", flush=True)
    for line in sys.stdin:
        end, times = time.perf_counter() + float(line), []
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(calls):
                step()
            times.append((time.perf_counter() - start) / calls)
        print(json.dumps(times), flush=True)


# --- the other side -------------------------------------------------------------------


class Peer:
    def __init__(self, name, path, mode, batch, threads):
        self.name, self.times = name, []
        cores = {str(threads - 1)} if threads == 1 else map(str, range(threads))
        env = {**os.environ, **PEERS[name][1], "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            ["taskset", "-c", ",".join(cores), sys.executable, __file__, "--worker", name, path, mode, str(batch), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)

    def ready(self):
        return self.process.stdout.readline().strip() == "ready"

    def burst(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.times += json.loads(self.process.stdout.readline() or "[]")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Cornu:
    name = "cornu"

    def __init__(self, executable, mode, batch, threads):
        cores = "0" if threads == 1 else f"0-{threads - 1}"
        self.command = ["taskset", "-c", cores, executable, "bench", f"--mode={mode}", f"--batch-size={batch}",
                        f"--threads={threads}", "--json"]
        self.times = []

    def ready(self):
        return True

    def burst(self, seconds):
        out = subprocess.run([*self.command, f"--min-seconds={seconds}"], capture_output=True, text=True, check=True).stdout
        self.times.append(json.loads(out.splitlines()[-1])["median_s"])

    def stop(self):
        pass


def measure(row, options, executables):
    model, mode, batch, threads = row
    path = str(options.models / f"{model}.keras")
    names = [n for n, (module, _, modes) in PEERS.items()
             if mode in modes and importlib.util.find_spec(module) and (n == "numpy") <= (model == "matmul_1024")]
    peers = [Cornu(executables[model], mode, batch, threads)] + [
        Peer(n, path, mode, batch, threads) for n in names if not options.peer or n in options.peer.split(",")]
    peers = [p for p in peers if p.ready()]
    for _ in range(options.bursts):
        for peer in peers:
            try:
                peer.burst(options.seconds)
            except (OSError, ValueError, subprocess.CalledProcessError):
                peer.times = peer.times or []
    for peer in peers:
        peer.stop()
    return {p.name: {"median_s": statistics.median(p.times), "min_s": min(p.times), "n": len(p.times)} for p in peers if p.times}


def number(seconds):
    ms = seconds * 1e3
    return f"{ms:.3g}" if ms < 1000 else f"{ms:.0f}"


def print_table(results):
    names = [n for n in PEERS if any(n in cells for _, cells in results)]
    print("| work | " + " | ".join(names) + " | cornu | best peer / cornu |")
    print("|---|" + "---:|" * (len(names) + 2))
    for (model, mode, batch, threads), cells in results:
        best = min((cells[n]["median_s"] for n in names if n in cells), default=None)
        ours = cells.get("cornu", {}).get("median_s")
        text = [number(cells[n]["median_s"]) if n in cells else "-" for n in names]
        ratio = f"{best / ours:.2f}" if best and ours else "-"
        print(f"| {model} {mode} b{batch} t{threads} | " + " | ".join([*text, number(ours) if ours else "error", ratio]) + " |")


def main():
    parser = argparse.ArgumentParser(description="Times Cornu beside its peers and prints a table.")
    parser.add_argument("--full", action="store_true", help="all models (else a quick subset)")
    parser.add_argument("--only", help="models, comma-separated")
    parser.add_argument("--mode", choices=["infer", "train"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--peer", help=f"from: {','.join(PEERS)} (all that are installed)")
    parser.add_argument("--bursts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7, help="of each burst")
    parser.add_argument("--cornu", default=ROOT / "build/bin/cornu", type=pathlib.Path)
    parser.add_argument("--models", default=ROOT / "build/bench", type=pathlib.Path, help="folder of .keras files; made if missing")
    parser.add_argument("--out", help="append the figures to this file as JSON lines")
    options = parser.parse_args()

    rows = FULL if options.full else QUICK
    rows = [r for r in rows if (not options.only or r[0] in options.only.split(","))
            and options.mode in (None, r[1]) and options.threads in (None, r[3])]
    absent = sorted({m for m, _, _ in PEERS.values() if not importlib.util.find_spec(m)})
    if absent:
        print(f"not installed, so not in the table: {', '.join(absent)}", file=sys.stderr)
    models = sorted({r[0] for r in rows})
    missing = [m for m in models if not (options.models / f"{m}.keras").exists()]
    if missing:
        subprocess.run([sys.executable, HERE / "models.py", options.models, *missing], check=True, stdout=subprocess.DEVNULL)
    executables = {}
    for model in models:
        executables[model] = str(options.models / model)
        start = time.monotonic()
        subprocess.run([options.cornu, "compile", options.models / f"{model}.keras", "-o", executables[model]], check=True)
        print(f"{model}: compiled in {time.monotonic() - start:.2f} s, "
              f"{os.path.getsize(executables[model]) / 1e3:.0f} kB with its weights", file=sys.stderr)

    results = []
    for row in rows:
        cells = measure(row, options, executables)
        results.append((row, cells))
        print(f"{' '.join(map(str, row))}: " + ", ".join(f"{n} {number(c['median_s'])} ms" for n, c in cells.items()), file=sys.stderr)
        if options.out:
            with open(options.out, "a") as file:
                file.write(json.dumps({"model": row[0], "mode": row[1], "batch": row[2], "threads": row[3], **cells}) + "\n")
    print_table(results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
    else:
        main()
