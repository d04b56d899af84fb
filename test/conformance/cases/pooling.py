"""Max- and AveragePooling, the global poolings."""
from registry import layer, layers

FIRST = "channels_first"

for kind in ("Max", "Average"):
    short = kind.lower()
    one, two = f"{kind}Pooling1D", f"{kind}Pooling2D"

    def pool(name, shape, cls, *args, **options):
        layer(f"{name}", shape, lambda x: getattr(layers, cls)(*args, **options)(x))

    pool(f"{short}_pooling1d", (10, 3), one, 2)
    pool(f"{short}_pooling1d_same", (11, 3), one, 3, strides=2, padding="same")
    pool(f"{short}_pooling1d_overlap", (9, 4), one, 3, strides=1)
    pool(f"{short}_pooling1d_first", (3, 11), one, 3, data_format=FIRST)
    pool(f"{short}_pooling2d", (8, 6, 3), two, 2)
    pool(f"{short}_pooling2d_odd", (7, 9, 5), two, 2)
    pool(f"{short}_pooling2d_same", (7, 6, 3), two, 3, strides=2, padding="same")
    pool(f"{short}_pooling2d_overlap", (7, 6, 2), two, 3, strides=1, padding="same")
    pool(f"{short}_pooling2d_rectangular", (9, 8, 3), two, (3, 2), strides=(2, 3))
    pool(f"{short}_pooling2d_first", (3, 7, 8), two, 2, data_format=FIRST)
    pool(f"{short}_pooling2d_wide", (6, 6, 37), two, 2)

    # Windows over the border along the lanes of vectors: images narrower than a
    # window, a last vector of one lane, taps that no position has; windows apart.
    for size, channels, window, stride, padding in (
            (2, 5, 7, 1, "same"), (9, 1, 3, 1, "same"), (17, 1, 3, 1, "same"), (4, 1, 7, 1, "same"), (3, 3, 8, 2, "same"),
            (40, 1, 9, 1, "same"), (13, 2, 2, 2, "valid"), (28, 1, 8, 8, "valid"), (11, 3, 2, 3, "valid"), (11, 3, 2, 3, "same")):
        pool(f"{short}_border_{size}_{channels}_{window}_{stride}_{padding}", (size, size, channels), two, window, strides=stride, padding=padding)
    pool(f"{short}_border_1d", (4, 1), one, 7, strides=1, padding="same")
    pool(f"{short}_border_1d_wide", (100, 1), one, 16, strides=2, padding="same")
    pool(f"{short}_border_1d_wider", (60, 2), one, 41, strides=1, padding="same")

    for rank, shape in [(1, (7, 5)), (2, (5, 6, 3))]:
        cls = f"Global{kind}Pooling{rank}D"
        name = f"global_{short}_pooling{rank}d"
        pool(name, shape, cls)
        pool(f"{name}_keepdims", shape, cls, keepdims=True)
        pool(f"{name}_first", shape, cls, data_format=FIRST)
        pool(f"{name}_wide", (*shape[:-1], 35), cls)
