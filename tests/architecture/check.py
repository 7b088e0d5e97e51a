"""Holds the headers against docs/design/architecture.md.

usage: check.py arrows | doors | laws

arrows: no #include goes where the page's table doesn't let it; three rules beside the table.
doors:  a door holds exports and nothing else; every other header names on its second line a door that exports it;
        examples and pages include doors alone, and examples use no name of a namespace detail.
laws:   each test that a comment names, as (test: PATH), exists.

`check.py --self-test` breaks a copy in each way that is checked and fails unless each is found.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS_OF_ALL = {"core"}  # may be included from everywhere
BACKENDS = ("backend/cpu", "backend/cuda", "backend/reference", "backend/shared")
PLAN_MAY_NOT_INCLUDE = re.compile(r"backend/(cpu|cuda)/(kernels|winograd|strassen|training|launch)/")


def headers(root):
    folder = root / "include/tenon"
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.hpp"))}


def includes(text):
    return re.findall(r"^#include <tenon/([^>]+)>", text, re.MULTILINE)


def room_of(header):
    for backend in BACKENDS:
        if header.startswith(backend + "/"):
            return backend
    return header.split("/")[0] if "/" in header else ""


def allowed_arrows(root):
    page = (root / "docs/design/architecture.md").read_text()
    table = page.split("<!-- arrows: begin -->")[1].split("<!-- arrows: end -->")[0]
    arrows = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 2 and cells[0] not in ("room", "---"):
            arrows[cells[0]] = {name.strip() for name in cells[1].split(",") if name.strip()}
    return arrows


def check_arrows(root):
    allowed, problems, seen = allowed_arrows(root), [], set()
    everything = headers(root)
    for header, text in everything.items():
        room = room_of(header)
        if room == "":
            continue
        if room not in allowed:
            problems.append(f"{header}: the room {room} is not in the table of docs/design/architecture.md")
            continue
        for target in includes(text):
            if target not in everything:
                problems.append(f"{header} includes {target}, which does not exist")
                continue
            other = room_of(target)
            if target == "version.hpp" or other == room or other in ROOMS_OF_ALL:
                continue
            if other in allowed[room] or other.split("/")[0] in allowed[room]:
                seen.add((room, other.split("/")[0] if other.split("/")[0] in allowed[room] else other))
                continue
            problems.append(f"{header} includes {target}: no arrow leads from {room} to {other or 'a door'}")
        if header.startswith("backend/") and re.search(r"\b(class|typename) Net\b", text):
            problems.append(f"{header}: a backend knows programs, not networks (class Net)")
        if re.match(r"backend/(cpu|cuda)/plan/", header):
            for target in includes(text):
                if PLAN_MAY_NOT_INCLUDE.match(target):
                    problems.append(f"{header} includes {target}: a plan includes no kernel")
    for room, targets in allowed.items():
        for target in targets:
            if (room, target) not in seen:
                problems.append(f"the table has an arrow from {room} to {target} that no header uses")
    return problems


def exports(root, door, everything):
    found, todo = set(), [door]
    while todo:
        for target in includes(everything[todo.pop()]):
            if target not in found and target in everything:
                found.add(target)
                todo.append(target)
    return found


def check_doors(root):
    everything, problems = headers(root), []
    listed = set(re.findall(r"include/tenon/(\w+\.hpp)", (root / "cmake/headers.cmake").read_text()))
    at_top = {header for header in everything if "/" not in header and header != "version.hpp"}
    for door in sorted(at_top ^ listed):
        problems.append(f"{door}: the doors in include/tenon and those in cmake/headers.cmake differ")
    reach = {door: exports(root, door, everything) for door in at_top & listed}
    for door in reach:
        for number, line in enumerate(everything[door].splitlines(), 1):
            if line and not re.match(r"//|#pragma once$|#include <tenon/|#if defined\(__CUDACC__\)$|#endif$", line):
                problems.append(f"{door}:{number}: a door holds exports and nothing else, not: {line}")
        included = includes(everything[door])
        if included[:1] != ["core/begin_door.hpp"] or included[-1:] != ["core/end_door.hpp"]:
            problems.append(f"{door}: expected core/begin_door.hpp as its first and core/end_door.hpp as its last #include")
    for header, text in everything.items():
        if header in at_top:
            continue
        line = (text.splitlines() + ["", ""])[1]
        match = re.fullmatch(r"// IWYU pragma: private, include <tenon/(\w+\.hpp)>", line)
        if not match:
            problems.append(f"{header}: its second line should read // IWYU pragma: private, include <tenon/DOOR.hpp>")
        elif match[1] not in reach:
            problems.append(f"{header} names the door {match[1]}, which does not exist")
        elif header not in reach[match[1]] and "emulat" not in header:  # the emulator of CUDA is for tests
            problems.append(f"{header} names the door {match[1]}, which does not export it")
    for path in sorted((root / "examples").rglob("*.[ch]pp")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\bdetail\b", line.split("//")[0]):
                problems.append(f"{path.relative_to(root)}:{number}: an example uses what any program may, no detail:: "
                                "(tenon::programs has what is beside networks)")
    pages = [path for path in (root / "docs").rglob("*.md") if path.parent.name != "design"]
    for path in sorted([*(root / "examples").rglob("*.[ch]pp"), *pages]):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := re.match(r"#include <tenon/(\w+/.*)>", line):
                problems.append(f"{path.relative_to(root)}:{number}: programs include doors, not {match[1]}")
    return problems


def check_laws(root):
    problems = []
    for header, text in headers(root).items():
        comments = re.sub(r"\n\s*//[/!]*", " ", text)
        for named in re.findall(r"\(tests?:([^()]*)\)", comments):
            folder = ""
            for name in (word.strip() for word in named.split(",")):
                path = name if name.startswith("tests/") else f"{folder}/{name}"
                folder = path.rsplit("/", 1)[0] if path.endswith(".cpp") else folder
                is_path = name.startswith("tests/") or name.endswith(".cpp")
                if is_path and not (root / path).exists():
                    problems.append(f"{header}: the test {path} does not exist")
    return problems


CHECKS = {"arrows": check_arrows, "doors": check_doors, "laws": check_laws}

BREAKS = [
    ("arrows", "core/shape.hpp", lambda t: t + "#include <tenon/program/kinds.hpp>\n", "no arrow leads from core"),
    ("arrows", "train/metrics.hpp", lambda t: t + "#include <tenon/backend/shared/precision.hpp>\n", "no arrow leads from train"),
    ("arrows", "backend/cpu/simd/mask.hpp", lambda t: t + "template <class Net> struct X;\n", "not networks"),
    ("arrows", "backend/cpu/plan/chains.hpp", lambda t: t + "#include <tenon/backend/cpu/kernels/tile.hpp>\n", "includes no kernel"),
    ("doors", "report.hpp", lambda t: t + "int x;\n", "exports and nothing else"),
    ("doors", "data.hpp", lambda t: t.replace("#include <tenon/core/begin_door.hpp>\n", ""), "as its first and"),
    ("doors", "data.hpp", lambda t: t.replace("#include <tenon/core/end_door.hpp>\n", ""), "as its last #include"),
    ("doors", "core/shape.hpp", lambda t: t.replace("private", "public", 1), "its second line"),
    ("doors", "core/shape.hpp", lambda t: t.replace("network.hpp", "gate.hpp", 1), "which does not exist"),
    ("doors", "train/metrics.hpp", lambda t: t.replace("training.hpp", "report.hpp", 1).replace("report.hpp", "data.hpp", 1), "does not export it"),
    ("doors", "../../examples/common/run_folder.hpp", lambda t: t.replace("programs::", "detail::", 1), "an example uses"),
    ("doors", "../../examples/common/run_folder.hpp", lambda t: t + "#include <tenon/core/error.hpp>\n", "include doors"),
    ("laws", "train/trainer.hpp", lambda t: t.replace("resume_test.cpp)", "gone_test.cpp)"), "tests/train/gone_test.cpp"),
    ("laws", "backend/cpu/kernels/conv.hpp", lambda t: t.replace("runtime/determinism_test", "runtime/gone_test"), "gone_test.cpp"),
    ("doors", "../../docs/how_to/photos.md", lambda t: t + "#include <tenon/core/error.hpp>\n", "include doors"),
]


def self_test():
    failed = 0
    for check, header, change, expected in BREAKS:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            for part in ("include", "docs", "cmake", "examples", *(("tests",) if check == "laws" else ())):
                shutil.copytree(ROOT / part, copy / part)
            path = copy / "include/tenon" / header
            path.write_text(change(path.read_text()))
            problems = [p for p in CHECKS[check](copy) if expected in p and header.removeprefix("../../") in p]
            print(f"{'found' if problems else 'NOT FOUND'}: {check}, {header}: {expected}")
            failed += not problems
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    problems = CHECKS[sys.argv[1]](ROOT)
    for problem in problems:
        print(problem)
    print(f"{sys.argv[1]}: {len(headers(ROOT))} headers, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
