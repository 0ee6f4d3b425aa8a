"""GoogLeNet: as in Szegedy 2014, with biases and response normalisation; and in torchvision's form.

In training both return (logits, logits of the first side head, of the second).
"""

import torch
from torch import nn

from tests.peers.nets.blocks import BasicConv2d, GlobalMean, flat_size, shape_after

# Channels of each module: 1x1; 3x3 after its 1x1; 5x5 after its 1x1; 1x1 after the pool (table 1 of the paper).
TABLE = {
    '3a': (64, 96, 128, 16, 32, 32),
    '3b': (128, 128, 192, 32, 96, 64),
    '4a': (192, 96, 208, 16, 48, 64),
    '4b': (160, 112, 224, 24, 64, 64),
    '4c': (128, 128, 256, 24, 64, 64),
    '4d': (112, 144, 288, 32, 64, 64),
    '4e': (256, 160, 320, 32, 128, 128),
    '5a': (256, 160, 320, 32, 128, 128),
    '5b': (384, 192, 384, 48, 128, 128),
}
HEADS = {'4a': 'aux1', '4d': 'aux2'}


def response_norm():
    """The numbers of the published Caffe model, whose alpha belongs to the mean, as PyTorch's does."""
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


def biased(inputs, outputs, kernel, **options):
    """A convolution with its bias, and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, **options), nn.ReLU())


class Inception(nn.Module):
    """Four branches; torchvision's third has a 3x3 where the paper has a 5x5. outputs: channels of the result."""

    def __init__(self, conv, inputs, widths, large):
        super().__init__()
        one, three_in, three, five_in, five, pooled = widths
        self.branch1 = conv(inputs, one, 1)
        self.branch2 = nn.Sequential(conv(inputs, three_in, 1), conv(three_in, three, 3, padding=1))
        self.branch3 = nn.Sequential(conv(inputs, five_in, 1), conv(five_in, five, large, padding=large // 2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, pooled, 1))
        self.outputs = one + three + five + pooled

    def forward(self, x):
        """x and the result: maps."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class SideHead(nn.Module):
    """The paper's side head: mean of 5x5 at stride 3, 1x1, two full layers.

    torchvision always takes 4x4 means instead, whose windows differ a little from the paper's.
    """

    def __init__(self, conv, shape, classes):
        super().__init__()
        self.pool = nn.AvgPool2d(5, 3)
        self.conv = conv(shape[2], 128, 1)
        self.fc1 = nn.Linear(flat_size(nn.Sequential(self.pool, self.conv), shape), 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        """x: maps -> logits [n, classes]."""
        x = torch.relu(self.fc1(self.conv(self.pool(x)).flatten(1)))
        return self.fc2(self.dropout(x))


class GoogLeNet(nn.Module):
    """224x224x3 -> 1000.

    normalised=False: the paper's, 6,998,552 parameters without the side heads. normalised=True: batch normalisation,
    no biases, 3x3 for 5x5, the last pool 2x2: 13,004,888 with them; the names are torchvision's.
    """

    def __init__(self, classes, shape, normalised):
        super().__init__()
        conv = BasicConv2d if normalised else biased
        respond = nn.Identity if normalised else response_norm
        self.conv1 = conv(shape[2], 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), respond())
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3, padding=1)
        self.maxpool2 = nn.Sequential(respond(), nn.MaxPool2d(3, 2, ceil_mode=True))
        self.line = ['conv1', 'maxpool1', 'conv2', 'conv3', 'maxpool2']
        channels = 192
        for name, widths in TABLE.items():
            if name in ('4a', '5a'):
                self.line.append(f'maxpool{int(name[0]) - 1}')
                kernel = 2 if normalised and name == '5a' else 3
                self.add_module(self.line[-1], nn.MaxPool2d(kernel, 2, ceil_mode=True))
            self.line.append(f'inception{name}')
            module = Inception(conv, channels, widths, 3 if normalised else 5)
            self.add_module(self.line[-1], module)
            channels = module.outputs
            if name in HEADS:
                _, *sides = shape_after([getattr(self, each) for each in self.line], shape)
                self.add_module(HEADS[name], SideHead(conv, (*sides, channels), classes))
        self.mean = GlobalMean()
        self.dropout = nn.Dropout(0.2 if normalised else 0.4)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]; in training, followed by those of the side heads."""
        side_logits = []
        for name in self.line:
            x = getattr(self, name)(x)
            head = HEADS.get(name.removeprefix('inception'))
            if self.training and head:
                side_logits.append(getattr(self, head)(x))
        logits = self.fc(self.dropout(self.mean(x)))
        return (logits, *side_logits) if self.training else logits
