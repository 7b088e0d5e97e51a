#!/usr/bin/env python3
"""Converts trained weights into a safetensors file, the format that tenon reads.

    scripts/convert_weights.py resnet18.pth resnet18.safetensors
    scripts/convert_weights.py resnet50v2.h5 resnet50v2.safetensors

Inputs, told apart by their content:
  PyTorch   a state_dict, or a checkpoint that holds one; no code in the file is run
  Keras     .h5 weights or model (Keras 1 and 2), .weights.h5 or .keras (Keras 2.12 and later)

Needs numpy, and h5py for Keras files; installs them into build/python where this Python lacks them. An error is reported as one
sentence, with exit status 2.
"""
import argparse
import io
import json
import pathlib
import re
import sys
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # which python -I leaves out

import python_packages  # noqa: E402

EPILOG = """\
layouts:
  oihw      convolution kernels [output, input, height, width] and dense kernels [output, input], as in PyTorch;
            depthwise kernels become [input * multiplier, 1, height, width]
  keep      as the input has them: Keras' are [height, width, input, output] and [input, output]
  Other tensors are never rearranged. A dense layer after a Flatten expects its inputs in the order of the framework that
  trained it; no layout changes that.

names of a Keras file:
  dotted    conv1/kernel:0 -> conv1.kernel. In newer files layers/conv2d/vars/0 becomes conv1.kernel where the layer's
            name is known: the file has it (since Keras 3.9, and any .keras), or the layers of a .weights.h5 of an older
            Keras are by number and shape those of a ResNet of Keras (which is said); else conv2d.kernel
  slashed   conv1/kernel:0 -> conv1/kernel: what tenon's Keras networks load, together with --layout keep
  keep      as they are in the file
"""

# The variables of a layer in the order in which Keras stores them, by the layer's class; newer files have no names. A
# BatchNormalization with 3 variables lacks gamma or beta, and one cannot tell which.
KERAS_VARIABLES = {
    r"(conv[123]d(_transpose)?|dense)": [["kernel"], ["kernel", "bias"]],
    r"depthwise_conv[12]d": [["depthwise_kernel"], ["depthwise_kernel", "bias"]],
    r"separable_conv[12]d": [["depthwise_kernel", "pointwise_kernel"], ["depthwise_kernel", "pointwise_kernel", "bias"]],
    r"batch_normalization": [["moving_mean", "moving_variance"], ["gamma", "beta", "moving_mean", "moving_variance"]],
}


class ConversionError(Exception):
    """Something that can't be converted; the text is a sentence."""


def say(text):
    print(f"convert_weights.py: {text}", file=sys.stderr)


notes = []  # what was chosen and left out, to be said when the file is written: what is refused is answered by one sentence


def note(text):
    notes.append(text)


def first_line(error):
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


# PyTorch


# Under which a checkpoint holds the weights, the first that it has: averaged ones before others, as timm reads them.
USUAL_KEYS = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model", "net", "params_ema",
              "params", "weights", "model_state", "network", "module", "model_weights")
SMALL = 1 << 20  # bytes that tensors may take beyond the file's size, for those whose elements are one value
AVERAGE_COUNTER = "n_averaged"  # of torch.optim.swa_utils.AveragedModel: how many models were averaged, not a weight


def read_torch(path, key):
    """The tensors of a PyTorch file: a dict from name to array. Says what else the file holds."""
    import numpy
    import pytorch_file
    try:
        content = pytorch_file.load(path)
    except pytorch_file.FileError as error:
        raise ConversionError(str(error)) from error
    weights = find_state_dict(content, key, (numpy.ndarray, pytorch_file.UnreadTensor))
    tensors = {}
    for name, value in weights.items():
        if isinstance(name, str) and isinstance(value, numpy.ndarray):
            tensors[name] = value
        elif isinstance(value, pytorch_file.UnreadTensor):
            raise ConversionError(f"the tensor {name!r}: {value.text}")
        else:
            note(f"{name!r} is left out: it is no tensor but {type(value).__name__}")
    described, size = sum(array.nbytes for array in tensors.values()), pathlib.Path(path).stat().st_size
    if described > size + SMALL:
        raise ConversionError(f"the file of {size:,} bytes describes {described:,} bytes of tensors, as many of them share their "
                              "elements; save clones of them")
    return tensors


