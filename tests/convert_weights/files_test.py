"""scripts/convert_weights.py on two small PyTorch files of the repository; needs numpy alone."""
import pathlib
import unittest

from support import ConverterTest, numpy

FILES = pathlib.Path(__file__).resolve().parent / "files"


class FilesTest(ConverterTest):
    def test_values(self):
        for name in ("archive.pth", "stream.pth"):
            with self.subTest(name):
                tensors, metadata = self.convert(FILES / name)
                self.assertEqual(len(tensors), 8)
                self.assert_same(tensors["conv.weight"], numpy.arange(8, dtype="f4").reshape(2, 1, 2, 2) / 4)
                self.assert_same(tensors["transposed"], numpy.array(
                    [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]], "f4"))
                self.assert_same(tensors["part"], numpy.array([5, 6], "f4"))
                self.assert_same(tensors["half"], numpy.array([1, -1.5], "f2"))
                self.assert_same(tensors["brain"], numpy.array([0x3F80, 0xBFC0], "u2"))
                self.assert_same(tensors["count"], numpy.array(7, "i8"))
                self.assert_same(tensors["empty"], numpy.zeros((0, 2), "f4"))
                self.assert_same(tensors["parameter"], numpy.ones(1, "f4"))
                self.assertEqual(metadata, {"source": name, "framework": "pytorch", "layout": "oihw"})

    def test_truncated_and_damaged_files(self):
        damaged = self.folder / "damaged.pth"
        for name in ("archive.pth", "stream.pth"):
            whole = (FILES / name).read_bytes()
            for size in [0, 3, 30, len(whole) // 3, len(whole) // 2, len(whole) - 1]:
                with self.subTest(name, size=size):
                    damaged.write_bytes(whole[:size])
                    self.assert_refused(damaged, f"{damaged}: ")
        # A tensor that reaches beyond its storage: the 12 elements of `transposed` begin at 0; K\\5 is the offset of `part`.
        stream = (FILES / "stream.pth").read_bytes()
        self.assertEqual(stream.count(b"K\x05K\x02\x85"), 1)
        damaged.write_bytes(stream.replace(b"K\x05K\x02\x85", b"K\x0bK\x02\x85"))
        self.assert_refused(damaged, "a tensor of shape [2] reaches beyond its storage of 12 elements")
        # One byte of an archive's data: the archive's checksum tells.
        archive = (FILES / "archive.pth").read_bytes()
        position = archive.index(numpy.arange(12, dtype="f4").tobytes())
        damaged.write_bytes(archive[:position] + b"x" + archive[position + 1:])
        self.assert_refused(damaged, "Bad CRC-32")


if __name__ == "__main__":
    unittest.main()
