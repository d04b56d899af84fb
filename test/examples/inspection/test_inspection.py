"""What a compiler engineer and a curious user look at."""
import json
import platform
import re

import pytest
from conftest import DIGITS, ROOT, model_of, run
from inner_loops import AVX2, inner_loops

OPT = ROOT / "build/bin/cornu-opt"
MODEL = DIGITS / "digits.json"
STAGES = ["nn", "graph", "linalg", "buffers", "kernels", "llvm"]


@pytest.mark.parametrize("stage", STAGES[:-1])
def test_a_stage_prints_what_cornu_opt_parses(cornu, tmp_path, stage):
    run(cornu, "compile", MODEL, f"--emit={stage}", "-o", tmp_path / "stage.mlir")
    again = run(OPT, tmp_path / "stage.mlir").out
    (tmp_path / "again.mlir").write_text(again)
    assert run(OPT, tmp_path / "again.mlir").out == again, "printing is not stable"


def test_llvm_and_assembly(cornu, tmp_path):
    run(cornu, "compile", MODEL, "--emit=llvm", "-o", tmp_path / "m.mlir")
    run("/usr/lib/llvm-22/bin/mlir-translate", "--mlir-to-llvmir", "--allow-unregistered-dialect", tmp_path / "m.mlir",
        "-o", tmp_path / "m.ll")
    run("/usr/lib/llvm-22/bin/opt", "-passes=verify", "-disable-output", tmp_path / "m.ll")
    text = run(cornu, "compile", MODEL, "--emit=asm", "--mcpu=x86-64-v3", "-o", "-").out
    assert "vfmadd" in text and "zmm" not in text
    assert not re.search(r"\b(malloc|calloc|realloc|free)\b", text), "compiled code calls an allocator"


def test_locations_carry_the_layers_path(cornu):
    text = run(cornu, "compile", MODEL, "--emit=nn", "--mlir-print-debuginfo", "-o", "-").out
    assert '"conv2d_1"' in text and '"dense_1"' in text


def test_nn_is_device_neutral_and_short(cornu):
    text = run(cornu, "compile", MODEL, "--emit=nn", "-o", "-").out
    for part in ('trainable @"conv2d/kernel"', "func.func @forward", "tensor<?x8x8x1xf32>", "nn.conv", "func.func @loss"):
        assert part in text, text[:3000]


def test_inference_only_leaves_training_out(cornu, tmp_path):
    run(cornu, "compile", MODEL, "-o", tmp_path / "all")
    run(cornu, "compile", MODEL, "--inference-only", "-o", tmp_path / "some")
    assert (tmp_path / "some").stat().st_size < (tmp_path / "all").stat().st_size
    result = run(tmp_path / "some", "fit", "--input", DIGITS / "x_test.npy", "--target", DIGITS / "y_test.npy", code=1)
    assert "inference" in result.err
    run(tmp_path / "some", "predict", "--input", DIGITS / "x_test.npy", "--output", tmp_path / "p.npy")


def test_only_scalars_are_computed_without_vectors(cornu, tmp_path):
    report = json.loads(run(cornu, "compile", MODEL, "--report=json", "-o", tmp_path / "m").out)
    for entry, kernels in report["entries"].items():
        for kernel in kernels:
            if "scalar" in kernel["strategy"]:
                work = kernel["flops_per_sample"] + kernel["bytes_per_sample"]
                assert work <= 16 and kernel["bytes"] <= 64, f"{entry}: {kernel}"


X86 = ["--mcpu=x86-64-v3", "--target=x86_64-linux-gnu"]
SCALAR = r"v(max|min|add|mul|sub|div|sqrt|cmp\w*|fm\w*|fnm\w*)s[sd]\t"


def scalar_loops(assembly):
    """The innermost loops that compute more on scalars than on vectors; weights are drawn one by one, before all steps."""
    def count(pattern, loop):
        return sum(len(re.findall(pattern, line)) for line in loop.instructions)

    return [str(loop) for loop in inner_loops(assembly, AVX2)
            if "initialize" not in loop.function and count(SCALAR, loop) > count(r"\bv\w+p[sd]\t|[yz]mm", loop)]


