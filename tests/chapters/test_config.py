import re

import numpy as np
import pytest

from chapters import CnnBasicModel, MlpModel
from chapters.config import Option, normalize, padding, positive_int, positive_pair
from data import DummyDataset, FlowersDataset
from mathlib.backend import to_device, to_host, xp
from mathlib.errors import ConfigError, TrainingError

TYPES = {'full': {'width': Option(positive_int)}, 'scale': {'factor': Option(positive_int, 2)}}


def test_every_way_to_write_a_layer():
    (layer,) = normalize(30, TYPES)
    assert (layer.type, layer['width'], layer.path) == ('full', 30, 'layer 1 > full')
    assert (
        normalize([30], TYPES)
        == normalize(['full', {'width': 30}], TYPES)
        == normalize([['full', {'width': 30}]], TYPES)
    )
    assert [layer['width'] for layer in normalize([30, ['full', {'width': 10}]], TYPES)] == [30, 10]
    assert normalize([], TYPES) == ()


def test_options_left_out_get_their_default():
    assert [layer['factor'] for layer in normalize([['scale'], ['scale', {'factor': 5}]], TYPES)] == [2, 5]


def test_what_the_reader_wrote_is_left_alone():
    written = [30, ['scale', {}]]
    normalize(written, TYPES)
    assert written == [30, ['scale', {}]]


@pytest.mark.parametrize(
    ('written', 'message'),
    [
        ({'width': 3}, "the configuration is {'width': 3}: expected a list of layers, such as [30, 10]"),
        ([30, -3], "layer 2 > full: 'width' is -3: expected a whole number above 0"),
        ([0], "layer 1 > full: 'width' is 0: expected a whole number above 0"),
        ([True], "layer 1 > full: 'width' is True: expected a whole number above 0"),
        ([['full', {'width': 2.5}]], "layer 1 > full: 'width' is 2.5: expected a whole number above 0"),
        ([30, 1.5], 'layer 2 is 1.5: expected a width such as 30'),
        ([None], 'layer 1 is None: expected a width such as 30'),
        (
            [['ful', {'width': 3}]],
            "layer 1: the layer type 'ful' is not known; did you mean 'full'? known: full, scale",
        ),
        ('full', "layer 1 is 'full': expected a width such as 30"),
        ([['full']], "layer 1 > full: 'width' is missing"),
        (
            [['full', {'widht': 3}]],
            "layer 1 > full: the option 'widht' is not known; did you mean 'width'? known: width",
        ),
        ([['full', {'width': 3}, 4]], "layer 1 > full: a 'full' layer takes options only, but 4 follows them"),
    ],
)
def test_a_mistake_is_named_with_its_place(written, message):
    with pytest.raises(ConfigError) as problem:
        normalize(written, TYPES)
    assert str(problem.value).startswith(message)


def test_sides_and_paddings_in_every_form():
    assert [positive_pair(value) for value in (3, [3, 5], (1, 2), np.int64(4))] == [(3, 3), (3, 5), (1, 2), (4, 4)]
    assert [padding(value) for value in ('SAME', 'VALID', 0, [[1, 2], (0, 3)])] == [
        'SAME',
        'VALID',
        0,
        ((1, 2), (0, 3)),
    ]


PAIR = 'expected a whole number above 0, or two of them, [height, width]'
AROUND = "expected 'SAME', 'VALID', a number of pixels from 0 on, or [[top, bottom], [left, right]] of such numbers"


def cnn(hconfigs, shape=(9, 8, 3)):
    """A small model on pictures of that shape."""
    return CnnBasicModel('m', DummyDataset('d', 'select', shape, [4]), hconfigs)


