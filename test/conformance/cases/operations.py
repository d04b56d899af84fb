"""keras.ops and Python's operators on symbolic tensors."""
from registry import layer, layers, ops


def one(name, call, shape=(4, 5), **options):
    """The operation in front of a Dense, so that its result matters."""
    layer(f"op_{name}", shape, lambda x: layers.Dense(3)(call(x)), **options)


def two(name, call, shapes=((4, 5), (4, 5))):
    layer(f"op_{name}", list(shapes), lambda a, b: layers.Dense(3)(call(a, b)))


for name in "exp expm1".split():
    one(name, lambda x, name=name: getattr(ops, name)(x * 0.3))
for name in "negative absolute sin cos tanh erf square".split():
    one(name, lambda x, name=name: getattr(ops, name)(x))
for name in "log log2 log10 sqrt rsqrt reciprocal".split():
    one(name, lambda x, name=name: getattr(ops, name)(ops.absolute(x) + 0.5))
one("log1p", lambda x: ops.log1p(ops.absolute(x)))
for name in "sum mean max min prod var std".split():
    # A bias in front shifts the mean, which these do not see.
    one(f"{name}", lambda x, name=name: getattr(ops, name)(x, axis=1), idle=("front0/bias",) if name in ("var", "std") else ())
    one(f"{name}_keepdims", lambda x, name=name: getattr(ops, name)(x, axis=-1, keepdims=True))
one("mean_all_axes", lambda x: ops.mean(x, axis=(1, 2), keepdims=True), (4, 5, 3))
one("logsumexp", lambda x: ops.logsumexp(x, axis=1))
one("clip", lambda x: ops.clip(x, -0.5, 0.7))
one("normalize", lambda x: ops.normalize(x, axis=-1))
one("transpose", lambda x: ops.transpose(x, (0, 2, 1)))
one("swapaxes", lambda x: ops.swapaxes(x, 1, 2))
one("reshape", lambda x: ops.reshape(x, (-1, 2, 10)))
one("expand_squeeze", lambda x: ops.squeeze(ops.expand_dims(x, 2), 2))
one("flip", lambda x: ops.flip(x, axis=1))
one("repeat", lambda x: ops.repeat(x, 3, axis=1))
one("split", lambda x: ops.add(*ops.split(x, 2, axis=1)))
one("slice", lambda x: x[:, 1:3])
one("index", lambda x: x[:, -1])
one("new_axis", lambda x: x[:, None, 1:, ::2])
one("ellipsis", lambda x: x[..., 1:4])
one("scalar_arithmetic", lambda x: 1.5 - 2 * x / 3 + x ** 2)
one("where", lambda x: ops.where(x > 0.2, x, x * 0.1))
one("stop_gradient", lambda x: x + ops.stop_gradient(x * x))
one("comparison", lambda x: ops.cast(x > 0, "float32") * x)
one("logical", lambda x: ops.cast(ops.logical_and(x > 0, x < 1), "float32") * x)
one("floor_ceil", lambda x: x + ops.floor(x) - ops.ceil(x))
one("one_hot", lambda x: ops.one_hot(x, 6), (4,), dtype="int32", upper=6)
one("argmax", lambda x: ops.cast(ops.argmax(x, axis=1), "float32") + ops.sum(x, axis=1))

for name in "add subtract multiply maximum minimum".split():
    two(name, lambda a, b, name=name: getattr(ops, name)(a, b))
two("divide", lambda a, b: a / (ops.absolute(b) + 1))
two("power", lambda a, b: (ops.absolute(a) + 0.5) ** b)
two("matmul", lambda a, b: ops.matmul(a, b), ((4, 5), (5, 3)))
two("einsum", lambda a, b: ops.einsum("bij,bkj->bik", a, b), ((4, 5), (6, 5)))
two("broadcast", lambda a, b: a * b - b, ((4, 5), (1, 5)))
two("concatenate", lambda a, b: ops.concatenate([a, b], axis=1), ((4, 5), (2, 5)))
two("stack", lambda a, b: ops.stack([a, b], axis=1))
two("modulo", lambda a, b: a % (ops.absolute(b) + 0.5))
for name in "relu sigmoid gelu silu softmax log_softmax softplus leaky_relu elu".split():
    one(f"nn_{name}", lambda x, name=name: getattr(ops, name)(x))
