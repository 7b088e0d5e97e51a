"""scripts/gpu_check rehearsed: whatever a stage does, the others' findings are kept and the last line says how it went."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(sys.argv.pop(1))


def rehearse(name, environment=(), interrupt_after=None, arguments=(), signal_number=signal.SIGTERM):
    """The exit status, the last line, the report as JSON and as text."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        clean = {key: value for key, value in os.environ.items() if key != "TENON_REQUIRE_GPU"}
        process = subprocess.Popen(
            [sys.executable, ROOT / "scripts/gpu_check", "--out", out, *arguments], stdout=subprocess.PIPE, text=True,
            env=clean | {"DRY": name} | dict(environment))
        if interrupt_after:
            for line in process.stdout:
                if interrupt_after in line:
                    process.send_signal(signal_number)
                    break
        output, _ = process.communicate(timeout=300)
        size = sum(path.stat().st_size for path in out.iterdir())
        assert size < 1 << 20, f"the folder that is copied back has {size} bytes"
        report = json.loads((out / "report.json").read_text())
        text = (out / "report.md").read_text()
    return process.returncode, (output.rstrip().splitlines() or [""])[-1], report, text


def outcomes(report):
    return {stage["name"]: stage["status"] for stage in report["stages"]}


def why(report, name):
    return next(stage["why"] for stage in report["stages"] if stage["name"] == name)


