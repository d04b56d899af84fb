"""Long training runs: interruptions, logs, early stopping, seeds."""
import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import DIGITS, TEST, TRAIN, run


def fit(program, *flags, **options):
    quiet = [] if "--json" in flags else ["--quiet"]
    return run(program, "fit", *TRAIN, *quiet, "--seed", 5, *flags, **options)


def test_a_resumed_run_equals_the_uninterrupted_one(digits, tmp_path):
    """With dropout, shuffling and Adam's slots: everything is in the checkpoint."""
    fit(digits, "--epochs", 4, "--save", tmp_path / "whole.safetensors")
    fit(digits, "--epochs", 2, "--checkpoint", tmp_path / "half")
    fit(digits, "--epochs", 4, "--resume", tmp_path / "half", "--save", tmp_path / "resumed.safetensors")
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "resumed.safetensors").read_bytes()


def interrupt(digits, folder):
    """Starts a long run and presses Ctrl-C in it; its exit code and the epochs it finished."""
    command = [digits, "fit", *TRAIN, "--epochs", 100000, "--seed", 5, "--json", "--checkpoint", folder / "interrupted"]
    # A script's background job, as a CI's may be, ignores the signal, and the program would, too.
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(0.7)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    return out.decode().count("\n")


def test_ctrl_c_writes_a_checkpoint(digits, tmp_path):
    interrupt(digits, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["interrupted"], "no half-written file stays behind"


def test_ctrl_c_in_an_epoch_loses_nothing(digits, tmp_path):
    epochs = 2 + interrupt(digits, tmp_path)
    rest = fit(digits, "--json", "--epochs", epochs, "--resume", tmp_path / "interrupted", "--save", tmp_path / "a.safetensors").json()
    whole = fit(digits, "--json", "--epochs", epochs, "--save", tmp_path / "b.safetensors").json()
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert rest[-1]["loss"] == whole[-1]["loss"]


def test_seeds(digits, tmp_path):
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        run(digits, "fit", *TRAIN, "--quiet", "--seed", seed, "--save", tmp_path / name)
    a, b, c = ((tmp_path / n).read_bytes() for n in "abc")
    assert a == b != c


def test_logs(digits, tmp_path):
    result = run(digits, "fit", *TRAIN, "--epochs", 3, "--json", "--validation-split", 0.2,
                 "--log", tmp_path / "log.csv")
    lines = result.json()
    rows = list(csv.DictReader(open(tmp_path / "log.csv")))
    assert len(rows) == len(lines) == 3
    for row, line in zip(rows, lines):
        assert set(row) >= {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
        for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert float(row[key]) == pytest.approx(line[key], rel=1e-5)
    run(digits, "fit", *TRAIN, "--epochs", 2, "--quiet", "--log", tmp_path / "log.jsonl")
    objects = [json.loads(l) for l in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(objects) == 2 and all("loss" in o for o in objects)


def test_early_stopping(digits):
    lines = run(digits, "fit", *TRAIN, "--epochs", 200, "--json", "--validation-split", 0.2,
                "--early-stopping", "monitor=val_loss,patience=2").json()
    assert 3 < len(lines) < 200
    losses = [l["val_loss"] for l in lines]
    assert losses.index(min(losses)) == len(losses) - 3


def test_validation_set_equals_evaluate(digits, tmp_path):
    (line,) = run(digits, "fit", *TRAIN, "--epochs", 1, "--json", "--save", tmp_path / "w.safetensors",
                  "--validation-input", DIGITS / "x_test.npy", "--validation-target", DIGITS / "y_test.npy").json()
    (logs,) = run(digits, "evaluate", *TEST, "--weights", tmp_path / "w.safetensors", "--json").json()
    assert line["val_loss"] == pytest.approx(logs["loss"], rel=1e-6)
    assert line["val_accuracy"] == pytest.approx(logs["accuracy"], rel=1e-6)


def test_training_goes_on_from_weights(digits, tmp_path):
    first = fit(digits, "--epochs", 3, "--save", tmp_path / "w.safetensors", "--json").json()
    more = fit(digits, "--epochs", 1, "--weights", tmp_path / "w.safetensors", "--json").json()
    assert more[0]["loss"] < first[0]["loss"] / 2


def train(cornu, folder, name, model, *flags):
    """Compiles and trains; the weights without their name, and the bytes of a step."""
    inputs = {"attention": (24, 8), "digits": (8, 8, 1)}[model.stem]
    random = np.random.default_rng(1)
    np.save(folder / "x.npy", random.normal(size=(64, *inputs)).astype("float32"))
    targets = random.normal(size=(64, 2)).astype("float32") if model.stem == "attention" else random.integers(0, 10, 64)
    np.save(folder / "y.npy", targets)
    report = run(cornu, "compile", model, "--batch=16", *flags, "--memory-report=json", "-o", folder / name).json()[0]
    run(folder / name, "fit", "--input", folder / "x.npy", "--target", folder / "y.npy", "--epochs", 2, "--batch-size", 16,
        "--seed", 3, "--quiet", "--save", folder / f"{name}.safetensors")
    content = (folder / f"{name}.safetensors").read_bytes()
    return content[8 + int.from_bytes(content[:8], "little"):], report["total_with_one_worker"]["train_step"]["16"]


@pytest.mark.parametrize("model,share", [(DIGITS / "digits.json", 0.95), (Path(__file__).parent / "attention.json", 0.55)])
def test_a_memory_budget(cornu, tmp_path, model, share):
    """What is not kept is computed again, to the same bits."""
    weights, bytes = train(cornu, tmp_path, "all", model)
    budget = int(share * bytes)
    again, less = train(cornu, tmp_path, "some", model, f"--memory-budget={budget}")
    assert again == weights and less <= budget
    same, most = train(cornu, tmp_path, "enough", model, "--memory-budget=1G")
    assert same == weights and most == bytes


@pytest.mark.parametrize("flags,words", [
    (["--memory-budget=1K", "--batch=16"], ["--memory-budget=1024", "16 samples", "at least", "--batch"]),
    (["--memory-budget=64M"], ["--batch=N"]),
    (["--memory-budget=much", "--batch=16"], ["much", "64M"]),
    (["--memory-budget=64M", "--batch=16", "--inference-only"], ["--inference-only"]),
])
def test_a_memory_budget_that_cannot_be(cornu, tmp_path, flags, words):
    result = run(cornu, "compile", DIGITS / "digits.json", *flags, "-o", tmp_path / "m", code=1)
    assert all(word in result.err for word in words), result.err
    assert not (tmp_path / "m").exists()


def test_data_larger_than_memory(cornu, tmp_path):
    """400 MB of samples, and 100 MB for all memory that is not a mapped file."""
    rows = 1_000_000
    np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype="float32", shape=(rows, 100)).flush()
    np.save(tmp_path / "y.npy", np.zeros((rows, 1), "float32"))
    model = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 100], "name": "x"}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 1}}]}}
    (tmp_path / "m.json").write_text(json.dumps(model))
    run(cornu, "compile", tmp_path / "m.json", "--loss=mse", "--optimizer=sgd", "-o", tmp_path / "m")
    (logs,) = run(tmp_path / "m", "evaluate", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--json",
                  "--batch-size", 1024, data_limit=100_000_000).json()
    assert logs["loss"] == 0
