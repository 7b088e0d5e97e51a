"""scripts/convert_weights.py on PyTorch files."""
import argparse
import collections
import os
import pickle
import unittest

from support import ConverterTest, numpy, run, skip

try:
    import torch
    import torchvision
except ImportError as error:
    skip(error)


class TorchTest(ConverterTest):
    def save(self, content, **options):
        path = self.folder / "in.pth"
        torch.save(content, path, **options)
        return path

    def test_state_dict_of_a_resnet18(self):
        torch.manual_seed(1)
        state = torchvision.models.resnet18().state_dict()
        tensors, metadata = self.convert(self.save(state), "--metadata", "licence=none", "--list")
        self.assertEqual(len(tensors), 122)
        self.assertEqual(set(tensors), set(state))
        for name, value in state.items():
            self.assert_same(tensors[name], value.numpy())
        self.assertEqual(tensors["conv1.weight"].shape, (64, 3, 7, 7))
        self.assertEqual(tensors["bn1.num_batches_tracked"].shape, ())
        self.assertEqual(metadata, {"source": "in.pth", "framework": "pytorch", "layout": "oihw", "licence": "none"})
        self.assertIn("conv1.weight [64, 3, 7, 7]\n", self.stdout)
        self.assertTrue(self.stdout.endswith("out.safetensors: 122 tensors, 11,699,132 elements\n"), self.stdout)
        self.assertEqual(self.stderr, "")

    def test_checkpoint_of_a_parallel_model(self):
        state = collections.OrderedDict({"module.a": torch.arange(3.0), "module.b": torch.tensor(2)})
        path = self.save({"epoch": 7, "best": 0.5, "state_dict": state, "optimizer": {"x": torch.ones(1)}})
        tensors, _ = self.convert(path)
        self.assertEqual(set(tensors), {"module.a", "module.b"})
        tensors, _ = self.convert(path, "--strip", "module.")
        self.assert_same(tensors["a"], numpy.array([0, 1, 2], numpy.float32))
        tensors, _ = self.convert(path, "--key", "optimizer")
        self.assertEqual(set(tensors), {"x"})
        self.assert_refused(path, "expected every name to begin with it, found 'module.a'", "--strip", "net.")
        self.assert_refused(path, "expected a state_dict under 'epoch'; state_dicts are under: 'state_dict', 'optimizer'",
                            "--key", "epoch")

    def test_every_type_of_number(self):
        state = {str(dtype): torch.tensor([[0, 1], [1, 3]]).to(dtype).t() for dtype in (
            torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
            torch.bool)}  # transposed, so not contiguous
        state["torch.bfloat16"] = torch.tensor([1.0, -1.5]).to(torch.bfloat16)
        state["empty"] = torch.zeros(2, 0)
        state["view"] = torch.arange(10.0)[3:5]
        tensors, _ = self.convert(self.save(state))
        for name, value in state.items():
            if name != "torch.bfloat16":
                self.assert_same(tensors[name], numpy.ascontiguousarray(value.numpy()))
        self.assert_same(tensors["torch.bfloat16"], numpy.array([0x3F80, 0xBFC0], numpy.uint16))

    def test_old_file_format(self):
        path = self.save({"a": torch.ones(2)}, _use_new_zipfile_serialization=False)
        self.assert_same(self.convert(path)[0]["a"], numpy.ones(2, numpy.float32))

    def test_what_is_no_tensor_is_left_out_and_said(self):
        tensors, _ = self.convert(self.save({"a": torch.ones(2), "version": 3}))
        self.assertEqual(set(tensors), {"a"})
        self.assertIn("'version' is left out", self.stderr)

    def test_no_code_is_run(self):
        marker = self.folder / "ran"

        class Hostile:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        for options in ({}, {"_use_new_zipfile_serialization": False}):
            tensors, _ = self.convert(self.save({"a": torch.ones(2), "b": Hostile(), "c": [Hostile()]}, **options))
            self.assertEqual(set(tensors), {"a"})
            self.assertIn("'b' is left out: it is no tensor but system\n", self.stderr)
            self.assert_refused(self.save(Hostile(), **options), "found an object of type system")
        path = self.folder / "hostile.pkl"
        path.write_bytes(pickle.dumps(Hostile()))
        self.assert_refused(path, "expected a file that torch.save wrote, found another pickle")
        self.assertFalse(marker.exists())

    def test_other_objects_in_a_checkpoint(self):
        state = {"a": torch.nn.Parameter(torch.ones(2))}
        path = self.save({"state_dict": state, "best": numpy.float64(0.5), "options": argparse.Namespace(x=[1]),
                          "history": collections.deque([1, 2]), "seen": {1, 2}})
        self.assertEqual(set(self.convert(path)[0]), {"a"})
        self.assertEqual(self.stderr, "convert_weights.py: left out, as they are not among the weights under 'state_dict': 'best', "
                                      "'options', 'history', 'seen'\n")
        self.assert_refused(self.save(torch.nn.Linear(2, 2)), "found an object of type Linear; save the model's state_dict()")

    def test_files_without_weights(self):
        self.assert_refused(self.folder / "absent.pth", "No such file or directory")
        self.assert_refused(self.folder, "Is a directory")
        self.assert_refused(self.save([torch.ones(1)]), "expected a state_dict or a checkpoint, found an object of type list")
        self.assert_refused(self.save({"epoch": 1}), "found no tensors; its keys are: 'epoch'")
        self.assert_refused(self.save({"a": {"x": torch.ones(1)}, "b": {"x": torch.ones(1)}}),
                            "choose one with --key: 'a', 'b'")
        self.assert_refused(self.save({"a": torch.ones(2, 2).to_sparse()}), "'a': it is sparse, which isn't read")
        whole = self.save({"a": torch.ones(1000)}).read_bytes()
        for name, content in {"empty": b"", "text": b"no weights", "cut": whole[:len(whole) // 2], "zip": b"PK\3\4"}.items():
            path = self.folder / name
            path.write_bytes(content)
            with self.subTest(name):
                self.assert_refused(path, f"{name}: ")

    def test_output_that_cannot_be_written(self):
        path = self.save({"a": torch.ones(1)})
        for output, reason in ((self.folder / "no" / "out", "No such file or directory"),
                               (self.folder, "it is a folder, pipe or device")):
            result = run(path, output)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{output} can't be written: {reason}\n", result.stderr)


if __name__ == "__main__":
    unittest.main()
