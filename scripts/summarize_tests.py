"""Prints what CTest's JUnit file says: which tests failed or were skipped and why, what share of CUDA's instructions
was executed, and one closing line."""

import re
import sys
import xml.etree.ElementTree


def outcome(case):
    """passed, failed or skipped. CTest marks both a skip and a test it couldn't run as not run."""
    status = case.get("status")
    if status == "run":
        return "passed"
    skipped = case.find("skipped")
    if status == "disabled" or (skipped is not None and "SKIP_" in skipped.get("message", "")):
        return "skipped"
    return "failed"


def main(path):
    cases = xml.etree.ElementTree.parse(path).getroot().findall("testcase")
    names = {"passed": [], "failed": [], "skipped": []}
    for case in sorted(cases, key=lambda case: case.get("name")):
        names[outcome(case)].append(case.get("name"))
        output = case.findtext("system-out") or ""
        for line in dict.fromkeys(re.findall(r"^.*SKIPPED.*$|^PTX: .*$", output, re.MULTILINE)):
            print(f"{case.get('name')}: {line.strip()}")
    for result in ("skipped", "failed"):
        for name in names[result]:
            print(f"{result}: {name}")
    print(", ".join(f"{len(names[result])} {result}" for result in ("passed", "failed", "skipped")))
    return 1 if names["failed"] or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
