"""Inception-v2 and v3, from Szegedy et al. 2015, "Rethinking the Inception architecture for computer vision".

A 5x5 becomes two 3x3, a 7x7 a 1x7 and a 7x1; sides are halved by a convolution and a pool side by side, so that no map
becomes a bottleneck; every convolution is followed by a batch normalisation. The paper's table and figures leave some
numbers open. `inception_v3_bn` has those of the authors' published code, as Keras has them: the normalisation learns a
shift and no scale. `inception_v3_auxiliary` is the same as torchvision has it: scale and shift, averages that count
places outside as zeros, and in training a head on the 17x17 maps.

`inception_v2` is the paper's table, with a stem of 3x3 kernels. Its modules are v3's, without their 5x5; of the
3, 5 and 2 modules that the table counts, the last of the first two rows are those that halve the sides.
"""

from chapters.nets.network import Network, numbered
from chapters.nets.shorthand import (
    average,
    custom,
    dropout,
    global_average,
    loop,
    maximum,
    normed,
    parallel,
    serial,
)

# The arguments that the networks hand on to their blocks: of the batch normalisation, and of averages at the edges.
NORM = {'#rescale': '#rescale'}
BOTH = {**NORM, '#outside': '#outside'}
HALVE = maximum(3, 2, padding=0)


def unit(ksize, chn, **options):
    """A convolution, its batch normalisation, its activation."""
    return normed(ksize, chn, rescale='#rescale', **options)


def half(chn):
    """One of 3x3 that halves the sides."""
    return unit(3, chn, stride=2, padding=0)


def pooled(chn):
    """The average of the neighbours, then a 1x1."""
    return serial(average(3, 1, padding=1, count_outside='#outside'), unit(1, chn))


def tall_and_wide(chn):
    """A 1x3 and a 3x1 side by side on the same maps."""
    return parallel(unit([1, 3], chn), unit([3, 1], chn))


def module_35(middle):
    """The module for 35x35 maps; middle: the side of the larger kernel in its second branch."""
    return parallel(
        unit(1, '#first'),
        serial(unit(1, 48), unit(middle, 64)),
        serial(unit(1, 64), unit(3, 96), unit(3, 96)),
        pooled('#pool'),
    )


BLOCKS = {
    # 299x299x3 -> 147x147x64.
    'v3bn_start': serial(half(32), unit(3, 32, padding=0), unit(3, 64)),
    # 299x299x3 -> 71x71x192.
    'v3bn_stem': serial(custom('v3bn_start', NORM), HALVE, unit(1, 80), unit(3, 192, padding=0)),
    # 35x35.
    'v2bn_35': module_35(3),
    'v3bn_35': module_35(5),
    # 35x35 -> 17x17; the letters are those of Szegedy et al. 2016.
    'v3bn_halve_35': parallel(half('#n'), serial(unit(1, '#k'), unit(3, '#l'), half('#m')), HALVE),
    # 17x17: 7x7 in pieces, once and twice.
    'v3bn_17': parallel(
        unit(1, 192),
        serial(unit(1, '#n'), unit([1, 7], '#n'), unit([7, 1], 192)),
        serial(unit(1, '#n'), unit([7, 1], '#n'), unit([1, 7], '#n'), unit([7, 1], '#n'), unit([1, 7], 192)),
        pooled(192),
    ),
    # 17x17 -> 8x8.
    'v3bn_halve_17': parallel(
        serial(unit(1, 192), half(320)),
        serial(unit(1, 192), unit([1, 7], 192), unit([7, 1], 192), half(192)),
        HALVE,
    ),
    # 8x8, to 2048 channels.
    'v3bn_8': parallel(
        unit(1, 320),
        serial(unit(1, 384), tall_and_wide(384)),
        serial(unit(1, 448), unit(3, 384), tall_and_wide(384)),
        pooled(192),
    ),
    # On 17x17, to the classes by a full layer of its own.
    'v3bn_head': [
        'auxiliary',
        {'weight': 0.3},
        average(5, 3, padding=0),
        unit(1, 128),
        unit(5, 768, padding=0),
        global_average(),
    ],
}


