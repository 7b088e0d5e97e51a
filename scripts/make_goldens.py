#!/usr/bin/python3
"""Writes tests/models/golden.safetensors: what PyTorch computes, in float64, for every option of the network.

The networks are tests/parity/oracles/resnet50v.py (the original listing), tests/parity/oracles/variants.py (He et al.
2016) and torchvision's ResNets, in evaluation mode; all weights, running statistics and inputs are drawn by the rule of
tests/parity/oracles/seeded.py, so the file has only outputs.
Needs Debian's python3-torch, python3-torchvision and python3-numpy; exits with 77 where they are missing.

A case CASE has either `CASE/output`, the complete output, or, above 2048 elements, `CASE/samples`: 512 of them.
With N elements in row-major order, sample i is element (i * 7919) mod N. `CASE/statistics` has for each image the
mean and the largest absolute value over its elements. The metadata's `cases` is a JSON list that says what each case is.

tests/models/fashion_mnist_golden.safetensors is written too: ten test images of Fashion-MNIST, the first of each class,
and the logits that PyTorch computes for them with the weights in examples/data.

    scripts/make_goldens.py                     write the files, except those that are right within rounding
    scripts/make_goldens.py --check             compare the files with newly computed values
    scripts/make_goldens.py --check --only block/
"""
import argparse
import json
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "parity" / "oracles")]

import python_packages  # noqa: E402

python_packages.require("make_goldens.py", numpy="numpy<2", torch="torch==2.2.2", torchvision="torchvision==0.17.2")

import numpy  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402

import safetensors_file  # noqa: E402
import seeded  # noqa: E402
from fashion import DEVIATION, FashionNet, MEAN, read_idx  # noqa: E402
from resnet50v import Block, ResNet50V, Stack  # noqa: E402
from variants import PLACEMENTS, SHORTCUTS, Unit, VariantNet  # noqa: E402

SEED = 1
LARGEST_WHOLE = 2048  # elements of an output that is stored completely
SAMPLES = 512
SAMPLE_STEP = 7919
TOLERANCE = 1e-12  # of a tensor's largest value: what another machine's order of summation may change in float64
GOLDEN = ROOT / "tests" / "models" / "golden.safetensors"
FASHION_GOLDEN = ROOT / "tests" / "models" / "fashion_mnist_golden.safetensors"
FASHION_WEIGHTS = ROOT / "examples" / "data" / "fashion_mnist.safetensors"
FASHION_DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


def network_cases():
    """ResNet50V with every combination of its options that makes a difference, on a small square image; some of them
    on an image whose sides are odd and differ, and at full size."""
    def case(group, batch, height, width, include_top, preact, use_bias, classes=None, pooling=None):
        options = {"include_top": include_top, "preact": preact, "use_bias": use_bias}
        if include_top:
            options["classes"] = classes
        else:
            options["pooling"] = pooling
        ending = str(classes) if include_top else f"no_top_{pooling or 'none'}"
        name = (f"{group}/{'preact' if preact else 'no_preact'}_{'bias' if use_bias else 'no_bias'}_{ending}"
                f"_{height}x{width}_batch{batch}")
        return {"name": name, "module": "ResNet50V", "options": options, "input": [batch, 3, height, width]}

    for preact in (True, False):
        for use_bias in (True, False):
            yield case("options", 3, 64, 64, True, preact, use_bias, classes=100)
            yield case("options", 1, 64, 64, True, preact, use_bias, classes=1000)
            for pooling in (None, "avg", "max"):
                yield case("options", 3, 64, 64, False, preact, use_bias, pooling=pooling)
    yield case("sizes", 3, 65, 97, True, True, True, classes=100)
    yield case("sizes", 1, 65, 97, False, True, True, pooling=None)
    yield case("sizes", 1, 65, 97, False, False, False, pooling="max")
    yield case("sizes", 1, 224, 224, True, True, True, classes=1000)
    yield case("sizes", 3, 224, 224, True, True, True, classes=100)


