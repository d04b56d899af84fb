"""Broken, truncated and hostile files: each ends in a message and exit code 1,
in bounded time and memory, and leaves no half-written file."""
import json
import re
import struct
import zipfile

import pytest
from conftest import DIGITS, run

GIBIBYTE = 1 << 30


def sequential(*layers, **extra):
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}, **extra}


def item(cls, **config):
    return {"module": "keras.layers", "class_name": cls, "config": config}


def input_layer(*shape, name="x"):
    return item("InputLayer", batch_shape=[None, *shape], dtype="float32", name=name)


def refuse(cornu, tmp_path, path, *patterns, flags=()):
    """Compiling must fail as a user's error does; the message must match."""
    before = {p.name for p in tmp_path.iterdir()}
    result = run(cornu, "compile", path, "-o", tmp_path / "program", *flags, code=1, timeout=60, memory=4 * GIBIBYTE)
    assert "error" in result.err, result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.S), f"no {pattern!r} in {result}"
    assert {p.name for p in tmp_path.iterdir()} == before, "a file was left behind"
    assert "Stack dump" not in result.err and "Assertion" not in result.err, result
    return result


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as z:
        for name, content in members.items():
            z.writestr(name, content if isinstance(content, (bytes, str)) else json.dumps(content))
    return path


GOOD = sequential(input_layer(3), item("Dense", name="dense", units=2))


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.json"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04" + b"x" * 60, b"\x89HDF\r\n\x1a\n" + b"\xff" * 200, b"{"])
def test_no_model(cornu, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refuse(cornu, tmp_path, tmp_path / name, re.escape(name))


def test_missing_file(cornu, tmp_path):
    refuse(cornu, tmp_path, tmp_path / "nowhere.keras", "nowhere.keras")


def test_a_zip_without_a_model(cornu, tmp_path):
    refuse(cornu, tmp_path, archive(tmp_path / "m.keras", {"readme.txt": "hello"}), "config.json")


def test_a_zip_without_weights(cornu, tmp_path):
    """Keras refuses it; a program with random weights would be a surprise."""
    refuse(cornu, tmp_path, archive(tmp_path / "m.keras", {"config.json": GOOD}), "m.keras: .*no model.weights.h5", "--weights=")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated(cornu, tmp_path, share):
    whole = archive(tmp_path / "m.keras", {"metadata.json": {"keras_version": "3.15.1"}, "config.json": GOOD})
    data = whole.read_bytes()
    whole.write_bytes(data[: int(share * len(data))])
    refuse(cornu, tmp_path, whole)


def test_deep_nesting(cornu, tmp_path):
    refuse(cornu, tmp_path, write(tmp_path / "m.json", "[" * 100_000 + "]" * 100_000))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", '{"a":' * 100_000 + "1" + "}" * 100_000))


def test_nested_models(cornu, tmp_path):
    """10 000 models in each other."""
    model = json.dumps(item("Dense", name="d", units=2))
    for _ in range(10_000):
        model = '{"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[' + model + "]}}"
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model))


@pytest.mark.parametrize("shape", [[1 << 62], [1 << 31, 1 << 31, 4], [-1], [0], ["3"], [3.5], [1e300], [None, None], "3", [[3]]])
def test_absurd_shapes(cornu, tmp_path, shape):
    layer = item("InputLayer", batch_shape=[None, *shape] if isinstance(shape, list) else shape, dtype="float32", name="x")
    refuse(cornu, tmp_path, write(tmp_path / "m.json", sequential(layer, item("Dense", name="dense", units=2))))


def test_not_a_number_in_json(cornu, tmp_path):
    text = json.dumps(sequential(input_layer(3), item("Dense", name="dense", units=2))).replace("3", "NaN", 1)
    refuse(cornu, tmp_path, write(tmp_path / "m.json", text))


@pytest.mark.parametrize("units", [0, -4, 1 << 62, 1 << 40, "many", None, 2.5, [3], {}])
def test_absurd_units(cornu, tmp_path, units):
    refuse(cornu, tmp_path, write(tmp_path / "m.json", sequential(input_layer(3), item("Dense", name="dense", units=units))), "units|dense")


