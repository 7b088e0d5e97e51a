"""Compiles the listing's ResNet50V2 for an instruction set, and tiles of integers and bfloat16 (spills_integers.cpp), and
checks that no sum of their hot loops lives in memory.

usage: spills.py ROOT ISA

A hot loop is an innermost loop of a register tile (conv_tile, strassen_tile, filter_tile, quantized_tile,
quantized_product_tile) with fused multiply-adds, of floats or integers. A vector that is loaded from the stack or stored to it
there is a spill: the tile has more sums than the instruction set has registers. Nothing is run, so the machine need not know
the instruction set. Exit status 77 where a compiler isn't installed.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CROSS = "aarch64-linux-gnu-"
FLAGS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"],
    "avx512vnni": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx512vnni", "-mavx2", "-mfma"],
    "avx512bf16": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx512vnni", "-mavx512bf16", "-mavx2",
                   "-mfma"],
    # Headers that don't depend on the processor come from the host, after the cross compiler's own.
    "neon": ["-idirafter", "/usr/include"],
}
# Of the tiles that the network's convolutions need, and of those of integers, which are not written for NEON. VNNI changes
# only the latter. Of bfloat16 only the processor's own products are looked at: those of floats, which stand in for them, store
# their sums once a plane or keep a few of them in memory with AVX2.
LEAST_LOOPS = {"avx2": 10 + 10, "avx512": 10 + 8, "avx512vnni": 5, "avx512bf16": 5 + 2, "neon": 10}
MULTIPLY_ADD = re.compile(r"^(vfn?m(add|sub)|fml[as]|vpmaddwd|vpdp(busd|wssd)|vdpbf16ps)")
JUMP = re.compile(r"^(j[a-z]+|b|b\.[a-z]+|cbn?z|tbn?z)$")
VECTOR = re.compile(r"%[xyz]mm\d|\b[qv]\d")
STACK = {"avx2": r"\(%rsp", "avx512": r"\(%rsp", "avx512vnni": r"\(%rsp", "avx512bf16": r"\(%rsp", "neon": r"\[(sp|x29)"}


def compile_tiles(root, isa, folder):
    compiler = CROSS + "g++" if isa == "neon" else "g++-12"
    if shutil.which(compiler) is None:
        print(f"SKIPPED: {compiler} isn't installed, so the loops for {isa} were not checked.")
        sys.exit(77)
    command = [compiler, "-std=c++20", "-O2", "-DNDEBUG", f"-I{root}/include", *FLAGS[isa]]
    sources, targets = [], []
    if isa not in ("avx512vnni", "avx512bf16"):
        sources.append(["-DTENON_NETWORK=ResNet50V2<>", f"{root}/benchmarks/compile/network.cpp"])
    if isa != "neon":
        sources.append([f"{root}/tests/backend/cpu/spills_integers.cpp"])
    for source in sources:
        targets.append(f"{folder}/{len(targets)}.o")
        subprocess.run([*command, "-c", *source, "-o", targets[-1]], check=True)
    return targets


def functions(isa, targets):
    """Name and instructions (address, mnemonic, operands) of every register tile."""
    objdump = CROSS + "objdump" if isa == "neon" else "objdump"
    text = subprocess.run(
        [objdump, "-d", "-C", "--no-show-raw-insn", *targets], check=True, capture_output=True, text=True
    ).stdout
    for part in text.split("\n\n"):
        lines = part.strip().splitlines()
        if not lines or not re.search(r"(conv|strassen|filter|quantized|quantized_product)_tile<", lines[0]):
            continue
        instructions = []
        for line in lines[1:]:
            if match := re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line):
                instructions.append((int(match[1], 16), match[2], match[3]))
        yield lines[0], instructions


def innermost_loops(instructions):
    """Bodies of the loops that hold no other."""
    begin, end = instructions[0][0], instructions[-1][0]
    loops = set()
    for address, mnemonic, operands in instructions:
        target = re.search(r"\b([0-9a-f]+) <", operands)
        if JUMP.match(mnemonic) and target and begin <= int(target[1], 16) <= address <= end:
            loops.add((int(target[1], 16), address))
    for first, last in loops:
        if not any(other != (first, last) and first <= other[0] and other[1] <= last for other in loops):
            yield [one for one in instructions if first <= one[0] <= last]


def main():
    root, isa = pathlib.Path(sys.argv[1]), sys.argv[2]
    checked, spills = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name, instructions in functions(isa, compile_tiles(root, isa, folder)):
            stack = STACK[isa]
            if any(mnemonic == "and" and "%rsp" in operands for _, mnemonic, operands in instructions):
                stack = r"\(%r[sb]p"  # the stack is aligned anew, and %rbp is its frame
            for body in innermost_loops(instructions):
                if not any(MULTIPLY_ADD.match(mnemonic) for _, mnemonic, _ in body):
                    continue
                checked += 1
                for address, mnemonic, operands in body:
                    if re.search(stack, operands) and VECTOR.search(operands):
                        spills.append(f"{name}\n    {address:x}: {mnemonic} {operands}")
    print(f"{isa}: {checked} hot loops, {len(spills)} spills")
    for spill in spills[:20]:
        print(spill)
    if checked < LEAST_LOOPS[isa]:
        print(f"expected at least {LEAST_LOOPS[isa]} loops, so this check doesn't see the tiles")
    return 1 if spills or checked < LEAST_LOOPS[isa] else 0


if __name__ == "__main__":
    sys.exit(main())
