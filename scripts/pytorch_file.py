"""Reads the files that torch.save writes, with numpy alone and without running anything a file says.

Such a file is a pickle whose tensors refer to storages: since PyTorch 1.6 both are members of a zip archive, before that
they follow each other in one stream. A pickle names the functions that build its objects. Only those that build tensors
and plain containers are known, and this file implements them; whatever else a pickle names becomes an Inert object.
(torch.load can't be used: version 1.13 with weights_only=True refuses checkpoints that contain a floating-point number, and
it ignores the argument pickle_module.)
"""
import collections
import pickle
import zipfile

import numpy

from safetensors_file import BFLOAT16

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_TYPE_OF_STORAGE = {
    "DoubleStorage": numpy.dtype("<f8"), "FloatStorage": numpy.dtype("<f4"), "HalfStorage": numpy.dtype("<f2"),
    "BFloat16Storage": BFLOAT16, "LongStorage": numpy.dtype("<i8"), "IntStorage": numpy.dtype("<i4"),
    "ShortStorage": numpy.dtype("<i2"), "CharStorage": numpy.dtype("i1"), "ByteStorage": numpy.dtype("u1"),
    "BoolStorage": numpy.dtype("?"), "ComplexFloatStorage": numpy.dtype("<c8"),
}


class FileError(Exception):
    """A file that can't be read; the text is a sentence."""


class UnreadTensor:
    """A tensor of a kind that isn't read; the text says which."""
    ndim = 1  # so not a single number beside the weights, as far as is known

    def __init__(self, text):
        self.text = text

    def __setstate__(self, state):  # a pickle doesn't change the text
        pass


class Inert:
    """A placeholder for an object of an unknown class: accepts whatever it is given and does nothing."""
    def __init__(self, *arguments, **options):
        pass

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    append = extend = add = __init__


def _tensor(storage, offset, size, stride, *rest):
    """A view of a storage; raises FileError if it reaches beyond the storage."""
    if isinstance(storage, UnreadTensor):
        return storage
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(number) is int and number >= 0 for number in numbers):
        raise FileError("a tensor has a malformed shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if 0 not in size and last >= len(storage):
        raise FileError(f"a tensor of shape {list(size)} reaches beyond its storage of {len(storage)} elements")
    if 0 in size:
        return numpy.empty(size, storage.dtype)
    steps = [step * storage.dtype.itemsize if n > 1 else 0 for n, step in zip(size, stride)]  # unused steps may be any
    return numpy.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


def _parameter(tensor, *rest):
    return tensor


_KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}


_BIG_ENDIAN = ("the file was written on a big-endian machine; torch.save(torch.load(path), other_path) on an ordinary machine "
               "turns it")
_UNREAD = {
    "_rebuild_sparse_tensor": "it is sparse, which isn't read; save it with to_dense()",
    "_rebuild_qtensor": "it is quantized, which isn't read; save it with dequantize()",
    "_rebuild_meta_tensor_no_storage": "it has no values, as it was on PyTorch's device meta",
}
# Types of storages whose elements have this many bytes and aren't read.
_SIZE_OF_UNREAD = {"ComplexDoubleStorage": 16, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4, "UntypedStorage": 1}


def _unread(name, arguments):
    """What the function `name` of PyTorch makes."""
    if name == "_rebuild_tensor_v3" and len(arguments) > 6 and isinstance(arguments[6], type):  # whose storage has no type
        return UnreadTensor(f"its values are of the type torch.{arguments[6].__name__}, which isn't read; save it with float()")
    return UnreadTensor(_UNREAD.get(name, f"it is of a kind that isn't read ({name})"))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, find_storage=None):
        # Texts of Python 2 are bytes, as are the numbers of numpy that it wrote, which are none.
        super().__init__(file, encoding="utf-8", errors="backslashreplace")
        self._find_storage = find_storage
        self.without_size = {}  # storages of unknown types, by their keys

    def find_class(self, module, name):
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return name  # not the type itself: a pickle may change the state of what it was given
        if module.startswith("torch") and name.startswith("_rebuild"):
            return lambda *arguments: _unread(name, arguments)
        return type(name, (Inert,), {"__module__": module})

    def persistent_load(self, identifier):
        if not isinstance(identifier, tuple) or len(identifier) < 2:
            raise FileError("a reference in the file is malformed")
        if identifier[0] == "module":  # a class, with its source text
            return identifier[1]
        if identifier[0] != "storage" or len(identifier) < 5 or not self._find_storage:
            raise FileError("a reference in the file is malformed")
        _, storage_type, key, _, count, *view = identifier
        if not isinstance(storage_type, str) or type(count) is not int or count < 0:
            raise FileError("a storage in the file is malformed")
        if storage_type in _TYPE_OF_STORAGE:
            return self._find_storage(_TYPE_OF_STORAGE[storage_type], str(key), count, *view)
        if storage_type in _SIZE_OF_UNREAD:  # a stream has it before others
            self._find_storage(numpy.dtype((numpy.void, _SIZE_OF_UNREAD[storage_type])), str(key), count, *view)
            return UnreadTensor(f"its storage, a torch.{storage_type}, is of a type that isn't read")
        return self.without_size.setdefault(
            str(key), UnreadTensor(f"its storage, a torch.{storage_type}, is of a type that isn't read"))


