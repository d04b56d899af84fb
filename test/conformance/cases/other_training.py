"""Losses, metrics and optimizers beyond the common ones."""

from cases.losses import L, loss
from cases.metrics import M, metric
from cases.optimizers import optimizer

POSITIVE = lambda rng, shape: rng.uniform(0.5, 2, shape).astype("float32")
SIGNS = lambda rng, shape: (2 * rng.integers(0, 2, shape) - 1).astype("float32")
SHARES = lambda rng, shape: (lambda v: v / v.sum(-1, keepdims=True))(rng.uniform(0.1, 1, shape)).astype("float32")

for short, cls, target, activation in [
    ("mape", "MeanAbsolutePercentageError", POSITIVE, "softplus"),
    ("msle", "MeanSquaredLogarithmicError", POSITIVE, "softplus"),
    ("cosine", "CosineSimilarity", "normal", None),
    ("log_cosh", "LogCosh", "normal", None),
    ("hinge", "Hinge", SIGNS, "tanh"),
    ("squared_hinge", "SquaredHinge", SIGNS, "tanh"),
    ("categorical_hinge", "CategoricalHinge", "onehot", None),
    ("kl", "KLDivergence", SHARES, "softmax"),
    ("poisson", "Poisson", POSITIVE, "softplus"),
    ("binary_focal", "BinaryFocalCrossentropy", "binary", "sigmoid"),
    ("categorical_focal", "CategoricalFocalCrossentropy", "onehot", "softmax"),
    ("dice", "Dice", "onehot", "softmax"),
    ("tversky", "Tversky", "onehot", "softmax"),
]:
    loss(f"{short}", L(cls), (4,), target, activation)
    loss(f"{short}_sequence", L(cls), (3, 4), target, activation)
    if cls not in ("Dice", "Tversky"):  # one value for the whole batch
        loss(f"{short}_weights", L(cls), (3,), target, activation, sample_weight=True)
loss("hinge_zero_one", L("Hinge"), (3,), "binary", "tanh")
loss("binary_focal_logits", L("BinaryFocalCrossentropy", from_logits=True, apply_class_balancing=True, gamma=1.5), (3,), "binary")
loss("generalized_cross_entropy", L("CategoricalGeneralizedCrossEntropy", q=0.4), (4,), "classes", "softmax")

SPARSE = "sparse_categorical_crossentropy"
metric("top_k", M("TopKCategoricalAccuracy", k=2), (5,))
metric("top_k_default", M("TopKCategoricalAccuracy"), (9,))
metric("sparse_top_k", M("SparseTopKCategoricalAccuracy", k=3), (7,), "classes", loss=SPARSE)
metric("sparse_top_k_sequence", M("SparseTopKCategoricalAccuracy", k=2), (3, 5), "classes", loss=SPARSE)
metric("rmse", M("RootMeanSquaredError"), (3,), "normal", None)
metric("rmse_sequence", M("RootMeanSquaredError", name="root"), (3, 2), "normal", None)
metric("cosine", M("CosineSimilarity"), (4,), "normal", None)
metric("cosine_sequence", M("CosineSimilarity"), (3, 4), "normal", None)
metric("log_cosh", M("LogCoshError"), (3,), "normal", None)
metric("crossentropies", lambda: ["categorical_crossentropy", "kl_divergence", "poisson"], (4,), "onehot")
metric("binary_crossentropy", M("BinaryCrossentropy"), (3,), "binary", "sigmoid")
metric("sparse_crossentropy", M("SparseCategoricalCrossentropy"), (4,), "classes", loss=SPARSE)

optimizer("adamax", "Adamax", learning_rate=0.01)
optimizer("adamax_options", "Adamax", learning_rate=0.02, beta_1=0.8, beta_2=0.9, weight_decay=0.1)
optimizer("nadam", "Nadam", learning_rate=0.01)
optimizer("nadam_options", "Nadam", learning_rate=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-4)
optimizer("adagrad", "Adagrad", learning_rate=0.05)
optimizer("adagrad_options", "Adagrad", learning_rate=0.1, initial_accumulator_value=0.5, epsilon=1e-3, clipnorm=0.1)
optimizer("adadelta", "Adadelta", learning_rate=1.0, epsilon=1e-3)
optimizer("adadelta_options", "Adadelta", learning_rate=5.0, rho=0.8, epsilon=1e-2)
optimizer("lion", "Lion", learning_rate=0.003)
optimizer("lion_options", "Lion", learning_rate=0.003, beta_1=0.8, beta_2=0.9, weight_decay=0.1)