def lower(module, pools):
    """The 35x35 modules, one for each width of the branch with the pool, and what leads to 17x17."""
    widths = {'#k': 64, '#l': 96, '#m': 96, '#n': 384}
    modules = [custom(module, {'#first': 64, '#pool': pool, **BOTH}) for pool in pools]
    return [*modules, custom('v3bn_halve_35', {**widths, **NORM})]


# The 17x17 modules, and what follows them.
MIDDLE = [custom('v3bn_17', {'#n': n, **BOTH}) for n in (128, 160, 160, 192)]
UPPER = [custom('v3bn_halve_17', NORM), loop(2, custom('v3bn_8', BOTH)), global_average(), dropout(0.8)]

MACROS = {
    **BLOCKS,
    # 299x299x3 -> 1000.
    'inception_v2': serial(
        custom('v3bn_start', NORM),
        HALVE,
        unit(3, 80, padding=0),
        half(192),
        unit(3, 288),
        *lower('v2bn_35', (64, 64)),
        *MIDDLE,
        *UPPER,
    ),
    'inception_v3_bn': serial(custom('v3bn_stem', NORM), HALVE, *lower('v3bn_35', (32, 64, 64)), *MIDDLE, *UPPER),
    'inception_v3_auxiliary': serial(
        custom('v3bn_stem', NORM),
        HALVE,
        *lower('v3bn_35', (32, 64, 64)),
        *MIDDLE,
        custom('v3bn_head', NORM),
        *UPPER,
    ),
}

# torchvision's names: of the branches of each module, and of the modules.
PARTS = {
    '5': 'branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool',
    '6a': 'branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3',
    '6': 'branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 '
    'branch7x7dbl_5 branch_pool',
    '7a': 'branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4',
    '7': 'branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a '
    'branch3x3dbl_3b branch_pool',
}
STEM = ('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3')


def torchvision_names(head):
    """As torchvision calls the layers of v3; head: whether the head for training is among them."""
    names = list(STEM)
    for row in ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c'):
        if row == '7a' and head:
            names += ['AuxLogits.conv0', 'AuxLogits.conv1', 'AuxLogits.fc']
        names += [f'Mixed_{row}.{part}' for part in PARTS[row if row in PARTS else row[0]].split()]
    pairs = [(name, None) if name.endswith('.fc') else (f'{name}.conv', f'{name}.bn') for name in names]
    return [*pairs, ('fc', None)]


def keras_names():
    """As Keras calls the layers of v3: by number, in the order in which they were made."""
    return [
        *zip(numbered('conv2d', 94), numbered('batch_normalization', 94), strict=True),
        ('predictions', None),
    ]


def network(name, parameters, rescale, outside, **facts):
    """One of the paper's networks; rescale, outside: see the module."""
    return Network(
        name,
        year=2015,
        authors='Szegedy et al.',
        paper='Rethinking the Inception architecture for computer vision',
        input_shape=(299, 299, 3),
        classes=1000,
        parameters=parameters,
        hconfigs=['custom', {'name': name, 'args': {'#rescale': rescale, '#outside': outside}}],
        options={'epsilon': 1e-3},
        prepare='inception',
        **facts,
    )


NETWORKS = (
    # The paper gives no count of parameters.
    network('inception_v2', None, True, False, layers=42),
    network(
        'inception_v3_bn', 23_817_352, 'shift', False, published=lambda: torchvision_names(False), keras=keras_names
    ),
    # The count of torchvision's inception_v3, with its head: 23,834,568 + 3,326,696.
    network('inception_v3_auxiliary', 27_161_264, True, True, published=lambda: torchvision_names(True)),
)
