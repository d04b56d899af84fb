"""Writes a model as the `.h5` file that Keras 2 wrote: objects without modules,
nodes as nested lists, `batch_input_shape`, weight names that end in `:0`.
"""
import inspect
import json

import h5py
import numpy as np

# Keys that Keras 2 had on these classes and Keras 3 has not.
EXTRA = {
    "LSTM": {"time_major": False, "implementation": 2},
    "GRU": {"time_major": False, "implementation": 2},
    "DepthwiseConv2D": {"groups": 1},
    "SeparableConv2D": {"groups": 1},
    "Embedding": {"input_length": None},
}
DROPPED = {"optional", "quantization_config", "use_cudnn", "zero_output_for_mask", "renorm",
           "renorm_clipping", "renorm_momentum", "synchronized"}


def plain(value, keep_modules=False):
    """The value without module names, dtype policies as strings."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if "class_name" in value and "config" in value:
        return {"class_name": value["class_name"], "config": plain(value["config"])}
    return {k: plain(v) for k, v in value.items() if k not in DROPPED}


def history(tensor):
    return list(tensor["config"]["keras_history"])


def named_arguments(layer, arguments):
    """Those after the first, which Keras 2 writes by their names: {name: argument}."""
    import keras

    names = list(inspect.signature(getattr(keras.layers, layer).call).parameters)[2:]
    return dict(zip(names, arguments))


def node(call, layer):
    """One call of a layer: a list of [layer, node, tensor, kwargs]."""
    tensors, rest = [], {}

    def collect(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            tensors.append(history(value))
        elif isinstance(value, list):
            for v in value:
                collect(v)

    first, *others = call["args"] or [None]
    collect(first)
    named = named_arguments(layer, others) if others else {}
    for key, value in {**named, **call["kwargs"]}.items():
        if key == "initial_state" and value:
            rest[key] = [history(v) for v in (value if isinstance(value, list) else [value])]
        elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            rest[key] = history(value)
        elif value is not None and key not in ("training", "mask"):
            rest[key] = value
    return [[*t, dict(rest)] for t in tensors]


def layer_config(entry):
    name, config = entry["class_name"], entry["config"]
    if name in ("Functional", "Sequential", "Model"):
        return model_config(entry)
    config = plain(config)
    config.update(EXTRA.get(name, {}))
    if name == "InputLayer":
        config["batch_input_shape"] = config.pop("batch_shape")
    if name == "BatchNormalization":
        config["axis"] = [config["axis"]]
    return {"class_name": name, "config": config}


def triples(value):
    return [value] if value and isinstance(value[0], str) else value


def model_config(entry):
    config = entry["config"]
    new = {"name": config["name"], "layers": []}
    if entry["class_name"] == "Sequential":
        new["layers"] = [layer_config(l) for l in config["layers"]]
        return {"class_name": "Sequential", "config": new}
    for entry_ in config["layers"]:
        converted = layer_config(entry_)
        converted["name"] = entry_["config"].get("name", entry_.get("name"))
        converted["inbound_nodes"] = [node(n, entry_["class_name"]) for n in entry_["inbound_nodes"]]
        new["layers"].append(converted)
    new["input_layers"] = triples(config["input_layers"])
    new["output_layers"] = triples(config["output_layers"])
    return {"class_name": "Functional", "config": new}


def training_config(compile_config):
    optimizer = plain(compile_config["optimizer"])
    keep = {"name", "learning_rate", "momentum", "nesterov", "beta_1", "beta_2", "epsilon", "rho", "amsgrad", "centered"}
    optimizer["config"] = {k: v for k, v in optimizer["config"].items() if k in keep}
    optimizer["config"]["decay"] = 0.0
    return {
        "loss": plain(compile_config["loss"]),
        "metrics": [plain(compile_config["metrics"])],
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": optimizer,
    }


def write(model, path):
    serialized = json.loads(model.to_json())
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_("2.15.0")
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = np.bytes_(json.dumps(model_config(serialized)))
        file.attrs["training_config"] = np.bytes_(json.dumps(training_config(serialized["compile_config"])))
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [np.bytes_(l.name) for l in model.layers]
        weights.attrs["keras_version"] = np.bytes_("2.15.0")
        weights.attrs["backend"] = np.bytes_("tensorflow")
        weights.create_group("top_level_model_weights").attrs["weight_names"] = np.array([], dtype="S1")
        for layer in model.layers:
            group = weights.create_group(layer.name)
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            variables = [v for v in variables if "seed_generator" not in v.path]
            paths = [f"{v.path}:0" for v in variables]
            group.attrs["weight_names"] = [np.bytes_(p) for p in paths] or np.array([], dtype="S1")
            for name, variable in zip(paths, variables):
                group.create_dataset(name, data=np.asarray(variable))
