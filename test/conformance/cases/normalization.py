"""BatchNormalization and LayerNormalization, in training and inference.

A bias in front of either is subtracted again with the mean: it has no gradient.
"""
from registry import case, compiled, keras, layer, layers


def batch(name, shape, samples=8, batch=5, front=True, **options):
    layer(f"batch_normalization_{name}", shape, lambda x: layers.BatchNormalization(**options)(x),
          front, samples=samples, batch=batch, idle=("front0/bias",))


batch("vector", (6,))
batch("vector_input", (6,), front=False)
batch("image", (5, 4, 3))
batch("sequence", (7, 5))
batch("momentum", (4, 4, 3), momentum=0.7, epsilon=1e-2)
batch("no_scale", (5, 4, 3), scale=False)
batch("no_center", (5, 4, 3), center=False)
batch("neither", (3, 3, 4), scale=False, center=False)
batch("axis_1", (3, 5, 4), axis=1)
batch("wide", (3, 2, 65))


def _frozen():
    inputs = keras.Input((5, 4, 3), name="x0")
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    norm = layers.BatchNormalization(name="norm")
    x = norm(x)
    norm.trainable = False
    return compiled(keras.Model(inputs, x))


case("batch_normalization_frozen", _frozen)


def _conv_norm(activation, order):
    def build():
        inputs = keras.Input((7, 6, 3), name="x0")
        x = layers.Conv2D(6, 3, use_bias=order == "bias", padding="same")(inputs)
        x = layers.BatchNormalization()(x)
        x = layers.Activation(activation)(x)
        x = layers.DepthwiseConv2D(3, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return compiled(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))

    return build


case("conv_norm_relu", _conv_norm("relu", "no_bias"), samples=8, batch=5)
case("conv_bias_norm_gelu", _conv_norm("gelu", "bias"), samples=8, batch=5, idle=("conv2d/bias",))


def layer_norm(name, shape, **options):
    layer(f"layer_normalization_{name}", shape, lambda x: layers.LayerNormalization(**options)(x),
          idle=("front0/bias",))


layer_norm("vector", (9,))
layer_norm("sequence", (5, 7), epsilon=1e-6)
layer_norm("image", (4, 3, 5))
layer_norm("axis_1", (6, 5), axis=1)
layer_norm("two_axes", (4, 3, 5), axis=[-2, -1])
layer_norm("no_scale", (5, 7), scale=False)
layer_norm("no_center", (5, 7), center=False)
layer_norm("wide", (3, 130))
