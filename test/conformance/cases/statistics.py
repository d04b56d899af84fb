"""What is random has no numbers to compare with: dropout, initial weights,
shuffling. These cases check distributions, seeds, and what must not change.
"""
import math

import numpy as np

from registry import case, keras, layers

UNITS = 4000


def expect(condition, message):
    return [] if condition else [message]


def near(what, got, want, tolerance):
    return expect(abs(got - want) <= tolerance, f"{what}: {got:.5g} instead of {want:.5g} (± {tolerance:.2g})")


# --- dropout ------------------------------------------------------------------------


def dropout_model(rate, **options):
    """Ones, scaled by a weight each, dropped; the loss is their mean square, so
    that a weight's change tells whether its unit was kept."""

    def build():
        inputs = keras.Input((1,), name="x0")
        x = layers.Dense(UNITS, use_bias=False, kernel_initializer="ones", name="dense")(inputs)
        model = keras.Model(inputs, layers.Dropout(rate, **options)(x))
        model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse", metrics=["mae"])
        return model

    return build


def dropout_check(rate):
    def check(program):
        keep = 1 - rate
        wrong = []
        outputs = program.predict()[0]
        wrong += expect((outputs == 1).all(), "dropout is active in predict")
        wrong += near("loss of evaluate", program.evaluate()["loss"], 1, 1e-6)
        logs, weights = program.fit("--seed", 7)
        change = UNITS * (1 - weights["dense/kernel"].ravel())  # 2 / keep^2 where kept
        kept = change > 1e-3
        spread = math.sqrt(rate * keep / UNITS)
        wrong += near("share of the units kept", kept.mean(), keep, 5 * spread)
        wrong += near("gradient of a kept unit", change[kept].mean(), 2 / keep**2, 2e-3 / keep**2)
        wrong += near("gradient of a dropped unit", np.abs(change[~kept]).max(initial=0), 0, 1e-3)
        wrong += near("mean square in training", logs[0]["loss"], 1 / keep, 5 * spread / keep**2)
        wrong += near("mean in training", logs[0]["mae"], 1, 5 * spread / keep)
        again = program.fit("--seed", 7)[1]["dense/kernel"]
        other = program.fit("--seed", 8)[1]["dense/kernel"]
        wrong += expect((again == weights["dense/kernel"]).all(), "the same seed gives other masks")
        wrong += expect((other != weights["dense/kernel"]).any(), "another seed gives the same mask")
        return wrong

    return check


ONE = {"x0": lambda rng, shape: np.ones(shape, "float32")}
ZERO = lambda rng, shape: np.zeros(shape, "float32")
for rate in (0.1, 0.25, 0.5, 0.8):
    case(f"dropout_{rate}", dropout_model(rate), samples=1, batch=1, inputs=ONE, target=ZERO, checks=(),
         script=dropout_check(rate))


def _dropout_steps():
    """Two steps must drop different units."""
    return dropout_model(0.5)()


def dropout_steps_check(program):
    first = program.fit("--seed", 3, epochs=1)[1]["dense/kernel"].ravel()
    second = program.fit("--seed", 3, epochs=2)[1]["dense/kernel"].ravel()
    dropped_once, dropped_twice = (first == 1).mean(), (second == 1).mean()
    return near("share dropped in a step", dropped_once, 0.5, 0.05) + near("share dropped in both steps", dropped_twice, 0.25, 0.05)


case("dropout_steps", _dropout_steps, samples=1, batch=1, inputs=ONE, target=ZERO, checks=(), script=dropout_steps_check)


def _dropout_batch():
    inputs = keras.Input((UNITS,), name="x0")
    x = layers.Dropout(0.4)(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, kernel_initializer="ones", name="dense")(x))
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mae", metrics=["mse"])
    return model


def dropout_batch_check(program):
    """Sums of 4000 units, dropped at 0.4, of 64 samples: their spread is known
    only if every sample has a mask of its own."""
    logs, _ = program.fit("--seed", 5)
    deviation = math.sqrt(UNITS * 0.4 / 0.6)
    variance = logs[0]["mse"]  # the target is the expected sum
    return near("variance of the sums", variance, deviation**2, 5 * deviation**2 * math.sqrt(2 / 64))


