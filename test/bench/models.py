#!/usr/bin/env python3
"""The ten reference models, compiled and with fixed weights.

    python models.py OUT_DIR [NAME ...]     saves OUT_DIR/NAME.keras (all models when no name is given)

keras is imported when a model is built, so that reading the tables is cheap.
"""
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

SEED = 1234


def _image_classifier(model, optimizer):
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return model


def mlp_seed():
    import keras
    from keras import layers

    return _image_classifier(
        keras.Sequential(
            [keras.Input((100,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")],
            name="mlp_seed",
        ),
        "sgd",
    )


def mlp_mnist():
    import keras
    from keras import layers

    return _image_classifier(
        keras.Sequential(
            [
                keras.Input((784,)),
                layers.Dense(512, activation="relu"),
                layers.Dense(512, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ],
            name="mlp_mnist",
        ),
        "adam",
    )


def lenet():
    import keras
    from keras import layers

    return _image_classifier(
        keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 5, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 5, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(128, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ],
            name="lenet",
        ),
        "adam",
    )


def resnet20():
    """The CIFAR-10 ResNet-20 (v1): 3 stages of 3 basic blocks, 16/32/64 filters."""
    import keras
    from keras import layers

    def conv_bn(x, filters, kernel, strides=1):
        x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_bn(inputs, 16, 3))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            strides = 2 if stage and not block else 1
            y = layers.ReLU()(conv_bn(x, filters, 3, strides))
            y = conv_bn(y, filters, 3)
            if strides == 2:
                x = conv_bn(x, filters, 1, 2)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="resnet20")
    return _image_classifier(model, keras.optimizers.SGD(learning_rate=0.1, momentum=0.9))


def _application(cls, name, size):
    import keras

    model = getattr(keras.applications, cls)(weights=None, input_shape=(size, size, 3), name=name)
    return _image_classifier(model, keras.optimizers.SGD(learning_rate=0.01, momentum=0.9))


def mobilenet_v2(size=224):
    return _application("MobileNetV2", "mobilenet_v2", size)


def resnet50(size=224):
    return _application("ResNet50", "resnet50", size)


def lstm_sentiment():
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((80,), dtype="int32"),
            layers.Embedding(10000, 128),
            layers.LSTM(128),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="lstm_sentiment",
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def transformer():
    """4 post-norm encoder blocks; the position ids are a second input, so that no custom layer is needed."""
    import keras
    from keras import layers

    seq, vocab, width, heads, hidden = 128, 8000, 256, 4, 1024
    tokens = keras.Input((seq,), dtype="int32", name="tokens")
    positions = keras.Input((seq,), dtype="int32", name="positions")
    x = layers.Add()([layers.Embedding(vocab, width)(tokens), layers.Embedding(seq, width)(positions)])
    for _ in range(4):
        a = layers.MultiHeadAttention(heads, width // heads)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, a]))
        h = layers.Dense(hidden, activation="gelu")(x)
        h = layers.Dense(width)(h)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, h]))
    x = layers.GlobalAveragePooling1D()(x)
    outputs = layers.Dense(10, activation="softmax")(x)
    model = keras.Model([tokens, positions], outputs, name="transformer")
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def seq2seq_gru():
    """Encoder-decoder with teacher forcing: the decoder starts from the encoder's state."""
    import keras
    from keras import layers

    seq, vocab, width = 20, 3000, 256
    source = keras.Input((seq,), dtype="int32", name="source")
    target = keras.Input((seq,), dtype="int32", name="target")
    _, state = layers.GRU(width, return_state=True)(layers.Embedding(vocab, width)(source))
    x = layers.GRU(width, return_sequences=True)(layers.Embedding(vocab, width)(target), initial_state=state)
    model = keras.Model([source, target], layers.Dense(vocab, activation="softmax")(x), name="seq2seq_gru")
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def kws_dscnn():
    """DS-CNN of the MLPerf Tiny keyword-spotting task (49 frames x 10 MFCC, 12 words)."""
    import keras
    from keras import layers

    inputs = keras.Input((49, 10, 1))
    x = layers.Conv2D(64, (10, 4), strides=2, padding="same")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(64, 1, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.4)(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(12, activation="softmax")(x), name="kws_dscnn")
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def matmul_1024():
    """Not one of the ten: one matrix product, to compare with a BLAS."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((1024,)), layers.Dense(1024, use_bias=False)], name="matmul_1024")
    model.compile(loss="mse", optimizer="sgd")
    return model


MODELS = [mlp_seed, mlp_mnist, lenet, resnet20, mobilenet_v2, resnet50, lstm_sentiment, transformer, seq2seq_gru, kws_dscnn]
# Arguments that make the large ones small enough for a test.
SMALL_INPUTS = {"mobilenet_v2": {"size": 64}, "resnet50": {"size": 64}}


def calibrate(model):
    """Gives batch normalization the statistics of one random batch, so that inference is not trivial."""
    import keras
    import numpy as np

    norms = [l for l in model._flatten_layers() if isinstance(l, keras.layers.BatchNormalization)]
    if not norms:
        return
    rng = np.random.default_rng(SEED)
    momenta = [l.momentum for l in norms]
    for l in norms:
        l.momentum = 0.0
    inputs = [rng.standard_normal((4, *i.shape[1:])).astype(i.dtype) for i in model.inputs]
    model(inputs if len(inputs) > 1 else inputs[0], training=True)
    for l, m in zip(norms, momenta):
        l.momentum = m


def build(name, **arguments):
    import keras

    keras.utils.clear_session(free_memory=False)  # layer names start from zero again
    keras.utils.set_random_seed(SEED)
    functions = {f.__name__: f for f in [*MODELS, matmul_1024]}
    if name not in functions:
        from further_models import FURTHER  # the tests that read this file have no need of them

        functions.update({f.__name__: f for f in FURTHER})
    model = functions[name](**arguments)
    calibrate(model)
    return model


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in sys.argv[2:] or [f.__name__ for f in MODELS]:
        path = os.path.join(sys.argv[1], name + ".keras")
        build(name).save(path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
