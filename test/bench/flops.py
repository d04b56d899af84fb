"""What a model's work costs at least: floating-point operations, bytes that are
read or written, and bytes that are held, which say from which cache they come.

The operations are counted in the program that JAX traces, so gradients are
counted as they are: two operations for each multiply-add of a matrix product or
convolution, without those that meet padding or the zeros of a dilation. What is
elementwise is not counted, so the bound is a little low.
"""
import math


def of_jaxpr(jaxpr):
    """Floating-point operations of the contractions in a jaxpr. A scan counts
    its length, a branch its most expensive way, a while loop one round."""
    total = 0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            lhs = equation.invars[0].aval.shape
            total += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(lhs[d] for d in contracted)
        elif name == "conv_general_dilated":
            total += 2 * _convolution(equation)
        else:
            inner = [of_jaxpr(j) for value in parameters.values() for j in _jaxprs(value)]
            total += parameters["length"] * sum(inner) if name == "scan" else \
                max(inner, default=0) if name == "cond" else sum(inner)
    return total


def _jaxprs(value):
    if hasattr(value, "eqns"):
        yield value
    elif hasattr(value, "jaxpr"):
        yield value.jaxpr
    elif isinstance(value, (tuple, list)):
        for element in value:
            yield from _jaxprs(element)


def _convolution(equation):
    """Multiply-adds: for each output element the kernel's input features, and
    in each dimension the taps that meet an element of the input."""
    lhs, rhs = (v.aval.shape for v in equation.invars)
    out, p = equation.outvars[0].aval.shape, equation.params
    lhs_spec, rhs_spec, out_spec = p["dimension_numbers"]
    total = out[out_spec[0]] * out[out_spec[1]] * rhs[rhs_spec[1]]
    for d in range(len(p["window_strides"])):
        total *= _taps(lhs[lhs_spec[2 + d]], rhs[rhs_spec[2 + d]], out[out_spec[2 + d]], p["window_strides"][d],
                       p["padding"][d][0], p["lhs_dilation"][d], p["rhs_dilation"][d])
    return total


def _taps(size, kernel, out, stride, before, dilation, kernel_dilation):
    import numpy as np

    at = np.arange(out)[:, None] * stride + np.arange(kernel)[None, :] * kernel_dilation - before
    return int(np.count_nonzero((at >= 0) & (at <= (size - 1) * dilation) & (at % dilation == 0)))


def infer(model, x):
    """The cost of one inference on the inputs `x`: each weight is read once."""
    import jax

    state = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    jaxpr = jax.make_jaxpr(lambda t, n, v: model.stateless_call(t, n, v, training=False)[0])(*state, x)
    moved = sum(_bytes(v) for v in model.weights)
    for layer, rows in _embeddings(model, x):  # only the rows that are looked up
        moved += layer.output_dim * 4 * min(rows, layer.input_dim) - _bytes(layer.embeddings)
    moved += _size(x) + sum(math.prod(v.aval.shape) * 4 for v in jaxpr.jaxpr.outvars)
    return {"operations": of_jaxpr(jaxpr.jaxpr), "moved_bytes": moved, "held_bytes": moved}


def train(model, x, y):
    """The cost of one training step: each variable, also the optimizer's, is
    read and written."""
    import jax

    from peers.keras_jax import training_step

    step, state = training_step(model)
    jaxpr = jax.make_jaxpr(step)(state, x, y)
    variables = sum(_bytes(v) for v in [*model.weights, *model.optimizer.variables])
    data = _size(x) + _size(y)
    return {"operations": of_jaxpr(jaxpr.jaxpr), "moved_bytes": 2 * variables + data, "held_bytes": variables + data}


def _bytes(variable):
    return math.prod(variable.shape) * 4


def _size(arrays):
    return sum(a.nbytes for a in arrays) if isinstance(arrays, list) else arrays.nbytes


def _embeddings(model, x):
    """Pairs of an embedding that reads an input, and how many rows it looks up."""
    import keras

    arrays = x if isinstance(x, list) else [x]
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Embedding):
            yield layer, sum(a.size for i, a in zip(model.inputs, arrays)
                             if any(t is i for n in layer._inbound_nodes for t in n.input_tensors))
