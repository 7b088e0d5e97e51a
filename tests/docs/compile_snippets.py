#!/usr/bin/env python3
"""Compiles the C++ snippets of Markdown pages, so that what a reader copies works.

The blocks that start with ```cpp are compiled without generating code, those of pages that include the same headers as one
file. A block without a main function is wrapped: its declarations are at file scope, its statements in a function. A block
without an #include gets <tenon/tenon.hpp> and `using namespace tenon`. On the line before a block

    <!-- no-compile -->    leaves it out
    <!-- continues -->     puts the code of the block before it at its beginning
    <!-- as NAME -->       puts it into a namespace of this name, for a program that checks what the page defines

With --check, that program follows the snippets of the one page; both are compiled as one file and run.

usage: compile_snippets.py --compiler g++ [--flags FILE] [--check FILE [--lib ARGUMENT]...] PAGE...
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

DECLARATION = re.compile(
    r"(template|struct|class|enum|union|namespace|using|typedef|static_assert|inline|constexpr|concept|extern|static)\b|"
    r"\[\[nodiscard\]\]|"
    # A function: its first line has no semicolon, or a body in it. A statement of such a form ends in a semicolon.
    r"(int|void|auto|bool|float|double|std::\w+|[A-Z]\w*)(<.*>)?[&*]? ([A-Z]\w*::)?[a-z]\w*\(([^;]*$|[^;]*\)\s*\{)|"
    r"(?P<type>[A-Z]\w*)::~?(?P=type)\("  # a constructor or destructor
)


class Block:
    def __init__(self, page, line, code, mark):
        self.page, self.line, self.code = page, line, code
        self.continues = mark == "continues"
        self.name = mark.removeprefix("as ") if mark and mark.startswith("as ") else None


def blocks(page):
    """The blocks of a page that are meant to compile."""
    found, mark, start, code = [], None, None, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if start is None:
            if match := re.match(r"<!-- (no-compile|continues|as \w+) -->\s*$", line):
                mark = match[1]
            elif re.match(r"```cpp\s*$", line):
                start, code = number + 1, []
            elif line.strip():
                mark = None
        elif line.startswith("```"):
            if mark != "no-compile":
                found.append(Block(page, start, code, mark))
            mark = start = None
        else:
            code.append(line)
    return found


def chunks(block):
    """The code of a block cut where a declaration or statement at its outermost level ends, each with its line."""
    depth, chunk, first = 0, [], None
    for number, line in enumerate(block.code, block.line):
        text = re.sub(r"//.*|\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])'", "", line)
        if not chunk and not text.strip():
            continue
        if not chunk:
            first = number
        chunk.append(line)
        depth += sum(text.count(c) for c in "({[") - sum(text.count(c) for c in ")}]")
        if depth == 0 and (text.lstrip().startswith("#") or re.search(r"[;}]\s*$", text)):
            yield first, chunk
            chunk = []
    if chunk:
        yield first, chunk


def source(all_blocks, check):
    """One translation unit: each block in a namespace of its own, errors at the page's lines."""
    includes, bodies, before = [], [], []
    for number, block in enumerate(all_blocks):
        before = [one for one in before if one.page == block.page] if block.continues else []
        before = [*before, block]
        outside, inside = [], []
        has_main = any(re.match(r"int main\(", line) for part in before for line in part.code)
        own_includes = False
        for part in before:
            for first, chunk in chunks(part):
                at = [f'#line {first} "{part.page}"', *chunk]
                if chunk[0].startswith("#"):
                    includes += at
                    own_includes = True
                elif has_main or DECLARATION.match(chunk[0].strip()):
                    outside += at
                else:
                    inside += at
        if not own_includes:
            includes.append("#include <tenon/tenon.hpp>")
            outside.insert(0, "using namespace tenon;")
        bodies += [f"namespace {block.name or f'snippet_{number}'} {{", *outside]
        if inside:
            bodies += ["[[maybe_unused]] static void run_snippet(int argc, char** argv) {", *inside, "}"]
        bodies.append("}")
    end = f'#include "{check.resolve()}"' if check else "int main() {}"
    return "\n".join([*includes, *bodies, end]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", type=pathlib.Path, help="a file of compiler flags, one per line")
    parser.add_argument("--check", type=pathlib.Path, help="a program that runs what the one page defines")
    parser.add_argument("--lib", action="append", default=[], help="an argument of the linker, with --check")
    arguments = parser.parse_args()
    if arguments.check and len(arguments.pages) != 1:
        parser.error("--check takes one page")
    flags = arguments.flags.read_text().splitlines() if arguments.flags else ["-std=c++20", "-Iinclude"]

    # Pages of other headers are files of their own, or a page that lacks an #include would borrow another's.
    groups = {}
    for page in arguments.pages:
        text = source(blocks(page), arguments.check)
        groups.setdefault(frozenset(re.findall(r"^#include .*", text, re.MULTILINE)), []).append(page)
    failed = False
    for pages in groups.values():
        found = {page: blocks(page) for page in pages}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "snippets.cpp"
            path.write_text(source([block for page in found.values() for block in page], arguments.check))
            program = pathlib.Path(folder) / "snippets"
            output = ["-O0", "-o", program] if arguments.check else ["-fsyntax-only"]
            result = subprocess.run([arguments.compiler, *flags, *output, "-w", path, *arguments.lib],
                                    capture_output=True, text=True)
            if result.returncode != 0:
                failed = True
                print(result.stderr)
            elif arguments.check and subprocess.run([program]).returncode != 0:
                failed = True
        for page, page_blocks in found.items():
            # A page may be wrong because of the one before it: the compiler's message says which line it is.
            print(f"{page}: {len(page_blocks)} snippets {'of a file that does not compile' if result.returncode else 'compile'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
