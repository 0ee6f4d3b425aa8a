"""What several families of networks share. Maps are [n, c, h, w]; the names of submodules are torchvision's."""

import torch
from torch import nn


class BasicConv2d(nn.Module):
    """Convolution without bias, batch normalisation, ReLU.

    scale: whether the normalisation learns a scale; where it does not, it is 1. options: of nn.Conv2d.
    """

    def __init__(self, inputs, outputs, kernel, eps=1e-3, scale=True, **options):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, bias=False, **options)
        self.bn = normalisation(outputs, eps, scale)

    def forward(self, x):
        """x and the result: maps."""
        return torch.relu(self.bn(self.conv(x)))


class Branches(nn.ModuleList):
    """Modules that read the same maps; their channels side by side."""

    def forward(self, x):
        """x and the result: maps."""
        return torch.cat([branch(x) for branch in self], dim=1)


class GlobalMean(nn.Module):
    """The mean of every map."""

    def forward(self, x):
        """x [n, c, h, w] -> [n, c]."""
        return x.mean((2, 3))


def normalisation(channels, eps, scale=True):
    """nn.BatchNorm2d; with scale=False its scale is 1 and stays so."""
    norm = nn.BatchNorm2d(channels, eps=eps)
    norm.weight.requires_grad_(scale)
    return norm


def same(kernel):
    """The padding that keeps the sides at stride 1, for an odd kernel: a number or a pair."""
    return kernel // 2 if isinstance(kernel, int) else tuple(size // 2 for size in kernel)


def mean_of_3x3(outside=False):
    """The mean of the pixels around each place; outside: whether places beyond the edges count, as zeros."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=outside)


def shape_after(modules, shape):
    """What a picture or map of shape (h, w, c) becomes in modules one after the other: [n, ...] without the n."""
    line = nn.Sequential(*modules)
    x = torch.zeros(1, shape[2], *shape[:2], device=next(line.parameters()).device)
    with torch.no_grad():
        outcome = line.eval()(x).shape[1:]
    line.train()
    return outcome


def flat_size(module, shape):
    """How many numbers a picture or map of shape (h, w, c) becomes in a module."""
    return shape_after([module], shape).numel()


def full_layers(inputs, widths, classes, dropout=0.0):
    """Full layers with ReLU and dropout in torchvision's order, then one to the classes."""
    layers = []
    for width in widths:
        layers += [nn.Dropout(dropout), nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))
