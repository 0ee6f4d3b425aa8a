"""Inception-ResNet-v1 as in Szegedy 2016, and v2 as its authors published it (Keras' form)."""

import torch
from torch import nn

from tests.peers.nets.blocks import Branches, GlobalMean, mean_of_3x3
from tests.peers.nets.inception_v4 import line, reduction_a


class Residual(nn.Module):
    """x plus `scale` times what the branches, joined by a 1x1 with bias, make of it; then ReLU, or nothing."""

    def __init__(self, branches, joined, channels, scale, last=False):
        super().__init__()
        self.branches = Branches(branches)
        self.up = nn.Conv2d(joined, channels, 1)
        self.scale, self.last = scale, last

    def forward(self, x):
        """x and the result: maps of the same shape."""
        x = x + self.scale * self.up(self.branches(x))
        return x if self.last else torch.relu(x)


def stem(inputs, *more, **normal):
    """299x299x3 -> 71x71x192, and what follows (figure 14)."""
    return nn.Sequential(
        line(inputs, (32, 3, 2), (32, 3, 1), (64, 3), **normal),
        nn.MaxPool2d(3, 2),
        line(64, (80, 1), (192, 3, 1), *more, **normal),
    )


def residual(channels, steps, factor, normal, last=False):
    """A residual block with `factor` before the sum; steps: of each branch, see `line`."""
    lines = [line(channels, *each, **normal) for each in steps]
    return Residual(lines, sum(each[-1][0] for each in steps), channels, factor, last)


def end(channels, classes):
    """The mean of every map, dropout, a full layer."""
    return GlobalMean(), nn.Dropout(0.2), nn.Linear(channels, classes)


def reduction_b(channels, second, middle, third, **normal):
    """17x17 -> 8x8 (figures 12 and 18); widths: of the second branch; of the third in its middle and at its end."""
    return Branches(
        [
            line(channels, (256, 1), (384, 3, 2), **normal),
            line(channels, (256, 1), (second, 3, 2), **normal),
            line(channels, (256, 1), (middle, 3), (third, 3, 2), **normal),
            nn.MaxPool2d(3, 2),
        ]
    )


def inception_resnet_v1(classes, shape, scale=False):
    """299x299x3 -> 1000 (figures 10 to 15)."""
    normal = {'scale': scale}

    def small():
        steps = [(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]
        return residual(256, steps, 0.17, normal)

    def middle():
        return residual(896, ([(128, 1)], [(128, 1), (128, (1, 7)), (128, (7, 1))]), 0.1, normal)

    def large():
        return residual(1792, ([(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]), 0.2, normal)

    return nn.Sequential(
        stem(shape[2], (256, 3, 2), **normal),
        *[small() for _ in range(5)],
        reduction_a(256, (192, 192, 256, 384), **normal),
        *[middle() for _ in range(10)],
        reduction_b(896, 256, 256, 256, **normal),
        *[large() for _ in range(5)],
        *end(1792, classes),
    )


def inception_resnet_v2(classes, shape, scale=False):
    """299x299x3 -> 1000: 55,813,192 parameters, or 55,843,464 with the scales of the normalisations."""
    normal = {'scale': scale}

    def small():
        steps = [(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]
        return residual(320, steps, 0.17, normal)

    def middle():
        return residual(1088, ([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]), 0.1, normal)

    def large(factor, last=False):
        return residual(2080, ([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]), factor, normal, last)

    mixed_5b = Branches(
        [
            line(192, (96, 1), **normal),
            line(192, (48, 1), (64, 5), **normal),
            line(192, (64, 1), (96, 3), (96, 3), **normal),
            nn.Sequential(mean_of_3x3(), line(192, (64, 1), **normal)),
        ]
    )
    return nn.Sequential(
        stem(shape[2], **normal),
        nn.MaxPool2d(3, 2),
        mixed_5b,
        *[small() for _ in range(10)],
        reduction_a(320, (256, 256, 384, 384), **normal),
        *[middle() for _ in range(20)],
        reduction_b(1088, 288, 288, 320, **normal),
        *[large(0.2) for _ in range(9)],
        large(1.0, last=True),
        line(2080, (1536, 1), **normal),
        *end(1536, classes),
    )
