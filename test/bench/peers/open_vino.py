"""OpenVINO on its own conversion of the model, in float32 like all others."""
from peers import Step, export


class OpenVino:
    def __init__(self, threads):
        import openvino

        self.threads = threads
        self.version = f"openvino {openvino.__version__.split('-')[0]}"

    def prepare(self, work):
        import numpy as np
        import openvino

        # It does not convert the recurrent layers of TensorFlow; Keras's own
        # OpenVINO backend writes those.
        try:
            path, note = export.path(work, "openvino"), ""
        except RuntimeError:
            path, note = export.path(work, "openvino-keras"), "exported by Keras's OpenVINO backend"
        compiled = openvino.Core().compile_model(path, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self.threads,
            "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False})
        request, inputs = compiled.create_infer_request(), work.data()[0]
        for position, port in enumerate(compiled.inputs):
            array = export.input_of(inputs, port.get_node().get_friendly_name(), position)
            request.set_tensor(port, openvino.Tensor(np.ascontiguousarray(array)))
        return Step(request.infer, lambda _: request.get_output_tensor(0).data, note)
