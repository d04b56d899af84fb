#!/usr/bin/env python3
"""What all peers of a model share: its data, Keras's answers, and its cost.

    facts.py MODEL.keras FOLDER BATCH ...

writes FOLDER/bBATCH.npz with the arrays `input:NAME`, `target` and `answer`
(Keras's outputs on JAX), and FOLDER/facts.json: the cost of one call for each
"MODE BATCH".
"""
import json
import os
import pathlib
import sys

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")


def inputs(model, batch):
    """Random inputs by name; indices stay below the input_dim of their Embedding."""
    import keras
    import numpy as np

    rng, arrays = np.random.default_rng(0), {}
    for tensor in model.inputs:
        shape = (batch, *tensor.shape[1:])
        if "int" in str(tensor.dtype):
            readers = [l for l in model._flatten_layers() if isinstance(l, keras.layers.Embedding)
                       and any(t is tensor for node in l._inbound_nodes for t in node.input_tensors)]
            below = min((l.input_dim for l in readers), default=2)
            arrays[tensor.name] = rng.integers(0, below, shape).astype(tensor.dtype)
        else:
            arrays[tensor.name] = rng.standard_normal(shape).astype(tensor.dtype)
    return arrays


def target(model, batch):
    import numpy as np

    rng, loss = np.random.default_rng(1), str(model.loss)
    shape = (batch, *model.outputs[0].shape[1:])
    if loss == "categorical_crossentropy":
        return np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
    if loss == "sparse_categorical_crossentropy":
        return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, shape).astype("float32")
    return rng.standard_normal(shape).astype("float32")


def main():
    import keras
    import numpy as np

    import flops

    model, folder = keras.models.load_model(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for batch in map(int, sys.argv[3:]):
        x, y = inputs(model, batch), target(model, batch)
        values = list(x.values()) if len(x) > 1 else next(iter(x.values()))
        answer = keras.ops.convert_to_numpy(model(values, training=False))
        np.savez(folder / f"b{batch}.npz", target=y, answer=answer, **{f"input:{n}": a for n, a in x.items()})
        facts[f"infer {batch}"] = flops.infer(model, values)
        facts[f"train {batch}"] = flops.train(model, values, y)
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
