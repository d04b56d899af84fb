"""A key that a hand-written configuration leaves out has Keras's default.

Each layer is made by Keras with its required arguments, then written twice: as
Keras stores it, and with nothing but those arguments. Both must import alike."""
import inspect
import json
import re

import keras
import pytest
from conftest import ROOT, run
from keras import layers as L
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

# By class: the shapes of the inputs, and the required arguments.
ONE, IMAGE, VOLUME, STEPS = (6,), (9, 9, 4), (5, 5, 5, 2), (7, 4)
SPACES = {"1D": STEPS, "2D": IMAGE, "3D": VOLUME}
LAYERS = {
    "Dense": (ONE, {"units": 3}),
    "EinsumDense": (STEPS, {"equation": "abc,cd->abd", "output_shape": [7, 5]}),
    "Embedding": (ONE, {"input_dim": 9, "output_dim": 3}),
    "Activation": (ONE, {"activation": "relu"}),
    "Identity": (ONE, {}),
    "Masking": (STEPS, {}),
    "Flatten": (IMAGE, {}),
    "Reshape": (ONE, {"target_shape": [2, 3]}),
    "Permute": (STEPS, {"dims": [2, 1]}),
    "RepeatVector": (ONE, {"n": 3}),
    "BatchNormalization": (IMAGE, {}),
    "LayerNormalization": (STEPS, {}),
    "GroupNormalization": ((4, 64), {}),
    "RMSNormalization": (STEPS, {}),
    "UnitNormalization": (STEPS, {}),
    "Dropout": (ONE, {"rate": 0.5}),
    "AlphaDropout": (ONE, {"rate": 0.5}),
    "GaussianDropout": (ONE, {"rate": 0.5}),
    "GaussianNoise": (ONE, {"stddev": 0.5}),
    "ActivityRegularization": (ONE, {}),
    "Rescaling": (ONE, {"scale": 0.5}),
    "Normalization": (STEPS, {}),
    "Resizing": (IMAGE, {"height": 5, "width": 6}),
    "CenterCrop": (IMAGE, {"height": 5, "width": 6}),
    "CategoryEncoding": (ONE, {"num_tokens": 5}),
    "RandomFlip": (IMAGE, {}),
    "RandomRotation": (IMAGE, {"factor": 0.1}),
    "RandomZoom": (IMAGE, {"height_factor": 0.1}),
    "RandomContrast": (IMAGE, {"factor": 0.1}),
    "RandomBrightness": (IMAGE, {"factor": 0.1}),
    "RandomTranslation": (IMAGE, {"height_factor": 0.1, "width_factor": 0.1}),
    "LayerScale": (IMAGE, {"init_values": 0.1, "projection_dim": 4}),
    "StochasticDepth": (IMAGE, {"drop_path_rate": 0.5}),
    "CustomScaleLayer": ([ONE, ONE], {"scale": 0.5}),
    "Dot": ([ONE, ONE], {"axes": 1}),
    "MultiHeadAttention": ([STEPS, STEPS], {"num_heads": 2, "key_dim": 3}),
    "GroupQueryAttention": ([STEPS, STEPS], {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    "Attention": ([STEPS, STEPS], {}),
    "AdditiveAttention": ([STEPS, STEPS], {}),
    "RNN": (STEPS, {"cell": L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)])}),
    "Bidirectional": (STEPS, {"layer": L.LSTM(3)}),
    "TimeDistributed": (STEPS, {"layer": L.Dense(3)}),
}
LAYERS |= {name: (STEPS, {"units": 3}) for name in ("SimpleRNN", "LSTM", "GRU")}
for name in ("Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate"):
    LAYERS[name] = [ONE, ONE], {}
LAYERS |= {name: (IMAGE, {}) for name in ("ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")}
for rank, shape in SPACES.items():
    LAYERS |= {f"{name}{rank}": (shape, {"filters": 4, "kernel_size": 3}) for name in ("Conv", "SeparableConv")}
    LAYERS |= {
        f"Conv{rank}Transpose": (shape, {"filters": 4, "kernel_size": 3}),
        f"DepthwiseConv{rank}": (shape, {"kernel_size": 3}),
        f"AveragePooling{rank}": (shape, {"pool_size": 2}),
        f"SpatialDropout{rank}": (shape, {"rate": 0.5}),
    }
    for name in ("MaxPooling", "GlobalMaxPooling", "GlobalAveragePooling", "ZeroPadding", "Cropping", "UpSampling"):
        LAYERS[name + rank] = shape, {}
for name in ("SeparableConv3D", "DepthwiseConv3D"):  # Keras has none
    del LAYERS[name]
APPLICATIONS = {c.__name__: c for c in (LayerScale, StochasticDepth, CustomScaleLayer)}
REQUIRED = {name: set(arguments) for name, (_, arguments) in LAYERS.items()}
REQUIRED |= {"StackedRNNCells": {"cells"}, "LSTMCell": {"units"}, "GRUCell": {"units"}, "SimpleRNNCell": {"units"}}


def without_optional(node):
    """The same without what may be left out."""
    if isinstance(node, list):
        return [without_optional(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = REQUIRED.get(node.get("class_name"))
    if kept is None or "config" not in node:
        return {key: without_optional(value) for key, value in node.items()}
    config = {key: without_optional(value) for key, value in node["config"].items() if key in kept | {"name"}}
    outer = {key: value for key, value in node.items() if key in ("class_name", "name", "inbound_nodes")}
    return outer | {"config": config}


def stored(name):
    """A model of the layer, as Keras writes it."""
    shapes, arguments = LAYERS[name]
    layer = (APPLICATIONS.get(name) or getattr(L, name))(**arguments, name="layer")
    dtype = "int32" if name in ("Embedding", "CategoryEncoding") else "float32"
    if isinstance(shapes, tuple):  # not built, which is what takes time
        layers = [L.InputLayer(shape=shapes, dtype=dtype, name="x"), layer]
        layers = [keras.saving.serialize_keras_object(l) for l in layers]
        return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    inputs = [keras.Input(shape) for shape in shapes]
    outputs = layer(*inputs) if "query" in inspect.signature(layer.call).parameters else layer(inputs)
    return json.loads(keras.Model(inputs, outputs).to_json())


def imported(cornu, path, model):
    path.write_text(json.dumps(model))
    text = run(cornu, "compile", path, "--emit=nn", "-o", "-").out
    # What these initializers have by themselves.
    bounds = ["maxval = 5.000000e-02 : f64", "minval = -5.000000e-02 : f64"]
    for known in (", ".join(bounds), "gain = 1.000000e+00 : f64"):
        text = text.replace("config = {%s}" % known, "config = {}")
    return text


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_left_out_is_kerass_default(cornu, tmp_path, name):
    whole = stored(name)
    bare = without_optional(whole)
    assert bare != whole
    assert imported(cornu, tmp_path / "m.json", bare) == imported(cornu, tmp_path / "m.json", whole)


def test_every_layer_is_here():
    table = (ROOT / "README.md").read_text().partition("| family | layers |")[2].partition("\n\n")[0]
    known = set(re.findall(r"`(\w+)`", table))
    assert known - set(LAYERS) == {"Sequential", "Functional"} and len(known) > 90
