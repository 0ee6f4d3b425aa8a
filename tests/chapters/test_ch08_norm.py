"""The layer batch_normal: what it gives in training and in a test, what it learns, and where numbers are few."""

import numpy as np
import pytest

from chapters import CnnRegModel, check_gradients
from data import DummyDataset
from mathlib.backend import precision, to_device, to_host

EPSILON = 1e-10
MAPS, FLAT = (5, 4, 3, 2), (5, 6)


@pytest.fixture(autouse=True)
def in_float64():
    """Compared with formulas digit by digit."""
    with precision('float64'):
        yield


def drawn(shape, seed=0):
    """Host numbers whose channels differ in mean and size."""
    draws = np.random.RandomState(seed)
    return draws.normal(size=shape) * np.arange(1, shape[-1] + 1) + 3


class Watched(CnnRegModel):
    """Keeps what comes out of batch_normal."""

    def forward_batch_normal_layer(self, x, hconfig, pm):
        self.given, aux = super().forward_batch_normal_layer(x, hconfig, pm)
        return self.given, aux


def first(options, shape):
    """A model whose first layer normalises rows of that shape."""
    return Watched('m', DummyDataset('d', 'select', shape[1:], [3]), [['batch_normal', options]])


def answers(count):
    """One-hot answers on the device."""
    return to_device(np.eye(3)[np.arange(count) % 3])


def trained(model, x):
    """What the first layer gives in a training step on x, without moving any parameter."""
    model.compute_gradients(to_device(x), answers(len(x)))
    return to_host(model.given)


def after_training(model, x):
    """What the first layer gives in a test."""
    return model.get_maps(x)[0][1]


def averages(x):
    """Mean and variance of every channel."""
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


@pytest.mark.parametrize('shape', [MAPS, FLAT, (5, 1, 1, 2), (1, 4, 3, 2)])
@pytest.mark.parametrize('options', [{}, {'epsilon': 0.5}, {'rescale': False}])
def test_in_training_the_batch_is_normalised(shape, options):
    model, x = first(options, shape), drawn(shape)
    scale, shift = 1, 0
    if options.get('rescale', True):
        scale, shift = drawn(shape[-1:], 1), drawn(shape[-1:], 2)
        model.pm_hiddens[0]['scale'][...] = to_device(scale)
        model.pm_hiddens[0]['shift'][...] = to_device(shift)
    else:
        assert model.parameters.names == ['output.w', 'output.b']
    mean, variance = averages(x)
    expected = (x - mean) / np.sqrt(variance + options.get('epsilon', EPSILON)) * scale + shift
    assert trained(model, x) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize('shape', [MAPS, FLAT])
@pytest.mark.parametrize(('options', 'ratio'), [({}, 0.001), ({'exp_ratio': 0.1}, 0.1), ({'exp_ratio': 1}, 1)])
def test_moving_averages_go_a_step_towards_each_batch(shape, options, ratio):
    model = first(options, shape)
    mavg, mvar = np.zeros(shape[-1]), np.ones(shape[-1])
    for step in range(4):
        x = drawn(shape, step)
        trained(model, x)
        mean, variance = averages(x)
        mavg, mvar = mavg + ratio * (mean - mavg), mvar + ratio * (variance - mvar)
    state = model.pm_hiddens[0]['state']
    assert to_host(state['mavg']) == pytest.approx(mavg, rel=1e-9)
    assert to_host(state['mvar']) == pytest.approx(mvar, rel=1e-9)
    model.pm_hiddens[0]['scale'][...] = 2
    model.pm_hiddens[0]['shift'][...] = -1
    rows = drawn(shape, 9)
    assert after_training(model, rows) == pytest.approx(
        (rows - mavg) / np.sqrt(mvar + EPSILON) * 2 - 1, rel=1e-9, abs=1e-9
    )


def test_a_test_leaves_the_averages_and_looks_at_each_row_alone():
    model, x = first({'exp_ratio': 0.5}, MAPS), drawn(MAPS)
    trained(model, x)
    state = model.pm_hiddens[0]['state']
    before = [to_host(state[key]).copy() for key in ('mavg', 'mvar')]
    together = to_host(model.get_output(x))
    alone = np.concatenate([to_host(model.get_output(row[None])) for row in x])
    assert alone == pytest.approx(together, rel=1e-12)
    assert [to_host(state[key]).tolist() for key in ('mavg', 'mvar')] == [each.tolist() for each in before]


