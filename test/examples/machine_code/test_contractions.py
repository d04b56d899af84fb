"""The inner loops of contractions, as machine code: nothing spilled, little beside multiply-adds, and near the peak of the
processor by llvm-mca.

What is judged is every innermost loop that continues sums with eight or more multiply-adds, in a kernel that the report calls
a contraction: the register tile of mr x nr, and its rests of fewer rows. Some of them also store what they read, for the tiles
after them: they fill a panel.
"""
import dataclasses
import functools
import json
import tempfile

import pytest
from conftest import CORNU, model_of, run
from inner_loops import AVX2, AVX512, NEON, SVE, inner_loops
from llvm_mca import cycles, fuse


@dataclasses.dataclass(frozen=True)
class Processor:
    """One of LLVM's scheduling models, with the multiply-adds of full vectors that it starts per cycle, the cycles until
    their result is there, and the instructions that the machine takes per cycle where the model has another number."""
    model: str
    ports: int
    latency: int
    dispatch: int = 0
    # Of the peak, that a tile should have.
    share: float = 0.85


@dataclasses.dataclass(frozen=True)
class Target:
    """What code is made for, and by name the processors that it should suit."""
    triple: str
    cpu: str
    isa: object
    processors: dict
    # Multiply-adds by instructions in a loop with twelve sums or more.
    density: float

    @property
    def flags(self):
        return [f"--target={self.triple}-linux-gnu", f"--mcpu={self.cpu}"]


# Which models can judge, in LLVM 22:
# * `haswell` has the narrowest front end of all machines with AVX2, and the longest multiply-add. `skylake` says that it takes
#   six instructions per cycle, where it is four.
# * `skylake-avx512` says six, too, where it is four; Ice Lake is the same but for five. At four it loses a little that a core
#   would not: counters go to the ports 0 and 5, which multiply, as often as to the idle ones.
# * `icelake-server` and `sapphirerapids` lack the second 512-bit multiply-add of port 5, which servers have; `znver4` gives
#   two ports of multiply-adds to a 512-bit vbroadcastss from memory, which needs none (on a Zen 4, the loop of 24
#   multiply-adds and six broadcasts takes 24 cycles, as it does without the broadcasts); `znver5` is the same model.
# * `neoverse-n1` takes three instructions per cycle and counts two for a load, where it is four; `cortex-a76` is the model of
#   the A57. The N2 has the same two units for vectors, and five.
#
# The density is what the narrowest machine demands: two multiply-adds of its four instructions (AVX2: Haswell's; AVX-512:
# Skylake's; NEON: the A76's) or five (SVE: the V1's) per cycle. AVX2 has no slot to spare: twelve multiply-adds of a tile of
# 6 x 2 are beside two loads, six broadcasts, three additions at most, and compare and branch in one.
TARGETS = {
    "AVX2": Target("x86_64", "x86-64-v3", AVX2, 
                   {"haswell": Processor("haswell", 2, 5), "zen3": Processor("znver3", 2, 4)}, 2 / 4),
    "AVX-512": Target("x86_64", "x86-64-v4", AVX512, 
                      {"skylake": Processor("skylake-avx512", 2, 4, 4, share=0.8), "icelake": Processor("skylake-avx512", 2, 4, 5)}, 2 / 4),
    "NEON": Target("aarch64", "neoverse-n1", NEON, {"n2": Processor("neoverse-n2", 2, 4)}, 2 / 4),
    # Broadcasts are a load and a DUP on one of the two ports that multiply, as LD1R is slower yet on the V1 (LLVM's issue 64498,
    # its feature no-sve-fp-ld1r). So a tile of four vectors has four fifths of the peak at most.
    "SVE": Target("aarch64", "neoverse-v1", SVE, {"v1": Processor("neoverse-v1", 2, 4, share=0.95 * 4 / 5)}, 2 / 5),
}

