"""Conv1D/2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose."""
from registry import layer, layers

FIRST = "channels_first"


def conv1d(name, shape, *args, **options):
    layer(f"conv1d_{name}", shape, lambda x: layers.Conv1D(*args, **options)(x))


conv1d("valid", (11, 3), 4, 3)
conv1d("same_even_kernel", (11, 3), 5, 4, padding="same", activation="relu")
conv1d("causal", (9, 2), 3, 3, padding="causal")
conv1d("causal_dilated", (13, 2), 3, 3, padding="causal", dilation_rate=2)
conv1d("causal_stride", (12, 2), 3, 3, padding="causal", strides=2)
conv1d("stride_same", (10, 3), 4, 3, padding="same", strides=2)
conv1d("dilated", (15, 3), 4, 3, dilation_rate=3)
conv1d("groups", (8, 6), 4, 3, groups=2)
conv1d("first", (3, 10), 4, 3, data_format=FIRST, padding="same")
conv1d("kernel_1", (7, 5), 6, 1, use_bias=False)
conv1d("wide", (20, 33), 40, 5, padding="same", activation="tanh")


def conv2d(name, shape, *args, front=True, samples=7, batch=3, **options):
    layer(f"conv2d_{name}", shape, lambda x: layers.Conv2D(*args, **options)(x), front, samples=samples, batch=batch)


conv2d("valid", (7, 6, 3), 4, 3)
conv2d("same", (7, 6, 3), 5, 3, padding="same", activation="relu")
conv2d("same_stride_2_odd", (7, 9, 3), 4, 3, padding="same", strides=2)
conv2d("same_stride_2_even", (8, 6, 3), 4, 3, padding="same", strides=2)
conv2d("stride_3", (11, 10, 2), 3, 2, strides=(3, 2))
conv2d("kernel_1", (5, 4, 7), 9, 1)
conv2d("kernel_1_stride_2", (7, 7, 5), 6, 1, strides=2, padding="same", use_bias=False)
conv2d("kernel_5_same", (9, 8, 1), 6, 5, padding="same")
conv2d("rectangular", (9, 7, 3), 4, (4, 1), padding="same")
conv2d("dilated", (9, 9, 2), 3, 3, dilation_rate=2)
conv2d("dilated_same", (8, 7, 2), 3, (3, 2), dilation_rate=(2, 3), padding="same")
conv2d("groups", (6, 5, 6), 9, 3, groups=3)
conv2d("groups_depthwise", (6, 5, 4), 4, 3, groups=4, padding="same")
conv2d("first", (3, 7, 6), 4, 3, data_format=FIRST, padding="same")
conv2d("first_stride", (2, 9, 8), 5, 3, data_format=FIRST, strides=2)
conv2d("one_channel", (12, 11, 1), 3, 3, front=False)
conv2d("whole_image", (5, 4, 3), 6, (5, 4))
conv2d("wide", (9, 8, 17), 35, 3, padding="same", activation="relu")
conv2d("wide_batch", (6, 6, 16), 32, 3, padding="same", samples=33, batch=16)
conv2d("activation_gelu", (6, 6, 3), 4, 3, activation="gelu")


def depthwise(name, shape, *args, **options):
    layer(f"depthwise_conv2d_{name}", shape, lambda x: layers.DepthwiseConv2D(*args, **options)(x))


depthwise("valid", (7, 6, 3), 3)
depthwise("same", (7, 6, 5), 3, padding="same", activation="relu")
depthwise("stride_2", (8, 7, 4), 3, padding="same", strides=2)
depthwise("multiplier", (6, 5, 3), 3, depth_multiplier=2)
depthwise("dilated", (9, 8, 3), 3, dilation_rate=2, use_bias=False)
depthwise("first", (3, 7, 6), 3, data_format=FIRST, padding="same")
depthwise("wide", (6, 5, 37), 3, padding="same")
depthwise("kernel_5", (9, 9, 8), 5, padding="same", strides=2)


def separable(name, shape, *args, **options):
    layer(f"separable_conv2d_{name}", shape, lambda x: layers.SeparableConv2D(*args, **options)(x))


separable("valid", (7, 6, 3), 4, 3)
separable("same", (7, 6, 4), 5, 3, padding="same", activation="relu")
separable("stride", (9, 8, 3), 4, 3, strides=2, padding="same")
separable("multiplier", (6, 5, 3), 4, 2, depth_multiplier=3, use_bias=False)
separable("first", (3, 7, 6), 4, 3, data_format=FIRST)
# Images of several blocks of rows, and windows of one row or column.
separable("blocks", (24, 9, 8), 6, 5, padding="same", activation="relu")
separable("row", (20, 9, 8), 6, (1, 3), padding="same")
separable("column", (20, 9, 8), 6, (3, 1), padding="same")
layer("separable_conv1d", (11, 3), lambda x: layers.SeparableConv1D(4, 3, padding="same")(x))
layer("depthwise_conv1d", (11, 3), lambda x: layers.DepthwiseConv1D(3, padding="same")(x))
layer("conv3d", (5, 4, 6, 2), lambda x: layers.Conv3D(3, 2, padding="same")(x))


def transpose(name, shape, *args, **options):
    layer(f"conv2d_transpose_{name}", shape, lambda x: layers.Conv2DTranspose(*args, **options)(x))


transpose("valid", (4, 5, 3), 4, 3)
transpose("same_stride_2", (4, 5, 3), 4, 3, strides=2, padding="same", activation="relu")
transpose("valid_stride_2", (4, 3, 3), 2, 3, strides=2)
transpose("stride_beyond_kernel", (3, 4, 2), 3, 2, strides=3)
transpose("kernel_4_stride_2", (5, 4, 3), 4, 4, strides=2, padding="same")
transpose("output_padding", (4, 4, 2), 3, 3, strides=2, padding="same", output_padding=1)
transpose("same_stride_1", (5, 6, 3), 4, 3, padding="same", use_bias=False)
transpose("first", (3, 4, 5), 4, 3, strides=2, data_format=FIRST, padding="same")
layer("conv1d_transpose", (6, 3), lambda x: layers.Conv1DTranspose(4, 3, strides=2, padding="same")(x))
