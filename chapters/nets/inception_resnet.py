"""Inception-ResNet-v1 and v2, from Szegedy et al. 2016, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning".

An inception module learns what is to be added to its input. With many channels such sums grow until the network dies,
so what is added is made small first: by 0.17, 0.1 and 0.2 on 35x35, 17x17 and 8x8. The 1x1 that brings a module to the
channels of its input has a bias, no normalisation and no activation.

`inception_resnet_v2` is the published model, as Keras has it: a stem and widths of its own, one module of 8x8 more at
the end, which is neither scaled nor activated, and a normalisation that learns a shift and no scale.
`inception_resnet_v1` is the paper's.
"""

from chapters.nets.inception_bn import HALVE, NORM, half, unit
from chapters.nets.network import Network, numbered
from chapters.nets.shorthand import add, conv, custom, dropout, global_average, loop, parallel, serial


def residual(*branches, **options):
    """x + #scale times what the branches, joined and brought to #chn channels, make of it; then the activation."""
    return add(
        True, serial(parallel(*branches), conv(1, '#chn', padding=0, actions='L')), **{'actions': 'A', **options}
    )


MACROS = {
    # 35x35.
    'ires_35': residual(
        unit(1, 32),
        serial(unit(1, 32), unit(3, 32)),
        serial(unit(1, 32), unit(3, '#a'), unit(3, '#b')),
        scale=0.17,
    ),
    # 17x17: 1x1 beside a 7x7 in two pieces.
    'ires_17': residual(
        unit(1, '#a'),
        serial(unit(1, 128), unit([1, 7], '#b'), unit([7, 1], '#a')),
        scale=0.1,
    ),
    # 8x8: 1x1 beside a 3x3 in two pieces.
    'ires_8': residual(
        unit(1, 192),
        serial(unit(1, 192), unit([1, 3], '#a'), unit([3, 1], '#b')),
        scale='#scale',
        actions='#actions',
    ),
    # 17x17 -> 8x8.
    'ires_halve_17': parallel(
        serial(unit(1, 256), half(384)),
        serial(unit(1, 256), half('#a')),
        serial(unit(1, 256), unit(3, '#a'), half('#b')),
        HALVE,
    ),
    # 299x299x3 -> 1000.
    'inception_resnet_v1': serial(
        custom('v3bn_stem', NORM),
        half(256),
        loop(5, custom('ires_35', {'#a': 32, '#b': 32, '#chn': 256, **NORM})),
        custom('v3bn_halve_35', {'#k': 192, '#l': 192, '#m': 256, '#n': 384, **NORM}),
        loop(10, custom('ires_17', {'#a': 128, '#b': 128, '#chn': 896, **NORM})),
        custom('ires_halve_17', {'#a': 256, '#b': 256, **NORM}),
        loop(5, custom('ires_8', {'#a': 192, '#b': 192, '#chn': 1792, '#scale': 0.2, '#actions': 'A', **NORM})),
        global_average(),
        dropout(0.8),
    ),
    'inception_resnet_v2': serial(
        custom('v3bn_stem', NORM),
        HALVE,
        custom('v3bn_35', {'#first': 96, '#pool': 64, '#outside': False, **NORM}),
        loop(10, custom('ires_35', {'#a': 48, '#b': 64, '#chn': 320, **NORM})),
        custom('v3bn_halve_35', {'#k': 256, '#l': 256, '#m': 384, '#n': 384, **NORM}),
        loop(20, custom('ires_17', {'#a': 192, '#b': 160, '#chn': 1088, **NORM})),
        custom('ires_halve_17', {'#a': 288, '#b': 320, **NORM}),
        loop(9, custom('ires_8', {'#a': 224, '#b': 256, '#chn': 2080, '#scale': 0.2, '#actions': 'A', **NORM})),
        custom('ires_8', {'#a': 224, '#b': 256, '#chn': 2080, '#scale': 1.0, '#actions': '', **NORM}),
        unit(1, 1536),
        global_average(),
        dropout(0.8),
    ),
}


def keras_names():
    """As Keras calls the layers of v2: by number in the order in which they were made, but for those with a name."""
    # How many convolutions without a name a part has; a block ends in one with a name.
    rows = [
        (12, None),
        *((6, f'block35_{n}_conv') for n in range(1, 11)),
        (4, None),
        *((4, f'block17_{n}_conv') for n in range(1, 21)),
        (7, None),
        *((4, f'block8_{n}_conv') for n in range(1, 11)),
    ]
    count = sum(row[0] for row in rows)
    pairs = zip(numbered('conv2d', count), numbered('batch_normalization', count), strict=True)
    names = []
    for length, name in rows:
        names += [next(pairs) for _ in range(length)]
        names += [(name, None)] if name else []
    return [*names, ('conv_7b', 'conv_7b_bn'), ('predictions', None)]


def network(name, parameters, rescale='shift', **facts):
    """One of the paper's networks; rescale: of its batch normalisations."""
    return Network(
        name,
        year=2016,
        authors='Szegedy, Ioffe, Vanhoucke and Alemi',
        paper='Inception-v4, Inception-ResNet and the impact of residual connections on learning',
        input_shape=(299, 299, 3),
        classes=1000,
        parameters=parameters,
        hconfigs=['custom', {'name': name, 'args': {'#rescale': rescale}}],
        options={'epsilon': 1e-3},
        prepare='inception',
        **facts,
    )


NETWORKS = (
    # Neither the paper nor a library with this output layer gives a count.
    network('inception_resnet_v1', None),
    network('inception_resnet_v2', 55_813_192, keras=keras_names),
)
