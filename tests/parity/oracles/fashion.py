"""The network that the examples know clothes with, and Fashion-MNIST's images, for goldens."""
import gzip

import numpy
from torch import nn

from resnet50v import Stack

MEAN, DEVIATION = 0.2860, 0.3530


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
