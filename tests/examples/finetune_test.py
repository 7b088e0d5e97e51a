"""What finetune writes, prints and refuses, on small pictures that a network with random weights can tell apart.

    python3 finetune_test.py PROGRAM SOURCE_FOLDER CLASSIFY
"""
import csv
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM, SOURCE, CLASSIFY = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
sys.path[:0] = [str(SOURCE / "scripts")]
try:
    import numpy
    import safetensors_file
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)
import json_schema
import pictures
import processes
import stopping

CLASSES = ("blue", "green", "red")


def torchvision_resnet18(classes, seed=0):
    """Random weights of torchvision's resnet18, as its names and layouts are."""
    noise = numpy.random.default_rng(seed)
    tensors = {}

    def conv(name, outputs, inputs, kernel):
        scale = (2 / (inputs * kernel * kernel)) ** 0.5
        tensors[f"{name}.weight"] = (scale * noise.standard_normal((outputs, inputs, kernel, kernel))).astype("float32")

    def norm(name, channels):
        for tensor, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            tensors[f"{name}.{tensor}"] = numpy.full(channels, value, "float32")

    conv("conv1", 64, 3, 7)
    norm("bn1", 64)
    inputs = 64
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            conv(f"{name}.conv1", channels, inputs, 3)
            norm(f"{name}.bn1", channels)
            conv(f"{name}.conv2", channels, channels, 3)
            norm(f"{name}.bn2", channels)
            if block == 0 and stage > 1:
                conv(f"{name}.downsample.0", channels, inputs, 1)
                norm(f"{name}.downsample.1", channels)
            inputs = channels
    tensors["fc.weight"] = (0.01 * noise.standard_normal((classes, 512))).astype("float32")
    tensors["fc.bias"] = numpy.zeros(classes, "float32")
    return tensors


def picture(label, noise):
    """48 x 40 pixels of a colour, with noise on it."""
    pixels = noise.integers(0, 60, (3, 40, 48))
    pixels[2 - label] += 190
    return pixels.astype("uint8")