@pytest.mark.parametrize('shape', [MAPS, FLAT, (1, 4, 3, 2), (1, 1, 1, 2), (1, 6)])
def test_constants_become_the_shift(shape):
    x = np.broadcast_to(drawn(shape[-1:]) * 1000, shape)
    model = first({}, shape)
    model.pm_hiddens[0]['shift'][...] = 0.75
    assert (trained(model, x) == 0.75).all()
    assert np.isfinite(to_host(model.parameters.gradients)).all()
    # Nothing is left of the rows, so the answers cannot depend on the scale.
    gradients = {name: to_host(gradient) for name, _, gradient in model.parameters.items()}
    assert (gradients['hidden.0.scale'] == 0).all()
    assert np.abs(gradients['hidden.0.shift']).max() > 0


def test_scale_and_shift_start_at_one_and_zero_and_move_under_adam():
    model, x = first({}, MAPS), drawn(MAPS)
    pm = model.pm_hiddens[0]
    assert (to_host(pm['scale']).tolist(), to_host(pm['shift']).tolist()) == ([1, 1], [0, 0])
    model.learning_rate = 0.25
    model.train_step(to_device(x), answers(5))
    gradients = {name: to_host(gradient) for name, _, gradient in model.parameters.items()}
    # The first step of Adam is one of the learning rate.
    for key, start in (('scale', 1), ('shift', 0)):
        signs = np.sign(gradients[f'hidden.0.{key}'])
        assert np.abs(signs).all()
        assert to_host(pm[key]) == pytest.approx(start - 0.25 * signs, rel=1e-4)


def test_scale_and_shift_move_by_their_gradients_without_adam():
    model, x = first({}, MAPS), drawn(MAPS)
    model.use_adam, model.learning_rate = False, 0.25
    model.train_step(to_device(x), answers(5))
    gradients = {name: to_host(gradient) for name, _, gradient in model.parameters.items()}
    pm = model.pm_hiddens[0]
    assert to_host(pm['scale']) == pytest.approx(1 - 0.25 * gradients['hidden.0.scale'], rel=1e-12)
    assert to_host(pm['shift']) == pytest.approx(-0.25 * gradients['hidden.0.shift'], rel=1e-12)


CONV = ['conv', {'ksize': 3, 'chn': 3, 'actfunc': 'tanh'}]
RAW = ['batch_normal', {'rescale': False}]


@pytest.mark.parametrize(
    'hconfigs',
    [
        [['batch_normal'], CONV],
        [CONV, ['batch_normal'], ['max', {'stride': 2}]],
        [CONV, RAW, CONV],
        [RAW, ['avg', {'stride': 2}], ['batch_normal', {'epsilon': 0.3}]],
        [7, ['batch_normal'], ['full', {'width': 5, 'actfunc': 'sigmoid'}], RAW],
    ],
)
@pytest.mark.parametrize('rows', [1, 4])
def test_gradients_follow_finite_differences(hconfigs, rows):
    model = CnnRegModel('m', DummyDataset('d', 'select', (4, 6, 2), [3]), hconfigs)
    model.parameters.values += to_device(np.random.RandomState(0).normal(size=len(model.parameters)) * 0.4)
    averages_before = [to_host(pm['state']['mavg']).copy() for pm in model.pm_hiddens if 'mavg' in pm.get('state', {})]
    checks = check_gradients(model, drawn((rows, 4, 6, 2)), answers(rows), samples=8, show=False)
    assert [str(check) for check in checks if not check.right] == []
    sizes = {check.name: np.abs(check.backward).max() for check in checks}
    # One row after a full layer is a constant for every channel, which hides all that lies before it.
    hidden = rows == 1 and hconfigs[0] == 7
    assert all(size > 1e-4 for name, size in sizes.items() if not hidden or name.startswith('output.b'))
    averages_after = [to_host(pm['state']['mavg']) for pm in model.pm_hiddens if 'mavg' in pm.get('state', {})]
    for before, after in zip(averages_before, averages_after, strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize(('hconfigs', 'expected'), [([['batch_normal']], True), ([CONV, ['batch_normal']], False)])
def test_below_the_first_layer_that_learns_nothing_is_computed(hconfigs, expected):
    model = CnnRegModel('m', DummyDataset('d', 'select', (4, 6, 2), [3]), hconfigs)
    found = []

    def noted(G_y, hconfig, pm, aux):
        found.append(CnnRegModel.backprop_batch_normal_layer(model, G_y, hconfig, pm, aux))
        return found[-1]

    model.backprop_batch_normal_layer = noted
    model.compute_gradients(to_device(drawn((4, 4, 6, 2))), answers(4))
    assert [G_x is None for G_x in found] == [expected]
    assert all(float(abs(gradient).max()) > 0 for name, _, gradient in model.parameters.items() if name[-1] != 'b')
