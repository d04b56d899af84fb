"""Models of the reference models' kinds that no code was written for.

The ten of models.py are what Cornu was measured on as it grew; these say whether others of their kinds do as well.
torch has no networks for them.
"""


def _compile(model, optimizer="adam", loss="categorical_crossentropy"):
    model.compile(loss=loss, optimizer=optimizer, metrics=["mae" if loss == "mse" else "accuracy"])
    return model


def unet():
    """Three levels with skips, for masks of 64 x 64."""
    import keras
    from keras import layers

    def twice(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    inputs = x = keras.Input((64, 64, 3))
    skips = []
    for filters in (16, 32, 64):
        x = twice(x, filters)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(128, 3, padding="same", activation="relu")(x)
    for filters in (64, 32, 16):
        x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same")(x)
        x = twice(layers.Concatenate()([x, skips.pop()]), filters)
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(x)
    return _compile(keras.Model(inputs, outputs, name="unet"), loss="binary_crossentropy")


def densenet():
    """Three dense blocks of four layers, each of which adds 12 features."""
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(24, 3, padding="same", use_bias=False)(inputs)
    for block in range(3):
        for _ in range(4):
            y = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.Concatenate()([x, layers.Conv2D(12, 3, padding="same", use_bias=False)(y)])
        if block < 2:
            x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.AveragePooling2D(2)(layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return _compile(keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="densenet"), "sgd")


def conv1d():
    """Dilated convolutions over 500 steps of 8 sensors."""
    import keras
    from keras import layers

    inputs = x = keras.Input((500, 8))
    for filters, taps, dilation in ((64, 7, 1), (64, 5, 1), (128, 3, 2), (128, 3, 4)):
        x = layers.Conv1D(filters, taps, padding="same", dilation_rate=dilation)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        if dilation == 1:
            x = layers.MaxPooling1D(2)(x)
    x = layers.Dense(64, activation="relu")(layers.GlobalMaxPooling1D()(x))
    return _compile(keras.Model(inputs, layers.Dense(6, activation="softmax")(x), name="conv1d"))


def bilstm():
    """Two bidirectional LSTMs over 60 words."""
    import keras
    from keras import layers

    inputs = keras.Input((60,), dtype="int32")
    x = layers.Embedding(5000, 64)(inputs)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(64))(x)
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(x), name="bilstm")
    return _compile(model, loss="sparse_categorical_crossentropy")


def bigru():
    """A label for each of 100 frames of speech."""
    import keras
    from keras import layers

    inputs = keras.Input((100, 40))
    x = layers.Bidirectional(layers.GRU(96, return_sequences=True))(inputs)
    x = layers.Bidirectional(layers.GRU(96, return_sequences=True))(layers.LayerNormalization()(x))
    model = keras.Model(inputs, layers.Dense(30, activation="softmax")(x), name="bigru")
    return _compile(model, loss="sparse_categorical_crossentropy")


def wide():
    """A wide MLP of three inputs, one of them categories."""
    import keras
    from keras import layers

    few, many, categories = keras.Input((50,)), keras.Input((300,)), keras.Input((20,), dtype="int32")
    embedded = layers.Flatten()(layers.Embedding(1000, 16)(categories))
    x = layers.Concatenate()(
        [layers.Dense(128, activation="relu")(few), layers.Dense(256, activation="relu")(many), embedded])
    for units in (1024, 1024, 256):
        x = layers.Dropout(0.1)(layers.Dense(units, activation="gelu")(x))
    return _compile(keras.Model([few, many, categories], layers.Dense(3)(x), name="wide"), loss="mse")


def sepcnn():
    """Separable convolutions with residuals, as in Xception."""
    import keras
    from keras import layers

    inputs = keras.Input((96, 96, 3))
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters in (64, 128, 128):
        residual = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x)
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.Activation("swish")(layers.BatchNormalization()(x))
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(x))
        x = layers.Add()([x, residual])
    x = layers.GlobalAveragePooling2D()(x)
    return _compile(keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="sepcnn"))


def vgg():
    """Eight plain convolutions, for images of 64 x 64."""
    import keras
    from keras import layers

    inputs = x = keras.Input((64, 64, 3))
    for filters in (32, 64, 128, 256):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.5)(layers.Dense(256, activation="relu")(layers.Flatten()(x)))
    return _compile(keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="vgg"), "sgd")


def vit():
    """Four pre-norm encoder blocks over 64 patches."""
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.Reshape((64, 128))(layers.Conv2D(128, 4, strides=4)(inputs))
    for _ in range(4):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 32)(y, y)])
        y = layers.Dense(256, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(128)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return _compile(keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="vit"))


FURTHER = [unet, densenet, conv1d, bilstm, bigru, wide, sepcnn, vgg, vit]
