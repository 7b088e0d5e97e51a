"""Fails when two object files, compiled for different instruction sets, share machine code of tenon or of Eigen.

The linker keeps one copy of a weak function that both files define. Where the copies differ, the file compiled for the
lesser machine may run instructions that the machine lacks. The same holds for a weak constant that holds addresses of
functions, such as a table of kernels, and for one that leads to them over the addresses of others, such as a program
with a user's function. Functions of the standard library and of oneTBB are left out unless they are instantiated with
something of tenon's: nothing that tenon does can keep those apart.
"""

import argparse
import re
import subprocess
import sys

OURS = re.compile(r"\b(tenon|Eigen)::")

# Shared on purpose: an exception has to be one type in all files of a program to be caught.
ALLOWED = re.compile(r"^(tenon::Error::|vtable for tenon::Error$)")


def symbols(path):
    """Every symbol of an object file: name -> (flags, section)."""
    output = subprocess.run(["objdump", "-t", "-w", path], check=True, capture_output=True, text=True).stdout
    # 0000000000000000  w    F .text._ZN5tenon1fEv	000000000000000f _ZN5tenon1fEv
    lines = re.findall(r"^[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", output, re.MULTILINE)
    return {name: (flags, section) for flags, section, name in lines}


def sections_with_code_pointers(path, table):
    """The sections of an object file that hold addresses of functions, or of data that lead to one."""
    output = subprocess.run(["objdump", "-r", "-w", path], check=True, capture_output=True, text=True).stdout
    found, pointers, section = set(), {}, ""
    for line in output.splitlines():
        if match := re.match(r"RELOCATION RECORDS FOR \[(\S+)\]:", line):
            section = match[1]
        elif section.startswith((".data", ".rodata")) and (match := re.match(r"[0-9a-f]+ \S+\s+([^\s+-]+)", line)):
            flags, target = table.get(match[1], ("", match[1]))
            undefined_function = target == "*UND*" and not match[1].startswith(("_ZTV", "_ZTI", "_ZTS"))
            if "F" in flags or target.startswith(".text") or undefined_function:
                found.add(section)
            else:
                pointers.setdefault(target, set()).add(section)
    # A program that points to a table of functions leads to them: from what was found back to who points there.
    unseen = list(found)
    while unseen:
        pointing = pointers.get(unseen.pop(), set()) - found
        found |= pointing
        unseen += pointing
    return found


def machine_code(path):
    """The bytes of the instructions in each section of an object file. Each weak function has a section of its own."""
    command = ["objdump", "-d", "-w", "-z", "--no-addresses", path]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sections, code = {}, []
    for line in output.splitlines():
        if match := re.match(r"Disassembly of section (\S+):$", line):
            code = sections[match[1]] = []
        elif line.startswith("\t"):
            code.append(line.split("\t")[1].strip())
    return sections


def weak_code(path):
    """The weak symbols of an object file that are functions or lead to functions: name -> what they hold."""
    code = machine_code(path)
    table = symbols(path)
    pointers = sections_with_code_pointers(path, table)
    found = {}
    for name, (flags, section) in table.items():
        if "w" not in flags and "u" not in flags:
            continue
        if section.startswith(".text"):
            found[name] = code[section]
        elif section in pointers:
            found[name] = None
    return found


def demangle(names):
    result = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return result.splitlines()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("objects", nargs=2)
    parser.add_argument("--expect-violations", type=int, default=0)
    arguments = parser.parse_args()

    first, second = (weak_code(path) for path in arguments.objects)
    shared = sorted(first.keys() & second.keys())
    violations = others = 0
    for mangled, name in zip(shared, demangle(shared)):
        if first[mangled] is not None and first[mangled] == second[mangled]:
            continue
        if not OURS.search(name) or ALLOWED.match(name):
            others += 1
            continue
        violations += 1
        print(f"both files define {name}: {'data that lead to functions' if first[mangled] is None else 'different code'}")
    print(
        f"{len(first)} and {len(second)} weak functions and data that lead to functions, {len(shared)} shared; unlike in both "
        f"are {violations} of tenon and Eigen, expected {arguments.expect_violations}, and {others} of std and oneTBB"
    )
    return 0 if violations == arguments.expect_violations else 1


if __name__ == "__main__":
    sys.exit(main())
