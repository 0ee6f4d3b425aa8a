"""CnnBasicModel: its layers by hand, its gradients, its training step, and a reader's own layers."""

import numpy as np
import pytest

from chapters import CnnBasicModel, MlpModel, check_gradients
from chapters.experiments import EXPERIMENTS
from data import Dataset, DummyDataset, FlowersDataset
from mathlib import rng
from mathlib.backend import precision, to_device, to_host, xp

CONV = ['conv', {'ksize': 3, 'chn': 4}]
EVERY_LAYER = [CONV, ['max', {'stride': 2}], ['conv', {'ksize': [2, 3], 'chn': 3}], ['avg', {'stride': 2}], 5]


def dummy(height=7, width=6, channels=3, classes=4):
    """Shapes of pictures, without any."""
    return DummyDataset('pictures', 'select', [height, width, channels], [classes])


def batch(count, shape, classes=4, seed=0):
    """`count` random rows x of that shape, with one-hot answers y."""
    draws = np.random.RandomState(seed)
    return draws.normal(size=(count, *shape)), np.eye(classes)[draws.randint(classes, size=count)]


def spread(model, seed=0):
    """Give a model parameters far from 0, so that every unit counts."""
    model.parameters.values += to_device(np.random.RandomState(seed).normal(size=len(model.parameters)) * 0.4)


@pytest.fixture
def stripes():
    """A function: number of rows -> pictures of stripes, upright or level, which a small net learns at once."""

    def make(count=60):
        rng.seed(1234)
        draws = np.random.RandomState(3)
        answers = np.arange(count) % 2
        line = np.where(np.arange(8) % 2, 200.0, 40.0)
        pictures = np.where(answers[:, None, None] == 1, line[None, None, :], line[None, :, None])
        dataset = Dataset('stripes', 'select')
        xs = pictures[..., None] + draws.normal(size=(count, 8, 8, 1)) * 5
        dataset.shuffle_data(xs, np.eye(2)[answers])
        return dataset

    return make


def test_one_pixel_by_hand():
    with precision('float64'):
        model = CnnBasicModel('m', dummy(1, 1, 2, 2), [['conv', {'ksize': 1, 'chn': 1}]])
        model.pm_hiddens[0]['k'][...] = to_device(np.array([[[[2.0], [-1.0]]]]))
        model.pm_hiddens[0]['b'][...] = 0.5
        model.pm_output['w'][...] = to_device(np.array([[1.0, 3.0]]))
        x = to_device(np.array([[[[3.0, 4.0]]], [[[1.0, 4.0]]]]))
        output, _ = model.forward_neuralnet(x)
    assert to_host(output).tolist() == [[2.5, 7.5], [0.0, 0.0]]


def test_pooling_by_hand():
    pixels = np.arange(16.0).reshape(1, 4, 4, 1)
    for kind, expected in (('max', [[5, 7], [13, 15]]), ('avg', [[2.5, 4.5], [10.5, 12.5]])):
        model = CnnBasicModel('m', dummy(4, 4, 1), [[kind, {'stride': 2}]])
        _, maps = model.get_maps(pixels)[0]
        assert maps[0, :, :, 0].tolist() == expected


def test_draws_come_layer_by_layer_and_follow_the_book():
    rng.seed(1234)
    with precision('float64'):
        model = CnnBasicModel('m', dummy(), EVERY_LAYER)
        draws = np.random.RandomState(1234)
        shapes = [(3, 3, 3, 4), (2, 3, 4, 3), (3, 5), (5, 4)]
        pms = [model.pm_hiddens[n] for n in (0, 2, 4)] + [model.pm_output]
        for shape, pm in zip(shapes, pms, strict=True):
            assert np.array_equal(to_host(pm.get('k', pm.get('w'))), draws.normal(0, 0.03, shape))
            assert not to_host(pm['b']).any()


