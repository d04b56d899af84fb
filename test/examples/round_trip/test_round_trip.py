"""Trained weights go back into a .keras file, which Keras goes on to train."""
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import pytest
from conftest import DIGITS, TEST, run


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


def test_weights_that_do_not_fit(cornu, keras, digits, tmp_path):
    run(digits, "fit", *TEST, "--quiet", "--save", tmp_path / "w.safetensors")
    network(keras).save(tmp_path / "other.keras")
    result = run(cornu, "weights", tmp_path / "other.keras", f"--from={tmp_path}/w.safetensors", "-o", tmp_path / "out.keras", code=1)
    assert "error" in result.err and not (tmp_path / "out.keras").exists()