HEAD = [("Flatten", {}), ("Dense", {"units": 5, "activation": "softmax"})]
FIRST = {"padding": "same", "data_format": "channels_first"}
STACKS = {
    "few": ((28, 28, 1), [("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"}), ("BatchNormalization", {}), ("ReLU", {}),
                          ("MaxPooling2D", {"pool_size": 2}), ("Conv2D", {"filters": 1, "kernel_size": 5}), *HEAD]),
    "border": ((28, 28, 1), [("Conv2D", {"filters": 1, "kernel_size": 3}), ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
                             ("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}), *HEAD]),
    "wide border": ((40, 40, 1), [("Conv2D", {"filters": 1, "kernel_size": 3}), ("MaxPooling2D", {"pool_size": 9, "strides": 1, "padding": "same"}),
                                  ("AveragePooling2D", {"pool_size": 17, "strides": 2, "padding": "same"}), *HEAD]),
    "first": ((3, 28, 28), [("Conv2D", {"filters": 6, "kernel_size": 3, **FIRST}), ("MaxPooling2D", {"pool_size": 3, "strides": 2, **FIRST}),
                            ("AveragePooling2D", {"pool_size": 3, "strides": 1, **FIRST}), *HEAD]),
    "steps": ((20, 8), [("GRU", {"units": 24, "return_sequences": True}), ("LayerNormalization", {}), ("Dense", {"units": 30, "activation": "softmax"})]),
}


@pytest.mark.parametrize("name", ["digits", *STACKS])
def test_no_inner_loop_is_scalar(cornu, tmp_path, name):
    model, training = MODEL, []
    if name in STACKS:
        model, training = tmp_path / "m.json", ["--optimizer=adam", "--loss=categorical_crossentropy"]
        shape, layers = STACKS[name]
        model.write_text(model_of(layers, shape))
    text = run(cornu, "compile", model, *training, "--batch=32", *X86, "--emit=asm", "-o", "-").out
    assert "train_step" in text and not scalar_loops(text), scalar_loops(text)[0]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("layer, scalars", [
    (("MaxPooling2D", {"pool_size": 2}), r"max|min"),
    (("AveragePooling2D", {"pool_size": 2}), r"add|mul|div|fm"),
    (("BatchNormalization", {}), r"add|sub|mul|fm"),
    (("Softmax", {}), r"max|div|fm"),
    (("LayerNormalization", {}), r"sub|fm|sqrt"),
    (("Activation", {"activation": "tanh"}), r"div|fm"),
], ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_few_channels_are_computed_in_vectors(cornu, tmp_path, layer, scalars, channels):
    """Neighbouring pixels fill the lanes that their channels leave. A rest of a batch's rows may be scalar."""
    (tmp_path / "m.json").write_text(model_of([layer], (16, 16, channels)))
    text = run(cornu, "compile", tmp_path / "m.json", "--inference-only", "--batch=2", *X86, "--emit=asm", "-o", "-").out
    assert re.search(r"\bv\w+ps\b.*[xy]mm", text)
    found = [line.strip() for line in text.splitlines() if re.search(rf"\bv({scalars})\w*ss\b", line)]
    # What belongs to a channel, and not to a pixel, is not worth a vector.
    assert len(found) <= 2 * channels + 2, found


def test_weights_of_another_program_in_panels(cornu, tmp_path):
    """A program that only predicts has its kernels in the order in which they are read; files of weights are row-major."""
    import numpy as np

    x, y = DIGITS / "x_test.npy", DIGITS / "y_test.npy"
    portable = [] if platform.machine() == "aarch64" else ["--mcpu=x86-64-v3"]
    run(cornu, "compile", MODEL, *portable, "-o", tmp_path / "trains")
    report = run(cornu, "compile", MODEL, *portable, "--inference-only", "--weights", trained(tmp_path, x, y), "--report", "-o", tmp_path / "predicts")
    assert "from panels" in report.out
    for weights in ([], ["--weights", tmp_path / "trained.safetensors"]):
        run(tmp_path / "trains", "predict", "--input", x, "--output", tmp_path / "expected.npy", "--weights", tmp_path / "trained.safetensors")
        run(tmp_path / "predicts", "predict", "--input", x, "--output", tmp_path / "p.npy", *weights)
        assert np.allclose(np.load(tmp_path / "p.npy"), np.load(tmp_path / "expected.npy"), atol=1e-6)


@pytest.mark.parametrize("shape, kernels", [
    ((8, 8, 32), (("same", 3), ("same", 3))),
    ((11, 10, 24), (("valid", 3), ("same", 5))),
    ((13, 13, 16), (("same", 5), ("same", 7))),
    ((8, 8, 640), (("same", 3),)),  # tasks for a part of the lanes
], ids=str)
def test_transformed_kernels(cornu, tmp_path, shape, kernels):
    """A program that only predicts has convolutions' kernels transformed for minimal filtering; files of weights are not."""
    import numpy as np

    filters = 512 if shape[-1] == 640 else 32
    convolutions = [("Conv2D", {"filters": filters, "kernel_size": size, "padding": padding, "activation": "tanh"})
                    for padding, size in kernels]
    (tmp_path / "m.json").write_text(model_of([*convolutions, ("GlobalAveragePooling2D", {}), ("Dense", {"units": 3})], shape))
    rng = np.random.default_rng(1)
    for name, data in ("x", (32, *shape)), ("y", (32, 3)):
        np.save(tmp_path / f"{name}.npy", rng.standard_normal(data).astype("float32"))
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    portable = [] if platform.machine() == "aarch64" else ["--mcpu=x86-64-v3"]
    run(cornu, "compile", tmp_path / "m.json", *portable, "--loss=mse", "--optimizer=sgd", "-o", tmp_path / "trains")
    weights = trained(tmp_path, x, y)
    report = run(cornu, "compile", tmp_path / "m.json", *portable, "--inference-only", "--weights", weights, "--report", "-o",
                 tmp_path / "predicts")
    assert "transformed ahead" in report.out

    def predictions(program, batch, threads, *more):
        np.save(tmp_path / "batch.npy", np.load(x)[:batch])
        run(program, "predict", "--input", tmp_path / "batch.npy", "--output", tmp_path / "p.npy", "--batch-size", batch,
            "--threads", threads, *more)
        return np.load(tmp_path / "p.npy")

    for batch in 1, 3, 32:
        expected = predictions(tmp_path / "trains", batch, 1, "--weights", weights)
        found = predictions(tmp_path / "predicts", batch, 1)
        assert np.allclose(found, expected, rtol=1e-4, atol=2e-6 * np.abs(expected).max())
        assert np.array_equal(predictions(tmp_path / "predicts", batch, 2), found)
        loaded = predictions(tmp_path / "predicts", batch, 1, "--weights", weights)
        assert np.allclose(loaded, found, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def trained(folder, x, y):
    run(folder / "trains", "fit", "--input", x, "--target", y, "--epochs", 1, "--save", folder / "trained.safetensors", "--quiet")
    return folder / "trained.safetensors"


def test_a_fixed_batch(cornu, tmp_path):
    run(cornu, "compile", MODEL, "--batch=4", "-o", tmp_path / "four")
    assert "4" in run(tmp_path / "four", "info").out
    report = json.loads(run(cornu, "compile", MODEL, "--batch=4", "--emit=nn", "--memory-report=json", "-o", tmp_path / "m").out)
    assert list(report["total_with_one_worker"]["predict"]) == ["4"]
    import numpy as np

    np.save(tmp_path / "x.npy", np.load(DIGITS / "x_test.npy")[:8])
    run(tmp_path / "four", "predict", "--input", tmp_path / "x.npy", "--output", tmp_path / "p.npy", "--batch-size", 4)
    result = run(tmp_path / "four", "predict", "--input", tmp_path / "x.npy", "--output", tmp_path / "p.npy", "--batch-size", 3, code=1)
    assert "4" in result.err


def header_bytes(folder, model):
    """What NAME.h says, by a C program that includes it."""
    entries = {"predict": "PREDICT", "evaluate_step": "EVALUATE", "train_step": "TRAIN"}
    rows = [(e, b, w, f"{model}_{macro}_SCRATCH_BYTES_FOR({b}, {w})") for e, macro in entries.items()
            for b in (1, 32, 100_000) for w in (0, 1, 3)]
    rows += [("state", 0, 0, f"{model}_STATE_BYTES"), ("gradients", 0, 0, f"{model}_GRADIENT_BYTES")]
    prints = "".join(f'printf("%zu\\n", (size_t)({text}));' for *_, text in rows)
    (folder / "sizes.c").write_text(f'#include <stdio.h>\n#include "{model.lower()}.h"\nint main(void) {{ {prints} return 0; }}')
    run("cc", "-I", folder, folder / "sizes.c", "-o", folder / "sizes")
    return {tuple(row[:3]): int(line) for row, line in zip(rows, run(folder / "sizes").out.split())}


def test_memory_is_told_alike(cornu, tmp_path):
    """The report, before anything is built; the summary; the C header; and the program."""
    report = json.loads(run(cornu, "compile", MODEL, "-c", "--memory-report=json", "-o", tmp_path / "m.o").out)
    assert json.loads(run(cornu, "compile", MODEL, "--emit=nn", "--memory-report=json", "-o", tmp_path / "m.mlir").out) == report
    program = json.loads(run(cornu, "compile", MODEL, "--memory-report=json", "-o", tmp_path / "m").out)
    info = run(tmp_path / "m", "info", "--json").json()[0]
    text = run(cornu, "compile", MODEL, "--emit=nn", "--memory-report", "-o", "/dev/null").out
    summary = run(cornu, "summary", MODEL).out
    sizes = header_bytes(tmp_path, "M")

    assert report["state_bytes"] == sizes["state", 0, 0] == info["state_bytes"]
    assert report["gradient_bytes"] == sizes["gradients", 0, 0]
    assert f"State: {report['state_bytes']:,} bytes" in summary
    assert report["scratch"]["predict"]["per_worker"] > 0
    for entry, scratch in report["scratch"].items():
        most = scratch["most_samples"] or 100_000
        for batch in (1, 32, 100_000):
            for workers in (0, 1, 3):
                expected = scratch["fixed"] + scratch["per_sample"] * min(batch, most) + scratch["per_worker"] * workers
                assert sizes[entry, batch, workers] == expected, (entry, batch, workers)
        for number in scratch.values():
            assert f"{number:,}" in text or not number
        if entry == "evaluate_step":
            continue
        # A program has no halves of a training step, and may need less.
        assert info["train_scratch" if entry == "train_step" else "predict_scratch"] == program["scratch"][entry]
        assert f"{scratch['fixed']:,} bytes + {scratch['per_sample']:,} per sample" in summary
        assert f"+ {scratch['per_worker']:,} per worker" in summary
        for batch, total in report["total_with_one_worker"][entry].items():
            assert total == report["state_bytes"] + sizes[entry, int(batch), 1]
            assert f"{total:,}" in text


def test_profile(cornu, tmp_path):
    """A trace and a table name the kernels that the report names."""
    report = json.loads(run(cornu, "compile", MODEL, "--profile", "--report=json", "-o", tmp_path / "m").out)
    for mode, entry in (("infer", "predict"), ("train", "train_step")):
        trace = tmp_path / f"{mode}.json"
        options = [f"--mode={mode}", "--batch-size=8", "--threads=1", "--min-seconds=0.05", f"--profile={trace}"]
        timing, *rows = run(tmp_path / "m", "bench", *options, "--json").json()
        kernels = {row["kernel"]: row for row in report["entries"][entry]}
        assert {row["kernel"] for row in rows} == set(kernels)
        assert abs(sum(row["share"] for row in rows) - 1) < 0.2
        for row in rows:
            expected = kernels[row["kernel"]]
            assert row["calls"] == expected["calls"] and row["strategy"] == expected["strategy"]
            assert row["flops"] == pytest.approx(expected["flops"] + 8 * expected["flops_per_sample"])
            assert row["layers"] == ", ".join(expected["layers"])

        events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X"]
        runs = [event for event in events if event["name"] == entry]
        assert len(runs) >= 1 and {event["name"] for event in events} == set(kernels) | {entry}
        # Kernels lie one after another within their run, and fill it.
        first = runs[0]
        inside = [e for e in events if e is not first and first["ts"] <= e["ts"] and e["ts"] + e["dur"] <= first["ts"] + first["dur"] + 0.002]
        assert len(inside) == sum(row["calls"] for row in kernels.values())
        for before, after in zip(inside, inside[1:]):
            assert abs(before["ts"] + before["dur"] - after["ts"]) < 0.003
        assert abs(inside[-1]["ts"] + inside[-1]["dur"] - first["ts"] - first["dur"]) < 0.003
        table = run(tmp_path / "m", "bench", *options, "--peak-gflops=100", "--peak-gbs=10").out
        assert "at most 100 G FLOP/s and 10 G B/s" in table and rows[0]["kernel"] in table


def test_profile_needs_marks(digits, tmp_path):
    result = run(digits, "bench", f"--profile={tmp_path / 't.json'}", code=1)
    assert "cornu compile --profile" in result.err and not (tmp_path / "t.json").exists()


def test_kernel_report(cornu, tmp_path):
    text = run(cornu, "compile", MODEL, "--report", "-o", tmp_path / "m").out
    for part in ("predict:", "evaluate_step:", "train_step:", "contraction", "conv2d_1", "dense"):
        assert part in text, text


def test_summary_is_keras_s(cornu):
    text = run(cornu, "summary", MODEL).out
    for part in ("conv2d (Conv2D)", "(None, 8, 8, 16)", "32,832", "Total params: 114,848", "Optimizer params: 76,566", "Trainable params: 38,282", "Non-trainable params: 0"):
        assert part in text, text


def test_plot(cornu, tmp_path):
    import xml.etree.ElementTree

    run(cornu, "plot", MODEL, "-o", tmp_path / "m.svg")
    root = xml.etree.ElementTree.parse(tmp_path / "m.svg").getroot()
    assert root.tag.endswith("svg") and "conv2d_1" in (tmp_path / "m.svg").read_text()
    run(cornu, "plot", MODEL, "-o", tmp_path / "m.html")
    assert "<svg" in (tmp_path / "m.html").read_text()


def test_targets_and_versions(cornu):
    text = run(cornu, "targets").out
    assert "x86-64" in text or "x86_64" in text
    assert "aarch64" in text
    assert re.search(r"\d+\.\d+\.\d+", run(cornu, "--version").out)


@pytest.mark.parametrize("command", ["compile", "summary", "plot", "weights", "targets"])
def test_help_has_an_example(cornu, command):
    text = run(cornu, command, "--help").out
    assert f"cornu {command}" in text


def test_help(cornu):
    text = run(cornu, "--help").out
    for command in ("compile", "summary", "plot", "weights", "targets"):
        assert command in text
    assert "cornu" in run(cornu, "dance", code=1).err


def test_mlir_flags_work(cornu):
    result = run(OPT, "--help-list")
    assert "--mlir-print-ir-after-all" in result.out
    assert "canonicalize" in result.out


def test_two_compilations_give_the_same_bytes(cornu, tmp_path):
    for name in "ab":
        run(cornu, "compile", MODEL, "-c", "-o", tmp_path / name / "m.o") if (tmp_path / name).mkdir() is None else None
    assert (tmp_path / "a/m.o").read_bytes() == (tmp_path / "b/m.o").read_bytes()
    assert (tmp_path / "a/m.h").read_bytes() == (tmp_path / "b/m.h").read_bytes()


def test_bench(digits):
    for mode in ("infer", "train"):
        (line,) = run(digits, "bench", f"--mode={mode}", "--batch-size=8", "--threads=1", "--json", "--min-seconds=0.1").json()
        assert 0 < line["min_s"] <= line["median_s"] and line["n_runs"] >= 1
        assert line["peak_bytes"] > run(digits, "info", "--json").json()[0]["state_bytes"]