def state_dicts(content, tensor_class, path="", depth=3):
    """The dictionaries in a file's content that map names to tensors, by the keys that lead there: `model.state_dict`."""
    found = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, dict):
            continue
        if any(isinstance(key, str) and isinstance(item, tensor_class) for key, item in value.items()):
            found[path + name] = value
        if depth > 1:
            found |= state_dicts(value, tensor_class, f"{path}{name}.", depth - 1)
    return found


def whole_network(checkpoint):
    """Says which entry of a checkpoint is a complete network instead of its state_dict; empty if none is."""
    import pytorch_file
    names = [name for name in USUAL_KEYS if isinstance(checkpoint.get(name), pytorch_file.Inert)]
    return f"; {names[0]!r} is an object of type {type(checkpoint[names[0]]).__name__}; save its state_dict() instead" if names else ""


def find_state_dict(content, key, tensor_class):
    """The part of a file's content that maps names to tensors; says what is left out beside it."""
    def count(value):
        return sum(isinstance(item, tensor_class) for item in value.values())

    def keys(names):
        return ", ".join(repr(name) for name in names[:10]) + (", ..." if len(names) > 10 else "") or "none"

    if not isinstance(content, dict):
        raise ConversionError("expected a state_dict or a checkpoint, found an object of type "
                              f"{type(content).__name__}; save the model's state_dict() instead")
    candidates = state_dicts(content, tensor_class)
    weights = [name for name in candidates if not name.startswith("optim")]  # an optimizer remembers tensors, too
    if key is not None:
        if key not in candidates:
            raise ConversionError(f"expected a state_dict under {key!r}; state_dicts are under: {keys(list(candidates))}")
    else:
        usual = [name for last in USUAL_KEYS for name in weights if name.split(".")[-1] == last]
        if usual:
            key = usual[0]
        elif weights and max(count(candidates[name]) for name in weights) > count(content):
            if len(weights) > 1:
                raise ConversionError(f"the checkpoint holds several state_dicts; choose one with --key: {keys(weights)}")
            key = weights[0]
        elif count(content) == 0:
            raise ConversionError("expected a state_dict or a checkpoint, found no tensors; its keys are: "
                                  f"{keys([str(name) for name in content])}{whole_network(content)}")
        elif not any(isinstance(value, tensor_class) and value.ndim > 0 for value in content.values()):
            raise ConversionError("expected a state_dict or a checkpoint, found no tensors but single numbers; its keys are: "
                                  f"{keys([str(name) for name in content])}{whole_network(content)}")
        else:
            return content
    others = [name for name in weights if name != key]
    beside = [str(name) for name in content if str(name) != key.split(".")[0] and str(name) not in others]
    if others:
        note(f"the weights under {key!r} are taken; --key takes those under {keys(others)}")
    if beside:
        note(f"left out, as they are not among the weights under {key!r}: {keys(beside)}")
    return candidates[key]


# Keras


def read_keras(file, names, layout, config=None):
    """The tensors of an HDF5 file (a path or a file object) that Keras wrote: a dict from name to array. `config` is the
    model's, if the file came with it."""
    python_packages.require("convert_weights.py", numpy="numpy", h5py="h5py")
    import h5py
    try:
        with h5py.File(file, "r") as root:
            weights = get_group(root, "model_weights", h5py) if "model_weights" in root else root
            if attribute(weights, "layer_names") is not None:
                variables = legacy_variables(weights, h5py)
            else:
                variables = vars_variables(root, layer_names(config) if config else {}, h5py)
            tensors = {}
            for stored_name, dotted_name, role, array in variables:
                name = {"keep": stored_name, "dotted": dotted_name, "slashed": dotted_name.replace(".", "/")}[names]
                if name in tensors:
                    raise ConversionError(f"two tensors would be named {name!r}; try --names keep")
                tensors[name] = array if layout == "keep" else to_oihw(role, array)
            return tensors
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # what h5py raises for a damaged file
        raise ConversionError(f"the HDF5 file can't be read: {first_line(error)}") from error


def get_item(group, name, kind, h5py):
    """A member of a group. Links that lead out of the file are refused: reading a weights file must not read other files."""
    item = group
    for part in name.split("/"):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise ConversionError(f"expected {name!r} in the group {group.name!r} of the HDF5 file, found nothing")
        if not isinstance(link, h5py.HardLink):
            raise ConversionError(f"{name!r} in the HDF5 file is a link, which is not followed")
        item = item[part]
    if not isinstance(item, kind):
        raise ConversionError(f"expected {name!r} in the HDF5 file to be a {kind.__name__.lower()}, "
                              f"found a {type(item).__name__.lower()}")
    return item


