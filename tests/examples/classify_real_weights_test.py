"""classify with real weights of four libraries on real images, without any option on preprocessing: the network says what
its library does to an image.

    python3 classify_real_weights_test.py PROGRAM SOURCE_FOLDER

The weights and images are no part of the repository: TENON_TEST_DATA names their folder.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
DATA = pathlib.Path(os.environ.get("TENON_TEST_DATA", SOURCE / "../shared/data"))
sys.path[:0] = [str(SOURCE / "scripts")]
if not DATA.exists():
    print(f"SKIPPED: {DATA} is absent; set TENON_TEST_DATA to the folder of real weights and images", file=sys.stderr)
    sys.exit(77)
try:
    import safetensors_file
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)
import pictures


class RealWeights(unittest.TestCase):
    def classes(self, model, weights, images):
        """The best class of each image."""
        done = subprocess.run([PROGRAM, "--json", "--model", model, "--weights", weights, *map(str, images)],
                              check=True, capture_output=True)
        return [entry["top"][0] for entry in json.loads(done.stdout)["images"]]

    def test_photos_by_torchvisions_resnet18(self):
        photos = sorted((DATA / "imagenet/photos").iterdir())
        names = json.loads((DATA / "imagenet/class_names.json").read_text())
        golden, _ = safetensors_file.read(DATA / "imagenet/golden.safetensors")
        labels = sorted(golden["imagenet.labels"].tolist())
        found = self.classes("resnet18", DATA / "imagenet/resnet18_v15.safetensors", photos)
        right = sum(entry["class"] in labels for entry in found)
        print([names[entry["class"]] for entry in found], file=sys.stderr)
        self.assertGreaterEqual(right, 5)

    def test_cifar_images_by_networks_of_torch_mlperf_and_keras(self):
        golden, _ = safetensors_file.read(DATA / "cifar10/golden.safetensors")
        with tempfile.TemporaryDirectory() as folder:
            images = []
            for i, image in enumerate(golden["cifar.images_u8_nchw"]):
                images.append(pathlib.Path(folder) / f"{i:02}.png")
                pictures.write_png(images[-1], image)
            for model, weights, logits in (
                ("cifar_resnet20", "resnet20_v1", "akamaster_resnet20"),
                ("mlperf_tiny_resnet8", "resnet8_mlperf_tiny", "mlperf_resnet8"),
                ("keras_cifar_resnet20v2", "resnet20_v2_keras", "keras_resnet20v2"),
            ):
                found = self.classes(model, DATA / f"cifar10/{weights}.safetensors", images)
                expected = golden[f"{logits}.logits"]
                self.assertEqual([entry["class"] for entry in found], expected.argmax(1).tolist(), model)
                for entry, row in zip(found, expected.astype("float64"), strict=True):
                    probability = 1 / sum(2.718281828459045 ** (row - row.max()))
                    self.assertAlmostEqual(entry["probability"], probability, places=3, msg=model)


if __name__ == "__main__":
    unittest.main()
