"""Residual networks, from He, Zhang, Ren and Sun 2015, "Deep residual learning for image recognition".

Each block learns what is to be added to its input. Where a block halves the sides or changes the channels, the shortcut
is a 1x1 convolution of its own for ImageNet; for the small pictures of CIFAR-10 it has no weights: every second pixel,
and zeros for the channels that are missing. No convolution has a bias, each is followed by a batch normalisation.

In `resnet_50`, 101 and 152 a block that halves the sides does so in its 3x3, as libraries have it today; in those that
end with `_paper`, in its first 1x1. `resnet_8` is the network of the MLPerf Tiny benchmark, made in Keras: biases in
all convolutions, 1x1 shortcuts without normalisation, and padding that is larger below and on the right.
"""

from chapters.nets.network import Network, numbered
from chapters.nets.shorthand import add, average, conv, custom, global_average, loop, maximum, normed, serial

HALVED = average(1, 2, padding=0)
# What Keras calls 'same' for a 3x3 at a stride of 2 on even sides.
BELOW = [[0, 1], [0, 1]]


def linear(ksize, chn, **options):
    """A convolution and its batch normalisation, without an activation."""
    return normed(ksize, chn, **{'actions': 'LB', **options})


def block(*branches):
    """The activation of a sum: of the input and one branch, or of two branches."""
    return add(len(branches) == 1, *branches, actions='A')


def two(**first):
    """Two 3x3; first: options of the first."""
    return serial(normed(3, '#n', **first), linear(3, '#n'))


def bottleneck(stride1, stride3):
    """1x1 to fewer channels, 3x3, and 1x1 to four times as many."""
    return serial(normed(1, '#n', stride=stride1), normed(3, '#n', stride=stride3), linear(1, '#n4'))


def biased(ksize, chn, **options):
    """A convolution with a bias, and options."""
    return normed(ksize, chn, bias=True, **options)


BLOCKS = {
    'res_two': block(two()),
    'res_two_projected': block(two(stride='#stride'), linear(1, '#n', stride='#stride')),
    'res_two_halved': add(False, two(stride=2), HALVED, actions='A', fill='zero'),
    'res_bottleneck': block(bottleneck(1, 1)),
    # The side is halved in the 3x3, or in the first 1x1.
    'res_bottleneck_3x3': block(bottleneck(1, '#stride'), linear(1, '#n4', stride='#stride')),
    'res_bottleneck_1x1': block(bottleneck('#stride', 1), linear(1, '#n4', stride='#stride')),
    'res_keras': block(serial(biased(3, '#n'), biased(3, '#n', actions='LB'))),
    'res_keras_halved': block(
        serial(biased(3, '#n', stride=2, padding=BELOW), biased(3, '#n', actions='LB')),
        conv(1, '#n', stride=2, padding=0, actions='L'),
    ),
}

# How many blocks each of the four groups has.
IMAGENET = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def imagenet(counts, first, others):
    """A network for 224x224x3; first, others: macros of the first block of a group and of the rest."""
    layers = [normed(7, 64, stride=2), maximum(3, 2, padding=1)]
    for group, count in enumerate(counts):
        width = {'#n': 64 * 2**group}
        if others == 'res_bottleneck':
            width['#n4'] = 4 * width['#n']
        # On as many channels as the stem has, two 3x3 need no projection.
        same = group == 0 and others == 'res_two'
        layers += [custom(others, width) if same else custom(first, {**width, '#stride': 1 if group == 0 else 2})]
        layers += [loop(count - 1, custom(others, width))]
    return serial(*layers, global_average())


def cifar(blocks):
    """A network for 32x32x3, of three groups of so many blocks."""
    layers = [normed(3, 16), loop(blocks, custom('res_two', {'#n': 16}))]
    for n in (32, 64):
        layers += [custom('res_two_halved', {'#n': n}), loop(blocks - 1, custom('res_two', {'#n': n}))]
    return serial(*layers, global_average())


CIFAR = (20, 32, 44, 56, 110)

