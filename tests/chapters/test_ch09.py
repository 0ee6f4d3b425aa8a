"""Chapter 9: what layers in layers compute, by hand; new weights; options of the model; tables and pictures."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chapters import CnnBasicModel, CnnExtModel
from chapters.maps import plot_maps
from data import DummyDataset
from mathlib import rng
from mathlib.backend import precision, to_device, to_host


@pytest.fixture(autouse=True)
def own_macros(monkeypatch):
    """Macros that a test makes are its own; everything is computed in float64."""
    monkeypatch.setattr(CnnExtModel, 'macros', dict(CnnExtModel.macros))
    with precision('float64'):
        yield


def conv(ksize, chn, **options):
    """A conv layer as it is written."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


def build(hconfigs, shape=(2, 1, 2), classes=3, **options):
    """A model on rows of that shape."""
    rng.seed(1)
    return CnnExtModel('m', DummyDataset('pictures', 'select', shape, [classes]), hconfigs, **options)


def one_by_one(matrix, **options):
    """A 1x1 convolution by the kernel `matrix` [inputs, outputs] with biases of zero: the layer, and the kernel."""
    matrix = np.array(matrix, dtype=float)
    return conv(1, matrix.shape[1], **options), matrix[None, None]


def filled(hconfigs, kernels, **options):
    """A model with these kernels, in the order of its layers."""
    model = build(hconfigs, **options)
    own = [values for name, values, _ in model.parameters.items() if name.endswith('.k')]
    for values, kernel in zip(own, kernels, strict=True):
        values[...] = to_device(kernel)
    return model


# Two pixels with two channels: (1, -2) and (3, 5).
X = np.array([[[[1.0, -2.0]], [[3.0, 5.0]]]])
PLUS, PLUS_KERNEL = one_by_one([[1], [1]])  # the sum of the channels, with ReLU: 0 and 8
BOTH, BOTH_KERNEL = one_by_one([[1, 0, 2, 0], [0, 1, 0, -1]], actfunc='none')  # (a, b) -> (a, b, 2a, -b)


def first_map(model, x=X):
    """What the first layer, a container or not, makes of x, pixel by pixel."""
    layer, pm, *_ = model.structure[0]
    y, _ = model.forward_layer(to_device(x), layer, pm)
    return to_host(y)[0, :, 0].tolist()


@pytest.mark.parametrize(
    ('layer', 'kernels', 'expected'),
    [
        (['parallel', PLUS, ['max'], PLUS], [PLUS_KERNEL, 2 * PLUS_KERNEL], [[0, 1, -2, 0], [8, 3, 5, 16]]),
        (['serial', BOTH, ['avg', {'stride': [2, 1]}]], [BOTH_KERNEL], [[2, 1.5, 4, -1.5]]),
        (['add', BOTH], [BOTH_KERNEL], [[2, -4, 3, 0], [6, 10, 9, 0]]),
        (['add', {'x': False}, BOTH], [BOTH_KERNEL], [[1, -2, 2, 2], [3, 5, 6, -5]]),
        (['add', {'x': False}, BOTH, PLUS], [BOTH_KERNEL, PLUS_KERNEL], [[1, -2, 2, 2], [11, 13, 14, 3]]),
        (['add', {'actions': 'A'}, BOTH], [BOTH_KERNEL], [[2, 0, 3, 0], [6, 10, 9, 0]]),
        (['add', {'x': False}, ['max'], ['max'], ['max']], [], [[3, -6], [9, 15]]),
        (['loop', {'repeat': 3}, ['add', ['max']]], [], [[8, -16], [24, 40]]),
        (['loop', {'repeat': 2}, conv(1, 2)], [[[[[0, 1], [1, 0]]]], [[[[1, 0], [0, -1]]]]], [[0, 0], [5, 0]]),
        (['custom', {'name': 'twice'}], [], [[2, -4], [6, 10]]),
    ],
)
def test_containers_by_hand(layer, kernels, expected):
    CnnExtModel.set_macro('twice', ['add', ['max']])
    assert first_map(filled(layer, kernels)) == expected


