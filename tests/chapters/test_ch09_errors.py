"""What a reader is told about a network of chapter 9 that cannot be built, or that goes wrong inside."""

import re

import numpy as np
import pytest

from chapters import CnnExtModel, CnnRegModel
from data import DummyDataset
from mathlib.backend import to_device
from mathlib.errors import ConfigError


def conv(chn, **options):
    """A 3x3 convolution as it is written."""
    return ['conv', {'ksize': 3, 'chn': chn, **options}]


def build(*hconfigs, cls=CnnExtModel, **options):
    """A model on pictures of 6x4 pixels with 4 channels."""
    return cls('m', DummyDataset('pictures', 'select', (6, 4, 4), [3]), list(hconfigs), **options)


def refused(*hconfigs, **options):
    """The text of the ConfigError that this net raises."""
    with pytest.raises(ConfigError) as problem:
        build(*hconfigs, **options)
    return str(problem.value)


def test_branches_of_different_size_cannot_be_joined():
    told = refused(conv(2), ['serial', ['parallel', conv(5), conv(2, stride=2), conv(1)]])
    assert told == (
        'm: layer 2 > serial > layer 1 > parallel: the branches must give maps of the same size, to be joined: '
        'branch 1 gives [6, 4, 5], but branch 2 gives [3, 2, 2]'
    )
    assert 'branch 1 gives [6, 4, 5], but branch 2 gives [7]' in refused(['parallel', conv(5), 7])


@pytest.mark.parametrize(
    ('layer', 'what'),
    [
        (
            ['add', {'x': False}, conv(8), conv(4), conv(3)],
            'branch 3, [6, 4, 3], cannot be added to branch 1, [6, 4, 8]',
        ),
        (['add', conv(4), conv(8)], 'branch 2, [6, 4, 8], cannot be added to branch 1, [6, 4, 4]'),
        (['add', conv(4), conv(2, stride=2)], 'branch 2, [3, 2, 2], cannot be added to branch 1, [6, 4, 4]'),
        (['add', conv(6)], 'the input, [6, 4, 4], cannot be added to branch 1, [6, 4, 6]'),
        (['add', conv(2)], 'the input, [6, 4, 4], cannot be added to branch 1, [6, 4, 2]'),
        (['add', conv(8, stride=2)], 'the input, [6, 4, 4], cannot be added to branch 1, [3, 2, 8]'),
        (['add', 12, 5], 'branch 2, [5], cannot be added to branch 1, [12]'),
    ],
)
def test_what_does_not_fit_cannot_be_added(layer, what):
    told = refused(['loop', layer])
    channels = re.search(r'(\d+)\]$', what)[1]
    assert told.startswith(
        f'm: layer 1 > loop > add: {what}: expected maps of the same size, with as many channels or with a number of '
        f'them that divides {channels}'
    )
    assert told.endswith("; leave the input out with 'x': False") == what.startswith('the input')


@pytest.mark.parametrize('repeat', [0, -1, 1.5, True, '2', None])
def test_a_loop_has_at_least_one_turn(repeat):
    told = refused(['loop', {'repeat': repeat}, conv(2)])
    assert told == f"m: layer 1 > loop: 'repeat' is {repeat!r}: expected a whole number above 0"


@pytest.mark.parametrize(
    ('layer', 'told'),
    [
        (['serial'], "layer 1 > serial: a 'serial' layer takes at least one layer after its options, but it has 0"),
        (
            ['parallel', {}],
            "layer 1 > parallel: a 'parallel' layer takes at least one branch after its options, but it",
        ),
        (
            ['add', {'x': False}],
            "layer 1 > add: a 'add' layer takes at least one branch after its options, but it has 0",
        ),
        (['loop', {'repeat': 2}], "layer 1 > loop: a 'loop' layer takes exactly 1 layer inside, but it has 0"),
        (
            ['loop', {'repeat': 2}, conv(1), conv(1)],
            "layer 1 > loop: a 'loop' layer takes exactly 1 layer inside, but it has 2; several layers, one after the "
            "other, stand in ['serial', ...]",
        ),
        (['custom'], "layer 1 > custom: 'name' is missing"),
        (['custom', {'name': ''}], "layer 1 > custom: 'name' is '': expected a word"),
        (['custom', {'name': 'm'}, conv(1)], "layer 1 > custom: a 'custom' layer takes options only, but ['conv', "),
        (
            ['serial', conv(1), {'x': 1}],
            "layer 1 > serial > layer 2 is {'x': 1}: expected a width such as 30, or a list",
        ),
        (['serial', [conv(1), conv(1)]], "layer 1 > serial > layer 1 is [['conv', "),
        (['parallel', ['seriall', 3]], "layer 1 > parallel > branch 1: the layer type 'seriall' is not known; did you"),
        (['parallel', {'x': True}, 3], "layer 1 > parallel: the option 'x' is not known"),
        (['add', {'x': 1}, 3], "layer 1 > add: 'x' is 1: expected True or False"),
        (
            ['add', {'actions': 'L'}, 3],
            "layer 1 > add: 'actions' is 'L': expected letters out of A, B, each at most once",
        ),
        (
            ['add', {'actfunc': 'rleu'}, 3],
            "layer 1 > add: 'actfunc' is 'rleu': expected 'relu', 'sigmoid', 'tanh' or 'n",
        ),
        (
            ['serial', 5, ['loop', conv(1)]],
            'layer 1 > serial > layer 2 > loop > conv: expected pictures [height, width, channels], but what comes in',
        ),
        (
            ['parallel', ['max', {'stride': 9}]],
            'layer 1 > parallel > branch 1 > max: 9x9 windows at a stride of 9x9 on a picture of 6x4',
        ),
    ],
)
def test_a_mistake_in_a_container_is_told_with_its_place(layer, told):
    assert refused(layer).startswith(f'm: {told}')


