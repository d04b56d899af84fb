"""Constraints on weights, which hold after each step of training."""
from registry import case, compiled, keras, layer, layers


def constrained(name, optimizer=None, **constraints):
    def build():
        inputs = keras.Input((6,), name="x0")
        outputs = layers.Dense(3, **{k: v() for k, v in constraints.items()})(layers.Dense(5, activation="tanh")(inputs))
        return compiled(keras.Model(inputs, outputs), optimizer=optimizer and optimizer())

    case(f"constraint_{name}", build, samples=11, batch=4, epochs=2)


C = lambda cls, *a, **o: lambda: getattr(keras.constraints, cls)(*a, **o)
constrained("max_norm", kernel_constraint=C("MaxNorm", 0.4))
constrained("max_norm_not_reached", kernel_constraint=C("MaxNorm", 50.0))
constrained("max_norm_axes", kernel_constraint=C("MaxNorm", 0.9, axis=[0, 1]), bias_constraint=C("MaxNorm", 0.1))
constrained("non_negative", kernel_constraint=C("NonNeg"))
constrained("unit_norm", kernel_constraint=C("UnitNorm"), bias_constraint=C("UnitNorm", axis=-1))
constrained("unit_norm_rows", kernel_constraint=C("UnitNorm", axis=1))
constrained("min_max_norm", kernel_constraint=C("MinMaxNorm", 0.8, 1.2))
constrained("min_max_norm_rate", kernel_constraint=C("MinMaxNorm", 0.9, 1.0, rate=0.3, axis=-1))
constrained("string", kernel_constraint=lambda: "max_norm", bias_constraint=lambda: "non_neg")
constrained("adam", lambda: keras.optimizers.Adam(0.05), kernel_constraint=C("UnitNorm"))
constrained("average", lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2),
            kernel_constraint=C("MaxNorm", 0.5))
constrained("accumulation", lambda: keras.optimizers.SGD(0.1, momentum=0.5, gradient_accumulation_steps=2),
            kernel_constraint=C("UnitNorm"))
layer("constraint_conv", (6, 5, 2), lambda x: layers.Conv2D(3, 3, kernel_constraint=keras.constraints.MaxNorm(0.5, axis=[0, 1, 2]))(x))
layer("constraint_separable", (6, 5, 2), lambda x: layers.SeparableConv2D(
    3, 3, depthwise_constraint=keras.constraints.UnitNorm(axis=(0, 1)), pointwise_constraint="non_neg")(x))
layer("constraint_lstm", (4, 3), lambda x: layers.LSTM(3, kernel_constraint="unit_norm", recurrent_constraint="max_norm", bias_constraint="non_neg")(x))
layer("constraint_embedding", (4,), lambda x: layers.Embedding(5, 3, embeddings_constraint=keras.constraints.UnitNorm(axis=1))(x), dtype="int32")
layer("constraint_norm", (5,), lambda x: layers.BatchNormalization(gamma_constraint="non_neg", beta_constraint=keras.constraints.MaxNorm(0.2))(x),
      samples=8, batch=4, idle=("front0/bias",))
layer("constraint_prelu", (3, 4), lambda x: layers.PReLU(alpha_constraint="non_neg")(x))