def test_flat_rows_are_joined_and_added_as_well():
    model = build(['parallel', 2, ['add', {'x': False}, ['full', {'width': 4, 'actfunc': 'none'}], 2]], (3,))
    assert model.structure[0].output_shape == (6,)
    x = np.array([[1.0, -2, 3]])
    weights = [to_host(values) for name, values, _ in model.parameters.items() if name.endswith('.w')]
    left, wide, narrow = x @ weights[0], x @ weights[1], np.maximum(x @ weights[2], 0)
    layer, pm, *_ = model.structure[0]
    y, _ = model.forward_layer(to_device(x), layer, pm)
    expected = np.concatenate([np.maximum(left, 0), wide + np.concatenate([narrow, narrow], axis=1)], axis=1)
    assert to_host(y) == pytest.approx(expected, rel=1e-12)


SIGMOID = {'actfunc': 'sigmoid'}


def of_actions(x, actions, kernel, epsilon=1e-10):
    """Actions of a 1x1 convolution with sigmoid, one after the other, written out."""
    for action in actions:
        if action == 'L':
            x = x @ kernel[0, 0] + 0.5
        elif action == 'A':
            x = 1 / (1 + np.exp(-x))
        else:
            x = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + epsilon)
    return x


@pytest.mark.parametrize('actions', ['L', 'LA', 'AL', 'LB', 'BL', 'LAB', 'LBA', 'ALB', 'ABL', 'BAL', 'BLA'])
def test_actions_come_in_the_order_of_their_letters(actions):
    layer, kernel = one_by_one([[1, -0.5], [2, 0.25]], actions=actions, **SIGMOID)
    model = filled(layer, [kernel], exp_ratio=1)
    model.pm_hiddens[0]['b'][...] = 0.5
    x = np.random.RandomState(0).normal(size=(5, 2, 1, 2))
    expected = of_actions(x, actions, kernel)
    if 'B' in actions:
        model.compute_gradients(to_device(x), to_device(np.eye(3)[[0, 1, 2, 0, 1]]))
    # With an exp_ratio of 1 a test has the statistics of the batch before.
    (_, y), _ = model.get_maps(x)
    assert y == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize('actions', ['A', 'B', 'AB', 'BA'])
def test_actions_of_add_come_after_the_sum(actions):
    model = build(['add', {'actions': actions, **SIGMOID}, ['max']], exp_ratio=1)
    x = np.random.RandomState(0).normal(size=(5, 2, 1, 2))
    expected = of_actions(2 * x, actions, None)
    if 'B' in actions:
        assert model.parameters.names[:2] == ['hidden.0.bn.scale', 'hidden.0.bn.shift']
        model.compute_gradients(to_device(x), to_device(np.eye(3)[[0, 1, 2, 0, 1]]))
    layer, pm, *_ = model.structure[0]
    y, _ = model.forward_layer(to_device(x), layer, pm)
    assert to_host(y) == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_scale_and_shift_belong_to_the_b_of_add_alone():
    model = build([conv(1, 4, actions='LAB'), ['add', {'actions': 'B'}, conv(1, 4, actions='BAL')]])
    assert [name for name in model.parameters.names if 'bn' in name] == ['hidden.1.bn.scale', 'hidden.1.bn.shift']


