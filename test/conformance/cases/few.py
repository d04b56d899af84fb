"""Few channels and few filters: lanes run through neighbouring pixels, or along the reduction."""
from registry import case, compiled, keras, layers


def few(name, *stack, shape=(13, 18), channels=(1, 3, 5), **options):
    """The layers on images of few channels, whose number each is told; trained and predicted."""

    def model(count):
        inputs = keras.Input((*shape, count), name="x0")
        x = inputs
        for make in stack:
            x = make(count)(x)
        return compiled(keras.Model(inputs, x), optimizer=keras.optimizers.SGD(0.1, momentum=0.9), **options)

    for count in channels:
        case(f"few_{name}_{count}", lambda count=count: model(count), samples=7, batch=3, epochs=2, checks=("predict", "fit"))


def conv(kernel=3, filters=None, **options):
    return lambda count: layers.Conv2D(filters or count, kernel, **{"padding": "same", **options})


few("max", conv(), lambda _: layers.MaxPooling2D(2))
few("max_same", conv(), lambda _: layers.MaxPooling2D(3, strides=2, padding="same"))
few("average", conv(), lambda _: layers.AveragePooling2D(3, strides=1, padding="same"))
few("max1d", lambda count: layers.Conv1D(count, 3), lambda _: layers.MaxPooling1D(2), shape=(37,))
few("batch_norm", conv(), lambda _: layers.BatchNormalization(momentum=0.8), lambda _: layers.ReLU())
few("layer_norm", conv(), lambda _: layers.LayerNormalization(), conv(filters=2))
few("softmax", conv(activation="tanh"), lambda _: layers.Softmax(), channels=(1, 2, 3, 5, 8))
few("global", conv(), lambda _: layers.GlobalMaxPooling2D())
few("up", conv(), lambda _: layers.UpSampling2D(2), conv())
few("depthwise", lambda _: layers.DepthwiseConv2D(3, padding="same", activation="relu"), conv(1))
few("prelu", conv(), lambda _: layers.PReLU(shared_axes=[1, 2]))
few("decoder", conv(filters=32, activation="relu"), conv(activation="sigmoid"), shape=(9, 12), channels=(1, 2, 3, 4, 7))
few("decoder_wide", conv(filters=48, activation="relu"), conv(strides=2, activation="tanh"), shape=(7, 9), channels=(1, 3))
few("segments", conv(filters=64, activation="relu"), conv(1, activation="softmax"), shape=(6, 10), channels=(2, 3, 6))
few("gray", lambda _: layers.Rescaling(2.0), conv(5, padding="valid", activation="tanh"), shape=(11, 33))
few("transposed", conv(filters=32), lambda count: layers.Conv2DTranspose(count, 3, strides=2, padding="same"), shape=(6, 8))
few("conv1d", lambda _: layers.Conv1D(32, 3, padding="causal"), lambda count: layers.Conv1D(count, 3, padding="same", activation="relu"), shape=(29,))
few("dense", lambda count: layers.Dense(48, activation="tanh"), lambda count: layers.Dense(count, activation="sigmoid"), shape=(), channels=(1, 2, 3, 7))