def conv(**options):
    """A conv layer with these options beside the usual ones."""
    return ['conv', {'ksize': 3, 'chn': 4} | options]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        *[(dict(ksize=bad), f"'ksize' is {bad!r}: {PAIR}") for bad in (0, -1, 2.5, True, '3', [3], [3, 0], None)],
        *[(dict(stride=bad), f"'stride' is {bad!r}: {PAIR}") for bad in (0, -2, 1.0, False, [1, 2, 3])],
        *[(dict(chn=bad), f"'chn' is {bad!r}: expected a whole number above 0") for bad in (0, 1.5, True, [3])],
        *[(dict(padding=bad), f"'padding' is {bad!r}: {AROUND}") for bad in (-1, 1.5, True, [1, 1], [[1, 1], [0, -1]])],
        (dict(padding='same'), "'padding' is 'same': expected 'SAME' or 'VALID'; did you mean 'SAME'?"),
        (
            dict(actfunc='Relu'),
            "'actfunc' is 'Relu': expected 'relu', 'sigmoid', 'tanh' or 'none'; did you mean 'relu'?",
        ),
        (dict(actfunc=None), "'actfunc' is None: expected 'relu', 'sigmoid', 'tanh' or 'none'; did you mean 'none'?"),
        (dict(actfunc=3), "'actfunc' is 3: expected 'relu', 'sigmoid', 'tanh' or 'none'"),
        (
            dict(kszie=3),
            "the option 'kszie' is not known; did you mean 'ksize'? known: actfunc, chn, ksize, padding, stride",
        ),
    ],
)
def test_a_mistake_in_a_conv_layer(options, message):
    with pytest.raises(ConfigError) as problem:
        cnn([conv(), 5, conv(**options)])
    assert str(problem.value) == f'm: layer 3 > conv: {message}'


@pytest.mark.parametrize(
    ('hconfigs', 'message'),
    [
        (
            'conv',
            "layer 1 is 'conv': expected a width such as 30, or a list such as ['full', {'width': 30}]; the layer",
        ),
        (
            [conv(), 'mx'],
            "layer 2 is 'mx': expected a width such as 30, or a list such as ['full', {'width': 30}]; the",
        ),
        ([[]], 'layer 1 is []: expected a width such as 30'),
        (['conv'], "layer 1 > conv: 'ksize' is missing"),
        (
            ['conv', {'ksize': 3}, {'chn': 4}],
            "layer 1 > conv: a 'conv' layer takes options only, but {'chn': 4} follows",
        ),
        ([*conv(), ['max']], "layer 1 > conv: a 'conv' layer takes options only, but ['max'] follows them; several"),
        ([conv(), ['avg', {'actfunc': 'relu'}]], "layer 2 > avg: the option 'actfunc' is not known"),
    ],
)
def test_brackets_in_the_wrong_places(hconfigs, message):
    with pytest.raises(ConfigError, match='^m: ' + re.escape(message)):
        cnn(hconfigs)


def test_a_pair_of_brackets_too_many():
    with pytest.raises(ConfigError, match=r"^m: layer 1 is \[\['conv', .*; there is a pair of brackets too many$"):
        cnn([[conv()]])


@pytest.mark.parametrize(
    ('hconfigs', 'message'),
    [
        ([conv(ksize=10, padding='VALID')], '10x10 windows at a stride of 1x1 on a picture of 9x8'),
        (
            [conv(ksize=[12, 3], padding=1)],
            '12x3 windows at a stride of 1x1 on a picture of 9x8 with padding 1 leave an',
        ),
        ([conv(), ['max', {'stride': 9}]], '9x9 windows at a stride of 9x9 on a picture of 9x8'),
        ([['max', {'stride': 4}], ['avg', {'stride': 3}]], '3x3 windows at a stride of 3x3 on a picture of 2x2'),
        ([['avg', {'ksize': 2, 'padding': 3}]], 'with a padding of 3 and 3 some windows of 2 pixels lie outside the 9'),
    ],
)
def test_windows_that_do_not_fit_are_named_with_their_layer(hconfigs, message):
    place = f'm: layer {len(hconfigs)} > {hconfigs[-1][0]}: '
    with pytest.raises(ConfigError, match='^' + re.escape(place + message)):
        cnn(hconfigs)


def test_flat_rows_are_no_pictures():
    with pytest.raises(ConfigError) as problem:
        CnnBasicModel('m', FlowersDataset([24, 24]), [30, conv()][1:])
    told = str(problem.value)
    assert told.startswith('m: layer 1 > conv: expected pictures [height, width, channels], but what comes in has the ')
    assert 'shape [1728]. The rows of the dataset flowers have it' in told
    assert told.endswith('as in FlowersDataset([96, 96], [96, 96, 3])')


@pytest.mark.parametrize('kind', ['conv', 'max', 'avg'])
def test_no_picture_is_left_after_a_full_layer(kind):
    options = {'ksize': 3, 'chn': 2} if kind == 'conv' else {'stride': 2}
    with pytest.raises(ConfigError, match=rf'^m: layer 2 > {kind}: expected pictures .* has the shape \[30\]. A full'):
        cnn([30, [kind, options]])