def _load_archive(path):
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise FileError("expected a zip archive that torch.save wrote, found one without data.pkl")
        folder = pickles[0].split("/")[0]
        if f"{folder}/constants.pkl" in names:
            raise FileError("expected a state_dict, found a TorchScript archive; save the model's state_dict() instead")
        if f"{folder}/byteorder" in names and archive.read(f"{folder}/byteorder") != b"little":
            raise FileError(_BIG_ENDIAN)
        storages = {}

        def find_storage(data_type, key, count, *view):
            name = f"{folder}/data/{key}"
            if name not in names:
                raise FileError(f"the archive lacks the storage {key!r}")
            size = archive.getinfo(name).file_size
            if size != count * data_type.itemsize:
                raise FileError(f"the storage {key!r} has {size} bytes, expected {count * data_type.itemsize}")
            if key not in storages:
                storages[key] = archive.read(name)
            return numpy.frombuffer(storages[key], data_type)

        with archive.open(pickles[0]) as file:
            return _Unpickler(file, find_storage).load()


def _name_of(value, content, depth=4):
    """The keys that lead to a value in dictionaries, such as `model.conv1.weight`; a question mark where there are none."""
    for key, item in content.items() if isinstance(content, dict) and depth > 0 else ():
        if item is value:
            return str(key)
        if (name := _name_of(value, item, depth - 1)) != "?":
            return f"{key}.{name}"
    return "?"


def _load_stream(path):
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if _Unpickler(file).load() != _MAGIC_NUMBER or _Unpickler(file).load() != _PROTOCOL_VERSION:
            raise FileError("expected a file that torch.save wrote, found another pickle")
        system = _Unpickler(file).load()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise FileError(_BIG_ENDIAN)
        storages = {}

        def find_storage(data_type, key, count, view=None):
            if key not in storages:  # filled below, since the content comes after the pickle
                if count * data_type.itemsize > size:
                    raise FileError(f"the file is truncated: a storage has {count} elements")
                storages[key] = numpy.zeros(count, data_type)
            if view is None:
                return storages[key]
            _, offset, length = view
            return storages[key][offset:offset + length]

        unpickler = _Unpickler(file, find_storage)
        content = unpickler.load()
        for key in map(str, _Unpickler(file).load()):
            if key in unpickler.without_size:  # so what follows it can't be found
                unread = unpickler.without_size[key]
                raise FileError(f"the tensor {_name_of(unread, content)!r}: {unread.text}")
            storage = storages.get(key)
            count = int.from_bytes(file.read(8), "little")
            if storage is None or count != len(storage):
                raise FileError(f"the storage {key!r} in the file is malformed")
            data = file.read(storage.nbytes)
            if len(data) != storage.nbytes:
                raise FileError("the file is truncated")
            storage[:] = numpy.frombuffer(data, storage.dtype)
            del storages[key]
        if storages:
            raise FileError("the file is truncated: storages are missing")
        return content


_FOREIGN = (
    (b"version https://git-lfs", "this is a Git LFS pointer, not the file itself; 'git lfs pull' gets the file"),
    (b"\x93NUMPY", "this is one array of NumPy (.npy)"),
    (b"\x1f\x8b\x08", "this file is compressed by gzip; unpack it first"),
    (b"BZh", "this file is compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "this file is compressed by xz; unpack it first"),
    (b"GGUF", "this is a GGUF file of a language model"),
    (b"\x89PNG", "this is an image"),
    (b"\xff\xd8\xff", "this is an image"),
)


def _foreign_kind(start):
    """What a file is that begins with these bytes and that torch.save can't have written; None if unknown. The same as in
    include/tenon/io/file_kind.hpp."""
    if not start:
        return "the file is empty"
    if int.from_bytes(start[:8], "little") < 1 << 32 and start[8:9] == b"{":
        return "this is a safetensors file, which needs no conversion"
    if start.startswith(b"\x80"):  # a pickle
        return None
    for signature, kind in _FOREIGN:
        if start.startswith(signature):
            return kind
    if start[257:262] == b"ustar":
        return "this is a tar archive; unpack it, and give one of its files"
    if start[:1] == b"\x08" and start[1:2] < b" " and start[2:3] in b"\x12\x1a\x22\x28\x32\x3a\x42\x72":
        return "this is an ONNX file, which tenon writes but doesn't read as weights"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "this is an HTML or XML page, as a failed download leaves it"
    if text.startswith((b"{", b"[")):
        return "this is JSON text, not a file of tensors"
    return None


def load(path):
    """What torch.save was given, with tensors as numpy arrays (bfloat16 as BFLOAT16); FileError if that can't be read."""
    try:
        with open(path, "rb") as file:
            start = file.read(512)
        is_archive = start.startswith(b"PK\3\4")
        kind = None if is_archive else _foreign_kind(start)
        if kind:
            raise FileError("expected a file that torch.save wrote: " + kind)
        return _load_archive(path) if is_archive else _load_stream(path)
    except FileError:
        raise
    except Exception as error:  # a pickle can make its reader throw anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(f"expected a file that torch.save wrote: {reason}") from error