@pytest.mark.parametrize('hconfigs', [[], [6, 3]])
def test_full_layers_alone_are_the_model_of_chapter_5(dataset, hconfigs):
    models = [cls('m', dataset(), hconfigs) for cls in (CnnBasicModel, MlpModel)]
    for model in models:
        model.use_adam, model.learning_rate = False, 0.1
        model.train_step(to_device(model.dataset.tr_xs[:8]), to_device(model.dataset.tr_ys[:8]))
    assert np.array_equal(to_host(models[0].parameters.values), to_host(models[1].parameters.values))


@pytest.mark.parametrize('actfunc', ['relu', 'sigmoid', 'tanh', 'none'])
@pytest.mark.parametrize(
    ('kind', 'places'),
    [
        ('conv', {'ksize': 3}),
        ('conv', {'ksize': [2, 5], 'stride': [2, 3]}),
        ('conv', {'ksize': 3, 'stride': 2, 'padding': 'VALID'}),
        ('conv', {'ksize': 3, 'stride': 2, 'padding': 1}),
        ('conv', {'ksize': [4, 3], 'padding': [[2, 0], [1, 3]]}),
        ('max', {'stride': 2}),
        ('max', {'stride': [1, 2], 'ksize': [3, 2]}),
        ('avg', {'stride': 2, 'ksize': 3}),
        ('avg', {'ksize': [3, 2], 'padding': 'VALID'}),
        ('full', {'width': 6}),
    ],
)
def test_gradients_follow_finite_differences(kind, places, actfunc):
    options = places | ({'chn': 3} if kind == 'conv' else {}) | ({'actfunc': actfunc} if kind != 'max' else {})
    if kind == 'avg':
        del options['actfunc']
    below = ['conv', {'ksize': 3, 'chn': 2, 'actfunc': actfunc}]
    with precision('float64'):
        model = CnnBasicModel('m', dummy(), [below, [kind, options], ['full', {'width': 3, 'actfunc': actfunc}]])
        spread(model)
        checks = check_gradients(model, *batch(3, [7, 6, 3]), samples=None, show=False)
    assert len(checks) == (6 if kind in ('max', 'avg') else 8)
    assert [str(check) for check in checks if not check.right] == []


