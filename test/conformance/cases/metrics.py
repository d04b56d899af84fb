"""Metrics, through the logs of fit (running averages) and evaluate."""
import numpy as np

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
metric("counts_several", M("TruePositives", thresholds=[0.3, 0.5, 0.6], name="hits"), **BINARY)
metric("precision_thresholds", lambda: [keras.metrics.Precision(thresholds=[0.2, 0.5]), keras.metrics.Recall([0.4, 0.6, 0.3])], **LABELS)
metric("precision_top", M("Precision", top_k=2), (5,))
metric("recall_top", lambda: [keras.metrics.Recall(top_k=1, name="one"), keras.metrics.Recall(top_k=3, name="three")], (5,))
metric("precision_top_threshold", M("Precision", top_k=2, thresholds=0.25, class_id=1))
metric("recall_top_weighted", M("Recall", top_k=2), sample_weight=True)
metric("auc_label_weights", M("AUC", label_weights=[0.5, 2.0, 1.0]), **LABELS)
metric("auc_label_weights_apart", M("AUC", multi_label=True, num_labels=3, label_weights=[0.5, 2.0, 1.0]), **LABELS)
metric("auc_label_weights_pr", M("AUC", multi_label=True, label_weights=[3.0, 1.0, 0.25], curve="PR"), **LABELS)
metric("auc_labels_logits", M("AUC", multi_label=True, from_logits=True), (3,), "binary", None)
metric("auc_labels_weighted", M("AUC", multi_label=True, label_weights=[1.0, 4.0, 0.0]), sample_weight=True, **LABELS)

# Sums for each column of the output.
F = lambda cls, **options: lambda: [getattr(keras.metrics, cls)(average=a, name=a or "each", **options)
                                    for a in (None, "micro", "macro", "weighted")]
metric("f1", F("F1Score"))
metric("f1_threshold", F("F1Score", threshold=0.3), **LABELS)
metric("f1_binary", M("F1Score", threshold=0.5), **BINARY)
metric("f1_weighted", F("F1Score"), sample_weight=True)
metric("f1_string", lambda: ["f1_score"], target="onehot")
metric("fbeta", F("FBetaScore", beta=2.0))
metric("fbeta_threshold", F("FBetaScore", beta=0.5, threshold=0.6), **LABELS)
metric("fbeta_weighted", M("FBetaScore", beta=0.7, average="weighted"), (6,), sample_weight=True)
LINE = dict(target="normal", activation=None)
R = lambda **options: lambda: [keras.metrics.R2Score(class_aggregation=a, name=a or "each", **options)
                               for a in (None, "uniform_average", "variance_weighted_average")]
metric("r2", R(), **LINE)
metric("r2_one", M("R2Score"), (1,), **LINE)
metric("r2_weighted", R(), (2,), sample_weight=True, **LINE)
metric("r2_constant", M("R2Score"), (2,), lambda rng, shape: np.ones(shape, "float32"), None)


def adjusted(samples, regressors):
    """R2 adjusted for regressors, which Keras on JAX cannot trace, from its formula and R2 itself."""

    def build():
        inputs = keras.Input((6,), name="x0")
        made = [keras.metrics.R2Score(name="r2"), keras.metrics.R2Score(num_regressors=regressors, name="adjusted")]
        return compiled(keras.Model(inputs, layers.Dense(2, name="out")(inputs)), metrics=made)

    def check(program):
        logs, n = program.evaluate(), 2 * samples  # Keras counts elements
        want = 1 - (1 - logs["r2"]) * (n - 1) / (n - regressors - 1) if n > regressors + 1 else logs["r2"]
        close = abs(logs["adjusted"] - want) <= 1e-5 * abs(want)
        return [] if close else [f"adjusted: {logs['adjusted']} instead of {want}"]

    case(f"metric_r2_adjusted_{regressors}", build, samples=samples, checks=(), script=check)


for regressors in (1, 3, 13, 20):
    adjusted(7, regressors)

# Intersections of classes. Masks of images are segmented pixel by pixel.
metric("iou_indices", M("IoU", num_classes=3, target_class_ids=[0, 2], sparse_y_pred=False), (3,), "classes", loss=SPARSE)
metric("iou_pixels", M("MeanIoU", num_classes=4, sparse_y_pred=False), (7, 4), "classes", loss=SPARSE)
metric("iou_ignored", M("MeanIoU", num_classes=4, sparse_y_pred=False, ignore_class=1, name="iou"), (7, 4), "classes", loss=SPARSE)
metric("iou_more_classes", M("MeanIoU", num_classes=9, sparse_y_pred=False), (5, 3), "classes", loss=SPARSE)
metric("iou_fewer_classes", M("MeanIoU", num_classes=2, sparse_y_pred=False), (5, 4), "classes", loss=SPARSE)
metric("iou_float", M("MeanIoU", num_classes=4, sparse_y_pred=False, dtype="float32"), (4,), "classes", loss=SPARSE, sample_weight=True)
metric("iou_integer_weights", M("MeanIoU", num_classes=4, sparse_y_pred=False), (4,), "classes", loss=SPARSE, sample_weight=True)
metric("iou_binary", M("BinaryIoU"), **BINARY)
metric("iou_binary_class", M("BinaryIoU", target_class_ids=[1], threshold=0.4), **LABELS)
metric("iou_binary_pixels", M("BinaryIoU", threshold=0.55), (6, 1), "binary", "sigmoid", "binary_crossentropy")
metric("iou_rounded", M("IoU", num_classes=2, target_class_ids=[0, 1]), (2,), ROUND, "relu")
metric("iou_onehot", M("OneHotIoU", num_classes=4, target_class_ids=[1, 3]))
metric("iou_onehot_mean", M("OneHotMeanIoU", num_classes=4))
metric("iou_onehot_pixels", M("OneHotMeanIoU", num_classes=3, ignore_class=0), (5, 3))

metric("pearson", M("PearsonCorrelation"), **LINE)
metric("pearson_sequence", M("PearsonCorrelation", axis=1), (5, 2), **LINE)
metric("concordance", M("ConcordanceCorrelation"), (6,), **LINE)
metric("concordance_weighted", M("ConcordanceCorrelation"), (6,), sample_weight=True, **LINE)
metric("wrapper", lambda: [keras.metrics.MeanMetricWrapper(keras.losses.binary_crossentropy, name="bce"),
                           keras.metrics.MeanMetricWrapper(keras.losses.binary_crossentropy, from_logits=True, name="logits")], **BINARY)
