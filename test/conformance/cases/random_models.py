"""Random models: layers in combinations that nobody thought of. A seed is a
model; what fails can be run again by its name.
"""
import random

from registry import case, compiled, keras, layers

ACTIVATIONS = ["relu", "tanh", "gelu", "silu", "elu", "softplus", "sigmoid", "linear"]


def image_layer(rng, x):
    channels, small = x.shape[-1], min(x.shape[1], x.shape[2])
    kernel = rng.randint(1, min(3, small))
    padding = rng.choice(["same", "valid"])
    choices = [
        lambda: layers.Conv2D(rng.randint(1, 9), kernel, strides=rng.randint(1, 2), padding=padding,
                              use_bias=rng.random() < 0.7, activation=rng.choice(ACTIVATIONS))(x),
        lambda: layers.DepthwiseConv2D(kernel, padding=padding, activation=rng.choice(ACTIVATIONS))(x),
        lambda: layers.SeparableConv2D(rng.randint(2, 7), kernel, padding=padding)(x),
        lambda: layers.MaxPooling2D(2, padding="same")(x),
        lambda: layers.AveragePooling2D(2, strides=1, padding="same")(x),
        lambda: layers.BatchNormalization(momentum=0.9)(x),
        lambda: layers.LayerNormalization()(x),
        lambda: layers.Activation(rng.choice(ACTIVATIONS))(x),
        lambda: layers.ZeroPadding2D(((rng.randint(0, 2), 1), (0, rng.randint(0, 2))))(x),
        lambda: layers.Add()([x, layers.Conv2D(channels, 3, padding="same")(x)]),
        lambda: layers.Concatenate()([x, layers.Conv2D(3, 1, activation="relu")(x)]),
        lambda: layers.Multiply()([x, layers.Dense(channels, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))]),
    ]
    if small <= 6:
        choices += [lambda: layers.UpSampling2D(2)(x), lambda: layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)]
    return rng.choice(choices)()


def sequence_layer(rng, x):
    width = x.shape[-1]
    choices = [
        lambda: layers.Dense(rng.randint(2, 9), activation=rng.choice(ACTIVATIONS))(x),
        lambda: layers.LSTM(rng.randint(2, 6), return_sequences=True)(x),
        lambda: layers.GRU(rng.randint(2, 6), return_sequences=True, go_backwards=rng.random() < 0.3)(x),
        lambda: layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True))(x),
        lambda: layers.Conv1D(rng.randint(2, 7), rng.randint(1, 3), padding=rng.choice(["same", "causal"]), activation="tanh")(x),
        lambda: layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=rng.random() < 0.3),
        lambda: layers.LayerNormalization()(x),
        lambda: layers.Add()([x, layers.Dense(width)(x)]),
        lambda: layers.TimeDistributed(layers.Dense(4, activation="relu"))(x),
        lambda: layers.Permute((2, 1))(x),
        lambda: layers.Softmax()(x),
    ]
    return rng.choice(choices)()


def build(seed, kind):
    def make():
        rng = random.Random(f"{kind} {seed}")
        if kind == "image":
            x = inputs = keras.Input((rng.randint(5, 11), rng.randint(5, 11), rng.randint(1, 4)), name="x0")
            for _ in range(rng.randint(3, 6)):
                x = image_layer(rng, x)
            x = rng.choice([layers.Flatten(), layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D()])(x)
        else:
            x = inputs = keras.Input((rng.randint(3, 7), rng.randint(2, 5)), name="x0")
            for _ in range(rng.randint(3, 5)):
                x = sequence_layer(rng, x)
            x = rng.choice([layers.Flatten(), layers.GlobalAveragePooling1D()])(x)
        outputs = layers.Dense(rng.randint(1, 4))(x)
        return compiled(keras.Model(inputs, outputs, name="random"), optimizer=keras.optimizers.SGD(0.1))

    return make


# A weight may have no gradient here, and changes may be small.
for kind in ("image", "sequence"):
    for seed in range(12):
        case(f"random_{kind}_{seed}", build(seed, kind), samples=8, batch=5, idle=("",), tolerance=1e-4)
