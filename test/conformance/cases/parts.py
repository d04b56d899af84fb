"""What is concatenated or padded: parts that are computed in the whole, and those that cannot be."""
from registry import case, compiled, keras, layers


def parts(name, shape, call, dtypes=None):
    """A network of one input or of several; trained and predicted."""

    def model():
        shapes = shape if isinstance(shape, list) else [shape]
        inputs = [keras.Input(s, name=f"x{i}", dtype=(dtypes or {}).get(i)) for i, s in enumerate(shapes)]
        return compiled(keras.Model(inputs, call(*inputs)), optimizer=keras.optimizers.SGD(0.1, momentum=0.9), metrics=[])

    case(f"parts_{name}", model, samples=7, batch=3, epochs=2, checks=("predict", "fit"))


def conv(filters, kernel=3, **options):
    return layers.Conv2D(filters, kernel, **{"padding": "same", "activation": "tanh", **options})


def dense_block(x, growth, count, normalize=True):
    for _ in range(count):
        y = layers.ReLU()(layers.BatchNormalization()(x)) if normalize else x
        x = layers.Concatenate()([x, conv(growth)(y)])
    return x


def unet(x):
    skips = []
    for filters in (5, 8):
        x = conv(filters)(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = conv(11)(x)
    for filters in (8, 5):
        x = conv(filters)(layers.Concatenate()([layers.UpSampling2D(2)(x), skips.pop()]))
    return conv(1, 1, activation="sigmoid")(x)


def all_earlier(x):
    """Each layer reads all before it: a part of one whole is copied into the next."""
    found = [conv(3)(x)]
    for filters in (4, 5, 6):
        found.append(conv(filters)(layers.Concatenate()(found) if len(found) > 1 else found[0]))
    return layers.Concatenate()(found)


def twice(x):
    y = conv(4)(x)
    return conv(3)(layers.Concatenate()([y, y, conv(2)(y)]))


def with_input(x):
    return conv(3)(layers.Concatenate()([x, conv(4)(x)]))


def small_and_early(x, z):
    y = layers.Dense(3, activation="tanh")(z)
    x = layers.Flatten()(conv(9)(conv(8)(x)))
    return layers.Dense(4)(layers.Concatenate()([y, x]))


def changed_later(x):
    """What follows could write over the whole, or over a part, while the other is read."""
    y = conv(4)(x)
    whole = layers.Concatenate()([y, conv(4)(y)])
    changed = layers.Activation("tanh")(whole)
    return layers.Add()([changed, layers.Concatenate()([conv(4, 1)(y), layers.Activation("relu")(y)])])


def reshaped(x, ids):
    words = layers.Flatten()(layers.Embedding(5, 6)(ids))
    return layers.Dense(3)(layers.Concatenate()([layers.Dense(7, activation="relu")(x), words]))


def steps(x):
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    y = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    return layers.GRU(3, return_sequences=True)(layers.Concatenate()([x, y]))


def along_time(x):
    start = layers.LSTM(4, return_sequences=True)(x)
    return layers.Conv1D(3, 3)(layers.Concatenate(axis=1)([start, layers.Dense(4)(x)]))


def two_outputs(x):
    y = conv(4)(x)
    return [y, conv(2)(layers.Concatenate()([y, conv(3)(y)]))]


def padded(x):
    y = layers.ZeroPadding2D(((1, 2), (0, 3)))(conv(4)(x))
    return layers.Add()([y, layers.ZeroPadding2D(((2, 1), (3, 0)))(conv(4, 1)(x))])


def first(filters, kernel=3):
    return layers.Conv2D(filters, kernel, padding="same", activation="relu", data_format="channels_first")


parts("dense_block", (7, 9, 3), lambda x: layers.GlobalAveragePooling2D()(dense_block(x, 4, 4)))
parts("dense_block_wide", (5, 6, 16), lambda x: conv(24, 1)(dense_block(x, 16, 3)))
parts("dense_block_plain", (6, 5, 8), lambda x: layers.AveragePooling2D(2)(dense_block(conv(12)(x), 12, 3, normalize=False)))
parts("unet", (8, 12, 3), unet)
parts("all_earlier", (5, 7, 2), all_earlier)
parts("twice", (5, 7, 2), twice)
parts("with_input", (6, 6, 4), with_input)
parts("small_and_early", [(6, 5, 2), (4,)], small_and_early)
parts("changed_later", (6, 5, 3), changed_later)
parts("reshaped", [(5,), (3,)], reshaped, dtypes={1: "int32"})
parts("steps", (6, 3), steps)
parts("along_time", (6, 3), along_time)
parts("padded", (6, 5, 3), padded)
parts("channels_first", (3, 7, 6), lambda x: first(2, 1)(layers.Concatenate(axis=1)([first(4)(x), first(5, 5)(x)])))
parts("pooled", (8, 9, 3), lambda x: layers.Concatenate()(
    [conv(4)(x), layers.MaxPooling2D(3, strides=1, padding="same")(x), conv(3, 1)(layers.AveragePooling2D(3, 1, padding="same")(x))]))
parts("depthwise", (8, 9, 6), lambda x: conv(5, 1)(layers.Concatenate()(
    [layers.DepthwiseConv2D(3, padding="same")(x), layers.LayerNormalization()(conv(5)(x)), layers.Softmax()(conv(3)(x))])))
parts("strided", (8, 9, 6), lambda x: layers.Concatenate()(
    [conv(8, 3, strides=2)(x), layers.Cropping2D(((0, 0), (0, 1)))(layers.Conv2DTranspose(4, 3, strides=2, padding="same")(layers.MaxPooling2D(4, padding="same")(x))),
     layers.SeparableConv2D(3, 3, strides=2, padding="same")(x)]))
parts("two_outputs", (5, 6, 3), two_outputs)
