"""What scripts/test says at its end, from CTest's JUnit files: counts, reasons, the share of CUDA's instructions that ran."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARE = "PTX: 40 of 41 kernels ran, 95 of 100 instructions: 95.0 %"


def case(name, output="", **attributes):
    words = "".join(f' {key}="{value}"' for key, value in attributes.items())
    skipped = "<skipped message='SKIP_RETURN_CODE=77'/>" if attributes.get("status") == "notrun" else ""
    return f'<testcase name="{name}"{words}>{skipped}<system-out>{output}</system-out></testcase>'


class Summary(unittest.TestCase):
    def summarize(self, *cases):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.xml"
            path.write_text("<testsuite>" + "".join(cases) + "</testsuite>", encoding="utf-8")
            run = subprocess.run([sys.executable, "-B", ROOT / "scripts/summarize_tests.py", path], capture_output=True,
                                 text=True, check=False)
            return run.returncode, run.stdout.splitlines()

    def test_all_passed(self):
        kernels = case("cuda.kernels", f"all passed\n{SHARE}\nThat is not PTX: nothing", status="run")
        self.assertEqual(self.summarize(kernels), (0, [f"cuda.kernels: {SHARE}", "1 passed, 0 failed, 0 skipped"]))

    def test_what_did_not_pass(self):
        skipped = case("b", "SKIPPED: there is no device", status="notrun")
        self.assertEqual(self.summarize(case("a", status="fail"), skipped, case("c", status="run")),
                         (1, ["b: SKIPPED: there is no device", "skipped: b", "failed: a", "1 passed, 1 failed, 1 skipped"]))

    def test_nothing_ran(self):
        self.assertEqual(self.summarize()[0], 1)


if __name__ == "__main__":
    unittest.main()
