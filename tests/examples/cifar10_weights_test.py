"""The weights in examples/data/cifar10.safetensors: classify's answers with them are those of an independent forward pass in
NumPy, and their accuracy on photos that train_cifar10 held out and on test photos is what the page beside them says.

    python3 cifar10_weights_test.py PROGRAM SOURCE_FOLDER

The photos are no part of the repository (TENON_TEST_DATA names their folder), the pictures of the first test are drawn.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
DATA = pathlib.Path(os.environ.get("TENON_TEST_DATA", SOURCE / "../shared/data")) / "cifar10"
sys.path[:0] = [str(SOURCE / "scripts"), str(SOURCE / "tests/parity/oracles")]
try:
    import numpy
    import safetensors_file
    import seeded
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)
import pictures

WEIGHTS = SOURCE / "examples/data/cifar10.safetensors"
MEAN = numpy.array([0.49139968, 0.48215841, 0.44653091])[:, None, None]
DEVIATION = numpy.array([0.24703223, 0.24348513, 0.26158784])[:, None, None]
SHEETS = 4  # of 1000 training images each


def forward(tensors, images):
    """The logits of Cifar10ResNet in double precision, written from its description in include/tenon/models."""

    def conv(x, name, padding):
        weight = tensors[f"{name}.weight"].astype("float64")
        x = numpy.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = numpy.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
        return numpy.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)

    def norm(x, name):
        scale, shift, mean, variance = (tensors[f"{name}.{part}"].astype("float64")[:, None, None]
                                        for part in ("weight", "bias", "running_mean", "running_var"))
        return (x - mean) / numpy.sqrt(variance + 1e-5) * scale + shift

    def relu(x):
        return numpy.maximum(x, 0)

    x = relu(conv((images / 255 - MEAN) / DEVIATION, "stem.conv0", 0))
    for stage in ("stack0", "stack1", "stack2"):
        x = conv(x, f"{stage}.conv0", 1)
        rows, columns = x.shape[2] // 2, x.shape[3] // 2
        x = x[:, :, :2 * rows, :2 * columns].reshape(*x.shape[:2], rows, 2, columns, 2).max((3, 5))
        x = relu(norm(x, f"{stage}.norm0"))
        body = relu(norm(conv(x, f"{stage}.block0.body.conv0", 1), f"{stage}.block0.body.norm0"))
        x = relu(x + norm(conv(body, f"{stage}.block0.body.conv1", 1), f"{stage}.block0.body.norm1"))
    return x.max((2, 3)) / 8 @ tensors["head.linear0.weight"].T.astype("float64") + tensors["head.linear0.bias"]


def classify(images):
    """The probabilities that classify prints for images [count, 3, 32, 32]."""
    with tempfile.TemporaryDirectory() as folder:
        for i, image in enumerate(images):
            pictures.write_png(pathlib.Path(folder) / f"{i:05}.png", image)
        done = subprocess.run([PROGRAM, "--json", "--top", "10", "--model", "cifar10", folder], check=True, capture_output=True)
    answers = json.loads(done.stdout)["images"]
    result = numpy.zeros((len(images), 10))
    for row, answer in zip(result, answers, strict=True):
        for entry in answer["top"]:
            row[entry["class"]] = entry["probability"]
    return result


def drawn(count):
    """Pictures of smooth blobs in all colours, so that answers differ."""
    coarse = seeded.uniform(seeded.random_bits(7, seeded.hash_name("blobs"), count * 3 * 16), 0, 255).reshape(count, 3, 4, 4)
    fine = seeded.uniform(seeded.random_bits(8, seeded.hash_name("noise"), count * 3 * 1024), -25, 25).reshape(count, 3, 32, 32)
    return numpy.clip(coarse.repeat(8, 2).repeat(8, 3) + fine, 0, 255).astype("uint8")


def held_out():
    """Which training images train_cifar10 holds out: tenon::split of 50,000 into 45,000 and 5,000 with the seed 0."""
    count, chosen = 50000, 5000
    bits = seeded.random_bits(0, seeded.hash_name("validation"), count + 1)
    order = list(range(count))
    for i in range(count, 1, -1):
        j = ((int(bits[i]) >> 32) * i) >> 32
        order[i - 1], order[j] = order[j], order[i - 1]
    return sorted(order[:chosen])


class Weights(unittest.TestCase):
    def need(self, *files):
        for file in files:
            if not file.exists():
                print(f"SKIPPED: {file} is absent; set TENON_TEST_DATA to the folder of real weights and images", file=sys.stderr)
                self.skipTest("a file is absent")

    def expect_accuracy(self, probabilities, labels, least):
        right = int((probabilities.argmax(1) == labels).sum())
        print(f"{right} of {len(labels)} right", file=sys.stderr)
        self.assertGreaterEqual(right, least * len(labels))

    def test_answers_are_those_of_an_independent_forward_pass(self):
        images = drawn(24)
        tensors, _ = safetensors_file.read(WEIGHTS)
        logits = forward(tensors, images.astype("float64"))
        expected = numpy.exp(logits - logits.max(1, keepdims=True))
        expected /= expected.sum(1, keepdims=True)
        self.assertGreaterEqual(len(set(expected.argmax(1))), 4)  # else the comparison says little
        self.assertLess(abs(classify(images) - expected).max(), 1e-4)

    def test_test_photos(self):
        golden = DATA / "golden.safetensors"
        self.need(golden)
        tensors, _ = safetensors_file.read(golden)
        self.expect_accuracy(classify(tensors["cifar.images_u8_nchw"]), tensors["cifar.labels"], 13 / 16)

    def test_held_out_photos(self):
        sheets = [DATA / f"train/sheet_{i:02}.png" for i in range(SHEETS)]
        self.need(*sheets, DATA / "train/labels.bin")
        chosen = [i for i in held_out() if i < 1000 * SHEETS]
        images = numpy.concatenate([pictures.read_png(sheet) for sheet in sheets]).reshape(-1, 32, 32, 3)
        labels = numpy.fromfile(DATA / "train/labels.bin", "uint8")
        # 93.14 % of all 5,000 are right; that is 3 standard deviations of a share of 400 below.
        self.expect_accuracy(classify(images[chosen].transpose(0, 3, 1, 2)), labels[chosen], 0.893)


if __name__ == "__main__":
    unittest.main()