def part_cases():
    """Single Blocks of all three shortcut kinds and single Stacks, batch 2; also channel counts that no vector width
    divides."""
    def block(kind, in_channel, filters, side, stride, conv_shortcut):
        return {"name": f"block/{kind}_{in_channel}_{filters}_stride{stride}_{side}x{side}", "module": "Block",
                "options": {"in_channel": in_channel, "filters": filters, "stride": stride,
                            "conv_shortcut": conv_shortcut},
                "input": [2, in_channel, side, side]}

    def stack(in_channel, filters, blocks, side, stride):
        return {"name": f"stack/{in_channel}_{filters}_blocks{blocks}_stride{stride}_{side}x{side}", "module": "Stack",
                "options": {"in_channel": in_channel, "filters": filters, "blocks": blocks, "stride": stride},
                "input": [2, in_channel, side, side]}

    yield block("projection", 64, 16, 7, 1, True)
    yield block("projection", 64, 32, 12, 1, True)
    yield block("projection", 128, 32, 7, 2, True)
    yield block("projection", 20, 5, 7, 1, True)
    yield block("identity", 64, 16, 7, 1, False)
    yield block("identity", 128, 32, 12, 1, False)
    yield block("identity", 64, 16, 14, 1, False)
    yield block("identity", 20, 5, 7, 1, False)
    yield block("max_pool", 64, 16, 12, 2, False)
    yield block("max_pool", 128, 32, 7, 2, False)
    yield block("max_pool", 64, 16, 14, 2, False)
    yield block("max_pool", 20, 5, 7, 2, False)
    yield stack(64, 16, 3, 14, 2)
    yield stack(64, 32, 2, 7, 1)
    yield stack(24, 6, 4, 7, 2)


def torchvision_cases():
    """The post-activation ResNets of torchvision (stride on the 3x3 of a bottleneck), 1000 classes."""
    for name in ("resnet18", "resnet50"):
        yield {"name": f"torchvision/{name}_64x64_batch1", "module": name, "options": {}, "input": [1, 3, 64, 64]}


def variant_cases():
    """The units and networks of He et al. 2016: each shortcut in the original placement and each placement with the
    identity, as the paper compares them, as networks of 8 layers; bottlenecks and combinations that the paper leaves
    open; and single units with odd sizes."""
    def network(name, blocks=1, **options):
        return {"name": f"variant/{name}", "module": "VariantNet", "options": {"blocks": blocks, **options},
                "input": [2, 3, 32, 32]}

    def unit(name, side, **options):
        return {"name": f"variant/{name}", "module": "Unit", "options": options,
                "input": [2, options["channels"], side, side]}

    for shortcut in SHORTCUTS:
        yield network(f"net_original_{shortcut}", shortcut=shortcut)
    for placement in PLACEMENTS[1:]:
        yield network(f"net_{placement}_identity", placement=placement)
    for placement in PLACEMENTS:
        yield network(f"bottlenecks_{placement}_identity", 2, placement=placement, bottleneck=True)
        yield unit(f"unit_{placement}_convolution", 7, channels=8, filters=12, stride=2, shortcut="convolution",
                   placement=placement)
    for placement in PLACEMENTS[1:3]:
        for shortcut in SHORTCUTS[1:4]:
            yield unit(f"unit_{placement}_{shortcut}", 7, channels=8, filters=12, stride=2, shortcut=shortcut,
                       placement=placement)
    for placement in PLACEMENTS[3:]:
        for shortcut in ("constant_scaling", "dropout"):
            yield unit(f"unit_{placement}_{shortcut}_first", 7, channels=8, filters=12, stride=2, shortcut=shortcut,
                       placement=placement, first=True)


def all_cases():
    return [*network_cases(), *part_cases(), *torchvision_cases(), *variant_cases()]


def build(case):
    """The seeded module of a case, in float64 and evaluation mode."""
    module, options = case["module"], case["options"]
    if module == "ResNet50V":
        made = ResNet50V(input_shape=(*case["input"][2:], 3), **options)
    elif module == "Block":
        made = Block(**options)
    elif module == "Stack":
        made = Stack(**options)
    elif module == "Unit":
        made = Unit(**options)
    elif module == "VariantNet":
        made = VariantNet(**options)
    else:
        made = getattr(torchvision.models, module)()
    return seeded.fill(made, SEED).double().eval()


def compute(case):
    """The tensors of a case."""
    x = torch.from_numpy(seeded.network_input(SEED, tuple(case["input"]))).double()
    with torch.no_grad():
        output = build(case)(x).numpy()
    case["output"] = list(output.shape)
    name, flat, images = case["name"], output.reshape(-1), output.reshape(len(output), -1)
    statistics = numpy.stack([images.mean(1), numpy.abs(images).max(1)], 1)
    if flat.size <= LARGEST_WHOLE:
        return {f"{name}/output": output, f"{name}/statistics": statistics}
    assert math.gcd(flat.size, SAMPLE_STEP) == 1
    indices = numpy.arange(SAMPLES, dtype=numpy.int64) * SAMPLE_STEP % flat.size
    return {f"{name}/samples": flat[indices], f"{name}/statistics": statistics}


