#!/usr/bin/env python3
"""Checks that wrong networks don't compile and say why, and writes docs/reference/compile_errors.md from their output.

A case is a C++ file that starts with comments:

    // title: Linear on a map                      the heading in docs/reference/compile_errors.md; required
    // meaning: What the compiler wants to say.    required, may be given several times; so may fix
    // fix: What to do about it.
    // expect: a regular expression                what each compiler has to print; at least one, all have to match
    // first: a regular expression                 what the first line with `error:` has to match
    // errors: 1                                   the most errors; 1 when not given
    // max-lines: 10                               the longest message allowed, without the lines that say where a header
                                                   is included; 10 when not given
    // page: no                                    keeps the case out of docs/reference/compile_errors.md

With TENON_TWIN defined the same file has to compile, so that a case can't fail for a reason other than the one it shows.

Without arguments all files in cases/ are checked.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILERS = {"GCC 12": "g++-12", "Clang 16": "clang++-16"}
SKIPPED = 77


def default_flags():
    found = subprocess.run(["pkg-config", "--cflags", "eigen3"], capture_output=True, text=True).stdout.split()
    return ["-std=c++20", f"-I{ROOT}/include"] + [flag.replace("-I", "-isystem", 1) for flag in found]


class Case:
    """A file and the comments at its top."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.fields = {}
        lines = path.read_text().splitlines()
        while lines and (match := re.match(r"// ([a-z-]+): (.*)$", lines[0])):
            self.fields.setdefault(match[1], []).append(match[2])
            lines.pop(0)
        self.code = "\n".join(lines)

    def text(self, field):
        return " ".join(self.fields.get(field, []))

    @property
    def max_lines(self):
        return int(self.text("max-lines") or 10)

    @property
    def max_errors(self):
        return int(self.text("errors") or 1)

    def variant(self, twin):
        """The code as a reader of the page sees it: without includes, and one side of the #ifndef."""
        kept, side = [], None
        for line in self.code.splitlines():
            if line.startswith("#ifndef TENON_TWIN"):
                side = False
            elif line.startswith("#else"):
                side = True
            elif line.startswith("#endif"):
                side = None
            elif line.startswith(("#include", "using namespace tenon", "constexpr long parameters")):
                continue
            elif side is None or side == twin:
                kept.append(line)
        return re.sub(r"\n\n+", "\n\n", "\n".join(kept)).strip()


def compile_case(compiler, flags, case, twin):
    """Compiles a case. Returns whether that worked and what the compiler printed, free of this machine's paths."""
    command = [compiler, *flags, "-fsyntax-only", "-fdiagnostics-color=never"]
    if twin:
        command.append("-DTENON_TWIN")
    command.append(str(case.path))
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    output = result.stderr.replace(str(case.path.parent) + "/", "").replace(f"{ROOT}/include/", "")
    return result.returncode == 0, output


def message_lines(output):
    """The lines of a message without those that only say where a header is included."""
    return [line for line in output.splitlines() if not re.match(r"(In file included from|\s+from) ", line)]


def first_error(output):
    return next((line for line in output.splitlines() if re.search(r"\berror: ", line)), "")


def check(case, compilers, flags):
    """Everything that is wrong with a case, as sentences, and the output of each compiler."""
    complaints, outputs = [], {}
    for field in ("title", "meaning", "fix", "expect"):
        if not case.fields.get(field):
            complaints.append(f"the file has no comment `// {field}: ...`")
    for name, compiler in compilers.items():
        compiled, output = compile_case(compiler, flags, case, twin=False)
        outputs[name] = output
        if compiled:
            complaints.append(f"{name}: the wrong network compiles")
            continue
        errors = len(re.findall(r"\berror: ", output))
        if not 1 <= errors <= case.max_errors:
            complaints.append(f"{name}: {errors} errors, expected {case.max_errors}:\n{output}")
        if not re.search(case.text("first"), first_error(output)):
            complaints.append(f"{name}: the first error doesn't match `{case.text('first')}`:\n{output}")
        for pattern in case.fields.get("expect", []):
            if not re.search(pattern, output):
                complaints.append(f"{name}: nothing matches `{pattern}`:\n{output}")
        lines = len(message_lines(output))
        if lines > case.max_lines:
            complaints.append(f"{name}: {lines} lines, expected at most {case.max_lines}:\n{output}")
        compiled, output = compile_case(compiler, flags, case, twin=True)
        if not compiled:
            complaints.append(f"{name}: the corrected twin doesn't compile:\n{output}")
    return complaints, outputs


def check_self(case, compilers, flags):
    """A file of self_check holds a fault; `complaint` says what check() has to find, and nothing else may be found."""
    complaints, _ = check(case, compilers, flags)
    expected = case.fields.get("complaint", [])
    found = [[c for c in complaints if re.search(pattern, c)] for pattern in expected]
    problems = [f"the runner doesn't notice: {pattern}" for pattern, hits in zip(expected, found) if not hits]
    noticed = [complaint for hits in found for complaint in hits]
    problems += [f"unexpected complaint: {complaint}" for complaint in complaints if complaint not in noticed]
    return problems


