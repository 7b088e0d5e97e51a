"""Checks what the files of a program hold that has its network, and what no network changes, from libraries.

usage: check.py COMPILER MAIN OTHER NETWORK COMPILED

MAIN declares the network: it holds none of its kernels, steps or weights, and doesn't link alone. OTHER compiles the network
for the library COMPILED: it holds the network's kernels, but neither their drivers nor the readers of weights files.
"""

import re
import subprocess
import sys

OF_NETWORK = re.compile(r"(conv_tile<|CompiledNetwork<.*>::(plan|functions)$|lowered<|run_conv)")
OF_NO_NETWORK = re.compile(r"(run_conv_with|WeightsFileOf<void>::(WeightsFileOf|check_names)|PickleReader|write_weights)")


def symbols(path, kind="--defined-only"):
    """The names that a file defines, or lacks."""
    text = subprocess.run(["nm", "-C", kind, path], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^[0-9a-f ]{16} \w (.*)$", text, re.MULTILINE)


def expect(path, pattern, holds):
    found = [name for name in symbols(path) if pattern.search(name)]
    if bool(found) != holds:
        sys.exit(f"{path}: expected {'some' if holds else 'no'} names like {pattern.pattern}, found:\n" + "\n".join(found))


def main():
    compiler, main_object, other_object, network, compiled = sys.argv[1:]
    expect(main_object, OF_NETWORK, False)
    expect(main_object, OF_NO_NETWORK, False)
    expect(other_object, OF_NETWORK, True)
    expect(other_object, OF_NO_NETWORK, False)
    expect(network, OF_NETWORK, True)
    expect(network, OF_NO_NETWORK, True)
    expect(compiled, OF_NO_NETWORK, True)
    linked = subprocess.run([compiler, main_object, "-o", "/dev/null", "-ltbb"], capture_output=True, text=True)
    if linked.returncode == 0 or not re.search(r"undefined reference to .*Model<Small", linked.stderr):
        sys.exit("without the network's library, expected that the model is undefined, found:\n" + linked.stderr)
    # With a library for another instruction set it doesn't link either: the names say which.
    lacking = [name for name in symbols(other_object, "--undefined-only") if "open_weights" in name]
    if not lacking or not all(re.search(r"tenon::detail::(generic|sse4|avx\w*|neon)::", name) for name in lacking):
        sys.exit(f"{other_object}: expected a reader named after the instruction set, found {lacking}")


if __name__ == "__main__":
    main()
