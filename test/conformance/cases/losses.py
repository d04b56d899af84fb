"""Losses with their options, reductions, weights, regularizers."""
import json

from registry import case, compiled, keras, layer, layers


def loss(name, make, shape=(5,), target="normal", activation=None, metrics=(), **options):
    def build():
        inputs = keras.Input((6,) if len(shape) == 1 else (shape[0], 6), name="x0")
        outputs = layers.Dense(shape[-1], activation=activation, name="out")(layers.Dense(7, activation="tanh")(inputs))
        return compiled(keras.Model(inputs, outputs), loss=make(), metrics=metrics)

    case(f"loss_{name}", build, target=target, **options)


L = lambda cls, **options: lambda: getattr(keras.losses, cls)(**options)

for short, cls in [("mse", "MeanSquaredError"), ("mae", "MeanAbsoluteError"), ("huber", "Huber")]:
    string = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "huber": "huber"}[short]
    loss(f"{short}_string", lambda string=string: string)
    loss(f"{short}_sequence", L(cls), shape=(4, 3))
    loss(f"{short}_sum", L(cls, reduction="sum"), shape=(2,))
    loss(f"{short}_weights", L(cls), sample_weight=True)
loss("mse_alias", lambda: "mse", shape=(1,))
loss("mae_alias", lambda: "mae", shape=(1,))
loss("mse_rank_repair", lambda: "mse", shape=(1,), target=lambda rng, s: rng.standard_normal(s[:1]).astype("float32"))

# Keras leaves delta out of the file.
for name, delta, more in [("half", 0.5, {}), ("two", 2.0, {}), ("sum", 0.25, {"reduction": "sum"})]:
    config = json.dumps({"class_name": "Huber", "config": {"delta": delta, **more}})
    loss(f"huber_delta_{name}", L("Huber", delta=delta, **more), compile_flags=(f"--loss={config}",))
loss("huber_delta_sequence", L("Huber", delta=0.3), shape=(4, 3),
     compile_flags=('--loss={"class_name": "Huber", "config": {"delta": 0.3}}',))

loss("binary", lambda: "binary_crossentropy", (1,), "binary", "sigmoid")
loss("binary_many", L("BinaryCrossentropy"), (4,), "binary", "sigmoid")
loss("binary_logits", L("BinaryCrossentropy", from_logits=True), (3,), "binary")
loss("binary_smoothing", L("BinaryCrossentropy", label_smoothing=0.2), (3,), "binary", "sigmoid")
loss("binary_logits_smoothing", L("BinaryCrossentropy", from_logits=True, label_smoothing=0.1), (1,), "binary")
loss("binary_weights", L("BinaryCrossentropy"), (1,), "binary", "sigmoid", sample_weight=True)
loss("binary_rank_repair", lambda: "binary_crossentropy", (1,), lambda rng, s: rng.integers(0, 2, s[:1]).astype("int32"), "sigmoid")

loss("categorical", lambda: "categorical_crossentropy", (5,), "onehot", "softmax")
loss("categorical_logits", L("CategoricalCrossentropy", from_logits=True), (4,), "onehot")
loss("categorical_smoothing", L("CategoricalCrossentropy", label_smoothing=0.1), (5,), "onehot", "softmax")
loss("categorical_logits_smoothing", L("CategoricalCrossentropy", from_logits=True, label_smoothing=0.3), (3,), "onehot")
loss("categorical_not_normalized", L("CategoricalCrossentropy"), (4,), "onehot", "softplus")
loss("categorical_weights", L("CategoricalCrossentropy"), (4,), "onehot", "softmax", sample_weight=True)

