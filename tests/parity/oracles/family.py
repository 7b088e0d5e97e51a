"""PyTorch transcriptions of networks that no installable library has, with the names of the code whose weights people have:
the listing with other depths, akamaster's CIFAR ResNets and their pre-activated kin, xternalz' wide ResNets. Needs only torch.
"""
import torch
from resnet50v import ResNet50V, Stack
from torch import nn


def listing(blocks, classes=1000):
    """The listing's network with other numbers of blocks in its stacks."""
    model = ResNet50V(classes=classes)
    channels = 64
    for i, count in enumerate(blocks):
        setattr(model, f"conv{i + 2}", Stack(channels, 64 << i, count, stride=1 if i == 3 else 2))
        channels = 256 << i
    return model


def padded(x, filters, stride):
    """Option A of He et al. 2015: every n-th pixel, and new channels of zeros on both sides."""
    x = x[:, :, ::stride, ::stride]
    more = (filters - x.shape[1]) // 2
    return nn.functional.pad(x, (0, 0, 0, 0, more, more))


def conv3x3(channels, filters, stride=1):
    return nn.Conv2d(channels, filters, 3, stride, 1, bias=False)


class CifarBlock(nn.Module):
    """akamaster's BasicBlock with option A."""

    def __init__(self, channels, filters, stride, first):
        super().__init__()
        self.filters, self.stride = filters, stride
        self.conv1, self.bn1 = conv3x3(channels, filters, stride), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = conv3x3(filters, filters), nn.BatchNorm2d(filters)

    def forward(self, x):
        body = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(body + padded(x, self.filters, self.stride))


class CifarBlockV2(nn.Module):
    """Pre-activated; in the first block of a stage the shortcut is too (`both_preact` of the paper's published code)."""

    def __init__(self, channels, filters, stride, first):
        super().__init__()
        self.filters, self.stride, self.first = filters, stride, first
        self.bn0, self.conv1 = nn.BatchNorm2d(channels), conv3x3(channels, filters, stride)
        self.bn1, self.conv2 = nn.BatchNorm2d(filters), conv3x3(filters, filters)

    def forward(self, x):
        activated = torch.relu(self.bn0(x))
        body = self.conv2(torch.relu(self.bn1(self.conv1(activated))))
        return body + padded(activated if self.first else x, self.filters, self.stride)


class CifarNet(nn.Module):
    """6 * blocks + 2 layers on 16, 32 and 64 channels."""

    def __init__(self, blocks, version=1, classes=10):
        super().__init__()
        self.version = version
        kind = CifarBlock if version == 1 else CifarBlockV2
        self.conv1 = conv3x3(3, 16)
        if version == 1:
            self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for stage, filters in enumerate((16, 32, 64)):
            made = []
            for block in range(blocks):
                made.append(kind(channels, filters, 2 if stage and block == 0 else 1, block == 0))
                channels = filters
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        if version == 2:
            self.bn = nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.conv1(x)
        if self.version == 1:
            x = torch.relu(self.bn1(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.version == 2:
            x = torch.relu(self.bn(x))
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    """xternalz' BasicBlock: where the channels change, a 1x1 convolution of what the first norm and ReLU made."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv3x3(channels, filters, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(filters), conv3x3(filters, filters)
        if channels != filters:
            self.convShortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x):
        activated = torch.relu(self.bn1(x))
        body = self.conv2(torch.relu(self.bn2(self.conv1(activated))))
        return body + (self.convShortcut(activated) if hasattr(self, "convShortcut") else x)


class WideStage(nn.Module):
    def __init__(self, blocks, channels, filters, stride):
        super().__init__()
        self.layer = nn.Sequential(WideBlock(channels, filters, stride),
                                   *(WideBlock(filters, filters, 1) for _ in range(blocks - 1)))

    def forward(self, x):
        return self.layer(x)


class WideNet(nn.Module):
    """WRN-depth-widen of Zagoruyko and Komodakis 2016."""

    def __init__(self, depth, widen, classes=10):
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = conv3x3(3, 16)
        self.block1 = WideStage(blocks, 16, 16 * widen, 1)
        self.block2 = WideStage(blocks, 16 * widen, 32 * widen, 2)
        self.block3 = WideStage(blocks, 32 * widen, 64 * widen, 2)
        self.bn1 = nn.BatchNorm2d(64 * widen)
        self.fc = nn.Linear(64 * widen, classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(torch.relu(self.bn1(x)).mean((2, 3)))


def network(name):
    """The network that classify calls so: resnet101v2, cifar_resnet20v2, wide_resnet28_10."""
    if name.startswith("cifar_resnet"):
        depth, _, version = name.removeprefix("cifar_resnet").partition("v")
        return CifarNet((int(depth) - 2) // 6, int(version or 1))
    if name.startswith("wide_resnet"):
        depth, widen = name.removeprefix("wide_resnet").split("_")
        return WideNet(int(depth), int(widen))
    return listing({"resnet50v2": (3, 4, 6, 3), "resnet101v2": (3, 4, 23, 3), "resnet152v2": (3, 8, 36, 3)}[name])
