"""What the tests of scripts/convert_weights.py share: running it, and a reader of safetensors files that is not the
project's own."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "convert_weights.py"
SKIPPED = 77


def skip(missing):
    print(f"SKIPPED: {sys.executable}: {missing}")
    sys.exit(SKIPPED)


try:
    import numpy
except ImportError as error:
    skip(error)


def run(source, output, *options):
    return subprocess.run([sys.executable, "-B", SCRIPT, source, output, *options], capture_output=True, text=True)


class ConverterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def convert(self, source, *options):
        """The tensors and the metadata that come out; what is said on stderr is in self.stderr."""
        output = self.folder / "out.safetensors"
        result = run(source, output, *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.stdout, self.stderr = result.stdout, result.stderr
        self.assertEqual([path.name for path in self.folder.glob("out*")], ["out.safetensors"])
        return read(output)

    def assert_refused(self, source, sentence, *options):
        """Exit status 2, one line on stderr that holds `sentence`, and an old output file that is as it was."""
        output = self.folder / "old.safetensors"
        output.write_bytes(b"old")
        result = run(source, output, *options)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(sentence, result.stderr)
        self.assertTrue(result.stderr.startswith("convert_weights.py: "), result.stderr)
        self.assertEqual(output.read_bytes(), b"old")
        self.assertEqual([path.name for path in self.folder.glob("old*")], ["old.safetensors"])

    def assert_same(self, found, expected):
        """Bit by bit the same dtype, shape and values."""
        expected = numpy.asarray(expected)
        self.assertEqual(found.dtype, expected.dtype)
        self.assertEqual(found.shape, expected.shape)
        self.assertEqual(found.tobytes(), expected.tobytes())


def read(path):
    """name -> array (BF16 as uint16) and the metadata; fails at whatever the format forbids."""
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
             "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}

    def no_duplicates(pairs):
        assert len({key for key, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=no_duplicates)
        data = file.read()
    assert (8 + length) % 64 == 0, "the data is not aligned"
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(value, str) for value in metadata.values())
    tensors, covered = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        assert begin == covered and end <= len(data), name
        covered = end
        array = numpy.frombuffer(data[begin:end], kinds[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    assert covered == len(data), "there is more data than tensors"
    return tensors, metadata
