"""What the example convert_keras writes and what it refuses.

    python3 convert_keras_test.py PROGRAM SOURCE_FOLDER CLASSIFY
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE, CLASSIFY = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
sys.path[:0] = [str(SOURCE / "scripts")]
try:
    import numpy
    import safetensors_file
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)


class ConvertKeras(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.keras = cls.folder / "keras.safetensors"
        cls.save("keras_resnet50v2", cls.keras)

    @staticmethod
    def save(model, path):
        """Random weights of a network as its library has them."""
        subprocess.run([CLASSIFY, "--model", model, "--seed", "1", "--save", path], check=True, capture_output=True)

    def run_program(self, *arguments, status=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def refusal(self, *arguments):
        out, err = self.run_program(*arguments, status=2)
        self.assertEqual((out, err.count("\n"), err[:15]), ("", 1, "convert_keras: "), err)
        return err

    def test_weights_are_converted_and_loaded_by_the_listings_network(self):
        output = self.folder / "listing.safetensors"
        out, err = self.run_program(self.keras, output)
        self.assertEqual(err, "")
        self.assertRegex(out, r"ResNet50V2<Classes<1000>, ZeroPaddedPool>; .* differ by [0-9]\.[0-9]e-0[6-9] of")
        listing, metadata = safetensors_file.read(output)
        self.assertEqual(metadata["source"], "keras.applications ResNet50V2")
        keras, _ = safetensors_file.read(self.keras)
        # What keeps its values but for the order of its axes, and a mean that gives up a bias.
        numpy.testing.assert_array_equal(listing["conv2.conv.0.short.weight"],
                                         keras["conv2_block1_0_conv/kernel"].transpose(3, 2, 0, 1))
        dropped = keras["conv2_block1_0_conv/bias"].astype("f8") + keras["conv2_block1_3_conv/bias"]
        numpy.testing.assert_allclose(listing["conv2.conv.1.preact.0.running_mean"],
                                      keras["conv2_block2_preact_bn/moving_mean"] - dropped, rtol=1e-6, atol=1e-7)
        self.assertNotIn("conv2.conv.0.short.bias", listing)
        copy = self.folder / "copy.safetensors"
        subprocess.run([CLASSIFY, "--model", "resnet50v2", "--weights", output, "--save", copy], check=True)
        for name, array in safetensors_file.read(copy)[0].items():
            self.assertEqual(array.tobytes(), listing[name].tobytes(), name)

    def test_other_files_are_refused(self):
        self.assertIn("No such file", self.refusal(self.folder / "absent", self.folder / "out"))
        other = self.folder / "other.safetensors"
        self.save("keras_resnet50", other)
        self.assertIn("expected weights of keras.applications' ResNet50V2", self.refusal(other, self.folder / "out"))
        keras, _ = safetensors_file.read(self.keras)
        for change, sentence in (
            (lambda tensors: tensors.pop("post_bn/gamma"), '"post_bn/gamma", which the file lacks'),
            (lambda tensors: tensors.update({"predictions/bias": tensors["predictions/bias"][:10]}), '"predictions/bias"'),
            (lambda tensors: tensors.update({"post_bn/beta": tensors["post_bn/beta"] + numpy.float32("nan")}),
             'tensor "post_bn/beta": element 0 is NaN'),
        ):
            changed = dict(keras)
            change(changed)
            safetensors_file.write(other, changed)
            self.assertIn(sentence, self.refusal(other, self.folder / "out"))
        self.assertFalse((self.folder / "out").exists())
        self.assertIn("cannot create a file", self.refusal(self.keras, self.folder / "absent" / "out"))

    def test_wrong_arguments_are_refused(self):
        for arguments in ([], ["one"], ["a", "b", "c"], ["--bogus", "a", "b"]):
            self.assertIn("convert_keras --help says more", self.refusal(*arguments))
        self.assertIn("KERAS", self.run_program("--help")[0])


if __name__ == "__main__":
    unittest.main()
