#!/usr/bin/python3
"""Writes tests/train/golden_training.safetensors: 20 training steps of small networks as PyTorch makes them, in float64.

The networks are those of tests/train/golden_nets.hpp; Block and Stack come from tests/reference/resnet50v.py (the
original listing), the basic block from torchvision. Parameters, running statistics, images and labels are drawn by the
rule of tests/reference/seeded.py, so the file holds results only. Needs Debian's python3-torch, python3-torchvision and
python3-numpy; exits with 77 where they are missing.

For a case CASE: `CASE/losses` (20), `CASE/logits` and `CASE/logits20` of the first and the last step, and per tensor under
tenon's canonical names `CASE/gradient/NAME` of the first step, `CASE/step1/NAME` and `CASE/step20/NAME` after the update:
torch.optim.SGD with learning rate 0.05, momentum 0.9, weight decay 1e-3 on everything.

    scripts/make_training_goldens.py            write the file
    scripts/make_training_goldens.py --check    compare the file with newly computed values
"""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "reference")]

SKIPPED = 77
try:
    import numpy
    import torch
    from torch import nn
    from torchvision.models.resnet import BasicBlock
except ImportError as missing:
    print(f"skipped: {missing}; install python3-torch, python3-torchvision and python3-numpy", file=sys.stderr)
    sys.exit(SKIPPED)

import safetensors_file  # noqa: E402
import seeded  # noqa: E402
from resnet50v import Stack  # noqa: E402

SEED = 3
STEPS = 20
GOLDEN = ROOT / "tests" / "train" / "golden_training.safetensors"


class SeededDropout(nn.Module):
    """Dropout with the mask of include/tenon/core/dropout_mask.hpp; `layer` is the layer's index in tenon's program."""

    def __init__(self, layer, rate):
        super().__init__()
        self.layer, self.rate, self.step = layer, rate, 0

    def forward(self, x):
        stream = int(seeded.mix(numpy.array([self.layer + 1], dtype=numpy.uint64))[0])
        drawn = seeded.uniform(seeded.random_bits(self.step, stream, x.numel()), 0.0, 1.0)
        mask = numpy.where(drawn < self.rate, 0.0, 1 / (1 - self.rate)).reshape(tuple(x.shape))
        return x * torch.from_numpy(mask)


def block_names(torch_prefix, prefix, projects):
    names = {"preact.0": "preact.norm0", "conv1.0": "body.conv0", "conv1.1": "body.norm0", "conv2.0": "body.conv1",
             "conv2.1": "body.norm1", "conv3": "body.conv2"}
    if projects:
        names["short"] = "shortcut.conv0"
    return {f"{torch_prefix}.{key}": f"{prefix}.{value}" for key, value in names.items()}


def stack_case():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(3, 2, 1), Stack(8, 2, 3), Stack(8, 3, 2, stride=1),
                          nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5))
    names = {"0": "stem.conv0", "4": "head.norm0", "8": "head.linear0"}
    for stack, blocks in ((0, 3), (1, 2)):
        for i in range(blocks):
            names |= block_names(f"{stack + 2}.conv.{i}", f"stack{stack}.block{i}", i == 0)
    return {"name": "stack", "model": model, "names": names, "input": (4, 3, 9, 8), "classes": 5, "smoothing": 0.0}


def basic_names(torch_prefix, prefix, projects):
    names = {"conv1": "body.conv0", "bn1": "body.norm0", "conv2": "body.conv1", "bn2": "body.norm1"}
    if projects:
        names |= {"downsample.0": "shortcut.conv0", "downsample.1": "shortcut.norm0"}
    return {f"{torch_prefix}.{key}": f"{prefix}.{value}" for key, value in names.items()}


def basic_case():
    downsample = nn.Sequential(nn.Conv2d(6, 10, 1, stride=2, bias=False), nn.BatchNorm2d(10))
    model = nn.Sequential(nn.Conv2d(3, 6, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                          nn.MaxPool2d(3, 2, 1), BasicBlock(6, 6), BasicBlock(6, 10, 2, downsample), BasicBlock(10, 10),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 4))
    names = {"0": "stem.conv0", "1": "stem.norm0", "9": "head.linear0"}
    names |= basic_names("4", "stack0.block0", False)
    names |= basic_names("5", "stack1.block0", True)
    names |= basic_names("6", "stack1.block1", False)
    return {"name": "basic", "model": model, "names": names, "input": (5, 3, 12, 12), "classes": 4, "smoothing": 0.1}


def mixed_case():
    model = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8, eps=1e-3, momentum=0.25), nn.ReLU(),
                          nn.AvgPool2d(2), nn.Conv2d(8, 6, 3, stride=2, padding=1), nn.ReLU(), SeededDropout(6, 0.25),
                          nn.Flatten(), nn.Linear(24, 7), nn.ReLU(), nn.Linear(7, 3))
    names = {"0": "conv0", "1": "norm0", "4": "conv1", "8": "linear0", "10": "linear1"}
    return {"name": "mixed", "model": model, "names": names, "input": (6, 4, 8, 8), "classes": 3, "smoothing": 0.05,
            "soft": True}


def targets_of(case, step):
    """Labels, or for a soft case distributions: uniform numbers divided by their sum."""
    batch, classes = case["input"][0], case["classes"]
    stream = seeded.hash_name(f"{case['name']}/targets{step}")
    if case.get("soft"):
        drawn = seeded.uniform(seeded.random_bits(SEED, stream, batch * classes), 0.0, 1.0).reshape(batch, classes)
        return torch.from_numpy(drawn / drawn.sum(axis=1, keepdims=True))
    return torch.from_numpy((seeded.random_bits(SEED, stream, batch) % numpy.uint64(classes)).astype(numpy.int64))


def fill(case):
    """Gives each tensor its seeded value under tenon's name."""
    model = case["model"].double()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            module, key = name.rsplit(".", 1)
            norm = isinstance(model.get_submodule(module), nn.BatchNorm2d)
            role = {"weight": "gamma", "bias": "beta"}.get(key, key) if norm else key
            value.copy_(torch.from_numpy(
                seeded.state_tensor(SEED, f"{case['names'][module]}.{key}", tuple(value.shape), role)))
    return model.train()


def run(case):
    model = fill(case)

    def tenon_name(name):
        module, key = name.rsplit(".", 1)
        return f"{case['names'][module]}.{key}"

    def state(prefix):
        return {f"{prefix}/{tenon_name(name)}": value.numpy().copy() for name, value in model.state_dict().items()
                if not name.endswith("num_batches_tracked")}

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    criterion = nn.CrossEntropyLoss(label_smoothing=case["smoothing"])
    results, losses, name = {}, [], case["name"]
    for step in range(STEPS):
        for module in model.modules():
            if isinstance(module, SeededDropout):
                module.step = step
        images = torch.from_numpy(seeded.network_input(SEED, case["input"], f"{name}/images{step}")).double()
        optimizer.zero_grad()
        logits = model(images)
        loss = criterion(logits, targets_of(case, step))
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            results |= {f"{name}/gradient/{tenon_name(key)}": value.grad.numpy().copy()
                        for key, value in model.named_parameters()}
        optimizer.step()
        if step == 0:
            results |= {f"{name}/logits": logits.detach().numpy()} | state(f"{name}/step1")
    results |= {f"{name}/logits20": logits.detach().numpy()} | state(f"{name}/step20")
    results[f"{name}/losses"] = numpy.array(losses)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    results = {}
    for case in (stack_case(), basic_case(), mixed_case()):
        results |= run(case)
    if not check:
        safetensors_file.write(GOLDEN, results, {"torch": torch.__version__, "seed": str(SEED)})
        print(f"wrote {GOLDEN.relative_to(ROOT)}: {len(results)} tensors")
        return 0
    golden, _ = safetensors_file.read(GOLDEN)
    wrong = sorted(set(golden) ^ set(results))
    for name in set(golden) & set(results):
        scale = max(numpy.abs(golden[name]).max(), 1e-3)
        if golden[name].shape != results[name].shape or numpy.abs(golden[name] - results[name]).max() > 1e-9 * scale:
            wrong.append(name)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    print(f"compared {len(results)} tensors, {len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
