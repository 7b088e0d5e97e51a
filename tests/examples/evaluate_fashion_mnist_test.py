"""The accuracy of the weights in the repository, and the exit status of the example that measures it.

    python3 evaluate_fashion_mnist_test.py PROGRAM SOURCE_FOLDER
"""
import json
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import json_schema

PROGRAM, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)


def expect(condition, done):
    if not condition:
        sys.exit(f"{done.args}: status {done.returncode}\n{done.stdout}{done.stderr}")


def write_data(folder, images, labels):
    """Test images of the data set's format, 28 x 28 bytes each."""
    (folder / "t10k-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, len(images), 28, 28) + b"".join(images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + bytes(labels))


def check_embedding(folder):
    """Two kinds of images become two groups of points, in the marks of their classes: circles of class 0, squares of class 1."""
    noise = random.Random(1)
    labels = [0] * 14 + [1] * 10
    write_data(folder, [bytes(noise.randrange(30) + 200 * label for _ in range(784)) for label in labels], labels)
    plots = []
    for threads in ("1", "2"):
        done = run("--data", folder, "--minimum", "0", "--threads", threads, "--embedding", folder / "images.svg")
        expect(done.returncode == 0, done)
        plots.append((folder / "images.svg").read_text())
    expect(plots[0] == plots[1], done)
    colors, marks = {"circle": "#0072b2", "rect": "#d55e00"}, {"circle": [], "rect": []}
    for element in xml.etree.ElementTree.fromstring(plots[0]).iter():
        kind = element.tag.rpartition("}")[2]
        x, y = ("cx", "cy") if kind == "circle" else ("x", "y")
        if element.get("fill") == colors.get(kind, "none of them"):
            marks[kind].append(complex(float(element.get(x)), float(element.get(y))))
    legend = 1  # the last mark of each is the legend's
    expect([len(found) - legend for found in marks.values()] == [14, 10] and "24 test images by t-SNE" in plots[0], done)
    dark, bright = (found[:-legend] for found in marks.values())
    centers = [sum(group) / len(group) for group in (dark, bright)]
    spread = statistics.mean(abs(point - center) for group, center in zip((dark, bright), centers) for point in group)
    expect(abs(centers[0] - centers[1]) > 2 * spread, done)
    done = run("--data", folder, "--minimum", "0", "--embedding", folder / "none/images.svg")
    expect(done.returncode == 2 and "none/images.svg" in done.stderr, done)
    write_data(folder, [bytes(784)] * 3, labels[:3])
    done = run("--data", folder, "--minimum", "0", "--embedding", folder / "images.svg")
    expect(done.returncode == 2 and "--embedding: expected a data set with 4 or more images, found 3" in done.stderr, done)


def check_undefined_weights():
    """A program that has no option of the name leaves the library's in the sentence."""
    data = bytearray((SOURCE / "examples/data/fashion_mnist.safetensors").read_bytes())
    end = 8 + int.from_bytes(data[:8], "little")
    begin, _ = next(tensor["data_offsets"] for name, tensor in json.loads(data[8:end]).items() if name.endswith("fc.bias"))
    data[end + begin:end + begin + 4] = struct.pack("<f", float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "nan.safetensors"
        weights.write_bytes(data)
        done = run("--weights", weights)
        expect(done.returncode == 2 and "element 0 is NaN; LoadOptions::allow_undefined lets it pass" in done.stderr, done)


def main():
    done = run("--data", "/no/such/folder")
    expect(done.returncode == 2 and "No such file" in done.stderr and not done.stdout, done)
    done = run("--minimum", "2")
    expect(done.returncode == 2 and "--minimum" in done.stderr, done)
    done = run("--weights", SOURCE / "LICENSE")
    expect(done.returncode == 2 and "not a safetensors file" in done.stderr, done)
    check_undefined_weights()

    # Black images that all claim to be bags: whatever the network answers, one class is all right or all wrong.
    with tempfile.TemporaryDirectory() as folder:
        count = 250
        folder = pathlib.Path(folder)
        write_data(folder, [bytes(784)] * count, [8] * count)
        done = run("--data", folder, "--minimum", "0")
        expect(done.returncode == 0 and re.search(r"^Bag +(0|250) of +250$", done.stdout, re.M), done)
        found = run("--data", folder, "--minimum", "0", "--json")
        document = json_schema.parse(found.stdout)
        expect(found.returncode == 0 and (document["evaluated"], document["right"]) == (count, document["classes"][8]["right"])
               and document["accuracy"] == document["right"] / count and document["classes"][8]["name"] == "Bag", found)
        # With a label that the answer isn't, the accuracy is 0.
        write_data(folder, [bytes(784)] * count, [3 if "(250 of 250)" in done.stdout else 8] * count)
        done = run("--data", folder, "--minimum", "0.01")
        expect(done.returncode == 1 and "expected an accuracy of at least 1.00 %, found 0.00 %" in done.stderr, done)
        done = run("--data", folder, "--minimum", "0.01", "--json")
        expect(done.returncode == 1 and json_schema.parse(done.stdout)["accuracy"] == 0, done)
        check_embedding(folder)

    if not DATA.exists():
        print(f"SKIPPED: {DATA} is absent; Debian's package dataset-fashion-mnist has it.")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "report.html"
        done = run("--report", page)
        report = page.read_text()
        expect(all(f"<h2>{heading}</h2>" in report for heading in
                   ("Confusion matrix", "Classes", "Calibration", "Mistakes it was most sure of", "Repeat it")), done)
        accuracy = re.search(r"accuracy +(\S+) %", done.stdout)
        expect(accuracy and f"<b>{accuracy[1]} %</b><span>accuracy" in report, done)
    print(done.stdout, done.stderr)
    expect(done.returncode == 0 and re.search(r"of 10000\)$", done.stdout, re.M), done)


if __name__ == "__main__":
    main()
