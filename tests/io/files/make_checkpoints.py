#!/usr/bin/python3
"""Writes checkpoints of tests/io/files as torch.save does, without torch: modules of its names stand in for it, so that a
pickle names torch's functions. The other checkpoints in this folder were written by torch 2.15."""
import argparse
import collections
import datetime
import io
import pathlib
import pickle
import pickletools
import re
import struct
import sys
import types
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_checkpoints.py", numpy="numpy")

import numpy  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def stand_in(module, *names):
    """A module with classes of these names, which pickles name by it."""
    made = types.ModuleType(module)
    for name in names:
        setattr(made, name, type(name, (), {"__module__": module}))
    sys.modules[module] = made
    return made


torch = stand_in("torch", "FloatStorage", "BitStorage", "float8_e4m3fn", "device", "dtype", "Size")
untyped = stand_in("torch.storage", "UntypedStorage")
utils = stand_in("torch._utils")
tiny = stand_in("tiny", "Net")


def _rebuild_tensor_v2(*arguments):
    raise NotImplementedError


def _rebuild_tensor_v3(*arguments):
    raise NotImplementedError


def _rebuild_parameter(*arguments):
    raise NotImplementedError


for function in (_rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter):
    function.__module__ = "torch._utils"
    setattr(utils, function.__name__, function)


class Call:
    """What a pickle describes as a call of a function."""
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class Storage:
    def __init__(self, values, kind=torch.FloatStorage, dtype="<f4"):
        self.values, self.kind = numpy.asarray(values, dtype).reshape(-1), kind


def tensor(values, offset=0, strides=None, storage=None, shape=None):
    values = numpy.asarray(values, "<f4")
    shape = values.shape if shape is None else shape
    if strides is None:
        strides = tuple(int(numpy.prod(shape[i + 1:])) for i in range(len(shape)))
    return Call(_rebuild_tensor_v2, storage or Storage(values), offset, tuple(shape), strides, False,
                collections.OrderedDict())


def float8(values):
    """A tensor of a type without a class of storages: its bytes, and the type at the end."""
    storage = Storage(values, untyped.UntypedStorage, "u1")
    return Call(_rebuild_tensor_v3, storage, 0, (len(values),), (1,), False, collections.OrderedDict(), torch.float8_e4m3fn)


def parameter(values):
    return Call(_rebuild_parameter, values if isinstance(values, Call) else tensor(values), True, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def __init__(self, file, legacy):
        super().__init__(file, 2)
        self.storages, self.legacy, self.has_class = [], legacy, False

    def persistent_id(self, value):
        if self.legacy and value is tiny.Net and not self.has_class:  # the class of a module, with its source
            self.has_class = True
            return ("module", value, "tiny.py", "class Net(torch.nn.Module):\n    pass\n")
        if not isinstance(value, Storage):
            return None
        if value not in self.storages:
            self.storages.append(value)
        key = str(self.storages.index(value))
        more = (None,) if self.legacy else ()
        return ("storage", value.kind, key, "cpu", len(value.values), *more)


def dump(content, legacy=False):
    file = io.BytesIO()
    pickler = Pickler(file, legacy)
    pickler.dump(content)
    return file.getvalue(), pickler.storages


def save(name, content, **more):
    """A zip archive, as since PyTorch 1.6."""
    data, storages = dump(content)
    with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_STORED) as archive:
        def write(entry, content):
            archive.writestr(zipfile.ZipInfo(f"archive/{entry}", (2020, 1, 1, 0, 0, 0)), content)
        write("data.pkl", data)
        for key, storage in enumerate(storages):
            write(f"data/{key}", storage.values.tobytes())
        write("version", "3\n")
        for entry, data in more.items():
            write(entry.replace("_", "."), data)