def get_group(group, name, h5py):
    return get_item(group, name, h5py.Group, h5py)


def get_array(group, name, h5py):
    import numpy
    from safetensors_file import BFLOAT16
    dataset = get_item(group, name, h5py.Dataset, h5py)
    if dataset.external or dataset.is_virtual:
        raise ConversionError(f"{name!r} in the HDF5 file is stored in other files, which are not read")
    array = numpy.asarray(dataset[()])
    if text(dataset.attrs.get("dtype", "")) == "bfloat16":
        return array.view("<u2").view(BFLOAT16)
    if array.dtype.kind not in "fiub":
        raise ConversionError(f"{name!r} in the HDF5 file holds {array.dtype}, expected numbers")
    return array


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def attribute(group, name):
    """A list of texts; a long one is split into NAME0, NAME1, ..."""
    if name in group.attrs:
        return [text(value) for value in group.attrs[name]]
    if name + "0" not in group.attrs:
        return None
    values = []
    while f"{name}{len(values)}" in group.attrs:
        values.append([text(value) for value in group.attrs[f"{name}{len(values)}"]])
    return [value for part in values for value in part]


def legacy_variables(weights, h5py):
    """For files of Keras 1 and 2: (name as stored, dotted name, role, array) for each variable."""
    layers = attribute(weights, "layer_names")
    if "top_level_model_weights" in weights:
        layers = layers + ["top_level_model_weights"]
    for layer in layers:
        group = get_group(weights, layer, h5py)
        for name in attribute(group, "weight_names") or []:
            array = get_array(group, name, h5py)
            path = re.sub(r":\d+$", "", name)
            if "/" not in path:
                path = f"{layer}/{path}"
            yield name if "/" in name else f"{layer}/{name}", path.replace("/", "."), path.split("/")[-1], array


def layer_names(config, path=()):
    """The names of a model's layers by the place where Keras stores them, ("layers", "conv2d_1"): a group is named by the
    class of the layer and counted in the order of the model's layers. Layers inside layers that are not models have no
    name here."""
    names, counts = {}, {}
    layers = config.get("config", {}).get("layers", []) if isinstance(config, dict) else []
    for layer in layers if isinstance(layers, list) else []:
        try:
            kind, name = snake_case(layer["class_name"]), layer["config"]["name"]
        except (KeyError, TypeError) as error:
            raise ConversionError("expected layers with a class_name and a name in config.json, found others") from error
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        place = (*path, "layers", f"{kind}_{number}" if number else kind)
        names[place] = name
        names |= layer_names(layer, place)
    return names


def snake_case(name):
    """Snake case as in Keras: Conv2D is conv2d, BatchNormalization is batch_normalization."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def application_layers(blocks, version):
    """The layers with weights of a ResNet of keras.applications in the order of model.layers, which is by their distance
    from the output: for each class a list of names and shapes of kernels (None: not compared)."""
    convs, norms = [("conv1_conv", (7, 7, 3, 64))], [("conv1_bn", None)] if version == 1 else []
    channels = 64
    for stage, count in enumerate(blocks):
        filters = 64 << stage
        for block in range(count):
            name = f"conv{stage + 2}_block{block + 1}_"
            if version == 2:
                norms.append((name + "preact_bn", None))
            convs += [(name + "1_conv", (1, 1, channels, filters)), (name + "2_conv", (3, 3, filters, filters))]
            norms += [(name + "1_bn", None), (name + "2_bn", None)]
            if block == 0:
                convs.append((name + "0_conv", (1, 1, channels, 4 * filters)))
            convs.append((name + "3_conv", (1, 1, filters, 4 * filters)))
            if version == 1:
                norms += [(name + "0_bn", None)] if block == 0 else []
                norms.append((name + "3_bn", None))
            channels = 4 * filters
    if version == 2:
        norms.append(("post_bn", None))
    return {"conv2d": convs, "batch_normalization": norms, "dense": [("predictions", None)]}


def cifar_layers(blocks):
    """The same of version 2 of Keras' cifar10_resnet example, whose layers are named in the order in which they are created:
    a projection after the block's last convolution, but in model.layers it is before it."""
    convs, channels, filters = [("conv2d", (3, 3, 3, 16))], 16, 16
    for stage in range(3):
        outputs = filters * (2 if stage else 4)
        for block in range(blocks):
            made = len(convs)
            convs += [(f"conv2d_{made}", (1, 1, channels, filters)), (f"conv2d_{made + 1}", (3, 3, filters, filters))]
            if block == 0:
                convs.append((f"conv2d_{made + 3}", (1, 1, channels, outputs)))
            convs.append((f"conv2d_{made + 2}", (1, 1, filters, outputs)))
            channels = outputs
        filters = outputs
    norms = [(f"batch_normalization_{i}" if i else "batch_normalization", None) for i in range(9 * blocks + 1)]
    return {"conv2d": convs, "batch_normalization": norms, "dense": [("dense", None)]}


