"""Fails when two object files, compiled for different instruction sets, share machine code of tenon or of Eigen.

The linker keeps one copy of a weak function that both files define, so that the file compiled for the lesser machine may
run the other's code. The same holds for a weak constant that holds pointers, such as a table of kernels. Functions of the
standard library are left out: nothing a library does can keep those apart.
"""

import argparse
import re
import subprocess
import sys

OURS = re.compile(r"\b(tenon|Eigen|tbb)::")

# Shared on purpose: an exception has to be one type in all files of a program to be caught.
ALLOWED = re.compile(r"^(tenon::Error::|(vtable|typeinfo|typeinfo name) for tenon::Error$)")


def weak_symbols(path):
    """The weak symbols of an object file that hold machine code or pointers: name -> section."""
    output = subprocess.run(["objdump", "-t", "-w", path], check=True, capture_output=True, text=True).stdout
    symbols = {}
    for line in output.splitlines():
        # 0000000000000000  w    F .text._ZN5tenon1fEv	000000000000000f _ZN5tenon1fEv
        match = re.match(r"^[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
        if not match:
            continue
        flags, section, name = match.groups()
        weak = "w" in flags or "u" in flags
        if weak and section.startswith((".text", ".data.rel", ".data")):
            symbols[name] = section
    return symbols


def demangle(names):
    result = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return result.splitlines()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("objects", nargs=2)
    parser.add_argument("--expect-violations", type=int, default=0)
    arguments = parser.parse_args()

    first, second = (weak_symbols(path) for path in arguments.objects)
    shared = sorted(first.keys() & second.keys())
    violations = [
        (name, first[mangled])
        for mangled, name in zip(shared, demangle(shared))
        if OURS.search(name) and not ALLOWED.match(name)
    ]
    for name, section in violations:
        print(f"both files define {name} ({section.split('.')[1]})")
    print(
        f"{len(first)} and {len(second)} weak symbols, {len(shared)} shared, "
        f"{len(violations)} of them machine code or pointers of tenon, Eigen or oneTBB"
    )
    return 0 if len(violations) == arguments.expect_violations else 1


if __name__ == "__main__":
    sys.exit(main())
