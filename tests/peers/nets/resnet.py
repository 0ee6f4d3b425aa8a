"""Residual networks: for ImageNet with torchvision's names, for CIFAR-10 (both He 2015), and MLPerf Tiny's."""

import torch
from torch import nn
from torch.nn import functional

from tests.peers.nets.blocks import GlobalMean

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Basic(nn.Module):
    """Two 3x3 and a shortcut. shortcut: a module, or None for the input as it is."""

    expansion = 1

    def __init__(self, inputs, width, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        """x and the result: maps."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times the channels. first: whether the stride is the first 1x1's, else the 3x3's."""

    expansion = 4

    def __init__(self, inputs, width, stride, downsample, first=False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, stride if first else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1 if first else stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = downsample

    def forward(self, x):
        """x and the result: maps."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """224x224x3 -> 1000: 11,689,512 / 21,797,672 / 25,557,032 / 44,549,160 / 60,192,808 parameters with 18 to 152
    layers. paper: the bottleneck's stride in its first 1x1, as in 2015."""

    def __init__(self, classes, shape, layers, paper=False):
        super().__init__()
        kind, options = (Basic, {}) if layers < 50 else (Bottleneck, {'first': paper})
        self.conv1 = nn.Conv2d(shape[2], 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        inputs = 64
        for group, count in enumerate(BLOCKS[layers]):
            blocks, width = [], 64 << group
            for place in range(count):
                stride = 2 if group and not place else 1
                outputs = kind.expansion * width
                project = None
                if stride > 1 or inputs != outputs:
                    project = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
                blocks.append(kind(inputs, width, stride, project, **options))
                inputs = outputs
            self.add_module(f'layer{group + 1}', nn.Sequential(*blocks))
        self.mean = GlobalMean()
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        return self.fc(self.mean(self.layer4(self.layer3(self.layer2(self.layer1(x))))))


class Padded(nn.Module):
    """The shortcut without parameters (option A of the paper): every second pixel, and channels of zeros."""

    def __init__(self, stride, more):
        super().__init__()
        self.stride, self.more = stride, more

    def forward(self, x):
        """x [n, c, h, w] -> [n, c + more, h', w']."""
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def cifar_resnet(classes, shape, layers):
    """32x32x3 -> 10 with 6 n + 2 layers: 269,722 parameters with 20, 1,727,962 with 110."""
    blocks, inputs = [], 16
    for width in (16, 32, 64):
        for place in range((layers - 2) // 6):
            stride = 2 if width > 16 and not place else 1
            shortcut = Padded(stride, width - inputs) if stride > 1 else None
            blocks.append(Basic(inputs, width, stride, shortcut))
            inputs = width
    return nn.Sequential(
        nn.Conv2d(shape[2], 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        GlobalMean(),
        nn.Linear(64, classes),
    )


class ResNet8(nn.Module):
    """32x32x3 -> 10, MLPerf Tiny's: biases beside the normalisations, windows at stride 2 placed as TensorFlow's."""

    def __init__(self, classes, shape):
        super().__init__()
        self.stem = self.unit(shape[2], 16, 1)
        self.blocks = nn.ModuleList()
        for inputs, width in ((16, 16), (16, 32), (32, 64)):
            stride = 1 if inputs == width else 2
            block = nn.ModuleDict({'first': self.unit(inputs, width, stride), 'second': self.unit(width, width, 1)})
            if stride == 2:
                block['shortcut'] = nn.Conv2d(inputs, width, 1, 2)
            self.blocks.append(block)
        self.mean = GlobalMean()
        self.dense = nn.Linear(64, classes)

    @staticmethod
    def unit(inputs, width, stride):
        """Convolution of 3x3 and normalisation; at stride 2 even sides are padded below and on the right alone."""
        frame = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)
        return nn.Sequential(frame, nn.Conv2d(inputs, width, 3, stride), nn.BatchNorm2d(width, eps=1e-3))

    def forward(self, x):
        """x [n, c, h, w] with even sides -> logits [n, classes]."""
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            y = block['second'](torch.relu(block['first'](x)))
            x = torch.relu(y + (block['shortcut'](x) if 'shortcut' in block else x))
        return self.dense(self.mean(x))
