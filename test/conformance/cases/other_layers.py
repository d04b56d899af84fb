"""Layers beyond the common ones: other normalizations, attention, cells, 3D, preprocessing."""
from registry import case, compiled, keras, layer, layers

BIAS = {"idle": ("front0/bias",)}

# --- normalization
layer("group_normalization", (5, 4, 6), lambda x: layers.GroupNormalization(3)(x), **BIAS)
layer("group_normalization_instance", (5, 4, 3), lambda x: layers.GroupNormalization(-1)(x), **BIAS)
layer("group_normalization_plain", (7, 8), lambda x: layers.GroupNormalization(2, center=False, scale=False, epsilon=1e-2)(x), **BIAS)
layer("rms_normalization", (9,), lambda x: layers.RMSNormalization()(x))
layer("rms_normalization_sequence", (5, 7), lambda x: layers.RMSNormalization(epsilon=1e-3)(x))
layer("rms_normalization_image", (3, 4, 6), lambda x: layers.RMSNormalization()(x))
layer("unit_normalization", (9,), lambda x: layers.UnitNormalization()(x))
layer("unit_normalization_sequence", (5, 4), lambda x: layers.UnitNormalization()(x))
layer("unit_normalization_axes", (3, 4, 2), lambda x: layers.UnitNormalization(axis=[1, 2])(x))

# --- dense
layer("einsum_dense", (5, 6), lambda x: layers.EinsumDense("abc,cd->abd", output_shape=(5, 7), bias_axes="d")(x))
layer("einsum_dense_heads", (5, 6), lambda x: layers.EinsumDense("abc,cde->abde", output_shape=(5, 2, 3), bias_axes="de")(x))
layer("einsum_dense_ellipsis", (4, 6), lambda x: layers.EinsumDense("...x,xy->...y", output_shape=5, activation="relu")(x))

# --- attention
for name, options in {"": {}, "_scale": {"use_scale": True}}.items():
    layer(f"dot_attention{name}", [(4, 5), (6, 5)], lambda q, v, o=options: layers.Attention(**o)([q, v]))
layer("dot_attention_concat", [(4, 5), (6, 5)], lambda q, v: layers.Attention(score_mode="concat")([q, v]))
layer("dot_attention_key", [(4, 5), (6, 3), (6, 5)], lambda q, v, k: layers.Attention()([q, v, k]), idle=("front2/bias",))
layer("dot_attention_causal", (6, 4), lambda x: layers.Attention()([x, x], use_causal_mask=True))
layer("additive_attention", [(4, 5), (6, 5)], lambda q, v: layers.AdditiveAttention()([q, v]))
layer("additive_attention_plain", [(4, 3), (5, 3)], lambda q, v: layers.AdditiveAttention(use_scale=False)([q, v]))
layer("additive_attention_self", (6, 4), lambda x: layers.AdditiveAttention()([x, x]))
QUERY = {"idle": ("key/bias",)}
layer("group_query_attention", (5, 8), lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x), **QUERY)
layer("group_query_attention_one", (5, 6), lambda x: layers.GroupQueryAttention(3, 4, 1)(x, x), **QUERY)
layer("group_query_attention_cross", [(4, 6), (7, 6)], lambda q, v: layers.GroupQueryAttention(3, 2, 2, use_bias=False)(q, v))

# --- cells, masks
layer("rnn_lstm_cell", (6, 3), lambda x: layers.RNN(layers.LSTMCell(4))(x))
layer("rnn_stacked", (6, 3), lambda x: layers.RNN([layers.LSTMCell(4), layers.GRUCell(5)], return_sequences=True)(x))
layer("rnn_simple_cell", (6, 3), lambda x: layers.RNN(layers.SimpleRNNCell(4), go_backwards=True)(x))


def some_steps_zero(rng, shape):
    values = rng.standard_normal(shape).astype("float32")
    values[:, 1::2] *= rng.integers(0, 2, values[:, 1::2].shape[:2])[..., None]
    return values


for name in ("LSTM", "GRU", "SimpleRNN"):
    layer(f"masking_{name.lower()}", (6, 3), lambda x, name=name: getattr(layers, name)(4)(layers.Masking()(x)), front=False,
          inputs={"x0": some_steps_zero})
layer("masking_sequences", (6, 3), lambda x: layers.GlobalAveragePooling1D()(layers.LSTM(4, return_sequences=True)(layers.Masking()(x))),
      front=False, inputs={"x0": some_steps_zero})
layer("masking_attention", (6, 4), lambda x: layers.Flatten()(layers.MultiHeadAttention(2, 3)(y := layers.Masking()(x), y)), front=False,
      inputs={"x0": some_steps_zero}, **QUERY)

