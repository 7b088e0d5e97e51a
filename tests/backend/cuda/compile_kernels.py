"""Compiles a network's kernels with nvcc and reads what it made of them: no warning, no stack, no spilled register, and
tensor-core instructions exactly where a precision uses them.

usage: compile_kernels.py ROOT

Exit status 77 where there is no nvcc.
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

NETWORK = """#include <tenon/cuda.hpp>
#include <tenon/models/fashion_mnist.hpp>
template class tenon::cuda::Engine<tenon::FashionMnistResNet, tenon::Precision::PRECISION>;
template class tenon::cuda::TrainingDevice<tenon::FashionMnistResNet, tenon::Precision::PRECISION>;
"""
# A kernel with memory of its own, which the check must see.
STACK = """__global__ void kernel(int* p) {
    int a[64];
    for (int i = 0; i < 64; ++i) a[i] = p[i];
    for (int i = 0; i < 64; ++i) a[p[i] & 63] += i;
    p[0] = a[p[1] & 63];
}
"""
HMMA = 0x23C  # the low 12 bits of an instruction that uses tensor cores


def compile_file(nvcc, root, text, *options):
    """The output file's content and the messages of ptxas."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, "kernels.cu"), os.path.join(folder, "output")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        run = subprocess.run([nvcc, "-std=c++20", "-I" + os.path.join(root, "include"), "-Werror=all-warnings",
                              "-Xptxas", "-v", *options, source, "-o", output], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"nvcc {' '.join(options)} failed:\n{run.stdout}{run.stderr}")
        with open(output, "rb") as file:
            return file.read(), run.stdout + run.stderr


def memory_of(messages):
    """(stack, spilled) bytes per kernel."""
    found = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", messages)
    return [(int(stack), int(stores) + int(loads)) for stack, stores, loads in found]


# The registers of a thread with which as many blocks of a tile run on a multiprocessor, of 65,536 registers, as
# conv_choice.hpp's table says: 2 of 256 threads, 4 or 6 of 128. Where threads copy fewer than 16 bytes at once, half as many.
MAX_REGISTERS = {(64, 64): (128, 255), (32, 32): (80, 168)}
PRODUCT = re.compile(r"ConvSpecELNS_9PrecisionE(\d)ELi(\d+)ELi(\d+)E(?:Li\d+E){4}Li(\d)ELi\dE")
# Of weight gradients' kernels two blocks are counted on (weight_gradient_blocks).
GRADIENT = re.compile(r"WeightGradientSpecELNS_9PrecisionE(\d)ELi(\d+)E")


def hungry_products(messages):
    """Products with so many registers that a multiprocessor runs fewer blocks than it is believed to."""
    found = []
    for name, registers in re.findall(r"Compiling entry function '(\S+)' for[^']*'[^']*'[\s\S]*?Used (\d+) registers", messages):
        gradient = GRADIENT.search(name)
        if gradient:
            has_256_threads = gradient[1] == "0" or gradient[2] == "128"
            if int(registers) > (128 if has_256_threads else 255):
                found.append(f"{registers} registers: {name}")
        match = PRODUCT.search(name)
        if not match:
            continue
        precision, rows, columns, vector = map(int, match.groups())
        has_256_threads = precision == 0 or (rows, columns) == (128, 128)
        is_narrow = vector * (4 if precision < 2 else 2) != 16
        if int(registers) > ((128, 255) if has_256_threads else MAX_REGISTERS[rows, columns])[is_narrow]:
            found.append(f"{registers} registers: {name}")
    return found


def count_hmma(cubin):
    """Tensor-core instructions in the code sections of an ELF file."""
    offset, = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", cubin, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", cubin, offset + i * size) for i in range(count)]
    names = sections[names_index][4]
    total = 0
    for name, _, _, _, start, length in sections:
        text = cubin[names + name:cubin.index(b"\0", names + name)]
        if text.startswith(b".text."):
            total += sum(struct.unpack_from("<H", cubin, at)[0] & 0xFFF == HMMA
                         for at in range(start, start + length, 16))
    return total


def main():
    root = sys.argv[1]
    nvcc = os.environ.get("CUDACXX") or shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not os.path.exists(nvcc):
        print("SKIPPED: nvcc isn't installed, so no kernel was compiled for CUDA.")
        sys.exit(77)
    _, messages = compile_file(nvcc, root, STACK, "-cubin", "-arch=sm_80")
    if memory_of(messages)[0][0] == 0:
        sys.exit("the check does not see a kernel's stack")
    failures = []
    for precision, arch in (("float32", "sm_80"), ("tensor_float32", "sm_80"), ("float16", "sm_80"),
                            ("bfloat16", "sm_80"), ("bfloat16", "sm_90")):
        cubin, messages = compile_file(nvcc, root, NETWORK.replace("PRECISION", precision), "-cubin", "-arch=" + arch)
        memory, hmma = memory_of(messages), count_hmma(cubin)
        print(f"{arch} {precision}: {len(memory)} kernels, {hmma} tensor-core instructions, stack and spills "
              f"{sum(sum(bytes) for bytes in memory)} bytes")
        if not PRODUCT.search(messages) or not GRADIENT.search(messages):
            failures.append(f"{arch} {precision}: no convolution or weight gradient is recognized by its name")
        failures += [f"{arch} {precision}: {text}" for text in hungry_products(messages)]
        if len(memory) < 30:
            failures.append(f"{arch} {precision}: only {len(memory)} kernels")
        if any(sum(bytes) for bytes in memory):
            failures.append(f"{arch} {precision}: a kernel has a stack or spills")
        if (hmma > 0) != (precision != "float32"):
            failures.append(f"{arch} {precision}: {hmma} tensor-core instructions")
    newest = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout.split()[-1]
    ptx, _ = compile_file(nvcc, root, NETWORK.replace("PRECISION", "bfloat16"), "-ptx", "-arch=" + newest)
    print(f"{newest} bfloat16: {ptx.count(b'mma.sync')} times mma.sync in PTX")
    if b"ldmatrix.sync.aligned.m8n8.x4.trans" not in ptx:
        failures.append(f"{newest}: weight gradients turn no matrices")
    if b"mma.sync" not in ptx:
        failures.append(f"{newest}: no mma.sync")
    if failures:
        sys.exit("\n".join(failures))


main()