class FineTuning(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.shared = pathlib.Path(cls.temporary.name)
        # A backbone of another number of classes than ImageNet's.
        safetensors_file.write(cls.shared / "backbone.safetensors", torchvision_resnet18(7))
        noise = numpy.random.default_rng(1)
        for label, name in enumerate(CLASSES):
            (cls.shared / "photos" / name).mkdir(parents=True)
            for i in range(5):
                pictures.write_png(cls.shared / "photos" / name / f"{i}.png", picture(label, noise))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def run_program(self, *arguments, status=0, output=None):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if output:
            return getattr(done, output)
        return done.stdout + done.stderr if status or "--json" not in arguments else done.stdout

    def train(self, *more, data=None, weights=None, **options):
        return self.run_program("--data", data or self.shared / "photos", "--model", "resnet18", "--weights",
                                weights or self.shared / "backbone.safetensors", "--output", "out", *more, **options)

    @unittest.skipUnless(processes.MPIEXEC, "there is no MPI")
    def test_processes_end_with_the_weights_of_one(self):
        arguments = ["--data", self.shared / "photos", "--model", "resnet18", "--weights", self.shared / "backbone.safetensors",
                     "--output", "out", "--epochs", "2", "--unfreeze", "1", "--steps", "1", "--batch", "4", "--shards", "2",
                     "--threads", "1"]
        said = {}
        for count in (1, 2):
            folder = self.folder / str(count)
            folder.mkdir()
            start = processes.command(count) if count > 1 else []
            done = subprocess.run([*start, PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=folder, check=False,
                                  env={**os.environ, **processes.ENVIRONMENT})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            said[count] = done.stdout
        for name in ("weights.safetensors", "classes.txt", "confusion.svg"):
            self.assertEqual(*((self.folder / str(count) / "out" / name).read_bytes() for count in (1, 2)), name)
        self.assertEqual(said[2].count("of the validation photos\n"), 1)
        refused = subprocess.run([*processes.command(2), PROGRAM, "--weights", "x", "--predict", "y"], capture_output=True,
                                 text=True, check=False, env={**os.environ, **processes.ENVIRONMENT})
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("expected one process for --predict, found 2", refused.stderr)

    def test_a_classifier_is_trained_saved_and_used(self):
        text = self.train("--epochs", "20", "--hold-out", "0.4")
        self.assertIn("3 classes, 9 photos to train with, 6 to validate on", text)
        self.assertIn("epoch 20/20", text)
        self.assertIn("100.00 % (6 of 6) of the validation photos", text)
        out = self.folder / "out"
        tensors, metadata = safetensors_file.read(out / "weights.safetensors")
        # The weights are torchvision's for three classes; those of the trunk are the backbone's.
        before = torchvision_resnet18(7)
        self.assertEqual({name: array.shape for name, array in tensors.items()},
                         {name: array.shape if name[:2] != "fc" else (3, *array.shape[1:]) for name, array in before.items()})
        self.assertTrue(all((tensors[name] == before[name]).all() for name in before if name[:2] != "fc"))
        self.assertEqual(json.loads(metadata["classes"]), list(CLASSES))
        self.assertEqual(metadata["network"], "resnet18")
        self.assertIn("100.00 %", metadata["accuracy"])
        rows = list(csv.DictReader((out / "classifier.csv").read_text().splitlines()))
        self.assertEqual(len(rows), 20)
        self.assertLess(float(rows[-1]["loss"]), 0.7 * float(rows[0]["loss"]))
        for plot in ("curves.svg", "confusion.svg"):
            self.assertEqual(xml.etree.ElementTree.parse(out / plot).getroot().tag, "{http://www.w3.org/2000/svg}svg")

        report = (out / "report.html").read_text()
        self.assertIn("<h2>Calibration</h2>", report)
        self.assertRegex(report, r"<td>validation images</td><td>6</td>")

        # What was held out, class by class.
        table = (out / "classes.txt").read_text()
        self.assertIn(table, text)
        self.assertRegex(table, r"^class +images +precision \(%\) +recall \(%\) +F1 \(%\) +most often taken for\n")
        for name in CLASSES:
            self.assertRegex(table, rf"\n{name} +2 +100\.0 +100\.0 +100\.0\n")
        self.assertRegex(table, r"\nmean +6 +100\.0 +100\.0 +100\.0\n$")

        # The classes of new pictures, as JSON and as text; a file that is none has its error, the others their answers.
        noise = numpy.random.default_rng(2)
        for label, name in enumerate(CLASSES):
            pictures.write_png(self.folder / f"{name}.png", picture(label, noise))
        weights = out / "weights.safetensors"
        photos = [self.folder / f"{name}.png" for name in CLASSES]
        document = json_schema.parse(self.run_program("--weights", weights, "--json", "--predict", *photos))
        self.assertEqual((document["program"], document["model"]), ("finetune", "resnet18"))
        answers = document["images"]
        self.assertEqual([answer["top"][0]["name"] for answer in answers], list(CLASSES))
        for answer in answers:
            self.assertEqual(len(answer["top"]), 3)
            self.assertAlmostEqual(sum(entry["probability"] for entry in answer["top"]), 1, places=5)
        (self.folder / "text.png").write_text("no picture")
        text = self.run_program("--weights", weights, "--top", "1", "--predict", self.folder / "text.png",
                                self.folder / "red.png", status=2)
        self.assertIn("text.png: ", text)
        self.assertRegex(text, r"red\.png\n +\d+\.\d\d %.* red\n")
        wrong, right = json_schema.parse(self.run_program("--weights", weights, "--json", "--predict", self.folder / "text.png",
                                                          photos[2], status=2, output="stdout"))["images"]
        self.assertIn("text.png: ", wrong["error"])
        self.assertEqual(right, answers[2])

        # classify reads the same from the file or its folder, without being told the network.
        for given in (weights, out):
            done = subprocess.run([CLASSIFY, "--json", "--weights", given, *photos], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json_schema.parse(done.stdout), {**document, "program": "classify"})

        # An output that nobody can read is an error, for answers and for trainings, whose weights are saved all the same.
        with open("/dev/full", "w") as full:
            for arguments in (["--predict", *photos], ["--json", "--predict", *photos],
                              ["--data", self.shared / "photos", "--model", "resnet18", "--epochs", "1", "--output", "full"]):
                done = subprocess.run([PROGRAM, "--weights", weights, *arguments], stdout=full, stderr=subprocess.PIPE,
                                      text=True, cwd=self.folder, check=False)
                self.assertEqual(done.returncode, 2, arguments)
                self.assertIn("cannot write to the standard output: No space left", done.stderr)
        self.assertEqual(json.loads(safetensors_file.read(self.folder / "full/weights.safetensors")[1]["classes"]), list(CLASSES))

        # What was trained is a backbone, too; the same seed trains the same weights.
        self.train("--epochs", "1", weights=weights)
        self.assertIn("the file names 3 classes and has weights of 7", self.predict_of(before, metadata))

    def predict_of(self, tensors, metadata):
        safetensors_file.write(self.folder / "other.safetensors", tensors, metadata)
        return self.run_program("--weights", "other.safetensors", "--predict", "red.png", status=2)

    def test_the_whole_network_is_trained_and_gone_on_with(self):
        arguments = ("--epochs", "1", "--hold-out", "0.2", "--batch", "4", "--unfreeze", "1")
        text = self.train(*arguments, "--steps", "2")
        self.assertIn("now the whole network", text)
        self.assertIn("stopped: --steps 2 are done", text)
        for line in (self.folder / "out" / "log.jsonl").read_text().splitlines():
            json_schema.parse(line, "log_line")
        tensors, _ = safetensors_file.read(self.folder / "out" / "weights.safetensors")
        before = torchvision_resnet18(7)
        for name, array in before.items():
            if name[:2] != "fc":
                self.assertEqual((tensors[name] != array).any(), array.ndim == 4, name)
        self.assertIn("resuming from", self.train(*arguments, "--resume", status=0))

    def test_a_stopped_training_goes_on_to_the_same_weights(self):
        arguments = ("--epochs", "100", "--hold-out", "0.2", "--batch", "4", "--unfreeze", "1")
        self.train(*arguments)
        whole, _ = safetensors_file.read(self.folder / "out" / "weights.safetensors")
        # A run that begins anew in this folder doesn't take the checkpoints of this one for its own.
        command = [PROGRAM, "--data", str(self.shared / "photos"), "--model", "resnet18", "--weights",
                   str(self.shared / "backbone.safetensors"), "--output", "out", *arguments]
        out = self.folder / "out"
        for name in ("classifier.csv", "log.csv", "weights.safetensors"):
            (out / name).unlink()
        running = stopping.start(command, self.folder)
        stopping.wait_until(running, lambda: stopping.has_text(out / "classifier.csv", "\n2,"))
        resume = stopping.stop(self, running, signal.SIGTERM)
        self.assertEqual(resume, [*command, "--resume"])
        self.assertFalse((out / "weights.safetensors").exists())

        # The finished classifier is there before the whole network is trained, and of use.
        running = stopping.start(resume, self.folder)
        stopping.wait_until(running, (out / "log.csv").exists)
        self.assertEqual(stopping.stop(self, running, signal.SIGINT), resume)
        tensors, metadata = safetensors_file.read(out / "weights.safetensors")
        before = torchvision_resnet18(7)
        self.assertTrue(all((tensors[name] == before[name]).all() for name in before if name[:2] != "fc"))
        self.assertIn("of the validation photos", metadata["accuracy"])
        photo = self.shared / "photos" / "red" / "0.png"
        answers = json_schema.parse(self.run_program("--weights", out / "weights.safetensors", "--json", "--predict", photo))["images"]
        self.assertEqual(answers[0]["top"][0]["name"], "red")

        text = self.run_program(*resume[1:])
        self.assertRegex(text, r"resuming from out/checkpoint\.safetensors after \d steps")
        tensors, _ = safetensors_file.read(out / "weights.safetensors")
        self.assertEqual({name for name in whole if (tensors[name] != whole[name]).any()}, set())

    def test_a_finished_classifier_is_trained_longer(self):
        self.train("--epochs", "2")
        rows = (self.folder / "out" / "classifier.csv").read_text()
        self.assertIn("the run is extended to 4 epochs from 2", self.train("--epochs", "4", "--resume"))
        longer = (self.folder / "out" / "classifier.csv").read_text()
        self.assertTrue(longer.startswith(rows))
        self.assertEqual([row["epoch"] for row in csv.DictReader(longer.splitlines())], ["0", "1", "2", "3"])
        refused = self.train("--epochs", "3", "--resume", status=2)
        self.assertIn("began with 4 epochs, expected at least as much to resume it, found 3", refused)
        self.assertNotIn("features to train with", refused)  # which take long
        # With photos that are read otherwise it would be another training.
        own = "shorter side 256 (bilinear), middle 224 x 224, rgb, x 0.00392157 - 0.485,0.456,0.406, / 0.229,0.224,0.225"
        for flags, other in ((["--mean", "0.5"], own.replace("0.485,0.456,0.406", "0.5,0.5,0.5")),
                             (["--filter", "lanczos"], own.replace("bilinear", "lanczos")), (["--exif"], own + ", turned by EXIF")):
            text = self.train("--epochs", "5", "--resume", *flags, status=2)
            self.assertIn(f"the checkpoint was made with preprocessing '{own}', this trainer has '{other}'", text)
            self.assertNotIn("features to train with", text)
        self.assertIn("the run is extended to 5 epochs from 4", self.train("--epochs", "5", "--resume"))

    def test_undefined_weights_are_taken_if_that_is_said(self):
        tensors = torchvision_resnet18(7)
        tensors["fc.bias"][2] = float("nan")  # of the classifier, which is replaced
        tensors["int8.input_ranges"] = numpy.ones(21, "float32")  # of what these layers read, which training changes
        backbone = self.folder / "nan.safetensors"
        safetensors_file.write(backbone, tensors)
        said = "element 2 is NaN; --allow-undefined lets it pass"
        self.assertIn(said, self.train("--epochs", "1", weights=backbone, status=2))
        self.assertIn("its ranges for 8-bit integers are left out",
                      self.train("--epochs", "1", "--allow-undefined", weights=backbone))
        weights, photo = self.folder / "out" / "weights.safetensors", self.shared / "photos" / "red" / "1.png"
        tensors, metadata = safetensors_file.read(weights)
        self.assertNotIn("int8.input_ranges", tensors)
        tensors["fc.bias"] = tensors["fc.bias"].copy()
        tensors["fc.bias"][2] = float("nan")
        safetensors_file.write(weights, tensors, metadata)
        self.assertIn(said, self.run_program("--weights", weights, "--predict", photo, status=2))
        answer = self.run_program("--weights", weights, "--allow-undefined", "--predict", photo, status=2)
        self.assertIn("1.png: the network's results are not finite numbers", answer)
        self.assertNotIn("%", answer)

    def test_without_standard_streams_files_hold_what_they_should(self):
        def close_outputs():
            os.close(1)
            os.close(2)
        done = subprocess.run([PROGRAM, "--data", self.shared / "photos", "--model", "resnet18", "--weights",
                               self.shared / "backbone.safetensors", "--output", "out", "--epochs", "2"],
                              cwd=self.folder, preexec_fn=close_outputs, check=False)
        self.assertEqual(done.returncode, 2)  # as what was printed is lost
        log = (self.folder / "out" / "classifier.csv").read_text().splitlines()
        self.assertEqual([line.split(",")[0] for line in log], ["epoch", "0", "1"])
        self.assertTrue((self.folder / "out" / "weights.safetensors").exists())

    def test_augmented_features_without_broken_photos(self):
        photos = self.folder / "photos"
        shutil.copytree(self.shared / "photos", photos)
        (photos / "red" / "9.png").write_bytes((photos / "red" / "1.png").read_bytes()[:60])
        (photos / "red" / ".ipynb_checkpoints").mkdir()
        (photos / "red" / ".ipynb_checkpoints" / "1-checkpoint.png").write_bytes((photos / "red" / "1.png").read_bytes())
        text = self.train("--epochs", "2", "--passes", "2", "--hold-out", "0.4", "--skip-broken", "--cache", "0", data=photos)
        self.assertIn("skipped 1 hidden", text)
        self.assertRegex(text, r"left out: .*red/9\.png: ")
        self.assertRegex(text, r"features to train with: (18 of 18|20 of 20) images")

    def few_photos(self):
        """Two red and two blue photos to train with, one green one, and one of each to validate on."""
        photos = self.folder / "photos"
        shutil.copytree(self.shared / "photos", photos)
        for name in ("red/3", "red/4", "blue/3", "blue/4", "green/2", "green/3", "green/4"):
            (photos / f"{name}.png").unlink()
        return photos

    def test_what_changes_photos_changes_what_is_trained(self):
        photos, classifiers = self.few_photos(), []
        for option in ((), ("--jitter", "0.4"), ("--rand-augment", "5")):
            self.train("--epochs", "20", "--passes", "2", *option, data=photos)
            classifiers.append(safetensors_file.read(self.folder / "out" / "weights.safetensors")[0]["fc.weight"])
        self.assertEqual([bool((classifiers[0] == other).all()) for other in classifiers[1:]], [False, False])

    def test_how_the_whole_network_is_trained(self):
        photos, rates, kernels = self.few_photos(), [], []
        for option in ((), ("--balance",)):
            self.train("--epochs", "20", "--batch", "5", "--unfreeze", "1", "--whole-rate", "0.01", "--plateau", "1", *option,
                       data=photos)
            row, = csv.DictReader((self.folder / "out" / "log.csv").read_text().splitlines())
            rates.append(float(row["learning_rate"]))
            kernels.append(safetensors_file.read(self.folder / "out" / "weights.safetensors")[0]["conv1.weight"])
        self.assertFalse((kernels[0] == kernels[1]).all())
        self.assertEqual(rates, [0.01, 0.01])  # not a tenth of it, as where a rate rises and falls

    def test_photos_are_read_as_the_command_line_says_and_predicted_alike(self):
        flags = ["--mean", "0.5", "--deviation", "1/4", "--scale", "1/255", "--bgr", "--crop", "none"]
        text = self.train("--epochs", "1", *flags)
        self.assertIn("images: stretched to 224 x 224 (bilinear), bgr, x 0.00392157 - 0.5,0.5,0.5, / 0.25,0.25,0.25\n", text)
        weights = self.folder / "out" / "weights.safetensors"
        _, metadata = safetensors_file.read(weights)
        self.assertEqual(metadata["preprocessing"], "scale=1/255 mean=0.5 deviation=1/4 channels=bgr crop=none")
        photo = self.shared / "photos" / "red" / "1.png"

        def top(program, *arguments):
            done = subprocess.run([program, "--weights", weights, "--json", *arguments], capture_output=True, text=True, check=True)
            return json_schema.parse(done.stdout)["images"][0]["top"]
        stored = top(PROGRAM, "--predict", photo)
        self.assertEqual(top(CLASSIFY, photo), stored)
        self.assertEqual(top(CLASSIFY, *flags, photo), stored)
        self.assertNotEqual(top(CLASSIFY, "--mean", "0.1", photo), stored)
        self.assertNotEqual(top(PROGRAM, "--channels", "rgb", "--predict", photo), stored)
        # The weights keep it when they are trained on, and a text that says nothing known is refused.
        self.assertIn("bgr, x 0.00392157", self.train("--epochs", "1", "--resize", "0", "--crop", "center", weights=weights))
        self.assertIn("resize=0", safetensors_file.read(weights)[1]["preprocessing"])
        tensors, metadata = safetensors_file.read(weights)
        for wrong in ("mean", "mean=", "colour=red", "channels=grb", "resize=-1"):
            safetensors_file.write(weights, tensors, metadata | {"preprocessing": wrong})
            self.assertIn("under 'preprocessing' in the file's metadata, found " + wrong,
                          self.run_program("--weights", weights, "--predict", photo, status=2))
        self.assertIn("--mean: expected one number or three", self.train("--mean", "1,2", status=2))

    def test_names_of_classes_are_bytes(self):
        data = os.fsencode(self.folder / "photos")
        noise = numpy.random.default_rng(1)
        names = (b"caf\xe9", b"th\xc3\xa9")
        for label, name in enumerate(names):
            os.makedirs(data + b"/" + name)
            for i in range(3):
                pictures.write_png(pathlib.Path(os.fsdecode(data + b"/" + name + b"/%d.png" % i)), picture(label, noise))
        # The folder's name is in the command line, which is kept, too.
        photos = data + b"'s \xff"
        os.rename(data, photos)
        arguments = [b"--data", photos, b"--model", b"resnet18", b"--weights", os.fsencode(self.shared / "backbone.safetensors"),
                     b"--output", b"out", b"--epochs", b"1"]
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        out = self.folder / "out"
        # Trained on from the checkpoint, with weights afterwards as before.
        (out / "weights.safetensors").unlink()
        done = subprocess.run([PROGRAM, *arguments[:-1], b"2", b"--resume"], capture_output=True, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"extended to 2 epochs from 1", done.stdout)
        metadata = safetensors_file.read(out / "weights.safetensors")[1]
        self.assertEqual(json.loads(metadata["classes"]), ["caf\\xE9", "th\u00e9"])
        self.assertEqual([bytes.fromhex(name) for name in json.loads(metadata["class_bytes"])], list(names))
        self.assertIn(os.fsdecode(data) + "'s \\xFF", shlex.split(metadata["command"]))
        for plot in ("curves.svg", "confusion.svg"):
            xml.etree.ElementTree.parse(out / plot)
        photo = photos + b"/caf\xe9/0.png"
        for program, flags in ((PROGRAM, ["--predict"]), (CLASSIFY, [])):
            done = subprocess.run([program, "--weights", out / "weights.safetensors", "--json", *flags, photo], capture_output=True,
                                  check=True)
            answer, = json_schema.parse(done.stdout.decode())["images"]
            self.assertEqual(bytes.fromhex(answer["file_bytes"]), photo)
            self.assertEqual({(entry["name"], entry.get("name_bytes")) for entry in answer["top"]},
                             {("caf\\xE9", names[0].hex()), ("th\u00e9", None)})

    def test_what_is_wrong_is_said(self):
        photos, copy = self.folder / "photos", self.folder / "copy"
        photos.mkdir()
        self.assertIn("expected a subfolder for each class, found none", self.train(data=photos, status=2))
        self.assertIn("expected a folder", self.train(data=self.folder / "absent", status=2))
        (photos / "red").mkdir()
        self.assertIn("files of the class red, found none", self.train(data=photos, status=2))
        pictures.write_png(photos / "red" / "1.png", picture(0, numpy.random.default_rng(3)))
        self.assertIn("at least 2 classes, found only red", self.train(data=photos, status=2))
        (photos / "blue").mkdir()
        (photos / "blue" / "1.png").write_bytes((photos / "red" / "1.png").read_bytes())
        self.assertIn("at least 2 images of each class, one to train with", self.train(data=photos, status=2))
        for name in ("red", "blue"):
            (photos / name / "2.png").write_bytes((photos / "red" / "1.png").read_bytes()[:60])
        self.assertRegex(self.train(data=photos, status=2), r"2 of 2 photos are broken: .*blue/2\.png: .*red/2\.png: ")
        self.assertIn("no photo of the class", self.train("--skip-broken", data=photos, status=2))
        for name in CLASSES[:2]:
            (copy / name).mkdir(parents=True)
            (copy / name / "1.png").write_bytes((photos / "red" / "1.png").read_bytes())
        shared = self.shared / "photos"
        self.assertIn("expected the 3 classes of", self.train("--validation", copy, status=2))
        self.assertIn("found red besides", self.run_program(
            "--data", copy, "--model", "resnet18", "--weights", self.shared / "backbone.safetensors", "--validation", shared,
            status=2))

        self.assertIn("No such file", self.train(weights=self.folder / "absent", status=2))
        if os.geteuid() != 0:
            (self.folder / "closed").mkdir(mode=0o500)
            # Before features are computed.
            said = self.run_program("--data", self.shared / "photos", "--model", "resnet18", "--weights",
                                    self.shared / "backbone.safetensors", "--output", "closed", status=2)
            self.assertIn("closed: cannot write into the folder: Permission denied", said)
            self.assertNotIn("features to train with", said)
        (self.folder / "text").write_text("no weights")
        self.assertIn("text: ", self.train(weights=self.folder / "text", status=2))
        self.assertIn('expected a checkpoint of PyTorch with an entry "model_ema"', self.train("--key", "model_ema", status=2))
        self.assertIn("not this network's", self.run_program(
            "--data", shared, "--model", "resnet50", "--weights", self.shared / "backbone.safetensors", status=2))
        self.assertIn("expected weights that finetune wrote", self.run_program(
            "--weights", self.shared / "backbone.safetensors", "--predict", "x.png", status=2))
        self.assertIn("no network vgg to fine-tune", self.predict_of({"x": numpy.zeros(1, "float32")},
                                                                     {"network": "vgg", "classes": "[]"}))
        self.assertIn("as a JSON array of strings, found 5", self.predict_of({"x": numpy.zeros(1, "float32")},
                                                                             {"network": "resnet18", "classes": "5"}))
        self.assertIn("--weights", self.run_program("--data", shared, status=2))
        self.assertIn("expected --data FOLDER to train, or --predict",
                      self.run_program("--weights", self.shared / "backbone.safetensors", status=2))
        # There is nothing to go on from, and the program says what to do.
        for more in ((), ("--unfreeze", "1")):
            self.assertIn("out: there is no checkpoint to resume from; without --resume a new training is started",
                          self.train("--resume", *more, status=2))
        (self.folder / "out").mkdir(exist_ok=True)
        (self.folder / "out" / "checkpoint.safetensors").write_text("")
        self.assertIn("but that of a complete network, which needs the --unfreeze that it was started with",
                      self.train("--resume", status=2))
        (self.folder / "out" / "checkpoint.safetensors").rename(self.folder / "out" / "checkpoint.safetensors.previous")
        self.assertIn("rename it to out/checkpoint.safetensors; without --resume",
                      self.train("--resume", "--unfreeze", "1", status=2))
        for option, wrong in (("--jitter", "1.5"), ("--rand-augment", "31"), ("--plateau", "-1")):
            self.assertIn(option, self.train(option, wrong, status=2))
        self.assertIn("--unfreeze", self.run_program("--help"))


if __name__ == "__main__":
    unittest.main()