def known_networks(convs):
    """Networks whose layers can be identified by their order: a readable name, and the layers. `convs`: how many a file has."""
    for depth, blocks in ((50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)), (152, (3, 8, 36, 3))):
        yield f"keras.applications' ResNet{depth}", application_layers(blocks, 1)
        yield f"keras.applications' ResNet{depth}V2", application_layers(blocks, 2)
    if convs % 9 == 4:
        yield f"ResNet{convs - 2}v2 of Keras' cifar10_resnet example", cifar_layers(convs // 9)


def recognised_names(groups):
    """The names of layers that a file only numbers, if they belong to a known network; `groups` maps the path of each layer
    with variables to their shapes."""
    found = {"conv2d": [], "batch_normalization": [], "dense": []}
    for path in groups:
        parts = re.fullmatch(r"(conv2d|batch_normalization|dense)(?:_(\d+))?", path[-1])
        if len(path) != 2 or path[0] not in ("layers", "_layer_checkpoint_dependencies") or not parts:
            return {}
        found[parts[1]].append((int(parts[2] or 0), path))
    layers = {kind: [path for _, path in sorted(paths)] for kind, paths in found.items()}
    for network, known in known_networks(len(layers["conv2d"])):
        if not layers["dense"]:  # include_top=False
            known["dense"] = []
        if all(len(layers[kind]) == len(known[kind]) and
               all(shape in (None, groups[path][0]) for path, (_, shape) in zip(layers[kind], known[kind])) for kind in known):
            note(f"the layers are numbered, not named; by number and shape they are those of {network}, whose names they get")
            return {path: name for kind in known for path, (name, _) in zip(layers[kind], known[kind])}
    return {}


def vars_variables(root, names, h5py):
    """The same as legacy_variables for files since Keras 2.12, where a layer is a group with a group `vars`. `names` has the
    names of layers that are already known."""
    groups = []

    def walk(group, path):
        if path and path[0] == "optimizer":
            return
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.HardLink) and isinstance(group[name], h5py.Group):
                if name == "vars":
                    groups.append((path, group[name]))
                else:
                    walk(group[name], path + [name])

    walk(root, [])
    if not any(len(group) for _, group in groups):
        raise ConversionError("expected weights that Keras wrote, found an HDF5 file with neither layer_names nor vars")
    if not names and not any("name" in group.attrs for _, group in groups):
        names = recognised_names({tuple(path): [get_array(group, key, h5py).shape for key in sorted(group)]
                                  for path, group in groups if len(group) and path})
    for path, group in groups:
        keys = sorted(group, key=lambda key: (len(key), key))  # 10 after 9
        layer_class = re.sub(r"_\d+$", "", path[-1]) if path else ""
        layer = text(group.attrs["name"]) if "name" in group.attrs else names.get(tuple(path)) or ".".join(
            part for part in path if part not in ("layers", "_layer_checkpoint_dependencies"))
        roles = variable_names(layer_class, len(keys))
        if keys and roles is None:
            note(f"the variables of {'/'.join(path)!r} are numbered, not named, and not rearranged: "
                 f"it is unknown what the {len(keys)} of a {layer_class or 'model'!r} are")
        for i, key in enumerate(keys):
            array = get_array(group, key, h5py)
            role = roles[i] if roles else f"vars.{key}"
            yield "/".join(path + ["vars", key]), f"{layer}.{role}".lstrip("."), role, array


def variable_names(layer_class, count):
    for pattern, choices in KERAS_VARIABLES.items():
        if re.fullmatch(pattern, layer_class):
            for names in choices:
                if len(names) == count:
                    return names
    return None


