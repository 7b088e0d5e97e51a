"""What ablation trains, keeps and prints, on tiny data in CIFAR-10's format.

    python3 ablation_test.py PROGRAM SOURCE_FOLDER
"""
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import json_schema
import stopping

PROGRAM = sys.argv.pop(1)
sys.argv.pop(1)


def write_data(folder, test):
    """30 images whose brightness tells the class: 0 dark, 1 bright."""
    noise = random.Random(1)

    def record(label):
        return bytes([label]) + bytes(noise.randrange(40) + 200 * label for _ in range(3072))

    for name in [f"data_batch_{batch}.bin" for batch in range(1, 6)] + ["test_batch.bin"] * test:
        (folder / name).write_bytes(b"".join(record(i % 2) for i in range(6)))


def without_time(document):
    return [{key: value for key, value in run.items() if key != "seconds"} for run in document["runs"]]


class Ablation(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        write_data(self.folder, test=False)

    def arguments(self, output, *more):
        return [PROGRAM, "--data", str(self.folder), "--output", output, "--batch", "8", "--hold-out", "6", *more]

    def run_program(self, output, *more, status=0):
        done = subprocess.run(self.arguments(output, *more), capture_output=True, text=True, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def results(self, output):
        return json.loads((self.folder / output / "results.json").read_text())

    def test_variants_are_trained_kept_and_printed(self):
        budget = ("--epochs", "2", "--steps", "4", "--rate", "0.05")
        text = self.run_program("out", *budget, "--variant", "original", "exclusive_gating", "--threads", "1")
        document = self.results("out")
        self.assertEqual([run["variant"] for run in document["runs"]], ["original", "exclusive_gating"])
        for run in document["runs"]:
            self.assertEqual((run["steps"], run["epochs"], run["seed"]), (4, 2, 1))
            self.assertTrue(0 <= run["error"] <= 100)
        self.assertEqual(document["runs"][0]["parameters"], 269722)  # ResNet-20's
        self.assertGreater(document["runs"][1]["parameters"], 269722)
        self.assertEqual(document["setting"]["measured_on"], "held-out training images")

        # The tables: a figure where there was a run, the paper's figures everywhere.
        self.assertIn("Not the same experiment. Here: ResNet-20, 2 epochs, at most 4 steps of 24 training images,\nerrors of 6 held-out training images.", text)
        error = f"{document['runs'][0]['error']:.2f}"
        self.assertRegex(text, rf"2a +original +{re.escape(error)} +6\.61\n")
        self.assertRegex(text, rf"4a +original +{re.escape(error)} +6\.61 +5\.93\n")
        self.assertRegex(text, r"2c +exclusive gating +\d+\.\d\d +8\.70\n")
        self.assertRegex(text, r"2f +dropout of 0\.5 +- +fail\n")
        self.assertRegex(text, r"4e +full pre-activation +- +6\.37 +5\.46\n")

        # The same once more trains only what is missing; the results are those of any number of threads.
        more = ("--variant", "original", "full_preactivation", "--seeds", "1", "2")
        text = self.run_program("out", *budget, *more)
        self.assertIn("original, seed 1: done before", text)
        self.assertIn("original, seed 2\n", text)
        self.assertRegex(text, r"2a +original +[\d.]+ \([\d.]+ to [\d.]+, 2 runs\) +6\.61\n")
        other = json_schema.parse(self.run_program("two", *budget, *more, "--threads", "2", "--json"))
        self.assertEqual(without_time(other), [run for run in without_time(self.results("out"))
                                               if run["variant"] != "exclusive_gating"])
        self.assertNotIn("validation loss", self.run_program("out", *budget, "--tables"))

        # Gates begin where they are told to.
        gates = ("--variant", "exclusive_gating", *budget)
        self.run_program("open", *gates, "--gate-bias", "0")
        self.assertNotEqual(self.results("open")["runs"][0]["training_loss"], document["runs"][1]["training_loss"])

        # Another budget doesn't go with these results.
        self.assertIn("expected results with epochs 3, found ones with 2",
                      self.run_program("out", "--epochs", "3", "--steps", "4", "--rate", "0.05", status=2))

    def test_a_killed_run_goes_on_to_the_same_result(self):
        chosen = ("--variant", "full_preactivation", "--epochs", "3")
        self.run_program("whole", *chosen)
        running = subprocess.Popen(self.arguments("killed", *chosen, "--checkpoint-minutes", "0.000001"), cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        checkpoint = self.folder / "killed" / "full_preactivation_1.checkpoint"
        while running.poll() is None and not checkpoint.exists():
            pass
        running.kill()
        running.communicate()
        self.assertFalse((self.folder / "killed" / "results.json").exists())

        # The same with Ctrl-C, which loses not one step: checkpoints are far apart here.
        arguments = self.arguments("stopped", *chosen, "--checkpoint-minutes", "1000")
        running = stopping.start(arguments, self.folder)
        checkpoint_of_epoch = self.folder / "stopped" / "full_preactivation_1.checkpoint"
        stopping.wait_until(running, checkpoint_of_epoch.exists)
        self.assertEqual(stopping.stop(self, running, signal.SIGINT), arguments)
        self.assertFalse((self.folder / "stopped" / "results.json").exists())
        self.assertIn("resuming after ", self.run_program("stopped", *chosen))
        self.assertEqual(without_time(self.results("stopped")), without_time(self.results("whole")))
        self.assertFalse(checkpoint_of_epoch.exists())
        self.assertIn("resuming after ", self.run_program("killed", *chosen))
        self.assertEqual(without_time(self.results("killed")), without_time(self.results("whole")))
        self.assertFalse(checkpoint.exists())

    def test_a_run_that_diverges_is_a_result(self):
        text = self.run_program("out", "--epochs", "30", "--rate", "100", "--decay", "1", "--variant", "original")
        run = self.results("out")["runs"][0]
        self.assertNotIn("error", run)
        self.assertRegex(run["failed"], "the loss of step|is undefined after step")
        self.assertRegex(text, r"2a +original +fail +6\.61\n")

    def test_test_images_are_measured_on_where_there_are_some(self):
        write_data(self.folder, test=True)
        text = self.run_program("out", "--epochs", "1", "--steps", "1", "--variant", "relu_only_preactivation")
        self.assertIn("of 30 training images,\nerrors of 6 test images", text)

    def test_what_is_wrong_is_refused(self):
        self.assertIn("--variant", self.run_program("out", "--variant", "unknown", status=2))
        self.assertIn("--epochs", self.run_program("out", "--epochs", "0", status=2))
        (self.folder / "out").mkdir()
        for content in ("no JSON", "[]", '{"setting": {}, "runs": [1]}', '{"setting": {}, "runs": [{"variant": 1, "seed": 1}]}'):
            (self.folder / "out" / "results.json").write_text(content)
            self.assertIn("expected the results that ablation wrote", self.run_program("out", "--tables", status=2))
        (self.folder / "file").write_text("")
        self.assertIn("cannot create the folder", self.run_program("file/out", status=2))
        damaged = self.folder / "data_batch_3.bin"
        damaged.write_bytes(damaged.read_bytes()[:-1])
        self.assertIn("data_batch_3.bin: expected", self.run_program("out", status=2))
        damaged.unlink()
        self.assertIn("No such file", self.run_program("out", status=2))


if __name__ == "__main__":
    unittest.main()
