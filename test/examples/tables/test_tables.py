"""Linear and logistic regression on CSV files, from a JSON description."""
import json

import numpy as np
import pytest
from conftest import run


def network(path, inputs, units, activation, loss, optimizer, metrics):
    """Keras JSON by hand: what a person without Keras would write."""
    model = {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "regression", "layers": [
            {"module": "keras.layers", "class_name": "InputLayer",
             "config": {"batch_shape": [None, inputs], "dtype": "float32", "name": "features"}},
            {"module": "keras.layers", "class_name": "Dense",
             "config": {"name": "dense", "units": units, "activation": activation}},
        ]},
    }
    path.write_text(json.dumps(model))
    return [path, f"--optimizer={json.dumps(optimizer)}", f"--loss={loss}", f"--metrics={metrics}"]


def write_csv(path, header, rows):
    path.write_text(",".join(header) + "\n" + "".join(",".join(f"{v:.9g}" for v in row) + "\n" for row in rows))


def sgd(rate):
    return {"class_name": "SGD", "config": {"learning_rate": rate}}


def test_linear_regression(cornu, tmp_path):
    import safetensors

    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    y = 2 * x[:, :1] - 3 * x[:, 1:] + 1
    write_csv(tmp_path / "plane.csv", ["a", "b", "y"], np.hstack([x, y]))
    run(cornu, "compile", *network(tmp_path / "m.json", 2, 1, "linear", "mse", sgd(0.1), "mae"), "-o", tmp_path / "plane")
    logs = run(tmp_path / "plane", "fit", "--input", tmp_path / "plane.csv", "--target", f"{tmp_path}/plane.csv:y",
               "--epochs", 40, "--json", "--save", tmp_path / "plane.safetensors").json()
    assert len(logs) == 40 and logs[-1]["loss"] < 1e-6 < logs[0]["loss"]
    weights = safetensors.read(tmp_path / "plane.safetensors")
    assert np.allclose(weights["dense/kernel"].ravel(), [2, -3], atol=1e-3)
    assert np.allclose(weights["dense/bias"], [1], atol=1e-3)


def test_columns_by_name(cornu, tmp_path):
    """The features stand in another order, with a column that is not used."""
    rng = np.random.default_rng(1)
    a, b, other = rng.standard_normal((3, 50))
    write_csv(tmp_path / "t.csv", ["y", "b", "other", "a"], np.stack([a - b, b, other, a], 1))
    run(cornu, "compile", *network(tmp_path / "m.json", 2, 1, "linear", "mse", sgd(0.2), "mae"), "-o", tmp_path / "t")
    logs = run(tmp_path / "t", "fit", "--input", f"{tmp_path}/t.csv:a,b", "--target", f"{tmp_path}/t.csv:y",
               "--epochs", 60, "--json").json()
    assert logs[-1]["loss"] < 1e-6


def test_logistic_regression(cornu, tmp_path):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((300, 3))
    y = (x @ [1.0, -2.0, 0.5] > 0.2).astype(float)
    write_csv(tmp_path / "t.csv", ["u", "v", "w", "label"], np.column_stack([x, y]))
    run(cornu, "compile", *network(tmp_path / "m.json", 3, 1, "sigmoid", "binary_crossentropy",
                                   {"class_name": "Adam", "config": {"learning_rate": 0.05}}, "accuracy"), "-o", tmp_path / "t")
    data = ["--input", tmp_path / "t.csv", "--target", f"{tmp_path}/t.csv:label"]
    logs = run(tmp_path / "t", "fit", *data, "--epochs", 60, "--json", "--validation-split", 0.2).json()
    assert logs[-1]["val_accuracy"] > 0.95
    assert logs[-1]["val_loss"] < logs[0]["val_loss"]


def test_cells_that_are_no_numbers(cornu, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,3\n4,oops,6\n")
    run(cornu, "compile", *network(tmp_path / "m.json", 2, 1, "linear", "mse", sgd(0.1), "mae"), "-o", tmp_path / "t")
    result = run(tmp_path / "t", "fit", "--input", tmp_path / "t.csv", "--target", f"{tmp_path}/t.csv:y", code=1)
    assert "oops" in result.err and "3" in result.err, "the message names the cell and its line"
    result = run(tmp_path / "t", "fit", "--input", tmp_path / "t.csv", "--target", f"{tmp_path}/t.csv:z", code=1)
    assert "'z'" in result.err


def test_npz_and_idx(cornu, tmp_path):
    import struct

    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (40, 6)).astype("uint8")
    y = (x[:, :1] / 255 - x[:, 1:2] / 255).astype("float32")
    np.savez(tmp_path / "d.npz", x=x.astype("float32") / 255, y=y)
    np.savez_compressed(tmp_path / "c.npz", x=x.astype("float32") / 255, y=y)
    (tmp_path / "x.idx").write_bytes(struct.pack(">BBBBII", 0, 0, 0x08, 2, 40, 6) + x.tobytes())
    (tmp_path / "y.idx").write_bytes(struct.pack(">BBBBII", 0, 0, 0x0D, 2, 40, 1) + y.astype(">f4").tobytes())
    run(cornu, "compile", *network(tmp_path / "m.json", 6, 1, "linear", "mse", sgd(0.01), "mae"), "-o", tmp_path / "t")
    results = {}
    for name in ("d.npz", "c.npz"):
        results[name] = run(tmp_path / "t", "fit", "--input", f"{tmp_path}/{name}:x", "--target", f"{tmp_path}/{name}:y",
                            "--json", "--epochs", 3).json()[-1]["loss"]
    assert results["d.npz"] == results["c.npz"]
    assert run(tmp_path / "t", "evaluate", "--input", tmp_path / "x.idx", "--target", tmp_path / "y.idx", "--json").json()
