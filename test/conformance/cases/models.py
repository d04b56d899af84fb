"""The ten models of the benchmark, from ../bench/models.py: predictions, losses
and metrics, and the weights after a training step, at batch sizes that fit CI.
"""
import importlib.util
import pathlib

from registry import case, keras

_path = pathlib.Path(__file__).resolve().parents[2] / "bench" / "models.py"
_spec = importlib.util.spec_from_file_location("bench_models", _path)
models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(models)


def _without_dropout(model):
    """Dropout has no numbers to compare: training needs it switched off."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


def _gentle(model, rate):
    """The same model with an optimizer whose step is proportional to the
    gradient: Adam's first step is the gradient's sign, also where it is noise."""
    loss, metrics = model._compile_loss._user_loss, ["accuracy"]
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(rate, momentum=0.9), metrics=metrics)
    return model


def model(name, target="onehot", samples=5, batch=3, adam=False, rate=0.1, suffix="", **options):
    def build():
        made = _without_dropout(models.build(name, **models.SMALL_INPUTS.get(name, {})))
        return made if adam else _gentle(made, rate)

    case(f"model_{name}{suffix or ('_adam' if adam else '')}", build, target=target, samples=samples, batch=batch,
         tolerance=1e-4, timeout=400, randomize=False, **options)


def predicting(name, **options):
    """What a program that does nothing else predicts: weights are folded, and lie in panels."""
    model(name, suffix="_inference_only", checks=("predict",), compile_flags=("--inference-only",), **options)


model("mlp_seed", samples=33, batch=32)
model("mlp_mnist", samples=9, batch=8)
model("lenet")
model("resnet20", samples=8, batch=5, exact=True)
model("kws_dscnn", "classes", samples=13, batch=5, idle=("bias",), exact=True)
model("lstm_sentiment", "binary", upper=10000)
model("transformer", "classes", upper=128, rate=2.0, idle=("key/bias",))
model("seq2seq_gru", "classes", upper=3000, rate=20.0)
model("mobilenet_v2", samples=8, batch=8, heavy=True, rate=5.0, exact=True)
model("resnet50", samples=8, batch=8, heavy=True, idle=("bias",), exact=True)
model("mlp_mnist", samples=9, batch=8, adam=True, exact=True)
model("lenet", adam=True, exact=True)
predicting("mlp_mnist", samples=9, batch=8)
predicting("lenet")
predicting("lstm_sentiment", target="binary", upper=10000)
predicting("transformer", target="classes", upper=128)
predicting("seq2seq_gru", target="classes", upper=3000)
predicting("resnet20", samples=8, batch=5)
predicting("mobilenet_v2", samples=8, batch=7, heavy=True)
