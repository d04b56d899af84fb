"""The ways a Keras model is written to disk, one function each.

A form writes the model into a folder and returns the arguments that name it on
Cornu's command line: `["model.json", "--weights=model.weights.h5"]`.
"""
import json
import zipfile

from names import variable_names


def keras_archive(model, folder):
    model.save(folder / "model.keras")
    return ["model.keras"]


def deflated(model, folder):
    """A .keras file whose members are compressed."""
    model.save(folder / "stored.keras")
    with zipfile.ZipFile(folder / "stored.keras") as old:
        with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    (folder / "stored.keras").unlink()
    return ["model.keras"]


def unzipped(model, folder):
    """A directory with the three members."""
    model.save(folder / "zipped.keras")
    with zipfile.ZipFile(folder / "zipped.keras") as archive:
        archive.extractall(folder / "model")
    (folder / "zipped.keras").unlink()
    return ["model"]


def json_weights(model, folder):
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "model.weights.h5")
    return ["model.json", "--weights=model.weights.h5"]


def json_safetensors(model, folder):
    (folder / "model.json").write_text(model.to_json())
    import numpy as np

    import safetensors

    safetensors.write(folder / "model.safetensors", {n: np.asarray(v) for n, v in variable_names(model)})
    return ["model.json", "--weights=model.safetensors"]


def json_alone(model, folder):
    (folder / "model.json").write_text(model.to_json())
    return ["model.json"]


def h5(model, folder):
    """Keras 3's legacy writer."""
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)
    model.save(folder / "model.h5")
    return ["model.h5"]


def keras2_h5(model, folder):
    """A file as Keras 2 wrote it, see keras2.py."""
    import keras2

    keras2.write(model, folder / "model.h5")
    return ["model.h5"]


FORMS = {
    "keras": keras_archive,
    "deflated": deflated,
    "unzipped": unzipped,
    "json_weights": json_weights,
    "json_safetensors": json_safetensors,
    "json": json_alone,
    "h5": h5,
    "keras2_h5": keras2_h5,
}


def write(model, folder, form):
    return FORMS[form](model, folder)
