"""MultiHeadAttention. A bias of the keys adds the same to all scores of a query,
so that a softmax does not see it: it has no gradient.
"""
from registry import case, compiled, keras, layer, layers


def attend(name, shapes, *args, call=None, call_options=None, **options):
    def build(*values):
        attention = layers.MultiHeadAttention(*args, **options)
        if len(values) == 1:
            values = (values[0], values[0])
        return (call or (lambda out: out))(attention(*values, **(call_options or {})))

    layer(f"attention_{name}", shapes, build, idle=("key/bias", "front2/bias"))


attend("self", (5, 6), 2, 3)
attend("one_head", (7, 4), 1, 4)
attend("cross", [(5, 6), (7, 6)], 2, 4)
attend("key_and_value", [(3, 4), (6, 5), (6, 4)], 2, 3)
attend("no_bias", (5, 6), 3, 2, use_bias=False)
attend("causal", (6, 4), 2, 3, call_options={"use_causal_mask": True})
attend("output_shape", (5, 6), 2, 3, output_shape=7)
attend("value_dim", (5, 6), 2, 3, value_dim=3)
attend("wide", (17, 32), 4, 8)
attend("both_axes", (3, 4, 6), 2, 3)
attend("first_axis", (5, 4, 6), 2, 3, attention_axes=(1,))
attend("second_axis", (3, 7, 6), 2, 3, attention_axes=-2)
attend("three_axes", (2, 3, 2, 5), 2, 3, attention_axes=(1, -2))
attend("cross_axes", [(2, 3, 6), (4, 2, 6)], 2, 3)
attend("scores", (5, 6), 2, 3, call=lambda out: layers.Concatenate()([out[0], layers.Reshape((5, 10))(layers.Permute((2, 1, 3))(out[1]))]),
       call_options={"return_attention_scores": True})
attend("scores_alone", (4, 6), 3, 2, call=lambda out: out[1], call_options={"return_attention_scores": True}, use_gate=True)
attend("scores_causal", (6, 4), 2, 3, call=lambda out: layers.Concatenate(axis=2)([out[0], layers.Reshape((6, 12))(out[1])]),
       call_options={"return_attention_scores": True, "use_causal_mask": True})


def attend_masked(name, mask_shape, dtype="bool", shapes=((5, 6), (5, 6)), call_options=None):
    """The mask is an input of the model; each query sees at least one key."""

    def build():
        values = [keras.Input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]
        mask = keras.Input(mask_shape, dtype=dtype, name="mask")
        query, value = (layers.Dense(shape[-1], name=f"front{i}")(x) for i, (shape, x) in enumerate(zip(shapes, values)))
        result = layers.MultiHeadAttention(2, 3)(query, value, attention_mask=mask, **(call_options or {}))
        return compiled(keras.Model([*values, mask], result))

    def draw(rng, shape):
        seen = rng.integers(0, 2, shape).astype(dtype)
        seen[..., 0] = True
        return seen

    case(f"attention_mask_{name}", build, inputs={"mask": draw}, idle=("key/bias",))


attend_masked("of_queries_and_keys", (5, 5))
attend_masked("cross", (5, 7), shapes=((5, 6), (7, 4)))
attend_masked("of_keys", (1, 5))
attend_masked("causal", (5, 5), call_options={"use_causal_mask": True})
attend_masked("int32", (5, 5), dtype="int32")


def _encoder(norm_first):
    def build():
        inputs = keras.Input((7, 8), name="x0")
        x = inputs
        for _ in range(2):
            y = layers.LayerNormalization(epsilon=1e-6)(x) if norm_first else x
            a = layers.MultiHeadAttention(2, 4)(y, y)
            x = layers.Add()([x, a])
            if not norm_first:
                x = layers.LayerNormalization(epsilon=1e-6)(x)
            h = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
            x = layers.Add()([x, h])
            if not norm_first:
                x = layers.LayerNormalization(epsilon=1e-6)(x)
        if norm_first:  # what the blocks add up is normalized before it is used
            x = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.GlobalAveragePooling1D()(x)
        return compiled(keras.Model(inputs, layers.Dense(3)(x)))

    return build


case("encoder_norm_first", _encoder(True), idle=("key/bias",))
case("encoder_norm_last", _encoder(False), idle=("key/bias",))
