"""Object files, libraries and headers, as a C or C++ program uses them."""
import ctypes
import re

import numpy as np
import pytest
from conftest import DIGITS, EXAMPLES, run

MODEL = DIGITS / "digits.json"
MAIN = EXAMPLES / "embedding/main.c"


@pytest.fixture(scope="module")
def built(cornu, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding")
    run(cornu, "compile", MODEL, "-c", "-o", folder / "digits.o")
    run(cornu, "compile", MODEL, "--static-lib", folder / "libdigits.a")
    run(cornu, "compile", MODEL, "--shared", folder / "libdigits.so")
    return folder


@pytest.mark.parametrize("compiler", ["cc", "/usr/lib/llvm-22/bin/clang"])
def test_a_c_program_trains_and_predicts(built, compiler):
    run(compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{built}", MAIN, built / "digits.o", "-lm",
        "-o", built / "main")
    out = run(built / "main", DIGITS).out
    assert re.search(r"3[4-5]\d of 359", out), out


def test_the_static_library(built):
    run("cc", f"-I{built}", MAIN, f"-L{built}", built / "libdigits.a", "-lm", "-o", built / "static")
    assert "of 359" in run(built / "static", DIGITS).out


def test_the_header_is_c_and_cpp(built):
    for compiler, standard, suffix in [("cc", "c99", "c"), ("cc", "c11", "c"), ("c++", "c++11", "cpp"), ("c++", "c++20", "cpp")]:
        source = built / f"only.{suffix}"
        source.write_text('#include "digits.h"\n#include "digits.h"\nint main(void) { return digits_model.abi_version == CORNU_ABI_VERSION ? 0 : 1; }\n')
        run(compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{built}", source, built / "digits.o",
            "-lm", "-o", built / "only")
        run(built / "only")


def test_the_object_needs_nothing_but_mathematics(built):
    undefined = set(re.findall(r" U (\S+)", run("nm", "--undefined-only", built / "digits.o").out))
    assert not undefined & {"malloc", "free", "calloc", "realloc", "posix_memalign", "aligned_alloc"}, undefined
    assert undefined <= {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}, undefined


def test_the_object_and_the_program_agree(built, digits, tmp_path):
    """Through the shared library, from Python: one training step and a prediction."""
    import safetensors

    x, y = np.load(DIGITS / "x_train.npy")[:32].astype("float32"), np.load(DIGITS / "y_train.npy")[:32]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    run(digits, "fit", "--input", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--shuffle=false", "--seed", 9,
        "--save", tmp_path / "w.safetensors", "--quiet")
    weights = safetensors.read(tmp_path / "w.safetensors")

    library = ctypes.CDLL(str(built / "libdigits.so"))
    text = (built / "digits.h").read_text()
    state_bytes = int(re.search(r"DIGITS_STATE_BYTES \(\(size_t\)(\d+)u\)", text).group(1))
    fixed, sample, worker = map(int, re.search(
        r"DIGITS_TRAIN_SCRATCH_BYTES_FOR.*\n *\(\(\(size_t\)(\d+)u\) \+ \(\(size_t\)(\d+)u\) \* .*\(\(size_t\)(\d+)u\)", text).groups())
    state = aligned(state_bytes)
    scratch = aligned(fixed + 32 * sample + worker)
    pointer = lambda a: ctypes.c_void_p(a.ctypes.data)
    labels = y.astype("int32")
    inputs = (ctypes.c_void_p * 1)(x.ctypes.data)
    targets = (ctypes.c_void_p * 2)(labels.ctypes.data, None)
    assert library.digits_initialize(pointer(state), ctypes.c_uint64(9)) == 0
    assert library.digits_train_step(pointer(state), inputs, targets, ctypes.c_int64(32), None, pointer(scratch)) == 0
    kernel = weights["dense_1/kernel"]
    assert kernel.tobytes() in state.tobytes(), "the state block does not hold the weights that the program saved"


def aligned(size, alignment=64):
    block = np.zeros(size + alignment, "uint8")
    start = -block.ctypes.data % alignment
    return block[start : start + size]


def test_the_model_must_not_write_beyond_its_blocks(built):
    """Guard zones around the state and the scratch block of a batch of 5."""
    source = built / "guards.c"
    source.write_text(r'''
#include "digits.h"
#include <stdio.h>
#include <string.h>
#define GUARD 4096
static CORNU_BLOCK unsigned char s[2 * GUARD + DIGITS_STATE_BYTES], t[2 * GUARD + DIGITS_TRAIN_SCRATCH_BYTES(5)];
static float x[5 * DIGITS_INPUT_0_ELEMENTS], p[5 * DIGITS_OUTPUT_0_ELEMENTS + 64], m[DIGITS_NUM_METRICS];
static int32_t y[5];
static int intact(const unsigned char *block, size_t size) {
  for (size_t i = 0; i < GUARD; ++i)
    if (block[i] != 0xAB || block[GUARD + size + i] != 0xAB) return 0;
  return 1;
}
int main(void) {
  memset(s, 0xAB, sizeof s);
  memset(t, 0xAB, sizeof t);
  memset(p, 0xAB, sizeof p);
  const void *inputs[] = {x}, *targets[] = {y, NULL};
  void *outputs[] = {p};
  if (digits_initialize(s + GUARD, 1) || digits_train_step(s + GUARD, inputs, targets, 5, m, t + GUARD) ||
      digits_evaluate_step(s + GUARD, inputs, targets, 5, m, t + GUARD) ||
      digits_predict(s + GUARD, inputs, 5, outputs, t + GUARD)) return 1;
  if (!intact(s, DIGITS_STATE_BYTES)) return puts("the state's guards"), 1;
  if (!intact(t, DIGITS_TRAIN_SCRATCH_BYTES(5))) return puts("the scratch's guards"), 1;
  for (int i = 5 * DIGITS_OUTPUT_0_ELEMENTS * 4; i < (int)sizeof p; ++i)
    if (((unsigned char *)p)[i] != 0xAB) return puts("beyond the output"), 1;
  if (digits_predict(s + GUARD, inputs, 0, outputs, t + GUARD) != CORNU_BAD_BATCH) return puts("batch 0"), 1;
  return 0;
}
''')
    run("cc", f"-I{built}", source, built / "digits.o", "-lm", "-o", built / "guards")
    run(built / "guards")


def test_gradients_and_their_application_make_a_step(built):
    """The two halves, for callers who sum gradients over machines."""
    source = built / "halves.c"
    source.write_text(r'''
#include "digits.h"
#include <stdio.h>
#include <string.h>
static CORNU_BLOCK unsigned char a[DIGITS_STATE_BYTES], b[DIGITS_STATE_BYTES], g[DIGITS_GRADIENT_BYTES],
    t[DIGITS_TRAIN_SCRATCH_BYTES(8)];
static float x[8 * DIGITS_INPUT_0_ELEMENTS];
static int32_t y[8] = {1, 2, 3, 4, 5, 6, 7, 8};
int main(void) {
  for (int i = 0; i < 8 * DIGITS_INPUT_0_ELEMENTS; ++i) x[i] = (float)(i * 7 % 17);
  const void *inputs[] = {x}, *targets[] = {y, NULL};
  digits_initialize(a, 3);
  digits_initialize(b, 3);
  for (int step = 0; step < 3; ++step) {
    if (digits_train_step(a, inputs, targets, 8, NULL, t)) return 1;
    if (digits_gradients(b, inputs, targets, 8, g, NULL, t) || digits_apply_gradients(b, g, t)) return 1;
  }
  return memcmp(a, b, sizeof a) == 0 ? 0 : (puts("the states differ"), 1);
}
''')
    run("cc", f"-I{built}", source, built / "digits.o", "-lm", "-o", built / "halves")
    run(built / "halves")


def test_aarch64(cornu, tmp_path):
    run(cornu, "compile", MODEL, "--target=aarch64-linux-gnu", "-c", "-o", tmp_path / "digits.o")
    run("aarch64-linux-gnu-gcc", "-DEPOCHS=1", f"-I{tmp_path}", MAIN, tmp_path / "digits.o", "-lm", "-o", tmp_path / "main")
    out = run("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", tmp_path / "main", DIGITS, timeout=300, code=None).out
    assert "of 359" in out


def test_a_cpu_without_the_features(cornu, tmp_path):
    """qemu's smallest CPU has no AVX: the program says so and stops."""
    import shutil

    if not shutil.which("qemu-x86_64-static"):
        pytest.skip("no qemu for x86-64")
    run(cornu, "compile", MODEL, "--mcpu=x86-64-v3", "-o", tmp_path / "digits")
    result = run("qemu-x86_64-static", "-cpu", "qemu64", tmp_path / "digits", "predict", "--input", DIGITS / "x_test.npy",
                 "--output", tmp_path / "p.npy", code=1)
    assert re.search(r"CPU|avx", result.err, re.I), result
