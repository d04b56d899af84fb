"""Writes the files of this example: the images and labels of UCI's digits
(scikit-learn ships them) as training and test part, and the network as JSON.

    .venv/bin/python test/examples/digits/make.py

The split is fixed: every fifth image is for testing.
"""
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import json

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).parent


def data():
    digits = load_digits()
    images = digits.images.astype("uint8")[..., None]  # 1797 x 8 x 8 x 1, 0..16
    labels = digits.target.astype("uint8")
    test = np.arange(len(labels)) % 5 == 4
    return images[~test], labels[~test], images[test], labels[test]


def network():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    x_train, y_train, x_test, y_test = data()
    for name, array in [("x_train", x_train), ("y_train", y_train), ("x_test", x_test), ("y_test", y_test)]:
        np.save(HERE / f"{name}.npy", array)
    # The same test images for eyes and for awk: a line each, 64 numbers and the label.
    lines = [",".join(map(str, [*image.ravel(), label])) for image, label in zip(x_test, y_test)]
    (HERE / "test.csv").write_text("\n".join(lines) + "\n")
    (HERE / "digits.json").write_text(json.dumps(json.loads(network().to_json()), indent=1) + "\n")
