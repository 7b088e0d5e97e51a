#!/usr/bin/env python3
"""Makes the safetensors files of this folder with the `safetensors` package (0.5.3; numpy 2.4.6).

    pip install safetensors==0.5.3 numpy && python3 make_files.py
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_files.py", numpy="numpy", safetensors="safetensors==0.5.3")

import numpy as np  # noqa: E402
from safetensors import serialize_file  # noqa: E402

FOLDER = Path(__file__).parent


def tensor(dtype, array):
    return {"dtype": dtype, "shape": list(array.shape), "data": array.astype(array.dtype.newbyteorder("<")).tobytes()}


def save(name, tensors, metadata=None):
    serialize_file(tensors, FOLDER / name, metadata)


# Every kind of element, a scalar, an empty tensor, and names and metadata that need escapes or more than ASCII.
kinds = {
    "boolean": tensor("bool", np.array([True, False, True])),
    "uint8": tensor("uint8", np.array([0, 1, 255], np.uint8)),
    "int8": tensor("int8", np.array([-128, 0, 127], np.int8)),
    "uint16": tensor("uint16", np.array([0, 65535], np.uint16)),
    "int16": tensor("int16", np.array([-32768, 32767], np.int16)),
    "uint32": tensor("uint32", np.array([0, 2**32 - 1], np.uint32)),
    "int32": tensor("int32", np.array([-(2**31), 2**31 - 1], np.int32)),
    "uint64": tensor("uint64", np.array([0, 2**64 - 1], np.uint64)),
    "int64": tensor("int64", np.array([-(2**63), 2**63 - 1], np.int64)),
    "float": tensor("float32", np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8),
    "double": tensor("float64", np.array([[0.1, -1e300]])),
    "scalar": tensor("float32", np.array(2.5, np.float32)),
    "empty": tensor("float32", np.zeros((2, 0, 3), np.float32)),
    'quote " backslash \\ tab \t': tensor("uint8", np.array([1], np.uint8)),
    "größe ☃ 𝄞": tensor("uint8", np.array([2], np.uint8)),
}
save("kinds.safetensors", kinds, {"line\nbreak": 'a "quoted" value, 𝄞'})

# The three other floating point formats, each beside the float32 values that numpy reads in them.
half = np.array([0.0, -0.0, 1.0, -1.5, 65504.0, 2.0**-14, 2.0**-24, -(2.0**-24) * 1023, np.inf, -np.inf, 1 / 3], np.float16)
brain = np.array([0x0000, 0x8000, 0x3F80, 0xBFC0, 0x7F7F, 0x0080, 0x0001, 0x7F80, 0xFF80, 0x3EAB], np.uint16)
double = np.array([0.0, -0.0, 1 / 3, -1e-45, 1e-50, 3.4028234e38, np.inf, -np.inf, 16777217.0])
save("floats.safetensors", {
    "half": tensor("float16", half),
    "half.float": tensor("float32", half.astype(np.float32)),
    "brain": tensor("bfloat16", brain),
    "brain.float": tensor("float32", (brain.astype(np.uint32) << 16).view(np.float32)),
    "double": tensor("float64", double),
    "double.float": tensor("float32", double.astype(np.float32)),
})

# No tensor at all.
save("nothing.safetensors", {})
