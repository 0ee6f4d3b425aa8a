"""Inception-v4 (Szegedy 2016) as its authors published it (TF-slim), with batch normalisation without scale there."""

from torch import nn

from tests.peers.nets.blocks import BasicConv2d, Branches, GlobalMean, mean_of_3x3, same

ROW, COLUMN = (1, 7), (7, 1)


def line(inputs, *steps, **normal):
    """Convolutions one after the other: (channels, kernel), keeping the sides; (channels, kernel, stride) without
    padding."""
    layers = []
    for width, kernel, *stride in steps:
        options = {'stride': stride[0]} if stride else {'padding': same(kernel)}
        layers.append(BasicConv2d(inputs, width, kernel, **normal, **options))
        inputs = width
    return nn.Sequential(*layers)


def stem(inputs, **normal):
    """299x299x3 -> 35x35x384 (figure 3)."""
    return nn.Sequential(
        line(inputs, (32, 3, 2), (32, 3, 1), (64, 3), **normal),
        Branches([nn.MaxPool2d(3, 2), line(64, (96, 3, 2), **normal)]),
        Branches(
            [
                line(160, (64, 1), (96, 3, 1), **normal),
                line(160, (64, 1), (64, ROW), (64, COLUMN), (96, 3, 1), **normal),
            ]
        ),
        Branches([line(192, (192, 3, 2), **normal), nn.MaxPool2d(3, 2)]),
    )


def module_a(**normal):
    """35x35x384 (figure 4)."""
    return Branches(
        [
            line(384, (96, 1), **normal),
            line(384, (64, 1), (96, 3), **normal),
            line(384, (64, 1), (96, 3), (96, 3), **normal),
            nn.Sequential(mean_of_3x3(), line(384, (96, 1), **normal)),
        ]
    )


def reduction_a(inputs, widths, **normal):
    """35x35 -> 17x17 (figure 7); widths: k, l, m, n of table 1."""
    first, second, third, alone = widths
    return Branches(
        [
            line(inputs, (alone, 3, 2), **normal),
            line(inputs, (first, 1), (second, 3), (third, 3, 2), **normal),
            nn.MaxPool2d(3, 2),
        ]
    )


def module_b(**normal):
    """17x17x1024 (figure 5)."""
    return Branches(
        [
            line(1024, (384, 1), **normal),
            line(1024, (192, 1), (224, ROW), (256, COLUMN), **normal),
            line(1024, (192, 1), (192, COLUMN), (224, ROW), (224, COLUMN), (256, ROW), **normal),
            nn.Sequential(mean_of_3x3(), line(1024, (128, 1), **normal)),
        ]
    )


def reduction_b(**normal):
    """17x17 -> 8x8 (figure 8)."""
    return Branches(
        [
            line(1024, (192, 1), (192, 3, 2), **normal),
            line(1024, (256, 1), (256, ROW), (320, COLUMN), (320, 3, 2), **normal),
            nn.MaxPool2d(3, 2),
        ]
    )


def module_c(**normal):
    """8x8x1536 (figure 6)."""

    def fork(inputs):
        return Branches([line(inputs, (256, (1, 3)), **normal), line(inputs, (256, (3, 1)), **normal)])

    return Branches(
        [
            line(1536, (256, 1), **normal),
            nn.Sequential(line(1536, (384, 1), **normal), fork(384)),
            nn.Sequential(line(1536, (384, 1), (448, (3, 1)), (512, (1, 3)), **normal), fork(512)),
            nn.Sequential(mean_of_3x3(), line(1536, (256, 1), **normal)),
        ]
    )


def inception_v4(classes, shape, scale=True):
    """299x299x3 -> 1000: 42,679,816 parameters with the scales of the normalisations."""
    normal = {'scale': scale}
    return nn.Sequential(
        stem(shape[2], **normal),
        *[module_a(**normal) for _ in range(4)],
        reduction_a(384, (192, 224, 256, 384), **normal),
        *[module_b(**normal) for _ in range(7)],
        reduction_b(**normal),
        *[module_c(**normal) for _ in range(3)],
        GlobalMean(),
        nn.Dropout(0.2),
        nn.Linear(1536, classes),
    )
