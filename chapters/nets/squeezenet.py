"""SqueezeNet v1.0, from Iandola et al. 2016: as good as AlexNet with 50 times fewer parameters.

A fire module first squeezes its maps to few channels by a 1x1, then expands them by 1x1 and 3x3 side by side. So most
weights are those of small kernels on few channels. As in network in network there is no full layer. `squeezenet` is the
form of the authors' files, in which the last 1x1 reads a pixel beyond the edges; `squeezenet_features` ends with the
means of the last module's 512 maps, on which a new output layer can be trained.
"""

from chapters.nets.network import Network, alone
from chapters.nets.shorthand import conv, custom, dropout, global_average, maximum, padded, parallel, serial


def fire(squeeze, expand):
    """A fire module, from so many channels to twice `expand`."""
    return custom('fire', {'#squeeze': squeeze, '#expand': expand})


POOL = maximum(3, 2, padding=0, ceil=True)

MACROS = {
    'fire': serial(conv(1, '#squeeze', padding=0), parallel(conv(1, '#expand', padding=0), padded(3, '#expand'))),
    # 227x227x3 -> 13x13x512.
    'squeezenet_fires': serial(
        conv(7, 96, stride=2, padding=0),
        POOL,
        fire(16, 64),
        fire(16, 64),
        fire(32, 128),
        POOL,
        fire(32, 128),
        fire(48, 192),
        fire(48, 192),
        fire(64, 256),
        POOL,
        fire(64, 256),
    ),
    # 227x227x3 -> #classes.
    'squeezenet': serial(
        custom('squeezenet_fires'),
        dropout(0.5),
        conv(1, '#classes', padding=1),
        global_average(),
    ),
    # 227x227x3 -> 512.
    'squeezenet_features': serial(custom('squeezenet_fires'), global_average()),
}


def fire_names():
    """As the authors' files call the layers up to the last fire module."""
    parts = ('conv1x1_1', 'conv1x1_2', 'conv3x3_2')
    return alone('conv1', *(f'fire{n}/{part}' for n in range(2, 10) for part in parts))


def torchvision_names():
    """As torchvision calls the layers of `squeezenet`; its last convolution does not read beyond the edges."""
    parts = ('squeeze', 'expand1x1', 'expand3x3')
    fires = [f'features.{n}.{part}' for n in (3, 4, 5, 7, 8, 9, 10, 12) for part in parts]
    return alone('features.0', *fires, 'classifier.1')


SOURCE = {
    'year': 2016,
    'authors': 'Iandola et al.',
    'paper': 'SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size',
    'input_shape': (227, 227, 3),
    'classes': 1000,
    'prepare': 'squeezenet',
}

NETWORKS = (
    # The authors' file has so many numbers.
    Network(
        'squeezenet',
        **SOURCE,
        parameters=1_248_424,
        hconfigs=['custom', {'name': 'squeezenet', 'args': {'#classes': 1000}}],
        options={'head': 'none'},
        published=lambda: [*fire_names(), ('conv_final', None)],
    ),
    # The last convolution and a full layer from 512 numbers to the classes have as many weights.
    Network(
        'squeezenet_features',
        **SOURCE,
        parameters=1_248_424,
        hconfigs=['custom', {'name': 'squeezenet_features'}],
        published=lambda: [*fire_names(), (None, None)],
    ),
)
