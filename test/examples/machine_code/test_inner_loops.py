"""What is a loop, an accumulator and a spill: the reader of assembly on a few lines each."""
import pytest
from inner_loops import AVX2, AVX512, NEON, SVE, inner_loops
from llvm_mca import cycles, fuse


def loop(isa, body, prologue="", branch=None):
    """The one innermost loop of a function with this body."""
    branch = branch or ("jl .LBB0_1" if isa.name.startswith("AVX") else "b.lt .LBB0_1")
    lines = [*prologue.splitlines(), ".LBB0_1:", *body.splitlines(), branch, "ret"]
    text = "kernel:\n" + "\n".join(line if line.startswith(".L") else "\t" + line.strip().replace(" ", "\t", 1) for line in lines)
    (found,) = inner_loops(text, isa)
    return found


@pytest.mark.parametrize("isa, line", [
    (AVX2, "vmovups 32(%rsp), %ymm3"),
    (AVX2, "vmovups %ymm3, -64(%rsp)"),
    (AVX2, "vfmadd231ps (%rsp), %ymm1, %ymm2"),
    (AVX2, "vbroadcastss 4(%rsp), %ymm1"),
    (AVX2, "movq 56(%rsp), %rcx"),
    (AVX512, "vmovups 256(%rsp), %zmm3"),
    (AVX512, "vfmadd231ps 4(%rsp){1to16}, %zmm1, %zmm2"),
    (NEON, "ldr q8, [sp, #16]"),
    (NEON, "stp q8, q9, [sp]"),
    (NEON, "ldr x9, [sp, #8]"),
    (SVE, "ldr z8, [sp, #1, mul vl]"),
    (SVE, "add x11, sp, #96\nldr z8, [x11, #21, mul vl]"),
    (SVE, "addvl x11, sp, #3\nstr z8, [x11]"),
])
def test_a_slot_of_the_stack_is_a_spill(isa, line):
    found = loop(isa, line)
    assert len(found.spills) == 1 and not found.stores


@pytest.mark.parametrize("isa, line", [
    (AVX2, "vmovups (%rsp,%rax,4), %ymm3"),
    (AVX2, "vmovups 32(%rsp,%rax), %ymm3"),
    (AVX2, "vmovups 32(%rbp), %ymm3"),
    (AVX2, "leaq 32(%rsp), %rcx\nvmovups (%rcx,%rax), %ymm3"),
    (AVX512, "vfmadd231ps 4(%rax){1to16}, %zmm1, %zmm2"),
    (NEON, "ldr q8, [x29, #16]"),
    (NEON, "ldr q8, [sp, x9]"),
    (NEON, "add x11, x10, #96\nldr q8, [x11]"),
    (SVE, "ldr z8, [x29, #-3, mul vl]"),
])
def test_other_memory_is_none(isa, line):
    assert not loop(isa, line).spills


@pytest.mark.parametrize("isa, prologue, line", [
    (AVX2, "movq %rsp, %rbp", "vmovups -96(%rbp), %ymm3"),
    (NEON, "mov x29, sp", "ldr q8, [x29, #16]"),
    (SVE, "add x29, sp, #64", "str z8, [x29, #-3, mul vl]"),
])
def test_a_frame_pointer_is_one_by_its_prologue(isa, prologue, line):
    assert len(loop(isa, line, prologue).spills) == 1