def page_output(output):
    """Compiler output for the page, without the line numbers inside tenon's headers, which change too often."""
    lines, in_header = [], False
    for line in message_lines(output):
        if match := re.match(r"(\S+?):\d+:\d+:", line):
            in_header = match[1].startswith("tenon/")
        if in_header:
            line = re.sub(r"^(\S+?):\d+:\d+:", r"\1:", line)
            line = re.sub(r"^ +\d+ \|", "      |", line)
        lines.append(line)
    return "\n".join(lines)


def verdict(output):
    """The Rejected<...> in a compiler's output, one template argument per line and without namespaces; or its error."""
    start = output.find("Rejected<tenon::")
    if start < 0:
        return re.sub(r".*\berror: (static assertion failed: )?", "", first_error(output))
    depth, end, cuts = 0, start, []
    for end in range(start, len(output)):
        depth += (output[end] in "<{") - (output[end] in ">}")
        if output[end] == "," and depth == 1:
            cuts.append(end + 1)
        if output[end] == ">" and depth == 0:
            break
    cuts = [start, *cuts, end + 1]
    parts = [output[i:j].strip() for i, j in zip(cuts, cuts[1:])]
    return "\n         ".join(re.sub(r" +>", ">", re.sub(r"tenon::(reason::|detail::)?", "", part)) for part in parts)


def page(cases, outputs):
    text = [
        "# Compile errors",
        "",
        "<!-- Written by tests/compile_fail/run.py from the files in tests/compile_fail/cases; don't edit. -->",
        "",
        "A network whose layers don't fit doesn't compile, and the compiler says so once. In the line with `Rejected<...>`",
        "it shows, in this order:",
        "",
        "- the layer that doesn't fit,",
        "- the reason, as a sentence with underscores,",
        "- `At<i, j, ...>`: where the layer is. `i` is its index in the network, counted from 0; where that is a",
        "  combinator (a Sequential, a Residual, a Block), `j` is the index inside it, and so on,",
        "- `Inside<...>`: the combinators on the way to it,",
        "- `Expected<...>` and `Got<...>`: shapes as `Shape{channels, height, width}`, or the numbers that the reason is",
        "  about.",
        "",
        "Each error below comes from a file that the tests compile, and so does the way out of it. Lines that say where",
        "headers are included are left out, and the first block shows the line that counts without namespaces.",
        "",
    ]
    cases = [case for case in cases if case.text("page") != "no"]
    anchors = [(case, re.sub(r"[^a-z0-9 -]", "", case.text("title").lower()).replace(" ", "-")) for case in cases]
    text += [f"- [{case.text('title')}](#{anchor})" for case, anchor in anchors]
    for case in cases:
        text += ["", f"## {case.text('title')}", "", case.text("meaning"), ""]
        text += ["<!-- no-compile -->", "```cpp", case.variant(twin=False), "```", ""]
        text += ["```text", verdict(next(iter(outputs[case.name].values()))), "```", ""]
        for name, output in outputs[case.name].items():
            text += [f"<details><summary>What {name} prints</summary>", ""]
            text += ["```text", page_output(output), "```", "</details>"]
        text += ["", case.text("fix"), "", "<!-- no-compile -->", "```cpp", case.variant(twin=True), "```"]
    text += ["", "Read next: [Concepts](concepts.md), [All names](names.md)."]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", type=pathlib.Path, help="default: all files in cases/")
    parser.add_argument("--flags", type=pathlib.Path, help="a file of compiler flags, one per line")
    parser.add_argument("--outputs", type=pathlib.Path,
                        help="a folder to keep what compilers printed; the page is made of what is there")
    parser.add_argument("--self-check", action="store_true", help="the cases hold faults that have to be found")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--docs", type=pathlib.Path, metavar="PAGE", help="write the page")
    group.add_argument("--check-docs", type=pathlib.Path, metavar="PAGE", help="fail when the page is out of date")
    arguments = parser.parse_args()

    missing = [compiler for compiler in COMPILERS.values() if shutil.which(compiler) is None]
    if missing:
        print(f"SKIPPED: {' and '.join(missing)} not installed, so no compile error was checked.")
        return SKIPPED
    flags = arguments.flags.read_text().splitlines() if arguments.flags else default_flags()
    paths = arguments.cases or sorted((ROOT / "tests/compile_fail/cases").glob("*.cpp"))
    cases = [Case(path.resolve()) for path in paths]

    failed, outputs = 0, {}
    for case in cases:
        kept = arguments.outputs / f"{case.name}.json" if arguments.outputs else None
        if arguments.self_check:
            complaints = check_self(case, COMPILERS, flags)
        elif (arguments.docs or arguments.check_docs) and kept and kept.exists():
            complaints, outputs[case.name] = [], json.loads(kept.read_text())
        else:
            complaints, outputs[case.name] = check(case, COMPILERS, flags)
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(outputs[case.name]))
        for complaint in complaints:
            print(f"{case.path.name}: {complaint}")
        failed += bool(complaints)
    print(f"{len(cases) - failed} of {len(cases)} cases are as they have to be")
    if failed:
        return 1

    if arguments.docs:
        arguments.docs.write_text(page(cases, outputs))
    if arguments.check_docs and arguments.check_docs.read_text() != page(cases, outputs):
        print(f"{arguments.check_docs} is out of date; write it by `tests/compile_fail/run.py --docs` and its path")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