# Wide enough for full tiles, and each for a batch of 32, whose rows leave a rest.
MODELS = {
    "dense": ((128,), [("Dense", {"units": 256, "activation": "relu"}), ("Dense", {"units": 128})]),
    # Of stride 2: others are computed by Winograd's method.
    "convolution": ((16, 16, 16), [("Conv2D", {"filters": 64, "kernel_size": 3, "strides": 2, "padding": "same"}),
                                   ("Conv2D", {"filters": 64, "kernel_size": 3, "strides": 2})]),
    "pointwise": ((8, 8, 64), [("Conv2D", {"filters": 128, "kernel_size": 1, "activation": "relu"}),
                               ("Conv2D", {"filters": 64, "kernel_size": 1})]),
    # A function after the sums, whose coefficients are constants; and widths that are no power of two.
    "activation": ((128,), [("Dense", {"units": 256, "activation": "tanh"}), ("Dense", {"units": 128})]),
    "uneven": ((100,), [("Dense", {"units": 96, "activation": "relu"}), ("Dense", {"units": 200})]),
    "recurrent": ((10, 64), [("LSTM", {"units": 64, "return_sequences": True})]),
}

# A tile of fewer is a rest of lanes, or a short vector.
FEWEST = 8
# As the strategy's kEnough: tiles of full size.
ENOUGH = 12
# A panel is filled once for four tiles or more (chooseContraction's packRight): a tenth of their time is lost at most.
FILLING_SHARE = 0.7


def tiles_of(model, target, *options):
    """The tiles of each contraction: kernel -> loops."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(CORNU, "compile", model, *options, *target.flags, "--emit=asm", "--report=json", "-o", f"{folder}/m.s")
        with open(f"{folder}/m.s") as file:
            assembly = file.read()
    kernels = [kernel for entry in json.loads(result.out)["entries"].values() for kernel in entry]
    tiles = {kernel["kernel"]: [] for kernel in kernels if kernel["strategy"].startswith("contraction")}
    for loop in inner_loops(assembly, target.isa):
        kernel = loop.function.removesuffix("_tasks")
        if kernel in tiles and len(loop.multiply_adds) >= FEWEST and loop.accumulators:
            tiles[kernel].append(loop)
    return tiles


@functools.lru_cache(maxsize=None)
def training_tiles(target, model):
    shape, layers = MODELS[model]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(model_of(layers, shape))
        file.flush()
        return tiles_of(file.name, TARGETS[target], "--loss=mse", "--optimizer=sgd", "--batch=32")


def loops_of(tiles):
    return [loop for loops in tiles.values() for loop in loops]


def spilling(tiles):
    return [f"{loop.spills}\n{loop}" for loop in loops_of(tiles) if loop.spills]


def too_few_sums(tiles, target):
    """The contractions none of whose tiles hides the latency of multiply-adds."""
    enough = max(processor.ports * processor.latency for processor in target.processors.values())
    return [kernel for kernel, loops in tiles.items() if max((len(loop.accumulators) for loop in loops), default=0) < enough]


def sparse(tiles, target):
    """The tiles with too much beside multiply-adds; not those that fill a panel, which have the panel's stores."""
    dense = {loop: len(loop.multiply_adds) / len(fuse(loop.instructions)) for loop in loops_of(tiles)
             if len(loop.accumulators) >= ENOUGH and not loop.stores}
    return [f"{share:.2f}\n{loop}" for loop, share in dense.items() if share < target.density - 1e-6]


def slow(tiles, target, processor):
    """The tiles that take longer than they should: a rest has the share of the peak that so few sums allow."""
    found, loops = [], loops_of(tiles)
    for loop, time in zip(loops, cycles(loops, target.triple, processor.model, processor.dispatch)):
        share = len(loop.multiply_adds) / processor.ports / time
        possible = min(len(loop.accumulators) / (processor.ports * processor.latency), 1)
        wanted = possible * (min(FILLING_SHARE, processor.share) if loop.stores else processor.share)
        if share < wanted:
            found.append(f"{share:.2f} of the peak, and not {wanted:.2f}\n{loop}")
    return found


