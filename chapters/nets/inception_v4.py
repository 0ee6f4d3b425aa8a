"""Inception-v4, from Szegedy et al. 2016: without shortcuts, but as large as Inception-ResNet-v2.

The layers are those of the authors' published model. The paper's figures differ from it in the order of some 1x7 and
7x1, and of 1x3 and 3x1.
"""

from chapters.nets.inception_bn import HALVE, half, pooled, unit
from chapters.nets.inception_resnet import network
from chapters.nets.shorthand import custom, dropout, global_average, loop, parallel, serial

NORM = {'#rescale': '#rescale'}


def tall_and_wide(*ksizes):
    """Two kernels side by side, 256 channels each."""
    return parallel(*(unit(ksize, 256) for ksize in ksizes))


MACROS = {
    # 299x299x3 -> 35x35x384, three times with two ways side by side.
    'v4_stem': serial(
        custom('v3bn_start', NORM),
        parallel(HALVE, half(96)),
        parallel(
            serial(unit(1, 64), unit(3, 96, padding=0)),
            serial(unit(1, 64), unit([1, 7], 64), unit([7, 1], 64), unit(3, 96, padding=0)),
        ),
        parallel(half(192), HALVE),
    ),
    # 35x35.
    'v4_35': parallel(
        unit(1, 96),
        serial(unit(1, 64), unit(3, 96)),
        serial(unit(1, 64), unit(3, 96), unit(3, 96)),
        pooled(96),
    ),
    # 17x17.
    'v4_17': parallel(
        unit(1, 384),
        serial(unit(1, 192), unit([1, 7], 224), unit([7, 1], 256)),
        serial(unit(1, 192), unit([7, 1], 192), unit([1, 7], 224), unit([7, 1], 224), unit([1, 7], 256)),
        pooled(128),
    ),
    # 17x17 -> 8x8.
    'v4_halve_17': parallel(
        serial(unit(1, 192), half(192)),
        serial(unit(1, 256), unit([1, 7], 256), unit([7, 1], 320), half(320)),
        HALVE,
    ),
    # 8x8.
    'v4_8': parallel(
        unit(1, 256),
        serial(unit(1, 384), tall_and_wide([1, 3], [3, 1])),
        serial(unit(1, 384), unit([3, 1], 448), unit([1, 3], 512), tall_and_wide([1, 3], [3, 1])),
        pooled(256),
    ),
    # 299x299x3 -> 1000.
    'inception_v4': serial(
        custom('v4_stem', NORM),
        loop(4, custom('v4_35', {**NORM, '#outside': False})),
        custom('v3bn_halve_35', {'#k': 192, '#l': 224, '#m': 256, '#n': 384, **NORM}),
        loop(7, custom('v4_17', {**NORM, '#outside': False})),
        custom('v4_halve_17', NORM),
        loop(3, custom('v4_8', {**NORM, '#outside': False})),
        global_average(),
        dropout(0.8),
    ),
}


def pytorch_names():
    """As the PyTorch models made from the authors' weights call the layers, timm's among them."""
    modules = {
        3: 'conv',
        4: 'branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3',
        5: 'conv',
        **dict.fromkeys(range(6, 10), 'branch0 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2 branch3.1'),
        10: 'branch0 branch1.0 branch1.1 branch1.2',
        **dict.fromkeys(
            range(11, 18),
            'branch0 branch1.0 branch1.1 branch1.2 branch2.0 branch2.1 branch2.2 branch2.3 branch2.4 branch3.1',
        ),
        18: 'branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3',
        **dict.fromkeys(
            range(19, 22),
            'branch0 branch1_0 branch1_1a branch1_1b branch2_0 branch2_1 branch2_2 branch2_3a branch2_3b branch3.1',
        ),
    }
    names = [f'features.{n}' for n in range(3)]
    names += [f'features.{n}.{part}' for n, parts in modules.items() for part in parts.split()]
    return [*((f'{name}.conv', f'{name}.bn') for name in names), ('last_linear', None)]


# The count of the PyTorch model made from the authors' weights, with 1000 classes; the normalisation there has a scale.
NETWORKS = (network('inception_v4', 42_679_816, rescale=True, published=pytorch_names),)