@pytest.mark.parametrize('shape', [(2, 9, 8, 1), (2, 8, 9, 3), (2, 216), (9, 8, 3)])
def test_pictures_of_another_shape(shape):
    model = cnn([conv(), 5])
    message = f'm: layer 1 > conv takes a batch [n, 9, 8, 3], but what came is {list(shape)}'
    x, y = to_device(np.zeros(shape)), to_device(np.eye(4)[:2])
    for use in (lambda: model.train_step(x, y), lambda: model.get_output(x), lambda: model.get_maps(x)):
        with pytest.raises(ConfigError, match='^' + re.escape(message)) as problem:
            use()
    assert str(problem.value).endswith('x[None]') == (len(shape) == 3)


class Own(CnnBasicModel):
    """Two types of a reader: one with options that are checked, one that takes any; neither does anything."""

    layer_options = {'checked': {'factor': Option(positive_int, 2)}}

    def alloc_free_layer(self, input_shape, hconfig):
        return {'state': hconfig['factor']}, input_shape

    def forward_free_layer(self, x, hconfig, pm):
        return x, None

    def backprop_free_layer(self, G_y, hconfig, pm, aux):
        return G_y

    alloc_checked_layer, forward_checked_layer = alloc_free_layer, forward_free_layer
    backprop_checked_layer = backprop_free_layer


def test_a_readers_types_stand_beside_the_books():
    data = DummyDataset('d', 'select', (9, 8, 3), [4])
    model = Own('m', data, [conv(), ['checked'], ['free', {'factor': 'any'}], 5])
    assert [layer.type for layer in model.layers] == ['conv', 'checked', 'free', 'full']
    assert [pm['state'] for pm in model.pm_hiddens[1:3]] == [2, 'any']
    for hconfigs, message in (
        ([['checked', {'factor': 0}]], "m: layer 1 > checked: 'factor' is 0: expected a whole number above 0"),
        ([['free']], "m: layer 1 > free: 'factor' is missing"),
        ([['fre']], "m: layer 1: the layer type 'fre' is not known; did you mean 'free'? known: avg, checked, conv, "),
        ([conv(chn=0)], "m: layer 1 > conv: 'chn' is 0"),
    ):
        with pytest.raises(ConfigError, match='^' + re.escape(message)):
            Own('m', data, hconfigs)


def test_a_readers_type_that_lacks_a_method():
    class Half(CnnBasicModel):
        def alloc_half_layer(self, input_shape, hconfig):
            return {}, input_shape

    message = "m: the layer type 'half' needs alloc_half_layer, forward_half_layer, backprop_half_layer; there is no f"
    with pytest.raises(ConfigError, match='^' + message):
        Half('m', DummyDataset('d', 'select', (9, 8, 3), [4]), [])


class Greedy(MlpModel):
    """Asks for far more memory than any machine has, from a given forward pass on."""

    calls = 0
    honest = 0

    def forward_layer(self, x, hconfig, pm):
        self.calls += 1
        if self.calls > self.honest:
            xp.zeros((len(x), 10**13), dtype=np.float32)
        return super().forward_layer(x, hconfig, pm)


def test_too_little_memory_for_a_step(dataset):
    model = Greedy('m', dataset(), [])
    model.honest = 6
    with pytest.raises(TrainingError) as problem:
        model.train(epoch_count=3, batch_size=10)
    told = str(problem.value)
    assert told.startswith('m: not enough memory for a training step of 10 rows: ')
    assert re.search(r'\d\.? (TiB|bytes)', told)
    assert 'Make batch_size smaller, or the pictures (the resolution of the dataset)' in told
    assert told.endswith('; its history (1 whole epochs) is kept in model.history.')
    assert problem.value.history is model.history
    assert len(model.history.epochs) == 1
    assert np.isfinite(to_host(model.parameters.values)).all()


def test_too_little_memory_for_a_test(dataset):
    model = Greedy('m', dataset(), [])
    with pytest.raises(
        TrainingError, match='^m: not enough memory for computing the outputs of 17 rows: .*'
    ) as problem:
        model.test()
    assert 'Make chapters.ch05_mlp_model.ROWS_AT_ONCE smaller' in str(problem.value)
    assert problem.value.history is None
