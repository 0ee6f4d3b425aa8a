"""Network in network (Lin 2013): convolutions of 1x1 after each larger one, and a mean over whole maps at the end."""

from torch import nn

from tests.peers.nets.blocks import GlobalMean


def mlpconv(inputs, widths, kernel, **options):
    """A convolution, then 1x1 ones, each with its ReLU."""
    first, *others = widths
    layers = [nn.Conv2d(inputs, first, kernel, **options), nn.ReLU()]
    for before, width in zip(widths, others, strict=False):
        layers += [nn.Conv2d(before, width, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def nin(classes, shape):
    """224x224x3 -> 1000, the authors' network for ImageNet: 7,595,176 parameters."""
    return nn.Sequential(
        mlpconv(shape[2], (96, 96, 96), 11, stride=4),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        mlpconv(96, (256, 256, 256), 5, padding=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        mlpconv(256, (384, 384, 384), 3, padding=1),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Dropout(0.5),
        mlpconv(384, (1024, 1024, classes), 3, padding=1),
        GlobalMean(),
    )


def nin_cifar(classes, shape):
    """32x32x3 -> 10: 966,986 parameters."""
    return nn.Sequential(
        mlpconv(shape[2], (192, 160, 96), 5, padding=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Dropout(0.5),
        mlpconv(96, (192, 192, 192), 5, padding=2),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Dropout(0.5),
        mlpconv(192, (192, 192, classes), 3, padding=1),
        GlobalMean(),
    )
