"""AlexNet, from Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional networks".

Five convolutions and three full layers, with ReLU, dropout, overlapping pools, and a normalisation across neighbouring
channels. The paper's network was cut in two, because one graphics card of the time could not hold it: `alexnet_towers`
has the three convolutions whose two groups of channels do not see each other. `alexnet` is the same in one piece.
`alexnet_owt` is the later form of "One weird trick for parallelizing convolutional neural networks" (Krizhevsky 2014),
with fewer channels and without the normalisation, of which libraries have weights.

The paper speaks of pictures of 224 pixels, but its 55x55 maps come from 227.
"""

from chapters.nets.network import Network, alone
from chapters.nets.shorthand import conv, dropout, full, maximum, padded, serial

POOL = maximum(3, 2, padding=0)
NORM = ['lrn', {'size': 5, 'alpha': 1e-4, 'beta': 0.75, 'k': 2.0}]


def alexnet(groups):
    """The paper's layers, the second, fourth and fifth convolution in so many groups."""
    return serial(
        conv(11, 96, stride=4, padding=0),
        NORM,
        POOL,
        padded(5, 256, groups=groups),
        NORM,
        POOL,
        padded(3, 384),
        padded(3, 384, groups=groups),
        padded(3, 256, groups=groups),
        POOL,
        full(4096),
        dropout(0.5),
        full(4096),
        dropout(0.5),
    )


MACROS = {
    # 227x227x3 -> 1000.
    'alexnet': alexnet(1),
    'alexnet_towers': alexnet(2),
    # 224x224x3 -> 1000.
    'alexnet_owt': serial(
        conv(11, 64, stride=4, padding=2),
        POOL,
        padded(5, 192),
        POOL,
        padded(3, 384),
        padded(3, 256),
        padded(3, 256),
        POOL,
        dropout(0.5),
        full(4096),
        dropout(0.5),
        full(4096),
    ),
}


def torchvision_names():
    """As torchvision calls the layers: the places of those with weights in its two lists."""
    return alone(*(f'features.{n}' for n in (0, 3, 6, 8, 10)), *(f'classifier.{n}' for n in (1, 4, 6)))


SOURCE = {
    'year': 2012,
    'authors': 'Krizhevsky, Sutskever and Hinton',
    'paper': 'ImageNet classification with deep convolutional neural networks',
    'classes': 1000,
    'layers': 8,
}

NETWORKS = (
    Network(
        'alexnet',
        **SOURCE,
        input_shape=(227, 227, 3),
        parameters=62_378_344,
        hconfigs=['custom', {'name': 'alexnet'}],
    ),
    # The count of Caffe's bvlc_alexnet, whose groups are the paper's: conv 34,944 + 307,456 + 885,120 + 663,936 +
    # 442,624, full 37,752,832 + 16,781,312 + 4,097,000. The paper says "60 million".
    Network(
        'alexnet_towers',
        **SOURCE,
        input_shape=(227, 227, 3),
        parameters=60_965_224,
        hconfigs=['custom', {'name': 'alexnet_towers'}],
    ),
    Network(
        'alexnet_owt',
        **SOURCE
        | {
            'year': 2014,
            'authors': 'Krizhevsky',
            'paper': 'One weird trick for parallelizing convolutional neural networks',
        },
        input_shape=(224, 224, 3),
        parameters=61_100_840,
        hconfigs=['custom', {'name': 'alexnet_owt'}],
        published=torchvision_names,
        prepare='imagenet',
    ),
)
