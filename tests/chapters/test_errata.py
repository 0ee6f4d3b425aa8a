"""The book's mistakes: each wrong where it should be, by as much as the book's own formula says, and nowhere else."""

import math
from itertools import product

import numpy as np
import pytest

from chapters import CnnExtModel, check_gradients
from chapters.errata import (
    AddInPlace,
    AvgWrongAxis,
    BatchNormConstants,
    BookExtModel,
    DecayCostUnscaled,
    ParallelFirstSlice,
)
from data import Dataset, DummyDataset
from mathlib import backend, rng, settings, team
from mathlib.backend import precision, scalar, to_device, to_host

RATE = 0.01


def conv(ksize, chn, **options):
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


# For each mistake a network in which it is made, and the parameters whose gradients it leaves right.
BELOW = conv(3, 3, actfunc='tanh')
PARALLEL = [BELOW, ['parallel', conv(1, 2, actfunc='tanh'), conv(3, 3, actfunc='tanh'), conv(1, 2, actfunc='tanh')]]
AVERAGE = [BELOW, ['avg', {'ksize': 3, 'stride': 1}], conv(1, 4)]
ADD = [BELOW, ['add', ['serial', conv(3, 4), conv(3, 6)]], ['avg', {'stride': 2}]]
NORM = [BELOW, ['batch_normal', {'epsilon': 0.1}], conv(1, 4)]
OUTPUT = {'output.w', 'output.b'}
ABOVE = OUTPUT | {'hidden.2.k', 'hidden.2.b'}
MISTAKES = {
    'parallel': (ParallelFirstSlice, PARALLEL, OUTPUT | {'hidden.1.pms.0.k', 'hidden.1.pms.0.b'}),
    'average': (AvgWrongAxis, AVERAGE, ABOVE),
    'add': (AddInPlace, ADD, OUTPUT),
    'norm': (BatchNormConstants, NORM, ABOVE | {'hidden.1.scale', 'hidden.1.shift'}),
}


@pytest.fixture(autouse=True)
def in_float64():
    with precision('float64'):
        yield


class Pictures(Dataset):
    """Random pictures of three channels in four classes."""

    def __init__(self, sides=(6, 6)):
        super().__init__('pictures', 'select')
        draws = np.random.RandomState(0)
        self.shuffle_data(draws.normal(size=(40, *sides, 3)), np.eye(4)[draws.randint(0, 4, 40)])


def made(cls, hconfigs, sides=(6, 6), **options):
    """A model with weights large enough for gradients to matter, and biases that are not all 0."""
    rng.seed(5)
    model = cls('errata', Pictures(sides), hconfigs, weight_init='he', **options)
    draws = np.random.RandomState(9)
    for name, values, _ in model.parameters.items():
        if name.endswith(('.b', '.shift', '.scale')):
            values += to_device(draws.normal(0, 0.3, values.shape))
    return model


def batch(model, rows=4):
    return to_device(model.dataset.tr_xs[:rows]), to_device(model.dataset.tr_ys[:rows])


def gradients(cls, hconfigs, **options):
    """{name: host gradient} on one batch."""
    model = made(cls, hconfigs, **options)
    model.compute_gradients(*batch(model))
    return {name: to_host(gradient).copy() for name, _, gradient in model.parameters.items()}


def differing(some, others):
    """The names of the gradients that are not the same, up to rounding."""
    return {name for name in some if not np.allclose(some[name], others[name], rtol=1e-9, atol=1e-13)}


def there_and_back(model, place, x, G_y):
    """(G_x, {name: gradient}) of the layer number `place` alone, as host arrays."""
    layer, pm = model.structure[place].layer, model.structure[place].pm
    model.is_training = True
    model.parameters.begin()
    _, aux = model.forward_layer(to_device(x), layer, pm)
    G_x = model.backprop_layer(to_device(G_y), layer, pm, aux)
    model.parameters.complete()
    return to_host(G_x), {name: to_host(gradient) for name, _, gradient in model.parameters.items()}


# All mistakes


@pytest.mark.parametrize('mistake', MISTAKES)
def test_gradients_are_wrong_where_the_mistake_reaches_and_nowhere_else(mistake):
    cls, hconfigs, right = MISTAKES[mistake]
    for model, expected in ((made(CnnExtModel, hconfigs), None), (made(cls, hconfigs), right)):
        checks = check_gradients(model, *batch(model), samples=8, show=False)
        names = {check.name for check in checks}
        assert {check.name for check in checks if check.right} == (names if expected is None else expected)


