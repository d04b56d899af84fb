"""The innermost loops of a compiler's assembly, and what they do with vectors.

    for loop in inner_loops(assembly, AVX2):
        loop.function, len(loop.multiply_adds), loop.accumulators, loop.spills

A loop is what lies between a label and the last branch back to it. It is
innermost if no other loop's label lies there. Blocks that were moved out of the
way, behind a return, are no part of a loop.

A spill is a read or write at a constant distance from the stack pointer: the
register allocator addresses its slots so, SVE's by a register that it sets just
before. A buffer on the stack is walked with an index, or through a register
that moves, and is none.
"""
import dataclasses
import functools
import re


@dataclasses.dataclass(frozen=True)
class InstructionSet:
    """How instructions are written. All patterns are of one line without its
    indentation: a mnemonic, a tab, operands."""
    name: str
    full_vector: str
    multiply_add: str
    branch: str
    # Slots of the stack; {base} is the stack or the frame pointer, and the
    # latter is one only where a function's prologue says so.
    slot: str
    stack_pointer: str
    frame_pointer: str
    sets_frame_pointer: str
    # What makes the base of a slot from the stack pointer, within the loop.
    sets_base: str
    # A vector register or a part of one, by its number.
    register: str
    # The registers that an instruction writes, from its operands' text.
    writes: str
    # Comparisons write flags.
    compares: str
    store: str
    comment: str

    def registers(self, text):
        return set(re.findall(self.register, text))

    def written(self, line):
        """The numbers of the vector registers that an instruction writes."""
        operands = line.partition("\t")[2]
        if re.match(self.compares, line) or re.match(self.store, line):
            return set()
        destination = re.search(self.writes, operands)
        return self.registers(destination[0]) if destination else set()


def _x86(name, full_vector):
    # AT&T's order: the destination is last, and may carry a mask.
    return InstructionSet(
        name, full_vector, multiply_add=r"vfn?m(?:add|sub)\d*p[sd]\t", branch=r"j\w+\t(\.L\w+)$",
        slot=r"(?<![\w)])-?\d*\({base}\)", stack_pointer="%rsp", frame_pointer="%rbp", sets_frame_pointer="movq\t%rsp, %rbp$",
        sets_base=r"leaq\t-?\d*\(%rsp\), (%\w+)$", register=r"%[xyz]mm(\d+)", writes=r"%[xyz]mm\d+(?: \{[^}]*\})*$",
        compares=r"v?u?comis[sd]|vp?test", store=r"v\w+\t.*\)(?: \{[^}]*\})*$", comment=r"\s*#.*")


def _aarch64(name, full_vector):
    # The destination is first: a register, two of a pair, or a list in braces.
    return InstructionSet(
        name, full_vector, multiply_add=r"fn?m(?:la|ls|ad|sb)\t",
        branch=r"(?:b|b\.\w+|cbn?z|tbn?z)\t(?:\w+, )?(?:#\d+, )?(\.L\w+)$",
        slot=r"\[{base}(?:, #-?\d+(?:, mul vl)?)?\]", stack_pointer="sp", frame_pointer="x29",
        sets_frame_pointer=r"(?:mov\tx29, sp|add\tx29, sp, #\d+)$",
        sets_base=r"add(?:vl)?\t(x\d+), sp, #-?\d+$", register=r"\b[bhsdqvz](\d+)\b",
        writes=r"^(?:\{[^}]*\}|[bhsdqvz]\d+[.\w\[\]]*(?:, [sdq]\d+(?=, \[))?)", compares="fcmp", store=r"st\w+\t.*\b[bhsdqvz]\d",
        comment=r"\s*//.*")


AVX2 = _x86("AVX2", r"%ymm\d+")
AVX512 = _x86("AVX-512", r"%zmm\d+")
NEON = _aarch64("NEON", r"\bv\d+\.(?:4s|2d)")
SVE = _aarch64("SVE", r"\bz\d+\.[sd]")


@dataclasses.dataclass(frozen=True)
class Loop:
    function: str
    # Lines without indentation and labels; the last is the branch back.
    instructions: tuple
    isa: InstructionSet
    has_frame_pointer: bool = False

    @functools.cached_property
    def multiply_adds(self):
        """The multiply-adds of full vectors."""
        return [line for line in self.instructions
                if re.match(self.isa.multiply_add, line) and re.search(self.isa.full_vector, line)]

    @functools.cached_property
    def accumulators(self):
        """The registers that multiply-adds write and nothing else does: sums that
        every iteration continues. The polynomials of vector functions have
        none, they begin with a coefficient."""
        others = [line for line in self.instructions if line not in self.multiply_adds]
        return set().union(*map(self.isa.written, self.multiply_adds)) - set().union(*map(self.isa.written, others))

    @functools.cached_property
    def spills(self):
        """The instructions that read or write a slot of the stack: a vector, or an address."""
        bases = [self.isa.stack_pointer] + [self.isa.frame_pointer] * self.has_frame_pointer
        bases += [base[1] for line in self.instructions if (base := re.match(self.isa.sets_base, line))]
        slot = "|".join(self.isa.slot.replace("{base}", re.escape(base)) for base in bases)
        return [line for line in self.instructions if re.search(slot, line) and not re.match(self.isa.sets_base, line)]

    @functools.cached_property
    def stores(self):
        """The instructions that write vectors to memory, and not to a slot: the loop fills a panel."""
        return [line for line in self.instructions if re.match(self.isa.store, line) and line not in self.spills]

    def __str__(self):
        return f"{self.function}:\n" + "\n".join("\t" + line for line in self.instructions)


def functions(assembly):
    """The functions of an assembly file: name and lines."""
    for part in re.split(r"^(?=[A-Za-z_][\w.]*:)", assembly, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        yield name.split(":")[0], lines


def inner_loops(assembly, isa):
    """The innermost loops of an assembly file, function by function."""
    for name, lines in functions(assembly):
        labels, ends = {}, {}
        for i, line in enumerate(lines):
            if label := re.match(r"(\.L\w+):", line):
                labels[label[1]] = i
            elif (branch := re.match(isa.branch, re.sub(isa.comment, "", line).strip())) and branch[1] in labels:
                ends[labels[branch[1]]] = i
        frame = any(re.match(isa.sets_frame_pointer, line.strip()) for line in lines)
        for first, last in sorted(ends.items()):
            if any(first < other <= last for other in ends):
                continue
            body = tuple(re.sub(isa.comment, "", line).strip() for line in lines[first:last + 1] if re.match(r"\t[a-z]", line))
            if not any(re.match(r"ret\w*$", line) for line in body):
                yield Loop(name, body, isa, frame)