def functional(layers, inputs, outputs):
    return {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
            "config": {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}}


def tensor(layer, node=0, index=0, shape=(None, 3)):
    return {"class_name": "__keras_tensor__", "config": {"shape": list(shape), "dtype": "float32", "keras_history": [layer, node, index]}}


def called(entry, *arguments):
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": [{"args": list(arguments), "kwargs": {}}] if arguments else []}


def test_a_cycle(cornu, tmp_path):
    model = functional([called(input_layer(3)), called(item("Dense", name="a", units=3), tensor("b")),
                        called(item("Dense", name="b", units=3), tensor("a"))], [["x", 0, 0]], [["b", 0, 0]])
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "[ab]")


def test_a_layer_of_its_own_output(cornu, tmp_path):
    model = functional([called(input_layer(3)), called(item("Dense", name="a", units=3), tensor("a"))], [["x", 0, 0]], [["a", 0, 0]])
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model))


@pytest.mark.parametrize("history", [["nowhere", 0, 0], ["x", 7, 0], ["x", 0, 9], ["x", -1, 0], ["x", 0], "x", [1, 2, 3]])
def test_references_to_nothing(cornu, tmp_path, history):
    bad = tensor("x")
    bad["config"]["keras_history"] = history
    model = functional([called(input_layer(3)), called(item("Dense", name="a", units=3), bad)], [["x", 0, 0]], [["a", 0, 0]])
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model))
    model = functional([called(input_layer(3)), called(item("Dense", name="a", units=3), tensor("x"))], [["x", 0, 0]], [history])
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model))


def test_two_layers_of_one_name(cornu, tmp_path):
    model = functional([called(input_layer(3)), called(item("Dense", name="a", units=3), tensor("x")),
                        called(item("Dense", name="a", units=5), tensor("a"))], [["x", 0, 0]], [["a", 0, 0]])
    run(cornu, "compile", write(tmp_path / "m.json", model), "-o", tmp_path / "p", code=None, timeout=60)


def test_all_unsupported_layers_are_reported_at_once(cornu, tmp_path):
    model = sequential(input_layer(8, 8, 3), item("FancyConv", name="one"), item("Flatten", name="flat"),
                       item("Hashing", name="two", num_bins=3), item("Lambda", name="three", function={"class_name": "__lambda__"}))
    result = refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "one", "two", "three", "FancyConv", "Hashing", "Lambda")
    for pointer in ("/config/layers/1", "/config/layers/3", "/config/layers/4"):
        assert pointer in result.err, result
    assert "m.json" in result.err and "flat" not in result.err


def test_options_are_named(cornu, tmp_path):
    model = sequential(input_layer(8, 8, 3), item("Conv2D", name="conv", filters=4, kernel_size=[3, 3], strides=[2, 2], dilation_rate=[2, 2]))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "conv", "strides|dilation")
    model = sequential(input_layer(3), item("Dense", name="dense", units=2, activation="relo"))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "dense", "relo")
    model = sequential(input_layer(8, 8, 3), item("Conv2D", name="conv", filters=4, kernel_size=[3, 3], padding="mirror"))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "conv", "mirror", "same")


def test_shapes_that_do_not_fit(cornu, tmp_path):
    model = sequential(input_layer(3), item("Conv2D", name="conv", filters=4, kernel_size=[3, 3]))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "conv")
    model = sequential(input_layer(2, 2, 1), item("Conv2D", name="conv", filters=4, kernel_size=[3, 3]))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "conv")
    model = sequential(input_layer(3), item("Reshape", name="shape", target_shape=[2, 2]))
    refuse(cornu, tmp_path, write(tmp_path / "m.json", model), "shape")


@pytest.mark.parametrize("flag", ["--optimizer=adamm", "--loss=mean_error", "--metrics=acuracy", "--optimizer={", "--nonsense", "-O7", "--mcpu=abacus", "--target=abacus"])
def test_flags(cornu, tmp_path, flag):
    flags = [flag] if flag.startswith("--loss") else ["--loss=mse", flag]
    refuse(cornu, tmp_path, write(tmp_path / "m.json", GOOD), flags=flags)


