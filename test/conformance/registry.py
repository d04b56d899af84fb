"""The cases of the conformance tests: what a case is, and how one is declared.

A case is a small Keras model with its data and what to do with it. A family of
cases is a module in cases/; it declares them by calling `layer` or `case`:

    layer("dense_relu", (5,), lambda x: layers.Dense(3, activation="relu")(x))

`layers` and `keras` are loaded when a model is built, so that listing the cases
costs nothing.
"""
import dataclasses
import importlib
import pkgutil
import typing


class Lazy:
    """A module of Keras that is imported at the first use."""

    def __init__(self, path):
        self._path = path

    def __getattr__(self, name):
        return getattr(importlib.import_module(self._path), name)


keras = Lazy("keras")
layers = Lazy("keras.layers")
ops = Lazy("keras.ops")


@dataclasses.dataclass
class Case:
    name: str
    build: typing.Callable  # () -> a compiled model
    family: str = ""
    samples: int = 7  # with the batch below: 3 + 3 + 1
    batch: int = 3
    epochs: int = 1
    # Data by input and output name. An input without an entry is normal, an
    # integer one uniform below `upper`; a target is normal unless `target` says
    # "classes" (integers), "onehot", "binary", "signs", or is a function (rng, shape).
    inputs: dict = dataclasses.field(default_factory=dict)
    upper: int = 5
    target: typing.Any = "normal"
    randomize: bool = True  # give biases, gammas and moving statistics values
    form: str = "keras"  # how the model is written, see forms.py
    checks: tuple = ("predict", "evaluate", "fit")
    # The largest error of an output as a share of its largest magnitude.
    tolerance: float = 1e-5
    # The largest error of a variable's change as a share of its largest change.
    change_tolerance: float = 1e-3
    sample_weight: bool = False
    class_weight: dict = None
    validation: typing.Any = None  # a fraction, or "set"
    warm_up: int = 0  # steps of training before the model is saved
    compile_flags: tuple = ()
    timeout: int = 120
    # Ends of names of variables that have no gradient by the model's nature.
    idle: tuple = ()
    heavy: bool = False  # runs alone, with all cores
    # Computed in float64 too: Cornu's float64 must be Keras's, and Cornu's float32
    # as near to it as Keras's own float32 is, see compare_weights.
    exact: bool = False
    # A check of its own, in place of the comparison: (program) -> failures.
    script: typing.Callable = None


CASES = {}
_family = ""


def case(name, build, **options):
    if name in CASES:
        raise ValueError(f"two cases are named {name}")
    CASES[name] = Case(name=name, build=build, family=_family, **options)


def compiled(model, loss="mse", optimizer=None, metrics=("mae",), **options):
    """The model, compiled so that every variable's change is easily seen."""
    if optimizer is None:
        optimizer = keras.optimizers.SGD(0.25)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics if isinstance(metrics, dict) else list(metrics), **options)
    return model


def around(shapes, call, front=True, dtype=None, **compile_options):
    """A compiled model: inputs x0, x1, ..., a Dense in front of each (so that the
    gradient that leaves the layer below shows in a weight), then `call`."""
    if not isinstance(shapes, list):
        shapes = [shapes]
    inputs = [keras.Input(s, name=f"x{i}", dtype=dtype) for i, s in enumerate(shapes)]
    values = inputs
    if front and dtype is None:
        values = [layers.Dense(s[-1], name=f"front{i}")(x) for i, (s, x) in enumerate(zip(shapes, inputs))]
    outputs = call(*values)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name="m")
    return compiled(model, **compile_options)


def layer(name, shapes, call, front=True, dtype=None, compile_options=None, **options):
    """Declares a case around one layer, trained with mean squared error."""
    build = lambda: around(shapes, call, front, dtype, **(compile_options or {}))
    case(name, build, **options)


def load_families():
    """Imports all modules of cases/ and returns the cases by name."""
    global _family
    import cases

    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda m: m.name):
        _family = module.name
        importlib.import_module(f"cases.{module.name}")
    return CASES
