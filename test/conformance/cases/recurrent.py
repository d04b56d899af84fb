"""SimpleRNN, LSTM, GRU and their options, Bidirectional, TimeDistributed."""
from registry import case, compiled, keras, layer, layers

SEQUENCE = (6, 3)


def rnn(cls, name, shape=SEQUENCE, units=4, **options):
    idle = ("recurrent_kernel",) if shape[0] == 1 else ()  # the state is zero
    layer(f"{cls.lower()}_{name}", shape, lambda x: getattr(layers, cls)(units, **options)(x), idle=idle)


for cls in ("SimpleRNN", "LSTM", "GRU"):
    rnn(cls, "last")
    rnn(cls, "sequences", return_sequences=True)
    rnn(cls, "backwards", go_backwards=True)
    rnn(cls, "backwards_sequences", go_backwards=True, return_sequences=True)
    rnn(cls, "relu", activation="relu")
    rnn(cls, "no_bias", use_bias=False)
    rnn(cls, "wide", (9, 7), 33)
    rnn(cls, "one_step", (1, 5))
    rnn(cls, "unroll", unroll=True, return_sequences=True)
    short = cls.lower()
    layer(f"{short}_batch_33", (5, 8), lambda x, cls=cls: getattr(layers, cls)(17)(x), samples=40, batch=33)

    def states(x, cls=cls):
        """All results of a layer in one output."""
        parts = getattr(layers, cls)(4, return_state=True, return_sequences=True)(x)
        return [layers.Concatenate()([layers.Flatten()(parts[0]), *parts[1:]])]

    layer(f"{short}_states", SEQUENCE, states)

    def initial(x, *start, cls=cls):
        return getattr(layers, cls)(4, return_sequences=True)(x, initial_state=list(start) if len(start) > 1 else start[0])

    layer(f"{short}_initial_state", [SEQUENCE] + [(4,)] * (2 if cls == "LSTM" else 1), initial)

    def encoder_decoder(x, y, cls=cls):
        _, *state = getattr(layers, cls)(5, return_state=True)(x)
        return getattr(layers, cls)(5, return_sequences=True)(y, initial_state=state if len(state) > 1 else state[0])

    layer(f"{short}_encoder_decoder", [(4, 3), (7, 2)], encoder_decoder)

    def masked(x, cls=cls):
        return getattr(layers, cls)(4)(layers.Embedding(6, 3, mask_zero=True)(x))

    layer(f"{short}_masked", (7,), masked, dtype="int32", upper=6)

    layer(f"{short}_stacked", SEQUENCE,
          lambda x, cls=cls: getattr(layers, cls)(3)(getattr(layers, cls)(5, return_sequences=True)(x)))
    for mode in ("concat", "sum", "mul", "ave"):
        layer(f"bidirectional_{short}_{mode}", SEQUENCE,
              lambda x, cls=cls, mode=mode: layers.Bidirectional(getattr(layers, cls)(3), merge_mode=mode)(x))
    layer(f"bidirectional_{short}_sequences", SEQUENCE,
          lambda x, cls=cls: layers.Bidirectional(getattr(layers, cls)(3, return_sequences=True))(x))

    def both_ways(x, *start, cls=cls, **options):
        """All results of a Bidirectional side by side."""
        inner = {k: options.pop(k) for k in ("return_state", "return_sequences") if k in options}
        wrapped = layers.Bidirectional(getattr(layers, cls)(3, **inner), **options)
        parts = wrapped(x, initial_state=list(start)) if start else wrapped(x)
        parts = parts if isinstance(parts, (list, tuple)) else [parts]
        return layers.Concatenate()([layers.Flatten()(part) for part in parts])

    starts = [(3,)] * (4 if cls == "LSTM" else 2)
    for name, options in {
        "states": {"return_state": True},
        "states_sequences": {"return_state": True, "return_sequences": True},
        "states_sum": {"return_state": True, "merge_mode": "sum"},
        "apart": {"merge_mode": None},
        "apart_sequences": {"merge_mode": None, "return_sequences": True},
        "apart_states": {"merge_mode": None, "return_state": True},
    }.items():
        layer(f"bidirectional_{short}_{name}", SEQUENCE, lambda x, call=both_ways, options=options: call(x, **options))
    for name, options in {
        "initial_state": {},
        "initial_state_sequences": {"return_sequences": True},
        "initial_state_states": {"return_state": True, "merge_mode": "ave"},
    }.items():
        layer(f"bidirectional_{short}_{name}", [SEQUENCE] + starts,
              lambda x, *start, call=both_ways, options=options: call(x, *start, **options))

rnn("LSTM", "hard_sigmoid", recurrent_activation="hard_sigmoid")
rnn("LSTM", "no_unit_forget_bias", unit_forget_bias=False)
rnn("GRU", "reset_before", reset_after=False)
rnn("GRU", "reset_before_sequences", reset_after=False, return_sequences=True, go_backwards=True)
rnn("GRU", "hard_sigmoid", recurrent_activation="hard_sigmoid")
layer("gru_embedding", (9,), lambda x: layers.GRU(5)(layers.Embedding(20, 6)(x)), dtype="int32", upper=20)
layer("lstm_embedding", (9,), lambda x: layers.LSTM(5)(layers.Embedding(20, 6)(x)), dtype="int32", upper=20)
layer("bidirectional_two_layers", SEQUENCE, lambda x: layers.Bidirectional(
    layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True))(x))

layer("time_distributed_dense", (5, 3), lambda x: layers.TimeDistributed(layers.Dense(4, activation="relu"))(x))
layer("time_distributed_conv", (4, 6, 5, 2), lambda x: layers.TimeDistributed(layers.Conv2D(3, 3))(x))
layer("time_distributed_flatten_lstm", (4, 3, 2),
      lambda x: layers.LSTM(3)(layers.TimeDistributed(layers.Flatten())(x)))


def _time_distributed_model():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)], name="inner")
    inputs = keras.Input((5, 3), name="x0")
    return compiled(keras.Model(inputs, layers.TimeDistributed(inner)(inputs)))


case("time_distributed_model", _time_distributed_model)
