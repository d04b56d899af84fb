"""The Keras side: builds a case's model, saves it with its data, and records
what Keras computes: outputs, losses and metrics, weights after training.

Runs as a process of its own that serves many cases, since importing Keras takes
seconds: it reads `NAME<tab>FOLDER` lines from its standard input and answers `NAME done` or `NAME failed MESSAGE` on its standard output.

A case's folder then holds
    model.keras (or another form), inputs/NAME.npy, targets/NAME.npy,
    sample_weight.npy, expected.npz (output0..., before/VARIABLE, after/VARIABLE)
    and case.json with the logs and how to call Cornu;
    and for an exact case the same of the float64 model in float64/.
"""
import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import sys

import registry
from fingerprint import fingerprint

HERE = pathlib.Path(__file__).parent
# To be raised when this file, forms.py, names.py or keras2.py change what they write.
VERSION = 3
# Relative errors, some of float32's roundings, in the inputs of an exact case's neighbours.
NOISE = 2e-6
# Fields of a case that only the comparison reads.
COMPARISON = ("family", "idle", "tolerance", "change_tolerance", "script", "timeout", "heavy", "compile_flags")


def key(case):
    """Names the contents of a case's folder: what they come from."""
    digest = fingerprint(case, ignored=COMPARISON)
    if case.family == "models":
        digest.update((HERE.parent / "bench" / "models.py").read_bytes())
    if case.exact:
        digest.update(f"{NOISE}".encode())
    digest.update(f"{VERSION} {importlib.metadata.version('keras')}".encode())
    return digest.hexdigest()[:12]


def folder(cache, case):
    return cache / f"{case.name}-{key(case)}"


def randomize(model, rng):
    """Weights whose initial value is a constant get one that shows mistakes."""
    import numpy as np
    from names import variable_names

    for name, variable in variable_names(model):
        kind, shape = name.split("/")[-1], variable.shape
        if kind in ("bias", "beta", "moving_mean"):
            variable.assign(0.3 * rng.standard_normal(shape) + np.asarray(variable))
        elif kind == "gamma":
            variable.assign(1 + 0.2 * rng.standard_normal(shape))
        elif kind == "alpha":
            variable.assign(0.25 + 0.1 * rng.standard_normal(shape))
        elif kind == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif kind == "embeddings":
            variable.assign(0.5 * rng.standard_normal(shape))


def as_floatx(array):
    """Data are drawn in float32, whatever the precision that computes with them."""
    import keras

    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def make_input(case, tensor, name, rng):
    shape = (case.samples, *tensor.shape[1:])
    if name in case.inputs:
        return case.inputs[name](rng, shape)
    if "int" in str(tensor.dtype):
        return rng.integers(0, case.upper, shape).astype("int32")
    return rng.standard_normal(shape).astype("float32")


def make_target(case, shape, name, rng):
    import numpy as np

    kind = case.target.get(name, "normal") if isinstance(case.target, dict) else case.target
    shape = (case.samples, *shape[1:])
    if callable(kind):
        return kind(rng, shape)
    if kind == "normal":
        return rng.standard_normal(shape).astype("float32")
    if kind == "binary":
        return rng.integers(0, 2, shape).astype("float32")
    if kind == "classes":
        return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if kind == "onehot":
        return np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
    raise ValueError(f"unknown kind of target: {kind}")


def functional(model):
    return getattr(model, "_functional", None) or model  # a Sequential has one inside


def output_names(model):
    """An output's name: its dict key, or else its layer's name, `_1` on a repeat."""
    if isinstance(functional(model)._outputs_struct, dict):
        return sorted(functional(model)._outputs_struct)
    names = []
    for name in functional(model).output_names:
        count = sum(n == name or n.startswith(name + "_") for n in names)
        names.append(name if not count else f"{name}_{count}")
    return names


def save(path, array):
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def scalars(logs):
    """A log with a value for each class or threshold has the keys KEY/0, KEY/1, ..."""
    import numpy as np

    for key, value in logs.items():
        if np.size(value) == 1:
            yield key, float(np.squeeze(value))
        else:
            yield from ((f"{key}/{i}", float(v)) for i, v in enumerate(value))


def compute(case, target):
    weights = record(case, target)
    if case.exact:
        with float64():
            record(case, target / "float64", weights)
            # What the case makes of the rounding of its first layers.
            for k in range(1 if case.heavy else 3):
                record(case, target / f"nearby{k}", weights, noise=k + 1)


@contextlib.contextmanager
def float64():
    """Keras on JAX in float64. Its backend narrows promoted types to 32 bits,
    as JAX does by default: batch normalization would compute in float32."""
    import jax
    import keras
    from keras.src.backend.common import dtypes

    narrowed = dtypes.BIT64_TO_BIT32_DTYPE
    keras.config.set_floatx("float64")
    dtypes.BIT64_TO_BIT32_DTYPE = {k: v for k, v in narrowed.items() if k != "float64"}
    try:
        with jax.enable_x64(True):
            yield
    finally:
        keras.config.set_floatx("float32")
        dtypes.BIT64_TO_BIT32_DTYPE = narrowed


