"""Keras on JAX: one jitted function, its state donated in training."""
import os

from peers import Step, keras_model, unlist


def training_step(model):
    """(a function of state, x, y that returns loss and new state; the state)."""
    import jax

    model.optimizer.build(model.trainable_variables)

    def loss(trainable, rest, x, y):
        predicted, rest = model.stateless_call(trainable, rest, x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=predicted), rest

    def step(state, x, y):
        trainable, rest, slots = state
        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, rest, x, y)
        trainable, slots = model.optimizer.stateless_apply(slots, gradients, trainable)
        return value, (trainable, rest, slots)

    return step, tuple([v.value for v in variables] for variables in
                       (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables))


class Jax:
    flags = ""

    def __init__(self, threads):
        single = " --xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
        os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", XLA_FLAGS=self.flags + single)
        import jax
        import keras

        jax.config.update("jax_cpu_enable_async_dispatch", False)  # halves the time of small calls
        self.version = f"keras {keras.__version__}, jax {jax.__version__}"

    def prepare(self, work):
        import jax
        import numpy as np

        jax.clear_caches()
        model = keras_model(work)
        inputs, target = work.data()
        x, y = unlist(map(jax.device_put, inputs.values())), jax.device_put(target)
        if work.mode == "train":
            step, state = training_step(model)
            call, state = jax.jit(step, donate_argnums=0).lower(state, x, y).compile(), [state]

            def train():
                value, state[0] = call(state[0], x, y)
                return jax.block_until_ready((value, state[0]))[0]

            return Step(train)
        state = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
        call = jax.jit(lambda t, n, v: model.stateless_call(t, n, v, training=False)[0]).lower(*state, x).compile()
        return Step(lambda: jax.block_until_ready(call(*state, x)), np.asarray)


class JaxEigen(Jax):
    """Without YNNPACK, whose convolutions stay on one core."""

    flags = "--xla_cpu_experimental_ynn_fusion_type="
