"""What the example classify prints, where, and with which exit status.

    python3 classify_test.py PROGRAM SOURCE_FOLDER
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

PROGRAM, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
sys.path[:0] = [str(SOURCE / "scripts"), str(SOURCE / "tests" / "report")]
try:
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
        return json.loads(self.run_program("--json", *arguments, **options)[0])

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

    def test_labels_from_lines_or_json_replace_the_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("names.txt", "\r\n".join("abcdefghij")), ("names.json", json.dumps(list("abcdefghij")))):
                path = pathlib.Path(folder) / name
                path.write_text(content)
                top = self.json_of(*SEED, "--labels", path, IMAGES / "8_bag.png")["images"][0]["top"]
                self.assertTrue(all(entry["name"] == "abcdefghij"[entry["class"]] for entry in top))

    def test_wrong_labels_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "names"
            for content, expected in (
                ("", "expected 10 class names, one a line or as a JSON array, found 0"),
                ("a\nb\n", "expected 10 class names, one a line or as a JSON array, found 2"),
                ("a\n\n" + "c\n" * 8, "the name of class 1 is empty"),
                ('["a", ', "found malformed JSON"),
                ('["a", 7]', "expected class names as JSON strings, found 7"),
            ):
                path.write_text(content)
                self.assertIn(f"{path}: {expected}" if content[:1] != '[' else expected,
                              self.refusal(*SEED, "--labels", path, IMAGES))
            self.assertIn("No such file", self.refusal(*SEED, "--labels", path.parent / "missing", IMAGES))

    def test_summary_and_profile_go_to_the_standard_error(self):
        image = IMAGES / "8_bag.png"
        out, err = self.run_program(*SEED, "--summary", "--profile", "--json", image)
        self.assertEqual(len(json.loads(out)["images"]), 1)
        self.assertIn("multiply-adds", err)
        self.assertIn("GFLOP/s", err)

    def test_a_network_can_be_looked_at_without_images_or_weights(self):
        out, err = self.run_program("--model", "resnet50v2", "--summary")
        self.assertEqual(out, "")
        self.assertIn("25,549,416", err)

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
                ("empty.png", "empty.png: expected a JPEG or PNG file, found an empty file"),
                ("text.jpg", "text.jpg: expected a JPEG or PNG file, found no image format that is known"),
            ):
                self.assertIn(expected, self.refusal(*SEED, folder / name))
                out, err = self.run_program(*SEED, "--json", folder / name, IMAGES / "8_bag.png", status=2)
                self.assertIn(expected, err)
                self.assertEqual([entry["file"] for entry in json.loads(out)["images"]], [str(IMAGES / "8_bag.png")])
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

    def test_a_name_that_is_no_networks_brings_those_that_hold_it(self):
        self.assertIn("there is no network resnet44; there are cifar_resnet44, cifar_resnet44v2, keras_cifar_resnet44",
                      self.refusal("--model", "resnet44", IMAGES))
        self.assertIn("there is no network alexnet (classify", self.refusal("--model", "alexnet", IMAGES))

    def test_a_full_disk_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, *SEED, str(IMAGES)], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cannot write to the standard output", done.stderr)

    def test_help_and_version_are_results(self):
        out, err = self.run_program("--help")
        self.assertIn("--weights", out)
        self.assertIn(" keras_resnet152v2 ", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 120)
        self.assertEqual(err, "")
        self.assertRegex(self.run_program("--version")[0], r"^classify, tenon \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