# What is found and waits for a better compiler: check, target, models, why. A finding that is mended must leave the list.
NO_STRENGTH_REDUCTION = ("x86 is compiled without loop strength reduction, so that addresses are shifts and products of a counter: "
                         "leaveOutStrengthReduction in codegen/emit/Object.cpp")
ROWS_APART = ("the state of a scan is a buffer at first and a part of the sequence later: its rows' distance is known only when the "
              "kernel runs, passes/buffer/CarryViews.cpp. x86 gains nothing by one that is known; for NEON, LLVM's strength reduction "
              "makes the rows' addresses one of the other")
FINDINGS = [
    ("density", "AVX2", list(MODELS), NO_STRENGTH_REDUCTION),
    ("share on haswell", "AVX2", ["uneven"], NO_STRENGTH_REDUCTION),
    ("share on skylake", "AVX-512", ["uneven", "recurrent"], NO_STRENGTH_REDUCTION),
    ("spills", "AVX-512", ["recurrent"], NO_STRENGTH_REDUCTION),
    ("share on n2", "NEON", ["recurrent"], ROWS_APART),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("target", TARGETS)
def test_tiles(cornu, target, model):
    tiles, facts = training_tiles(target, model), TARGETS[target]
    # A layer forward, and its gradients for the input and for the weights.
    assert len(tiles) >= 4
    checks = {"sums": too_few_sums(tiles, facts), "spills": spilling(tiles), "density": sparse(tiles, facts)}
    for name, processor in facts.processors.items():
        checks[f"share on {name}"] = slow(tiles, facts, processor)
    found = {check: problems for check, problems in checks.items() if problems}
    known = {check: why for check, name, models, why in FINDINGS if name == target and model in models}
    new = {check: problems for check, problems in found.items() if check not in known}
    assert not new, "\n".join(f"{check}, {len(problems)}: " + "\n".join(problems[:3]) for check, problems in new.items())
    assert not known.keys() - found.keys(), f"mended: strike {known.keys() - found.keys()} off the findings"
    if known:
        pytest.xfail("; ".join(sorted(set(known.values()))))


def test_a_tile_that_does_not_fit_is_found(cornu, tmp_path):
    """Twice the rows that sixteen registers hold: these checks can fail."""
    target = TARGETS["AVX2"]
    shape, layers = MODELS["dense"]
    (tmp_path / "m.json").write_text(model_of(layers, shape))
    run(cornu, "compile", tmp_path / "m.json", "--inference-only", "--batch=32", *target.flags, "--emit=buffers",
        "-o", tmp_path / "m.mlir")
    strategy = ("#codegen.contraction<mr = 12, nr = 16, mc = 36, nc = 64, kc = 128, copy_left = false, copy_right = false, "
                "pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 0, serial = 200000>")
    text = (tmp_path / "m.mlir").read_text()
    (tmp_path / "m.mlir").write_text(text.replace(
        "attributes {nn.kernel", f'attributes {{codegen.given = {{from = "test", strategies = [{strategy}]}}, nn.kernel', 1))
    given, own = tiles_of(tmp_path / "m.mlir", target).values()
    assert len(spilling({"given": given, "own": own})) == len(given) > 0
    assert too_few_sums({"given": given, "own": own}, target) == ["given"]
    haswell = target.processors["haswell"]
    assert slow({"given": given}, target, haswell) and not slow({"own": own}, target, haswell)


@pytest.mark.parametrize("target", TARGETS)
def test_a_tile_with_more_beside_it_is_found(cornu, target):
    """Every multiply-add with a counter of its own."""
    tile = max(loops_of(training_tiles(target, "dense")), key=lambda loop: (len(loop.accumulators), not loop.stores))
    counter = "incq\t%rax" if target.startswith("AVX") else "add\tx1, x1, #1"
    pairs = [[one, counter] if one in tile.multiply_adds else [one] for one in tile.instructions]
    more = dataclasses.replace(tile, instructions=tuple(sum(pairs, [])))
    assert not sparse({"tile": [tile]}, TARGETS[target]) and sparse({"tile": [more]}, TARGETS[target])
