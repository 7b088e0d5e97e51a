"""What train_fashion_mnist and train_cifar10 write and print, on tiny data of their formats.

    python3 training_test.py PROGRAM SOURCE_FOLDER
"""
import csv
import json
import math
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import json_schema
import processes
import stopping

PROGRAM, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
NAME = pathlib.Path(PROGRAM).name
CIFAR = NAME == "train_cifar10"


def tensors_and_metadata(path):
    """Names with types and bytes, and the metadata, of a safetensors file."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", {})
    data = content[8 + size:]
    return {name: (entry["dtype"], data[slice(*entry["data_offsets"])]) for name, entry in header.items()}, metadata


def write_data(folder, labels_mean_something=True):
    """30 images, three batches of 8 and 6 to validate on, whose brightness tells the class, 0 dark, 1 bright, or nothing does."""
    noise = random.Random(1)
    pixels = 3072 if CIFAR else 784

    def image(label):
        if not labels_mean_something:
            return bytes(noise.randrange(240) for _ in range(pixels))
        return bytes(noise.randrange(40) + 200 * label for _ in range(pixels))

    labels = [i % 2 for i in range(30)]
    if CIFAR:
        for batch in range(1, 6):
            (folder / f"data_batch_{batch}.bin").write_bytes(b"".join(bytes([i]) + image(i) for i in labels[:6]))
        (folder / "test_batch.bin").write_bytes(b"".join(bytes([i]) + image(i) for i in labels[:8]))
    else:
        for prefix, count in (("train", 30), ("t10k", 24)):
            (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
                struct.pack(">IIII", 0x803, count, 28, 28) + b"".join(map(image, labels[:count])))
            (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(labels[:count]))


class Training(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        write_data(self.folder)

    def run_program(self, *arguments, status=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def arguments(self, output, *more, epochs=2, rate=0.05):
        return ["--data", str(self.folder), "--output", output, "--batch", "8", "--hold-out", "6", "--epochs", str(epochs),
                "--cutout", "0", "--rate", str(rate), *more]

    def train(self, output, *more, epochs=2, rate=0.05, **options):
        return self.run_program(*self.arguments(output, *more, epochs=epochs, rate=rate), **options)

    def test_names_of_folders_are_bytes(self):
        data = os.fsencode(self.folder) + b"/caf\xe9"
        os.symlink(".", data)
        for epochs, more in ((1, []), (2, ["--resume"])):
            command = [PROGRAM, *self.arguments(b"out\xfe", "--threads", "1", *more, epochs=epochs)]
            command[command.index("--data") + 1] = data
            done = subprocess.run(command, capture_output=True, cwd=self.folder, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            out = pathlib.Path(os.fsdecode(os.fsencode(self.folder) + b"/out\xfe"))
            said = tensors_and_metadata(out / "weights.safetensors")[1]["command"]
            self.assertIn("caf\\xE9' --output 'out\\xFE' ", said)
            (out / "weights.safetensors").unlink()  # so that the resumed training writes them, too
        for name in ("log.csv", "log.jsonl", "curves.svg", "confusion.svg", "report.html"):
            (out / name).read_text("utf-8")

    def test_a_run_writes_weights_logs_and_plots(self):
        text = self.train("out", "--threads", "1")
        self.assertIn("epoch 2/2", text)
        self.assertRegex(text, r"test images.*with mirror images:? \d+\.\d\d % \(\d+ of (8|24)\)")
        out = self.folder / "out"
        tensors, metadata = tensors_and_metadata(out / "weights.safetensors")
        self.assertEqual({dtype for dtype, _ in tensors.values()}, {"F16" if CIFAR else "F32"})
        self.assertEqual(len(json.loads(metadata["classes"])), 10)
        self.assertIn(metadata["accuracy"].split(" test ")[0], text)
        self.assertTrue(metadata["command"].startswith(f"{NAME} --data "))
        self.assertEqual((out / "command.txt").read_text().strip(), metadata["command"])
        rows = list(csv.DictReader((out / "log.csv").read_text().splitlines()))
        self.assertEqual([row["epoch"] for row in rows], ["0", "1"])
        self.assertTrue(all(0 <= float(row["validation_accuracy"]) <= 1 for row in rows))
        self.assertEqual(metadata["network"], NAME.removeprefix("train_"))
        events = [json_schema.parse(line, "log_line") for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual(sum(event["event"] == "epoch" for event in events), 2)
        for plot in ("curves.svg", "confusion.svg"):
            self.assertEqual(xml.etree.ElementTree.parse(out / plot).getroot().tag, "{http://www.w3.org/2000/svg}svg")

        report = (out / "report.html").read_text()
        self.assertIn(metadata["command"].split(" --data ")[0], report)
        for heading in ("Training", "Confusion matrix", "Classes", "Calibration", "Environment", "Repeat it"):
            self.assertIn(f"<h2>{heading}</h2>", report)
        self.assertEqual(re.findall(r"<tr><td>test images</td><td>(\d+)</td>", report), ["8" if CIFAR else "24"])

        # The same weights, to the bit, on two threads. They are a moving average, which begins after five steps.
        self.train("two", "--threads", "2")
        self.assertEqual(tensors_and_metadata(self.folder / "two" / "weights.safetensors")[0], tensors)
        self.assertIn("stopped: --steps 1 are done", self.train("part", "--steps", "1", "--checkpoint-minutes", "0.0001"))
        self.assertTrue((self.folder / "part" / "checkpoint.safetensors").exists())

    @unittest.skipUnless(processes.MPIEXEC, "there is no MPI")
    def test_processes_end_with_the_weights_of_one(self):
        def run(count, *more, status=0):
            done = subprocess.run([*processes.command(count), PROGRAM, *more], capture_output=True, text=True,
                                  cwd=self.folder, check=False, env={**os.environ, **processes.ENVIRONMENT})
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            return done

        shards = ["--shards", "2"]
        self.run_program(*self.arguments("one", *shards))
        out = run(2, *self.arguments("two", *shards)).stdout
        self.assertEqual(out.count("weights, logs and plots are in"), 1)
        self.assertRegex(out, r"2 processes: \d+\.\d s of training, of these \d+\.\d s to sum gradients")
        one, two = (tensors_and_metadata(self.folder / name / "weights.safetensors")[0] for name in ("one", "two"))
        self.assertTrue(one == two)  # a comparison that would print both takes minutes
        rows = [list(csv.DictReader((self.folder / name / "log.csv").read_text().splitlines())) for name in ("one", "two")]
        for row in rows[0] + rows[1]:
            del row["seconds"], row["images_per_second"]
        self.assertEqual(*rows)
        # Begun by two, finished by one; then what three can't share. The first run ends with its epoch, since one that
        # --steps ends within an epoch goes on with the next.
        run(2, *self.arguments("resumed", *shards, "--steps", rows[0][0]["step"]))
        self.run_program(*self.arguments("resumed", *shards, "--resume"))
        self.assertTrue(tensors_and_metadata(self.folder / "resumed" / "weights.safetensors")[0] == one)
        refused = run(3, *self.arguments("three", *shards), status=1).stderr
        self.assertIn("expected a number of shards that 3 processes can share equally, found 2", refused)

    def test_a_killed_run_goes_on_to_the_same_weights(self):
        self.train("whole")
        running = subprocess.Popen([PROGRAM, "--data", str(self.folder), "--output", "killed", "--batch", "8", "--hold-out",
                                    "6", "--epochs", "2", "--cutout", "0", "--rate", "0.05", "--checkpoint-minutes", "0.000001"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        checkpoint = self.folder / "killed" / "checkpoint.safetensors"
        while running.poll() is None and not checkpoint.exists():
            pass
        running.kill()
        running.communicate()
        self.assertIn("resuming from", self.train("killed", "--checkpoint-minutes", "0.000001", "--resume"))
        self.assertEqual(tensors_and_metadata(self.folder / "killed" / "weights.safetensors")[0],
                         tensors_and_metadata(self.folder / "whole" / "weights.safetensors")[0])

    def test_a_run_that_is_stopped_goes_on_to_the_same_weights(self):
        epochs = 20
        self.train("whole", epochs=epochs)
        out = self.folder / "stopped"
        first = [PROGRAM, *self.arguments("stopped", epochs=epochs)]

        def run_to(step, arguments):
            running = stopping.start(arguments, self.folder)
            stopping.wait_until(running, lambda: stopping.has_text(out / "log.jsonl", f'"step":{step},'))
            return running

        resume = stopping.stop(self, run_to(10, first), signal.SIGINT)
        self.assertEqual(resume, [*first, "--resume"])
        self.assertFalse((out / "weights.safetensors").exists())
        self.assertEqual(stopping.stop(self, run_to(20, resume), signal.SIGTERM), resume)
        stopping.end_at_once(self, run_to(30, resume))
        self.assertFalse((out / "weights.safetensors").exists())
        self.assertIn("resuming from", self.run_program(*resume[1:]))
        self.assertEqual(tensors_and_metadata(out / "weights.safetensors")[0],
                         tensors_and_metadata(self.folder / "whole" / "weights.safetensors")[0])

        def figures(folder):
            return [{name: value for name, value in row.items() if "second" not in name}
                    for row in csv.DictReader((self.folder / folder / "log.csv").read_text().splitlines())]
        self.assertEqual(figures("stopped"), figures("whole"))

    def test_a_finished_run_is_lengthened(self):
        self.train("out")
        out = self.folder / "out"
        two = (out / "log.csv").read_text()
        # Finished as it is, it only writes its results again.
        weights = (out / "weights.safetensors").read_bytes()
        (out / "weights.safetensors").unlink()
        text = self.train("out", "--resume")
        self.assertIn("resuming from", text)
        self.assertNotIn("longer", text)
        self.assertEqual(tensors_and_metadata(out / "weights.safetensors")[0],
                         self.tensors_of(weights))
        self.assertIn("the run is extended to 4 epochs from 2", self.train("out", "--resume", epochs=4))
        self.assertTrue((out / "log.csv").read_text().startswith(two))
        rows = list(csv.DictReader((out / "log.csv").read_text().splitlines()))
        steps = 3
        self.assertEqual([(int(row["epoch"]), int(row["step"])) for row in rows], [(i, steps * (i + 1)) for i in range(4)])
        # The rate is the longer run's, a straight line from 1 to 0 between a quarter and 0.98 of it.
        for row in rows[2:]:
            share = (int(row["step"]) - 1) / (4 * steps)
            self.assertAlmostEqual(float(row["learning_rate"]), 0.05 * (1 - (share - 0.25) / 0.73), places=6)
        self.assertNotEqual(tensors_and_metadata(out / "weights.safetensors")[0], self.tensors_of(weights))
        self.assertIn("began with 4 epochs, expected at least as much to resume it, found 3 epochs",
                      self.train("out", "--resume", epochs=3, status=2))

    def test_a_rate_is_found(self):
        text = self.train("found", "--find-rate", "--threads", "2", epochs=1)
        rate = float(re.search(r"\n\d+ steps: the loss falls fastest at a rate of (\S+); the losses are in found/rates\.svg\n", text)[1])
        self.assertTrue(1e-4 < rate < 10, rate)
        self.assertEqual(os.listdir(self.folder / "found"), ["rates.svg"])  # instead of a training
        plot = xml.etree.ElementTree.parse(self.folder / "found/rates.svg").getroot()
        self.assertTrue({"learning rate", "loss"} <= {element.text for element in plot.iter()})

    def test_the_rate_falls_on_a_plateau(self):
        write_data(self.folder, labels_mean_something=False)  # so that the validation loss rises once images are known by heart
        rate, best, worse = 0.2, math.inf, 0  # what it should be, the best loss, and for how many epochs none was better
        self.train("out", "--plateau", "1", epochs=10, rate=rate)
        rows = list(csv.DictReader((self.folder / "out" / "log.csv").read_text().splitlines()))
        for row in rows:
            self.assertAlmostEqual(float(row["learning_rate"]), rate, places=9)
            loss = float(row["validation_loss"])
            best, worse = min(best, loss), 0 if loss < best else worse + 1
            if worse > 1:
                rate, worse = rate / 10, 0
        self.assertLess(float(rows[-1]["learning_rate"]), 0.2)

    def test_rectangles_are_exchanged_between_images(self):
        weights = {}
        for name, options in (("plain", ()), ("one", ("--cutmix", "1", "--threads", "1")), ("two", ("--cutmix", "1", "--threads", "2"))):
            self.train(name, *options)
            weights[name] = tensors_and_metadata(self.folder / name / "weights.safetensors")[0]
        self.assertTrue(weights["one"] == weights["two"])
        self.assertFalse(weights["one"] == weights["plain"])

    def test_products_are_of_bfloat16(self):
        self.train("out", "--threads", "1", "--precision", "bfloat16", epochs=1)
        text = self.train("out", "--threads", "1", "--resume", status=2)
        self.assertIn("the checkpoint was made in bfloat16, this trainer computes in float32", text)
        self.assertIn("epoch 2/2", self.train("out", "--threads", "1", "--resume", "--precision", "bfloat16"))

    def test_batches_are_accumulated(self):
        """Three batches are one step, its bits the same for any number of threads."""
        for name, options in (("one", ("--threads", "1")), ("two", ("--threads", "2"))):
            self.train(name, "--accumulate", "3", *options)
            rows = list(csv.DictReader((self.folder / name / "log.csv").read_text().splitlines()))
            self.assertEqual([row["step"] for row in rows], ["1", "2"])
        one, two = (tensors_and_metadata(self.folder / name / "weights.safetensors")[0] for name in ("one", "two"))
        self.assertTrue(one == two)

    def test_recipes_options_reach_the_training(self):
        def squares(name):
            """The mean square of the filters, which decay shrinks and nothing else does so much."""
            tensors = tensors_and_metadata(self.folder / name / "weights.safetensors")[0].values()
            values = [value for dtype, data in tensors if len(data) > 4096
                      for value, in struct.iter_unpack("<e" if dtype == "F16" else "<f", data)]
            return sum(value * value for value in values) / len(values)

        self.train("plain", "--decay", "0", "--smoothing", "0", "--shift", "0")
        self.train("decayed", "--decay", "1", "--smoothing", "0", "--shift", "0")
        self.assertLess(squares("decayed"), 0.8 * squares("plain"))  # six steps of a rate up to 0.05

        def losses(name):
            return [float(row["loss"]) for row in csv.DictReader((self.folder / name / "log.csv").read_text().splitlines())]

        # Smoothed altogether, all ten classes are as right as another: no answer has a loss below ln 10.
        self.train("smooth", "--decay", "0", "--smoothing", "1", "--shift", "0")
        self.assertGreater(min(losses("smooth")), math.log(10) - 1e-4)
        self.assertLess(min(losses("plain")), math.log(10) - 1e-4)
        self.train("shifted", "--decay", "0", "--smoothing", "0", "--shift", "3")
        self.assertNotEqual(losses("shifted"), losses("plain"))

    def tensors_of(self, content):
        (self.folder / "copy").write_bytes(content)
        return tensors_and_metadata(self.folder / "copy")[0]

    def test_what_is_wrong_is_refused(self):
        self.assertIn("No such file", self.run_program("--data", self.folder / "absent", status=2))
        for option, wrong in (("--epochs", "-1"), ("--cutmix", "2"), ("--plateau", "-1")):
            self.assertIn(option, self.run_program("--data", self.folder, option, wrong, status=2))
        self.assertIn("checkpoint.safetensors: there is no checkpoint to resume from; without --resume a new run is started",
                      self.train("none", "--resume", status=2))
        (self.folder / "file").write_text("")
        self.assertIn("cannot create the folder", self.train("file/out", status=2))
        self.assertIn("--output", self.run_program("--help"))
        with open("/dev/full", "wb") as full:
            self.assertEqual(subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.DEVNULL, check=False).returncode, 2)
        damaged = self.folder / ("data_batch_3.bin" if CIFAR else "train-images-idx3-ubyte")
        damaged.write_bytes(damaged.read_bytes()[:-1])
        self.assertIn(damaged.name + ": expected", self.train("out", status=2))


if __name__ == "__main__":
    unittest.main()
