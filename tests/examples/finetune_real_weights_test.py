"""finetune with a real backbone: torchvision's resnet18 on 300 images of CIFAR-10, enlarged to 224 pixels.

    python3 finetune_real_weights_test.py PROGRAM SOURCE_FOLDER

The weights and images are no part of the repository: TENON_TEST_DATA names their folder.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
DATA = pathlib.Path(os.environ.get("TENON_TEST_DATA", SOURCE / "../shared/data"))
SHEET, LABELS = DATA / "cifar10/train/sheet_00.png", DATA / "cifar10/train/labels.bin"
WEIGHTS = DATA / "imagenet/resnet18_v15.safetensors"
for needed in (SHEET, LABELS, WEIGHTS):
    if not needed.exists():
        print(f"SKIPPED: {needed} is absent; set TENON_TEST_DATA to the folder of real weights and images", file=sys.stderr)
        sys.exit(77)
try:
    import numpy
except ImportError as missing:
    print(f"SKIPPED: {missing}", file=sys.stderr)
    sys.exit(77)
import pictures

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
EACH, HELD_OUT = 30, 0.3333
# 72 % are right where this was written; guessing gives 10 %. With 100 images the deviation of a share is 5 points.
LEAST = 0.5


def main():
    labels = numpy.fromfile(LABELS, "uint8")[:1000]
    images = pictures.read_png(SHEET).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for label, name in enumerate(NAMES):
            (folder / "photos" / name).mkdir(parents=True)
            for i in numpy.flatnonzero(labels == label)[:EACH]:
                pictures.write_png(folder / "photos" / name / f"{i:04}.png", images[i])
        done = subprocess.run([PROGRAM, "--data", folder / "photos", "--model", "resnet18", "--weights", WEIGHTS, "--hold-out",
                               str(HELD_OUT), "--output", folder / "out"], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)
        if done.returncode != 0:
            sys.exit(f"finetune ended with status {done.returncode}")
        right, of = map(int, re.search(r"\((\d+) of (\d+)\) of the validation photos", done.stdout).groups())
        if of != 100 or right < LEAST * of:
            sys.exit(f"expected at least {100 * LEAST:.0f} % of 100 validation photos, found {right} of {of}")


if __name__ == "__main__":
    main()