@pytest.mark.parametrize('layer', [conv(1, 2, actions='BL'), ['add', {'actions': 'B'}, conv(1, 2, actions='LB')]])
def test_exp_ratio_and_epsilon_reach_every_b(layer):
    model = build(layer, exp_ratio=0.25, epsilon=3)
    model.compute_gradients(to_device(np.tile(X, (2, 1, 1, 1))), to_device(np.eye(3)[:2]))
    pm = model.pm_hiddens[0]
    for norm in (pm['bn'], *(part['bn'] for part in pm.get('pms', ()))):
        assert norm['state']['hconfig'].options == {'rescale': 'scale' in norm, 'epsilon': 3, 'exp_ratio': 0.25}
    if layer[0] == 'conv':
        # Channel means 2 and 1.5, variances 1 and 12.25; a quarter of the way from 0 and 1.
        assert to_host(pm['bn']['state']['mavg']) == pytest.approx([0.5, 0.375])
        assert to_host(pm['bn']['state']['mvar']) == pytest.approx([1, 1 + 11.25 / 4])
        kernel = to_host(pm['k'])[0, 0]
        expected = (X - [0.5, 0.375]) / np.sqrt(np.array([4, 4 + 11.25 / 4])) @ kernel
        assert first_map(model) == pytest.approx(expected[0, :, 0], rel=1e-9)


# New weights


@pytest.mark.parametrize(
    ('weight_init', 'kernel', 'weight'),
    [
        ('normal', 0.03, 0.03),
        ('he', np.sqrt(2 / (3 * 2 * 5)), np.sqrt(2 / (4 * 4 * 8))),
        ('glorot', np.sqrt(2 / (3 * 2 * 5 + 3 * 2 * 8)), np.sqrt(2 / (4 * 4 * 8 + 200))),
    ],
)
def test_the_size_of_new_weights(weight_init, kernel, weight):
    model = build(['serial', conv([3, 2], 8), 200], (4, 4, 5), weight_init=weight_init)
    draws = np.random.RandomState(1)
    # The same draws from the book's stream whatever their size, so the numbers are known, not only their spread.
    for values, shape, std in zip(
        [values for name, values, _ in model.parameters.items() if name[-1] in 'kw'],
        [(3, 2, 5, 8), (4 * 4 * 8, 200)],
        [kernel, weight],
        strict=False,
    ):
        np.testing.assert_allclose(to_host(values), draws.normal(0, std, shape), rtol=1e-9)
    assert all((to_host(values) == 0).all() for name, values, _ in model.parameters.items() if name.endswith('.b'))


def test_the_standard_deviation_of_the_book_can_be_another():
    class Smaller(CnnExtModel):
        def init_parameters(self, hconfigs):
            self.rand_std = 0.001
            super().init_parameters(hconfigs)

    rng.seed(1)
    model = Smaller('m', DummyDataset('pictures', 'select', (2, 1, 2), [3]), [conv(1, 2)])
    kernel = np.random.RandomState(1).normal(0, 0.001, (1, 1, 2, 2))
    assert to_host(model.pm_hiddens[0]['k']) == pytest.approx(kernel, rel=1e-9)


# Weight decay


def test_weights_inside_other_layers_decay():
    layer = ['loop', {'repeat': 2}, ['add', {'actions': 'B'}, conv(1, 2), ['serial', conv(1, 2)]]]
    model = build(layer, l2_decay=0.5, l1_decay=0.25)
    kernels = [name for name in model.parameters.names if name.endswith('.k')]
    assert len(kernels) == 4
    model.parameters.values[...] = to_device(np.linspace(-1, 2, len(model.parameters)))
    gradients = model.extra_gradients()
    cost = 0
    for slot in model.parameters.slots():
        values, expected = to_host(slot.view).ravel(), 0
        if slot.name in (*kernels, 'output.w'):
            expected = 0.5 * values + 0.25 * np.sign(values)
            cost += 0.25 * (values**2).sum() + 0.25 * np.abs(values).sum()
        assert to_host(gradients[slot.part]) == pytest.approx(np.zeros_like(values) + expected, rel=1e-12)
    assert float(model.forward_extra_cost(None)[0]) == pytest.approx(cost, rel=1e-12)
    assert len(model.collect_params()) == 4 * 4 + 4 * 3


# Configurations