@pytest.mark.parametrize("isa, body, multiply_adds, accumulators, stores", [
    # Two sums; a product that is no sum; a scalar and a narrower one; a panel that is filled.
    (AVX2, """vmovups (%rdi), %ymm4
              vmovups %ymm4, (%rsi)
              vfmadd231ps %ymm4, %ymm5, %ymm1
              vfnmadd231ps (%rdx), %ymm5, %ymm2
              vmovaps %ymm4, %ymm3
              vfmadd213ps %ymm4, %ymm5, %ymm3
              vfmadd231ss %xmm4, %xmm5, %xmm6
              vfmadd231ps %xmm4, %xmm5, %xmm7""", 3, {"1", "2"}, 1),
    (AVX512, """vfmadd231ps (%rdx){1to16}, %zmm5, %zmm31 # zmm31 = (zmm5 * mem) + zmm31
                vfmadd231ps %zmm4, %zmm5, %zmm30 {%k1}
                vfmadd231ps %ymm4, %ymm5, %ymm2
                vmovups %zmm4, (%rsi) {%k1}""", 2, {"31", "30"}, 1),
    # Each register of a pair, of a list and of a part is written.
    (NEON, """ldp q4, q5, [x1]
              ld1r { v6.4s }, [x2], #4
              ldr s7, [x3]
              fmla v1.4s, v8.4s, v7.s[0]
              fmla v4.4s, v8.4s, v7.4s
              fmla v5.4s, v8.4s, v7.4s
              fmls v6.4s, v8.4s, v7.4s
              fmla v7.4s, v8.4s, v7.4s
              fmla v2.2s, v8.2s, v7.2s
              stp q4, q5, [x4]""", 5, {"1"}, 1),
    (SVE, """ld1rw { z8.s }, p0/z, [x1]
             fmla z1.s, p0/m, z8.s, z9.s
             fmad z8.s, p0/m, z9.s, z10.s
             fmla v2.4s, v8.4s, v9.4s
             st1w { z8.s }, p0, [x2]""", 2, {"1"}, 1),
], ids=lambda value: getattr(value, "name", ""))
def test_multiply_adds_and_accumulators(isa, body, multiply_adds, accumulators, stores):
    found = loop(isa, body)
    assert len(found.multiply_adds) == multiply_adds and found.accumulators == accumulators and len(found.stores) == stores


def test_innermost_loops():
    text = """
first:
\t.cfi_startproc
.LBB0_1:
\tmovq\t%rax, %rbx
.LBB0_2:                                # inner
\t.p2align\t4
\tjne\t.LBB0_3
\tincq\t%rcx
.LBB0_3:
\tjl\t.LBB0_2                 # once more
\tjmp\t.LBB0_1
\tretq
second:
.LBB1_1:
\tdecq\t%rcx
\tjne\t.LBB1_1
\tjmp\t.LBB1_3
.LBB1_2:
\tretq
.LBB1_3:
\tjmp\t.LBB1_2
"""
    found = list(inner_loops(text, AVX2))
    assert [(one.function, len(one.instructions)) for one in found] == [("first", 3), ("second", 2)]
    body = "fmla v1.4s, v8.4s, v7.4s"
    for branch in ("b.lt .LBB0_1", "cbnz x8, .LBB0_1", "tbz w8, #3, .LBB0_1", "b .LBB0_1"):
        assert len(loop(NEON, body, branch=branch).instructions) == 2


def test_compare_and_branch_are_one():
    assert fuse(("incq\t%rax", "cmpq\t$8, %rax", "jl\t.L1")) == ["incq\t%rax", "jl\t.L1"]
    assert fuse(("cmpq\t$8, %rax", "incq\t%rbx", "jmp\t.L1")) == ["cmpq\t$8, %rax", "incq\t%rbx", "jmp\t.L1"]


def test_one_sum_waits_for_itself():
    """Ten sums hide a multiply-add's five cycles on two ports, one does not; an eleventh instruction costs nothing there."""
    ten = loop(AVX2, "\n".join(f"vfmadd231ps %ymm14, %ymm15, %ymm{i}" for i in range(10)))
    one = loop(AVX2, "\n".join(["vfmadd231ps %ymm14, %ymm15, %ymm0"] * 10))
    fast, slow = cycles([ten, one], "x86_64", "haswell")
    assert fast == pytest.approx(5, rel=0.1) and slow == pytest.approx(50, rel=0.1)
