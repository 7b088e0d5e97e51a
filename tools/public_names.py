#!/usr/bin/env python3
"""The names that a program sees after `using namespace tenon`, read from the headers by libclang.

usage: public_names.py [--write | --check] [--flags FILE]

--write  writes docs/reference/names.md: every public name with its header's door and the first sentence of its docstring
--check  fails when that page and the headers differ, when a name has no docstring, or when there are 300 names or more

FILE has the flags that a user's file is compiled with, one per line (the build writes tests/flags.txt).
Needs libclang's Python module (Debian: python3-clang-16); exits with 77 and a sentence without it.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/names.md"
DOORS = ["network.hpp", "inference.hpp", "data.hpp", "training.hpp", "report.hpp", "image.hpp", "distributed.hpp"]
PRIVATE = {"detail", "cpu", "cuda", "reference", "reason"}
NESTED = {"augmentations", "distributed", "explanations", "programs", "reports", "schedules"}  # what is in these is found by its whole name
MAX_NAMES = 300
CONCEPT_KIND = 604  # libclang's number of a concept, which its Python module of version 16 doesn't know

HEADER = """# All public names

What `using namespace tenon` brings in, by the door that exports it, and what is in `tenon::augmentations`,
`tenon::distributed`, `tenon::explanations`, `tenon::reports`, `tenon::schedules` and `tenon::programs`: the last has what programs
around networks use, such as files written completely or not at all. Everything else is in `tenon::cpu`, `tenon::cuda`,
`tenon::reference` or `tenon::detail` and may change without notice. The types that compile errors print (`Rejected`,
`reason::...`) are explained in [compile errors](compile_errors.md).

