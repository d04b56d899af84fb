"""LiteRT (TF Lite), the interpreter that comes with TensorFlow; XNNPACK is its default."""
from peers import Step, export


class TfLite:
    def __init__(self, threads):
        import tensorflow as tf

        self.threads = threads
        self.version = f"tf.lite {tf.__version__}"

    def prepare(self, work):
        import tensorflow as tf

        interpreter = tf.lite.Interpreter(export.path(work, "tflite"), num_threads=self.threads)
        interpreter.allocate_tensors()
        inputs = work.data()[0]
        for position, port in enumerate(interpreter.get_input_details()):
            name = port["name"].removeprefix("serving_default_").removeprefix("serve_").split(":")[0]
            interpreter.set_tensor(port["index"], export.input_of(inputs, name, position))
        out = interpreter.get_output_details()[0]["index"]
        return Step(interpreter.invoke, lambda _: interpreter.get_tensor(out))