def test_zip_bomb(cornu, tmp_path):
    """4 GiB of spaces in 4 MB."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        with z.open("config.json", "w", force_zip64=True) as member:
            for _ in range(1 << 8):
                member.write(b" " * (1 << 22))
    refuse(cornu, tmp_path, path)


def test_a_member_that_lies_about_its_size(cornu, tmp_path):
    path = archive(tmp_path / "m.keras", {"metadata.json": {}, "config.json": GOOD})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    refuse(cornu, tmp_path, path)


def h5_model(tmp_path, write_weights):
    import h5py

    (tmp_path / "m.json").write_text(json.dumps(GOOD))
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        write_weights(file)
    return tmp_path / "m.json", f"--weights={tmp_path}/m.weights.h5"


def test_weights_of_another_shape(cornu, tmp_path):
    def weights(file):
        file["layers/dense/vars/0"] = [[1.0] * 5] * 3
        file["layers/dense/vars/1"] = [0.0] * 5

    path, flag = h5_model(tmp_path, weights)
    refuse(cornu, tmp_path, path, "dense", r"3.*5", r"3.*2", flags=[flag])


def test_weights_that_are_missing(cornu, tmp_path):
    path, flag = h5_model(tmp_path, lambda file: file.create_group("layers/dense/vars"))
    refuse(cornu, tmp_path, path, "dense", flags=[flag])


def test_weights_that_are_text(cornu, tmp_path):
    def weights(file):
        file["layers/dense/vars/0"] = "hello"
        file["layers/dense/vars/1"] = [0.0, 0.0]

    path, flag = h5_model(tmp_path, weights)
    refuse(cornu, tmp_path, path, flags=[flag])


def test_an_external_link(cornu, tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = [[1.0, 2.0]] * 3

    def weights(file):
        file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/secret")
        file["layers/dense/vars/1"] = [0.0, 0.0]

    path, flag = h5_model(tmp_path, weights)
    refuse(cornu, tmp_path, path, flags=[flag])


def test_a_dataset_of_absurd_size(cornu, tmp_path):
    def weights(file):
        file.create_dataset("layers/dense/vars/0", shape=(1 << 40, 1 << 10), dtype="f4", chunks=(1 << 10, 1 << 10))
        file["layers/dense/vars/1"] = [0.0, 0.0]

    path, flag = h5_model(tmp_path, weights)
    refuse(cornu, tmp_path, path, flags=[flag])


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_hdf5(cornu, tmp_path, share):
    def weights(file):
        file["layers/dense/vars/0"] = [[1.0, 2.0]] * 3
        file["layers/dense/vars/1"] = [0.0, 0.0]

    path, flag = h5_model(tmp_path, weights)
    data = (tmp_path / "m.weights.h5").read_bytes()
    (tmp_path / "m.weights.h5").write_bytes(data[: int(share * len(data))])
    refuse(cornu, tmp_path, path, flags=[flag])


def test_safetensors_that_lie(cornu, tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(GOOD))
    path = tmp_path / "w.safetensors"
    for header in ["{", '{"dense/kernel":{"dtype":"F32","shape":[3,2],"data_offsets":[0,999999]}}',
                   '{"dense/kernel":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}',
                   '{"dense/kernel":{"dtype":"Q9","shape":[3,2],"data_offsets":[0,24]}}',
                   '{"dense/kernel":{"dtype":"F32","shape":[3,2],"data_offsets":[24,0]}}', "[]"]:
        path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\0" * 24)
        refuse(cornu, tmp_path, tmp_path / "m.json", flags=[f"--weights={path}"])
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    refuse(cornu, tmp_path, tmp_path / "m.json", flags=[f"--weights={path}"])


def test_an_output_that_cannot_be_written(cornu, tmp_path):
    result = run(cornu, "compile", DIGITS / "digits.json", "-o", tmp_path / "no" / "folder" / "program", code=1)
    assert "folder" in result.err
    result = run(cornu, "compile", DIGITS / "digits.json", "-c", "-o", "/dev/full", code=1)
    assert "full" in result.err or "space" in result.err
