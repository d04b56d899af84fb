#!/usr/bin/env python3
"""Writes a Keras model in the peers' formats, at a fixed batch size, once.

    peers/export.py MODEL.keras FOLDER KIND:BATCH ...      (kinds of one backend)

A format that fails leaves a file PATH.error with the reason in its place.
"""
import os
import pathlib
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from peers import Work, keras_model, unlist  # noqa: E402

# Kind: the file's ending, the Keras backend that writes it, Keras's name of the format.
KINDS = {
    "onnx": (".onnx", "tensorflow", "onnx"),
    "openvino": (".xml", "tensorflow", "openvino"),
    "tflite": (".tflite", "tensorflow", "litert"),
    "openvino-keras": (".keras.xml", "openvino", "openvino"),
    "stablehlo": (".stablehlo.mlir", "jax", None),
}


def path(work, kind):
    """The path of an exported model, which is made if it is not there; a
    RuntimeError says why it cannot be."""
    together(work.model, work.folder, [work.batch], [kind])
    file = _file(work.folder, work.batch, kind)
    if not file.exists():
        raise RuntimeError(_error(file).read_text())
    return str(file)


def together(model, folder, batches, kinds):
    """Exports what is missing, with one process for all kinds of a backend."""
    for backend in dict.fromkeys(KINDS[k][1] for k in kinds):
        missing = [(k, b) for b in batches for k in kinds if KINDS[k][1] == backend
                   and not _file(folder, b, k).exists() and not _error(_file(folder, b, k)).exists()]
        if not missing:
            continue
        command = [sys.executable, __file__, model, folder, *(f"{k}:{b}" for k, b in missing)]
        env = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
        for kind, batch in missing:
            file = _file(folder, batch, kind)
            if not file.exists() and not _error(file).exists():
                _error(file).write_text(f"export: exit code {done.returncode}: {' '.join(done.stderr[-300:].split())}")


def input_of(inputs, name, position):
    """The array for an exported model's input: converters keep names or order."""
    name = name.split(":")[0]
    if name not in inputs and position >= len(inputs):
        raise RuntimeError(f"the exported model has an input that the Keras model has not: {name}")
    return inputs[name] if name in inputs else list(inputs.values())[position]


def _file(folder, batch, kind):
    return pathlib.Path(folder) / f"b{batch}{KINDS[kind][0]}"


def _error(file):
    return file.with_name(file.name + ".error")


def _write(model, inputs, form, part):
    import keras

    if form is None:
        import jax
        from jax import export

        state = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
        call = jax.jit(lambda *x: model.stateless_call(*state, unlist(x), training=False)[0])
        part.write_text(export.export(call, platforms=["cpu"])(*inputs.values()).mlir_module())
        return
    signature = [keras.InputSpec(shape=a.shape, dtype=str(a.dtype), name=n) for n, a in inputs.items()]
    if len(signature) > 1:  # Keras's OpenVINO backend takes several inputs by name only
        signature = [dict(zip(inputs, signature)) if keras.backend.backend() == "openvino" else signature]
    options = {"opset_version": 17} if form == "onnx" else {}
    model.export(str(part), format=form, input_signature=signature, verbose=False, **options)
    if form == "onnx":
        _replace_erfc(part)


def _replace_erfc(part):
    """tf2onnx leaves TensorFlow's Erfc (of exact gelu), which ONNX does not have: 1 - Erf."""
    import numpy as np
    import onnx

    model, nodes = onnx.load(part), []
    for node in model.graph.node:
        if node.op_type == "Erfc":
            erf = node.output[0] + "_erf"
            nodes.append(onnx.helper.make_node("Erf", [node.input[0]], [erf]))
            nodes.append(onnx.helper.make_node("Sub", ["one_for_erfc", erf], [node.output[0]]))
        else:
            nodes.append(node)
    if any("one_for_erfc" in n.input for n in nodes):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1), "one_for_erfc"))
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.save(model, part)


def main():
    import keras

    source, folder = map(pathlib.Path, sys.argv[1:3])
    for kind, batch in (text.split(":") for text in sys.argv[3:]):
        work, file = Work(source, folder, "infer", int(batch)), _file(folder, batch, kind)
        part = file.with_name(f"part-{os.getpid()}-{file.name}")
        try:
            # The OpenVINO backend has no optimizers.
            model = keras.models.load_model(source, compile=False) if kind == "openvino-keras" else keras_model(work)
            _write(model, work.data()[0], KINDS[kind][2], part)
            if part.with_suffix(".bin").exists():  # OpenVINO's weights
                part.with_suffix(".bin").rename(file.with_suffix(".bin"))
            part.rename(file)
        except Exception as error:
            _error(file).write_text(f"export: {type(error).__name__}: {' '.join(str(error).split())[:300]}")


if __name__ == "__main__":
    main()
