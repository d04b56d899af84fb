"""The peers: a table of what each is, and how a worker process finds its code.

A module in this folder has a class for each of its peers. It is made with the
number of threads; `version` names what it is, and prepare(work) returns a Step.
"""
import dataclasses
import importlib
import pathlib
from typing import Callable, Optional

BOTH, INFER = ("infer", "train"), ("infer",)


@dataclasses.dataclass(frozen=True)
class Peer:
    code: str  # module and class in this folder
    needs: tuple  # modules that must be installed
    modes: tuple
    exports: str = ""  # what it reads instead of the .keras file
    torch: bool = False  # runs in the interpreter that has torch


# In the order of the table's columns.
PEERS = {
    "keras-jax": Peer("keras_jax.Jax", ("keras", "jax"), BOTH),
    "keras-jax-eigen": Peer("keras_jax.JaxEigen", ("keras", "jax"), BOTH),
    "keras-tf": Peer("keras_tensorflow.TensorFlow", ("keras", "tensorflow"), BOTH),
    "keras-tf-xla": Peer("keras_tensorflow.TensorFlowXla", ("keras", "tensorflow"), BOTH),
    "torch": Peer("plain_torch.Torch", ("torch",), BOTH, torch=True),
    "torch-compile": Peer("plain_torch.TorchCompile", ("torch",), BOTH, torch=True),
    "onnxruntime": Peer("onnx_runtime.OnnxRuntime", ("onnxruntime", "tf2onnx", "tensorflow"), INFER, "onnx"),
    "openvino": Peer("open_vino.OpenVino", ("openvino", "tensorflow"), INFER, "openvino"),
    "tflite": Peer("tf_lite.TfLite", ("tensorflow",), INFER, "tflite"),
    "iree": Peer("iree_vm.Iree", ("iree.compiler", "iree.runtime", "tf2onnx", "tensorflow"), INFER, "onnx"),
    "openblas": Peer("blas.OpenBlas", ("numpy",), INFER),
}


@dataclasses.dataclass
class Step:
    """The work, ready to be done again and again."""

    run: Callable  # returns when the work is done
    answer: Optional[Callable] = None  # what run() returned, as an array
    note: str = ""  # how it came to be, where there are several ways


@dataclasses.dataclass
class Work:
    """One model in one mode at one batch size."""

    model: pathlib.Path  # the .keras file
    folder: pathlib.Path  # its data and what was exported from it
    mode: str
    batch: int

    def data(self):
        """The inputs by name, and the target."""
        import numpy as np

        with np.load(self.folder / f"b{self.batch}.npz") as file:
            return {k[6:]: file[k] for k in file if k.startswith("input:")}, file["target"]


def load(name):
    module, cls = PEERS[name].code.split(".")
    return getattr(importlib.import_module(f"peers.{module}"), cls)


def unlist(arrays):
    """Keras takes one input as it is, several as a list."""
    arrays = list(arrays)
    return arrays if len(arrays) > 1 else arrays[0]


def keras_model(work):
    """The model, with a learning rate of 0: the same batch is trained on for
    ever, and neither weights nor gradients drift into denormals or NaN. The
    rate is a variable, so the work is that of any step."""
    import keras

    keras.utils.clear_session()
    model = keras.models.load_model(work.model)
    model.optimizer.learning_rate = 0.0
    model.optimizer.build(model.trainable_variables)
    return model
