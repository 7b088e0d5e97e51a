"""Checks what a file that declares a network holds: none of its kernels, steps or weights, and it doesn't link alone.

usage: check.py COMPILER OBJECT LIBRARY
"""

import re
import subprocess
import sys

COMPILED = re.compile(r"(conv_tile|run_conv|WeightPacker|WeightsFile|CompiledNetwork|lowered)")


def symbols(path):
    """The names that a file defines."""
    text = subprocess.run(["nm", "-C", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    return [line.split(" ", 2)[2] for line in text.splitlines() if line.count(" ") >= 2]


def main():
    compiler, main_object, library = sys.argv[1:]
    found = [name for name in symbols(main_object) if COMPILED.search(name)]
    if found:
        sys.exit("a file that only declares its network holds " + "\n".join(found))
    if not any("conv_tile" in name for name in symbols(library)):
        sys.exit(f"{library} holds no kernel: the names that this test looks for have changed")
    linked = subprocess.run([compiler, main_object, "-o", "/dev/null", "-ltbb"], capture_output=True, text=True)
    if linked.returncode == 0 or not re.search(r"undefined reference to .*Model<Small", linked.stderr):
        sys.exit("without the network's library, expected that the model is undefined, found:\n" + linked.stderr)


if __name__ == "__main__":
    main()
