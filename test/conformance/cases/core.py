"""Dense, Activation and every activation function, Embedding, Rescaling."""
from registry import case, keras, layer, layers

ACTIVATIONS = """linear relu relu6 leaky_relu elu celu selu gelu silu hard_silu hard_sigmoid sigmoid tanh
exponential log_sigmoid softplus softsign softmax log_softmax sparsemax hard_tanh tanh_shrink soft_shrink
hard_shrink squareplus sparse_plus sparse_sigmoid mish threshold glu""".split()

for size, units in [(5, 3), (17, 33), (100, 1)]:
    layer(f"dense_{size}_{units}", (size,), lambda x, units=units: layers.Dense(units)(x))
layer("dense_no_bias", (9,), lambda x: layers.Dense(7, use_bias=False)(x))
layer("dense_rank_3", (5, 6), lambda x: layers.Dense(4, activation="tanh")(x))
layer("dense_rank_4", (3, 2, 7), lambda x: layers.Dense(5, activation="relu")(x))
layer("dense_activation_layer", (6,), lambda x: layers.Dense(5, activation=layers.LeakyReLU(0.1))(x))
layer("dense_batch_33", (20,), lambda x: layers.Dense(18, activation="relu")(x), samples=66, batch=33)
layer("dense_large", (257,), lambda x: layers.Dense(131)(x), samples=37, batch=32)

for name in ACTIVATIONS:
    # threshold needs arguments, so that a Dense cannot take it by name alone;
    # Keras declares a wrong shape for glu, so that nothing may follow it.
    if name in ("threshold", "glu"):
        continue
    shape = (4, 7) if name in ("softmax", "log_softmax", "sparsemax") else (13,)
    layer(f"activation_{name}", shape, lambda x, name=name: layers.Activation(name)(x),
          inputs={"x0": lambda rng, shape, scale=0.3 if name == "exponential" else 3: (
              scale * rng.standard_normal(shape)).astype("float32")})
for name in ("relu", "gelu", "softmax"):
    layer(f"dense_{name}", (11,), lambda x, name=name: layers.Dense(6, activation=name)(x))


def together(call):
    """All activations in one model: each behind a Dense of its own, so that a gradient shows."""
    names = [name for name in ACTIVATIONS if name not in ("threshold", "glu")]
    # Beside the others' values, those of an exponential would be all.
    return lambda x: layers.Concatenate()([call(name)(x * 0.3 if name == "exponential" else x) for name in names])


def function(name):
    """Of keras.activations, but for those that take no symbolic tensor there."""
    if name == "mish":
        return layers.Activation(name)
    return getattr(keras.ops if name in ("hard_silu", "sparsemax") else keras.activations, name)


# Each activation as a Dense's, and as a function.
layer("activations_of_dense", (9,), together(lambda name: layers.Dense(6, activation=name)))
layer("activations_as_functions", (9,), together(
    lambda name: lambda x: function(name)(layers.Dense(6)(x))))

# What takes arguments, with others than the defaults.
for name, call in {
    "relu": lambda a, x: a.relu(x, negative_slope=0.1, max_value=1.5, threshold=0.2),
    "leaky_relu": lambda a, x: a.leaky_relu(x, negative_slope=0.05),
    "elu": lambda a, x: a.elu(x, alpha=0.4),
    "celu": lambda a, x: a.celu(x, alpha=0.6),
    "gelu": lambda a, x: a.gelu(x, approximate=True),
    "soft_shrink": lambda a, x: a.soft_shrink(x, threshold=0.2),
    "hard_shrink": lambda a, x: a.hard_shrink(x, threshold=0.9),
    "squareplus": lambda a, x: a.squareplus(x, b=2),
    "softmax": lambda a, x: a.softmax(x, axis=1),
    "log_softmax": lambda a, x: a.log_softmax(x, axis=1),
    "sparsemax": lambda a, x: keras.ops.sparsemax(x, axis=1),
    "threshold": lambda a, x: a.threshold(x, 0.3, -0.5),
    "threshold_low": lambda a, x: a.threshold(x, -1.0, 0.0),
    "threshold_high": lambda a, x: a.threshold(x, 0.9, 2.0),
    "glu": lambda a, x: a.glu(x),
    "glu_axis": lambda a, x: a.glu(x, axis=1),
}.items():
    # No bias: a softmax over the rows does not see a column's.
    layer(f"activation_{name}_arguments", (4, 6),
          lambda x, call=call: call(keras.activations, layers.Dense(6, use_bias=False)(x)), front=False)
