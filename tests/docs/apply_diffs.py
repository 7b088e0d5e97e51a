#!/usr/bin/env python3
"""Applies the diffs of a page to a copy of the headers; then what the page builds on them has to work.

Blocks of C++ marked <!-- with-diffs --> are compiled against the changed headers; the one that includes compare.hpp is a
test (doctest) and is run. Without git, which applies the diffs, the exit status is 77.

usage: apply_diffs.py --compiler g++ --flags FILE --main FILE [--lib ARGUMENT]... ROOT PAGE
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", type=pathlib.Path, required=True, help="a file of compiler flags, one per line")
    parser.add_argument("--main", type=pathlib.Path, required=True, help="the source file of doctest's main function")
    parser.add_argument("--lib", action="append", default=[], help="an argument of the linker")
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("page", type=pathlib.Path)
    arguments = parser.parse_args()
    if shutil.which("git") is None:
        print("SKIPPED: git isn't installed, so the diffs of the page weren't applied.")
        return 77
    text = arguments.page.read_text()
    diffs = re.findall(r"^```diff\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^<!-- with-diffs -->\n(?:<!-- .*? -->\n)*```cpp\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not diffs or not any("compare.hpp" in block for block in blocks):
        print(f"{arguments.page}: expected diffs and a test that uses them")
        return 1

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(arguments.root / "include", folder / "include")
        for diff in diffs:
            applied = subprocess.run(["git", "apply", "-p0", "-"], input=diff, text=True, cwd=folder, capture_output=True)
            if applied.returncode != 0:
                print(f"{arguments.page}: this doesn't apply any more:\n{diff}\n{applied.stderr}")
                return 1
        flags = [flag.replace(str(arguments.root / "include"), str(folder / "include"))
                 for flag in arguments.flags.read_text().splitlines()]
        command = [arguments.compiler, *flags, f"-I{arguments.root}/tests/backend", "-O1"]
        for number, block in enumerate(blocks):
            source, program = folder / f"block_{number}.cpp", folder / f"block_{number}"
            source.write_text(block)
            if "compare.hpp" not in block:
                subprocess.run([*command, "-fsyntax-only", source], check=True)
                continue
            subprocess.run([*command, source, arguments.main, "-o", program, *arguments.lib], check=True)
            subprocess.run([program], check=True)
    print(f"{arguments.page}: {len(diffs)} diffs apply, {len(blocks)} blocks compile, the test passes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