@pytest.mark.parametrize('actions', ['', 'A', 'AB', 'LL', 'LAA', 'LX', 'la', 3, None, ['L']])
def test_actions_of_a_conv_are_letters_with_one_convolution(actions):
    told = refused(['serial', conv(2, actions=actions)])
    expected = 'expected letters out of L, A, B, each at most once, L among them'
    assert told == f"m: layer 1 > serial > layer 1 > conv: 'actions' is {actions!r}: {expected}"


@pytest.mark.parametrize(
    ('option', 'value', 'told'),
    [
        ('weight_init', 'He', "expected 'normal', 'he' or 'glorot'; did you mean 'he'?"),
        ('weight_init', 0.03, "expected 'normal', 'he' or 'glorot'"),
        ('exp_ratio', 0, 'expected a number above 0 and at most 1'),
        ('exp_ratio', 2, 'expected a number above 0 and at most 1'),
        ('epsilon', 0, 'expected a number above 0'),
        ('epsilon', None, 'expected a number above 0'),
        ('l2_decay', -1, 'expected a number at least 0'),
    ],
)
def test_a_wrong_option_of_the_model(option, value, told):
    assert refused(3, **{option: value}) == f'm: {option} is {value!r}: {told}'


def test_the_layers_of_this_chapter_are_not_known_before():
    assert "the layer type 'parallel' is not known" in refused(['parallel', 3], cls=CnnRegModel)
    assert "the option 'actions' is not known" in refused(conv(2, actions='LA'), cls=CnnRegModel)


@pytest.mark.parametrize('shape', [(2, 4, 6, 4), (2, 96), (6, 4, 4)])
def test_pictures_of_another_shape(shape):
    model = build(['parallel', conv(2), ['max']])
    message = f'm: layer 1 > parallel takes a batch [n, 6, 4, 4], but what came is {list(shape)}'
    x = to_device(np.zeros(shape))
    for use in (model.get_output, model.get_maps, lambda x: model.train_step(x, to_device(np.eye(3)[:2]))):
        with pytest.raises(ConfigError, match='^' + re.escape(message)):
            use(x)
    assert model.get_maps(np.zeros((1, 6, 4, 4)))[0][1].shape == (1, 6, 4, 2)


class Fragile(CnnExtModel):
    """A reader's own layer that refuses its input when it is used, or gives no G_x."""

    def alloc_fragile_layer(self, input_shape, hconfig):
        return {}, input_shape

    def forward_fragile_layer(self, x, hconfig, pm):
        if hconfig.options.get('why'):
            raise ConfigError(hconfig['why'])
        return x, None

    def backprop_fragile_layer(self, G_y, hconfig, pm, aux):
        return None


def test_an_error_deep_inside_names_its_layer_once():
    layer = ['fragile', {'why': 'this cannot be'}]
    model = build(['parallel', ['max'], ['loop', ['add', ['serial', ['max'], layer]]]], cls=Fragile)
    x = to_device(np.zeros((2, 6, 4, 4)))
    place = 'layer 1 > parallel > branch 2 > loop > add > branch 1 > serial > layer 2 > fragile'
    for use in (model.get_output, model.get_maps, lambda x: model.compute_gradients(x, to_device(np.eye(3)[:2]))):
        with pytest.raises(ConfigError) as problem:
            use(x)
        assert str(problem.value) == f'm: {place}: this cannot be'
    assert model.recorded is None
    assert not model.is_training


def test_a_layer_that_gives_no_gradient_is_found_inside_other_layers():
    model = build(['serial', conv(2), ['parallel', ['serial', conv(2), ['fragile']]]], cls=Fragile)
    message = (
        'm: layer 1 > serial > layer 2 > parallel > branch 1 > serial > layer 1 > conv: the backprop method of the '
    )
    with pytest.raises(ConfigError, match='^' + message + 'layer after it gave no G_x$'):
        model.compute_gradients(to_device(np.ones((2, 6, 4, 4))), to_device(np.eye(3)[:2]))
