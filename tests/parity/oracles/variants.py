"""The residual units that He et al. compare in "Identity Mappings in Deep Residual Networks" (arXiv 1603.05027), written
from the paper: six shortcuts (figure 2, table 1) and five placements of the activation (figure 4, table 2). Needs only
torch.

"BN layers are adopted right after the weight layers for all units" (figure 2) holds for the 1x1 convolution on a
shortcut; a gate is sigmoid(W x + b), a 1x1 convolution with a bias (section 3.1). Where the shape changes, a shortcut
without weights takes every second pixel and pads channels with zeros (He et al. 2015, option A).
"""
import torch
from torch import nn

SHORTCUTS = ("identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "convolution", "dropout")
PLACEMENTS = ("original", "norm_after_addition", "relu_before_addition", "relu_only_preactivation", "full_preactivation")


class Unit(nn.Module):
    """One residual unit: two 3x3 convolutions, or with `bottleneck` 1x1, 3x3 and 1x1 to four times the filters."""

    def __init__(self, channels, filters, stride=1, shortcut="identity", placement="original", bottleneck=False,
                 first=False):
        super().__init__()
        self.shortcut, self.placement, self.stride, self.first = shortcut, placement, stride, first
        if bottleneck:
            convs = [(channels, filters, 1, 1), (filters, filters, 3, stride), (filters, 4 * filters, 1, 1)]
        else:
            convs = [(channels, filters, 3, stride), (filters, filters, 3, 1)]
        self.channels = convs[-1][1]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, k, s, k // 2, bias=False) for i, o, k, s in convs)
        last_norm = placement in ("original", "relu_before_addition", "relu_only_preactivation")
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o, _, _ in (convs if last_norm else convs[:-1]))
        if placement == "norm_after_addition":
            self.sum_norm = nn.BatchNorm2d(self.channels)
        if placement == "full_preactivation":
            self.preact_norm = nn.BatchNorm2d(channels)
        if shortcut == "convolution":
            self.short_conv = nn.Conv2d(channels, self.channels, 1, stride, bias=False)
            if last_norm:
                self.short_norm = nn.BatchNorm2d(self.channels)
        if shortcut in ("exclusive_gating", "shortcut_only_gating"):
            self.short_conv = nn.Conv2d(channels, self.channels, 1, stride, bias=True)
        if shortcut == "dropout":
            self.drop = nn.Dropout(0.5)

    def preactivate(self, x):
        if self.placement == "full_preactivation":
            return torch.relu(self.preact_norm(x))
        if self.placement == "relu_only_preactivation":
            return torch.relu(x)
        return x

    def residual(self, x):
        """F(x)"""
        for conv, norm in zip(self.convs[:-1], self.norms):
            x = torch.relu(norm(conv(x)))
        x = self.convs[-1](x)
        if len(self.norms) == len(self.convs):
            x = self.norms[-1](x)
        return torch.relu(x) if self.placement == "relu_before_addition" else x

    def identity(self, x):
        """The path without weights."""
        x = x[:, :, ::self.stride, ::self.stride]
        more = self.channels - x.shape[1]
        return nn.functional.pad(x, (0, 0, 0, 0, more // 2, more - more // 2)) if more else x

    def forward(self, x):
        activated = self.preactivate(x)
        residual = self.residual(activated)
        if self.first or self.shortcut == "convolution":
            x = activated
        if self.shortcut == "identity":
            y = residual + self.identity(x)
        elif self.shortcut == "constant_scaling":
            y = 0.5 * residual + 0.5 * self.identity(x)
        elif self.shortcut == "exclusive_gating":
            g = torch.sigmoid(self.short_conv(x))
            y = g * residual + (1 - g) * self.identity(x)
        elif self.shortcut == "shortcut_only_gating":
            y = residual + (1 - torch.sigmoid(self.short_conv(x))) * self.identity(x)
        elif self.shortcut == "convolution":
            h = self.short_conv(x)
            y = residual + (self.short_norm(h) if hasattr(self, "short_norm") else h)
        elif self.shortcut == "dropout":
            y = residual + self.drop(self.identity(x))
        if self.placement == "original":
            return torch.relu(y)
        if self.placement == "norm_after_addition":
            return torch.relu(self.sum_norm(y))
        return y


class VariantNet(nn.Module):
    """The CIFAR network of one kind of unit: 3 stages of 16, 32 and 64 filters."""

    def __init__(self, blocks, shortcut="identity", placement="original", bottleneck=False, classes=10):
        super().__init__()
        self.placement = placement
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        if placement != "full_preactivation":
            self.norm1 = nn.BatchNorm2d(16)
        stages, channels = [], 16
        for stage, filters in enumerate((16, 32, 64)):
            units = []
            for block in range(blocks):
                first = block == 0 and "preactivation" in placement
                unit = Unit(channels, filters, 2 if stage and block == 0 else 1, shortcut, placement, bottleneck, first)
                units.append(unit)
                channels = unit.channels
            stages.append(nn.Sequential(*units))
        self.stages = nn.Sequential(*stages)
        if placement == "full_preactivation":
            self.last_norm = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.conv1(x)
        if hasattr(self, "norm1"):
            x = self.norm1(x)
        if "preactivation" not in self.placement:
            x = torch.relu(x)
        x = self.stages(x)
        if hasattr(self, "last_norm"):
            x = self.last_norm(x)
        if "preactivation" in self.placement:
            x = torch.relu(x)
        return self.fc(x.mean((2, 3)))