loss("sparse", lambda: "sparse_categorical_crossentropy", (5,), "classes", "softmax")
loss("sparse_logits", L("SparseCategoricalCrossentropy", from_logits=True), (4,), "classes")
loss("sparse_sequence", L("SparseCategoricalCrossentropy"), (3, 5), "classes", "softmax")
loss("sparse_sequence_logits", L("SparseCategoricalCrossentropy", from_logits=True), (3, 5), "classes")
loss("sparse_column", L("SparseCategoricalCrossentropy"), (5,), lambda rng, s: rng.integers(0, 5, (s[0], 1)).astype("int32"), "softmax")
loss("sparse_float_labels", L("SparseCategoricalCrossentropy"), (5,), lambda rng, s: rng.integers(0, 5, s[:1]).astype("float32"), "softmax")
loss("sparse_uint8_labels", L("SparseCategoricalCrossentropy"), (5,), lambda rng, s: rng.integers(0, 5, s[:1]).astype("uint8"), "softmax")
loss("sparse_weights", L("SparseCategoricalCrossentropy"), (4,), "classes", "softmax", sample_weight=True)
loss("sparse_many_classes", L("SparseCategoricalCrossentropy"), (67,), "classes", "softmax")
loss("sparse_ignore_class", L("SparseCategoricalCrossentropy", ignore_class=0), (4,), "classes", "softmax")
loss("class_weight", L("SparseCategoricalCrossentropy"), (3,), "classes", "softmax", class_weight={0: 0.5, 1: 2.0, 2: 1.5})
loss("class_weight_onehot", L("CategoricalCrossentropy"), (3,), "onehot", "softmax", class_weight={0: 0.5, 2: 3.0})
loss("class_weight_binary", L("BinaryCrossentropy"), (1,), "binary", "sigmoid", class_weight={0: 1.0, 1: 4.0})
loss("validation_split", L("SparseCategoricalCrossentropy"), (3,), "classes", "softmax", ("accuracy",), validation=0.3, epochs=2)
loss("validation_set", L("MeanSquaredError"), (2,), metrics=("mae",), validation="set", epochs=3)
loss("validation_weights", L("MeanSquaredError"), (2,), sample_weight=True, validation=0.4, epochs=2)


def regularized(name, **options):
    def build():
        inputs = keras.Input((6,), name="x0")
        make = {k: v() for k, v in options.items()}
        outputs = layers.Dense(3, **make)(layers.Dense(5, activation="tanh")(inputs))
        return compiled(keras.Model(inputs, outputs))

    case(f"regularizer_{name}", build)


R = lambda cls, *a, **o: lambda: getattr(keras.regularizers, cls)(*a, **o)
regularized("l1", kernel_regularizer=R("L1", 0.02))
regularized("l2", kernel_regularizer=R("L2", 0.03))
regularized("l1_l2", kernel_regularizer=R("L1L2", 0.01, 0.02), bias_regularizer=R("L2", 0.05))
regularized("string", kernel_regularizer=lambda: "l2", bias_regularizer=lambda: "l1")
layer("regularizer_conv", (6, 5, 2), lambda x: layers.Conv2D(3, 3, kernel_regularizer=keras.regularizers.L2(0.01))(x))
layer("regularizer_lstm", (4, 3), lambda x: layers.LSTM(3, kernel_regularizer="l2", recurrent_regularizer="l1")(x))
layer("regularizer_embedding", (4,), lambda x: layers.Embedding(5, 3, embeddings_regularizer="l2")(x), dtype="int32")
layer("regularizer_norm", (5,), lambda x: layers.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")(x), samples=8, batch=4,
      idle=("front0/bias",))


def several(name, losses, loss_weights=None, metrics=(), targets="normal", **options):
    def build():
        inputs = keras.Input((6,), name="x0")
        x = layers.Dense(5, activation="tanh")(inputs)
        a = layers.Dense(3, name="a", activation="softmax")(x)
        b = layers.Dense(2, name="b")(x)
        return compiled(keras.Model(inputs, [a, b]), loss=losses() if callable(losses) else losses,
                        loss_weights=loss_weights, metrics=metrics)

    case(f"outputs_{name}", build, target=targets, **options)


several("same_loss", "mse")
several("list", ["sparse_categorical_crossentropy", "mse"], targets={"a": "classes"}, metrics=[["accuracy"], ["mae"]])
several("dict", {"a": "categorical_crossentropy", "b": "mae"}, {"a": 0.3, "b": 2.0}, {"a": ["accuracy"], "b": ["mse"]}, {"a": "onehot"})
several("weights_list", ["mse", "huber"], [0.25, 4.0])
several("one_loss", [None, "mse"], idle=("a/kernel", "a/bias"))