def save_stream(name, pickled, storages):
    """One stream, as before PyTorch 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts += [pickled, pickle.dumps([str(key) for key in range(len(storages))], 2)]
    for storage in storages:
        parts += [struct.pack("<q", len(storage.values)), storage.values.tobytes()]
    (HERE / name).write_bytes(b"".join(parts))


values = numpy.arange(4, dtype="f4").reshape(2, 2) / 4 - 1
save("imagenet.pth", {
    "epoch": 90, "arch": "tiny", "state_dict": {"module.a.weight": tensor(values), "module.a.bias": tensor([1, 2])},
    "best_acc1": tensor(69.75), "optimizer": {"state": {0: {"momentum_buffer": tensor(values)}}, "param_groups": [{"lr": 0.1}]},
    "scheduler": {"last_epoch": 90}})
save("two.pth", {"state_dict": {"a": tensor([1])}, "state_dict_ema": {"a": tensor([2])}})
save("script.pth", {}, constants_pkl=b"\x80\x02).")
save("beside.pth", {
    "args": argparse.Namespace(lr=0.1, path=pathlib.PosixPath("/data"), when=datetime.datetime(2020, 1, 1)),
    "best": numpy.float64(93.5), "scores": numpy.arange(3), "size": Call(torch.Size, (2, 2)), "device": Call(torch.device, "cuda", 0),
    "counts": collections.defaultdict(list, {"a": [1]}), "set": {1, 2}, "frozen": frozenset([3]), "bytes": b"\xff\x00", "large": 2**100,
    "negative": -2**70, "complex": 1j, "type": int, "ema": {"decay": 0.999},
    "weights": collections.OrderedDict([("a.weight", parameter(values)), ("a.note", "text"), ("a.steps", 7)])})
save("transposed_often.pth", {  # 100 tensors of one storage, none of them in row-major order
    f"a{i}": tensor([], storage=storage, shape=(64, 64), strides=(1, 64))
    for storage in [Storage(numpy.zeros(64 * 64))] for i in range(100)})
save("dimensions.pth", {"a": tensor([7], shape=(1,) * 65, strides=(1,) * 65)})

# A stream that Python 2 wrote: texts are bytes, and an OrderedDict is made of a list of pairs.
pickled, storages = dump(tensor(values), legacy=True)
body = pickled[2:-1].replace(b"X\x07\x00\x00\x00storage", b"U\x07storage").replace(b"X\x03\x00\x00\x00cpu", b"U\x03cpu").replace(
    b"X\x01\x00\x00\x000", b"U\x010")
assert body.count(b"U") >= 3, body
save_stream("python2.pth", b"\x80\x02ccollections\nOrderedDict\n](](U\x08a.weight" + body + b"ee\x85R.", storages)


def of_python2(pickled):
    """The same with all texts as bytes, and numpy's numbers as bytes that aren't UTF-8."""
    operations = list(pickletools.genops(pickled))
    ends = [position for _, _, position in operations[1:]] + [len(pickled)]
    content = b"".join(b"U" + bytes([len(text)]) + text.encode("latin-1") if operation.name == "BINUNICODE" else pickled[begin:end]
                       for (operation, text, begin), end in zip(operations, ends))
    encoded = re.compile(rb"c_codecs\nencode\n.*?U\x06latin1(q.)?\x86(q.)?R", re.DOTALL)
    assert len(encoded.findall(content)) == 1
    return encoded.sub(lambda _: b"U\x08" + struct.pack("<d", 91.3), content)


pickled, storages = dump({"epoch": 3, "best_prec1": numpy.float64(91.3), "state_dict": {"module.a.weight": tensor(values)}}, legacy=True)
save_stream("python2_checkpoint.pth", of_python2(pickled), storages)
save_stream("module_stream.pth", *dump(tiny.Net(), legacy=True))
save_stream("stream_checkpoint.pth", *dump({"epoch": 3, "best_prec1": numpy.float64(91.25),
                                            "state_dict": collections.OrderedDict([("module.a.weight", tensor(values)),
                                                                                   ("module.a.bias", tensor([1, 2]))])}, legacy=True))
save("float8.pth", {"a.weight": tensor(values), "a.scale": parameter(float8([56, 64]))})
save_stream("float8_stream.pth", *dump({"a.weight": tensor(values), "a.scale": float8([56, 64])}, legacy=True))
save_stream("float8_beside.pth", *dump({"optimizer": {"a": float8([56, 64])}, "model": {"a.weight": tensor(values)}}, legacy=True))
save_stream("bits_stream.pth", *dump({"a.weight": tensor(values), "a.bits": tensor([], 0, (1,), Storage([1, 2], torch.BitStorage), (2,))},
                                     legacy=True))
save_stream("bits_beside.pth", *dump({"optimizer": {"a": tensor([], 0, (1,), Storage([1, 2], torch.BitStorage), (2,))},
                                      "model": {"a.weight": tensor(values)}}, legacy=True))
