#!/usr/bin/env python3
"""Does what the README says about its first program, word for word, in a folder outside of the project: the first block of C++
becomes clothes.cpp, the first of CMake CMakeLists.txt, and each block of shell commands is run. Its last line of output has to be the
page's first block of text. Then the program is given what it can't use. To save time the compiler doesn't optimize, whatever the
page says.

usage: first_program.py --compiler g++ [--launcher ccache] PAGE
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def blocks(text, language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f"first_program: there is no block of {language}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="/usr/bin/g++", help="runs wherever the page says g++")
    parser.add_argument("--launcher", default="", help="of CMake's compiler")
    parser.add_argument("page", type=pathlib.Path)
    options = parser.parse_args()
    page = options.page.resolve()
    text = page.read_text()
    expected = blocks(text, "text")[0].split()
    wrong = []

    with tempfile.TemporaryDirectory() as name:
        home, bin_folder, folder, tree = (pathlib.Path(name) / part for part in ("home", "bin", "a folder", "tenon"))
        for path in (home, bin_folder, folder, tree):
            path.mkdir()
        for path in page.parent.iterdir():  # the project with a build folder of its own, which knows this g++ alone
            if path.name != "build":
                (tree / path.name).symlink_to(path)
        (bin_folder / "g++").write_text(f'#!/bin/sh\nexec {options.compiler} "$@" -O0\n')
        (bin_folder / "g++").chmod(0o755)
        (folder / "clothes.cpp").write_text(blocks(text, "cpp")[0])
        (folder / "CMakeLists.txt").write_text(blocks(text, "cmake")[0])
        cache = os.environ.get("CCACHE_DIR") or str(pathlib.Path.home() / ".cache" / "ccache")
        environment = os.environ | {
            "HOME": str(home), "TENON": str(tree), "PATH": f"{bin_folder}:{os.environ['PATH']}", "CCACHE_DIR": cache,
            "CXX": str(bin_folder / "g++"), "CMAKE_CXX_COMPILER_LAUNCHER": options.launcher,
        }
        environment.pop("PKG_CONFIG_PATH", None)
        environment.pop("CMAKE_PREFIX_PATH", None)

        def run(command):
            return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        for commands in blocks(text, "sh"):
            result = run(commands)
            lines = result.stdout.splitlines()
            if result.returncode != 0 or not lines or lines[-1].split() != expected:
                wrong.append(f"the page's commands\n{commands}end with {result.returncode} and print\n"
                             f"{result.stdout[-3000:]}{result.stderr[-3000:]}\nwhere the page says\n{' '.join(expected)}")
        for arguments, words in (("", "expected two arguments"), ("no_weights.safetensors no_image.png", "no_weights.safetensors"),
                                 ("clothes.cpp no_image.png", "clothes.cpp")):
            result = run(f"./clothes {arguments}") if shutil.which(folder / "clothes") else None
            if result and (result.returncode != 1 or words not in result.stderr or result.stderr.count("\n") != 1):
                wrong.append(f"clothes {arguments} ends with {result.returncode} and says {result.stderr}")
    for sentence in wrong:
        print(f"{page}: {sentence}")
    if not wrong:
        print(f"{page}: its commands print what the page says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
