"""Optimizers, clipping, weight decay, schedules, exponential averages."""
from registry import case, compiled, keras, layers


def optimizer(name, cls, samples=11, batch=4, epochs=2, **options):
    """11 samples by 4: three steps an epoch."""

    def build():
        made = {k: v() if callable(v) else v for k, v in options.items()}
        inputs = keras.Input((6,), name="x0")
        outputs = layers.Dense(3)(layers.Dense(5, activation="tanh")(inputs))
        return compiled(keras.Model(inputs, outputs), optimizer=getattr(keras.optimizers, cls)(**made))

    case(f"optimizer_{name}", build, samples=samples, batch=batch, epochs=epochs,
         checks=("fit",), change_tolerance=1e-3)


optimizer("sgd", "SGD")
optimizer("sgd_momentum", "SGD", learning_rate=0.1, momentum=0.9)
optimizer("sgd_nesterov", "SGD", learning_rate=0.1, momentum=0.8, nesterov=True)
optimizer("sgd_decay", "SGD", learning_rate=0.1, weight_decay=0.05)
optimizer("sgd_clipnorm", "SGD", learning_rate=0.5, clipnorm=0.1)
optimizer("sgd_clipvalue", "SGD", learning_rate=0.5, clipvalue=0.05)
optimizer("sgd_global_clipnorm", "SGD", learning_rate=0.5, global_clipnorm=0.2)
optimizer("rmsprop_clipvalue", "RMSprop", learning_rate=0.01, momentum=0.9, clipvalue=0.02)
optimizer("nadam_global_clipnorm", "Nadam", learning_rate=0.01, global_clipnorm=0.3)
optimizer("sgd_one_batch", "SGD", batch=32, epochs=5, momentum=0.5)

optimizer("rmsprop", "RMSprop", learning_rate=0.01)
optimizer("rmsprop_momentum", "RMSprop", learning_rate=0.01, momentum=0.9, rho=0.8)
optimizer("rmsprop_centered", "RMSprop", learning_rate=0.01, centered=True, epsilon=1e-3)
optimizer("rmsprop_all", "RMSprop", learning_rate=0.01, centered=True, momentum=0.5, weight_decay=0.01, epsilon=1e-3)

optimizer("adam", "Adam")
optimizer("adam_options", "Adam", learning_rate=0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-4)
optimizer("adam_amsgrad", "Adam", learning_rate=0.01, amsgrad=True)
optimizer("adam_decay", "Adam", learning_rate=0.01, weight_decay=0.1)
optimizer("adam_clip", "Adam", learning_rate=0.01, clipnorm=0.05)
optimizer("adam_global_clip", "Adam", learning_rate=0.01, global_clipnorm=0.1)

optimizer("adamw", "AdamW")
optimizer("adamw_decay", "AdamW", learning_rate=0.01, weight_decay=0.2)
optimizer("adamw_clipvalue", "AdamW", learning_rate=0.01, clipvalue=0.01)

optimizer("sgd_accumulation", "SGD", learning_rate=0.1, momentum=0.9, gradient_accumulation_steps=2)
optimizer("adam_accumulation", "Adam", learning_rate=0.01, clipnorm=0.05, gradient_accumulation_steps=3, epochs=4)
optimizer("nadam_accumulation", "Nadam", learning_rate=0.01, weight_decay=0.1, gradient_accumulation_steps=2, epochs=3)
optimizer("sgd_average", "SGD", learning_rate=0.1, use_ema=True, ema_momentum=0.8)
optimizer("adam_average_overwrite", "Adam", learning_rate=0.01, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4)
optimizer("average_accumulation", "SGD", learning_rate=0.1, use_ema=True, ema_momentum=0.6, gradient_accumulation_steps=2)
optimizer("loss_scale_factor", "SGD", learning_rate=0.1, loss_scale_factor=8.0)

optimizer("ftrl", "Ftrl", learning_rate=0.1)
optimizer("ftrl_regularized", "Ftrl", learning_rate=0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.05,
          l2_shrinkage_regularization_strength=0.02, beta=0.3, learning_rate_power=-0.7, initial_accumulator_value=0.5)
optimizer("lamb", "Lamb", learning_rate=0.01)
optimizer("lamb_options", "Lamb", learning_rate=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-4, weight_decay=0.1)

optimizer("adafactor", "Adafactor", learning_rate=0.05)
optimizer("adafactor_options", "Adafactor", learning_rate=0.5, beta_2_decay=-0.6, epsilon_2=0.1, clip_threshold=0.5, weight_decay=0.1)
optimizer("adafactor_clip", "Adafactor", learning_rate=0.05, clipnorm=0.1, relative_step=False)
optimizer("muon", "Muon", learning_rate=0.02)
optimizer("muon_options", "Muon", learning_rate=0.05, adam_beta_1=0.8, adam_beta_2=0.9, adam_weight_decay=0.1, weight_decay=0.2,
          adam_lr_ratio=0.5, momentum=0.8, ns_steps=3, nesterov=False, rms_rate=None)
