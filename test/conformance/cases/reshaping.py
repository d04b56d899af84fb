"""Flatten, Reshape, Permute, RepeatVector, padding, cropping, upsampling."""
from registry import layer, layers

FIRST = "channels_first"


def one(name, shape, make, **options):
    layer(name, shape, lambda x: make()(x), **options)


one("flatten_image", (4, 3, 2), lambda: layers.Flatten())
one("flatten_first", (2, 4, 3), lambda: layers.Flatten(data_format=FIRST))
one("flatten_sequence", (5, 3), lambda: layers.Flatten())
layer("flatten_dense", (4, 3, 2), lambda x: layers.Dense(3)(layers.Flatten()(x)))

one("reshape_split", (12,), lambda: layers.Reshape((3, 4)))
one("reshape_infer", (6, 4), lambda: layers.Reshape((-1, 8)))
one("reshape_image", (24,), lambda: layers.Reshape((2, 3, 4)))
one("reshape_merge", (2, 3, 4), lambda: layers.Reshape((24,)))

one("permute_2_1", (5, 3), lambda: layers.Permute((2, 1)))
one("permute_3_1_2", (4, 3, 2), lambda: layers.Permute((3, 1, 2)))
one("permute_2_1_3", (4, 3, 5), lambda: layers.Permute((2, 1, 3)))

for n in (1, 3, 8):
    one(f"repeat_vector_{n}", (5,), lambda n=n: layers.RepeatVector(n))

one("zero_padding1d", (5, 3), lambda: layers.ZeroPadding1D(2))
one("zero_padding1d_uneven", (5, 3), lambda: layers.ZeroPadding1D((1, 3)))
one("zero_padding1d_left", (6, 2), lambda: layers.ZeroPadding1D((2, 0)))
one("zero_padding2d", (4, 3, 2), lambda: layers.ZeroPadding2D(1))
one("zero_padding2d_pair", (4, 3, 2), lambda: layers.ZeroPadding2D((2, 1)))
one("zero_padding2d_uneven", (4, 3, 2), lambda: layers.ZeroPadding2D(((0, 1), (2, 0))))
one("zero_padding2d_first", (2, 4, 3), lambda: layers.ZeroPadding2D(((0, 1), (2, 1)), data_format=FIRST))
layer("zero_padding2d_conv", (7, 6, 3), lambda x: layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x)))
layer("zero_padding2d_max", (6, 5, 3),
      lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(layers.Activation("relu")(x))))

one("cropping1d", (7, 3), lambda: layers.Cropping1D(2))
one("cropping1d_uneven", (7, 3), lambda: layers.Cropping1D((0, 3)))
one("cropping1d_left", (6, 4), lambda: layers.Cropping1D((2, 1)))
one("cropping2d", (6, 5, 2), lambda: layers.Cropping2D(1))
one("cropping2d_uneven", (6, 5, 2), lambda: layers.Cropping2D(((0, 2), (1, 0))))
one("cropping2d_first", (2, 6, 5), lambda: layers.Cropping2D((1, 2), data_format=FIRST))

for n in (1, 2, 3):
    one(f"up_sampling1d_{n}", (5, 3), lambda n=n: layers.UpSampling1D(n))
one("up_sampling2d", (4, 3, 2), lambda: layers.UpSampling2D())
one("up_sampling2d_uneven", (4, 3, 2), lambda: layers.UpSampling2D((3, 2)))
one("up_sampling2d_first", (2, 4, 3), lambda: layers.UpSampling2D(2, data_format=FIRST))
one("up_sampling2d_bilinear", (4, 3, 2), lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"))