def compute_all(cases):
    """The tensors and the metadata of the golden file."""
    tensors = {}
    for case in cases:
        tensors |= compute(case)
        print(f"computed {case['name']}", file=sys.stderr, flush=True)
    metadata = {
        "cases": json.dumps(cases, separators=(",", ":")),
        "command": "scripts/make_goldens.py",
        "rule": f"seeded by tests/parity/oracles/seeded.py, seed {SEED}, input named input; sample i of N elements is "
                f"(i * {SAMPLE_STEP}) mod N; statistics are each image's mean and largest absolute value",
    }
    return tensors, metadata


def compute_fashion():
    """Ten real images, and what the example's network says about them in float64."""
    weights, _ = safetensors_file.read(FASHION_WEIGHTS)
    model = FashionNet()
    missing = model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()},
                                    strict=False)
    if missing.unexpected_keys or any(not key.endswith("num_batches_tracked") for key in missing.missing_keys):
        raise ValueError(f"{FASHION_WEIGHTS.name} doesn't fit the network: {missing}")
    images = read_idx(FASHION_DATA / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(FASHION_DATA / "t10k-labels-idx1-ubyte.gz")
    chosen = [int(numpy.argmax(labels == label)) for label in range(10)]
    with torch.no_grad():
        pixels = torch.from_numpy(images[chosen]).unsqueeze(1).double()
        logits = model.double().eval()((pixels / 255 - MEAN) / DEVIATION).numpy()
    return ({"logits": logits, "images": images[chosen], "labels": labels[chosen]},
            {"command": "scripts/make_goldens.py",
             "images": f"numbers {chosen} of the 10,000 test images of Fashion-MNIST (MIT licence)"})


def differences(expected, found):
    """A line for each tensor that differs."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name}: not in the file")
        elif name not in expected:
            lines.append(f"{name}: no case makes it")
        elif expected[name].shape != found[name].shape or expected[name].dtype != found[name].dtype:
            lines.append(f"{name}: {found[name].dtype}{found[name].shape} in the file, "
                         f"{expected[name].dtype}{expected[name].shape} computed")
        else:
            largest = numpy.abs(expected[name].astype(numpy.float64)).max()
            difference = numpy.abs(expected[name].astype(numpy.float64) - found[name]).max()
            if not difference <= TOLERANCE * largest:
                lines.append(f"{name}: differs by {difference:.3g}, largest value {largest:.3g}")
    return lines


def check(path, tensors, metadata, only):
    """The lines that say how a file differs from what was computed for the cases whose name holds `only`."""
    if not path.exists():
        return [f"{path.name} is missing"]
    found, found_metadata = safetensors_file.read(path)
    lines = differences(tensors, {name: array for name, array in found.items() if only in name})
    if not only and found_metadata != metadata:
        lines.append(f"{path.name}: the metadata differs")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    parser.add_argument("--only", default="", help="with --check: only the cases whose name contains this")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.only and not options.check:
        parser.error("--only needs --check: the files are written completely")
    torch.set_num_threads(options.threads)

    cases = [case for case in all_cases() if options.only in case["name"]]
    files = []
    if cases:
        files.append((GOLDEN, *compute_all(cases), options.only))
    if "fashion/".startswith(options.only):
        if FASHION_DATA.exists() and FASHION_WEIGHTS.exists():
            files.append((FASHION_GOLDEN, *compute_fashion(), ""))
        else:
            print(f"skipped {FASHION_GOLDEN.name}: {FASHION_DATA} (package dataset-fashion-mnist) or "
                  f"{FASHION_WEIGHTS} is missing", file=sys.stderr)
            if not files:
                sys.exit(python_packages.SKIPPED)
    if not files:
        parser.error(f"no case has a name that contains {options.only!r}")
    failed = False
    for path, tensors, metadata, only in files:
        lines = check(path, tensors, metadata, only)
        if options.check:
            print("\n".join(lines) if lines else f"{path.name}: {len(tensors)} tensors equal")
            failed |= bool(lines)
        elif lines:
            safetensors_file.write(path, tensors, metadata)
            print(f"{path.name}: wrote {len(tensors)} tensors, {path.stat().st_size} bytes")
        else:
            print(f"{path.name}: right already, {path.stat().st_size} bytes")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