@pytest.mark.parametrize('mistake', MISTAKES)
def test_the_book_model_makes_each_mistake_as_its_class_does(mistake):
    cls, hconfigs, right = MISTAKES[mistake]
    wrong = gradients(cls, hconfigs)
    assert differing(gradients(BookExtModel, hconfigs), wrong) == set()
    assert differing(gradients(CnnExtModel, hconfigs), wrong) == wrong.keys() - right


@pytest.mark.parametrize('cls', [ParallelFirstSlice, AddInPlace, BatchNormConstants])
def test_the_same_mistake_is_made_by_a_team(cls, monkeypatch):
    hconfigs = [*PARALLEL, ['batch_normal'], ['add', conv(1, 7)]]
    alone = gradients(cls, hconfigs)
    monkeypatch.setattr(cls, 'team_size', lambda self, rows: 2)
    assert differing(gradients(cls, hconfigs), alone) == set()


# 1. parallel


def test_every_branch_gets_the_first_channels():
    model = made(ParallelFirstSlice, [BELOW, ['parallel', conv(1, 2, actions='L'), conv(1, 3, actions='L')]])
    draws = np.random.RandomState(1)
    x, G_y = draws.normal(size=(2, 6, 6, 3)), draws.normal(size=(2, 6, 6, 5))
    G_x, by_name = there_and_back(model, 1, x, G_y)
    one, two = [to_host(pm['k'])[0, 0] for pm in model.structure[1].pm['pms']]
    np.testing.assert_allclose(by_name['hidden.1.pms.0.k'][0, 0], np.einsum('nhwc,nhwo->co', x, G_y[..., :2]))
    np.testing.assert_allclose(by_name['hidden.1.pms.1.k'][0, 0], np.einsum('nhwc,nhwo->co', x, G_y[..., :3]))
    np.testing.assert_allclose(by_name['hidden.1.pms.1.b'], G_y[..., :3].sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(G_x, G_y[..., :2] @ one.T + G_y[..., :3] @ two.T)


# 2. avg


def book_average_gradient(G_y, sides, ksize, stride, padding):
    """The book's formula, number by number: G_x [n, h, w, c] from G_y [n, h', w', c]."""
    n, c, (h, w), (kh, kw), (sh, sw) = len(G_y), G_y.shape[3], sides, ksize, stride
    top, left = (kh - 1) // 2, (kw - 1) // 2
    down, across = ((kh - 1) // 2, (kw - 1) // 2) if padding == 'VALID' else (0, 0)
    whole = np.zeros((n, c, h, w))
    for m, i, j, channel in product(*map(range, G_y.shape)):
        whole[m, channel, down + (sh - 1) // 2 + i * sh, across + (sw - 1) // 2 + j * sw] = G_y[m, i, j, channel]
    for i, j in product(range(h), range(w)):
        inside = [i - top <= r < i - top + kh and j - left <= q < j - left + kw for r in range(h) for q in range(w)]
        whole[:, :, i, j] /= sum(inside)
    of_pictures = whole.reshape(n, c * h * w)
    G_x = np.zeros((n, h, w, c))
    places = product(range(n), range(c), range(h), range(w), range(kh), range(kw))
    for place, (m, channel, i, j, di, dj) in enumerate(places):
        row, column = divmod(place, c * h * w)
        pixel = i + di - top, j + dj - left
        if 0 <= pixel[0] < h and 0 <= pixel[1] < w:
            G_x[m, pixel[0], pixel[1], channel] += of_pictures[row % n, column]
    return G_x


@pytest.mark.parametrize(
    'ksize, stride, padding, sides',
    [
        ((3, 3), (1, 1), 'SAME', (5, 6)),
        ((3, 3), (2, 2), 'SAME', (6, 6)),
        ((2, 3), (3, 2), 'SAME', (7, 5)),
        ((2, 2), (2, 2), 'SAME', (5, 6)),
        ((2, 2), (2, 2), 'VALID', (6, 6)),
        ((3, 2), (1, 2), 'VALID', (6, 7)),
    ],
)
def test_windows_that_overlap_get_the_gradients_of_others(ksize, stride, padding, sides):
    average = ['avg', {'ksize': list(ksize), 'stride': list(stride), 'padding': padding}]
    model, right = made(AvgWrongAxis, [BELOW, average], sides), made(CnnExtModel, [BELOW, average], sides)
    draws = np.random.RandomState(2)
    x, G_y = draws.normal(size=(2, *sides, 3)), draws.normal(size=(2, *model.structure[1].output_shape))
    G_x, _ = there_and_back(model, 1, x, G_y)
    np.testing.assert_allclose(G_x, book_average_gradient(G_y, sides, ksize, stride, padding), atol=1e-12)
    assert not np.allclose(G_x, there_and_back(right, 1, x, G_y)[0])


@pytest.mark.parametrize('options', [{'stride': 3}, {'ksize': 3, 'stride': 1, 'padding': 1}])
def test_windows_side_by_side_and_paddings_that_the_book_does_not_have_are_right(options):
    hconfigs = [BELOW, ['avg', options]]
    assert differing(gradients(AvgWrongAxis, hconfigs), gradients(CnnExtModel, hconfigs)) == set()


def test_a_model_that_mixes_pictures_works_alone(monkeypatch):
    monkeypatch.setattr(team, 'PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr(team, 'PRODUCTS_A_WEIGHT', 0)
    monkeypatch.setattr(settings, 'workers', 2)
    assert [made(cls, AVERAGE).team_size(8) for cls in (AvgWrongAxis, BookExtModel)] == [1, 1]
    if backend.name == 'numpy':
        assert made(CnnExtModel, AVERAGE).team_size(8) == 2


# 3. add


@pytest.mark.parametrize('actfunc', ['relu', 'sigmoid'])
@pytest.mark.parametrize('stride', [1, 2])
def test_the_derivative_is_taken_of_the_sum(actfunc, stride):
    branch = conv(1, 6, actfunc=actfunc, stride=stride)
    config = ['add', {'x': stride == 1}, branch, *([['avg', {'stride': 2}]] if stride == 2 else [])]
    model = made(AddInPlace, [BELOW, config])
    draws = np.random.RandomState(3)
    x, G_y = draws.normal(size=(2, 6, 6, 3)), draws.normal(size=(2, 6 // stride, 6 // stride, 6))
    G_x, by_name = there_and_back(model, 1, x, G_y)
    k, b = [to_host(model.structure[1].pm['pms'][0][key]) for key in ('k', 'b')]
    below, shortcut = (
        x[:, ::stride, ::stride],
        x.reshape(2, 6 // stride, stride, 6 // stride, stride, 3).mean(axis=(2, 4)),
    )
    linear = below @ k[0, 0] + b
    y = np.maximum(linear, 0) if actfunc == 'relu' else 1 / (1 + np.exp(-linear))
    total = y + np.tile(shortcut, 2)
    G = G_y * ((total > 0) if actfunc == 'relu' else total * (1 - total))
    np.testing.assert_allclose(by_name['hidden.1.pms.0.b'], G.sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(by_name['hidden.1.pms.0.k'][0, 0], np.einsum('nhwc,nhwo->co', below, G))
    if stride == 1:
        np.testing.assert_allclose(G_x, G @ k[0, 0].T + G_y[..., :3] + G_y[..., 3:])


@pytest.mark.parametrize(
    'first', [conv(3, 3, actions='LAB'), conv(3, 3, actions='BAL'), ['max', {'ksize': 3, 'stride': 1}]], ids=str
)
def test_where_the_first_branch_ends_without_its_activation_nothing_happens(first):
    hconfigs = [BELOW, ['add', first, conv(3, 3)]]
    assert differing(gradients(AddInPlace, hconfigs), gradients(CnnExtModel, hconfigs)) == set()


def test_an_activation_after_the_normalisation_is_overwritten_too():
    hconfigs = [BELOW, ['add', conv(3, 3, actions='LBA')], conv(1, 2)]
    wrong = differing(gradients(AddInPlace, hconfigs), gradients(CnnExtModel, hconfigs))
    assert {'hidden.1.pms.0.k', 'hidden.0.k', 'hidden.0.b'} <= wrong
    assert not wrong & ABOVE


def test_the_outputs_are_right_and_the_input_is_left_alone():
    hconfigs = [['add', ['dropout', {'keep_prob': 0.5}], conv(3, 3)], *ADD]
    models = made(AddInPlace, hconfigs), made(CnnExtModel, hconfigs)
    x = batch(models[0])[0]
    before = to_host(x).copy()
    wrong, right = [to_host(model.get_output(x)) for model in models]
    np.testing.assert_allclose(wrong, right)
    assert (to_host(x) == before).all()


# 4. batch normalisation


def test_mean_and_variance_are_constants():
    model = made(BatchNormConstants, NORM)
    draws = np.random.RandomState(4)
    x, G_y = draws.normal(2, 3, size=(2, 6, 6, 3)), draws.normal(size=(2, 6, 6, 3))
    G_x, by_name = there_and_back(model, 1, x, G_y)
    std = np.sqrt(x.var(axis=(0, 1, 2)) + 0.1)
    normal = (x - x.mean(axis=(0, 1, 2))) / std
    np.testing.assert_allclose(G_x, G_y * to_host(model.structure[1].pm['scale']) / std)
    np.testing.assert_allclose(by_name['hidden.1.scale'], (G_y * normal).sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(by_name['hidden.1.shift'], G_y.sum(axis=(0, 1, 2)))


def test_a_normalisation_without_scale_only_divides():
    model = made(BatchNormConstants, [BELOW, ['batch_normal', {'rescale': False}]])
    draws = np.random.RandomState(4)
    x, G_y = draws.normal(2, 3, size=(2, 6, 6, 3)), draws.normal(size=(2, 6, 6, 3))
    np.testing.assert_allclose(there_and_back(model, 1, x, G_y)[0], G_y / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-10))


def test_scale_and_shift_move_by_gradient_descent_and_all_others_by_adam():
    model = made(BatchNormConstants, [*NORM, ['add', {'actions': 'B'}, conv(1, 4)]])
    before = {name: to_host(values).copy() for name, values, _ in model.parameters.items()}
    model.learning_rate = RATE
    model.train_step(*batch(model))
    descended = set()
    for name, values, gradient in model.parameters.items():
        moved, G = to_host(values) - before[name], to_host(gradient)
        if name.endswith(('.scale', '.shift')):
            descended.add(name)
            np.testing.assert_allclose(moved, -RATE * G, rtol=1e-9, atol=1e-15)
        else:
            np.testing.assert_allclose(moved, -RATE * G / (abs(G) + 1e-8), rtol=1e-6, atol=1e-12)
    assert descended == {'hidden.1.scale', 'hidden.1.shift', 'hidden.3.bn.scale', 'hidden.3.bn.shift'}


# 5. weight decay


@pytest.mark.parametrize('l2_decay, l1_decay', [(0.01, 0), (0, 0.002), (0.01, 0.002), (0, 0)])
def test_the_reported_cost_counts_the_weights_without_the_rate(l2_decay, l1_decay):
    hconfigs = [*ADD, ['full', {'width': 5}]]
    decay = dict(l2_decay=l2_decay, l1_decay=l1_decay)
    models = [made(DecayCostUnscaled, hconfigs, **decay), made(BookExtModel, hconfigs, **decay)]
    costs = [scalar(model.compute_gradients(*batch(model))[0]) for model in models]
    plain = made(CnnExtModel, hconfigs)
    values = {name: to_host(each) for name, each, _ in plain.parameters.items()}
    weights = np.concatenate([values[name].ravel() for name in ('hidden.0.k', 'hidden.3.w', 'output.w')])
    extra = (l2_decay > 0) * (weights**2).sum() / 2 + (l1_decay > 0) * abs(weights).sum()
    np.testing.assert_allclose(costs, scalar(plain.compute_gradients(*batch(plain))[0]) + extra)


def test_what_the_weights_learn_is_the_same():
    models = [made(cls, ADD, l2_decay=0.1, l1_decay=0.01) for cls in (DecayCostUnscaled, CnnExtModel)]
    for model in models:
        model.learning_rate = RATE
        model.train_step(*batch(model))
    one, other = [to_host(model.parameters.values) for model in models]
    assert (one == other).all()


# The networks of the book


@pytest.mark.parametrize('network, side', [('inception_flower', 96), ('bottleneck_flower', 64)])
@pytest.mark.parametrize('actions', ['LA', 'LAB'])
def test_the_networks_of_the_book_can_be_trained(network, side, actions):
    rng.seed(1)
    config = ['custom', {'name': network, 'args': {'#act': actions}}]
    with precision('float32'):
        model = BookExtModel('book', DummyDataset('flowers', 'select', [side, side, 3], [5]), [config])
        model.learning_rate = 0.001
        before = to_host(model.parameters.values).copy()
        draws = np.random.RandomState(0)
        x, y = to_device(draws.normal(size=(2, side, side, 3))), to_device(np.eye(5)[[1, 3]])
        costs = [scalar(model.train_step(x, y)[0]) for _ in range(2)]
        assert all(map(math.isfinite, costs))
        assert model.parameters.are_finite()
        assert model.parameters.values.dtype == np.float32
        assert (to_host(model.parameters.values) != before).mean() > 0.5
