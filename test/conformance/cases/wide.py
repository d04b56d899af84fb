"""Layers wide enough that their weights lie in panels, with gradients and what
optimizers keep for them: 128 columns are several panels on any machine, 136
leave some beside them."""
from registry import case, compiled, keras, layers


def wide(name, optimizer, units=128, samples=11, batch=4, epochs=2, checks=("predict", "fit"), loss="mse", **dense):
    """A Dense in the middle, so that its input's gradient is read along its panels."""

    def build():
        made = {k: v() if callable(v) else v for k, v in dense.items()}
        inputs = keras.Input((6,), name="x0")
        hidden = layers.Dense(24, activation="tanh", name="front")(inputs)
        hidden = layers.Dense(units, activation="tanh", name="wide", **made)(hidden)
        return compiled(keras.Model(inputs, layers.Dense(3, name="back")(hidden)), loss=loss, optimizer=optimizer())

    case(f"wide_{name}", build, samples=samples, batch=batch, epochs=epochs, checks=checks)


optimizers, regularizers, constraints = keras.optimizers, keras.regularizers, keras.constraints
wide("sgd", lambda: optimizers.SGD(0.1))
wide("sgd_ragged", lambda: optimizers.SGD(0.1), units=136)
wide("nesterov", lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True))
wide("adam", lambda: optimizers.Adam(0.01))
wide("adam_clipnorm", lambda: optimizers.Adam(0.01, clipnorm=0.05))
wide("adamw_global_clipnorm", lambda: optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=0.1))
wide("rmsprop_centered", lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5, epsilon=1e-3))
wide("adafactor", lambda: optimizers.Adafactor(0.05))
wide("lamb", lambda: optimizers.Lamb(0.01))
wide("accumulation", lambda: optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2))
wide("average", lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8))
wide("regularized", lambda: optimizers.SGD(0.1), kernel_regularizer=lambda: regularizers.L1L2(0.01, 0.02))
wide("constrained", lambda: optimizers.SGD(0.1), kernel_constraint=lambda: constraints.MaxNorm(0.5))
wide("one_sample", lambda: optimizers.SGD(0.1, momentum=0.9), samples=3, batch=1)


def _twice():
    """One weight, read in two places: its gradients are added."""
    inputs = keras.Input((6,), name="x0")
    shared = layers.Dense(128, activation="tanh", name="shared")
    left, right = shared(layers.Dense(16)(inputs)), shared(layers.Dense(16)(inputs))
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Multiply()([left, right]))), optimizer=optimizers.SGD(0.1, momentum=0.9))


def _alike():
    """Weights of one shape share kernels, but one of them is constrained."""
    inputs = keras.Input((128,), name="x0")
    x = layers.Dense(128, activation="tanh")(inputs)
    x = layers.Dense(128, activation="tanh", kernel_constraint=constraints.UnitNorm())(x)
    return compiled(keras.Model(inputs, layers.Dense(128)(x)), optimizer=optimizers.Adam(0.01))


def _attention():
    inputs = keras.Input((5, 32), name="x0")
    x = layers.MultiHeadAttention(4, 32, name="attention")(inputs, inputs)
    return compiled(keras.Model(inputs, layers.Dense(2)(x)), optimizer=optimizers.SGD(0.1, momentum=0.9))


def _pointwise():
    inputs = keras.Input((5, 6, 3), name="x0")
    x = layers.Conv2D(24, 1, activation="tanh")(inputs)
    x = layers.Conv2D(128, 1, strides=2, activation="tanh")(x)
    x = layers.Conv2D(64, 2)(x)
    return compiled(keras.Model(inputs, layers.GlobalAveragePooling2D()(x)), optimizer=optimizers.SGD(0.1, momentum=0.9))


def _recurrent():
    """The recurrent kernel and the other have one shape, and the gradients one place."""
    inputs = keras.Input((9, 32), name="x0")
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.LSTM(32)(inputs))), optimizer=optimizers.SGD(0.1, momentum=0.9))


for build in (_twice, _alike, _attention, _pointwise, _recurrent):
    case("wide" + build.__name__, build, samples=7, batch=3, epochs=2, idle=("key/bias",))
case("wide_einsum_features", lambda: compiled(
    keras.Sequential([keras.Input((5, 16), name="x0"), layers.Dense(16),
                      layers.EinsumDense("btd,dhk->bthk", (5, 4, 32), bias_axes="k", activation="tanh")]),
    optimizer=optimizers.SGD(0.1)), samples=7, batch=3)
