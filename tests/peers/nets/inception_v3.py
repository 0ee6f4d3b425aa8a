"""Inception-v2 and v3 (Szegedy 2015), with batch normalisation after every convolution."""

from torch import nn

from tests.peers.nets.blocks import BasicConv2d, GlobalMean
from tests.peers.nets.inception_modules import SideHead, module_a, module_b, module_c, reduction_a, reduction_b


class Inception(nn.Module):
    """A stem and the modules above it, with torchvision's names.

    stem: {name: module}, which gives 35x35x`channels`. pools: of each 35x35 module, the channels behind its pool;
    middle: see module_a; outside: see mean_of_3x3. In training the result is (logits, logits of the side head) if there
    is one.
    """

    def __init__(self, classes, stem, channels, pools, middle=5, outside=False, side_head=False, **normal):
        super().__init__()
        for name, module in stem.items():
            self.add_module(name, module)
        for letter, pooled in zip('bcd', pools, strict=False):
            module = module_a(channels, pooled, outside, middle, **normal)
            self.add_module(f'Mixed_5{letter}', module)
            channels = module.outputs
        self.Mixed_6a = reduction_a(channels, **normal)
        for letter, chn in zip('bcde', (128, 160, 160, 192), strict=True):
            self.add_module(f'Mixed_6{letter}', module_b(768, chn, outside, **normal))
        self.Mixed_7a = reduction_b(768, **normal)
        self.Mixed_7b = module_c(1280, outside, **normal)
        self.Mixed_7c = module_c(2048, outside, **normal)
        self.trunk = [name for name, _ in self.named_children()]
        self.mean = GlobalMean()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(2048, classes)
        self.AuxLogits = SideHead(768, classes, **normal) if side_head else None

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]; in training, followed by those of the side head."""
        side = None
        for name in self.trunk:
            x = getattr(self, name)(x)
            if name == 'Mixed_6e' and self.training and self.AuxLogits is not None:
                side = self.AuxLogits(x)
        logits = self.fc(self.dropout(self.mean(x)))
        return logits if side is None else (logits, side)


def start(inputs, **normal):
    """The first three convolutions and the pool: 299x299x3 -> 73x73x64."""
    return {
        'Conv2d_1a_3x3': BasicConv2d(inputs, 32, 3, stride=2, **normal),
        'Conv2d_2a_3x3': BasicConv2d(32, 32, 3, **normal),
        'Conv2d_2b_3x3': BasicConv2d(32, 64, 3, padding=1, **normal),
        'maxpool1': nn.MaxPool2d(3, 2),
    }


def inception_v2(classes, shape):
    """299x299x3 -> 1000: table 1 of the paper, whose modules are figures 5 to 7; of the first two rows of modules the
    last one halves the sides."""
    stem = {
        **start(shape[2]),
        'Conv2d_3b_3x3': BasicConv2d(64, 80, 3),
        'Conv2d_4a_3x3': BasicConv2d(80, 192, 3, stride=2),
        'Conv2d_4b_3x3': BasicConv2d(192, 288, 3, padding=1),
    }
    return Inception(classes, stem, 288, (64, 64), middle=3)


def inception_v3(classes, shape, scale=False, side_head=False, outside=False):
    """299x299x3 -> 1000.

    As in Keras 23,817,352 parameters, or 23,834,568 with the scales of the normalisations; with scale, side_head and
    outside, as in torchvision, 27,161,264.
    """
    stem = {
        **start(shape[2], scale=scale),
        'Conv2d_3b_1x1': BasicConv2d(64, 80, 1, scale=scale),
        'Conv2d_4a_3x3': BasicConv2d(80, 192, 3, scale=scale),
        'maxpool2': nn.MaxPool2d(3, 2),
    }
    return Inception(classes, stem, 192, (32, 64, 64), outside=outside, side_head=side_head, scale=scale)
