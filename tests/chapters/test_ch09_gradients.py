"""Chapter 9: gradients of layers in layers beside finite differences, and what forward and backward leave alone."""

import numpy as np
import pytest

from chapters import CnnExtModel, check_gradients
from chapters.structure import kept_arrays, parts
from data import DummyDataset
from mathlib import backend, rng, settings, team
from mathlib.backend import precision, to_device, to_host

SHAPE = (6, 5, 2)


def conv(ksize, chn, **options):
    """A conv layer as it is written."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


def wrapped(kind, layer):
    """A container of that kind around a layer that gives 4 channels, together with others; it gives 4 channels too."""
    tail = conv([3, 1], 4)
    return {
        'serial': ['serial', layer, tail],
        'parallel': ['parallel', ['serial', layer, conv(1, 3)], conv([1, 3], 1)],
        'add': ['add', {'actions': 'BA', 'actfunc': 'tanh'}, layer, conv(1, 2)],
        'loop': ['loop', {'repeat': 2}, layer],
        'custom': ['custom', {'name': 'around', 'args': {'#inside': layer, '#tail': tail}}],
    }[kind]


@pytest.fixture(autouse=True)
def around(monkeypatch):
    """Macros around layers that are given; float64; and teams even for small nets, on a single worker at first."""
    monkeypatch.setattr(CnnExtModel, 'macros', dict(CnnExtModel.macros))
    for name in ('around', 'outside'):
        CnnExtModel.set_macro(name, ['serial', '#inside', '#tail'])
    monkeypatch.setattr(team, 'PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr(team, 'PRODUCTS_A_WEIGHT', 0)
    monkeypatch.setattr(settings, 'workers', 1)
    with precision('float64'):
        yield


def batch(count=4, shape=SHAPE):
    """Device arrays x and one-hot y."""
    draws = np.random.RandomState(0)
    return to_device(draws.normal(size=(count, *shape))), to_device(np.eye(3)[np.arange(count) % 3])


def build(hconfigs, cls=CnnExtModel, shape=SHAPE):
    """A model whose parameters, biases too, lie away from 0: there ReLU has a kink."""
    rng.seed(1)
    model = cls('m', DummyDataset('pictures', 'select', shape, [3]), hconfigs)
    model.parameters.values += to_device(np.random.RandomState(0).normal(size=len(model.parameters)) * 0.3)
    return model


def check(hconfigs, monkeypatch, samples=2, dead=(), cls=CnnExtModel):
    """Gradients follow finite differences, alone; and shared by two workers they are the same.

    dead: ends of the names of parameters that change nothing.
    """
    x, y = batch()
    model = build(hconfigs, cls)
    checks = check_gradients(model, x, y, samples=samples, show=False)
    assert [str(each) for each in checks if not each.right] == []
    rng.seed(2)
    model.compute_gradients(x, y)
    alone = {name: to_host(gradient).copy() for name, _, gradient in model.parameters.items()}
    assert [
        name for name, gradient in alone.items() if not np.abs(gradient).max() > 1e-5 and not name.endswith(dead)
    ] == []
    monkeypatch.setattr(settings, 'workers', 2)
    if backend.name == 'numpy':
        assert model.team_size(len(x)) == 2
    rng.seed(2)
    model.compute_gradients(x, y)
    for name, _, gradient in model.parameters.items():
        np.testing.assert_allclose(to_host(gradient), alone[name], rtol=1e-8, atol=1e-11)


KINDS = ['serial', 'parallel', 'add', 'loop', 'custom']


@pytest.mark.parametrize('outer', KINDS)
@pytest.mark.parametrize('inner', KINDS)
def test_every_container_inside_every_other(outer, inner, monkeypatch):
    layer = wrapped(outer, wrapped(inner, conv(3, 4)))
    if outer == 'custom':
        layer[1]['name'] = 'outside'
    check([layer], monkeypatch)


@pytest.mark.parametrize('actions', ['L', 'LA', 'AL', 'LAB', 'LBA', 'BAL', 'BLA', 'ABL', 'ALB'])
def test_actions_in_any_order_deep_inside(actions, monkeypatch):
    def layer(ksize, chn, **options):
        return conv(ksize, chn, actions=actions, **options)

    inside = ['serial', layer(3, 8, stride=2), layer([1, 3], 3), ['dropout', {'keep_prob': 0.7}], layer([3, 1], 4)]
    net = [
        layer(3, 4),
        ['parallel', ['add', {'x': False}, inside, layer(1, 2, stride=2)], layer(3, 1, stride=2)],
        ['loop', {'repeat': 2}, ['add', {'actions': 'A'}, layer(3, 5), ['max', {'ksize': 2, 'stride': 1}]]],
    ]
    # A bias is taken away again by a normalisation right after it, the next layer's too.
    check(net, monkeypatch, dead=('.b',) if 'LB' in 2 * actions else ())


@pytest.mark.parametrize('actions', ['', 'A', 'B', 'AB', 'BA'])
@pytest.mark.parametrize('x', [True, False])
@pytest.mark.parametrize('actfunc', ['relu', 'sigmoid'])
def test_add_with_tiling_and_actions(actions, x, actfunc, monkeypatch):
    options = {'x': x, 'actions': actions, 'actfunc': actfunc}
    check([conv(3, 2), ['add', options, conv(3, 6), conv(1, 3), ['avg', {'ksize': 3}], conv(3, 1)]], monkeypatch)


@pytest.mark.parametrize(
    'first',
    [
        ['parallel', conv(3, 2), ['max', {'ksize': 3, 'stride': 1}], ['serial', ['avg', {'ksize': 3}], conv(1, 2)]],
        ['add', conv(3, 4), conv(1, 2)],
        ['add', {'actions': 'BA'}, ['avg', {'ksize': 3}]],
        ['add', {'actions': 'B'}, ['serial', conv(3, 2), conv(3, 2)]],
        ['custom', {'name': 'around', 'args': {'#inside': conv(3, 2), '#tail': ['max', {'ksize': 2, 'stride': 1}]}}],
        ['parallel', ['avg', {'ksize': 2, 'stride': 2}], ['max', {'stride': 2}]],
        ['loop', {'repeat': 2}, ['parallel', ['batch_normal'], ['noise', {'std': 0.1}]]],
        ['avg', {'stride': 2}],
        ['batch_normal'],
        ['batch_normal', {'rescale': False}],
        ['dropout', {'keep_prob': 0.8}],
        conv(3, 2, actions='BAL'),
        conv(3, 2, actions='LAB'),
    ],
    ids=lambda layer: layer[0],
)
def test_any_layer_may_be_the_first_one(first, monkeypatch):
    check([first, conv(3, 3)], monkeypatch, samples=3)
    check([['max', {'ksize': 2, 'stride': 1}], first], monkeypatch, samples=3)


def test_below_the_first_layers_that_learn_nothing_is_computed(monkeypatch):
    monkeypatch.setattr('chapters.ch07_cnn_basic.conv2d_dx', lambda *_: pytest.fail('nobody needs this'))
    monkeypatch.setattr('chapters.ch07_cnn_basic.avg_pool_dx', lambda *_: pytest.fail('nobody needs this'))
    branches = [
        'parallel',
        ['serial', ['avg', {'ksize': 3}], conv(1, 2)],
        conv(3, 2),
        ['add', {'x': False}, conv(1, 2)],
    ]
    model = build([['avg', {'ksize': 2, 'stride': 1}], branches])
    model.compute_gradients(*batch())
    assert min(float(abs(gradient).max()) for _, _, gradient in model.parameters.items()) > 1e-5


# What is kept for the way back, and what comes in


def arrays(value):
    """All arrays in lists and tuples, however deep."""
    if isinstance(value, (list, tuple)):
        return [array for part in value for array in arrays(part)]
    return [value] if hasattr(value, 'dtype') else []


class Careful(CnnExtModel):
    """Looks on the way back whether what a layer was given, gave and kept is still what it was."""

    def forward_layer(self, x, hconfig, pm):
        y, aux = super().forward_layer(x, hconfig, pm)
        self.kept[id(pm)] = [(array, to_host(array).copy()) for array in arrays([x, y, aux])]
        return y, aux

    def backprop_layer(self, G_y, hconfig, pm, aux):
        before = None if G_y is None else to_host(G_y).copy()
        for array, copy in self.kept[id(pm)]:
            assert np.array_equal(to_host(array), copy)
            self.looked += 1
        G_x = super().backprop_layer(G_y, hconfig, pm, aux)
        assert G_y is None or np.array_equal(to_host(G_y), before)
        return G_x


@pytest.mark.parametrize('actions', ['LA', 'LAB', 'BAL', 'L'])
@pytest.mark.parametrize('actfunc', ['relu', 'none'])
def test_adding_and_joining_leave_what_is_kept_as_it_is(actions, actfunc):
    def layer(ksize, chn):
        return conv(ksize, chn, actions=actions, actfunc=actfunc)

    twice = [
        'add',
        {'actions': 'A', 'actfunc': actfunc},
        ['add', layer(3, 4), layer(1, 2)],
        ['dropout', {'keep_prob': 1}],
    ]
    net = [layer(3, 4), ['add', layer(3, 4)], twice, ['parallel', layer(3, 2), ['noise', {'std': 0}]], ['add', ['max']]]
    model = build(net, Careful)
    x, y = batch()
    before = to_host(x).copy()
    model.kept, model.looked = {}, 0
    model.compute_gradients(x, y)
    assert np.array_equal(to_host(x), before)
    assert model.looked > 50


class Noting(CnnExtModel):
    """Notes the type of every array on the way, and of every gradient that is handed in."""

    def forward_layer(self, x, hconfig, pm):
        y, aux = super().forward_layer(x, hconfig, pm)
        self.floats += [array.dtype for array in arrays([x, y, aux])]
        return y, aux

    def backprop_layer(self, G_y, hconfig, pm, aux):
        G_x = super().backprop_layer(G_y, hconfig, pm, aux)
        self.floats += [array.dtype for array in arrays([G_y, G_x])]
        return G_x

    def update_param(self, pm, key, gradient):
        self.floats += [pm[key].dtype, gradient.dtype]
        super().update_param(pm, key, gradient)


@pytest.mark.parametrize('actfunc', ['relu', 'sigmoid', 'tanh', 'none'])
def test_every_array_of_a_float32_step_is_float32(actfunc):
    inside = ['parallel', ['noise'], ['serial', conv(3, 2, actions='LAB', actfunc=actfunc), ['avg', {'ksize': 3}]]]
    add = ['add', {'actions': 'BA', 'actfunc': actfunc}, inside, conv(1, 2, actions='BAL', actfunc=actfunc)]
    with precision('float32'):
        model = build([['loop', {'repeat': 1}, add], ['dropout', {'keep_prob': 0.5}]], Noting)
        model.floats = []
        model.train_step(*batch())
        model.floats += [array.dtype for array in (model.parameters.values, model.adam.s, model.adam.t)]
        model.floats += [array.dtype for array in (*kept_arrays(model.structure), model.get_output(batch()[0]))]
    assert {str(dtype) for dtype in model.floats if dtype.kind == 'f'} == {'float32'}
    assert len(model.floats) > 80


# A reader's own layer


class Scaling(CnnExtModel):
    """A reader's own layer: every number times one that is learned."""

    def alloc_scale_layer(self, input_shape, hconfig):
        return {'s': np.full(1, float(hconfig['start']))}, input_shape

    def forward_scale_layer(self, x, hconfig, pm):
        return x * pm['s'], x

    def backprop_scale_layer(self, G_y, hconfig, pm, x):
        self.update_param(pm, 's', (G_y * x).sum().reshape(1))
        return G_y * pm['s']


def test_a_readers_own_layer_learns_inside_the_others(monkeypatch):
    scale = ['scale', {'start': 2}]
    net = [['parallel', scale, ['serial', conv(3, 2), scale]], ['loop', {'repeat': 2}, ['add', scale, conv(3, 2)]]]
    check(net, monkeypatch, cls=Scaling)
    model = build(net, Scaling)
    assert [name for name in model.parameters.names if name.endswith('.s')] == [
        'hidden.0.pms.0.s',
        'hidden.0.pms.1.pms.1.s',
        'hidden.1.pms.0.pms.0.s',
        'hidden.1.pms.1.pms.0.s',
    ]
    assert [placed.layer.type for placed in parts(model.structure[0])] == ['scale', 'serial']