MACROS = {
    **BLOCKS,
    **{f'resnet_{depth}': imagenet(IMAGENET[depth], 'res_two_projected', 'res_two') for depth in (18, 34)},
    **{
        f'resnet_{depth}': imagenet(IMAGENET[depth], 'res_bottleneck_3x3', 'res_bottleneck') for depth in (50, 101, 152)
    },
    **{
        f'resnet_{depth}_paper': imagenet(IMAGENET[depth], 'res_bottleneck_1x1', 'res_bottleneck')
        for depth in (50, 101, 152)
    },
    **{f'resnet_{depth}': cifar((depth - 2) // 6) for depth in CIFAR},
    # 32x32x3 -> 10.
    'resnet_8': serial(
        biased(3, 16),
        custom('res_keras', {'#n': 16}),
        custom('res_keras_halved', {'#n': 32}),
        custom('res_keras_halved', {'#n': 64}),
        global_average(),
    ),
}


def torchvision_names(counts, convs, projected):
    """As torchvision calls the layers. convs: of a block. projected: the groups whose first block has a projection."""
    names = [('conv1', 'bn1')]
    for group, count in enumerate(counts, 1):
        for number in range(count):
            place = f'layer{group}.{number}'
            names += [(f'{place}.conv{n}', f'{place}.bn{n}') for n in range(1, convs + 1)]
            if number == 0 and group in projected:
                names += [(f'{place}.downsample.0', f'{place}.downsample.1')]
    return names


def keras_names_8():
    """As the file of MLPerf Tiny calls the layers: the two shortcuts, 5 and 8, have no batch normalisation."""
    norms = iter(numbered('batch_normalization', 7))
    names = enumerate(numbered('conv2d', 9))
    return [*((name, None if n in (5, 8) else next(norms)) for n, name in names), ('dense', None)]


SOURCE = {'year': 2015, 'authors': 'He, Zhang, Ren and Sun', 'paper': 'Deep residual learning for image recognition'}


def for_imagenet(depth, parameters, ending=''):
    """One of the paper's networks for ImageNet."""
    convs, projected = (2, (2, 3, 4)) if depth < 50 else (3, (1, 2, 3, 4))
    return Network(
        f'resnet_{depth}{ending}',
        **SOURCE,
        input_shape=(224, 224, 3),
        classes=1000,
        parameters=parameters,
        hconfigs=['custom', {'name': f'resnet_{depth}{ending}'}],
        layers=depth,
        published=lambda: [*torchvision_names(IMAGENET[depth], convs, projected), ('fc', None)],
        prepare='vgg_caffe' if ending else 'imagenet',
    )


def for_cifar(depth, parameters):
    """One of the paper's networks for CIFAR-10; the names are those of widespread PyTorch models of them."""
    return Network(
        f'resnet_{depth}',
        **SOURCE,
        input_shape=(32, 32, 3),
        classes=10,
        parameters=parameters,
        hconfigs=['custom', {'name': f'resnet_{depth}'}],
        layers=depth,
        published=lambda: [*torchvision_names([(depth - 2) // 6] * 3, 2, ()), ('linear', None)],
    )


COUNTS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
COUNTS_CIFAR = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}

NETWORKS = (
    *(for_imagenet(depth, count) for depth, count in COUNTS.items()),
    *(for_imagenet(depth, COUNTS[depth], '_paper') for depth in (50, 101, 152)),
    *(for_cifar(depth, count) for depth, count in COUNTS_CIFAR.items()),
    # The benchmark names 78,666: with the moving averages of 240 channels.
    Network(
        'resnet_8',
        year=2021,
        authors='Banbury et al.',
        paper='MLPerf Tiny benchmark',
        input_shape=(32, 32, 3),
        classes=10,
        parameters=78_186,
        hconfigs=['custom', {'name': 'resnet_8'}],
        options={'epsilon': 1e-3},
        layers=8,
        keras=keras_names_8,
        prepare='cifar_raw',
    ),
)
