#!/usr/bin/python3
"""Makes the two PyTorch files of this folder: one checkpoint, in the format since PyTorch 1.6 and in the one before.

Made with Debian's torch 1.13; tests/convert_weights/files_test.py knows the values.
"""
import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_files.py", torch="torch==2.2.2")

import torch  # noqa: E402

FOLDER = pathlib.Path(__file__).parent

shared = torch.arange(12.0)
checkpoint = {
    "epoch": 3,
    "best": 0.5,
    "options": collections.Counter(a=1),
    "state_dict": collections.OrderedDict({
        "conv.weight": torch.arange(8, dtype=torch.float32).reshape(2, 1, 2, 2) / 4,
        "transposed": shared.reshape(3, 4).t(),
        "part": shared[5:7],
        "half": torch.tensor([1.0, -1.5]).half(),
        "brain": torch.tensor([1.0, -1.5]).bfloat16(),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 2),
        "parameter": torch.nn.Parameter(torch.ones(1)),
    }),
}
torch.save(checkpoint, FOLDER / "archive.pth")
torch.save(checkpoint, FOLDER / "stream.pth", _use_new_zipfile_serialization=False)
