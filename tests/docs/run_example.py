#!/usr/bin/env python3
"""Builds the first C++ block of a page, runs it in the project's root and compares what it prints with the first text block.

usage: run_example.py --compiler g++ --flags FILE [--lib ARGUMENT]... PAGE
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def first_block(text, language):
    match = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not match:
        sys.exit(f"run_example: there is no block of {language}")
    return match[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", type=pathlib.Path, required=True, help="a file of compiler flags, one a line")
    parser.add_argument("--lib", action="append", default=[], help="an argument of the linker")
    parser.add_argument("page", type=pathlib.Path)
    arguments = parser.parse_args()
    text = arguments.page.read_text()

    with tempfile.TemporaryDirectory() as folder:
        source, program = f"{folder}/example.cpp", f"{folder}/example"
        pathlib.Path(source).write_text(first_block(text, "cpp"))
        flags = arguments.flags.read_text().splitlines()
        subprocess.run([arguments.compiler, *flags, "-O1", source, "-o", program, *arguments.lib], check=True)
        run = subprocess.run([program], cwd=arguments.page.parent, capture_output=True, text=True)
    found, expected = run.stdout.split(), first_block(text, "text").split()
    if run.returncode != 0 or found != expected:
        print(f"{arguments.page}: the example ends with {run.returncode} and prints\n{run.stdout}{run.stderr}\n"
              f"but the page says\n{' '.join(expected)}")
        return 1
    print(f"{arguments.page}: the example prints what the page says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
