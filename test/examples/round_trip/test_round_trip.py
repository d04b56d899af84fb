"""Trained weights go back into a .keras file, which Keras goes on to train."""
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import pytest
from conftest import DIGITS, TEST, run

import safetensors


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def network(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(8, 3, use_bias=False)(layers.Rescaling(1 / 16)(inputs))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Bidirectional(layers.GRU(8))(layers.Reshape((36, 8))(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_there_and_back(cornu, keras, tmp_path):
    x, y = np.load(DIGITS / "x_train.npy")[:256], np.load(DIGITS / "y_train.npy")[:256]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    model = network(keras)
    model.save(tmp_path / "model.keras")
    run(cornu, "compile", tmp_path / "model.keras", "-o", tmp_path / "program")
    run(tmp_path / "program", "fit", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--epochs", 3,
        "--quiet", "--save", tmp_path / "trained.safetensors")
    run(cornu, "weights", tmp_path / "model.keras", f"--from={tmp_path}/trained.safetensors", "-o", tmp_path / "trained.keras")

    loaded = keras.models.load_model(tmp_path / "trained.keras")
    (logs,) = run(tmp_path / "program", "evaluate", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy",
                  "--weights", tmp_path / "trained.safetensors", "--json").json()
    ours = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert ours["loss"] == pytest.approx(logs["loss"], rel=1e-4)
    assert ours["accuracy"] == pytest.approx(logs["accuracy"], rel=1e-4)

    # Keras goes on, and what it writes can be compiled again.
    loaded.fit(x, y, epochs=1, verbose=0)
    loaded.save(tmp_path / "more.keras")
    run(cornu, "compile", tmp_path / "more.keras", "-o", tmp_path / "more")
    (again,) = run(tmp_path / "more", "evaluate", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--json").json()
    assert again["loss"] == pytest.approx(loaded.evaluate(x, y, verbose=0, return_dict=True)["loss"], rel=1e-4)


def test_from_a_json_file(cornu, keras, digits, tmp_path):
    run(digits, "fit", *TEST, "--epochs", 2, "--quiet", "--save", tmp_path / "w.safetensors")
    run(cornu, "weights", DIGITS / "digits.json", f"--from={tmp_path}/w.safetensors", "-o", tmp_path / "digits.keras")
    loaded = keras.models.load_model(tmp_path / "digits.keras")
    run(digits, "predict", "--input", DIGITS / "x_test.npy", "--weights", tmp_path / "w.safetensors", "--output", tmp_path / "p.npy")
    ours = loaded.predict(np.load(DIGITS / "x_test.npy"), verbose=0)
    assert np.abs(np.load(tmp_path / "p.npy") - ours).max() < 1e-5
    loaded.fit(np.load(DIGITS / "x_test.npy"), np.load(DIGITS / "y_test.npy"), verbose=0)


def test_layers_with_names_of_another_age(keras, cornu, tmp_path):
    """Keras stores what GroupQueryAttention calls query_dense under _query_dense."""
    inputs = keras.Input((5, 8), name="x")
    model = keras.Model(inputs, keras.layers.GroupQueryAttention(4, 4, 2)(inputs, inputs))
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    random = np.random.default_rng(3)
    x, y = (random.standard_normal((16, 5, 8)).astype("float32") for _ in range(2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    model.save(tmp_path / "model.keras")
    run(cornu, "compile", tmp_path / "model.keras", "-o", tmp_path / "program")
    run(tmp_path / "program", "fit", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--epochs", 2,
        "--quiet", "--shuffle", "false", "--save", tmp_path / "trained.safetensors")
    run(cornu, "weights", tmp_path / "model.keras", f"--from={tmp_path}/trained.safetensors", "-o", tmp_path / "trained.keras")
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for got, want in zip(keras.models.load_model(tmp_path / "trained.keras").get_weights(), model.get_weights()):
        np.testing.assert_allclose(got, want, atol=1e-5)


def wide(keras, tmp_path, units):
    inputs = keras.Input((64,), name="x")
    hidden = keras.layers.Dense(units, activation="tanh")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))
    (tmp_path / "wide.json").write_text(model.to_json())
    random = np.random.default_rng(4)
    np.save(tmp_path / "x.npy", random.standard_normal((64, 64)).astype("float32"))
    np.save(tmp_path / "y.npy", random.integers(0, 10, 64).astype("int32"))
    return tmp_path / "wide.json"


def test_weights_are_drawn_to_where_they_are_read(keras, cornu, tmp_path):
    """In panels, of which the last is narrower, in the program that only predicts."""
    model = wide(keras, tmp_path, units=88)
    outputs = []
    for name, flags in (("both", ("--optimizer=sgd", "--loss=sparse_categorical_crossentropy")), ("one", ("--inference-only",))):
        run(cornu, "compile", model, *flags, "-o", tmp_path / name)
        run(tmp_path / name, "predict", "--input", tmp_path / "x.npy", "--seed", 7, "--output", tmp_path / f"{name}.npy")
        outputs.append(np.load(tmp_path / f"{name}.npy"))
    np.testing.assert_allclose(*outputs, atol=1e-6)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="compares two x86 processors")
def test_another_machine_goes_on_with_a_checkpoint(keras, cornu, tmp_path):
    """Its weights lie in other panels; checkpoints are row-major."""
    model = wide(keras, tmp_path, units=128)
    for cpu in ("x86-64", "native"):
        run(cornu, "compile", model, "--optimizer=adam", "--loss=sparse_categorical_crossentropy", f"--mcpu={cpu}", "-o", tmp_path / cpu)
    fit = ("fit", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--quiet", "--seed", 5)
    run(tmp_path / "native", *fit, "--epochs", 4, "--save", tmp_path / "whole.safetensors")
    run(tmp_path / "x86-64", *fit, "--epochs", 2, "--checkpoint", tmp_path / "half")
    run(tmp_path / "native", *fit, "--epochs", 4, "--resume", tmp_path / "half", "--save", tmp_path / "resumed.safetensors")
    whole, resumed = (safetensors.read(tmp_path / f"{name}.safetensors") for name in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    for name in whole:
        np.testing.assert_allclose(resumed[name], whole[name], atol=1e-4, err_msg=name)


def test_weights_that_do_not_fit(cornu, keras, digits, tmp_path):
    run(digits, "fit", *TEST, "--quiet", "--save", tmp_path / "w.safetensors")
    network(keras).save(tmp_path / "other.keras")
    result = run(cornu, "weights", tmp_path / "other.keras", f"--from={tmp_path}/w.safetensors", "-o", tmp_path / "out.keras", code=1)
    assert "error" in result.err and not (tmp_path / "out.keras").exists()
