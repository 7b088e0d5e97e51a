#!/usr/bin/env python3
"""Builds the files of docs/tutorial/03_own_photos.md, trains on a folder of drawn photos and asks the second program
what new ones show.

A block of the page after a line <!-- file: NAME --> is the file NAME.

usage: run_tutorial.py --compiler g++ --flags FILE [--lib ARGUMENT]... PAGE
"""

import argparse
import csv
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
import zlib

CLASSES = ("daisy", "rose", "tulip")


def png(label, generator):
    """A photo of its class's color with noise on it, as the bytes of a PNG file."""
    width, height = generator.randrange(70, 120), generator.randrange(70, 120)
    rows = bytearray()
    for _ in range(height):
        rows.append(0)
        noise = generator.randbytes(3 * width)
        rows += bytes(byte // 4 + (160 if i % 3 == label else 0) for i, byte in enumerate(noise))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(rows), 1)),
              (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)


def check(condition, what, text=""):
    if not condition:
        sys.exit(f"run_tutorial: {what}\n{text}")


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    check(done.returncode == 0, f"{command[0]} ended with {done.returncode}", done.stdout + done.stderr)
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", type=pathlib.Path, required=True, help="a file of compiler flags, one per line")
    parser.add_argument("--lib", action="append", default=[], help="an argument of the linker")
    parser.add_argument("page", type=pathlib.Path)
    arguments = parser.parse_args()
    files = re.findall(r"^<!-- file: (.*?) -->\n(?:<!-- .*? -->\n)*```cpp\n(.*?)^```$", arguments.page.read_text(),
                       re.MULTILINE | re.DOTALL)
    check(sorted(name for name, _ in files) == ["flowers.hpp", "tell.cpp", "train.cpp"], "the page has other files", str(files))

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, text in files:
            (folder / file).write_text(text)
        flags = arguments.flags.read_text().splitlines()
        for program in ("train", "tell"):
            run([arguments.compiler, *flags, "-O1", f"{program}.cpp", "-o", program, *arguments.lib], folder)

        generator = random.Random(1)
        for label, klass in enumerate(CLASSES):
            (folder / "photos" / klass).mkdir(parents=True)
            for i in range(20):
                (folder / "photos" / klass / f"{i}.png").write_bytes(png(label, generator))
        broken = folder / "photos" / "rose" / "7.png"
        broken.write_bytes(broken.read_bytes()[:300])
        for left in (".DS_Store", "._1.png", "Thumbs.db"):
            (folder / "photos" / "daisy" / left).write_bytes(b"left by another program")

        text = run(["./train", "photos"], folder)
        for line in ("daisy: 20 photos", "rose: 20 photos", "skipped: 1 .db, 2 hidden", "left out: photos/rose/7.png: ",
                     "epoch 12/12"):
            check(line in text, f"train does not print {line}", text)
        sizes = tuple(map(int, re.search(r"(\d+) photos to train with, (\d+) to validate on", text).groups()))
        check(sizes in ((47, 12), (48, 11)), f"train has parts of {sizes} photos", text)
        accuracy = float(re.search(r"([\d.]+) % of the photos held out are right", text)[1])
        check(accuracy >= 90, f"only {accuracy} % of the photos held out are right", text)

        trained = folder / "trained"
        for plot in ("curves.svg", "confusion.svg"):
            check(xml.etree.ElementTree.parse(trained / plot).getroot().tag == "{http://www.w3.org/2000/svg}svg", plot)
        check(set(CLASSES) <= set(re.findall(r">(\w+)<", (trained / "confusion.svg").read_text())), "confusion.svg has no names")
        epochs = len(list(csv.DictReader((trained / "log.csv").read_text().splitlines())))
        check(epochs == 12, f"log.csv has {epochs} epochs")
        content = (trained / "flowers.safetensors").read_bytes()
        header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
        check(json.loads(header["__metadata__"]["classes"]) == list(CLASSES), "the weights name other classes", str(header))
        onnx = (trained / "flowers.onnx").read_bytes()
        check(len(onnx) > len(content) // 2 and b"tulip" in onnx and b"output" in onnx, "flowers.onnx is no such network")
        check((trained / "run.checkpoint").stat().st_size > len(content), "there is no checkpoint")

        for label, klass in enumerate(CLASSES):
            (folder / f"new_{klass}.png").write_bytes(png(label, generator))
        text = run(["./tell", *(f"new_{klass}.png" for klass in CLASSES)], folder)
        found = re.findall(r"^new_(\w+)\.png: (\w+), \d+ %$", text, re.MULTILINE)
        check(found == [(klass, klass) for klass in CLASSES], "tell is wrong about new photos", text)
    print(f"{arguments.page}: trained on {sizes[0]} photos, {accuracy} % right, new ones told apart")


if __name__ == "__main__":
    main()
