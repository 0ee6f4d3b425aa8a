"""The modules of Inception-v2 and v3 (Szegedy 2015) and their side head, with torchvision's names."""

import torch
from torch import nn

from tests.peers.nets.blocks import BasicConv2d, GlobalMean, mean_of_3x3, same


class Lines(nn.Module):
    """Branches side by side, whose convolutions are attributes of this module, by the names of torchvision.

    branches: lists of steps, each (name, channels, kernel) or (name, channels, kernel, stride), where stride 2 has no
    padding; (name, module) for a pool; or a list of steps that fork, as the last of a branch. outputs: channels.
    """

    def __init__(self, inputs, *branches, **normal):
        super().__init__()
        self.branches, self.outputs = [], 0
        for branch in branches:
            line, channels = self.line(inputs, branch, normal)
            self.branches.append(line)
            self.outputs += channels

    def line(self, channels, steps, normal):
        """Make a branch; returns the names of its modules in order, and how many channels leave it."""
        names = []
        for step in steps:
            if isinstance(step, list):
                forks = [self.line(channels, [each], normal) for each in step]
                names.append([line for line, _ in forks])
                channels = sum(count for _, count in forks)
                continue
            name, *what = step
            names.append(name)
            if isinstance(what[0], nn.Module):
                self.add_module(name, what[0])
                continue
            width, kernel, stride = (*what, 1)[:3]
            options = {'stride': stride, 'padding': same(kernel) if stride == 1 else 0}
            self.add_module(name, BasicConv2d(channels, width, kernel, **normal, **options))
            channels = width
        return names, channels

    def run(self, names, x):
        """One branch's result."""
        for name in names:
            x = getattr(self, name)(x) if isinstance(name, str) else torch.cat([self.run(n, x) for n in name], dim=1)
        return x

    def forward(self, x):
        """x and the result: maps."""
        return torch.cat([self.run(names, x) for names in self.branches], dim=1)


def module_a(inputs, pooled, outside, middle=5, **normal):
    """35x35: figure 5, but for the second branch, in which v3 keeps the 5x5 of GoogLeNet; middle: its kernel."""
    return Lines(
        inputs,
        [('branch1x1', 64, 1)],
        [('branch5x5_1', 48, 1), ('branch5x5_2', 64, middle)],
        [('branch3x3dbl_1', 64, 1), ('branch3x3dbl_2', 96, 3), ('branch3x3dbl_3', 96, 3)],
        [('pool', mean_of_3x3(outside)), ('branch_pool', pooled, 1)],
        **normal,
    )


def reduction_a(inputs, **normal):
    """35x35 -> 17x17."""
    return Lines(
        inputs,
        [('branch3x3', 384, 3, 2)],
        [('branch3x3dbl_1', 64, 1), ('branch3x3dbl_2', 96, 3), ('branch3x3dbl_3', 96, 3, 2)],
        [('pool', nn.MaxPool2d(3, 2))],
        **normal,
    )


def module_b(inputs, chn, outside, **normal):
    """17x17: 7x7 in pieces (figure 6)."""
    row, column = (1, 7), (7, 1)
    return Lines(
        inputs,
        [('branch1x1', 192, 1)],
        [('branch7x7_1', chn, 1), ('branch7x7_2', chn, row), ('branch7x7_3', 192, column)],
        [
            ('branch7x7dbl_1', chn, 1),
            ('branch7x7dbl_2', chn, column),
            ('branch7x7dbl_3', chn, row),
            ('branch7x7dbl_4', chn, column),
            ('branch7x7dbl_5', 192, row),
        ],
        [('pool', mean_of_3x3(outside)), ('branch_pool', 192, 1)],
        **normal,
    )


def reduction_b(inputs, **normal):
    """17x17 -> 8x8."""
    return Lines(
        inputs,
        [('branch3x3_1', 192, 1), ('branch3x3_2', 320, 3, 2)],
        [
            ('branch7x7x3_1', 192, 1),
            ('branch7x7x3_2', 192, (1, 7)),
            ('branch7x7x3_3', 192, (7, 1)),
            ('branch7x7x3_4', 192, 3, 2),
        ],
        [('pool', nn.MaxPool2d(3, 2))],
        **normal,
    )


def module_c(inputs, outside, **normal):
    """8x8: branches that branch again (figure 7)."""
    return Lines(
        inputs,
        [('branch1x1', 320, 1)],
        [('branch3x3_1', 384, 1), [('branch3x3_2a', 384, (1, 3)), ('branch3x3_2b', 384, (3, 1))]],
        [
            ('branch3x3dbl_1', 448, 1),
            ('branch3x3dbl_2', 384, 3),
            [('branch3x3dbl_3a', 384, (1, 3)), ('branch3x3dbl_3b', 384, (3, 1))],
        ],
        [('pool', mean_of_3x3(outside)), ('branch_pool', 192, 1)],
        **normal,
    )


class SideHead(nn.Module):
    """The side head with batch normalisation: mean of 5x5 at stride 3, 1x1, 5x5 to a single place, full layer."""

    def __init__(self, inputs, classes, **normal):
        super().__init__()
        self.pool = nn.AvgPool2d(5, 3)
        self.conv0 = BasicConv2d(inputs, 128, 1, **normal)
        self.conv1 = BasicConv2d(128, 768, 5, **normal)
        self.mean = GlobalMean()
        self.fc = nn.Linear(768, classes)

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]."""
        return self.fc(self.mean(self.conv1(self.conv0(self.pool(x)))))
