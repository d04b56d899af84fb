"""Shared layers, nested models, several inputs and outputs, odd graphs."""
from registry import case, compiled, keras, layers


def _shared_layer():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, activation="tanh", name="shared")
    return compiled(keras.Model([a, b], layers.Concatenate()([shared(a), shared(b)])))


def _shared_in_turn():
    inputs = keras.Input((4,), name="x0")
    shared = layers.Dense(4, activation="tanh", name="shared")
    return compiled(keras.Model(inputs, shared(shared(shared(inputs)))))


def _siamese():
    towers = keras.Sequential([keras.Input((6, 5, 1)), layers.Conv2D(3, 3, activation="relu"), layers.Flatten(),
                               layers.Dense(4)], name="tower")
    a, b = keras.Input((6, 5, 1), name="left"), keras.Input((6, 5, 1), name="right")
    return compiled(keras.Model([a, b], layers.Dot(axes=1, normalize=True)([towers(a), towers(b)])))


def _nested_functional():
    inner_in = keras.Input((5,), name="inner_in")
    inner = keras.Model(inner_in, layers.Dense(3, name="d")(layers.Dense(4, activation="relu", name="c")(inner_in)), name="sub")
    inputs = keras.Input((5,), name="x0")
    return compiled(keras.Model(inputs, layers.Dense(2)(inner(inputs))))


def _nested_sequential():
    """Two nested models whose layers have the same names."""
    make = lambda name: keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh", name="dense")], name=name)
    inputs = keras.Input((4,), name="x0")
    return compiled(keras.Model(inputs, layers.Dense(2)(make("second")(make("first")(inputs)))))


def _nested_twice():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh")], name="inner")
    middle = keras.Sequential([keras.Input((4,)), inner, layers.Dense(4, name="tail")], name="middle")
    return compiled(keras.Sequential([keras.Input((4,), name="x0"), middle, layers.Dense(3)]))


def _nested_many_ports():
    a, b = keras.Input((3,), name="p"), keras.Input((4,), name="q")
    left, right = layers.Dense(5, name="l")(a), layers.Dense(5, name="r")(b)
    inner = keras.Model([a, b], [layers.Add()([left, right]), layers.Multiply()([left, right])], name="ports")
    x, y = keras.Input((3,), name="x0"), keras.Input((4,), name="x1")
    total, product = inner([x, y])
    return compiled(keras.Model([x, y], [layers.Dense(2, name="first")(total), layers.Dense(3, name="last")(product)]), metrics=[])


def _dict_inputs():
    a, b = keras.Input((3,), name="alpha"), keras.Input((4,), name="beta")
    return compiled(keras.Model({"beta": b, "alpha": a}, layers.Dense(2)(layers.Concatenate()([a, b]))))


def _dict_outputs():
    inputs = keras.Input((3,), name="x0")
    x = layers.Dense(4, activation="tanh")(inputs)
    outputs = {"second": layers.Dense(2, name="two")(x), "first": layers.Dense(3, name="one")(x)}
    return compiled(keras.Model(inputs, outputs), loss={"first": "mse", "second": "mae"}, metrics=[])


def _intermediate_output():
    inputs = keras.Input((5,), name="x0")
    x = layers.Dense(4, activation="relu", name="features")(inputs)
    return compiled(keras.Model(inputs, [x, layers.Dense(2, name="head")(x)]), metrics=[])


def _diamond():
    inputs = keras.Input((6, 5, 3), name="x0")
    x = layers.Conv2D(4, 1)(inputs)
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.MaxPooling2D(3, 1, padding="same")(x)
    c = layers.AveragePooling2D(2, 1, padding="same")(x)
    x = layers.Concatenate()([a, b, c, x])
    return compiled(keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))


def _mixed_inputs():
    image, tokens = keras.Input((6, 6, 1), name="image"), keras.Input((4,), dtype="int32", name="tokens")
    x = layers.Flatten()(layers.Conv2D(2, 3)(image))
    y = layers.Flatten()(layers.Embedding(9, 3)(tokens))
    return compiled(keras.Model([image, tokens], layers.Dense(2)(layers.Concatenate()([x, y]))))


def _input_is_output():
    inputs = keras.Input((4,), name="x0")
    return compiled(keras.Model(inputs, [inputs, layers.Dense(3, name="y")(inputs)]), loss=[None, "mse"], metrics=[])


def _autoencoder():
    return compiled(keras.Sequential([
        keras.Input((8, 8, 1), name="x0"),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
    ]))


def _unet():
    inputs = keras.Input((8, 8, 2), name="x0")
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    b = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    c = layers.Concatenate()([layers.UpSampling2D()(b), a])
    return compiled(keras.Model(inputs, layers.Conv2D(2, 1)(c)))


def _odd_names():
    inputs = keras.Input((4,), name="x0")
    x = layers.Dense(3, name="block1.conv-2")(inputs)
    return compiled(keras.Model(inputs, layers.Dense(2, name="If")(x), name="model-1.0"))


def _channels_first_net():
    first = dict(data_format="channels_first")
    return compiled(keras.Sequential([
        keras.Input((2, 9, 8), name="x0"),
        layers.Conv2D(4, 3, padding="same", activation="relu", **first),
        layers.BatchNormalization(axis=1),
        layers.MaxPooling2D(2, **first),
        layers.Conv2D(5, 3, **first),
        layers.GlobalAveragePooling2D(**first),
        layers.Dense(3),
    ]))


for build in [_shared_layer, _shared_in_turn, _siamese, _nested_functional, _nested_sequential, _nested_twice,
              _nested_many_ports, _dict_inputs, _intermediate_output, _diamond, _mixed_inputs,
              _input_is_output, _autoencoder, _unet, _odd_names]:
    case(f"graph{build.__name__}", build, upper=9)
case("graph_dict_outputs", _dict_outputs)
case("graph_channels_first", _channels_first_net, samples=8, batch=5)
