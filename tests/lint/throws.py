"""Finds functions that users call and that throw, although no docstring says when.

usage: throws.py ROOT

Reads include/tenon but for the backends and namespaces that are not for users. What throws is a function with
`throw Error(...)` or `throw_error(...)` in its body; "Throws tenon::Error when ..." may be in the docstring of the
function, of the class around it, or of an overload that it is "the same" as. Helpers that throw are not followed, and
functions without any docstring (definitions outside of their class) are not judged. Exits with 1 if there are hits.

    include/tenon/x.hpp:12: f throws tenon::Error, and its docstring doesn't say when
"""

import re
import sys
from pathlib import Path

HIDDEN = re.compile(r"namespace (?:\w+::)*(?:detail|cpu|cuda|reference)\b")
THROW = re.compile(r"\bthrow (?:tenon::)?Error\(|\bthrow_error\(")
BEFORE_A_NAME = re.compile(r"\s*(?:template\b|requires\b|\[\[)")
SAYS_SO = re.compile(r"\b[Tt]hrows\b|^The same|^As above")


def indent_of(line):
    return len(line) - len(line.lstrip())


def docstring_above(lines, row):
    """The docstring of what begins in a row: right above it, or above its template line."""
    row -= 1
    while row >= 0 and BEFORE_A_NAME.match(lines[row]):
        row -= 1
    text = []
    while row >= 0 and re.match(r"\s*/// ?", lines[row]):
        text.insert(0, re.sub(r"^\s*/// ?", "", lines[row]))
        row -= 1
    return " ".join(text)


def docstrings_around(lines, row):
    """The docstrings of the function and the classes around a row, from the inside out; None in a private part."""
    texts, indent = [], indent_of(lines[row])
    for above in range(row - 1, -1, -1):
        line = lines[above]
        if not line.strip() or line.startswith("#"):
            continue
        if line.strip() in ("private:", "protected:") and indent_of(line) < indent:
            return None
        if line.strip() == "public:" and indent_of(line) < indent:
            indent = indent_of(line) + 1
            continue
        if indent_of(line) < indent and not re.match(r"\s*(?:///|[}\])])", line):
            indent = indent_of(line)
            if text := docstring_above(lines, above):
                texts.append(text)
            if indent == 0:
                break
    return texts


def hits_of(path):
    lines, hits, hidden = path.read_text().split("\n"), [], False
    for row, line in enumerate(lines):
        if line.startswith("namespace"):
            hidden = bool(HIDDEN.match(line))
        elif re.match(r"}  // namespace (?:\w+::)*detail$", line):
            hidden = False
        if hidden or not THROW.search(line.split("//")[0]):
            continue
        texts = docstrings_around(lines, row)
        if texts and not any(SAYS_SO.search(text) for text in texts):
            hits.append((row + 1, texts[0]))
    return hits


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root, found = Path(sys.argv[1]), 0
    for path in sorted((root / "include/tenon").rglob("*.hpp")):
        if path.is_relative_to(root / "include/tenon/backend"):
            continue
        for row, text in hits_of(path):
            print(f"{path.relative_to(root)}:{row}: this throws tenon::Error, and its docstring doesn't say when: {text[:60]}")
            found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
