#!/usr/bin/python3
"""Trains the example's network, a small pre-activation ResNet of the listing's Block and Stack, on Fashion-MNIST.

Needs Debian's python3-torch, python3-numpy and dataset-fashion-mnist. Prints a line per epoch; with --checkpoint a run
that was cut off goes on where it stopped when the same command is given again. Writes the weights as safetensors under
PyTorch's state_dict names.
"""
import argparse
import gzip
import json
import os
import pathlib
import shlex
import sys
import time

import numpy
import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "reference")]

import safetensors_file  # noqa: E402
from resnet50v import Stack  # noqa: E402

MEAN, DEVIATION = 0.2860, 0.3530
CLASS_NAMES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class FashionNet(nn.Module):
    """conv1, three stacks of three blocks, and BN+ReLU, the mean over the map and a linear layer: 310k parameters."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential()
        self.conv1.add_module("conv", nn.Conv2d(1, 32, 3, padding=1, bias=False))
        self.conv2 = Stack(32, 16, 3, stride=2)
        self.conv3 = Stack(64, 32, 3, stride=2)
        self.conv4 = Stack(128, 64, 3, stride=1)
        self.post = nn.Sequential()
        self.post.add_module("bn", nn.BatchNorm2d(256))
        self.post.add_module("relu", nn.ReLU())
        self.post.add_module("avg_pool", nn.AdaptiveAvgPool2d((1, 1)))
        self.post.add_module("flatten", nn.Flatten())
        self.post.add_module("fc", nn.Linear(256, 10))

    def forward(self, x):
        for stage in (self.conv1, self.conv2, self.conv3, self.conv4, self.post):
            x = stage(x)
        return x


def read_idx(path):
    """An array from a gzipped IDX file of unsigned bytes."""
    with gzip.open(path) as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of unsigned bytes")
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def augment(images, generator):
    """Each image flipped left to right with probability 1/2, padded by 2 zeros, and cut to 28x28 at a random place."""
    count = len(images)
    padded = numpy.pad(images, ((0, 0), (2, 2), (2, 2)))
    flipped = generator.random(count) < 0.5
    padded[flipped] = padded[flipped, :, ::-1]
    top, left = generator.integers(0, 5, (2, count))
    rows = top[:, None, None] + numpy.arange(28)[None, :, None]
    columns = left[:, None, None] + numpy.arange(28)[None, None, :]
    return padded[numpy.arange(count)[:, None, None], rows, columns]


def to_input(images):
    """The network's input for uint8 images: x/255, then (x - mean) / deviation, as [count, 1, 28, 28]."""
    pixels = torch.from_numpy(images.astype(numpy.float32)).unsqueeze(1)
    return ((pixels / 255 - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def learning_rate_at(progress, peak):
    """One cycle: linear from peak/25 to the peak over the first fifth, then linear down to nearly 0."""
    warm_up = 0.2
    if progress < warm_up:
        return peak * (1 / 25 + (1 - 1 / 25) * progress / warm_up)
    return peak * max(1e-3, (1 - progress) / (1 - warm_up))


def evaluate(model, images, labels):
    """The number of images the model classifies correctly."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for begin in range(0, len(images), 500):
            logits = model(to_input(images[begin:begin + 500]))
            correct += int((logits.argmax(1).numpy() == labels[begin:begin + 500]).sum())
    return correct


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "examples" / "data" / "fashion_mnist.safetensors")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="state after each epoch; continued from when present")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--peak-rate", type=float, default=0.2, help="the highest learning rate")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--label-smoothing", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = "scripts/train_fashion_mnist.py " + shlex.join(sys.argv[1:])

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train_images = read_idx(options.data / "train-images-idx3-ubyte.gz")
    train_labels = read_idx(options.data / "train-labels-idx1-ubyte.gz")
    test_images = read_idx(options.data / "t10k-images-idx3-ubyte.gz")
    test_labels = read_idx(options.data / "t10k-labels-idx1-ubyte.gz")

    model = FashionNet().to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    not_decayed = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": options.weight_decay},
                                 {"params": not_decayed, "weight_decay": 0.0}],
                                lr=options.peak_rate, momentum=0.9, nesterov=True)
    loss_function = nn.CrossEntropyLoss(label_smoothing=options.label_smoothing)
    steps = len(train_images) // options.batch
    first_epoch = 0
    log = []
    if options.checkpoint and options.checkpoint.exists():
        state = torch.load(options.checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch, log = state["epoch"], state["log"]
        log.append(f"continued after epoch {first_epoch} with --epochs {options.epochs}")
        print(log[-1], flush=True)
    else:
        log.append(f"{sum(parameter.numel() for parameter in model.parameters())} parameters, "
                   f"{len(train_images)} training images, {len(test_images)} test images, torch {torch.__version__}")
        print(log[-1], flush=True)

    correct = 0
    for epoch in range(first_epoch, options.epochs):
        started = time.monotonic()
        generator = numpy.random.default_rng([options.seed, epoch])
        order = generator.permutation(len(train_images))
        model.train()
        loss_sum, right = 0.0, 0
        for step in range(steps):
            rate = learning_rate_at((epoch * steps + step) / (options.epochs * steps), options.peak_rate)
            for group in optimizer.param_groups:
                group["lr"] = rate
            chosen = order[step * options.batch:(step + 1) * options.batch]
            labels = torch.from_numpy(train_labels[chosen].astype(numpy.int64))
            logits = model(to_input(augment(train_images[chosen], generator)))
            loss = loss_function(logits, labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += float(loss)
            right += int((logits.argmax(1) == labels).sum())
            if epoch == first_epoch and step in (20, 100):
                seconds = (time.monotonic() - started) * steps / (step + 1)
                print(f"about {seconds:.0f} s an epoch", file=sys.stderr, flush=True)
        correct = evaluate(model, test_images, test_labels)
        log.append(f"epoch {epoch + 1:2d} of {options.epochs}: learning rate {rate:.4f}, training loss "
                   f"{loss_sum / steps:.4f}, training accuracy {100 * right / (steps * options.batch):.2f} %, "
                   f"test accuracy {100 * correct / len(test_images):.2f} %, {time.monotonic() - started:.0f} s")
        print(log[-1], flush=True)
        if options.checkpoint:
            part = options.checkpoint.with_name(options.checkpoint.name + ".part")
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1,
                        "log": log}, part)
            os.replace(part, options.checkpoint)

    correct = evaluate(model, test_images, test_labels)
    tensors = {name: tensor.contiguous().numpy() for name, tensor in model.state_dict().items()
               if not name.endswith("num_batches_tracked")}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    safetensors_file.write(options.output, tensors, {
        "accuracy": f"{correct} of {len(test_images)} test images",
        "classes": json.dumps(CLASS_NAMES),
        "command": command,
        "input": "[batch, 1, 28, 28]: uint8 / 255, then (x - 0.2860) / 0.3530",
        "mean": json.dumps([MEAN]),
        "deviation": json.dumps([DEVIATION]),
        "framework": f"torch {torch.__version__}",
    })
    options.output.with_suffix(".log").write_text("$ " + command + "\n" + "\n".join(log) + "\n")
    print(f"{options.output.name}: {correct} of {len(test_images)} test images, {options.output.stat().st_size} bytes",
          flush=True)


if __name__ == "__main__":
    main()