optimizer("muon_excluded", "Muon", learning_rate=0.02, exclude_layers=["dense_1"], weight_decay=None)

S = lambda cls, *a, **o: lambda: getattr(keras.optimizers.schedules, cls)(*a, **o)
optimizer("schedule_exponential", "SGD", learning_rate=S("ExponentialDecay", 0.3, 2, 0.5))
optimizer("schedule_staircase", "Adam", learning_rate=S("ExponentialDecay", 0.05, 2, 0.5, staircase=True))
optimizer("schedule_exponential_slow", "RMSprop", learning_rate=S("ExponentialDecay", 0.02, 7, 0.9))
optimizer("schedule_piecewise", "SGD", learning_rate=S("PiecewiseConstantDecay", [1, 3], [0.3, 0.1, 0.02]))
optimizer("schedule_piecewise_one", "Adam", learning_rate=S("PiecewiseConstantDecay", [2], [0.05, 0.01]))
optimizer("schedule_piecewise_many", "SGD", learning_rate=S("PiecewiseConstantDecay", [0, 1, 2, 4], [0.5, 0.3, 0.2, 0.1, 0.05]))
optimizer("schedule_polynomial", "SGD", learning_rate=S("PolynomialDecay", 0.3, 4, 0.01, power=2.0))
optimizer("schedule_polynomial_cycle", "SGD", learning_rate=S("PolynomialDecay", 0.3, 2, 0.01, cycle=True))
optimizer("schedule_polynomial_root", "Adam", learning_rate=S("PolynomialDecay", 0.05, 3, 0.002, power=0.5, cycle=True))
optimizer("schedule_inverse_time", "SGD", learning_rate=S("InverseTimeDecay", 0.3, 2, 0.5))
optimizer("schedule_inverse_staircase", "SGD", learning_rate=S("InverseTimeDecay", 0.3, 2, 0.5, staircase=True))
optimizer("schedule_inverse_adam", "Adam", learning_rate=S("InverseTimeDecay", 0.05, 3, 1.5))
optimizer("schedule_cosine", "SGD", learning_rate=S("CosineDecay", 0.3, 5, alpha=0.1))
optimizer("schedule_cosine_warm_up", "AdamW", learning_rate=S("CosineDecay", 0.001, 3, warmup_target=0.05, warmup_steps=2))
optimizer("schedule_cosine_ended", "SGD", learning_rate=S("CosineDecay", 0.3, 2))
optimizer("schedule_restarts_alpha", "Adam", learning_rate=S("CosineDecayRestarts", 0.05, 3, t_mul=1.0, m_mul=0.5, alpha=0.1))
optimizer("schedule_restarts_short", "SGD", learning_rate=S("CosineDecayRestarts", 0.2, 1, t_mul=1.5))
optimizer("schedule_restarts", "SGD", learning_rate=S("CosineDecayRestarts", 0.3, 2, t_mul=2.0, m_mul=0.8))


def _frozen():
    inputs = keras.Input((6,), name="x0")
    frozen = layers.Dense(5, activation="tanh", name="frozen")
    outputs = layers.Dense(3)(frozen(layers.Dense(4)(inputs)))
    frozen.trainable = False
    return compiled(keras.Model(inputs, outputs), optimizer=keras.optimizers.Adam(0.01))


case("optimizer_frozen_layer", _frozen, epochs=2)


def _continued(make):
    def build():
        inputs = keras.Input((6,), name="x0")
        return compiled(keras.Model(inputs, layers.Dense(3)(layers.Dense(5, activation="tanh")(inputs))), optimizer=make())

    return build


# The archive holds the optimizer's state after some steps; training goes on from there.
case("optimizer_continues_sgd", _continued(lambda: keras.optimizers.SGD(0.1, momentum=0.9)), warm_up=3)
case("optimizer_continues_adam", _continued(lambda: keras.optimizers.Adam(0.01)), warm_up=2)
case("optimizer_continues_amsgrad", _continued(lambda: keras.optimizers.AdamW(0.01, amsgrad=True)), warm_up=2)
case("optimizer_continues_rmsprop", _continued(lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True, epsilon=1e-3)), warm_up=3)
case("optimizer_continues_ftrl", _continued(lambda: keras.optimizers.Ftrl(0.1)), warm_up=2)
case("optimizer_continues_lamb", _continued(lambda: keras.optimizers.Lamb(0.01)), warm_up=2)
case("optimizer_continues_average", _continued(lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.7)), warm_up=3)
case("optimizer_continues_accumulation", _continued(lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3)), warm_up=4)
case("optimizer_continues_adafactor", _continued(lambda: keras.optimizers.Adafactor(0.05)), warm_up=3)
case("optimizer_continues_muon", _continued(lambda: keras.optimizers.Muon(0.02)), warm_up=2)
