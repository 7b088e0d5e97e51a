#!/usr/bin/env python3
"""Checks what the pages of the documentation refer to: every relative link leads to a file and, after a #, to a heading
of it; every page is linked from the README, directly or by another page, and says at its end what to read next; and the
section of a page that first mentions an example program says how to build it and where it is then.

usage: links.py [ROOT]
"""

import pathlib
import re
import sys


def without_code(text):
    """The text with an empty line for each line of a block of code."""
    lines, inside = [], False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        lines.append("" if inside or fence else line)
        inside ^= fence
    return "\n".join(lines)


def anchor(heading):
    """What a heading is called in a link, as the hosts of repositories make it."""
    heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(path):
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)}


def links(path):
    """Line, file and anchor of each relative link."""
    for number, line in enumerate(without_code(path.read_text()).splitlines(), 1):
        line = re.sub(r"`[^`]*`", lambda code: " " * len(code[0]) if "](" in code[0] else code[0], line)
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if not re.match(r"[a-z]+:", target):
                name, _, part = target.partition("#")
                yield number, (path.parent / name).resolve() if name else path, part


def check_links(root, pages):
    reached, open_pages = {root / "README.md"}, [root / "README.md"]
    while open_pages:
        for _, target, _ in links(open_pages.pop()):
            if target in pages and target not in reached:
                reached.add(target)
                open_pages.append(target)
    for page in pages:
        if page not in reached:
            yield f"{page.relative_to(root)}: no link leads here from README.md"
        if root / "docs" in page.parents and "\nRead next: [" not in page.read_text()[-400:]:
            yield f"{page.relative_to(root)}: the page does not end with what to read next"
        for number, target, part in links(page):
            where = f"{page.relative_to(root)}:{number}"
            if not target.exists():
                yield f"{where}: a link leads to {target}, which doesn't exist"
            elif part and target.suffix == ".md" and part not in anchors(target):
                yield f"{where}: a link leads to #{part}, which is no heading of {target.name}"


def check_programs(root, pages):
    programs = sorted(path.parent.name for path in (root / "examples").glob("*/CMakeLists.txt"))
    if not programs:
        yield f"{root}: there are no examples"
    for page in pages:
        lines = page.read_text().splitlines()
        prose = without_code(page.read_text()).splitlines()
        for program in programs:
            mention = re.compile(rf"^ {{4,}}(\S*/)?{program}( |$)|`(\S*/)?{program}( [^`]*)?`|\bexample {program}\b")
            first = next((number for number, line in enumerate(lines) if mention.search(line)), None)
            if first is None:
                continue
            headings = [number for number, line in enumerate(prose) if line.startswith("#")] + [len(lines)]
            begin = max((number for number in headings if number <= first), default=0)
            section = "\n".join(lines[begin:next(number for number in headings if number > first)])
            builds = r"--target \w|scripts/demo" if program == "classify" else r"--target \w"  # scripts/demo builds classify
            if not (f"/examples/{program}" in section and re.search(builds, section)):
                yield (f"{page.relative_to(root)}:{first + 1}: {program} is mentioned for the first time without how to build it "
                       f"(--target {program}) and its path (build/demo/examples/{program})")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../../..").resolve()
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    wrong = [*check_links(root, pages), *check_programs(root, pages)]
    for sentence in wrong:
        print(sentence)
    print(f"{len(pages)} pages, {sum(1 for page in pages for _ in links(page))} relative links, {len(wrong)} faults")
    return 1 if wrong or len(pages) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
