"""SqueezeNet v1.0 (Iandola 2016), with the names of its authors' Caffe network."""

import torch
from torch import nn

from tests.peers.nets.blocks import GlobalMean

# Channels of each fire module: of its 1x1 that squeezes, and of each of the two that expand.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}
POOLED = (4, 8)


class SqueezeNet(nn.Module):
    """227x227x3 -> 1000: 1,248,424 parameters. features: only up to the maps of fire9, and a mean and full layer."""

    def __init__(self, classes, shape, features=False):
        super().__init__()
        self.add_module('conv1', nn.Conv2d(shape[2], 96, 7, stride=2))
        inputs = 96
        for fire, (squeezed, expanded) in FIRES.items():
            self.add_module(f'fire{fire}/conv1x1_1', nn.Conv2d(inputs, squeezed, 1))
            self.add_module(f'fire{fire}/conv1x1_2', nn.Conv2d(squeezed, expanded, 1))
            self.add_module(f'fire{fire}/conv3x3_2', nn.Conv2d(squeezed, expanded, 3, padding=1))
            inputs = 2 * expanded
        self.pool, self.mean, self.dropout = nn.MaxPool2d(3, 2, ceil_mode=True), GlobalMean(), nn.Dropout(0.5)
        self.features = features
        if features:
            self.fc = nn.Linear(inputs, classes)
        else:
            self.conv_final = nn.Conv2d(inputs, classes, 1, padding=1)

    def layer(self, name, x):
        """A convolution and ReLU."""
        return torch.relu(getattr(self, name)(x))

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]."""
        x = self.pool(self.layer('conv1', x))
        for fire in FIRES:
            x = self.layer(f'fire{fire}/conv1x1_1', x)
            x = torch.cat([self.layer(f'fire{fire}/conv{size}_2', x) for size in ('1x1', '3x3')], dim=1)
            if fire in POOLED:
                x = self.pool(x)
        x = self.dropout(x)
        return self.fc(self.mean(x)) if self.features else self.mean(self.layer('conv_final', x))
