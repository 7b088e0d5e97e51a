"""scripts/convert_weights.py on two small PyTorch files of the repository; needs numpy alone."""
import pathlib
import unittest

from support import ConverterTest, numpy

FILES = pathlib.Path(__file__).resolve().parent / "files"
CHECKPOINTS = FILES.parents[1] / "io" / "files"


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

    def test_checkpoints(self):
        """The state_dict is written, whatever lies beside it, tensors too; what is left out is said."""
        weight = numpy.arange(4, dtype="f4").reshape(2, 2) / 4 - 1
        tensors, _ = self.convert(CHECKPOINTS / "imagenet.pth")
        self.assertEqual(list(tensors), ["module.a.weight", "module.a.bias"])
        self.assert_same(tensors["module.a.weight"], weight)
        self.assertEqual(self.stderr, "convert_weights.py: left out, as they are not among the weights under 'state_dict': "
                                      "'epoch', 'arch', 'best_acc1', 'optimizer', 'scheduler'\n")
        tensors, _ = self.convert(CHECKPOINTS / "beside.pth")
        self.assertEqual(list(tensors), ["a.weight"])
        self.assertIn("'a.note' is left out: it is no tensor but str", self.stderr)
        # Averaged weights come first, as timm has it; --key decides.
        tensors, _ = self.convert(CHECKPOINTS / "timm.pth")
        average = tensors["conv1.weight"]
        self.assertIn("the weights under 'state_dict_ema' are taken; --key takes those under 'state_dict'\n", self.stderr)
        tensors, _ = self.convert(CHECKPOINTS / "timm.pth", "--key", "state_dict_ema")
        self.assert_same(tensors["conv1.weight"], average)
        self.convert(CHECKPOINTS / "timm.pth", "--key", "state_dict")
        self.assert_refused(CHECKPOINTS / "timm.pth", "state_dicts are under: 'state_dict', 'state_dict_ema'", "--key", "optimizer")
        # The counter of averaged models has no prefix and is no weight.
        tensors, _ = self.convert(CHECKPOINTS / "torchvision_reference.pth", "--key", "model_ema", "--strip", "module.")
        self.assertEqual(len(tensors), 5)
        self.assertIn("conv1.weight", tensors)
        self.assertIn("'n_averaged' is left out", self.stderr)
        self.assert_refused(CHECKPOINTS / "compiled.pth", "expected every name to begin with it", "--strip", "module.")

    def test_what_torch_save_did_not_write_is_named(self):
        for content, kind in ((b"version https://git-lfs.github.com/spec/v1\n", "this is a Git LFS pointer"),
                              (b"\x7f\x1f\0\0\0\0\0\0{", "this is a safetensors file, which needs no conversion"),
                              (b"\x80\x02\0\0\0\0\0\0{", "this is a safetensors file, which needs no conversion"),
                              (b"\x08\x07\x12\x00", "this is an ONNX file"), (b"", "the file is empty"),
                              (b"\xef\xbb\xbf\n <!DOCTYPE html>", "this is an HTML or XML page"),
                              (b'{"weight_map": {}}', "this is JSON text"), (b"\x1f\x8b\x08\0", "this file is compressed by gzip"),
                              (257 * b"\0" + b"ustar", "this is a tar archive"), (b"\x93NUMPY\1\0", "this is one array of NumPy")):
            path = self.folder / "weights.pth"
            path.write_bytes(content)
            with self.subTest(kind):
                self.assert_refused(path, "weights.pth: expected a file that torch.save wrote: " + kind)

    def test_networks_and_tensors_that_are_not_read_are_named(self):
        for name, said in (("module.pth", "found an object of type Linear"), ("module_stream.pth", "found an object of type Net"),
                           ("module_inside.pth", "found no tensors but single numbers; its keys are: 'model', 'best'; 'model' is an "
                                                 "object of type Linear; save its state_dict() instead"),
                           ("sparse.pth", "the tensor 'a.weight': it is sparse, which isn't read; save it with to_dense()"),
                           ("sparse_only.pth", "'a.weight': it is sparse"),
                           ("quantized.pth", "'a.weight': it is quantized, which isn't read"),
                           ("float8.pth", "'a.scale': its values are of the type torch.float8_e4m3fn, which isn't read"),
                           ("float8_stream.pth", "'a.scale': its values are of the type torch.float8_e4m3fn"),
                           ("bits_stream.pth", "'a.bits': its storage, a torch.BitStorage, is of a type that isn't read"),
                           ("bits_beside.pth", "'optimizer.a': its storage, a torch.BitStorage, is of a type that isn't read"),
                           ("without_values.pth", "'a.weight': it has no values"), ("big_endian.pth", "written on a big-endian machine")):
            with self.subTest(name):
                self.assert_refused(CHECKPOINTS / name, said)

    def test_values_of_another_type_beside_the_weights(self):
        tensors, _ = self.convert(CHECKPOINTS / "float8_beside.pth")
        self.assertEqual([array.shape for array in tensors.values()], [(2, 2)])

    def test_texts_of_python2_are_bytes(self):
        for name in ("python2.pth", "python2_checkpoint.pth"):
            tensors, _ = self.convert(CHECKPOINTS / name)
            self.assertEqual([array.shape for array in tensors.values()], [(2, 2)])

    def test_more_than_the_file_holds(self):
        self.assert_refused(CHECKPOINTS / "transposed_often.pth", "describes 1,638,400 bytes of tensors")
        # Steps of dimensions of size 1 don't matter, however large they are.
        tensors, _ = self.convert(CHECKPOINTS / "stride_overflow.pth")
        self.assertEqual([array.shape for array in tensors.values()], [(2, 1, 3)])

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
