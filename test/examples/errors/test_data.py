"""Mistakes on a compiled program's command line and in its data."""
import os
import re

import numpy as np
import pytest
from conftest import DIGITS, TEST, TRAIN, run

X, Y = np.load(DIGITS / "x_test.npy"), np.load(DIGITS / "y_test.npy")


def refuse(program, command, *flags, said=()):
    result = run(program, command, *flags, code=1, timeout=60)
    assert "error" in result.err and result.err.count("\n") <= 6, result
    for pattern in said:
        assert re.search(pattern, result.err), f"no {pattern!r} in {result}"
    return result


def saved(tmp_path, array, name="a.npy"):
    np.save(tmp_path / name, array)
    return tmp_path / name


@pytest.mark.parametrize("array", [X[..., 0].reshape(359, 64), X[:, :7], X[:, None], np.float32(3), X.astype("complex64"), X.astype("U2")])
def test_inputs_that_do_not_fit(digits, tmp_path, array):
    refuse(digits, "predict", "--input", saved(tmp_path, array), "--output", tmp_path / "p.npy", said=["a.npy"])
    assert not (tmp_path / "p.npy").exists()


def test_a_missing_trailing_axis_is_repaired(digits, tmp_path):
    run(digits, "predict", "--input", saved(tmp_path, X[..., 0]), "--output", tmp_path / "p.npy")


@pytest.mark.parametrize("label", [10, 200])
def test_labels_out_of_range(digits, tmp_path, label):
    bad = Y.copy()
    bad[123] = label
    said = [str(label), "123"]
    for command in ("evaluate", "fit"):
        refuse(digits, command, "--input", DIGITS / "x_test.npy", "--target", saved(tmp_path, bad), said=said)


def test_negative_labels(digits, tmp_path):
    bad = Y.astype("int64")
    bad[5] = -1
    refuse(digits, "fit", "--input", DIGITS / "x_test.npy", "--target", saved(tmp_path, bad), said=["-1"])


@pytest.fixture(scope="module", params=["int32", "float32"])
def tokens(request, cornu, scratch):
    """A program that looks up two ids of a sample in a table of ten rows."""
    import json

    config = {"class_name": "Sequential", "config": {"name": "tokens", "layers": [
        {"class_name": "InputLayer", "config": {"name": "ids", "batch_shape": [None, 2], "dtype": request.param}},
        {"class_name": "Embedding", "config": {"name": "table", "input_dim": 10, "output_dim": 3}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 1}}]}}
    (scratch / "tokens.json").write_text(json.dumps(config))
    program = scratch / f"tokens-{request.param}"
    run(cornu, "compile", scratch / "tokens.json", "--loss=mse", "--optimizer=sgd", "-o", program)
    return program


@pytest.mark.parametrize("token", [10, -1])
def test_tokens_out_of_range(tokens, tmp_path, token):
    """They name no row of the table: the result would be NaN."""
    ids = np.arange(10).reshape(5, 2)
    targets = ["--target", saved(tmp_path, np.zeros((5, 1), "float32"), "y.npy")]
    good = saved(tmp_path, ids, "good.npy")
    run(tokens, "predict", "--input", good, "--output", tmp_path / "p.npy")
    assert np.isfinite(np.load(tmp_path / "p.npy")).all()
    ids[3, 1] = token
    for dtype in ("int64", "float32"):
        bad = saved(tmp_path, ids.astype(dtype), "bad.npy")
        said = ["bad.npy", "row 3", rf"\b{abs(token)} is out of range", "from 0 to 9"]
        refuse(tokens, "predict", "--input", bad, "--output", tmp_path / "q.npy", said=said)
        for command in ("evaluate", "fit"):
            refuse(tokens, command, "--input", bad, *targets, said=said)
    assert "from 0 to 9" in run(tokens, "info").out
    run(tokens, "bench", "--min-seconds", 0, "--batch-size", 64)


def test_compressed_data_beyond_the_memory(digits, tmp_path):
    """A .npz of numpy.savez is read piece by piece, one of savez_compressed as a whole."""
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((2_000_000, 8, 8, 1), "uint8"))
    result = run(digits, "predict", "--input", tmp_path / "x.npz", "--output", tmp_path / "p.npy", code=1, data_limit=100_000_000)
    assert "x.npz" in result.err and "numpy.savez" in result.err and "--batch-size" not in result.err, result


def test_lengths_that_differ(digits, tmp_path):
    refuse(digits, "fit", "--input", DIGITS / "x_test.npy", "--target", saved(tmp_path, Y[:100]), said=["359", "100"])


def test_no_samples(digits, tmp_path):
    refuse(digits, "evaluate", "--input", saved(tmp_path, X[:0], "x.npy"), "--target", saved(tmp_path, Y[:0], "y.npy"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.99])
def test_truncated_data(digits, tmp_path, share):
    data = (DIGITS / "x_test.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(data[: int(share * len(data))])
    refuse(digits, "predict", "--input", tmp_path / "x.npy", "--output", tmp_path / "p.npy", said=["x.npy"])


def test_a_header_that_lies(digits, tmp_path):
    for shape in ["(4611686018427387904, 8, 8, 1)", "(-1, 8, 8, 1)", "(1e9, 8, 8, 1)", "(", "()", "(9999999, 8, 8, 1)"]:
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + X.tobytes())
        refuse(digits, "predict", "--input", tmp_path / "x.npy", "--output", tmp_path / "p.npy", said=["x.npy"])


