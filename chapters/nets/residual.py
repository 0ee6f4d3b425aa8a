"""Chapter 9: plain, residual and bottleneck networks, after He et al. 2015, "Deep residual learning".

A plain network of many layers is harder to train than a shallow one. A residual block adds its input to its output,
so that it only learns the difference, and gradients reach the lower layers by way of the sum. A bottleneck block does
its 3x3 on a quarter of the channels: 69,632 kernel weights on 256 channels, against 73,728 for two 3x3 on 64.

In the book's form a shortcut has no weights: where the sides halve it is an average pool, and where the output has
more channels than the input, the input's are repeated. The paper's pool in the stem is a 3x3; `plain` and `residual`
have a 2x2 here.
"""

from chapters.nets.shorthand import ACT, act, add, average, custom, loop, maximum, serial

BLOCK = {'#n': '#n', **ACT}
BOTTLENECK = {'#n1': '#n1', '#n4': '#n4', **ACT}


def bottleneck(**options):
    """1x1 to fewer channels, 3x3, and 1x1 to four times as many; options: of the first."""
    return serial(act(1, '#n1', **options), act(3, '#n1'), act(1, '#n4'))


def plain(count, n):
    """A group of `count` convolutions with n channels, the first one at stride 2."""
    return custom('pn', {'#cnt1': count - 1, '#n': n, **ACT})


def residual(count, n):
    """A group of `count` residual blocks with n channels."""
    return custom('rfull', {'#cnt': count, '#n': n, **ACT})


def residual_half(count, n):
    """The same, the first one halving the sides."""
    return custom('rhalf', {'#cnt1': count - 1, '#n': n, **ACT})


def narrow(count, n):
    """A group of `count` bottleneck blocks, n channels inside and 4 n outside."""
    return custom('bfull', {'#cnt': count, '#n1': n, '#n4': 4 * n, **ACT})


def narrow_half(count, n):
    """The same, the first one halving the sides."""
    return custom('bhalf', {'#cnt1': count - 1, '#n1': n, '#n4': 4 * n, **ACT})


BLOCKS = {
    # Plain: one convolution that halves the sides, and #cnt1 more.
    'pn': serial(act(3, '#n', stride=2), loop('#cnt1', act(3, '#n'))),
    # Residual: one block; one that halves the sides; #cnt of the former; one of the latter and #cnt1 of the former.
    'rf': add(True, serial(act(3, '#n'), act(3, '#n'))),
    'rh': add(False, serial(act(3, '#n', stride=2), act(3, '#n')), average(2, 2)),
    'rfull': serial(loop('#cnt', custom('rf', BLOCK))),
    'rhalf': serial(custom('rh', BLOCK), loop('#cnt1', custom('rf', BLOCK))),
    # Bottleneck: the same four, with #n1 channels inside a block and #n4 outside.
    'bf': add(True, bottleneck()),
    'bh': add(False, bottleneck(stride=2), average(2, 2)),
    'bfull': serial(loop('#cnt', custom('bf', BOTTLENECK))),
    'bhalf': serial(custom('bh', BOTTLENECK), loop('#cnt1', custom('bf', BOTTLENECK))),
}

# 224x224x3 -> 1000; the numbers count the layers with weights, the output layer among them.
IMAGENET = {
    'plain_34': serial(
        act(7, 64, stride=2),
        maximum(2, 2),
        loop(6, act(3, 64)),
        plain(8, 128),
        plain(12, 256),
        plain(6, 512),
        average(7, 7),
    ),
    'residual_34': serial(
        act(7, 64, stride=2),
        maximum(2, 2),
        residual(3, 64),
        residual_half(4, 128),
        residual_half(6, 256),
        residual_half(3, 512),
        average(7, 7),
    ),
    'bottleneck_152': serial(
        act(7, 64, stride=2),
        maximum(3, 2),
        narrow(3, 64),
        narrow_half(8, 128),
        narrow_half(36, 256),
        narrow_half(3, 512),
        average(7, 7),
    ),
}

# 64x64x3 -> 5: the same three, small enough for the flowers.
FLOWER = {
    'plain_flower': serial(
        act(7, 16, stride=2),
        maximum(2, 2),
        loop(4, act(3, 16)),
        plain(4, 32),
        plain(4, 64),
        average(4, 4),
    ),
    'residual_flower': serial(
        act(7, 16, stride=2),
        maximum(2, 2),
        residual(2, 16),
        residual_half(2, 32),
        residual_half(2, 64),
        average(4, 4),
    ),
    'bottleneck_flower': serial(
        act(7, 16, stride=2),
        maximum(3, 2),
        narrow(1, 16),
        narrow_half(3, 32),
        narrow_half(2, 64),
        average(4, 4),
    ),
}

MACROS = BLOCKS | IMAGENET | FLOWER
