"""Reads and writes safetensors files with numpy alone, for the scripts that make or convert weights and golden data.

The format: an 8-byte little-endian header length, a JSON header that names each tensor's type, shape and byte range, and
then the tensors' bytes. The header is padded with spaces so that the data starts at a multiple of 64 bytes.
"""
import errno
import json
import os
import pathlib

import numpy

BFLOAT16 = numpy.dtype([("bfloat16", "<u2")])  # which numpy hasn't: the upper half of a float32

_TYPE_OF_NAME = {
    "F64": numpy.dtype("<f8"), "F32": numpy.dtype("<f4"), "F16": numpy.dtype("<f2"), "BF16": BFLOAT16,
    "I64": numpy.dtype("<i8"), "I32": numpy.dtype("<i4"), "I16": numpy.dtype("<i2"), "I8": numpy.dtype("i1"),
    "U64": numpy.dtype("<u8"), "U32": numpy.dtype("<u4"), "U16": numpy.dtype("<u2"), "U8": numpy.dtype("u1"),
    "C64": numpy.dtype("<c8"), "BOOL": numpy.dtype("?"),
}
_NAME_OF_TYPE = {data_type: name for name, data_type in _TYPE_OF_NAME.items()}


def encode(tensors, metadata=None):
    """The bytes of a safetensors file: the same tensors in the same order give the same bytes.

    tensors: a dict from name to array. Wider types come first (as the format's own writer does), so that every tensor
    is aligned to its element's size; within a type the dict's order is kept. metadata: a dict from text to text.
    """
    header = {}
    if metadata:
        for key, value in metadata.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(f"metadata maps text to text, but {key!r} maps to {value!r}")
        header["__metadata__"] = dict(metadata)
    parts = []
    offset = 0
    for name, array in sorted(tensors.items(), key=lambda item: -numpy.asarray(item[1]).dtype.itemsize):
        array = numpy.asarray(array)
        if name == "__metadata__":
            raise ValueError("a tensor can't be named '__metadata__'")
        data_type = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        if data_type not in _NAME_OF_TYPE:
            raise TypeError(f"tensor {name!r} has type {array.dtype}, which this writer doesn't know")
        data = array.astype(data_type, copy=False).tobytes(order="C")
        header[name] = {"dtype": _NAME_OF_TYPE[data_type], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def write(path, tensors, metadata=None):
    """Writes a file completely or not at all: into a temporary file next to it, which then replaces it."""
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a folder, pipe or device")
    part = path.with_name(path.name + ".part")
    data = encode(tensors, metadata)
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read(path):
    """The tensors of a file, as a dict from name to array in the header's order, and its metadata."""
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError(f"{path} is {len(data)} bytes long, too short for a safetensors header")
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {}) or {}  # null: none
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(data[8 + length + begin:8 + length + end], _TYPE_OF_NAME[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata
