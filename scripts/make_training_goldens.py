#!/usr/bin/python3
"""Writes tests/train/golden_training.safetensors: 20 training steps of small networks as PyTorch computes them, in float64; and
tests/train/golden_optimizers.safetensors: 20 steps of the network "basic" with each optimizer, and learning rates of schedules.

The networks are those of tests/train/golden_nets.hpp; Block and Stack come from tests/parity/oracles/resnet50v.py (the
original listing), the basic block from torchvision. Parameters, running statistics, images and labels are drawn by the
rule of tests/parity/oracles/seeded.py, so the file has only results. Needs Debian's python3-torch, python3-torchvision
and python3-numpy; exits with 77 where they are missing.

For a case CASE: `CASE/losses` (20), `CASE/logits` and `CASE/logits20` of the first and the last step, and per tensor under
tenon's canonical names `CASE/gradient/NAME` of the first step, `CASE/step1/NAME` and `CASE/step20/NAME` after the update:
torch.optim.SGD with learning rate 0.05, momentum 0.9, weight decay 1e-3 on everything.

For an optimizer OPTIMIZER: `OPTIMIZER/losses` and `OPTIMIZER/NAME` after 20 steps. Keras' SGD is not in Debian; its formulas
are written out here on torch's tensors. For a schedule of torch: `schedules/SCHEDULE`, the rates of 40 steps, base rate 0.5.

    scripts/make_training_goldens.py            write the file
    scripts/make_training_goldens.py --check    compare the file with newly computed values
"""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "parity" / "oracles")]

import python_packages  # noqa: E402

python_packages.require("make_training_goldens.py", numpy="numpy<2", torch="torch==2.2.2", torchvision="torchvision==0.17.2")

import numpy  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torchvision.models.resnet import BasicBlock  # noqa: E402

import safetensors_file  # noqa: E402
import seeded  # noqa: E402
from resnet50v import Stack  # noqa: E402

SEED = 3
STEPS = 20
GOLDEN = ROOT / "tests" / "train" / "golden_training.safetensors"
OPTIMIZERS = ROOT / "tests" / "train" / "golden_optimizers.safetensors"


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


class KerasSgd(torch.optim.Optimizer):
    """keras.optimizers.SGD: the velocity contains the learning rate, the weight decay is decoupled from the gradient."""

    def __init__(self, parameters, lr, momentum, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for p in group["params"]:
                p.sub_(p * group["weight_decay"] * lr)
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(momentum).sub_(lr * p.grad)
                p.add_(momentum * velocity - lr * p.grad if group["nesterov"] else velocity)


def groups(model, decay):
    """Weights decay, biases and batch norms don't."""
    weights, others = [], []
    for name, value in model.named_parameters():
        norm = isinstance(model.get_submodule(name.rsplit(".", 1)[0]), nn.BatchNorm2d)
        (weights if name.endswith("weight") and not norm else others).append(value)
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def optimizers():
    """Per name: the optimizer of a model, the schedule of an optimizer, the norm to clip to."""
    scheduler = torch.optim.lr_scheduler
    one_cycle = lambda o: scheduler.OneCycleLR(o, 0.05, total_steps=STEPS, cycle_momentum=False)  # noqa: E731
    cosine = lambda o: scheduler.CosineAnnealingLR(o, STEPS)  # noqa: E731
    return {
        "sgd": (lambda m: torch.optim.SGD(m.parameters(), lr=0.05, weight_decay=1e-2), cosine, None),
        "sgd_momentum": (lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-2), one_cycle,
                         None),
        "sgd_nesterov": (lambda m: torch.optim.SGD(groups(m, 1e-2), lr=0.05, momentum=0.9, nesterov=True), cosine, 0.5),
        "adamw": (lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, weight_decay=0.1), cosine, None),
        "adam": (lambda m: torch.optim.Adam(groups(m, 1e-2), lr=0.01, betas=(0.8, 0.99), eps=1e-7), one_cycle, None),
        "keras_momentum": (lambda m: KerasSgd(m.parameters(), lr=0.05, momentum=0.9), cosine, None),
        "keras_nesterov": (lambda m: KerasSgd(groups(m, 1e-2), lr=0.05, momentum=0.8, nesterov=True), cosine, None),
    }


def run_optimizer(name, make, schedule, clip):
    case = basic_case()
    model = fill(case)
    optimizer = make(model)
    scheduler = schedule(optimizer)
    criterion = nn.CrossEntropyLoss(label_smoothing=case["smoothing"])
    losses = []
    for step in range(STEPS):
        images = torch.from_numpy(seeded.network_input(SEED, case["input"], f"basic/images{step}")).double()
        optimizer.zero_grad()
        loss = criterion(model(images), targets_of(case, step))
        loss.backward()
        losses.append(loss.item())
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if step + 1 < STEPS:
            scheduler.step()
    results = {f"{name}/losses": numpy.array(losses)}
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            module, tensor = key.rsplit(".", 1)
            results[f"{name}/{case['names'][module]}.{tensor}"] = value.numpy().copy()
    return results


def schedules():
    """The rates of 40 steps by torch's schedulers."""
    scheduler, steps = torch.optim.lr_scheduler, 40
    linear = lambda o, n: scheduler.LinearLR(o, 0.1, 1.0, total_iters=n)  # noqa: E731
    made = {
        "step": lambda o: scheduler.StepLR(o, 7, 0.3),
        "multi_step": lambda o: scheduler.MultiStepLR(o, [5, 20, 21], 0.5),
        "cosine": lambda o: scheduler.CosineAnnealingLR(o, steps, eta_min=0.05),
        "one_cycle": lambda o: scheduler.OneCycleLR(o, 0.5, total_steps=steps),
        "one_cycle_linear": lambda o: scheduler.OneCycleLR(o, 0.5, total_steps=steps, pct_start=0.25, div_factor=5,
                                                           final_div_factor=100, anneal_strategy="linear"),
        "warm_up": lambda o: linear(o, 6),
        "sequence": lambda o: scheduler.SequentialLR(
            o, [linear(o, 10), scheduler.CosineAnnealingLR(o, steps - 10)], [10]),
    }
    results = {}
    for name, make in made.items():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
        schedule, rates = make(optimizer), []
        for step in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step + 1 < steps:
                schedule.step()
        results[f"schedules/{name}"] = numpy.array(rates)
    return results


def compare(path, results):
    """How many tensors in a file differ from the results."""
    golden, _ = safetensors_file.read(path)
    wrong = sorted(set(golden) ^ set(results))
    for name in set(golden) & set(results):
        scale = max(numpy.abs(golden[name]).max(), 1e-3)
        if golden[name].shape != results[name].shape or numpy.abs(golden[name] - results[name]).max() > 1e-9 * scale:
            wrong.append(name)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    print(f"{path.relative_to(ROOT)}: compared {len(results)} tensors, {len(wrong)} differ")
    return len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training, optimizing = {}, schedules()
    for case in (stack_case(), basic_case(), mixed_case()):
        training |= run(case)
    for name, choice in optimizers().items():
        optimizing |= run_optimizer(name, *choice)
    wrong = 0
    for path, results in ((GOLDEN, training), (OPTIMIZERS, optimizing)):
        if check:
            wrong += compare(path, results)
        else:
            safetensors_file.write(path, results, {"torch": torch.__version__, "seed": str(SEED)})
            print(f"wrote {path.relative_to(ROOT)}: {len(results)} tensors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