case("dropout_samples_differ", _dropout_batch, samples=64, batch=64, inputs=ONE, checks=(), script=dropout_batch_check,
     target=lambda rng, shape: np.full(shape, UNITS, "float32"))
case("spatial_dropout", lambda: _spatial(), samples=3, batch=3, checks=("predict", "evaluate"))


def _spatial():
    inputs = keras.Input((5, 4), name="x0")
    model = keras.Model(inputs, layers.Dense(2)(layers.SpatialDropout1D(0.5)(inputs)))
    model.compile(optimizer="sgd", loss="mse")
    return model


# --- initial weights ----------------------------------------------------------------


def initial_model(initializer, shape):
    def build():
        inputs = keras.Input((shape[0],), name="x0")
        x = layers.Dense(shape[1], kernel_initializer=initializer(), use_bias=False, name="dense")(inputs)
        model = keras.Model(inputs, x)
        model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")  # trains nothing
        return model

    return build


def initial(name, initializer, judge, shape=(300, 200)):
    def check(program):
        kernel = program.fit("--seed", 1)[1]["dense/kernel"]
        again = program.fit("--seed", 1)[1]["dense/kernel"]
        other = program.fit("--seed", 2)[1]["dense/kernel"]
        wrong = expect((kernel == again).all(), "the same seed gives other weights")
        if np.ptp(kernel) and "identity" not in name:
            wrong += expect((kernel != other).any(), "another seed gives the same weights")
        return wrong + judge(kernel.astype("float64"))

    case(f"initializer_{name}", initial_model(initializer, shape), form="json", randomize=False, samples=1, batch=1,
         checks=(), script=check)


def uniform(limit):
    def judge(w):
        wrong = near("mean", w.mean(), 0, 5 * limit / math.sqrt(3 * w.size))
        wrong += near("standard deviation", w.std(), limit / math.sqrt(3), 0.02 * limit)
        return wrong + expect(0.98 * limit < np.abs(w).max() <= limit * (1 + 1e-6), f"largest magnitude {np.abs(w).max()} for limit {limit}")

    return judge


def normal(deviation, truncated=False, mean=0.0):
    def judge(w):
        w = w - mean
        wrong = near("mean", w.mean(), 0, 5 * deviation / math.sqrt(w.size))
        wrong += near("standard deviation", w.std(), deviation, 0.02 * deviation)
        cut = 2 * deviation / (0.87962566103423978 if truncated == "scaled" else 1)
        largest = np.abs(w).max()
        if truncated:
            return wrong + expect(largest <= cut * (1 + 1e-6), f"{largest} lies beyond two deviations, {cut}")
        kurtosis = (w**4).mean() / deviation**4
        return wrong + near("kurtosis", kurtosis, 3, 0.2) + expect(largest > 3.2 * deviation, f"largest magnitude {largest}")

    return judge


def constant(value):
    return lambda w: expect((w == np.float32(value)).all(), f"not {value} everywhere: {w.ravel()[:3]}")


def orthogonal(w):
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    return near("distance of W'W from the identity", np.abs(small - np.eye(len(small))).max(), 0, 1e-4)


I = lambda cls, **o: lambda: getattr(keras.initializers, cls)(**o)
for shape in [(300, 200), (64, 512)]:
    tag, (n, m) = f"_{shape[0]}", shape
    initial("glorot_uniform" + tag, I("GlorotUniform"), uniform(math.sqrt(6 / (n + m))), shape)
    initial("he_uniform" + tag, I("HeUniform"), uniform(math.sqrt(6 / n)), shape)
    initial("orthogonal" + tag, I("Orthogonal"), orthogonal, shape)
    initial("glorot_normal" + tag, I("GlorotNormal"), normal(math.sqrt(2 / (n + m)), "scaled"), shape)
    initial("he_normal" + tag, I("HeNormal"), normal(math.sqrt(2 / n), "scaled"), shape)
