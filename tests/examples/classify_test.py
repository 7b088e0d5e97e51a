"""What the example classify prints, where, and with which exit status.

    python3 classify_test.py PROGRAM SOURCE_FOLDER
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
from xml.etree import ElementTree
import zipfile

PROGRAM, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
sys.path[:0] = [str(SOURCE / "scripts"), str(SOURCE / "tests" / "report")]
import json_schema
import processes

try:
    import numpy
    import onnx_file
    import safetensors_file
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)

IMAGES = SOURCE / "examples/data/images"
TEST_FILES = SOURCE / "tests/image/files"
WEIGHTS = SOURCE / "examples/data/fashion_mnist.safetensors"
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
SEED = ["--seed", "1"]


class Classify(unittest.TestCase):
    def run_program(self, *arguments, status=0, env=(), **options):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **dict(env)}
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, env=environment, **options)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stdout.decode(), done.stderr.decode()

    def refusal(self, *arguments):
        """The only line on the standard error of a run that must fail with status 2 and print nothing else."""
        out, err = self.run_program(*arguments, status=2)
        self.assertEqual(out, "")
        self.assertTrue(err.startswith("classify: "), err)
        return err

    def json_of(self, *arguments, **options):
        return json_schema.parse(self.run_program("--json", *arguments, **options)[0])

    def test_without_arguments_the_images_beside_the_example_are_classified(self):
        out, err = self.run_program("--top", "1")
        lines = out.splitlines()
        self.assertEqual(len(lines), 20)
        right = 0
        for label, name in enumerate(CLASSES):
            self.assertIn(f"{label}_", lines[2 * label])
            self.assertRegex(lines[2 * label + 1], r"^ +\d+\.\d\d %  .{24}  \S")
            right += lines[2 * label + 1].endswith("  " + name)
        self.assertGreaterEqual(right, 8, out)
        self.assertIn("10 of 10 images", err)

    @unittest.skipUnless(processes.MPIEXEC, "there is no MPI")
    def test_processes_share_the_images_and_answer_once_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            files = sorted(IMAGES.glob("*.png"))
            for i in range(53):  # the last of three processes gets images in the first round, and none in the second
                (folder / f"{i:03}.png").write_bytes(files[i % len(files)].read_bytes() if i != 20 else b"no image")
            alone = subprocess.run([PROGRAM, "--json", folder], capture_output=True)
            together = subprocess.run([*processes.command(3), PROGRAM, "--json", folder], capture_output=True,
                                      env={**os.environ, **processes.ENVIRONMENT})
        self.assertEqual(alone.returncode, 2)
        self.assertEqual(together.returncode, 2)
        self.assertEqual(len(json.loads(together.stdout)["images"]), 53)
        self.assertEqual(together.stdout, alone.stdout)
        err = together.stderr.decode()
        self.assertEqual(err.count("020.png"), 1, err)
        self.assertEqual(err.count("52 of 53 images"), 1, err)
        self.assertIn("one of 3 processes", err)

    def test_json_holds_what_the_text_holds(self):
        image = IMAGES / "9_ankle_boot.png"
        result = self.json_of("--top", "10", *SEED, image, IMAGES / "1_trouser.png")
        self.assertEqual(result["model"], "fashion_mnist")
        self.assertEqual([entry["file"] for entry in result["images"]], [str(image), str(IMAGES / "1_trouser.png")])
        top = result["images"][0]["top"]
        self.assertEqual(sorted(entry["name"] for entry in top), sorted(CLASSES))
        self.assertTrue(all(entry["name"] == CLASSES[entry["class"]] for entry in top))
        probabilities = [entry["probability"] for entry in top]
        self.assertEqual(probabilities, sorted(probabilities, reverse=True))
        self.assertAlmostEqual(sum(probabilities), 1, places=5)
        text, _ = self.run_program("--top", "10", *SEED, image)
        for line, entry in zip(text.splitlines()[1:], top, strict=True):
            self.assertIn(f"{100 * entry['probability']:.2f} %", line)
            self.assertTrue(line.endswith("  " + entry["name"]), line)

    def test_a_result_depends_neither_on_threads_nor_on_other_images(self):
        all_results = self.json_of(*SEED, "--threads", "2", IMAGES)
        one = self.json_of(*SEED, "--threads", "1", IMAGES / "7_sneaker.png")
        self.assertEqual(all_results["images"][7], one["images"][0])

    def test_top_is_cut_at_the_number_of_classes(self):
        self.assertEqual(len(self.json_of(*SEED, "--top", "3", IMAGES / "8_bag.png")["images"][0]["top"]), 3)
        self.assertEqual(len(self.json_of(*SEED, "--top", "99", IMAGES / "8_bag.png")["images"][0]["top"]), 10)

    def test_jpeg_and_png_of_any_size_are_classified(self):
        for name in ("progressive.jpg", "cmyk.jpg", "palette.png", "picture.png"):
            self.assertEqual(len(self.json_of(*SEED, TEST_FILES / name)["images"]), 1)

    def test_bars_are_blocks_in_utf_8_and_ascii_elsewhere_and_never_coloured_in_a_pipe(self):
        image = IMAGES / "0_t-shirt_top.png"
        blocks, _ = self.run_program(*SEED, image)
        self.assertIn("\u2588", blocks)
        self.assertNotIn("\x1b", blocks)
        plain, _ = self.run_program(*SEED, image, env={"LC_ALL": "C"})
        self.assertTrue(plain.isascii())
        self.assertIn("#", plain)

    def test_colours_on_a_terminal_unless_no_color_is_set(self):
        for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            ours, theirs = os.openpty()
            environment = {**os.environ, "TERM": "xterm", **extra}
            if "NO_COLOR" not in extra:
                environment.pop("NO_COLOR", None)
            subprocess.run([PROGRAM, *SEED, str(IMAGES / "8_bag.png")], stdout=theirs, stderr=subprocess.DEVNULL,
                           env=environment, check=True)
            self.assertEqual(b"\x1b[" in os.read(ours, 65536), coloured, extra)
            os.close(ours)
            os.close(theirs)

    def test_control_characters_in_names_are_not_sent_to_a_terminal(self):
        with tempfile.TemporaryDirectory() as folder:
            labels, photo = pathlib.Path(folder) / "labels.json", pathlib.Path(folder) / "a\x1b]0;b.png"
            names = ["caf\u00e9 \x1b[2J\u009bm\x7f"] * 10
            labels.write_text(json.dumps(names))
            photo.write_bytes((IMAGES / "8_bag.png").read_bytes())
            arguments = [PROGRAM, *SEED, "--labels", str(labels), "--top", "1", str(photo)]
            ours, theirs = os.openpty()
            subprocess.run(arguments, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"}, check=True)
            shown = os.read(ours, 65536).decode()
            os.close(ours)
            os.close(theirs)
            self.assertNotRegex(shown.replace("\r\n", ""), "[\x00-\x1f\x7f-\x9f]")
            self.assertIn("caf\u00e9 \\x1B[2J\\xC2\\x9Bm\\x7F", shown)
            self.assertIn("a\\x1B]0;b.png", shown)
            self.assertIn(names[0], self.run_program(*arguments[1:])[0])  # programs get the names

    def test_labels_from_lines_or_json_replace_the_names(self):
        with tempfile.TemporaryDirectory() as folder:
            names = ["o'e\u00e9", *"bcdefgh", "\U0001F41F fish, tench", "j"]
            lines, pairs = "\n".join(names), [[f"n0{i}", name] for i, name in enumerate(names)]
            numbered = dict(enumerate(names))
            for content in (lines, lines + "\n", lines + "\n\n \n", "\ufeff" + lines, lines.replace("\n", "\r\n"),
                            lines.replace("\n", "\r"), lines.encode("utf-16-le"), ("\ufeff" + lines).encode("utf-16-le"),
                            ("\ufeff" + json.dumps(numbered, ensure_ascii=False)).encode("utf-16-be"),
                            json.dumps(names), "\ufeff" + json.dumps(names, indent=1), json.dumps(pairs),
                            json.dumps(numbered, indent=2), json.dumps(dict(enumerate(pairs))),
                            json.dumps(dict(reversed(numbered.items()))),
                            json.dumps({name: i for i, name in numbered.items()}),
                            json.dumps({"architectures": ["ResNet"], "depths": [[[[[3]]]]], "id2label": numbered}),
                            repr(names), repr(tuple(names)).replace("(", " [").replace(")", ",]"), repr(numbered),
                            repr(numbered).replace("', ", "',\n "), repr({i: tuple(pair) for i, pair in enumerate(pairs)}),
                            repr({name: i for i, name in numbered.items()})):
                path = pathlib.Path(folder) / "names"
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
                if isinstance(content, bytes) and content[1] == 0:
                    self.assertIn("found a byte of 0: it is another kind of file, or UTF-16",
                                  self.refusal(*SEED, "--labels", path, IMAGES))
                    continue
                top = self.json_of(*SEED, "--top", "10", "--labels", path, IMAGES / "8_bag.png")["images"][0]["top"]
                self.assertEqual({entry["class"]: entry["name"] for entry in top}, numbered, content)

    def test_wrong_labels_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "names"
            for content, expected in (
                ("", "expected 10 class names, one per line or as a JSON array or dictionary, found 0"),
                ("a\nb\n", "expected 10 class names, one per line or as a JSON array or dictionary, found 2"),
                ("\n" + "c\n" * 9, "the name of class 0 is empty"),
                ("a\n\n" + "c\n" * 8, "the name of class 1 is empty"),
                ('["a", ', "found malformed JSON"),
                ('["a", 7]', "expected class names as strings, or pairs of an identifier and a name, found 7"),
                ('[["a"]]', "or pairs of an identifier and a name, found an array"),
                ('["a", {"b": []}]', "or pairs of an identifier and a name, found an object"),
                ('{"1": "a", "2": "b"}', "expected the numbers of the 2 classes from 0 to 1, each once, found 2"),
                ('{"0": "a", "00": "b"}', "from 0 to 1, each once, found 0 twice"),
                ('{"n01440764": "tench"}', 'found the key "n01440764"'),
                ("{0: 'a', 0: 'b'}", "found malformed JSON"),
                ("{0: 'caf\\xe9'}", "found malformed JSON"),
                ("{0: __import__('os')}", "found malformed JSON"),
                ("[" * 1_000_000, "found malformed JSON"),
                ("[" * 1_000_000 + "]" * 1_000_000, "found an array"),
                (json.dumps(["a"] * 200_001), "found more than 200000 values"),
                ("{" + ",".join(f"{i}: 'a'" for i in range(300_000)) + "}", "found 300000"),  # an hour if quadratic
                ("a\n" * (2 << 20) + "b", "expected at most 4194304 bytes"),
                ("<!DOCTYPE html><html>", "found an HTML or XML page"),
            ):
                path.write_text(content)
                text = self.refusal(*SEED, "--labels", path, IMAGES)
                self.assertIn(f"{path}: ", text)
                self.assertIn(expected, text)
            self.assertIn("No such file", self.refusal(*SEED, "--labels", path.parent / "missing", IMAGES))

    def test_explain_draws_the_two_most_likely_classes(self):
        image = IMAGES / "9_ankle_boot.png"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "map.png"
            second = pathlib.Path(folder) / "map.runner_up.png"
            out, err = self.run_program("--json", "--explain", path, image)
            top = json.loads(out)["images"][0]["top"]
            self.assertEqual(top, self.json_of(image)["images"][0]["top"])
            self.assertIn(f"{path}: {top[0]['name']}, grad-cam at head.relu0, 7 x 7 pixels: 30.6 M", err)
            self.assertIn(f"{second}: {top[1]['name']}, grad-cam at head.relu0, 7 x 7 pixels: 30.6 M", err)
            for picture in (path, second):
                self.assertEqual(picture.read_bytes()[:24],
                                 b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 2 * 224 + 8 + 8 + 16 + 14, 224))
            self.assertNotEqual(path.read_bytes(), second.read_bytes())
            by_default = path.read_bytes()
            with image.open("rb") as photo:
                _, err = self.run_program("--explain", path, "--place", "stack0", "--method", "layer-cam", "-", stdin=photo)
            self.assertIn("layer-cam at stack0, 14 x 14 pixels", err)
            self.assertNotEqual(path.read_bytes(), by_default)
            self.assertEqual(sorted(os.listdir(folder)), ["map.png", "map.runner_up.png"])

    def test_explain_writes_maps_as_numbers_and_says_how_much_they_matter(self):
        image = IMAGES / "9_ankle_boot.png"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "maps.json"
            explain = ["--json", "--explain", path, "--evidence"]
            out, err = self.run_program(*explain, "--method", "score-cam", image)
            top = json.loads(out)["images"][0]["top"]
            found = json.loads(path.read_text())
            self.assertEqual(len(found["input"]), 28 * 28)
            self.assertEqual([map["name"] for map in found["maps"]], [top[0]["name"], top[1]["name"]])
            for map in found["maps"]:
                self.assertEqual((map["method"], map["place"], map["height"], map["width"]), ("score-cam", "head.relu0", 7, 7))
                self.assertEqual(len(map["values"]), 49)
                self.assertGreater(max(map["values"]), 0)
            # The pixels that the likeliest class is explained by are evidence: out, it is less likely than in.
            deletion, insertion = re.search(r"on average ([\d.]+) % .*deletion\), ([\d.]+) % .*insertion\)", err).groups()
            self.assertLess(float(deletion), float(insertion))
            for method in ("integrated-gradients", "guided-backpropagation"):
                _, err = self.run_program(*explain, "--method", method, image)
                self.assertIn(f"{method} at input, 28 x 28 pixels", err)
                self.assertEqual(len(json.loads(path.read_text())["maps"][1]["values"]), 28 * 28)
            self.assertEqual(os.listdir(folder), ["maps.json"])

    def test_explain_refuses_what_it_cannot_explain_before_anything_is_written(self):
        image = IMAGES / "8_bag.png"
        with tempfile.TemporaryDirectory() as folder:
            path, weights = pathlib.Path(folder) / "map.png", pathlib.Path(folder) / "weights.safetensors"
            explain = [*SEED, "--save", weights, "--explain", path]
            self.assertIn("--explain explains one image, found 10", self.refusal(*explain, IMAGES))
            self.assertIn("--explain explains one image, found 0", self.refusal(*explain))
            wrong = self.refusal(*explain, "--place", "stack9", image)
            self.assertIn("the network fashion_mnist has no place 'stack9'; its places are stem.conv0, stem, stack0.", wrong)
            self.assertIn("head.relu0, head.global_average_pool0, head.linear0, head\n", wrong)
            self.assertIn("--precision int8", self.refusal(*explain, "--precision", "int8", image))
            self.assertIn("--calibrate", self.refusal(*explain, "--calibrate", IMAGES, image))
            self.assertIn("ends in .png or .json, found map.jpg", self.refusal(*SEED, "--explain", "map.jpg", image))
            self.assertIn("--explain", self.refusal(*SEED, "--place", "stack0", image))
            self.assertIn("gradcam", self.refusal(*explain, "--method", "gradcam", image))
            pixels = ["--method", "integrated-gradients", "--place", "stack0"]
            self.assertIn("by the image's pixels, so it goes without --place", self.refusal(*explain, *pixels, image))
            self.assertIn("--explain", self.refusal(*SEED, "--evidence", image))
            self.assertEqual(os.listdir(folder), [])
            self.run_program(*SEED, "--explain", path, TEST_FILES / "billions_of_pixels.png", status=2)
            self.assertEqual(os.listdir(folder), [])
            _, err = self.run_program(*SEED, "--explain", path, "--place", "head", image, status=2)
            self.assertIn("one pixel, so there is no map of it", err)
            self.assertEqual(os.listdir(folder), [])

    def test_summary_and_profile_go_to_the_standard_error(self):
        image = IMAGES / "8_bag.png"
        out, err = self.run_program(*SEED, "--summary", "--profile", "--json", image)
        self.assertEqual(len(json.loads(out)["images"]), 1)
        self.assertIn("multiply-adds", err)
        self.assertIn("GFLOP/s", err)

    def test_a_trace_is_a_file_for_a_viewer_or_an_image(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.json"
            out, _ = self.run_program(*SEED, "--trace", path, "--threads", "2", "--json", IMAGES / "8_bag.png")
            self.assertEqual(len(json.loads(out)["images"]), 1)
            events = json.loads(path.read_text())["traceEvents"]
            rows = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
            self.assertEqual(rows, {0: "worker 0", 1: "worker 1"})
            steps = [e for e in events if e["ph"] == "X" and e["cat"] != "part"]
            self.assertIn("stack2.block1.body.conv1", {e["name"] for e in steps})
            self.assertTrue(all(e["dur"] >= 0 and e["tid"] in rows and "GFLOP/s" in e["args"] for e in steps))
            self.assertTrue(all(e["args"]["bytes in use"] > 0 for e in events if e["ph"] == "C"))
            path = path.with_suffix(".svg")
            self.run_program(*SEED, "--trace", path)
            self.assertIn("worker 0", [e.text for e in ElementTree.parse(path).getroot().iter()])
            _, err = self.run_program(*SEED, "--trace", path.with_suffix(".txt"), status=2)
            self.assertIn("expected a name that ends in .json or .svg", err)

    def test_a_network_can_be_looked_at_without_images_or_weights(self):
        out, err = self.run_program("--model", "resnet50v2", "--summary")
        self.assertEqual(out, "")
        self.assertIn("25,549,416", err)
        out, err = self.run_program("--model", "resnet50v2", "--summary", "--json")
        self.assertEqual(err, "")
        summary = json_schema.parse(out)
        self.assertEqual(summary["total"]["parameters"], 25_549_416)
        layers = [row for row in summary["layers"] if row["kind"] != "scope"]
        self.assertEqual(sum(row["multiply_adds"] for row in layers), summary["total"]["multiply_adds"])
        self.assertEqual(summary["layers"][0]["output"], [64, 56, 56])

    def test_a_network_is_exported_with_the_weights_it_classifies_with(self):
        with tempfile.TemporaryDirectory() as folder:
            for arguments, batch in ((["--weights", WEIGHTS], 1), (["--onnx-batch", "5"], 5), (["--onnx-batch", "0"], "batch")):
                path = pathlib.Path(folder) / "clothes.onnx"
                self.assertEqual(self.run_program("--onnx", path, *arguments), ("", ""))
                model = onnx_file.OnnxFile(path)
                self.assertEqual((model.name, model.inputs), ("fashion_mnist", [("input", [batch, 1, 28, 28])]))
                weights, _ = safetensors_file.read(WEIGHTS)
                for name, array in weights.items():
                    if not name.endswith("num_batches_tracked"):
                        self.assertEqual(model.initializers[name].tobytes(), array.tobytes(), name)
            self.assertIn("cannot create a file", self.refusal("--onnx", path.parent / "missing" / "a.onnx"))
            self.assertIn("needs --weights", self.refusal("--model", "resnet18", "--onnx", path))

    def test_a_missing_backend_is_told(self):
        if not os.path.exists("/dev/nvidia0"):
            # Built without CUDA, or with it on a machine without a device.
            self.assertRegex(self.refusal(*SEED, "--backend", "cuda", IMAGES),
                             "needs a classify that was built for it: configure with|found no device")
        self.assertIn("opencl not in {cpu,cuda}", self.refusal(*SEED, "--backend", "opencl", IMAGES))

    def test_integers_give_the_answers_of_floats_once_they_are_calibrated(self):
        with tempfile.TemporaryDirectory() as folder:
            calibrated = pathlib.Path(folder) / "fashion_mnist.int8.safetensors"
            _, err = self.run_program("--calibrate", IMAGES, "--save", calibrated)
            self.assertIn("calibrated on 10 of 10 images", err)
            ranges = safetensors_file.read(calibrated)[0]["int8.input_ranges"]
            self.assertEqual(len(ranges), 32)  # convolutions and the linear layer
            floats = self.json_of("--weights", calibrated, IMAGES)
            self.assertEqual(floats, self.json_of(IMAGES))
            integers = self.json_of("--weights", calibrated, "--precision", "int8", IMAGES)
        answers = [[image["top"][0]["class"] for image in each["images"]] for each in (floats, integers)]
        self.assertEqual(*answers)
        self.assertNotEqual(floats, integers)  # their probabilities differ

    def test_calibration_shows_on_a_terminal_how_much_is_done(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "images").mkdir()
            for i in range(60):
                for image in IMAGES.glob("*.png"):
                    shutil.copy(image, folder / "images" / f"{i}_{image.name}")
            (folder / "images" / "30_broken.png").write_text("not an image")
            for width in (100, 50, 12):
                terminal, inside = pty.openpty()
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
                running = subprocess.Popen([PROGRAM, "--calibrate", folder / "images", "--save", folder / "a.safetensors"],
                                           stdout=subprocess.DEVNULL, stderr=inside)
                os.close(inside)
                text = b""
                while True:
                    try:
                        text += os.read(terminal, 65536)
                    except OSError:  # how Linux says that nobody is on the other side any more
                        break
                os.close(terminal)
                self.assertEqual(running.wait(), 2)  # as one is broken
                # Each state of the line, and what is left: the broken image, and the result.
                lines = [line.split("\r") for line in text.decode().split("\r\n")]
                states = [state for line in lines for state in line[1:] if state.endswith("\x1b[K")]
                shown = [state.removesuffix("\x1b[K") for state in states if state != "\x1b[K"]
                self.assertGreater(len(shown), 0, text)
                for state in shown:
                    self.assertLess(len(state), width)
                    if width == 100:
                        self.assertRegex(state, r"\Aclassify: calibrating \[=*>?\.*\] \d+ of 601 images, \d+:\d\d left\Z")
                    elif width == 50:
                        self.assertRegex(state, r"\Aclassify: calibrating: \d+ of 601 images\Z")
                left = [line[-1].removeprefix("\x1b[K") for line in lines if line[-1].strip("\x1b[K")]
                self.assertTrue(left[0].startswith(f"classify: {folder}/images/30_broken.png"), left)
                self.assertTrue(left[1].startswith("classify: fashion_mnist, calibrated on 600 of 601 images"), left)
                self.assertEqual(len(left), 2, text)
            # Elsewhere nothing is drawn.
            _, err = self.run_program("--calibrate", IMAGES, "--save", folder / "a.safetensors")
            self.assertNotIn("\r", err)
            self.assertNotIn("calibrating", err)

    def test_a_calibrated_network_is_exported_in_integers(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            calibrated = folder / "int8.safetensors"
            self.run_program("--calibrate", IMAGES, "--save", calibrated, "--onnx", folder / "a.onnx", "--onnx-batch", "0")
            integers = ["--weights", calibrated, "--precision", "int8", "--onnx"]
            self.run_program(*integers, folder / "b.onnx", "--onnx-batch", "0")
            self.assertEqual((folder / "a.onnx").read_bytes(), (folder / "b.onnx").read_bytes())
            model = onnx_file.OnnxFile(folder / "a.onnx")
            self.assertEqual((model.name, model.inputs), ("fashion_mnist", [("input", ["batch", 1, 28, 28])]))
            self.assertEqual(model.metadata["network"], "fashion_mnist")
            kinds = [node.operator for node in model.nodes]
            self.assertEqual((kinds.count("Conv"), kinds.count("Gemm")), (31, 1))
            # All products read bytes, some of them the same ones.
            weights = [array for array in model.initializers.values() if array.dtype.name == "int8" and array.ndim > 1]
            self.assertEqual(len(weights), 32)
            ranges, _ = safetensors_file.read(calibrated)
            self.assertEqual(kinds.count("QuantizeLinear"), (ranges["int8.input_ranges"] > 0).sum())
            # The model's answers, for an image as the network reads it.
            for image in sorted(IMAGES.glob("*.png")):
                self.run_program("--explain", folder / "map.json", image)
                x = numpy.float32(json.loads((folder / "map.json").read_text())["input"]).reshape(1, 1, 28, 28)
                logits, = model.run(x)
                top = self.json_of("--weights", calibrated, "--precision", "int8", image)["images"][0]["top"]
                found = numpy.exp(logits - logits.max()) / numpy.exp(logits - logits.max()).sum()
                self.assertEqual(logits.argmax(), top[0]["class"])
                for entry in top:
                    self.assertAlmostEqual(found[entry["class"]], entry["probability"], delta=0.01)

            self.assertIn("need the ranges", self.refusal(
                "--weights", WEIGHTS, "--precision", "int8", "--onnx", folder / "c.onnx"))
            self.assertFalse((folder / "c.onnx").exists())
            # bfloat16 is how a model computes: its file has the floats that were loaded.
            for precision in ("bfloat16", "float32"):
                self.run_program("--precision", precision, "--onnx", folder / f"{precision}.onnx")
            self.assertEqual((folder / "bfloat16.onnx").read_bytes(), (folder / "float32.onnx").read_bytes())

    def test_weights_are_saved_with_their_ranges(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            calibrated, saved, labels = folder / "int8.safetensors", folder / "saved.safetensors", folder / "labels.txt"
            labels.write_text("\n".join("abcdefghij"))
            self.run_program("--calibrate", IMAGES, "--save", calibrated, "--labels", labels)
            tensors, metadata = safetensors_file.read(calibrated)
            self.assertEqual(json.loads(metadata["classes"]), list("abcdefghij"))
            for precision in ("float32", "bfloat16", "int8"):
                self.run_program("--weights", calibrated, "--precision", precision, "--save", saved)
                self.assertEqual(saved.read_bytes(), calibrated.read_bytes(), precision)
            ten = self.json_of("--weights", saved, "--precision", "int8", "--top", "10", IMAGES / "1_trouser.png")
            # Of the first three classes: the layers before read the same.
            few = tensors | {name: tensors[name][:3].copy() for name in ("post.fc.weight", "post.fc.bias")}
            del few["int8.input_ranges"]
            weights = folder / "three.safetensors"
            safetensors_file.write(weights, few, {"network": "fashion_mnist", "classes": '["a", "b", "c"]'})
            self.run_program("--weights", weights, "--calibrate", IMAGES, "--save", calibrated)
            self.run_program("--weights", calibrated, "--precision", "int8", "--save", saved)
            self.assertEqual(saved.read_bytes(), calibrated.read_bytes())
            again, metadata = safetensors_file.read(saved)
            self.assertEqual(again["int8.input_ranges"].tobytes(), tensors["int8.input_ranges"].tobytes())
            self.assertEqual(again["post.fc.weight"].tobytes(), few["post.fc.weight"].tobytes())
            three = self.json_of("--weights", saved, "--precision", "int8", IMAGES / "1_trouser.png")
            expected = {entry["name"]: entry["probability"] for entry in ten["images"][0]["top"] if entry["name"] in "abc"}
            for entry in three["images"][0]["top"]:
                self.assertAlmostEqual(entry["probability"], expected.pop(entry["name"]) / sum(
                    entry["probability"] for entry in ten["images"][0]["top"] if entry["name"] in "abc"), 5)
            self.assertEqual(expected, {})
            self.assertRegex(self.refusal("--weights", weights, "--precision", "int8", IMAGES),
                             r"three\.safetensors: 8-bit integers need the ranges")
            for wrong in (["--labels", labels], [IMAGES]):  # ten names for three classes; images that nobody would look at
                self.refusal("--weights", weights, "--calibrate", IMAGES, "--save", folder / "other", *wrong)
                self.assertFalse((folder / "other").exists())

    def test_bfloat16_gives_the_answers_of_floats(self):
        floats, halves = self.json_of(IMAGES), self.json_of("--precision", "bfloat16", IMAGES)
        answers = [[image["top"][0]["class"] for image in each["images"]] for each in (floats, halves)]
        self.assertEqual(*answers)
        self.assertNotEqual(floats, halves)  # their probabilities differ
        err = self.refusal("--model", "resnet152", *SEED, "--precision", "bfloat16", IMAGES)
        self.assertIn("bfloat16 has no network resnet152, only fashion_mnist", err)

    def test_integers_say_what_they_lack(self):
        self.assertIn("classify --calibrate FOLDER --save FILE", self.refusal("--precision", "int8", IMAGES))
        err = self.refusal("--model", "resnet152", *SEED, "--precision", "int8", IMAGES)
        self.assertIn("int8 has no network resnet152, only fashion_mnist", err)
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder) / "int8.safetensors"
            err = self.refusal("--calibrate", folder, "--save", target)
            self.assertFalse(target.exists())
            self.assertIn("no images", err)

    def test_wrong_images_are_refused_and_the_others_classified(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            whole = (TEST_FILES / "subsampled.jpg").read_bytes()
            (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
            (folder / "empty.png").write_bytes(b"")
            (folder / "text.jpg").write_text("not an image")
            for name, expected in (
                ("missing.jpg", "missing.jpg: cannot open the file: No such file or directory"),
                ("truncated.jpg", "truncated.jpg: cannot decode it as JPEG: the file ends before the image is complete"),
                ("empty.png", " file, found an empty file"),
                ("text.jpg", " file, found an unknown format"),
            ):
                self.assertIn(expected, self.refusal(*SEED, folder / name))
                out, err = self.run_program(*SEED, "--json", folder / name, IMAGES / "8_bag.png", status=2)
                self.assertIn(expected, err)
                wrong, right = json_schema.parse(out)["images"]
                self.assertEqual((wrong["file"], right["file"]), (str(folder / name), str(IMAGES / "8_bag.png")))
                self.assertIn(expected, wrong["error"])
                self.assertEqual(len(right["top"]), 5)
            (folder / "nothing").mkdir()
            self.assertIn("found none in it", self.refusal(*SEED, folder / "nothing"))

    def test_the_network_for_colour_photos_has_weights_too(self):
        result = self.json_of("--model", "cifar10", "--top", "10", TEST_FILES / "picture.png")
        names = {entry["name"] for entry in result["images"][0]["top"]}
        self.assertEqual(names, {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"})

    def test_wrong_weights_are_refused(self):
        self.assertIn("No such file", self.refusal("--weights", "missing.safetensors", IMAGES))
        self.assertIn("not a safetensors file", self.refusal("--weights", IMAGES / "8_bag.png", IMAGES))
        self.assertIn("these weights are not this network's",
                      self.refusal("--weights", SOURCE / "tests/io/files/kinds.safetensors", IMAGES))
        self.assertIn("needs --weights", self.refusal("--model", "resnet18", IMAGES))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.keras"
            for name, expected in (("model.weights.h5", "this is a .keras file; scripts/convert_weights.py makes"),
                                   ("readme.txt", "neither a state_dict of PyTorch (data.pkl) nor arrays of NumPy")):
                with zipfile.ZipFile(path, "w") as archive:
                    archive.writestr(name, "text")
                self.assertIn(expected, self.refusal("--weights", path, IMAGES))

    def test_weights_are_saved_under_the_names_of_the_networks_library(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "saved.safetensors"
            for model, name, shape in (("cifar_resnet20v2", "layer1.0.bn0.running_var", (16,)),
                                       ("keras_cifar_resnet20v2", "conv2d_3/kernel", (1, 1, 16, 64)),
                                       ("mxnet_resnet18v2", "resnetv24_stage2_conv2_weight", (128, 64, 1, 1)),
                                       ("timm_resnetv2_18", "head.fc.weight", (1000, 512, 1, 1))):
                self.assertEqual(self.run_program("--model", model, *SEED, "--save", path), ("", ""))
                saved, _ = safetensors_file.read(path)
                self.assertEqual(saved[name].shape, shape)
                again = path.with_name("again.safetensors")
                self.run_program("--model", model, "--weights", path, "--save", again)
                self.assertEqual(path.read_bytes(), again.read_bytes())
            self.assertIn("cannot create a file", self.refusal(*SEED, "--save", path.parent / "missing" / "a"))
            self.assertIn("these weights are not this network's", self.refusal("--model", "resnet18", "--weights", path, IMAGES))

    def test_wrong_options_are_refused(self):
        for arguments in (["--top", "0"], ["--top", "many"], ["--threads", "-1"], ["--model", "alexnet"], ["--bogus"],
                          ["--seed", "1", "--weights", "a"], ["--labels"], ["--onnx-batch", "2"]):
            self.assertIn("classify --help says more", self.refusal(*arguments), arguments)
        # As a shell hands on variables that aren't set: nothing else may be classified or left unsaved instead.
        for option in ("--weights", "--save", "--onnx", "--labels", "--mean"):
            self.assertIn(f"{option}: expected a value, found an empty text", self.refusal(option, "", IMAGES))
        self.assertIn("--calibrate: expected a value", self.refusal("--calibrate", "", "--save", "a"))

    def test_a_name_that_is_no_networks_brings_those_that_hold_it(self):
        self.assertIn("there is no network resnet44; there are cifar_resnet44, cifar_resnet44v2, keras_cifar_resnet44",
                      self.refusal("--model", "resnet44", IMAGES))
        self.assertIn("there is no network alexnet (classify", self.refusal("--model", "alexnet", IMAGES))

    def test_a_misspelt_name_brings_the_nearest(self):
        for name, nearest in (("resnet81", "resnet18"), ("ResNet-50", "resnet50"), ("rsenet34", "resnet34"),
                              ("fashon_mnist", "fashion_mnist"), ("keras_resnet50_v2", "keras_resnet50v2")):
            self.assertRegex(self.refusal("--model", name, IMAGES),
                             rf"there is no network {name}; did you mean ([a-z0-9_]+, )*{nearest}(, [a-z0-9_]+)*\?")

    def test_the_network_that_weights_fit_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "saved.safetensors"
            for model, other in (("cifar_resnet20", "cifar_resnet32"), ("keras_cifar_resnet20", "cifar_resnet20"),
                                 ("mxnet_resnet18v2", "fashion_mnist"), ("mlperf_tiny_resnet8", "resnet18")):
                self.run_program("--model", model, *SEED, "--save", path)
                article = "an" if model[0] == "m" else "a"
                self.assertIn(f"; they are {article} {model}'s of {1000 if 'mxnet' in model else 10} classes\n",
                              self.refusal("--model", other, "--weights", path, IMAGES))
            # The names are the same here, only shapes differ.
            self.run_program("--model", "resnet50", *SEED, "--save", path)
            self.assertRegex(self.refusal("--model", "wide_resnet50_2", "--weights", path, IMAGES),
                             r"expected shape \[.*, found \[.*\]; they are a resnet50's of 1000 classes\n")
            # Weights of no shipped network.
            self.assertNotIn("they are", self.refusal("--weights", SOURCE / "tests/io/files/kinds.safetensors", IMAGES))

    def write_weights(self, path, classes, metadata=(), model="cifar_resnet20"):
        """Weights of a network for the first of its ten classes."""
        self.run_program("--model", model, *SEED, "--save", path)
        tensors, _ = safetensors_file.read(path)
        for name in ("linear.weight", "linear.bias"):
            tensors[name] = tensors[name][:classes].copy()
        safetensors_file.write(path, tensors, dict(metadata))

    def test_weights_of_fewer_classes_are_a_network_of_as_many(self):
        image = TEST_FILES / "picture.png"
        model = ("--model", "cifar_resnet20")
        ten = self.json_of(*model, *SEED, "--top", "10", image)["images"][0]["top"]
        expected = {entry["class"]: entry["probability"] for entry in ten if entry["class"] < 3}
        with tempfile.TemporaryDirectory() as folder:
            path, saved, onnx = (pathlib.Path(folder) / name for name in ("three.safetensors", "saved", "three.onnx"))
            self.write_weights(path, 3)
            three = self.json_of(*model, "--weights", path, "--save", saved, "--onnx", onnx, image, image)
            for answer in three["images"]:
                # Nobody knows their names: they are not CIFAR's.
                self.assertEqual({entry["name"] for entry in answer["top"]}, {"class 0", "class 1", "class 2"})
                for entry in answer["top"]:
                    self.assertAlmostEqual(entry["probability"], expected[entry["class"]] / sum(expected.values()), 5)
            fashion = pathlib.Path(folder) / "fashion.safetensors"
            self.run_program("--model", "fashion_mnist", *SEED, "--save", fashion)
            tensors, _ = safetensors_file.read(fashion)
            for name in ("post.fc.weight", "post.fc.bias"):
                tensors[name] = tensors[name][:2].copy()
            safetensors_file.write(fashion, tensors, {})
            answer, = self.json_of("--model", "fashion_mnist", "--weights", fashion, image)["images"]
            self.assertEqual({entry["name"] for entry in answer["top"]}, {"class 0", "class 1"})
            tensors, _ = safetensors_file.read(path)
            again, metadata = safetensors_file.read(saved)
            self.assertEqual({name: array.tobytes() for name, array in tensors.items()},
                             {name: array.tobytes() for name, array in again.items()})
            self.assertEqual(metadata, {"network": "cifar_resnet20"})
            model_file = onnx_file.OnnxFile(onnx)
            self.assertEqual(model_file.outputs, [("output", [1, 3])])
            self.assertEqual(model_file.initializers["linear.weight"].tobytes(), tensors["linear.weight"].tobytes())
            self.assertIn("expected 3 class names", self.refusal(*model, "--weights", path, "--labels", __file__, image))

    def test_a_file_of_weights_says_its_network_and_its_classes(self):
        image = TEST_FILES / "picture.png"
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            path = folder / "weights.safetensors"
            names = ["ros\u00e9", "tulip", "caf\\xE9"]
            about = {"network": "cifar_resnet20", "classes": json.dumps(names), "license": "CC0"}
            self.write_weights(path, 3, about)
            for weights in (path, folder):  # the folder that finetune wrote
                result = self.json_of("--weights", weights, image)
                self.assertEqual(result["model"], "cifar_resnet20")
                self.assertEqual({entry["name"] for entry in result["images"][0]["top"]}, set(names))
            # They are handed on, other texts too; --labels replaces them.
            saved = folder / "saved.safetensors"
            onnx = folder / "saved.onnx"
            self.run_program("--weights", path, "--save", saved, "--onnx", onnx)
            for metadata in (safetensors_file.read(saved)[1], onnx_file.OnnxFile(onnx).metadata):
                self.assertEqual(json.loads(metadata.pop("classes")), names)
                self.assertEqual(metadata, {"network": "cifar_resnet20", "license": "CC0"})
            (folder / "labels.txt").write_bytes(b"a\nb\ncaf\xe9\n")
            result = self.json_of("--weights", path, "--labels", folder / "labels.txt", "--save", saved, image)
            byte_names = {entry["name"]: entry.get("name_bytes") for entry in result["images"][0]["top"]}
            self.assertEqual(byte_names, {"a": None, "b": None, "caf\\xE9": b"caf\xe9".hex()})
            # Names that are not UTF-8 go through a file byte by byte.
            self.assertEqual(json.loads(safetensors_file.read(saved)[1]["class_bytes"]),
                             [name.hex() for name in (b"a", b"b", b"caf\xe9")])
            again = self.json_of("--weights", saved, image)
            self.assertEqual(again, result)
            text = subprocess.run([PROGRAM, "--weights", saved, image], capture_output=True, check=True).stdout
            self.assertIn(b"  caf\xe9\n", text)

            self.write_weights(path, 4, about)
            self.assertIn("the file names 3 classes and has weights of 4", self.refusal("--weights", path, image))
            self.write_weights(path, 4, {"network": "MyNet"})
            self.assertIn("a network MyNet, which classify doesn't know; say", self.refusal("--weights", path, image))
            self.write_weights(path, 4, {"network": "cifar_resnet20", "classes": "cat, dog"})
            _, err = self.run_program("--weights", path, "--model", "cifar_resnet20", image)
            self.assertIn("warning: ", err)
            self.assertIn("as a JSON array of strings, found cat, dog", err)

    def test_names_of_files_are_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.fsencode(folder) + b"/caf\xe9.png"
            pathlib.Path(os.fsdecode(name)).write_bytes((IMAGES / "8_bag.png").read_bytes())
            done = subprocess.run([PROGRAM, *SEED, "--json", name, name + b".none"], capture_output=True, check=False)
            self.assertEqual(done.returncode, 2)
            right, wrong = json_schema.parse(done.stdout.decode())["images"]
            for entry, exact in ((right, name), (wrong, name + b".none")):
                self.assertEqual(bytes.fromhex(entry["file_bytes"]), exact)
                self.assertIn("caf\\xE9.png", entry["file"])
            self.assertIn("caf\\xE9.png.none: cannot open", wrong["error"])

    def test_what_a_folder_holds_besides_is_skipped_and_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name in ("a.png", "._a.png", ".DS_Store", "b.bmp", "notes.txt"):
                (folder / name).write_bytes((IMAGES / "8_bag.png").read_bytes())
            for name in ("thumbs.png", "more", ".ipynb_checkpoints"):
                (folder / name).mkdir()
            for name in ("more/Z.JPG", "more/._Z.jpg", ".ipynb_checkpoints/a.png"):
                (folder / name).write_bytes((IMAGES / "8_bag.png").read_bytes())
            (folder / "more" / "back").symlink_to("..")
            out, err = self.run_program(*SEED, "--json", folder)
            result = json_schema.parse(out)
            self.assertEqual([entry["file"] for entry in result["images"]], [str(folder / "a.png"), str(folder / "more/Z.JPG")])
            kinds = {".bmp": 1, ".txt": 1, "hidden": 4, "link that leads back": 1}
            self.assertEqual(result["skipped"], [{"folder": str(folder), "hidden": 4, "others": 2, "folders": 1, "kinds": kinds}])
            self.assertIn(f"classify: {folder}: skipped 1 .bmp, 1 .txt, 4 hidden, 1 link that leads back\n", err)
            self.assertNotIn("skipped", self.json_of(*SEED, IMAGES / "8_bag.png"))
            if os.geteuid() != 0:
                (folder / "more").chmod(0)
                right, wrong = self.json_of(*SEED, folder, status=2)["images"]
                (folder / "more").chmod(0o700)
                self.assertEqual((right["file"], wrong["file"]), (str(folder / "a.png"), str(folder / "more")))
                self.assertIn("cannot list the folder", wrong["error"])
            (folder / "more/Z.JPG").unlink()
            (folder / "a.png").unlink()
            result = self.json_of(*SEED, folder, status=2)
            self.assertIn("found none in it", result["images"][0]["error"])

    def test_the_standard_input_is_an_image(self):
        for path in (IMAGES / "8_bag.png", TEST_FILES / "progressive.jpg"):
            expected = self.json_of(*SEED, path)["images"][0]["top"]
            with open(path, "rb") as file:
                self.assertEqual(self.json_of(*SEED, "-", stdin=file)["images"], [{"file": "-", "top": expected}])
            piped = self.json_of(*SEED, path, "-", "-", input=path.read_bytes(), status=2)["images"]
            self.assertEqual((piped[0]["top"], piped[1]["top"]), (expected, expected))
            self.assertIn("can be read only once", piped[2]["error"])
        out, err = self.run_program(*SEED, "-", input=b"", status=2)
        self.assertIn(" file, found an empty file", err)

    def test_one_wrong_argument_costs_its_own_answer_only(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "loop.png").symlink_to(folder / "loop.png")
            (folder / "empty").mkdir()
            (folder / "closed").mkdir()
            (folder / "closed" / "a.png").write_bytes(b"")
            wrong = [folder / "loop.png", folder / ("x" * 300 + ".png"), folder / "empty", folder / "none" / "a.png"]
            if os.geteuid() != 0:
                (folder / "closed").chmod(0)
                self.addCleanup((folder / "closed").chmod, 0o700)
                wrong += [folder / "closed", folder / "closed" / "a.png"]
            good = IMAGES / "8_bag.png"
            arguments = [argument for each in wrong for argument in (each, good)]
            result = self.json_of(*SEED, *arguments, status=2)["images"]
            self.assertEqual([entry["file"] for entry in result], list(map(str, arguments)))
            for failed, answered in zip(result[::2], result[1::2]):
                self.assertTrue(failed["error"].startswith(failed["file"] + ": "), failed)
                self.assertEqual(answered, result[1])
            self.assertIn("Too many levels of symbolic links", result[0]["error"])
            self.assertIn("File name too long", result[2]["error"])

    def test_results_that_are_not_finite_are_no_answers(self):
        image = IMAGES / "8_bag.png"
        with tempfile.TemporaryDirectory() as folder:
            calibrated, path = pathlib.Path(folder) / "int8.safetensors", pathlib.Path(folder) / "nan.safetensors"
            self.run_program("--calibrate", IMAGES, "--save", calibrated)
            defined, metadata = safetensors_file.read(calibrated)
            bias = next(name for name in defined if name.endswith("fc.bias"))
            kernel = next(name for name in defined if defined[name].ndim == 4)
            variance = next(name for name in defined if name.endswith("running_var"))
            for name, value, said in ((bias, float("nan"), "NaN"), (bias, float("inf"), "infinite"), (kernel, float("nan"), "NaN"),
                                      (variance, -1, "negative, which a variance can't be")):
                tensors = defined | {name: defined[name].copy()}
                tensors[name].reshape(-1)[3] = value
                safetensors_file.write(path, tensors, metadata)
                with self.subTest(name, value=value):
                    self.assertIn(f'tensor "{name}": element 3 is {said}; --allow-undefined lets it pass',
                                  self.refusal("--weights", path, image))
                    allowed = ("--weights", path, "--allow-undefined")
                    for precision in ("float32", "bfloat16"):
                        out, err = self.run_program(*allowed, "--precision", precision, image, status=2)
                        self.assertEqual(out, "")
                        self.assertIn("8_bag.png: the network's results are not finite numbers", err)
                    answer, = json_schema.parse(self.run_program("--json", *allowed, image, status=2)[0])["images"]
                    self.assertEqual(set(answer), {"file", "error"})
                    self.run_program(*allowed, "--explain", path.parent / "map.png", "--evidence", image, status=2)
                    self.assertFalse((path.parent / "map.png").exists())
                    # Integers would have codes for all of them.
                    if value != -1:
                        for arguments in (("--precision", "int8", image), ("--calibrate", IMAGES, "--save", path.parent / "other")):
                            self.assertIn("8-bit integers need finite weights", self.refusal(*allowed, *arguments))

    def test_the_schema_refuses_what_is_no_answer(self):
        if json_schema.jsonschema is None:
            self.skipTest("jsonschema is absent")
        right = self.json_of(*SEED, IMAGES / "8_bag.png")

        def changed(change):
            document = json.loads(json.dumps(right))
            change(document, document["images"][0])
            return json_schema.problem(document)

        self.assertIsNone(changed(lambda document, image: None))
        for change in (lambda document, image: document.pop("version"),
                       lambda document, image: document.update(version=2),
                       lambda document, image: document.update(program="vlc"),
                       lambda document, image: document.update(skipped=[]),
                       lambda document, image: image.update(error="both"),
                       lambda document, image: image.pop("top"),
                       lambda document, image: image.update(file_bytes="e"),
                       lambda document, image: image["top"][0].update(probability=1.5),
                       lambda document, image: image["top"][0].update(probability=None),
                       lambda document, image: image["top"][0].pop("name")):
            self.assertIsNotNone(changed(change))

    def test_photos_as_phones_leave_them(self):
        photo = (TEST_FILES / "orientation_6.jpg").read_bytes()
        png = (TEST_FILES / "picture.png").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for content, end, cut in ((photo, 2, 60), (png, 12, 3500)):
                whole, endless, half = folder / "whole", folder / "endless", folder / "half"
                whole.write_bytes(content)
                endless.write_bytes(content[:-end])
                half.write_bytes(content[:-cut])
                out, err = self.run_program("--model", "cifar10", "--json", whole, endless)
                right, same = json_schema.parse(out)["images"]
                self.assertEqual(right["top"], same["top"])
                self.assertIn(f"classify: warning: {endless}: all pixels are there, but the ", err)
                self.assertNotIn(f"warning: {whole}", err)
                self.assertIn("the file ends before the image is complete", self.refusal("--model", "cifar10", half))
                out, err = self.run_program("--model", "cifar10", "--json", "--accept-damaged", half)
                self.assertNotEqual(json_schema.parse(out)["images"][0]["top"], right["top"])
                self.assertIn(f"classify: warning: {half}: the file ends before the image is complete", err)
            turned = [self.json_of("--model", "cifar10", *options, TEST_FILES / "orientation_6.jpg")["images"][0]["top"]
                      for options in ([], ["--exif"])]
            self.assertNotEqual(*turned)
            self.assertIn("expected at most 100 pixels (--max-pixels), found", self.refusal("--max-pixels", "100", TEST_FILES / "picture.png"))

    def test_a_preprocessing_of_ones_own_replaces_the_networks(self):
        image = TEST_FILES / "picture.png"
        def top(*options):
            return self.json_of("--model", "cifar10", "--top", "10", *options, image)["images"][0]["top"]
        own = ["--scale", "1/255", "--mean", "0.4914,0.48216,0.44653", "--deviation", "0.24703,0.24349,0.26159",
               "--channels", "rgb", "--resize", "32", "--crop", "center", "--filter", "bilinear"]
        _, err = self.run_program("--model", "cifar10", "--summary")
        self.assertRegex(err, r"\nimages: shorter side 32 \(bilinear\), middle 32 x 32, rgb, x 0\.00392157 - 0\.49\d+,0\.48\d+,0\.4\d+, / ")
        before = top()
        for entry, other in zip(before, top(*own)):
            self.assertEqual(entry["name"], other["name"])
            self.assertAlmostEqual(entry["probability"], other["probability"], places=2)
        # The same numbers written otherwise are the same to the bit: one for all channels; a scale of 1 and means of 255.
        self.assertEqual(top("--mean", "0.5", "--deviation", "0.25"), top("--mean", "0.5,0.5,0.5", "--deviation", "0.25,0.25,0.25"))
        self.assertEqual(top("--scale", "1/256", "--mean", "0.5", "--deviation", "0.25"),
                         top("--scale", "1", "--mean", "128", "--deviation", "64"))
        for options in (["--scale", "1"], ["--mean", "0"], ["--deviation", "1"], ["--bgr"], ["--resize", "40"], ["--crop", "none"],
                        ["--filter", "lanczos"]):
            self.assertNotEqual(top(*options), before, options)
        for options, expected in ((["--mean", "1,2"], "--mean: expected one number or three with commas between them, found 1,2"),
                                  (["--mean", "a"], "--mean: expected numbers or fractions such as 0.5 or 1/255, found a"),
                                  (["--scale", "1/0"], "--scale: expected numbers or fractions"),
                                  (["--deviation", "0"], "a finite number above 0, which samples are divided by, found 0"),
                                  (["--crop", "all"], "--crop: all not in {center,none}")):
            self.assertIn(expected, self.refusal("--model", "cifar10", *options, image))

    def test_a_full_disk_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        for arguments in ([*SEED, str(IMAGES)], [*SEED, "--json", str(IMAGES)], ["--help"], ["--version"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(b"cannot write to the standard output: No space left", done.stderr)
        # A disk that becomes full in the middle of a document, and an output that isn't there.
        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        with tempfile.TemporaryDirectory() as folder:
            with open(pathlib.Path(folder) / "answers.json", "wb") as file:
                done = subprocess.run([PROGRAM, *SEED, "--json", *[str(IMAGES)] * 5], stdout=file, stderr=subprocess.PIPE,
                                      preexec_fn=limit_files, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"cannot write to the standard output: File too large", done.stderr)
            saved = pathlib.Path(folder) / "saved.safetensors"
            done = subprocess.run([PROGRAM, *SEED, "--save", saved], preexec_fn=lambda: os.close(1), check=False)
            self.assertEqual((done.returncode, saved.exists()), (0, True))

    def test_help_and_version_are_results(self):
        out, err = self.run_program("--help")
        self.assertIn("--weights", out)
        self.assertIn(" keras_resnet152v2 ", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 120)
        self.assertEqual(err, "")
        self.assertRegex(self.run_program("--version")[0], r"^classify, tenon \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