def test_a_configuration_used_twice_is_never_changed():
    CnnExtModel.set_macro('block', ['serial', conv(3, '#chn', actions='LAB'), '#layer'])
    inner = ['add', {'x': False}, conv(3, 2)]
    block = ['custom', {'name': 'block', 'args': {'#chn': 2, '#layer': inner}}]
    layer = ['parallel', inner, ['loop', {'repeat': 2}, inner], block]
    config = [layer, layer, block]
    before, macros = copy.deepcopy(config), copy.deepcopy(CnnExtModel.macros)
    models = [build(config), build(config)]
    for model in models:
        model.train_step(to_device(np.concatenate([X, -X])), to_device(np.eye(3)[:2]))
    assert config == before
    assert CnnExtModel.macros == macros
    one, other = (to_host(model.parameters.values) for model in models)
    assert np.array_equal(one, other)
    assert not np.shares_memory(one, other)
    # Every use has parameters of its own.
    kernels = [to_host(values) for name, values, _ in models[0].parameters.items() if name.endswith('.k')]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels) == 5 + 5 + 2


def test_layers_of_chapter_7_are_those_of_chapter_7():
    net = [
        conv(3, 4),
        ['max', {'stride': 2}],
        conv([2, 3], 3, stride=[1, 2], actfunc='tanh'),
        ['avg', {'stride': 2}],
        5,
    ]
    x = to_device(np.random.RandomState(0).normal(size=(4, 9, 8, 3)))
    found = []
    for cls in (CnnBasicModel, CnnExtModel):
        rng.seed(1)
        model = cls('m', DummyDataset('pictures', 'select', (9, 8, 3), [3]), net)
        for _ in range(3):
            model.train_step(x, to_device(np.eye(3)[[0, 1, 2, 0]]))
        found.append((to_host(model.parameters.values), *(values for _, values in model.get_maps(x))))
    for one, other in zip(*found, strict=True):
        assert other == pytest.approx(one, rel=1e-9, abs=1e-12)


# Tables and pictures

NET = [
    conv(3, 4, stride=2),
    ['parallel', ['serial', ['avg', {'ksize': 3}], conv([1, 3], 2)], ['max', {'ksize': 2, 'stride': 1}]],
    ['loop', {'repeat': 2}, ['add', {'actions': 'B'}, conv(1, 6, actfunc='tanh')]],
    ['custom', {'name': 'end'}],
]
DUMP = """\
1: conv, [8, 6, 3]=>[4, 3, 4] pm:3x3x3x4+4=112
parallel
  serial
    2: avg, [4, 3, 4]=>[4, 3, 4]
    3: conv, [4, 3, 4]=>[4, 3, 2] pm:1x3x4x2+2=26
  4: max, [4, 3, 4]=>[4, 3, 4]
loop
  add
    5: conv, [4, 3, 6]=>[4, 3, 6] pm:1x1x6x6+6=42
  add
    6: conv, [4, 3, 6]=>[4, 3, 6] pm:1x1x6x6+6=42
custom end
  serial
    7: batch_normal, [4, 3, 6]=>[4, 3, 6]
    8: full, [4, 3, 6]=>[5] pm:72x5+5=365
9: full, [5]=>[3] pm:5x3+3=18
Total parameter count: 605
"""
LEARNED = 605 + 2 * 12 + 12  # with scale and shift of two add layers and of batch_normal


@pytest.fixture
def nested(own_macros):
    """A function: the model NET."""

    def make(**options):
        CnnExtModel.set_macro('end', ['serial', ['batch_normal'], 5])
        return build(NET, (8, 6, 3), **options)

    return make


def test_the_structure_is_printed_where_asked(nested, capsys):
    nested()
    assert capsys.readouterr().out == ''
    nested(dump_structure=True)
    assert capsys.readouterr().out == DUMP


