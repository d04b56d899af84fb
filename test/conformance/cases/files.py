"""The forms of a model on disk, each with several models."""
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


def shared():
    """A layer and a nested model that are called twice, on each other's results."""
    inputs = keras.Input((4,), name="x0")
    dense = layers.Dense(4, activation="tanh")
    inner_in = keras.Input((4,))
    twice = layers.Dense(4, activation="tanh")
    inner = keras.Model(inner_in, layers.Add()([inner_in, layers.Dense(4)(twice(twice(inner_in)))]))
    x = dense(inner(dense(inputs)))
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([x, inner(x)])), name="shared"))


def common():
    """A layer of the model, and a nested model, that are of another nested model, too."""
    inputs = keras.Input((4,), name="x0")
    dense = layers.Dense(4, activation="tanh")
    block = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization()])
    inner_in = keras.Input((4,))
    inner = keras.Model(inner_in, layers.Add()([inner_in, block(layers.Dense(4)(dense(inner_in)))]))
    x = inner(block(dense(inputs)))
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([x, block(x)])), name="common"))


def steps():
    """Wrappers of models and of layers, of which one is shared."""
    inputs = keras.Input((5, 3), name="x0")
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization()])
    x = layers.TimeDistributed(inner)(inputs)
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="concat")
    x = both(both(x))
    x = layers.Bidirectional(layers.SimpleRNN(3))(x)
    return compiled(keras.Model(inputs, layers.Dense(2)(x), name="steps"))


for form in ("keras", "deflated", "unzipped", "json_weights", "json_safetensors", "h5"):
    for build in (mlp, image, sequence, nested, wrapped, shared, steps):
        case(f"file_{form}_{build.__name__}", build, form=form, upper=9, samples=8, batch=5, idle=("key/bias",))
# Keras writes in a .keras only that such layers are one, and reads that only if the outer use comes first.
for form in ("keras", "deflated", "unzipped"):
    case(f"file_{form}_common", common, form=form, samples=8, batch=5)
for build in (mlp, image, sequence, nested, wrapped, shared, steps):
    case(f"file_keras2_h5_{build.__name__}", build, form="keras2_h5", upper=9, samples=8, batch=5, idle=("key/bias",))


def _optimizer_h5():
    return compiled(keras.Sequential([keras.Input((6,), name="x0"), layers.Dense(3)], name="mlp"),
                    optimizer=keras.optimizers.Adam(0.01))


case("file_h5_continues", _optimizer_h5, form="h5", warm_up=2)