@pytest.mark.parametrize("flags", [
    ["--epochs", "0.5"], ["--epochs", "-1"], ["--batch-size", "0"], ["--batch-size", "x"], ["--epoch", "3"],
    ["--validation-split", "1.5"], ["--shuffle=maybe"], ["--threads", "0"], ["--class-weight", "1:2:3"],
    ["--early-stopping", "patience=x"], ["--save", "twice", "--checkpoint", "twice"], ["--weights", "/nowhere.safetensors"], ["--resume", "/nowhere"],
])
def test_wrong_flags(digits, flags):
    refuse(digits, "fit", *TRAIN, *flags, "--quiet")


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e9", "soon"])
def test_absurd_seconds(digits, seconds):
    refuse(digits, "bench", "--min-seconds", seconds, said=["--min-seconds", re.escape(seconds)])


def test_no_seconds(digits):
    assert run(digits, "bench", "--min-seconds", "0", "--json").json()[0]["n_runs"] >= 1


def test_results_that_would_replace_the_data(digits, tmp_path):
    """Under whatever name, and before training."""
    x, y = saved(tmp_path, X, "x.npy"), saved(tmp_path, Y, "y.npy")
    (tmp_path / "l.csv").symlink_to(y)
    before = x.read_bytes(), y.read_bytes()
    refuse(digits, "predict", "--input", x, "--output", tmp_path / "." / "x.npy", said=["x.npy", "being read"])
    for flag, name in [("--save", "x.npy"), ("--checkpoint", "y.npy"), ("--log", "l.csv")]:
        refuse(digits, "fit", "--input", x, "--target", y, "--epochs", 1_000_000, "--quiet", flag, tmp_path / name,
               said=[name, "being read"])
    assert (x.read_bytes(), y.read_bytes()) == before


def test_weights_and_checkpoints_may_replace_themselves(digits, tmp_path):
    run(digits, "fit", *TRAIN, "--quiet", "--save", tmp_path / "w.safetensors", "--checkpoint", tmp_path / "c")
    run(digits, "fit", *TRAIN, "--quiet", "--weights", tmp_path / "w.safetensors", "--save", tmp_path / "w.safetensors")
    run(digits, "fit", *TRAIN, "--quiet", "--epochs", 2, "--resume", tmp_path / "c", "--checkpoint", tmp_path / "c")


def test_a_pipe_is_refused_at_once(digits, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refuse(digits, "predict", "--input", tmp_path / "pipe", said=["pipe", "regular file"])


def test_missing_flags(digits):
    refuse(digits, "fit", "--input", DIGITS / "x_test.npy", said=["--target"])
    refuse(digits, "predict", said=["--input"])
    run(digits, "dance", code=1)
    nothing = run(digits, code=1)
    assert "usage:" in nothing.err and nothing.out == ""
    run(digits, "--help")
    for command in ("info", "predict", "evaluate", "fit", "bench"):
        assert command in run(digits, command, "--help").out


def test_a_flag_is_suggested(digits):
    refuse(digits, "fit", *TRAIN, "--epoks", 3, said=["--epochs"])


def test_a_full_disk(digits, tmp_path):
    refuse(digits, "predict", "--input", DIGITS / "x_test.npy", "--output", "/dev/full")
    refuse(digits, "fit", *TRAIN, "--quiet", "--save", "/dev/full")


def test_weights_of_another_model(digits, tmp_path):
    import safetensors

    run(digits, "fit", *TRAIN, "--quiet", "--save", tmp_path / "w.safetensors")
    weights = safetensors.read(tmp_path / "w.safetensors")
    wrong = {n: (v[..., :-1] if n == "dense/kernel" else v) for n, v in weights.items()}
    safetensors.write(tmp_path / "wrong.safetensors", wrong)
    refuse(digits, "evaluate", *TEST, "--weights", tmp_path / "wrong.safetensors", said=["dense/kernel"])
    del weights["dense/kernel"]
    safetensors.write(tmp_path / "less.safetensors", weights)
    refuse(digits, "evaluate", *TEST, "--weights", tmp_path / "less.safetensors", said=["dense/kernel"])


def test_a_checkpoint_of_another_model_or_broken(digits, tmp_path):
    run(digits, "fit", *TRAIN, "--quiet", "--checkpoint", tmp_path / "c")
    data = (tmp_path / "c").read_bytes()
    for broken in (data[: len(data) // 2], b"", b"x" * len(data), data[:100]):
        (tmp_path / "broken").write_bytes(broken)
        refuse(digits, "fit", *TRAIN, "--quiet", "--epochs", 2, "--resume", tmp_path / "broken", said=["broken"])


@pytest.mark.parametrize("flag, name", [("--save", "w.safetensors"), ("--checkpoint", "c"), ("--log", "l.csv")])
def test_an_unwritable_folder_is_noticed_before_training(digits, flag, name):
    result = refuse(digits, "fit", *TRAIN, "--epochs", 1_000_000, "--quiet", flag, f"/no/such/folder/{name}",
                    said=["/no/such/folder", "check the path"])
    assert result.seconds < 10
