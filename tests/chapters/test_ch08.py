"""Chapter 8: weight decay by hand, dropout and noise by their statistics, and the picture of the weights."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chapters import CnnBasicModel, CnnRegModel, check_gradients
from chapters.structure import kept_arrays
from data import DummyDataset
from mathlib import rng
from mathlib.backend import precision, to_device, to_host
from mathlib.errors import ConfigError

CONV = ['conv', {'ksize': 3, 'chn': 4, 'actfunc': 'tanh'}]


def dummy(shape=(4, 3, 2), classes=3):
    """Shapes of pictures, without any."""
    return DummyDataset('pictures', 'select', shape, [classes])


def batch(count, shape=(4, 3, 2), classes=3):
    """Device arrays: random rows x of that shape, with one-hot answers y."""
    draws = np.random.RandomState(0)
    return to_device(draws.normal(size=(count, *shape))), to_device(np.eye(classes)[draws.randint(classes, size=count)])


def arrays(value):
    """All arrays in lists and tuples, however deep."""
    if isinstance(value, (list, tuple)):
        return [array for part in value for array in arrays(part)]
    return [value] if hasattr(value, 'dtype') else []


class Watched(CnnRegModel):
    """Keeps what goes into every layer and what comes out, forward and back."""

    def __init__(self, *args, **options):
        self.forward, self.backward, self.floats = {}, {}, []
        super().__init__(*args, **options)

    def forward_layer(self, x, hconfig, pm):
        y, aux = super().forward_layer(x, hconfig, pm)
        self.forward[(hconfig or self.output_layer).path] = to_host(x).copy(), to_host(y).copy()
        self.floats += arrays([x, y, aux])
        return y, aux

    def backprop_layer(self, G_y, hconfig, pm, aux):
        G_x = super().backprop_layer(G_y, hconfig, pm, aux)
        self.backward[(hconfig or self.output_layer).path] = G_y, G_x
        self.floats += arrays([G_y, G_x])
        return G_x

    def update_param(self, pm, key, gradient):
        self.floats += [pm[key], gradient]
        super().update_param(pm, key, gradient)


# Weight decay

WEIGHTS, BIAS = np.array([[2.0, -1.0], [0.0, 0.5]]), np.array([3.0, -4.0])
DECAY = np.array([[1.25, -0.75], [0.0, 0.5]])  # 0.5 w + 0.25 sign(w)
ROWS, ANSWERS = np.array([[1.0, 2.0], [-3.0, 0.5]]), np.eye(2)


@pytest.fixture
def decaying():
    """A function: one full layer whose weights are WEIGHTS and decay, and biases BIAS, which do not."""

    def make(l2_decay=0.5, l1_decay=0.25):
        model = CnnRegModel('m', dummy((2,), 2), [], l2_decay=l2_decay, l1_decay=l1_decay)
        model.pm_output['w'][...] = to_device(WEIGHTS)
        model.pm_output['b'][...] = to_device(BIAS)
        model.learning_rate = 0.1
        return model

    with precision('float64'):
        yield make


def without_decay():
    """Loss and gradients by weights and biases of that layer on ROWS, written out."""
    outputs = ROWS @ WEIGHTS + BIAS
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    G = (shares - ANSWERS) / len(ROWS)
    return -np.log((shares * ANSWERS).sum(axis=1)).mean(), ROWS.T @ G, G.sum(axis=0)


@pytest.mark.parametrize(
    ('l2_decay', 'l1_decay', 'extra'),
    [(0, 0, 0), (0.5, 0, 0.25 * (4 + 1 + 0.25)), (0, 0.25, 0.25 * 3.5), (0.5, 0.25, 1.3125 + 0.875)],
)
def test_the_cost_counts_squares_and_absolute_values_of_the_weights(decaying, l2_decay, l1_decay, extra):
    loss, _ = decaying(l2_decay, l1_decay).compute_gradients(to_device(ROWS), to_device(ANSWERS))
    assert float(loss) == pytest.approx(without_decay()[0] + extra, rel=1e-12)


def test_gradient_descent_takes_a_step_of_the_decay_as_well(decaying):
    model = decaying()
    model.use_adam = False
    model.train_step(to_device(ROWS), to_device(ANSWERS))
    _, G_w, G_b = without_decay()
    assert to_host(model.pm_output['w']) == pytest.approx(WEIGHTS - 0.1 * G_w - 0.1 * DECAY, rel=1e-12)
    assert to_host(model.pm_output['b']) == pytest.approx(BIAS - 0.1 * G_b, rel=1e-12)


def test_the_decay_does_not_go_through_adam(decaying):
    model = decaying()
    assert model.use_adam
    model.train_step(to_device(ROWS), to_device(ANSWERS))
    _, G_w, G_b = without_decay()
    # The first step of Adam is one of the learning rate, whatever the size of the gradient.
    adam_w, adam_b = (G / (np.abs(G) + 1e-8) for G in (G_w, G_b))
    assert to_host(model.pm_output['w']) == pytest.approx(WEIGHTS - 0.1 * adam_w - 0.1 * DECAY, rel=1e-9)
    assert to_host(model.pm_output['b']) == pytest.approx(BIAS - 0.1 * adam_b, rel=1e-9)


def test_kernels_and_weights_decay_and_nothing_else():
    with precision('float64'):
        model = CnnRegModel('m', dummy(), [CONV, ['batch_normal'], 5], l2_decay=0.5, l1_decay=0.25)
        model.parameters.values[...] = to_device(np.linspace(-2, 2, len(model.parameters)))
        gradients = model.extra_gradients()
        for slot in model.parameters.slots():
            values = to_host(slot.view).ravel()
            decays = slot.name in ('hidden.0.k', 'hidden.2.w', 'output.w')
            expected = 0.5 * values + 0.25 * np.sign(values) if decays else np.zeros_like(values)
            assert to_host(gradients[slot.part]) == pytest.approx(expected, rel=1e-12)
        assert [name for name in model.parameters.names if name.startswith('hidden.1')] == [
            'hidden.1.scale',
            'hidden.1.shift',
        ]


def test_gradients_with_decay_dropout_and_noise_follow_finite_differences():
    layers = [['noise', {'std': 0.3}], CONV, ['dropout', {'keep_prob': 0.6}], ['noise', {'ratio': 0.5}], 5]
    with precision('float64'):
        model = CnnRegModel('m', dummy(), [*layers, ['dropout', {'keep_prob': 0.5}]], l2_decay=0.1, l1_decay=0.03)
        model.parameters.values += to_device(np.random.RandomState(0).normal(size=len(model.parameters)) * 0.3)
        checks = check_gradients(model, *batch(3), samples=10, show=False)
    assert [str(check) for check in checks if not check.right] == []
    assert min(np.abs(check.backward).max() for check in checks) > 1e-3


def test_a_decay_from_a_table_of_numbers_leaves_float32_alone():
    with precision('float32'):
        model = CnnRegModel('m', dummy(), [5], l2_decay=np.float64(0.1), l1_decay=np.float64(0.1))
        loss, _ = model.compute_gradients(*batch(2))
    assert loss.dtype == np.float32


# Dropout


def dropped(keep_prob, shape=(40, 6, 5, 7), seed=1, value=2.0):
    """What comes out of a dropout layer in one training step on rows that are `value` everywhere; the model."""
    rng.seed(seed)
    model = Watched('m', dummy(shape[1:]), [['dropout', {'keep_prob': keep_prob}], ['dropout', {'keep_prob': 0.5}]])
    model.compute_gradients(to_device(np.full(shape, value)), batch(shape[0])[1])
    return model.forward['layer 1 > dropout'][1], model


@pytest.mark.parametrize('shape', [(40, 6, 5, 7), (300, 28)])
@pytest.mark.parametrize('keep_prob', [0.3, 0.6, 0.9])
def test_dropout_keeps_its_share_and_the_mean(keep_prob, shape):
    with precision('float64'):
        y, _ = dropped(keep_prob, shape)
    kept = y != 0
    assert y[kept] == pytest.approx(2 / keep_prob, rel=1e-12)
    spread = np.sqrt(keep_prob * (1 - keep_prob) / y.size)
    assert abs(kept.mean() - keep_prob) < 4 * spread
    assert abs(y.mean() - 2) < 4 * 2 * spread / keep_prob


def test_dropout_draws_for_every_number_row_step_and_layer():
    y, model = dropped(0.5)
    mask = y != 0
    after = model.forward['layer 2 > dropout'][1] != 0
    later = dropped(0.5, seed=2)[0] != 0
    pairs = [(mask[0], mask[1]), (mask[:, 0], mask[:, 1]), (mask[..., 0], mask[..., 1]), (mask[:, :, 0], mask[:, :, 1])]
    pairs += [(mask, later), (mask[mask], after[mask])]
    for one, other in pairs:
        # Coins that were tossed separately agree half of the time.
        assert abs((one == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(one.size)


def test_dropout_that_keeps_all_changes_nothing():
    y, _ = dropped(1)
    assert (y == 2).all()


def test_the_way_back_goes_through_the_same_numbers():
    with precision('float64'):
        model = Watched('m', dummy(), [CONV, ['dropout', {'keep_prob': 0.6}]])
        model.compute_gradients(*batch(5))
        x, y = model.forward['layer 2 > dropout']
        G_y, G_x = (to_host(G) for G in model.backward['layer 2 > dropout'])
    assert 0 < (y == 0).mean() < 1
    assert G_x == pytest.approx(G_y * (y != 0) / 0.6, rel=1e-12)
    assert y == pytest.approx(x * (y != 0) / 0.6, rel=1e-12)


def test_in_a_test_dropout_and_noise_are_not_there():
    outputs = []
    for layers in ([], [['dropout', {'keep_prob': 0.2}], ['noise', {'mean': 5}]]):
        rng.seed(3)
        model = CnnRegModel('m', dummy(), [*layers, CONV, *layers, 5, *layers])
        outputs.append(to_host(model.get_output(batch(4)[0])))
        outputs.append(model.get_maps(batch(4)[0])[-1][1])
    for output in outputs[1:]:
        assert np.array_equal(output, outputs[0])


# Noise


def noises(options, steps=1, shape=(20, 6, 5, 7)):
    """What a noise layer adds in each of some training steps."""
    rng.seed(1)
    model = Watched('m', dummy(shape[1:]), [['noise', options]])
    added = []
    for _ in range(steps):
        model.compute_gradients(*batch(shape[0], shape[1:]))
        x, y = model.forward['layer 1 > noise']
        added.append(y - x)
    return np.array(added)


@pytest.mark.parametrize('shape', [(20, 6, 5, 7), (100, 40)])
@pytest.mark.parametrize(
    ('options', 'mean', 'std'), [({}, 0, 1), ({'mean': -2, 'std': 0.5}, -2, 0.5), ({'type': 'normal', 'std': 3}, 0, 3)]
)
def test_noise_has_its_mean_and_standard_deviation(options, mean, std, shape):
    with precision('float64'):
        added = noises(options, shape=shape)
    error = std / np.sqrt(added.size)
    assert abs(added.mean() - mean) < 4 * error
    assert abs(added.std() - std) < 4 * error
    # About two thirds lie within one standard deviation, as of a normal distribution.
    assert abs((np.abs(added - mean) < std).mean() - 0.6827) < 4 * 0.5 / np.sqrt(added.size)


def test_noise_without_spread_is_the_mean():
    with precision('float64'):
        assert noises({'mean': 0.25, 'std': 0}) == pytest.approx(0.25, rel=1e-9)


@pytest.mark.parametrize(('ratio', 'least', 'most'), [(0, 0, 0), (0.5, 60, 100), (1, 160, 160)])
def test_ratio_is_the_share_of_the_steps_with_noise(ratio, least, most):
    added = noises({'ratio': ratio}, steps=160, shape=(2, 3))
    noisy = (added != 0).reshape(160, -1)
    # A step has noise everywhere or nowhere.
    assert (noisy.all(axis=1) == noisy.any(axis=1)).all()
    assert least <= noisy.any(axis=1).sum() <= most


def test_noise_passes_the_gradient_on():
    with precision('float64'):
        model = Watched('m', dummy(), [CONV, ['noise', {'std': 2}]])
        model.compute_gradients(*batch(5))
    G_y, G_x = (to_host(G) for G in model.backward['layer 2 > noise'])
    assert np.array_equal(G_x, G_y)
    assert np.abs(G_x).max() > 0


# Float types, options


def test_every_array_of_a_float32_step_is_float32():
    layers = [['noise', {'std': 0.5}], CONV, ['batch_normal'], ['dropout', {'keep_prob': 0.5}], ['max', {'stride': 2}]]
    with precision('float32'):
        model = Watched('m', dummy(), [*layers, 5, ['batch_normal', {'rescale': False}]], l2_decay=0.1, l1_decay=0.1)
        loss, _ = model.train_step(*batch(3))
        seen = [*model.floats, loss, model.adam.s, model.adam.t, model.parameters.values, model.parameters.gradients]
        seen += [model.extra_gradients(), *kept_arrays(model.structure)]
        seen += [model.get_output(batch(3)[0]), to_device(model.collect_params())]
    assert {str(array.dtype) for array in seen if array.dtype.kind == 'f'} == {'float32'}
    assert len(seen) > 50


@pytest.mark.parametrize(
    ('layer', 'message'),
    [
        *[
            (['dropout', {'keep_prob': bad}], f"'keep_prob' is {bad!r}: expected a number above 0 and at most 1")
            for bad in (0, 1.5, -0.1, 'x', True, None, float('nan'))
        ],
        (['dropout'], "'keep_prob' is missing"),
        (['dropout', {'keep': 0.5}], "the option 'keep' is not known; did you mean 'keep_prob'? known: keep_prob"),
        (['noise', {'std': -1}], "'std' is -1: expected a number at least 0"),
        (['noise', {'mean': 'x'}], "'mean' is 'x': expected a number"),
        *[
            (['noise', {'ratio': bad}], f"'ratio' is {bad!r}: expected a number at least 0 and at most 1")
            for bad in (2, -0.5)
        ],
        (['noise', {'type': 'uniform'}], "'type' is 'uniform': expected 'normal'"),
        (['batch_normal', {'epsilon': 0}], "'epsilon' is 0: expected a number above 0"),
        *[
            (['batch_normal', {'exp_ratio': bad}], f"'exp_ratio' is {bad!r}: expected a number above 0 and at most 1")
            for bad in (0, 1.01)
        ],
        (['batch_normal', {'rescale': 1}], "'rescale' is 1: expected True or False"),
    ],
)
def test_a_wrong_option_is_named_with_its_place(layer, message):
    with pytest.raises(ConfigError, match='^' + re.escape(f'm: layer 2 > {layer[0]}: {message}')):
        CnnRegModel('m', dummy(), [CONV, layer])


@pytest.mark.parametrize('option', ['l2_decay', 'l1_decay'])
@pytest.mark.parametrize('value', [-1, 'x', True, None, float('inf')])
def test_a_wrong_decay_is_named(option, value):
    with pytest.raises(ConfigError) as problem:
        CnnRegModel('m', dummy(), [5], **{option: value})
    assert str(problem.value) == f'm: {option} is {value!r}: expected a number at least 0'


def test_the_types_of_this_chapter_are_not_known_to_the_one_before():
    with pytest.raises(ConfigError, match="^m: layer 1: the layer type 'dropout' is not known; known: avg, conv, full"):
        CnnBasicModel('m', dummy(), [['dropout', {'keep_prob': 0.5}]])


# The weights as a picture


@pytest.fixture
def shown(monkeypatch):
    """The figures that a notebook would have shown."""
    figures = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'inline')
    monkeypatch.setattr(plt, 'show', lambda: figures.extend(plt.get_fignums()))
    return figures


def test_all_weights_in_one_vector_without_biases():
    model = CnnRegModel('m', dummy(), [CONV, ['batch_normal'], 5])
    names = ['hidden.0.k', 'hidden.2.w', 'output.w']
    expected = [to_host(values).ravel() for name, values, _ in model.parameters.items() if name in names]
    collected = model.collect_params()
    assert type(collected) is np.ndarray
    assert np.array_equal(collected, np.concatenate(expected))
    assert len(collected) == 3 * 3 * 2 * 4 + 4 * 3 * 4 * 5 + 5 * 3


def test_the_share_near_zero_is_printed_with_its_count(shown, capsys):
    model = CnnRegModel('m', dummy((4,), 2), [])
    model.pm_output['w'][...] = to_device(np.array([[0, 9e-6], [-9e-6, 2e-5], [-2e-5, 1], [-1, 0.5]]))
    model.pm_output['b'][...] = 0
    model.show_param_dist()
    assert capsys.readouterr().out == 'Near 0 parameters = 37.5%(3/8)\n'
    assert len(shown) == 1


@pytest.mark.parametrize('show_params', [False, True])
def test_parameters_are_shown_at_the_end_where_asked(dataset, shown, capsys, show_params):
    model = CnnRegModel('m', dataset(), [4])
    history = model.exec_all(epoch_count=1, show_cnt=0, **({'show_params': True} if show_params else {}))
    assert history is model.history
    told = capsys.readouterr().out
    assert re.search(r'Near 0 parameters = +\d+\.\d%\(\d+/32\)\n$', told) if show_params else 'Near 0' not in told
    assert len(shown) == show_params