# --- three dimensions
layer("conv3d_valid", (5, 6, 4, 2), lambda x: layers.Conv3D(3, 3)(x))
layer("conv3d_stride", (5, 6, 7, 2), lambda x: layers.Conv3D(4, 3, strides=2, padding="same")(x))
layer("conv3d_transpose", (3, 4, 2, 3), lambda x: layers.Conv3DTranspose(2, 3, strides=2, padding="same")(x))
for kind in ("Max", "Average"):
    layer(f"{kind.lower()}_pooling3d", (4, 5, 6, 2), lambda x, kind=kind: getattr(layers, f"{kind}Pooling3D")(2)(x))
    layer(f"{kind.lower()}_pooling3d_same", (5, 4, 3, 2), lambda x, kind=kind: getattr(layers, f"{kind}Pooling3D")(2, padding="same")(x))
    layer(f"global_{kind.lower()}_pooling3d", (3, 4, 2, 5), lambda x, kind=kind: getattr(layers, f"Global{kind}Pooling3D")()(x))
layer("zero_padding3d", (2, 3, 4, 2), lambda x: layers.ZeroPadding3D(((0, 1), (1, 0), (2, 1)))(x))
layer("cropping3d", (4, 5, 6, 2), lambda x: layers.Cropping3D(((0, 1), (1, 0), (2, 1)))(x))
layer("up_sampling3d", (2, 3, 2, 2), lambda x: layers.UpSampling3D((2, 1, 2))(x))
layer("separable_conv1d_stride", (9, 3), lambda x: layers.SeparableConv1D(5, 3, strides=2, padding="same", depth_multiplier=2)(x))
layer("depthwise_conv1d_stride", (9, 3), lambda x: layers.DepthwiseConv1D(3, strides=2, padding="same", depth_multiplier=2)(x))
layer("conv1d_transpose_valid", (5, 3), lambda x: layers.Conv1DTranspose(4, 3, strides=2)(x))

# --- preprocessing
layer("normalization", (3,), lambda x: layers.Normalization(mean=[1.0, -2.0, 0.5], variance=[4.0, 0.25, 1.0])(x))
layer("normalization_scalar", (4, 3), lambda x: layers.Normalization(axis=None, mean=0.5, variance=2.0)(x))
layer("normalization_invert", (3,), lambda x: layers.Normalization(mean=[1.0, -2.0, 0.5], variance=[4.0, 0.25, 1.0], invert=True)(x))
for name, options in {"": {}, "_nearest": {"interpolation": "nearest"}}.items():
    layer(f"resizing{name}_up", (4, 5, 2), lambda x, o=options: layers.Resizing(7, 11, **o)(x))
    layer(f"resizing{name}_down", (9, 8, 2), lambda x, o=options: layers.Resizing(4, 5, **o)(x))
layer("center_crop", (7, 8, 2), lambda x: layers.CenterCrop(4, 5)(x))
for mode in ("multi_hot", "count"):
    layer(f"category_encoding_{mode}", (4,), lambda x, mode=mode: layers.Dense(3)(layers.CategoryEncoding(num_tokens=6, output_mode=mode)(x)),
          dtype="int32", upper=6)
layer("category_encoding_one_hot", (1,), lambda x: layers.Dense(3)(layers.CategoryEncoding(num_tokens=6, output_mode="one_hot")(x)),
      dtype="int32", upper=6)


def augmented():
    inputs = keras.Input((8, 8, 3), name="x0")
    x = layers.RandomContrast(0.1)(layers.RandomRotation(0.1)(layers.RandomFlip()(inputs)))
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x))))


case("augmentation_in_inference", augmented, checks=("predict",), compile_flags=("--inference-only",))

# --- losses of layers, and layers that are silent in inference
layer("activity_regularization", (5,), lambda x: layers.ActivityRegularization(l1=0.02, l2=0.03)(x))
layer("activity_regularizer_of_dense", (5,), lambda x: layers.Dense(4, activity_regularizer=keras.regularizers.L2(0.05))(x))
layer("activity_regularizer_of_conv", (5, 4, 2), lambda x: layers.Conv2D(3, 2, activity_regularizer="l1")(x))
for name, make in {"gaussian_noise": lambda: layers.GaussianNoise(0.5), "gaussian_dropout": lambda: layers.GaussianDropout(0.3),
                   "alpha_dropout": lambda: layers.AlphaDropout(0.3), "spatial_dropout2d": lambda: layers.SpatialDropout2D(0.3)}.items():
    layer(f"{name}_in_inference", (4, 3, 5), lambda x, make=make: layers.Dense(3)(make()(x)), checks=("predict", "evaluate"))

# --- constraints of training
layer("bidirectional_gru_mul_sequences", (5, 3), lambda x: layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="mul")(x))
layer("multiply_broadcast_channels", [(5, 4, 3), (1, 1, 3)], lambda a, b: layers.Multiply()([a, b]))
