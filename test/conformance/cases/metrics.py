"""Metrics, through the logs of fit (running averages) and evaluate."""
from registry import case, compiled, keras, layers


def metric(name, make, shape=(4,), target="onehot", activation="softmax", loss="mse", **options):
    def build():
        inputs = keras.Input((6,) if len(shape) == 1 else (shape[0], 6), name="x0")
        model = keras.Model(inputs, layers.Dense(shape[-1], activation=activation, name="out")(inputs))
        made = lambda: make() if callable(make) else [make]
        return compiled(model, loss=loss, metrics=made(),
                        **({"weighted_metrics": made()} if options.get("sample_weight") else {}))

    options.setdefault("samples", 23)
    options.setdefault("batch", 5)
    options.setdefault("epochs", 2)
    case(f"metric_{name}", build, target=target, checks=("evaluate", "fit"), **options)


M = lambda cls, **options: lambda: [getattr(keras.metrics, cls)(**options)]
SPARSE = "sparse_categorical_crossentropy"

metric("accuracy_onehot", "accuracy")
metric("accuracy_sparse", "accuracy", target="classes", loss=SPARSE)
metric("accuracy_binary", "accuracy", (1,), "binary", "sigmoid", "binary_crossentropy")
metric("accuracy_acc", "acc", target="classes", loss=SPARSE)
metric("accuracy_sequence", "accuracy", (3, 5), "classes", loss=SPARSE)
metric("categorical_accuracy", M("CategoricalAccuracy"))
metric("categorical_accuracy_sequence", M("CategoricalAccuracy"), (3, 4))
metric("categorical_accuracy_name", M("CategoricalAccuracy", name="right"), (7,))
metric("sparse_categorical_accuracy", M("SparseCategoricalAccuracy"), target="classes", loss=SPARSE)
metric("sparse_categorical_accuracy_name", M("SparseCategoricalAccuracy", name="hits"), (3,), "classes", loss=SPARSE)
metric("sparse_categorical_accuracy_sequence", M("SparseCategoricalAccuracy"), (3, 5), "classes", loss=SPARSE)
metric("binary_accuracy", M("BinaryAccuracy"), (1,), "binary", "sigmoid", "binary_crossentropy")
metric("binary_accuracy_threshold", M("BinaryAccuracy", threshold=0.3), (3,), "binary", "sigmoid", "binary_crossentropy")
metric("binary_accuracy_string", "binary_accuracy", (2,), "binary", "sigmoid", "binary_crossentropy")
ROUND = lambda rng, shape: rng.integers(0, 2, shape).astype("float32")
metric("equality", M("Accuracy"), (2,), ROUND, "relu")
metric("equality_one", M("Accuracy"), (1,), ROUND, "relu")
metric("equality_sequence", M("Accuracy", name="same"), (3, 2), ROUND, "relu")
metric("mse", "mse", target="normal")
metric("mse_class", M("MeanSquaredError"), (1,), "normal", None, "mae")
metric("mse_sequence", M("MeanSquaredError", name="error"), (3, 2), "normal", None, "mae")
metric("mae", "mae", target="normal")
metric("mae_class", M("MeanAbsoluteError"), (1,), "normal", None)
metric("mae_sequence", "mean_absolute_error", (3, 2), "normal", None)
metric("several", lambda: ["mae", "mse", "accuracy"], target="onehot", loss="categorical_crossentropy")
metric("weighted", lambda: ["mae", "accuracy"], sample_weight=True, loss="categorical_crossentropy")
metric("weighted_sparse", lambda: ["sparse_categorical_accuracy"], target="classes", sample_weight=True, loss=SPARSE)

# True and false positives: probabilities, thresholds, curves.
BINARY = dict(shape=(1,), target="binary", activation="sigmoid", loss="binary_crossentropy")
LABELS = dict(shape=(3,), target="binary", activation="sigmoid", loss="binary_crossentropy")
metric("counts", lambda: [getattr(keras.metrics, c)(thresholds=t) for c, t in (
    ("TruePositives", None), ("FalsePositives", 0.4), ("TrueNegatives", [0.6]), ("FalseNegatives", 0.5))], **BINARY)
metric("precision", M("Precision"), **BINARY)
metric("precision_threshold", M("Precision", thresholds=0.3, name="p"), **LABELS)
metric("precision_class", M("Precision", class_id=2, thresholds=0.2))
metric("precision_string", lambda: ["Precision", "Recall", "AUC"], **BINARY)
metric("recall", M("Recall"), **BINARY)
metric("recall_class", M("Recall", class_id=0, thresholds=0.25))
metric("recall_weighted", M("Recall", thresholds=0.4), sample_weight=True, **LABELS)
metric("auc", M("AUC"), **BINARY)
metric("auc_few", M("AUC", num_thresholds=5), **LABELS)
metric("auc_classes", M("AUC"))
metric("auc_thresholds", M("AUC", thresholds=[0.2, 0.35, 0.7]), **LABELS)
metric("auc_labels", M("AUC", multi_label=True), **LABELS)
metric("auc_weighted", M("AUC", curve="PR"), sample_weight=True, **LABELS)
metric("auc_logits", lambda: [keras.metrics.AUC(from_logits=True)], (1,), "binary", None, "mse")
for curve in ("ROC", "PR", "PRGAIN"):
    for method in ("interpolation", "minoring", "majoring"):
        metric(f"auc_{curve.lower()}_{method}", M("AUC", curve=curve, summation_method=method, num_thresholds=20), **BINARY)
metric("at_rates", lambda: [keras.metrics.SensitivityAtSpecificity(0.6), keras.metrics.SpecificityAtSensitivity(0.7),
                            keras.metrics.PrecisionAtRecall(0.5), keras.metrics.RecallAtPrecision(0.4)], **LABELS)
metric("at_rates_class", lambda: [keras.metrics.PrecisionAtRecall(0.5, class_id=1),
                                  keras.metrics.RecallAtPrecision(0.2, num_thresholds=7)])
