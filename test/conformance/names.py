"""The names of a model's variables as Cornu writes them: the enclosing models,
wrappers and cells joined with `/`, without the top-level model.

Keras's own `variable.path` depends on how the model was built.
"""


def variable_names(model):
    """Pairs (name, variable) of all weights, each shared one once."""
    found, seen = [], set()

    def visit(layer, prefix):
        for variable in [*layer._trainable_variables, *layer._non_trainable_variables]:
            if id(variable) not in seen and "seed_generator" not in variable.path:
                seen.add(id(variable))
                found.append((prefix + variable.name, variable))
        children = layer.layers if hasattr(layer, "layers") and hasattr(layer, "summary") else layer._layers
        for child in children:
            if hasattr(child, "_trainable_variables"):
                visit(child, f"{prefix}{child.name}/")

    visit(model, "")
    missing = [w.path for w in model.weights if id(w) not in seen]
    if missing:
        raise ValueError(f"no names for {missing}")
    return found