class Rehearsals(unittest.TestCase):
    def test_everything_passes(self):
        status, last, report, text = rehearse("1")
        self.assertEqual(status, 0)
        self.assertRegex(last, r"^gpu_check: REHEARSAL: PASSED on Rehearsed H100 in \d+ s: 37 passed, 0 failed, 0 timed out, "
                               r"0 skipped, 0 not run$")
        self.assertIn("all figures are made up", text)
        row = next(r for r in report["rows"] if (r["precision"], r["batch"]) == ("bf16", 32))
        # 32 * 1e9 operations at 100 TFLOP/s take 0.32 ms; 32 MB and 1 MB at 1000 GB/s take 0.033 ms.
        self.assertAlmostEqual(row["percent_of_roof"], 100 * 0.353 / 32, places=6)
        self.assertEqual((row["eager_ratio"], row["graph_ratio"], row["compile_ratio"]), (4.0, 3.0, 2.0))
        self.assertEqual(len(report["rows"]), 4 * 4 + 4 * 2)
        self.assertIn("| bf16 | 32 | 32.000 | 1000 | 64.000 | 128.000 | 96.000 | 64.000 | 4.00 | 3.00 | 2.00 | 1 |", text)
        self.assertIn("batch 256: 2.00 times PyTorch's throughput (compile); at least 1.0, goal 1.3: goal reached", text)
        row = next(r for r in report["rows"] if (r["kind"], r["precision"], r["batch"]) == ("training", "bf16", 64))
        # 64 * 3e9 operations at 100 TFLOP/s take 1.92 ms; 100 MB at 1000 GB/s take 0.1 ms.
        self.assertAlmostEqual(row["percent_of_roof"], 100 * 2.02 / 192, places=6)
        self.assertEqual((row["eager_ratio"], row["compile_ratio"]), (1.5, 2.0))
        self.assertIn("| bf16 | 64 | 192.000 | 333 | 256.000 | 288.000 | 384.000 | 1.50 | 2.00 | 1 |", text)
        self.assertIn("| fp16 | 64 | 192.000 | 333 | 256.000 | 288.000 | - | 1.50 | - | 0 |", text)
        self.assertIn("bf16 training, batch 256: 1.50 times PyTorch's throughput (eager); at least 1.2, goal 1.6: reached.", text)
        self.assertIn("| training: gradients | ResNet50V2 | fp32 | 4 | PyTorch in 64 bits | 1.0e-06 | 1.0e-04 |", text)

    def test_what_matters_most_comes_first(self):
        names = [stage["name"] for stage in rehearse("1")[2]["stages"]]
        for earlier, later in (("device", "answer"), ("answer", "inference bf16"), ("inference bf16", "training bf16"),
                               ("training bf16", "PyTorch compiles"), ("ceilings", "logits"), ("logits", "PyTorch bf16"),
                               ("PyTorch's training bf16", "inference fp16"), ("training fp32", "memcheck"),
                               ("synccheck", "PyTorch fp16")):
            self.assertLess(names.index(earlier), names.index(later))

    def test_a_stage_needs_only_what_it_uses(self):
        sys.path.insert(0, str(ROOT / "benchmarks/cuda"))
        import check
        stages = {stage.name: stage for stage in check.make_stages(pathlib.Path("files"), None)}
        seconds = 0
        for stage in stages.values():
            # What is measured beside PyTorch needs weights, not the device's answers.
            if stage.name.startswith(("inference", "training", "ceilings", "logits")) and "PyTorch" not in stage.name:
                self.assertEqual(stage.needs, ("device",), stage.name)
            if stage.name.startswith(("PyTorch ", "PyTorch's")):
                self.assertEqual(stage.needs, ("PyTorch", "weights"), stage.name)
            if stage.name == "PyTorch compiles":
                break
            seconds += stage.seconds if stage.name not in ("build", "PyTorch") else 0
        self.assertLess(seconds, 320)  # until the first bf16 times are there, whatever hangs
        self.assertLessEqual(check.SECONDS, 520)

    def test_the_libraries_of_pythons_packages_are_found(self):
        import check
        with tempfile.TemporaryDirectory() as folder:
            for name in ("cudnn", "cu13"):
                os.makedirs(os.path.join(folder, "nvidia", name, "lib"))
            found = check.library_folders([folder, os.path.join(folder, "absent")])
            self.assertEqual([os.path.relpath(path, folder) for path in found], ["nvidia/cu13/lib", "nvidia/cudnn/lib"])
            sys.path.append(folder)
            try:
                stages = {stage.name: stage for stage in check.make_stages(pathlib.Path("files"), None)}
            finally:
                sys.path.remove(folder)
            for name in ("device", "inference bf16", "tests", "memcheck"):
                self.assertIn(found[1], stages[name].environment["LD_LIBRARY_PATH"].split(":"))
            self.assertNotIn("LD_LIBRARY_PATH", stages["PyTorch bf16"].environment)
            self.assertEqual(stages["inference bf16 by tenon's kernels alone"].environment["TENON_CUDA_PROVIDERS"], "own")

    def test_missing_libraries_are_told(self):
        status, _, report, text = rehearse("no_libraries")
        self.assertEqual(status, 0)
        self.assertIn("- cuDNN: missing: it is not there", text)
        text = rehearse("1")[3]
        self.assertIn("- bf16, batch 256 with TENON_CUDA_PROVIDERS=own: 256.000 ms; convolutions: 20 tenon, 2 cuBLASLt, 3 cuDNN", text)

    def test_no_device(self):
        status, last, report, _ = rehearse("no_device")
        self.assertEqual(status, 77)
        self.assertIn("NO DEVICE, so that nothing ran on one (there is no device: the rehearsal has none)", last)
        self.assertEqual(outcomes(report)["inference bf16"], "skipped")
        status, last, _, _ = rehearse("no_device", {"TENON_REQUIRE_GPU": "1"})
        self.assertEqual(status, 1)
        self.assertIn("NO DEVICE", last)

    def test_what_is_not_installed_is_skipped_and_said(self):
        status, last, report, text = rehearse("no_pytorch")
        self.assertEqual(status, 0)
        self.assertEqual((outcomes(report)["PyTorch"], why(report, "PyTorch")), ("skipped", "no PyTorch is rehearsed"))
        for name in ("logits of PyTorch", "step of PyTorch", "PyTorch compiles training", "PyTorch's training bf16"):
            self.assertEqual((outcomes(report)[name], why(report, name)), ("skipped", "it needs PyTorch"))
        self.assertTrue(all(row["eager_ratio"] is None and row["ms"] for row in report["rows"]))
        self.assertIn("bf16 training, batch 256: - times", text)
        self.assertIn("not measured", text)
        status, last, report, _ = rehearse("no_sanitizer")
        self.assertEqual((status, outcomes(report)["racecheck"]), (0, "skipped"))
        self.assertIn("4 skipped", last)
        status, last, report, _ = rehearse("sanitizer_refused")
        self.assertEqual((status, outcomes(report)["racecheck"], outcomes(report)["memcheck"]), (0, "skipped", "passed"))

    def test_a_failed_build_leaves_nothing_to_run(self):
        status, last, report, _ = rehearse("build_fails")
        self.assertEqual(status, 1)
        self.assertIn("FAILED (build) without a device", last)
        self.assertEqual(why(report, "device"), "it needs build")
        self.assertEqual([name for name, outcome in outcomes(report).items() if outcome == "passed"], ["PyTorch"])

    def test_failures_do_not_stop_the_measurements(self):
        for name, stage, reason in (
            ("test_fails", "tests", "exit status 8"),
            ("sanitizer_finds", "racecheck", "exit status 1"),
            ("wrong_logits", "logits", "logits ResNet50V2 bf16 1 differ from the CPU by 0.5, bound 0.01"),
            ("undefined_logits", "logits", "differ from the CPU by None"),
            ("wrong_gradients", "gradients", "step gradients ResNet50V2 fp32 4 differ from the CPU by 0.5, bound 0.0001"),
            ("undefined_gradients", "gradients", "differ from the CPU by None"),
            ("wrong_step", "step of PyTorch", "step gradients ResNet50V2 fp32 4 differ from PyTorch in 64 bits by 0.5"),
            ("training_fails", "training bf16", "exit status 1"),
            ("garbage", "logits", "a line that is no JSON"),
            ("crash", "inference bf16", "signal SIGSEGV"),
            ("answer_fails", "answer", "exit status 1"),
        ):
            with self.subTest(name):
                status, last, report, _ = rehearse(name)
                self.assertEqual(status, 1)
                self.assertRegex(last, rf"REHEARSAL: FAILED \({stage}[,)]")
                self.assertEqual(outcomes(report)[stage], "failed")
                self.assertIn(reason, why(report, stage))
                self.assertEqual(outcomes(report)["inference fp32"], "passed")
                self.assertEqual(outcomes(report)["training fp32"], "passed")
                self.assertEqual(outcomes(report)["PyTorch bf16"], "passed")

    def test_what_hangs_is_ended_with_its_children_and_keeps_its_rows(self):
        before = time.monotonic()
        status, last, report, _ = rehearse("hang")
        self.assertLess(time.monotonic() - before, 60)
        self.assertEqual(status, 1)
        self.assertEqual(outcomes(report)["inference bf16"], "timed out")
        rows = {row["batch"]: row["ms"] for row in report["rows"] if row["precision"] == "bf16" and row["kind"] == "inference"}
        self.assertEqual(rows, {256: 256.0, 1: 1.0, 32: None, 8: None})
        self.assertEqual(outcomes(report)["inference fp16"], "passed")

    def test_training_that_fails_or_hangs_keeps_its_rows(self):
        for name, outcome in (("training_fails", "failed"), ("training_hangs", "timed out")):
            with self.subTest(name):
                status, _, report, text = rehearse(name)
                self.assertEqual((status, outcomes(report)["training bf16"]), (1, outcome))
                rows = {row["batch"]: row["ms"] for row in report["rows"] if (row["kind"], row["precision"]) == ("training", "bf16")}
                self.assertEqual(rows, {64: None, 256: 768.0})
                self.assertEqual(outcomes(report)["PyTorch's training bf16"], "passed")
                self.assertIn("bf16 training, batch 256: 1.50 times", text)

    def test_pytorch_may_fail(self):
        status, last, report, _ = rehearse("pytorch_fails")
        self.assertEqual(status, 0)
        self.assertIn("1 failed", last)
        self.assertEqual(outcomes(report)["PyTorch fp32"], "failed")
        status, last, report, _ = rehearse("pytorch_hangs")
        self.assertEqual(status, 0)
        for name in ("PyTorch compiles", "PyTorch compiles training"):
            self.assertEqual(outcomes(report)[name], "timed out")
        self.assertEqual(outcomes(report)["PyTorch bf16"], "passed")
        status, last, report, text = rehearse("pytorch_trains_not")
        self.assertEqual((status, outcomes(report)["PyTorch's training bf16"]), (0, "failed"))
        self.assertIn("| bf16 | 64 | 192.000 | 333 | 256.000 | 288.000 | - | 1.50 | - | 1 |", text)
        self.assertIn("| fp16 | 64 | 192.000 | 333 | 256.000 | - | - | - | - | 0 |", text)
        self.assertIn("bf16 training, batch 256: 1.50 times", text)

    def test_time_runs_out(self):
        status, last, report, _ = rehearse("slow")
        self.assertEqual(status, 1)
        self.assertIn("INCOMPLETE (", last)
        for name in ("inference fp32", "training fp32", "PyTorch's training fp32"):
            self.assertEqual(why(report, name), "no time was left")
        self.assertEqual(outcomes(report)["device"], "passed")

    def test_a_second_run_does_what_is_asked_for(self):
        status, last, report, text = rehearse("1", arguments=("--only", "training bf16"))
        self.assertEqual(status, 0)
        passed = {name for name, outcome in outcomes(report).items() if outcome == "passed"}
        self.assertEqual(passed, {"build", "device", "weights", "PyTorch", "training bf16", "PyTorch's training bf16"})
        self.assertEqual(why(report, "logits"), "not asked for")
        self.assertIn("bf16 training, batch 256: 1.50 times", text)

    def test_an_interruption_keeps_what_was_found(self):
        status, last, report, _ = rehearse("hang", interrupt_after="answer: passed")
        self.assertEqual(status, 1)
        self.assertIn("INTERRUPTED on Rehearsed H100", last)
        self.assertEqual(outcomes(report)["device"], "passed")
        self.assertEqual(outcomes(report)["inference fp32"], "not run")

    def test_a_kill_keeps_what_was_found(self):
        # What the stage that runs has found is in the report, too.
        status, _, report, text = rehearse("hang", interrupt_after="answer: passed", signal_number=signal.SIGKILL)
        self.assertEqual((status, report["closing"]), (-signal.SIGKILL, ""))
        self.assertEqual(outcomes(report)["answer"], "passed")
        self.assertIn("| answer | passed |", text)

    def test_a_kill_at_any_moment_leaves_a_complete_report(self):
        # Moments between lines, within a stage and while files are written; what was said by then is in the report and the log.
        random.seed(1)
        for lines in (1, 6, 12, 20, 30):
            with self.subTest(lines=lines), tempfile.TemporaryDirectory() as folder:
                out = pathlib.Path(folder) / "out"
                process = subprocess.Popen([sys.executable, ROOT / "scripts/gpu_check", "--out", out], stdout=subprocess.PIPE,
                                           text=True, env=os.environ | {"DRY": "1"})
                said = [process.stdout.readline() for _ in range(lines)]
                time.sleep(random.uniform(0, 0.3))
                process.kill()
                said += process.communicate(timeout=60)[0].splitlines()
                self.assertEqual(process.returncode, -signal.SIGKILL)
                report = json.loads((out / "report.json").read_text())
                text, log = (out / "report.md").read_text(), (out / "log.txt").read_text()
                ended = [line.split(": ")[1] for line in said if ": passed in" in line]
                self.assertGreater(len(ended), lines - 5)  # four stages also say when they start
                for name in ended:
                    self.assertEqual(outcomes(report)[name], "passed")
                    self.assertIn(f"| {name} | passed |", text)
                    self.assertIn(f"== {name}: ", log)

    def test_noise_leaves_the_log_small(self):
        status, last, report, _ = rehearse("noise")  # demands less than a megabyte
        self.assertEqual((status, outcomes(report)["inference bf16"]), (0, "passed"))
        self.assertEqual(len([f for f in report["findings"] if f["stage"] == "inference bf16"]), 4)

    def test_a_description_that_hangs_costs_itself(self):
        status, last, report, _ = rehearse("description_hangs")
        self.assertEqual((status, outcomes(report)["description"], outcomes(report)["racecheck"]), (0, "timed out", "passed"))


unittest.main()
