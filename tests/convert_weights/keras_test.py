"""scripts/convert_weights.py on Keras files, built here as Keras writes them."""
import contextlib
import io
import itertools
import json
import sys
import unittest
import zipfile

from support import SCRIPT, ConverterTest, numpy, run, skip

try:
    import h5py
except ImportError as error:
    skip(error)

sys.path.insert(0, str(SCRIPT.parent))
import convert_weights  # noqa: E402


def numbers(*shape):
    """An array whose elements are all different."""
    return numpy.arange(numpy.prod(shape, dtype=int), dtype=numpy.float32).reshape(shape) - 3


def write_legacy(group, layers, split=False):
    """layers: name -> {weight name -> array}."""
    names = [name.encode() for name in layers]
    if split:  # as Keras does where an attribute would exceed 64 kB
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:1], names[1:]
    else:
        group.attrs["layer_names"] = names
    for layer, weights in layers.items():
        subgroup = group.create_group(layer)
        subgroup.attrs["weight_names"] = [name.encode() for name in weights]
        for name, array in weights.items():
            subgroup.create_dataset(name, data=array)


class KerasTest(ConverterTest):
    def file(self, name="in.h5"):
        return h5py.File(self.folder / name, "w")

    LAYERS = {
        "input_1": {},
        "conv1": {"conv1/kernel:0": numbers(3, 2, 4, 5), "conv1/bias:0": numbers(5)},
        "bn": {f"bn/{name}:0": numbers(5) + i for i, name in enumerate(("gamma", "beta", "moving_mean", "moving_variance"))},
        "depthwise": {"depthwise/depthwise_kernel:0": numbers(3, 2, 4, 2)},
        "nested": {"nested/inner/kernel:0": numbers(2, 2, 1, 3)},
        "dense": {"dense/kernel:0": numbers(4, 3).astype(numpy.float64), "dense/bias:0": numbers(3).astype(numpy.float16)},
        "short": {"kernel": numbers(2, 3)},
        "embedding": {"embedding/embeddings:0": numbers(7, 2)},
    }

    def check_layers(self, tensors, transposed=True):
        layers = self.LAYERS
        self.assertEqual(set(tensors), {
            "conv1.kernel", "conv1.bias", "bn.gamma", "bn.beta", "bn.moving_mean", "bn.moving_variance",
            "depthwise.depthwise_kernel", "nested.inner.kernel", "dense.kernel", "dense.bias", "short.kernel",
            "embedding.embeddings"})
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            self.assert_same(tensors[f"bn.{name}"], layers["bn"][f"bn/{name}:0"])
        self.assert_same(tensors["embedding.embeddings"], layers["embedding"]["embedding/embeddings:0"])
        self.assert_same(tensors["dense.bias"], layers["dense"]["dense/bias:0"])
        kernel, found = layers["conv1"]["conv1/kernel:0"], tensors["conv1.kernel"]
        if not transposed:
            return self.assert_same(found, kernel)
        self.assertEqual(found.shape, (5, 4, 3, 2))
        for h, w, i, o in itertools.product(range(3), range(2), range(4), range(5)):
            self.assertEqual(found[o, i, h, w], kernel[h, w, i, o])
        depthwise, found = layers["depthwise"]["depthwise/depthwise_kernel:0"], tensors["depthwise.depthwise_kernel"]
        self.assertEqual(found.shape, (8, 1, 3, 2))
        for h, w, i, m in itertools.product(range(3), range(2), range(4), range(2)):
            self.assertEqual(found[i * 2 + m, 0, h, w], depthwise[h, w, i, m])
        dense, found = layers["dense"]["dense/kernel:0"], tensors["dense.kernel"]
        self.assertEqual(found.shape, (3, 4))
        self.assertEqual(found.dtype, numpy.float64)
        for i, o in itertools.product(range(4), range(3)):
            self.assertEqual(found[o, i], dense[i, o])
        self.assertEqual(tensors["nested.inner.kernel"].shape, (3, 1, 2, 2))

    def test_legacy_weights(self):
        with self.file() as file:
            write_legacy(file, self.LAYERS)
        tensors, metadata = self.convert(self.folder / "in.h5")
        self.check_layers(tensors)
        self.assertEqual(metadata, {"source": "in.h5", "framework": "keras", "layout": "oihw"})
        self.assertEqual(self.stderr, "")

    def test_layout_and_names_kept(self):
        with self.file() as file:
            write_legacy(file, self.LAYERS)
        tensors, metadata = self.convert(self.folder / "in.h5", "--layout", "keep")
        self.check_layers(tensors, transposed=False)
        self.assertEqual(metadata["layout"], "hwio")
        tensors, _ = self.convert(self.folder / "in.h5", "--names", "keep")
        self.assertEqual(set(tensors), {name if "/" in name else f"{layer}/{name}"
                                        for layer, weights in self.LAYERS.items() for name in weights})

    def test_slashed_names(self):
        with self.file() as file:
            write_legacy(file, self.LAYERS)
        tensors, _ = self.convert(self.folder / "in.h5", "--names", "slashed", "--layout", "keep")
        self.assert_same(tensors["conv1/kernel"], self.LAYERS["conv1"]["conv1/kernel:0"])
        self.assertIn("bn/moving_variance", tensors)
        self.assertIn("short/kernel", tensors)

    def test_legacy_model_with_split_attributes_and_optimizer(self):
        with self.file() as file:
            write_legacy(file.create_group("model_weights"), self.LAYERS, split=True)
            file.create_group("optimizer_weights").create_dataset("iterations:0", data=3)
        self.check_layers(self.convert(self.folder / "in.h5")[0])

    def write_new(self, file, named):
        """As Keras 3: groups are named by class, and since 3.9 know the layer's name."""
        def layer(path, name, *arrays):
            group = file.create_group(path).create_group("vars")
            if named and name:
                group.attrs["name"] = name
            for i, array in enumerate(arrays):
                group.create_dataset(str(i), data=array)

        layer("layers/conv2d", "stem", numbers(3, 2, 4, 5), numbers(5))
        layer("layers/conv2d_1", "next", numbers(1, 1, 5, 2))
        layer("layers/batch_normalization", "norm", *(numbers(5) + i for i in range(4)))
        layer("layers/functional/layers/dense", "head", numbers(4, 3), numbers(3))
        layer("layers/activation", "relu")
        layer("optimizer", None, numpy.array(7))

    def check_new(self, tensors, stem, following, norm, head):
        self.assertEqual(set(tensors), {
            f"{stem}.kernel", f"{stem}.bias", f"{following}.kernel", f"{norm}.gamma", f"{norm}.beta", f"{norm}.moving_mean",
            f"{norm}.moving_variance", f"{head}.kernel", f"{head}.bias"})
        self.assert_same(tensors[f"{norm}.moving_mean"], numbers(5) + 2)
        self.assert_same(tensors[f"{stem}.kernel"], numbers(3, 2, 4, 5).transpose(3, 2, 0, 1))
        self.assert_same(tensors[f"{head}.kernel"], numbers(4, 3).T)

    def test_new_weights(self):
        with self.file("in.weights.h5") as file:
            self.write_new(file, named=False)
        tensors, _ = self.convert(self.folder / "in.weights.h5")
        self.check_new(tensors, "conv2d", "conv2d_1", "batch_normalization", "functional.dense")
        self.assertEqual(self.stderr, "")
        tensors, _ = self.convert(self.folder / "in.weights.h5", "--names", "keep")
        self.assertIn("layers/functional/layers/dense/vars/0", tensors)

    def test_new_weights_with_layer_names(self):
        with self.file("in.weights.h5") as file:
            self.write_new(file, named=True)
        self.check_new(self.convert(self.folder / "in.weights.h5")[0], "stem", "next", "norm", "head")

    def test_keras_archive(self):
        with self.file("model.weights.h5") as file:
            self.write_new(file, named=True)
        with zipfile.ZipFile(self.folder / "in.keras", "w") as archive:
            archive.writestr("config.json", "{}")
            archive.write(self.folder / "model.weights.h5", "model.weights.h5")
        self.check_new(self.convert(self.folder / "in.keras")[0], "stem", "next", "norm", "head")

    def write_numbered(self, file, layers):
        """As Keras 3.0 to 3.8: layers (class, name, arrays) are numbered by class in their order; returns config.json."""
        counts, config = {}, []
        for kind, name, arrays in layers:
            number = counts[kind] = counts.get(kind, -1) + 1
            group = file.create_group(f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars")
            for i, array in enumerate(arrays):
                group[str(i)] = array
            keras_class = {"conv2d": "Conv2D", "batch_normalization": "BatchNormalization", "dense": "Dense"}[kind]
            config.append({"class_name": keras_class, "config": {"name": name}})
        return {"class_name": "Functional", "config": {"name": "model", "layers": config}}

    def test_keras_archive_without_names_in_the_weights(self):
        layers = [("conv2d", "stem", [numbers(1, 1, 2, 3)]), ("conv2d", "b", [numbers(1, 1, 3, 2)])]
        layers += [("batch_normalization", f"norm_{i}", [numbers(2) + 4 * i + k for k in range(4)]) for i in range(11)]
        layers += [("dense", "top", [numbers(3, 2), numbers(2)])]
        with self.file("model.weights.h5") as file:
            config = self.write_numbered(file, layers)
            config["config"]["layers"].append({**self.write_numbered(file.create_group("layers/functional"), layers[:1]),
                                               "class_name": "Functional"})
        with zipfile.ZipFile(self.folder / "in.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.write(self.folder / "model.weights.h5", "model.weights.h5")
        # A model in a model keeps its layers' names too; here they are the same, so one of them is renamed.
        config["config"]["layers"][-1]["config"]["layers"][0]["config"]["name"] = "inner"
        with zipfile.ZipFile(self.folder / "other.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.write(self.folder / "model.weights.h5", "model.weights.h5")
        self.assert_refused(self.folder / "in.keras", "two tensors would be named 'stem.kernel'")
        tensors, _ = self.convert(self.folder / "other.keras")
        self.assertEqual(self.stderr, "")
        self.assert_same(tensors["stem.kernel"], numbers(1, 1, 2, 3).transpose(3, 2, 0, 1))
        self.assert_same(tensors["inner.kernel"], numbers(1, 1, 2, 3).transpose(3, 2, 0, 1))
        self.assert_same(tensors["b.kernel"], numbers(1, 1, 3, 2).transpose(3, 2, 0, 1))
        for i in range(11):  # 10 after 9
            self.assert_same(tensors[f"norm_{i}.moving_mean"], numbers(2) + 4 * i + 2)
        self.assert_same(tensors["top.kernel"], numbers(3, 2).T)

        for text, sentence in (("{", "config.json in the file is not JSON"),
                               ('{"config": {"layers": [{"class_name": "Conv2D"}]}}', "expected layers with a class_name")):
            with zipfile.ZipFile(self.folder / "in.keras", "w") as archive:
                archive.writestr("config.json", text)
                archive.write(self.folder / "model.weights.h5", "model.weights.h5")
            self.assert_refused(self.folder / "in.keras", sentence)

    @staticmethod
    def resnet50v2(filters=64):
        """Layers of keras.applications.ResNet50V2 in the order of model.layers, each kernel and norm with values of its
        own. (tests/parity compares with Keras' own files.)"""
        count = itertools.count()

        def conv(name, size, channels, outputs):  # all elements are the same, so that files stay small
            array = numpy.broadcast_to(numpy.float32(next(count)), (size, size, channels, outputs))
            return "conv2d", name, [array]

        def norm(name, channels):
            value = next(count)
            return "batch_normalization", name, [numpy.full(channels, value + part / 8, numpy.float32) for part in range(4)]

        layers, channels = [conv("conv1_conv", 7, 3, filters)], filters
        for stage, blocks in enumerate((3, 4, 6, 3)):
            width = filters << stage
            for block in range(blocks):
                name = f"conv{stage + 2}_block{block + 1}_"
                layers += [norm(name + "preact_bn", channels), conv(name + "1_conv", 1, channels, width),
                           norm(name + "1_bn", width), conv(name + "2_conv", 3, width, width), norm(name + "2_bn", width)]
                if block == 0:
                    layers.append(conv(name + "0_conv", 1, channels, 4 * width))
                layers.append(conv(name + "3_conv", 1, width, 4 * width))
                channels = 4 * width
        return [*layers, norm("post_bn", channels), ("dense", "predictions", [numbers(channels, 2), numbers(2)])]

    def test_numbered_layers_of_a_resnet_are_recognised(self):
        layers = self.resnet50v2()
        with self.file("in.weights.h5") as file:
            self.write_numbered(file, layers)
        tensors, _ = self.convert(self.folder / "in.weights.h5", "--layout", "keep", "--names", "slashed")
        self.assertIn("by number and shape they are those of keras.applications' ResNet50V2, whose names", self.stderr)
        roles = {"conv2d": ["kernel"], "batch_normalization": ["gamma", "beta", "moving_mean", "moving_variance"],
                 "dense": ["kernel", "bias"]}
        expected = {f"{name}/{role}": array for kind, name, arrays in layers
                    for role, array in zip(roles[kind], arrays, strict=True)}
        self.assertEqual(set(tensors), set(expected))
        for name, array in expected.items():
            self.assertEqual(tensors[name].shape, array.shape, name)
            self.assertTrue((tensors[name] == array).all(), name)

    def test_what_is_recognised_and_what_not(self):
        """By shapes alone, without files of a hundred megabytes."""
        def names(layers):
            counts, groups, expected = {}, {}, {}
            for kind, name, arrays in layers:
                number = counts[kind] = counts.get(kind, -1) + 1
                path = ("layers", f"{kind}_{number}" if number else kind)
                groups[path], expected[path] = [array.shape for array in arrays], name
            with contextlib.redirect_stderr(io.StringIO()):
                return convert_weights.recognised_names(groups), expected

        layers = self.resnet50v2()
        for whole in (layers, layers[:-1]):  # with and without the top
            found, expected = names(whole)
            self.assertEqual(found, expected)
        for other in (self.resnet50v2(filters=32), layers[1:], [*layers, layers[-1]],
                      [*layers, ("conv2d", "more", [numbers(1, 1, 2, 2)])]):
            self.assertEqual(names(other)[0], {})

        # Keras' ResNet20v2 for CIFAR: projections are made after a block's last convolution and stored before it.
        convs = [(3, 3, 3, 16)]
        order = [0]
        for stage, (inputs, width, outputs) in enumerate(((16, 16, 64), (64, 64, 128), (128, 128, 256))):
            convs += [(1, 1, inputs, width), (3, 3, width, width), (1, 1, inputs, outputs), (1, 1, width, outputs)]
            convs += [(1, 1, outputs, width), (3, 3, width, width), (1, 1, width, outputs)]
            order += [7 * stage + i for i in (1, 2, 4, 3, 5, 6, 7)]
        layers = [("conv2d", f"conv2d_{i}" if i else "conv2d", [numpy.zeros(shape)]) for i, shape in zip(order, convs)]
        layers += [("batch_normalization", f"batch_normalization_{i}" if i else "batch_normalization", [numbers(2)] * 4)
                   for i in range(19)] + [("dense", "dense", [numbers(256, 10), numbers(10)])]
        found, expected = names(layers)
        self.assertEqual(found, expected)
        self.assertEqual(convert_weights.recognised_names({("layers", "functional", "layers", "conv2d"): [(7, 7, 3, 64)]}), {})

    def test_variables_nobody_can_name(self):
        with self.file() as file:
            group = file.create_group("layers/my_layer/vars")
            for i in range(12):
                group.create_dataset(str(i), data=numbers(2, 3) + i)
            file.create_group("layers/batch_normalization_3/vars")["0"] = numbers(2)
        tensors, _ = self.convert(self.folder / "in.h5")
        self.assertEqual(set(tensors), {f"my_layer.vars.{i}" for i in range(12)} | {"batch_normalization_3.vars.0"})
        self.assert_same(tensors["my_layer.vars.10"], numbers(2, 3) + 10)  # neither reordered nor transposed
        self.assertIn("the variables of 'layers/my_layer' are numbered", self.stderr)

    def test_bfloat16(self):
        with self.file() as file:
            dataset = file.create_group("layers/dense/vars").create_dataset(
                "0", data=numpy.array([[0x3F80, 0xBFC0]], "<u2").view("V2"))
            dataset.attrs["dtype"] = "bfloat16"
        tensors, _ = self.convert(self.folder / "in.h5")
        self.assert_same(tensors["dense.kernel"], numpy.array([[0x3F80], [0xBFC0]], numpy.uint16))

    def test_files_that_are_refused(self):
        def refused(sentence, write, *options):
            with self.file() as file:
                write(file)
            with self.subTest(sentence):
                self.assert_refused(self.folder / "in.h5", sentence, *options)

        def twice(file):
            write_legacy(file, {"a": {"x/kernel:0": numbers(2)}, "b": {"x/kernel:0": numbers(2)}})

        def lost(file):
            write_legacy(file, {"a": {"a/kernel:0": numbers(2)}})
            del file["a/a/kernel:0"]

        def group_for_data(file):
            write_legacy(file, {"a": {"a/kernel:0": numbers(2)}})
            file["a"].attrs["weight_names"] = [b"a"]

        def linked(file):
            write_legacy(file, {"a": {"a/kernel:0": numbers(2)}})
            del file["a/a/kernel:0"]
            file["a/a/kernel:0"] = h5py.ExternalLink("/etc/other.h5", "/secret")

        def external(file):
            file.create_group("layers/dense/vars").create_dataset("0", (1, 2), "f4", external=[("/etc/passwd", 0, 8)])

        refused("neither layer_names nor vars", lambda file: file.create_dataset("x", data=1))
        refused("neither layer_names nor vars", lambda file: file.create_group("layers/activation/vars"))
        refused("the file holds no tensors", lambda file: write_legacy(file, {"a": {}}))
        refused("two tensors would be named 'x.kernel'; try --names keep", twice)
        refused("expected 'a/kernel:0' in the group '/a' of the HDF5 file, found nothing", lost)
        refused("to be a dataset, found a group", group_for_data)
        refused("'a/kernel:0' in the HDF5 file is a link, which is not followed", linked)
        refused("'0' in the HDF5 file is stored in other files", external)
        refused("expected numbers", lambda file: write_legacy(file, {"a": {"a/x:0": numpy.array([b"text"])}}))

        whole = (self.folder / "in.h5").read_bytes()
        for size in (8, 100, len(whole) // 2):
            path = self.folder / "cut.h5"
            path.write_bytes(whole[:size])
            with self.subTest(size):
                self.assert_refused(path, "the HDF5 file can't be read")
        with zipfile.ZipFile(self.folder / "in.keras", "w") as archive:
            archive.writestr("model.weights.h5", b"no HDF5")
        self.assert_refused(self.folder / "in.keras", "the HDF5 file can't be read")

    def test_wrong_options(self):
        for options in (["--layout", "nchw"], ["--metadata", "text"], ["--unknown"]):
            with self.subTest(options):
                result = run(self.folder / "in.h5", self.folder / "out", *options)
                self.assertEqual(result.returncode, 2)
                self.assertIn("error: ", result.stderr)


if __name__ == "__main__":
    unittest.main()
