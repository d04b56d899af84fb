"""The Cornu side: compiles a case's model, runs the executable, and compares
what it prints and writes with what Keras computed.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import numpy as np

import safetensors


class Failure(Exception):
    """A command that failed: its message is what a reader needs."""


class Program:
    """A model's folder and the executable made from it.

        program = Program("build/bin/cornu", reference_folder, work_folder, case)
        program.compile(); program.predict() -> list of arrays
    """

    def __init__(self, cornu, reference, work, case, threads=1, flags=(), launcher=()):
        self.cornu, self.reference, self.work, self.case = cornu, reference, work, case
        self.threads, self.flags, self.launcher = threads, flags, launcher
        self.description = json.loads((reference / "case.json").read_text())
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self.executable = work / "program"

    def sibling(self, precision):
        """The same case in another precision."""
        return Program(self.cornu, self.reference / precision, self.work / precision, self.case,
                       self.threads, self.flags, self.launcher)

    def run(self, *command, accept=(0,)):
        """Runs a command in the work folder; returns what it printed."""
        command = [str(c) for c in command]
        process = subprocess.Popen(command, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            out, err = process.communicate(timeout=self.case.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Failure(f"no answer within {self.case.timeout} s: {shorten(command)}")
        self.stderr = err.decode(errors="replace")
        if process.returncode not in accept:
            code = process.returncode
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            said = self.stderr.strip().splitlines()
            raise Failure(f"{how}: {shorten(command)}: " + " | ".join(said[:3] + said[3:][-3:])[:600])
        return out.decode(errors="replace")

    def compile(self, *flags):
        model = []
        for argument in self.description["model"]:
            if argument.startswith("--weights="):
                model.append(f"--weights={self.reference / argument[10:]}")
            else:
                model.append(self.reference / argument)
        self.run(self.cornu, "compile", *model, "-o", self.executable, *self.flags, *self.case.compile_flags, *flags)

    def data(self, flag, folder, names):
        if len(names) == 1:
            return [flag, self.reference / folder / f"{names[0]}.npy"]
        arguments = []
        for name in names:
            arguments += [flag, f"{name}={self.reference / folder / name}.npy"]
        return arguments

    def inputs(self):
        return self.data("--input", "inputs", self.description["inputs"])

    def targets(self):
        return self.data("--target", "targets", self.description["targets"])

    def predict(self, *flags):
        names = self.description["outputs"]
        outputs = self.work / "outputs"
        outputs.mkdir(exist_ok=True)
        arguments = []
        for name in names:
            path = outputs / f"{name}.npy"
            arguments += ["--output", path if len(names) == 1 else f"{name}={path}"]
        self.run(*self.launcher, self.executable, "predict", *self.inputs(), *arguments, "--batch-size", self.case.batch,
                 "--threads", self.threads, "--quiet", *flags)
        return [np.load(outputs / f"{name}.npy") for name in names]

    def weights_of_samples(self):
        path = self.reference / "sample_weight.npy"
        return ["--sample-weight", path] if path.exists() else []

    def evaluate(self, *flags):
        """The logs of an evaluation."""
        out = self.run(*self.launcher, self.executable, "evaluate", *self.inputs(), *self.targets(), *self.weights_of_samples(),
                       "--batch-size", self.case.batch, "--threads", self.threads, "--json", *flags)
        return json_lines(out)[-1]

    def fit(self, *flags, save="after.safetensors", shuffle="false", epochs=None):
        """Logs of the epochs, and the weights afterwards."""
        out = self.run(*self.launcher, self.executable, "fit", *self.inputs(), *self.targets(), *self.weights_of_samples(),
                       "--batch-size", self.case.batch, "--epochs", epochs or self.case.epochs,
                       f"--shuffle={shuffle}", "--threads", self.threads,
                       "--save", self.work / save, "--json", *flags)
        return json_lines(out), safetensors.read(self.work / save)

    def clean(self):
        shutil.rmtree(self.work, ignore_errors=True)


def shorten(command):
    return " ".join(pathlib.Path(c).name if "/" in c else c for c in command[:4])


def json_lines(text):
    lines = [l for l in text.splitlines() if l.startswith("{")]
    if not lines:
        raise Failure(f"no JSON line in: {text[:200]!r}")
    return [json.loads(l) for l in lines]


# --- the comparisons: each returns the list of what is wrong ------------------------


def compare_array(what, got, want, tolerance, floor=0.0):
    """`tolerance` is a share of the largest magnitude of `want`."""
    if got.shape != want.shape:
        return [f"{what}: shape {got.shape} instead of {want.shape}"]
    if want.size == 0:
        return []
    if (np.isnan(got) != np.isnan(want)).any():
        return [f"{what}: {np.isnan(got).sum()} NaN instead of {np.isnan(want).sum()}"]
    got, want = np.nan_to_num(got.astype("float64")), np.nan_to_num(want.astype("float64"))
    error, largest = np.abs(got - want), np.abs(want).max()
    if error.max() <= tolerance * largest + floor:
        return []
    worst = np.unravel_index(error.argmax(), error.shape)
    where = "[" + ", ".join(str(int(i)) for i in worst) + "]"
    return [f"{what}: {got[worst]:.7g} instead of {want[worst]:.7g} at {where}, "
            f"error {error.max() / max(largest, 1e-30):.1e} of the largest magnitude, "
            f"{(error > tolerance * largest + floor).mean():.0%} of the values are off"]


def compare_logs(what, got, want, spread=None):
    """Loss and metrics to 1e-4, or to twice the spread of those that have one."""
    failures = []
    for name, value in want.items():
        if name not in got:
            failures.append(f"{what}: no '{name}' among {sorted(got)}")
            continue
        number = np.nan if got[name] is None else float(got[name])  # JSON has no NaN
        if np.isnan(value) != np.isnan(number) or abs(number - value) > max(
                1e-4 * abs(value), 2 * (spread or {}).get(name, 0)) + 1e-6:
            failures.append(f"{what} {name}: {number:.7g} instead of {value:.7g}")
    return failures


def compare_weights(before, after, got, tolerance):
    """The change of each variable, as a share of its largest change. Below that
    stand two floors: the spacing of the dtype at the variable's size, and a
    millionth of the largest change of all (gradients that cancel to zero)."""
    failures, floor = [], floors(before, after)
    for name, value in after.items():
        if name not in got:
            failures.append(f"no variable '{name}' among {sorted(got)[:8]}")
            continue
        if got[name].shape != value.shape:
            failures.append(f"{name}: shape {got[name].shape} instead of {value.shape}")
            continue
        failures += compare_array(f"change of {name}", got[name] - before[name], value - before[name], tolerance, floor[name])
    return failures


def floors(before, after):
    overall = max((np.abs(after[n] - before[n]).max(initial=0) for n in after), default=0)
    spacing = lambda name: 1e-15 if before[name].dtype == "float64" else 3e-7
    return {n: spacing(n) * np.abs(v).max(initial=0) + 1e-6 * overall for n, v in after.items()}


def amplification(before, after, truth):
    """How far Keras with rounding errors is from Keras without: the worst variable's
    error as a share of its change. Which variable that is, is chance: where rounding turns
    one ReLU off, say."""
    floor, worst = floors(before, truth), 0
    for name, value in truth.items():
        error = np.abs(after[name] - value).max(initial=0) - floor[name]
        if error > 0:
            worst = max(worst, error / np.abs(value - before[name]).max())
    return worst


def arrays(folder, prefix):
    """What the reference in a folder holds under a prefix."""
    expected = np.load(folder / "expected.npz")
    return {n[len(prefix):]: expected[n] for n in expected.files if n.startswith(prefix)}


def check(program):
    """All comparisons of a case; the list of what is wrong."""
    case = program.case
    if not case.exact or case.script:
        return check_precision(program, case.tolerance, case.change_tolerance)
    double = program.sibling("float64")
    failures = check_precision(program, case.tolerance, case.change_tolerance, double.reference)
    return failures + [f"float64: {f}" for f in check_precision(double, 1e-9, 1e-6)]


def check_precision(program, tolerance, change_tolerance, truth=None):
    """The comparisons in one precision. `truth` is the folder of what Keras computes
    in float64: then outputs and weights are compared with that, and weights may be
    off by twice what Keras's are, in float32 or for inputs with rounding errors."""
    case, logs = program.case, program.description["logs"]
    failures = []

    def attempt(step):
        try:
            failures.extend(step())
        except Failure as failure:
            failures.append(str(failure))

    try:
        program.compile()
    except Failure as failure:
        return [str(failure)]
    if case.script:
        attempt(lambda: case.script(program))
        return failures

    def predict():
        wrong, expected = [], arrays(truth or program.reference, "output")
        for name, got, i in zip(program.description["outputs"], program.predict(), range(99)):
            wrong += compare_array(f"output {name}", got, expected[str(i)], tolerance)
        return wrong

    def fit():
        flags = []
        if case.class_weight:
            flags += ["--class-weight", ",".join(f"{c}={w}" for c, w in case.class_weight.items())]
        if case.validation == "set":
            flags += [*program.data("--validation-input", "inputs", program.description["inputs"]),
                      *program.data("--validation-target", "targets", program.description["targets"])]
        elif case.validation:
            flags += ["--validation-split", case.validation]
        epochs, weights = program.fit(*flags)
        wrong = []
        if len(epochs) != len(logs["fit"]):
            wrong.append(f"fit: {len(epochs)} lines instead of {len(logs['fit'])}")
        nearby = sorted(program.reference.glob("nearby*"))
        for i, (got, want) in enumerate(zip(epochs, logs["fit"])):
            others = [json.loads((folder / "case.json").read_text())["logs"]["fit"][i] for folder in nearby]
            spread = {n: max(abs(o[n] - v) for o in others) for n, v in want.items()} if others else {}
            wrong += compare_logs(f"fit, epoch {i + 1},", got, want, spread)
        before, after = arrays(program.reference, "before/"), arrays(program.reference, "after/")
        if truth is None:
            return wrong + compare_weights(before, after, weights, change_tolerance)
        exact = arrays(truth, "after/")
        rounded = [after] + [arrays(folder, "after/") for folder in nearby]
        share = max(change_tolerance, *(2 * amplification(before, r, exact) for r in rounded))
        return wrong + compare_weights(before, exact, weights, share)

    if "predict" in case.checks:
        attempt(predict)
    if "evaluate" in case.checks:
        attempt(lambda: compare_logs("evaluate", program.evaluate(), logs["evaluate"]))
    if "fit" in case.checks:
        attempt(fit)
    return failures
