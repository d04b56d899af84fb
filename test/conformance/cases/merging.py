"""Layers of several inputs."""
from registry import layer, layers

for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
    short = name.lower()
    layer(f"{short}_two", [(5,), (5,)], lambda a, b, name=name: getattr(layers, name)()([a, b]))
    layer(f"{short}_three", [(4, 3)] * 3, lambda a, b, c, name=name: getattr(layers, name)()([a, b, c]))
    layer(f"{short}_broadcast", [(4, 1, 3), (1, 5, 3)], lambda a, b, name=name: getattr(layers, name)()([a, b]))
layer("subtract_two", [(5,), (5,)], lambda a, b: layers.Subtract()([a, b]))
layer("subtract_broadcast", [(4, 3), (1, 3)], lambda a, b: layers.Subtract()([a, b]))
layer("subtract_image", [(3, 4, 2), (3, 4, 2)], lambda a, b: layers.Subtract()([a, b]))
layer("add_ranks", [(4, 3), (3,)], lambda a, b: layers.Add()([a, b]))

layer("concatenate_two", [(5,), (3,)], lambda a, b: layers.Concatenate()([a, b]))
layer("concatenate_three", [(2, 3), (2, 1), (2, 5)], lambda a, b, c: layers.Concatenate()([a, b, c]))
layer("concatenate_axis_1", [(2, 3), (4, 3)], lambda a, b: layers.Concatenate(axis=1)([a, b]))
layer("concatenate_channels", [(3, 4, 2), (3, 4, 5)],
      lambda a, b: layers.Conv2D(3, 2)(layers.Concatenate()([a, b])))

layer("dot_vectors", [(6,), (6,)], lambda a, b: layers.Dot(axes=1)([a, b]))
layer("dot_matrices", [(4, 5), (3, 5)], lambda a, b: layers.Dot(axes=2)([a, b]))
layer("dot_pair", [(4, 5), (5, 3)], lambda a, b: layers.Dot(axes=(2, 1))([a, b]))
layer("dot_normalize", [(6,), (6,)], lambda a, b: layers.Dot(axes=1, normalize=True)([a, b]))
layer("residual", (6, 5, 4), lambda x: layers.ReLU()(layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])))
