"""GoogLeNet (Inception-v1), from Szegedy et al. 2014, "Going deeper with convolutions".

A module looks at its maps with 1x1, 3x3 and 5x5 side by side, each of the larger ones after a 1x1 that makes the
channels fewer. In training two small heads on the way ask for the classes as well (loss weight 0.3), so that gradients
reach the lower layers. `googlenet` is the paper's, with biases and the normalisation across channels. `googlenet_bn` is
the form of which libraries have weights, with batch normalisation, 3x3 in place of the 5x5, and a last pool of 2x2.
"""

from chapters.nets.network import Network, alone
from chapters.nets.shorthand import (
    average,
    custom,
    dropout,
    full,
    global_average,
    maximum,
    normed,
    padded,
    parallel,
    serial,
)

# The paper's table: 1x1, 1x1 before 3x3, 3x3, 1x1 before 5x5, 5x5, 1x1 after the pool.
COLUMNS = ('#1x1', '#reduce3', '#3x3', '#reduce5', '#5x5', '#pool')
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
# The paper names no numbers for it; these are of the published Caffe model, whose alpha counts for all 5 together.
NORM = ['lrn', {'size': 5, 'alpha': 2e-5, 'beta': 0.75, 'k': 1.0}]


def blocks(name, convolution, largest):
    """The module and the head of a network, as macros; largest: the side of the largest kernel."""
    return {
        f'{name}_module': parallel(
            convolution(1, '#1x1'),
            serial(convolution(1, '#reduce3'), convolution(3, '#3x3')),
            serial(convolution(1, '#reduce5'), convolution(largest, '#5x5')),
            serial(maximum(3, 1, padding=1), convolution(1, '#pool')),
        ),
        # On 14x14.
        f'{name}_head': [
            'auxiliary',
            {'weight': 0.3},
            average(5, 3, padding=0),
            convolution(1, 128),
            full(1024),
            dropout(0.3),
        ],
    }


def network(name, convolution, norms, last_pool, keep_prob):
    """A whole network. norms: the layers after the first pool and before the second."""
    halve = maximum(3, 2, padding=0, ceil=True)
    head = custom(f'{name}_head')

    def modules(*rows):
        return [custom(f'{name}_module', zip(COLUMNS, TABLE[row], strict=True)) for row in rows]

    return serial(
        convolution(7, 64, stride=2),
        halve,
        *norms,
        convolution(1, 64),
        convolution(3, 192),
        *norms,
        halve,
        *modules('3a', '3b'),
        halve,
        *modules('4a'),
        head,
        *modules('4b', '4c', '4d'),
        head,
        *modules('4e'),
        last_pool,
        *modules('5a', '5b'),
        global_average(),
        dropout(keep_prob),
    )


MACROS = {
    **blocks('googlenet', padded, 5),
    **blocks('googlenet_bn', normed, 3),
    # 224x224x3 -> 1000.
    'googlenet': network('googlenet', padded, [NORM], maximum(3, 2, padding=0, ceil=True), 0.6),
    'googlenet_bn': network('googlenet_bn', normed, [], maximum(2, 2, padding=0, ceil=True), 0.8),
}


def in_order(stem, module, head, last):
    """All names in the order of the layers; module(row) and head(number) give those of one of them."""
    names = [*stem]
    for row in TABLE:
        names += module(row)
        if row in ('4a', '4d'):
            names += head(1 if row == '4a' else 2)
    return [*names, (last, None)]


def caffe_names():
    """As Caffe's bvlc_googlenet calls the layers."""
    parts = ('1x1', '3x3_reduce', '3x3', '5x5_reduce', '5x5', 'pool_proj')
    return in_order(
        alone('conv1/7x7_s2', 'conv2/3x3_reduce', 'conv2/3x3'),
        lambda row: alone(*(f'inception_{row}/{part}' for part in parts)),
        lambda number: alone(*(f'loss{number}/{part}' for part in ('conv', 'fc', 'classifier'))),
        'loss3/classifier',
    )


def torchvision_names():
    """As torchvision calls the layers."""

    def pair(name):
        return f'{name}.conv', f'{name}.bn'

    parts = ('branch1', 'branch2.0', 'branch2.1', 'branch3.0', 'branch3.1', 'branch4.1')
    return in_order(
        map(pair, ('conv1', 'conv2', 'conv3')),
        lambda row: [pair(f'inception{row}.{part}') for part in parts],
        lambda number: [pair(f'aux{number}.conv'), *alone(f'aux{number}.fc1', f'aux{number}.fc2')],
        'fc',
    )


SOURCE = {
    'year': 2014,
    'authors': 'Szegedy et al.',
    'paper': 'Going deeper with convolutions',
    'input_shape': (224, 224, 3),
    'classes': 1000,
    'layers': 22,
}

NETWORKS = (
    # 6,998,552 without the heads, of 3,188,840 and 3,190,888.
    Network(
        'googlenet',
        **SOURCE,
        parameters=13_378_280,
        hconfigs=['custom', {'name': 'googlenet'}],
        published=caffe_names,
        prepare='vgg_caffe',
    ),
    # The count of torchvision's googlenet; 6,624,904 without the heads.
    Network(
        'googlenet_bn',
        **SOURCE,
        parameters=13_004_888,
        hconfigs=['custom', {'name': 'googlenet_bn'}],
        options={'epsilon': 1e-3},
        published=torchvision_names,
        prepare='googlenet',
    ),
)
