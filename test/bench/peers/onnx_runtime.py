"""ONNX Runtime on the model that Keras exports through tf2onnx."""
from peers import Step, export


class OnnxRuntime:
    def __init__(self, threads):
        import onnxruntime

        self.threads = threads
        self.version = f"onnxruntime {onnxruntime.__version__}"

    def prepare(self, work):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = ort.InferenceSession(export.path(work, "onnx"), options, providers=["CPUExecutionProvider"])
        binding, inputs = session.io_binding(), work.data()[0]
        for position, port in enumerate(session.get_inputs()):
            array = export.input_of(inputs, port.name, position)
            binding.bind_ortvalue_input(port.name, ort.OrtValue.ortvalue_from_numpy(array))
        for port in session.get_outputs():
            binding.bind_output(port.name, "cpu")
        return Step(lambda: session.run_with_iobinding(binding), lambda _: binding.copy_outputs_to_cpu()[0])