initial("lecun_uniform", I("LecunUniform"), uniform(math.sqrt(3 / 300)))
initial("lecun_normal", I("LecunNormal"), normal(math.sqrt(1 / 300), "scaled"))
initial("random_normal", I("RandomNormal"), normal(0.05))
initial("random_normal_mean", I("RandomNormal", mean=1.0, stddev=0.5), normal(0.5, mean=1.0))
initial("random_uniform", I("RandomUniform"), uniform(0.05))
initial("truncated_normal", I("TruncatedNormal", stddev=0.1),
        lambda w: near("standard deviation", w.std(), 0.1 * 0.87962566103423978, 0.002)
        + expect(np.abs(w).max() <= 0.2 * (1 + 1e-6), f"largest magnitude {np.abs(w).max()}"))
initial("variance_scaling", I("VarianceScaling", scale=2.0, mode="fan_out", distribution="uniform"), uniform(math.sqrt(6 / 200)))
initial("variance_scaling_untruncated", I("VarianceScaling", scale=1.0, mode="fan_avg", distribution="untruncated_normal"),
        normal(math.sqrt(1 / 250)))
initial("zeros", I("Zeros"), constant(0))
initial("ones", I("Ones"), constant(1))
initial("constant", I("Constant", value=0.3), constant(0.3))
initial("identity", I("Identity"), lambda w: expect((w == np.eye(*w.shape)).all(), "not the identity"), (20, 20))


def _lstm():
    model = keras.Sequential([keras.Input((4, 50), name="x0"), layers.LSTM(40, name="lstm"), layers.Dense(2, name="dense")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    return model


def lstm_check(program):
    weights = program.fit()[1]
    bias = weights["lstm/lstm_cell/bias"]
    wrong = expect((bias[40:80] == 1).all() and (bias[:40] == 0).all() and (bias[80:] == 0).all(), "unit_forget_bias")
    wrong += orthogonal(weights["lstm/lstm_cell/recurrent_kernel"].astype("float64"))
    return wrong + uniform(math.sqrt(6 / (50 + 160)))(weights["lstm/lstm_cell/kernel"].astype("float64"))


case("initializer_lstm", _lstm, form="json", randomize=False, samples=1, batch=1, checks=(), script=lstm_check)


def _conv():
    model = keras.Sequential([keras.Input((9, 9, 16), name="x0"), layers.Conv2D(64, 3, name="conv", kernel_initializer="he_normal")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    return model


case("initializer_conv", _conv, form="json", randomize=False, samples=1, batch=1, checks=(),
     script=lambda p: normal(math.sqrt(2 / (9 * 16)), "scaled")(p.fit()[1]["conv/kernel"].astype("float64")))


# --- shuffling ----------------------------------------------------------------------


def _order():
    inputs = keras.Input((40,), name="x0")
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="dense")(inputs))
    model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss="mae")
    return model


def order_check(program):
    """Sample i is the i-th unit vector: momentum tells when a sample was seen."""
    run = lambda seed, shuffle: program.fit("--seed", seed, shuffle=shuffle)[1]["dense/kernel"].ravel()
    straight, one, again, two = run(1, "false"), run(1, "true"), run(1, "true"), run(2, "true")
    rank = lambda w: np.argsort(np.argsort(-np.abs(w)))
    wrong = expect((rank(straight) == np.arange(40)).all(), f"--shuffle=false changes the order: {rank(straight)}")
    wrong += expect((one == again).all(), "the same seed gives another order")
    wrong += expect((one != straight).any() and (one != two).any(), "shuffling does not depend on the seed")
    return wrong + expect((np.sort(rank(one)) == np.arange(40)).all() and len(set(one)) == 40, "a sample was left out or seen twice")


case("shuffle", _order, samples=40, batch=1, checks=(), randomize=False, script=order_check,
     inputs={"x0": lambda rng, shape: np.eye(40, dtype="float32")}, target=lambda rng, shape: np.full(shape, 9, "float32"))
