#!/usr/bin/env python3
"""Writes examples/data/images/*.png: the first test image of each class of Fashion-MNIST.

    python3 examples/data/make_images.py [FOLDER]

FOLDER holds the data set (default: where Debian's package dataset-fashion-mnist puts it). Needs PIL (Debian: python3-pil).
"""
import gzip
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_images.py", PIL="pillow")

from PIL import Image  # noqa: E402

NAMES = ["t-shirt_top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"]
HEADER_BYTES = {"images": 16, "labels": 8}
SIDE = 28


def values(folder: pathlib.Path, kind: str) -> bytes:
    dimensions = {"images": 3, "labels": 1}[kind]
    with gzip.open(folder / f"t10k-{kind}-idx{dimensions}-ubyte.gz") as file:
        return file.read()[HEADER_BYTES[kind]:]


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    images, labels = values(folder, "images"), values(folder, "labels")
    target = pathlib.Path(__file__).parent / "images"
    target.mkdir(exist_ok=True)
    for label, name in enumerate(NAMES):
        start = labels.index(label) * SIDE * SIDE
        image = Image.frombytes("L", (SIDE, SIDE), images[start : start + SIDE * SIDE])
        image.save(target / f"{label}_{name}.png", optimize=True)


if __name__ == "__main__":
    main()