def record(case, target, weights=None, noise=0):
    """Records the case in Keras's present precision; returns the first weights.
    Those of another precision may be given. `noise`, if not 0, seeds errors in the
    inputs."""
    import keras
    import numpy as np

    import forms
    from names import variable_names

    target.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(hashlib.sha256(case.name.encode()).digest()[:4], "little")
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = case.build()
    if case.randomize:
        randomize(model, rng)
    if weights is None:
        weights = model.get_weights()
    else:
        model.set_weights(weights)

    input_names = [t.name for t in model.inputs]
    inputs = {n: as_floatx(make_input(case, t, n, rng)) for n, t in zip(input_names, model.inputs)}
    if noise:
        errors = np.random.default_rng(noise)
        inputs = {n: x * (1 + NOISE * errors.standard_normal(x.shape)) if x.dtype.kind == "f" else x
                  for n, x in inputs.items()}
    names = output_names(model)
    shapes = [t.shape for t in model.outputs]
    targets = {n: as_floatx(make_target(case, s, n, rng)) for n, s in zip(names, shapes)}
    losses = model._compile_loss._user_loss if model._compile_loss is not None else None
    if isinstance(losses, dict):
        targets = {n: t for n, t in targets.items() if losses.get(n) is not None}
    elif isinstance(losses, (list, tuple)):
        targets = {n: t for (n, t), l in zip(targets.items(), losses) if l is not None}
    x = list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))
    if isinstance(functional(model)._inputs_struct, dict):
        x = inputs
    y = targets if isinstance(losses, dict) else list(targets.values())
    if isinstance(losses, (list, tuple)):
        y = [targets.get(n) for n in names]
    if not isinstance(y, dict) and len(y) == 1:
        y = y[0]
    weight = rng.uniform(0.2, 2, case.samples).astype("float32") if case.sample_weight else None

    for _ in range(case.warm_up):
        model.train_on_batch(x, y)
    arguments = forms.write(model, target, case.form)
    for name, array in inputs.items():
        save(target / "inputs" / f"{name}.npy", array)
    for name, array in targets.items():
        save(target / "targets" / f"{name}.npy", array)
    if weight is not None:
        save(target / "sample_weight.npy", weight)

    description = {
        "name": case.name, "model": arguments, "inputs": list(inputs), "outputs": names,
        "targets": list(targets), "logs": {},
    }
    expected = {f"before/{n}": np.asarray(v) for n, v in variable_names(model)}
    trainable = {id(v) for v in model.trainable_variables}
    description["trainable"] = [n for n, v in variable_names(model) if id(v) in trainable]
    if "predict" in case.checks:
        outputs = model.predict(x, batch_size=case.samples, verbose=0)
        if isinstance(outputs, dict):
            outputs = [outputs[n] for n in sorted(outputs)]
        for i, output in enumerate(outputs if isinstance(outputs, (list, tuple)) else [outputs]):
            expected[f"output{i}"] = np.asarray(output)
    if "evaluate" in case.checks:
        logs = model.evaluate(x, y, batch_size=case.batch, sample_weight=weight, verbose=0, return_dict=True)
        description["logs"]["evaluate"] = dict(scalars(logs))
    if "fit" in case.checks:
        options = {}
        if case.validation == "set":
            options["validation_data"] = (x, y)
        elif case.validation:
            options["validation_split"] = case.validation
        history = model.fit(
            x, y, batch_size=case.batch, epochs=case.epochs, shuffle=False, verbose=0,
            sample_weight=weight, class_weight=case.class_weight, **options,
        ).history
        description["logs"]["fit"] = [
            dict(scalars({k: v[e] for k, v in history.items()})) for e in range(case.epochs)
        ]
        expected.update({f"after/{n}": np.asarray(v) for n, v in variable_names(model)})
    np.savez(target / "expected.npz", **expected)
    (target / "case.json").write_text(json.dumps(description, indent=1))
    return weights


def weak(case, target):
    """What makes a case prove little: weights that training hardly changes, NaN."""
    import numpy as np

    expected, said = np.load(target / "expected.npz"), []
    for name in json.loads((target / "case.json").read_text())["trainable"]:
        if f"after/{name}" not in expected or name.endswith(case.idle):
            continue
        before, after = expected[f"before/{name}"], expected[f"after/{name}"]
        change = np.abs(after - before).max(initial=0)
        if not np.isfinite(after).all():
            said.append(f"{name} is not finite after training")
        elif change < 1e-4 * max(np.abs(before).max(initial=0), 1e-3):
            said.append(f"{name} changes only by {change:.1e}")
    for name in expected.files:
        value = expected[name]
        if name.startswith("output"):
            if not np.isfinite(value).all():
                said.append(f"{name} is not finite")
            elif value.size > 1 and np.ptp(value) == 0:
                said.append(f"{name} is constant")
    return said


def main():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The models are tiny: compiling them costs more than running them.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
    cases = registry.load_families()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        name, path = line.rstrip("\n").split("\t")
        case, target = cases[name], pathlib.Path(path)
        partial = target.with_name(target.name + ".partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            compute(case, partial)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            answer = "done"
        except Exception as error:  # a case that Keras refuses is a wrong case
            import traceback

            traceback.print_exc()
            answer = "failed " + f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        os.write(answers, f"{case.name} {answer}\n".encode())


if __name__ == "__main__":
    main()
