"""The forms of a model on disk, each with three models."""
from registry import case, compiled, keras, layers


def mlp():
    return compiled(keras.Sequential([keras.Input((6,), name="x0"), layers.Dense(5, activation="relu"), layers.Dense(3)],
                                     name="mlp"), optimizer=keras.optimizers.Adam(0.01))


def image():
    inputs = keras.Input((7, 6, 2), name="x0")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.Add()([x, layers.Conv2D(4, 3)(layers.ReLU()(inputs))])
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)), name="image"))


def sequence():
    inputs = keras.Input((5,), dtype="int32", name="x0")
    x = layers.Embedding(9, 4)(inputs)
    x, state = layers.GRU(3, return_sequences=True, return_state=True)(x)
    x = layers.LSTM(3)(x)
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([x, state])), name="sequence"))


def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization()], name="inner")
    inputs = keras.Input((4,), name="x0")
    return compiled(keras.Model(inputs, layers.Dense(2)(inner(inner(inputs))), name="nested"))


def wrapped():
    inputs = keras.Input((5, 3), name="x0")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)), name="wrapped"))


for form in ("keras", "deflated", "unzipped", "json_weights", "json_safetensors", "h5"):
    for build in (mlp, image, sequence, nested, wrapped):
        case(f"file_{form}_{build.__name__}", build, form=form, upper=9, samples=8, batch=5, idle=("key/bias",))
for build in (mlp, image, sequence):
    case(f"file_keras2_h5_{build.__name__}", build, form="keras2_h5", upper=9, samples=8, batch=5)


def _optimizer_h5():
    return compiled(keras.Sequential([keras.Input((6,), name="x0"), layers.Dense(3)], name="mlp"),
                    optimizer=keras.optimizers.Adam(0.01))


case("file_h5_continues", _optimizer_h5, form="h5", warm_up=2)