def test_the_summary_has_a_line_for_every_layer(nested, capsys):
    model = nested()
    model.summary()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[2:-1]] == [
        *('1', 'parallel', 'serial', '2', '3', '4', 'loop', 'add', '5', 'add', '6', 'custom', 'serial', '7', '8'),
        'output',
    ]
    assert lines[3][2:] == ['[4,', '3,', '4]', '=>', '[4,', '3,', '6]', '-', '0']
    assert lines[6] == ['3', 'conv', 'relu', '[4,', '3,', '4]', '=>', '[4,', '3,', '2]', '1x3x4x2+2', '26']
    assert lines[9] == lines[11] == ['add', '-', '[4,', '3,', '6]', '=>', '[4,', '3,', '6]', '6+6', '12']
    assert lines[15] == ['7', 'batch_normal', '-', '[4,', '3,', '6]', '=>', '[4,', '3,', '6]', '6+6', '12']
    assert lines[-1] == ['Total', 'parameter', 'count:', str(LEARNED)]
    assert sum(int(line[-1]) for line in lines[2:-1]) == len(model.parameters) == LEARNED


PATHS = [
    'layer 1 > conv',
    'layer 2 > parallel > branch 1 > serial > layer 1 > avg',
    'layer 2 > parallel > branch 1 > serial > layer 2 > conv',
    'layer 2 > parallel > branch 2 > max',
    'layer 3 > loop > add > branch 1 > conv',
    'layer 3 > loop > add > branch 1 > conv',
    'layer 4 > custom end > serial > layer 1 > batch_normal',
    'layer 4 > custom end > serial > layer 2 > full',
    'output layer',
]


def test_the_summary_names_an_activation_only_where_there_is_one(capsys):
    net = [conv(1, 2, actions='LB'), conv(1, 2, actions='LAB'), ['add', {'actions': 'A'}, ['max']], ['add', ['max']]]
    build(net).summary()
    words = [line.split('[')[0].split() for line in capsys.readouterr().out.splitlines()[2:-1]]
    assert words == [
        ['1', 'conv', '-'],
        ['2', 'conv', 'relu'],
        ['add', 'relu'],
        ['3', 'max', '-'],
        ['add', '-'],
        ['4', 'max', '-'],
        ['output', 'full', 'none'],
    ]


def test_maps_are_those_of_the_plain_layers_by_their_paths(nested):
    model = nested()
    x = np.random.RandomState(0).normal(size=(2, 8, 6, 3))
    maps = model.get_maps(x)
    assert [path for path, _ in maps] == PATHS
    assert [values.shape[1:] for _, values in maps] == [
        *((4, 3, 4), (4, 3, 4), (4, 3, 2), (4, 3, 4), (4, 3, 6), (4, 3, 6), (4, 3, 6), (5,), (3,)),
    ]
    assert {type(values) for _, values in maps} == {np.ndarray}
    assert maps[-1][1] == pytest.approx(to_host(model.get_output(x)))
    corner = maps[0][1][:, :2, :2].mean(axis=(1, 2))
    assert maps[1][1][:, 0, 0] == pytest.approx(corner)
    assert maps[3][1][:, 0, 0] == pytest.approx(maps[0][1][:, :2, :2].max(axis=(1, 2)))
    # A second look is as good, and a training step in between keeps nothing.
    model.train_step(to_device(x), to_device(np.eye(3)[:2]))
    assert len(model.get_maps(x)) == len(PATHS)
    assert model.recorded is None


def test_a_picture_of_the_maps_has_a_block_for_each(nested):
    figure = plot_maps(nested(), np.random.RandomState(0).uniform(0, 255, (8, 6, 3)))
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert len(titles) == 1 + 7
    assert titles[2].startswith('layer 2 > parallel > branch 1 > serial > layer 1 > avg  [4, 3, 4]')


def test_show_maps_shows_the_kernels_inside_other_layers(nested, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'inline')
    monkeypatch.setattr(plt, 'show', lambda: shown.extend(plt.get_fignums()))
    model = nested(show_maps=True)
    monkeypatch.setattr(model.dataset, 'visualize', lambda *_: None)
    model.visualize_rows(np.random.RandomState(0).uniform(0, 255, (2, 8, 6, 3)), np.eye(3)[:2])
    assert len(shown) == 4 + 2
