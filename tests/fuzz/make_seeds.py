#!/usr/bin/python3
"""Writes the files that the fuzzers of checkpoints and of older .pth files begin with."""
import io
import pathlib
import pickletools
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_seeds.py", numpy="numpy")

import numpy  # noqa: E402
import safetensors_file  # noqa: E402

COUNTS = ("step", "skipped", "epoch", "batch", "fit_step", "fit_epoch", "fit_epochs", "batches", "epoch_correct",
          "epoch_images", "fit_open")
NUMBERS = ("fit_budget", "fit_seconds", "epoch_loss", "epoch_seconds", "learning_rate")


def main():
    for name, comma in (("points", "."), ("commas", ",")):
        metadata = {count: "1" for count in COUNTS} | {number: f"0{comma}25" for number in NUMBERS}
        metadata |= {"format": "tenon checkpoint 1", "checksum": "0", "schedule": f"constant 1{comma}000000",
                     "network": "1", "optimizer": f"sgd learning_rate=0{comma}1"}
        safetensors_file.write(HERE / "checkpoints" / f"{name}.safetensors",
                               {"history": numpy.ones((1, 10)), "parameters": numpy.ones(2, "f4")}, metadata)
    for path in ("io/files/python2.pth", "io/files/stream_checkpoint.pth", "convert_weights/files/stream.pth"):
        stream = io.BytesIO((HERE.parent / path).read_bytes())
        for _ in range(3):  # the number, the version, the machine
            list(pickletools.genops(stream))
        (HERE / "streams" / pathlib.Path(path).name).write_bytes(stream.read())
    # A string of Python 2 that is no UTF-8, in place of a state_dict: the error quotes it.
    (HERE / "streams/object_without_utf8").write_bytes(b"\x80\x02U\x04Caf\xe9.\x80\x02].")


if __name__ == "__main__":
    main()