def to_oihw(role, array):
    """A Keras kernel with its axes in PyTorch's order; anything else unchanged."""
    axes = array.ndim
    if role in ("kernel", "pointwise_kernel") and axes >= 2:  # [..., input, output] -> [output, input, ...]
        return array.transpose(axes - 1, axes - 2, *range(axes - 2))
    if role == "depthwise_kernel" and axes >= 3:  # [..., input, multiplier] -> [input * multiplier, 1, ...]
        array = array.transpose(axes - 2, axes - 1, *range(axes - 2))
        return array.reshape(-1, 1, *array.shape[2:])
    return array


# The command


def read(arguments):
    """The tensors of the input, and the name of its framework."""
    path = arguments.input
    try:
        with open(path, "rb") as file:
            begin = file.read(8)
    except OSError as error:
        raise ConversionError(f"the file can't be read: {error.strerror}") from error
    if begin == b"\x89HDF\r\n\x1a\n":
        return read_keras(str(path), arguments.names, arguments.layout), "keras"
    if begin.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                if "model.weights.h5" in archive.namelist():
                    file = io.BytesIO(archive.read("model.weights.h5"))
                    config = json.loads(archive.read("config.json")) if "config.json" in archive.namelist() else None
                    return read_keras(file, arguments.names, arguments.layout, config), "keras"
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ConversionError(f"config.json in the file is not JSON: {first_line(error)}") from error
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
            raise ConversionError(f"the file is a damaged zip archive: {first_line(error)}") from error
    return read_torch(str(path), arguments.key), "pytorch"


def convert(arguments):
    python_packages.require("convert_weights.py", numpy="numpy")
    import safetensors_file
    tensors, framework = read(arguments)
    if arguments.strip:
        tensors = strip(tensors, arguments.strip)
    if not tensors:
        raise ConversionError("the file holds no tensors")
    metadata = {"source": arguments.input.name, "framework": framework,
                "layout": "hwio" if framework == "keras" and arguments.layout == "keep" else "oihw"}
    metadata.update(arguments.metadata)
    try:
        safetensors_file.write(arguments.output, tensors, metadata)
    except (TypeError, ValueError, MemoryError) as error:
        raise ConversionError(f"a tensor can't be written: {first_line(error)}") from error
    except OSError as error:
        raise ConversionError(f"{arguments.output} can't be written: {error.strerror}") from error
    if arguments.list:
        for name, array in tensors.items():
            print(f"{name} {list(array.shape)}")
    elements = sum(array.size for array in tensors.values())
    print(f"{arguments.output}: {len(tensors)} tensors, {elements:,} elements")


def strip(tensors, prefix):
    """The tensors without the prefix of their names; the counter that an average of models has beside them is left out."""
    stripped = {}
    for name, array in tensors.items():
        if name == AVERAGE_COUNTER and array.ndim == 0 and len(tensors) > 1:
            note(f"{name!r} is left out: it counts how many models were averaged")
            continue
        if not name.startswith(prefix):
            raise ConversionError(f"--strip {prefix!r}: expected every name to begin with it, found {name!r}")
        stripped[name[len(prefix):]] = array
    return stripped


def key_and_value(argument):
    key, separator, value = argument.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, found {argument!r}")
    return key, value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=pathlib.Path, help="the PyTorch or Keras file")
    parser.add_argument("output", type=pathlib.Path, help="the safetensors file to write; replaced if it exists")
    parser.add_argument("--layout", choices=["oihw", "keep"], default="oihw",
                        help="order of the axes of Keras kernels (default: %(default)s)")
    parser.add_argument("--names", choices=["dotted", "slashed", "keep"], default="dotted",
                        help="names of Keras tensors (default: %(default)s); PyTorch names are always kept")
    parser.add_argument("--key", help="the checkpoint's entry that holds the state_dict (default: found)")
    parser.add_argument("--strip", metavar="PREFIX",
                        help="take a prefix off every name, for example 'module.' of PyTorch's DataParallel")
    parser.add_argument("--metadata", metavar="KEY=VALUE", type=key_and_value, action="append", default=[],
                        help="text to store in the file; may be given several times")
    parser.add_argument("--list", action="store_true", help="print the name and shape of each tensor written")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        convert(arguments)
    except ConversionError as error:
        say(f"{arguments.input}: {error}")
        return 2
    for text in notes:
        say(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
