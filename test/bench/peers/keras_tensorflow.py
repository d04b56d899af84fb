"""Keras on TensorFlow: a tf.function, plain or compiled by XLA."""
import os

from peers import Step, keras_model, unlist


class TensorFlow:
    xla = False

    def __init__(self, threads):
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.version = f"keras {keras.__version__}, tensorflow {tf.__version__}"

    def prepare(self, work):
        import tensorflow as tf

        model = keras_model(work)
        inputs, target = work.data()
        x, y = unlist(map(tf.constant, inputs.values())), tf.constant(target)
        if work.mode == "infer":
            call = tf.function(lambda v: model(v, training=False), jit_compile=self.xla)
            return Step(lambda: call(x), lambda out: out.numpy())
        variables = model.trainable_variables

        @tf.function(jit_compile=self.xla)
        def train(x, y):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
            model.optimizer.apply(tape.gradient(loss, variables), variables)
            return loss

        return Step(lambda: train(x, y))


class TensorFlowXla(TensorFlow):
    xla = True
