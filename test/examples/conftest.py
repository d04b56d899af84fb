"""What the end-to-end tests share: running commands, and compiled examples."""
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "test/examples"
DIGITS = EXAMPLES / "digits"
CORNU = pathlib.Path(os.environ.get("CORNU", ROOT / "build/bin/cornu"))
sys.path.insert(0, str(ROOT / "test/conformance"))  # safetensors
sys.path.insert(0, str(EXAMPLES / "machine_code"))  # inner_loops, llvm_mca

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


class Result:
    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def json(self):
        """The JSON objects that stand on lines of their own."""
        return [json.loads(l) for l in self.out.splitlines() if l.startswith("{")]

    def __repr__(self):
        return f"{' '.join(self.command)}\n  exit code {self.code}\n  out: {self.out[-2000:]}\n  err: {self.err[-2000:]}"


def run(*command, code=0, timeout=120, cwd=None, memory=None, data_limit=None, env=None):
    """Runs a command and demands an exit code (None: any that is no crash).
    `memory` bounds the address space, `data_limit` what is not a mapped file."""
    command = [str(c) for c in command]

    def limit():
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if data_limit:
            resource.setrlimit(resource.RLIMIT_DATA, (data_limit, data_limit))

    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               cwd=cwd, env={**os.environ, **(env or {})}, preexec_fn=limit, start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"no answer within {timeout} s: {' '.join(command)}\n{err.decode(errors='replace')[-2000:]}")
    result = Result(command, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"),
                    time.monotonic() - start)
    if code is None:
        assert process.returncode in (0, 1), result
    else:
        assert process.returncode == code, result
    return result


def model_of(layers, shape):
    """The JSON of a Sequential model: layers as (class, its configuration), and the shape of a sample."""
    inputs = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, *shape], "dtype": "float32"}}
    layers = [{"class_name": kind, "config": {"name": f"layer{i}", **config}} for i, (kind, config) in enumerate(layers)]
    return json.dumps({"class_name": "Sequential", "config": {"name": "few", "layers": [inputs, *layers]}})


@pytest.fixture(scope="session")
def cornu():
    assert CORNU.exists(), f"{CORNU} is not there: build it first"
    return CORNU


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="session")
def digits(cornu, scratch):
    """The program of digits.json."""
    run(cornu, "compile", DIGITS / "digits.json", "-o", scratch / "digits")
    return scratch / "digits"


TRAIN = ["--input", DIGITS / "x_train.npy", "--target", DIGITS / "y_train.npy"]
TEST = ["--input", DIGITS / "x_test.npy", "--target", DIGITS / "y_test.npy"]
