#!/usr/bin/python3
"""Writes the .pth and .npz files of tests/io/files with torch and numpy themselves (Debian's python3-torch)."""
import collections
import pathlib
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_archives.py", numpy="numpy<2", torch="torch==2.2.2")

import numpy  # noqa: E402
import torch  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def values(*shape, dtype=torch.float32):
    count = int(numpy.prod(shape))
    return (torch.arange(count, dtype=torch.float64) / 4 - 1).to(dtype).reshape(shape)


torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2)).eval().state_dict(), HERE / "layers.pth")
shared = values(4, 6)
torch.save(collections.OrderedDict(
    single=values(2, 3), double=values(2, 2, dtype=torch.float64), half=values(3, dtype=torch.float16),
    bfloat16=values(3, dtype=torch.bfloat16), scalar=torch.tensor(2.5), empty=values(0, 3),
    transposed=values(2, 3).t(), channels_last=values(1, 2, 2, 2).contiguous(memory_format=torch.channels_last),
    part=shared[1:3, 2:5], row=shared[2], number=torch.tensor(7)), HERE / "kinds.pth")
torch.save({"epoch": 3, "best": 91.5, "arch": "tiny", "state_dict": {"module.a.weight": values(2, 2)},
            "optimizer": {"lr": [0.1, 0.01]}}, HERE / "checkpoint.pth")
torch.save({"a.weight": values(2, 2)}, HERE / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(1, 1), HERE / "module.pth")
torch.save({"model": torch.nn.Linear(1, 1), "best": torch.tensor(3.0)}, HERE / "module_inside.pth")
torch.save({"a": values(1).expand(5)}, HERE / "expanded.pth")
torch.save({"a.weight": values(2, 3).to_sparse(), "a.bias": values(2)}, HERE / "sparse.pth")
torch.save({"epoch": 3, "state_dict": {"a.weight": values(2, 3).to_sparse_csr()}}, HERE / "sparse_only.pth")
torch.save({"a.weight": torch.quantize_per_tensor(values(2, 3), 0.25, 0, torch.qint8)}, HERE / "quantized.pth",
           _use_new_zipfile_serialization=False)
torch.save({"a.weight": torch.empty(2, 3, device="meta")}, HERE / "without_values.pth", _use_new_zipfile_serialization=False)
# As PyTorch writes it on a machine whose numbers begin with their highest byte.
torch.save({"a.weight": values(2, 3)}, HERE / "big_endian.pth")
with zipfile.ZipFile(HERE / "big_endian.pth") as little:
    entries = {name: little.read(name) for name in little.namelist()}
with zipfile.ZipFile(HERE / "big_endian.pth", "w") as big:
    for name, content in entries.items():
        if name.endswith("/byteorder"):
            content = b"big"
        elif "/data/" in name:
            content = numpy.frombuffer(content, "<f4").byteswap().tobytes()
        big.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
single = values(2, 3).numpy()
numpy.savez(HERE / "kinds.npz", **{"a/kernel": single, "double": single.astype("<f8"), "half": single.astype("<f2"),
                                   "column_major": numpy.asfortranarray(single), "scalar": numpy.float32(2.5),
                                   "number": numpy.int64(7)})
numpy.savez_compressed(HERE / "compressed.npz", a=single)
numpy.savez(HERE / "objects.npz", a=numpy.array([None]), allow_pickle=True)
numpy.savez(HERE / "big_endian.npz", a=single.astype(">f4"))
torch.save({"a.weight": single, "a.bias": numpy.float32(1)}, HERE / "numpy_values.pth")
with zipfile.ZipFile(HERE / "zipped.zip", "w") as outer:
    outer.writestr(zipfile.ZipInfo("weights/legacy.pth", (2020, 1, 1, 0, 0, 0)), (HERE / "legacy.pth").read_bytes())
