#!/usr/bin/env python3
"""Every header compiles when it is all that a file includes.

One compiler run per header would read the same text 300 times. A header whose includes contain another header sees nothing
more when that one is included first, so headers share a run along chains of inclusion: [shape.hpp, program.hpp, ...] in this
order tests each of them. The fewest chains are a maximum matching (Dilworth's theorem, Fulkerson's proof).

usage: headers_alone.py --compiler g++ --flags FILE [--jobs N] INCLUDE_FOLDER
       headers_alone.py --self-test       a header that relies on what another one happened to include is found
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def includes_of(folder):
    """For each header, all headers of the folder that it includes, directly or not."""
    headers = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.hpp"))
    direct = {header: [name for name in re.findall(r'^#include <([^>]+)>', (folder / header).read_text(), re.MULTILINE)
                       if (folder / name).is_file()] for header in headers}
    closures = {}

    def closure(header):
        if header not in closures:
            closures[header] = set()
            for name in direct[header]:
                closures[header] |= {name} | closure(name)
        return closures[header]

    for header in headers:
        closure(header)
    return closures


def chains_of(closures):
    """The fewest lists in which each header is included by the next one; every header is in one list."""
    after = {}  # a header's follower in its list
    before = {}

    def extend(header, seen):
        for other in (o for o in closures if header in closures[o]):
            if other in seen:
                continue
            seen.add(other)
            if other not in before or extend(before[other], seen):
                before[other], after[header] = header, other
                return True
        return False

    for header in sorted(closures, key=lambda h: len(closures[h])):
        extend(header, set())
    chains = []
    for header in closures:
        if header in before:
            continue
        chain = [header]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def compile_chain(command, chain):
    source = "".join(f"#include <{header}>\n" for header in chain)
    result = subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-"], input=source, text=True, capture_output=True)
    return (result.returncode, result.stderr)


def check(command, folder, jobs):
    closures = includes_of(folder)
    if any(header.endswith("mpi.hpp") for header in closures) and compile_chain(command, ["mpi.h"])[0] != 0:
        print("mpi.hpp is left out: there is no mpi.h.")
        closures = {header: others for header, others in closures.items() if not header.endswith("mpi.hpp")}
    chains = chains_of(closures)
    headers = sum(len(chain) for chain in chains)
    failed = 0
    # The longest texts first, so that no run is left alone at the end.
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for chain, (status, text) in zip(chains, pool.map(lambda chain: compile_chain(command, chain), chains)):
            if status != 0:
                failed += 1
                print(f"a header doesn't compile alone, among {', '.join(chain)}:\n{text}")
    print(f"{headers} headers compile alone, in {len(chains)} runs" if not failed else f"{failed} of {len(chains)} runs failed")
    return 1 if failed else 0


def self_test():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "a.hpp").write_text("#pragma once\n#include <vector>\ninline std::vector<int> a;\n")
        (folder / "b.hpp").write_text("#pragma once\n#include <a.hpp>\ninline std::vector<int> b = a;\n")
        (folder / "c.hpp").write_text("#pragma once\n#include <b.hpp>\ninline std::vector<int> c = b;\n")
        command = ["c++", "-std=c++20", f"-I{folder}"]
        chains = chains_of(includes_of(folder))
        if chains != [["a.hpp", "b.hpp", "c.hpp"]] or check(command, folder, 1) != 0:
            print(f"expected one chain of three headers that compile, found {chains}")
            return 1
        (folder / "b.hpp").write_text("#pragma once\ninline std::vector<int> b;\n")  # was with a.hpp
        if check(command, folder, 1) == 0:
            print("a header without its include was not found")
            return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--flags", type=pathlib.Path, help="a file of compiler flags, one per line")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("folder", type=pathlib.Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if not arguments.folder or not arguments.flags:
        parser.error("expected --flags and a folder")
    return check([arguments.compiler, *arguments.flags.read_text().splitlines()], arguments.folder, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