This page is generated from the headers' comments: `tools/public_names.py --write`.
"""

FOOTER = """
Read next: [Concepts](concepts.md), [Networks](models.md).
"""


def load_libclang():
    for path in ("", "/usr/lib/python3/dist-packages"):
        if path:
            sys.path.append(path)
        try:
            import clang.cindex

            return clang.cindex
        except ImportError:
            continue
    print("SKIPPED: libclang's Python module isn't installed (Debian: python3-clang-16), so no names were compared.")
    sys.exit(77)


def first_sentence(comment):
    lines = [re.sub(r"^\s*///?<?\s?", "", line).strip() for line in comment.splitlines()]
    text = []
    for line in lines:
        if not line and text:
            break
        text.append(line)
    text = " ".join(text)
    match = re.match(r"(.*?[.!])(\s+[A-Z`(]|$)", text)
    return (match[1] if match else text).rstrip(":")


def kind_word(kind):
    return {
        "STRUCT_DECL": "type", "CLASS_DECL": "type", "CLASS_TEMPLATE": "type", "TYPE_ALIAS_DECL": "type",
        "TYPE_ALIAS_TEMPLATE_DECL": "type", "TYPEDEF_DECL": "type", "ENUM_DECL": "enum", "FUNCTION_DECL": "function",
        "FUNCTION_TEMPLATE": "function", "VAR_DECL": "constant", "CONCEPT": "concept", "UNEXPOSED_DECL": "constant",
    }.get(kind, "constant")  # fmt: skip


def read_names(flags):
    cindex = load_libclang()
    source = ROOT / "public_names.cpp"
    names, details = {}, {}
    unit = cindex.Index.create().parse(
        str(source),
        args=["-x", "c++", *flags],
        unsaved_files=[(str(source), "".join(f"#include <tenon/{door}>\n" for door in DOORS))],
        options=cindex.TranslationUnit.PARSE_SKIP_FUNCTION_BODIES,
    )
    errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if errors:
        sys.exit("the doors don't compile:\n" + "\n".join(errors[:10]))
    include = ROOT / "include/tenon"

    def kind_of(cursor):
        number = cursor._kind_id
        return "CONCEPT" if number == CONCEPT_KIND else cindex.CursorKind.from_id(number).name

    def note_details(cursor):
        """The kinds of names in namespace detail, of which tenon::programs has some by using-declarations."""
        for child in cursor.get_children():
            if kind_of(child) == "NAMESPACE":
                note_details(child)
            else:
                details.setdefault(child.spelling, kind_of(child))

    def walk(cursor, scope):
        for child in cursor.get_children():
            kind = kind_of(child)
            if kind == "NAMESPACE":
                if scope == ["tenon"] and child.spelling == "detail":
                    note_details(child)
                if not scope and child.spelling != "tenon" or child.spelling in PRIVATE:
                    continue
                named = child.spelling in NESTED
                walk(child, scope + [child.spelling] if named or not scope else scope)
            elif scope and child.spelling and child.location.file:
                path = Path(child.location.file.name).resolve()
                if not path.is_relative_to(include) or "PARTIAL_SPECIALIZATION" in kind:
                    continue
                if kind in ("CXX_METHOD", "CONSTRUCTOR", "DESTRUCTOR", "CONVERSION_FUNCTION"):
                    continue
                # A member that is defined outside of its class.
                if kind in ("FUNCTION_TEMPLATE", "STRUCT_DECL", "CLASS_DECL") and (
                        child.semantic_parent.kind != cindex.CursorKind.NAMESPACE):
                    continue
                if kind == "USING_DECLARATION":  # of tenon::programs
                    kind = details.get(child.spelling, kind)
                name = "::".join(scope[1:] + [child.spelling])
                if name.startswith(("operator", "<deduction")):
                    continue
                comment = child.raw_comment or ""
                known = names.get(name)
                if known is None or (comment and not known[2]):
                    names[name] = (kind_word(kind), path.relative_to(include).as_posix(), comment)

    walk(unit.cursor, [])
    return names


def door_of(header):
    line = (ROOT / "include/tenon" / header).read_text().splitlines()[1]
    match = re.search(r"include <tenon/(\w+\.hpp)>", line)
    return match[1] if match else header


def page_of(names):
    by_door = {}
    for name, (kind, header, comment) in names.items():
        by_door.setdefault(door_of(header), {}).setdefault(header, []).append((name, kind, comment))
    text = HEADER
    for door in DOORS:
        if door not in by_door:
            continue
        text += f"\n## `tenon/{door}`\n\n| name | what | in |\n| --- | --- | --- |\n"
        for header, entries in sorted(by_door[door].items()):
            for name, kind, comment in sorted(entries, key=lambda entry: entry[0].lower()):
                what = first_sentence(comment).replace("|", "\\|")
                text += f"| `{name}` | {kind}: {what} | `{header}` |\n"
    return text + FOOTER


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--flags", type=Path)
    arguments = parser.parse_args()
    flags = ["-std=c++20", f"-I{ROOT / 'include'}", "-I/usr/include/eigen3"]
    if arguments.flags:
        flags = [flag for flag in arguments.flags.read_text().split("\n") if flag]
    names = read_names(flags)
    direct = sorted(name for name in names if "::" not in name)
    page = page_of(names)
    if arguments.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page)
    problems = [f"{header}: {name} has no docstring" for name, (_, header, comment) in names.items() if not comment]
    if len(direct) >= MAX_NAMES:
        problems.append(f"{len(direct)} names are directly in namespace tenon; fewer than {MAX_NAMES} may be")
    if arguments.check and (not PAGE.exists() or PAGE.read_text() != page):
        old = set(re.findall(r"^\| `([^`]+)`", PAGE.read_text(), re.MULTILINE)) if PAGE.exists() else set()
        for name in sorted(names.keys() - old):
            problems.append(f"{names[name][1]}: {name} is new in namespace tenon")
        for name in sorted(old - names.keys()):
            problems.append(f"{name} is gone from namespace tenon")
        problems.append("docs/reference/names.md is not what the headers say; run tools/public_names.py --write")
    print("\n".join(problems))
    print(f"{len(direct)} names directly in namespace tenon, {len(names) - len(direct)} in tenon::{' and tenon::'.join(sorted(NESTED))}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
