"""Pre-activation residual networks, from He, Zhang, Ren and Sun 2016, "Identity mappings in deep residual networks".

If the activation stands before each convolution and not after the sum, nothing stands in the way from the first block
to the last: a signal and its gradient pass 1001 layers. A block that changes the channels, and the first one, normalise
and activate their input once for both ways. The layers of 164 and 1001 are those of the authors' published code; those
of 20, 56 and 110 have blocks of two 3x3 and, as in the paper before, shortcuts without weights.
"""

from chapters.nets.network import Network
from chapters.nets.resnet import HALVED
from chapters.nets.shorthand import add, custom, global_average, loop, normed, serial

# The normalisation and activation that both ways of a block share.
SHARED = (['batch_normal'], ['activate'])


def before(ksize, chn, **options):
    """A convolution behind its normalisation and activation."""
    return normed(ksize, chn, actions='BAL', **options)


def bare(ksize, chn, **options):
    """A convolution alone."""
    return normed(ksize, chn, actions='L', **options)


MACROS = {
    'pre_two': add(True, serial(before(3, '#n'), before(3, '#n'))),
    'pre_two_first': serial(*SHARED, add(True, serial(bare(3, '#n'), before(3, '#n')))),
    'pre_two_halved': serial(
        *SHARED, add(False, serial(bare(3, '#n', stride=2), before(3, '#n')), HALVED, fill='zero')
    ),
    'pre_bottleneck': add(True, serial(before(1, '#n'), before(3, '#n'), before(1, '#n4'))),
    'pre_bottleneck_projected': serial(
        *SHARED,
        add(
            False,
            serial(bare(1, '#n', stride='#stride'), before(3, '#n'), before(1, '#n4')),
            bare(1, '#n4', stride='#stride'),
        ),
    ),
}


def groups(block, firsts, blocks):
    """Three groups of blocks; firsts: the first layer of each; block: the macro and the arguments of the rest."""
    layers = [bare(3, 16)]
    for first, args in zip(firsts, ({'#n': 16 * 2**group} for group in range(3)), strict=True):
        if block == 'pre_bottleneck':
            args['#n4'] = 4 * args['#n']
        layers += [custom(first[0], {**args, **first[1]}), loop(blocks - 1, custom(block, args))]
    return serial(*layers, *SHARED, global_average())


def two(depth):
    """A network of blocks of two 3x3."""
    return groups('pre_two', [('pre_two_first', {}), *[('pre_two_halved', {})] * 2], (depth - 2) // 6)


def bottleneck(depth):
    """A network of bottleneck blocks."""
    firsts = [('pre_bottleneck_projected', {'#stride': stride}) for stride in (1, 2, 2)]
    return groups('pre_bottleneck', firsts, (depth - 2) // 9)


MACROS |= {
    # 32x32x3 -> 10.
    **{f'preact_resnet_{depth}': two(depth) for depth in (20, 56, 110)},
    **{f'preact_resnet_{depth}': bottleneck(depth) for depth in (164, 1001)},
}


def network(depth, parameters):
    """One of the paper's networks for CIFAR-10."""
    return Network(
        f'preact_resnet_{depth}',
        year=2016,
        authors='He, Zhang, Ren and Sun',
        paper='Identity mappings in deep residual networks',
        input_shape=(32, 32, 3),
        classes=10,
        parameters=parameters,
        hconfigs=['custom', {'name': f'preact_resnet_{depth}'}],
        layers=depth,
    )


NETWORKS = (
    # As many as without pre-activation: the normalisations stand elsewhere, on as many channels in all.
    network(20, 269_722),
    network(56, 853_018),
    network(110, 1_727_962),
    # The counts of widespread PyTorch models of them; the paper has 1.7 and 10.2 million.
    network(164, 1_703_258),
    network(1001, 10_327_706),
)
