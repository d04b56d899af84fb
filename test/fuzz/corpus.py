"""Writes a corpus for archive_fuzzer: small models in every form.

    python3 corpus.py OUT_DIR
"""
import json
import pathlib
import struct
import sys
import zipfile

import h5py

MODEL = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [
    {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 3], "dtype": "float32", "name": "x"}},
    {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 2}}]},
    "compile_config": {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]}}


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(MODEL)

    def emit(name, data, form):
        (out / name).write_bytes(data + bytes([form]))

    weights = out / "w.h5"
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = [[1.0, 2.0]] * 3
        file["layers/dense/vars/1"] = [0.0, 1.0]
    h5 = weights.read_bytes()
    legacy = out / "l.h5"
    with h5py.File(legacy, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": MODEL["config"]})
        file.attrs["training_config"] = json.dumps(MODEL["compile_config"])
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        group.create_group("dense").attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/dense/kernel:0"] = [[1.0, 2.0]] * 3
        group["dense/dense/bias:0"] = [0.0, 1.0]
    old = legacy.read_bytes()
    for kind, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
        path = out / "m.zip"
        with zipfile.ZipFile(path, "w", method) as z:
            z.writestr("metadata.json", '{"keras_version": "3.15.1"}')
            z.writestr("config.json", text)
            z.writestr("model.weights.h5", h5)
        emit(f"{kind}.keras", path.read_bytes(), 0)
        path.unlink()
    weights.unlink()
    legacy.unlink()
    emit("m.json", text.encode(), 1)
    emit("legacy.h5", old, 2)
    header = json.dumps({"dense/kernel": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}}).encode()
    emit("w.safetensors", struct.pack("<Q", len(header)) + header + bytes(24), 3)
    emit("w.weights.h5", h5, 4)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