layer("activation_glu_vector", (10,), lambda x: keras.activations.glu(x))

layer("embedding_2d", (6,), lambda x: layers.Embedding(11, 5)(x), dtype="int32", upper=11)
layer("embedding_1", (1,), lambda x: layers.Flatten()(layers.Embedding(7, 3)(x)), dtype="int32", upper=7)
layer("embedding_repeats", (9,), lambda x: layers.Dense(2)(layers.Embedding(3, 4)(x)), dtype="int32", upper=3)


def with_a_valid_step(rng, shape):
    """Token numbers with zeros, that is masked steps, but none in the first step."""
    values = rng.integers(0, 5, shape).astype("int32")
    values[:, 0] = 1
    return values


layer("embedding_mask_pooling", (8,),
      lambda x: layers.GlobalAveragePooling1D()(layers.Embedding(5, 6, mask_zero=True)(x)),
      dtype="int32", inputs={"x0": with_a_valid_step})


layer("rescaling", (5,), lambda x: layers.Rescaling(1 / 16, offset=-0.5)(x))
layer("rescaling_scale", (4, 3), lambda x: layers.Rescaling(3.5)(x))
layer("rescaling_first", (7, 6, 1), lambda x: layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(x)), front=False,
      inputs={"x0": lambda rng, s: rng.integers(0, 256, s).astype("float32")})


def _relu_family():
    inputs = {"x0": lambda rng, s: (4 * rng.standard_normal(s)).astype("float32")}
    for name, make in {
        "relu": lambda: layers.ReLU(),
        "relu_max": lambda: layers.ReLU(max_value=6.0),
        "relu_all": lambda: layers.ReLU(max_value=3.0, negative_slope=0.1, threshold=0.5),
        "leaky_relu": lambda: layers.LeakyReLU(),
        "leaky_relu_slope": lambda: layers.LeakyReLU(negative_slope=0.05),
        "elu": lambda: layers.ELU(),
        "elu_alpha": lambda: layers.ELU(alpha=0.5),
        "prelu": lambda: layers.PReLU(),
        "softmax": lambda: layers.Softmax(),
    }.items():
        layer(f"layer_{name}", (5, 6), lambda x, make=make: make()(x), inputs=inputs)
    layer("layer_prelu_shared", (4, 5, 3), lambda x: layers.PReLU(shared_axes=[1, 2])(x), inputs=inputs)
    # A bias in front would shift a whole column, which a softmax does not see.
    layer("layer_softmax_axis", (5, 6), lambda x: layers.Softmax(axis=1)(layers.Dense(4, use_bias=False)(x)), front=False)
    layer("layer_softmax_image", (3, 4, 5), lambda x: layers.Softmax(axis=-1)(x), inputs=inputs)
    layer("layer_elu_image", (3, 4, 5), lambda x: layers.ELU(alpha=2.0)(x), inputs=inputs)
    layer("layer_leaky_relu_image", (3, 4, 5), lambda x: layers.LeakyReLU(0.2)(x), inputs=inputs)
    layer("layer_prelu_vector", (9,), lambda x: layers.PReLU()(x), inputs=inputs)


_relu_family()

layer("input_only_dense", (3,), lambda x: layers.Dense(2)(x), front=False)
layer("identity", (3, 4), lambda x: layers.Identity()(x))


def _sequential():
    from registry import compiled

    return compiled(keras.Sequential([keras.Input((8,), name="x0"), layers.Dense(6, activation="relu"), layers.Dense(3)]))


case("sequential", _sequential)
case("sequential_one_sample", _sequential, samples=1, batch=1)
case("sequential_large_batch", _sequential, samples=13, batch=64)
