"""Residual networks whose normalisation and ReLU come before each convolution (He 2016, Identity mappings)."""

from torch import nn

from tests.peers.nets.blocks import GlobalMean
from tests.peers.nets.resnet import Padded


class PreActivation(nn.Module):
    """Steps of normalisation, ReLU, convolution; the sum is left as it is.

    steps: (width, kernel, stride) of each convolution. In the first block of a group, `first`, the shortcut starts from
    what the first normalisation and ReLU give, as in the authors' code. Where the channels change it is a 1x1 if
    `project`, else every second pixel and channels of zeros.
    """

    def __init__(self, inputs, steps, first, project):
        super().__init__()
        self.steps, self.first = nn.ModuleList(), first
        channels = inputs
        for width, kernel, stride in steps:
            conv = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
            self.steps.append(nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), conv))
            channels = width
        stride = steps[0][2]
        if channels == inputs:
            self.shortcut = nn.Identity()
        elif project:
            self.shortcut = nn.Conv2d(inputs, channels, 1, stride, bias=False)
        else:
            self.shortcut = Padded(stride, channels - inputs)

    def forward(self, x):
        """x and the result: maps."""
        active = self.steps[0][:2](x)
        y = self.steps[0][2](active)
        for step in self.steps[1:]:
            y = step(y)
        return y + self.shortcut(active if self.first else x)


def preact_resnet(classes, shape, layers, bottleneck):
    """32x32x3 -> 10 with 6 n + 2 layers of 3x3, or with 9 n + 2 in bottlenecks."""
    blocks, inputs = [], 16
    for width in (16, 32, 64):
        for place in range((layers - 2) // (9 if bottleneck else 6)):
            stride = 2 if width > 16 and not place else 1
            if bottleneck:
                steps = (width, 1, stride), (width, 3, 1), (4 * width, 1, 1)
            else:
                steps = (width, 3, stride), (width, 3, 1)
            blocks.append(PreActivation(inputs, steps, first=not place, project=bottleneck))
            inputs = steps[-1][0]
    return nn.Sequential(
        nn.Conv2d(shape[2], 16, 3, padding=1, bias=False),
        *blocks,
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        GlobalMean(),
        nn.Linear(inputs, classes),
    )