def explicit_step(x, y, k, b, w, c):
    """One step's loss and gradients for conv 3x3 SAME with ReLU, max 2 and an output layer, written out in loops."""
    n, h, v, _ = x.shape
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    pre = np.zeros((n, h, v, k.shape[3]))
    for i in range(h):
        for j in range(v):
            pre[:, i, j] = np.einsum('nabc,abco->no', around[:, i : i + 3, j : j + 3], k) + b
    maps = np.maximum(pre, 0)
    pooled = maps.reshape(n, h // 2, 2, v // 2, 2, -1).max(axis=(2, 4))
    logits = pooled.reshape(n, -1) @ w + c
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    G = (p - y) / n
    G_pooled = (G @ w.T).reshape(pooled.shape)
    G_k = np.zeros_like(k)
    G_b = np.zeros_like(b)
    for index in np.ndindex(pooled.shape):
        row, i, j, o = index
        window = maps[row, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, o]
        di, dj = divmod(int(window.argmax()), 2)
        if window.max() > 0:
            at_i, at_j = 2 * i + di, 2 * j + dj
            G_k[..., o] += G_pooled[index] * around[row, at_i : at_i + 3, at_j : at_j + 3]
            G_b[o] += G_pooled[index]
    return -np.mean(np.log((p * y).sum(axis=1))), [G_k, G_b, pooled.reshape(n, -1).T @ G, G.sum(axis=0)]


def test_a_whole_step_equals_the_formulas_written_out():
    x, y = batch(5, [6, 4, 3])
    with precision('float64'):
        model = CnnBasicModel('m', dummy(6, 4), [CONV, ['max', {'stride': 2}]])
        spread(model)
        loss, _ = model.compute_gradients(to_device(x), to_device(y))
        values, gradients = zip(*[(to_host(v), to_host(g)) for _, v, g in model.parameters.items()], strict=True)
        expected_loss, expected = explicit_step(x, y, *values)
        assert float(loss) == pytest.approx(expected_loss, rel=1e-12)
        for got, wanted in zip(gradients, expected, strict=True):
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        before = to_host(model.parameters.values.copy())
        model.apply_gradients()
        moved = to_host(model.parameters.values) - before
        flat = np.concatenate([gradient.ravel() for gradient in expected])
        assert moved == pytest.approx(-0.001 * flat / (np.abs(flat) + 1e-8), rel=1e-6)


@pytest.mark.parametrize('actfunc', ['relu', 'sigmoid', 'tanh', 'none'])
def test_every_array_of_a_float32_step_is_float32(actfunc):
    seen = []

    class Watched(CnnBasicModel):
        def forward_layer(self, x, hconfig, pm):
            y, aux = super().forward_layer(x, hconfig, pm)
            seen.extend([x, y, *(part for part in aux or [] if hasattr(part, 'dtype'))])
            return y, aux

        def backprop_layer(self, G_y, hconfig, pm, aux):
            G_x = super().backprop_layer(G_y, hconfig, pm, aux)
            seen.extend([G_y] if G_x is None else [G_y, G_x])
            return G_x

        def update_param(self, pm, key, gradient):
            seen.extend([pm[key], gradient])
            super().update_param(pm, key, gradient)

    with precision('float32'):
        convs = [['conv', {'ksize': 3, 'chn': 4, 'stride': s, 'actfunc': actfunc}] for s in (1, 2)]
        pools = [[kind, {'ksize': 2}] for kind in ('max', 'avg')]
        model = Watched('m', dummy(), [*convs, *pools, ['full', {'width': 5, 'actfunc': actfunc}]])
        model.train_step(*(to_device(part.astype('float32')) for part in batch(3, [7, 6, 3])))
        seen.extend([model.adam.s, model.adam.t, model.parameters.values, model.parameters.gradients])
        floats = {str(array.dtype) for array in seen if array.dtype.kind == 'f'}
    assert floats == {'float32'}
    assert len(seen) > 40


@pytest.mark.parametrize('below', [[], [['max', {'stride': 2}]], [['avg', {'stride': 2}], ['max', {'ksize': 2}]]])
def test_below_the_first_layer_that_learns_nothing_is_computed(monkeypatch, below):
    called = []
    for name in ('conv2d_dx', 'max_pool_dx', 'avg_pool_dx'):
        monkeypatch.setattr(f'chapters.ch07_cnn_basic.{name}', lambda *given, name=name: called.append(name))
    model = CnnBasicModel('m', dummy(), [*below, CONV])
    model.train_step(*map(to_device, batch(2, [7, 6, 3])))
    assert called == []
    assert all(float(xp.abs(gradient).max()) > 0 for _, _, gradient in model.parameters.items())


def test_only_pooling_leaves_the_output_layer_to_learn():
    with precision('float64'):
        model = CnnBasicModel('m', dummy(), [['max', {'stride': 2}]])
        checks = check_gradients(model, *batch(3, [7, 6, 3]), samples=None, show=False)
    assert [(check.name, check.right) for check in checks] == [('output.w', True), ('output.b', True)]


def test_layer_methods_keep_nothing_on_the_model():
    model = CnnBasicModel('m', dummy(), EVERY_LAYER)
    before = set(vars(model))
    model.train_step(*map(to_device, batch(2, [7, 6, 3])))
    assert set(vars(model)) == before


def test_stripes_are_learned_and_adam_is_on(stripes):
    model = CnnBasicModel('m', stripes(), [['conv', {'ksize': 2, 'chn': 4}], ['max', {'stride': 4}]])
    assert model.use_adam
    history = model.train(epoch_count=10, learning_rate=0.01)
    assert history.costs[-1] < 0.1
    assert model.test() == 1


def test_the_summary_shows_shapes_and_counts(capsys):
    CnnBasicModel('m', dummy(), [*EVERY_LAYER[:4], ['full', {'width': 5, 'actfunc': 'tanh'}]]).summary()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ['1', 'conv', 'relu', '[7,', '6,', '3]', '=>', '[7,', '6,', '4]', '3x3x3x4+4', '112']
    assert lines[3] == ['2', 'max', '-', '[7,', '6,', '4]', '=>', '[3,', '3,', '4]', '-', '0']
    assert lines[4] == ['3', 'conv', 'relu', '[3,', '3,', '4]', '=>', '[3,', '3,', '3]', '2x3x4x3+3', '75']
    assert lines[6] == ['5', 'full', 'tanh', '[1,', '1,', '3]', '=>', '[5]', '3x5+5', '20']
    assert lines[7] == ['output', 'full', 'none', '[5]', '=>', '[4]', '5x4+4', '24']
    assert lines[8] == ['Total', 'parameter', 'count:', '231']


def test_maps_are_what_the_layers_hand_on(stripes):
    dataset = stripes()
    model = CnnBasicModel('m', dataset, [['conv', {'ksize': 3, 'chn': 2}], ['avg', {'stride': 2}], 3])
    maps = model.get_maps(dataset.te_xs)
    assert [path for path, _ in maps] == ['layer 1 > conv', 'layer 2 > avg', 'layer 3 > full', 'output layer']
    rows = len(dataset.te_xs)
    assert [values.shape for _, values in maps] == [(rows, 8, 8, 2), (rows, 4, 4, 2), (rows, 3), (rows, 2)]
    assert {type(values) for _, values in maps} == {np.ndarray}
    assert maps[-1][1] == pytest.approx(to_host(model.get_output(dataset.te_xs)))
    assert maps[1][1] == pytest.approx(maps[0][1].reshape(rows, 4, 2, 4, 2, 2).mean(axis=(2, 4)), rel=1e-5)


class Scaling(CnnBasicModel):
    """A reader's own layer: every number times one that is learned."""

    def alloc_scale_layer(self, input_shape, hconfig):
        return {'s': np.full(1, float(hconfig['start']))}, input_shape

    def forward_scale_layer(self, x, hconfig, pm):
        return x * pm['s'], x

    def backprop_scale_layer(self, G_y, hconfig, pm, x):
        self.update_param(pm, 's', (G_y * x).sum().reshape(1))
        return G_y * pm['s']


def test_a_readers_own_layer_learns_beside_the_others():
    with precision('float64'):
        model = Scaling('m', dummy(), [CONV, ['scale', {'start': 2}], ['max', {'stride': 2}], ['scale', {'start': 3}]])
        spread(model)
        checks = check_gradients(model, *batch(3, [7, 6, 3]), samples=None, show=False)
    assert [check.name for check in checks if check.name.endswith('.s')] == ['hidden.1.s', 'hidden.3.s']
    assert [str(check) for check in checks if not check.right] == []


@pytest.mark.parametrize('number', [1, 2, 3, 4])
def test_the_books_flowers_models_train_on_the_sample(number):
    rng.seed(1234)
    experiment = EXPERIMENTS[f'ch07_flowers_model_{number}']
    dataset = FlowersDataset([24, 24], [24, 24, 3])
    model = experiment.model_class(experiment.model_name, dataset, experiment.hconfigs)
    vars(model).update(experiment.attributes)
    assert model.use_adam == (number != 2)
    assert np.isfinite(model.train(epoch_count=1).costs[0])


def test_the_books_networks_have_the_books_shapes():
    shapes = {}
    for number in (3, 4):
        hconfigs = EXPERIMENTS[f'ch07_flowers_model_{number}'].hconfigs
        model = CnnBasicModel('m', dummy(96, 96, 3, 5), hconfigs)
        shapes[number] = [placed.output_shape for placed in model.structure], len(model.parameters)
    assert shapes[3] == ([(96, 96, 6), (24, 24, 6), (24, 24, 12), (12, 12, 12), (5,)], 456 + 660 + 8645)
    sides = [(96, 96, 6), (48, 48, 6), (48, 48, 12), (24, 24, 12), (24, 24, 24), (8, 8, 24), (5,)]
    assert shapes[4] == (sides, 168 + 660 + 2616 + 7685)


class AtOnce(CnnBasicModel):
    """Every convolution has its activation before the pooling, as it is written."""

    def activate_after_pooling(self):
        pass


POOLED_CONVS = [
    ['conv', {'ksize': 3, 'chn': 4, 'actfunc': 'sigmoid'}],
    ['max', {'stride': 2}],
    ['conv', {'ksize': 2, 'chn': 3, 'actfunc': 'relu'}],
    ['max', {'stride': 1, 'ksize': 2}],
    ['conv', {'ksize': 1, 'chn': 3, 'actfunc': 'tanh'}],
    ['avg', {'stride': 1, 'ksize': 2}],
    ['conv', {'ksize': 2, 'chn': 5, 'actfunc': 'tanh'}],
]


def test_an_activation_after_the_pooling_changes_no_number():
    x, y = batch(4, [7, 6, 3])
    found = []
    with precision('float64'):
        for cls in (CnnBasicModel, AtOnce):
            rng.seed(1)
            model = cls('m', dummy(), POOLED_CONVS)
            spread(model)
            loss, output = model.compute_gradients(to_device(x), to_device(y))
            maps = model.get_maps(x)
            found.append([float(loss), to_host(output), to_host(model.parameters.gradients), *(m for _, m in maps)])
            assert [m.shape[1:] for _, m in maps] == [placed.output_shape for placed in model.structure]
    for ours, plain in zip(*found, strict=True):
        assert ours == pytest.approx(plain, rel=1e-12, abs=1e-15)
    # Where sigmoid, relu and tanh stand on the layers, whichever way they were computed.
    first, third, last = (found[0][3 + n] for n in (0, 2, 6))
    assert 0 < first.min() < first.max() < 1
    assert third.min() == 0
    assert -1 < last.min() < 0 < last.max() < 1


@pytest.mark.parametrize('kind', ['conv', 'max'])
def test_a_readers_own_conv_or_max_layer_gets_what_the_layers_are_written_to_give(kind):
    seen = []

    def noted(self, x, hconfig, pm):
        y, aux = getattr(super(Own, self), f'forward_{kind}_layer')(x, hconfig, pm)
        seen.append(to_host(y if kind == 'conv' else x))
        return y, aux

    Own = type('Own', (CnnBasicModel,), {f'forward_{kind}_layer': noted})
    x, _ = batch(2, [7, 6, 3])
    with precision('float64'):
        model = Own('m', dummy(), POOLED_CONVS[:2])
        spread(model)
        model.get_output(x)
    assert len(seen) == 1
    assert 0 < seen[0].min() < seen[0].max() < 1


def test_a_readers_own_layer_is_shared_by_a_team(monkeypatch):
    """Each thread sees its rows only; what all of them hand in adds up."""
    monkeypatch.setattr('mathlib.team.PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr('mathlib.team.PRODUCTS_A_WEIGHT', 0)
    x, y = batch(5, [7, 6, 3])
    gradients = []
    with precision('float64'):
        for workers in (1, 2):
            monkeypatch.setattr('mathlib.settings.workers', workers)
            rng.seed(1)
            model = Scaling('m', dummy(), [['scale', {'start': 2}], CONV, ['max', {'stride': 2}], 5])
            model.compute_gradients(to_device(x), to_device(y))
            gradients.append({name: to_host(gradient).copy() for name, _, gradient in model.parameters.items()})
    assert (gradients[0]['hidden.0.s'] != 0).all()
    for name, gradient in gradients[0].items():
        assert gradients[1][name] == pytest.approx(gradient, rel=1e-10, abs=1e-15)


def test_a_team_is_as_large_as_the_work_is(monkeypatch):
    """Counted by hand for flowers_model_4: each kernel at each place, and the output layer."""
    asked = []
    monkeypatch.setattr('mathlib.team.size', lambda *work: asked.append(work) or 1)
    model = CnnBasicModel('m', dummy(96, 96, 3, 5), EXPERIMENTS['ch07_flowers_model_4'].hconfigs)
    model.team_size(10)
    convs = 96 * 96 * 27 * 6 + 48 * 48 * 54 * 12 + 24 * 24 * 108 * 24
    assert asked == [(10, 10 * (convs + 8 * 8 * 24 * 5), 11129, 4)]
