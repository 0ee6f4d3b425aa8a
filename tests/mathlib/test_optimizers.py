"""Momentum, RMSProp, the choice by name and clipping, by hand and beside the formulas."""

import numpy as np
import pytest

from mathlib import backend, scratch
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.errors import ConfigError
from mathlib.optimizers import (
    OPTIMIZERS,
    Adam,
    GradientDescent,
    Momentum,
    RMSProp,
    clip_gradients,
    optimizer,
)
from mathlib.parameters import VECTORS, ParameterStore

SPECS = [
    'sgd',
    'momentum',
    ['momentum', {'momentum': 0.8, 'weight_decay': 0.01, 'nesterov': True}],
    'rmsprop',
    ['rmsprop', {'momentum': 0.9}],
    ['rmsprop', {'momentum': 0.9, 'epsilon': 1.0, 'form': 'tensorflow'}],
    ['rmsprop', {'form': 'tensorflow'}],
    'adam',
]
EACH = pytest.mark.parametrize('spec', SPECS, ids=str)


def store_of(values):
    """A store of one vector and a way to hand in its gradient."""
    pm = {'w': np.array(values, dtype='float64')}
    store = ParameterStore(pm)

    def give(gradient):
        store.file(pm, 'w', to_device(np.array(gradient, dtype='float64')))
        store.complete()

    return store, give


def places(spec, start, gradients, rates):
    """Where one number is after each step."""
    with precision('float64'):
        store, give = store_of([start])
        moves, found = optimizer(spec), []
        for gradient, rate in zip(gradients, rates, strict=True):
            give([gradient])
            moves.update(store, rate)
            found.append(scalar(store.values[0]))
    return pytest.approx(found, rel=1e-12)


def test_momentum_by_hand():
    # v: 2, 0.5 * 2 - 1 = 0, 0.5 * 0 + 4 = 4; the rate of the third step is not that of the velocity it carries
    assert places(['momentum', {'momentum': 0.5}], 1.0, [2, -1, 4], [0.1, 0.1, 0.01]) == [0.8, 0.8, 0.76]


def test_momentum_with_decayed_weights_by_hand():
    # gradients with decay: 2 + 0.5 * 4 = 4, then 1 + 0.5 * 3.6 = 2.8; v: 4, then 0.5 * 4 + 2.8 = 4.8
    spec = ['momentum', {'momentum': 0.5, 'weight_decay': 0.5}]
    assert places(spec, 4.0, [2, 1], [0.1, 0.1]) == [3.6, 3.12]


def test_nesterov_by_hand():
    # v: 2, then 0.5 * 2 - 1 = 0; steps of 2 + 0.5 * 2 = 3, then -1 + 0.5 * 0 = -1
    assert places(['momentum', {'momentum': 0.5, 'nesterov': True}], 1.0, [2, -1], [0.1, 0.1]) == [0.7, 0.8]


def test_rmsprop_by_hand():
    # t: 0.75 * 16 = 12 from 0; sqrt(12) + 2
    spec = ['rmsprop', {'decay': 0.25, 'epsilon': 2.0}]
    assert places(spec, 1.0, [4], [0.1]) == [1 - 0.4 / (np.sqrt(12) + 2)]
    # from 1: 0.25 + 12 = 12.25, and sqrt(12.25 + 3.75) = 4
    spec = ['rmsprop', {'decay': 0.25, 'epsilon': 3.75, 'form': 'tensorflow'}]
    assert places(spec, 1.0, [4], [0.1]) == [0.9]


@pytest.mark.parametrize('form', ['pytorch', 'tensorflow'])
def test_rmsprop_with_momentum_follows_its_formula(form):
    w, v, t, expected = 1.0, 0.0, float(form == 'tensorflow'), []
    gradients, rates = [3.0, -2.0, 0.5, 4.0], [0.1, 0.1, 0.02, 0.02]
    for g, rate in zip(gradients, rates, strict=True):
        t = 0.8 * t + 0.2 * g * g
        if form == 'pytorch':
            v = 0.7 * v + g / (np.sqrt(t) + 0.5)
            w -= rate * v
        else:
            v = 0.7 * v + rate * g / np.sqrt(t + 0.5)
            w -= v
        expected.append(w)
    spec = ['rmsprop', {'decay': 0.8, 'epsilon': 0.5, 'momentum': 0.7, 'form': form}]
    assert places(spec, 1.0, gradients, rates) == expected


@EACH
def test_blocks_do_not_change_the_result(spec, monkeypatch):
    rows = np.random.RandomState(0).normal(size=(4, 1000))

    def run():
        store, give = store_of(rows[0])
        moves = optimizer(spec)
        for gradient in rows[1:]:
            give(gradient)
            moves.update(store, 0.01)
        return to_host(store.values)

    whole = run()
    monkeypatch.setattr(scratch, 'BLOCK', 7 * VECTORS)
    assert np.array_equal(run(), whole)


@EACH
def test_float32_stays_float32_and_gradients_stay_what_they_are(spec):
    with precision('float32'):
        store, give = store_of([1.0, -2.0])
        moves = optimizer(spec)
        give([0.5, 0.25])
        moves.update(store, np.float64(0.1))
        arrays = [store.values, store.gradients, *(value for value in vars(moves).values() if hasattr(value, 'dtype'))]
        assert {str(array.dtype) for array in arrays} == {'float32'}
        assert to_host(store.gradients).tolist() == [0.5, 0.25]


@pytest.mark.parametrize('spec', SPECS[1:7], ids=str)
def test_means_that_nothing_feeds_end_at_zero_and_not_in_denormal_numbers(spec):
    with precision('float32'):
        store, give = store_of([0.0, 0.0])
        moves = optimizer(spec)
        for step in range(1000):
            if step < 2:
                give([3.0 * (1 - step), 0.0])
            moves.update(store, 0.0)
        means = [value for value in vars(moves).values() if hasattr(value, 'dtype')]
        assert means and not any(to_host(mean).any() for mean in means)


def test_each_name_makes_a_new_optimiser_of_its_class():
    classes = {'sgd': GradientDescent, 'momentum': Momentum, 'rmsprop': RMSProp, 'adam': Adam}
    assert set(OPTIMIZERS) == set(classes)
    for name, kind in classes.items():
        assert type(optimizer(name)) is type(optimizer([name])) is type(optimizer((name, {}))) is kind
        assert optimizer(name) is not optimizer(name)
    made = optimizer(['adam', {'ro_1': 0.5, 'epsilon': 1e-3}])
    assert (made.ro_1, made.ro_2, made.epsilon) == (0.5, 0.999, 1e-3)


@pytest.mark.parametrize(
    ('spec', 'words'),
    [
        ('RMSprob', "the optimizer is 'RMSprob': expected one of sgd, momentum, rmsprop, adam; did you mean 'rmsprop'"),
        (['sgd', {'momentum': 0.9}], "the optimizer 'sgd' has no option 'momentum': it has none"),
        (
            ['adam', {'ro1': 0.9}],
            "'adam' has no option 'ro1': expected one of ro_1, ro_2, epsilon; did you mean 'ro_1'",
        ),
        (['momentum', {'momentum': 1.0}], "'momentum': 'momentum' is 1.0: expected a number from 0 up to"),
        (['momentum', {'nesterov': 1}], "'nesterov' is 1: expected True or False"),
        (['momentum', {'weight_decay': -1}], "'weight_decay' is -1: expected a number from 0 on"),
        (['rmsprop', {'epsilon': 0}], "'epsilon' is 0: expected a number above 0"),
        (['rmsprop', {'epsilon': '1'}], "'epsilon' is '1': expected a number above 0"),
        (['rmsprop', {'form': 'keras'}], "'form' is 'keras': expected 'pytorch' or 'tensorflow'"),
        ({'rmsprop': {}}, "is {'rmsprop': {}}: expected a name, or"),
        (3, 'the optimizer is 3: expected a name, or'),
    ],
)
def test_a_mistake_in_the_choice_is_named(spec, words):
    with pytest.raises(ConfigError, match=words):
        optimizer(spec)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('block', [None, 4])
def test_gradients_are_clipped_to_a_length(dtype, block, monkeypatch):
    if block:
        monkeypatch.setattr(scratch, 'BLOCK', block)
    with precision(dtype):
        store, give = store_of([0.0, 0.0, 0.0])
        give([2.0, -3.0, 6.0])
        length = clip_gradients(store, 14)
        assert scalar(length) == 7.0 and to_host(store.gradients).tolist() == [2.0, -3.0, 6.0]
        length = clip_gradients(store, 3.5)
        assert scalar(length) == 7.0 and to_host(store.gradients).tolist() == [1.0, -1.5, 3.0]
        assert str(length.dtype) == str(store.gradients.dtype) == dtype and length.shape == ()
        give([0.0, 0.0, 0.0])
        assert scalar(clip_gradients(store, 1.0)) == 0.0 and not to_host(store.gradients).any()


def test_clipping_what_is_too_large_or_no_number():
    with precision('float32'), backend.quiet():
        store, give = store_of([0.0, 0.0])
        give([3e30, 4e30])
        assert scalar(clip_gradients(store, 1.0)) == np.inf and to_host(store.gradients).tolist() == [0.0, 0.0]
        give([np.nan, 1.0])
        assert np.isnan(scalar(clip_gradients(store, 1.0))) and np.isnan(to_host(store.gradients)).all()


@pytest.mark.parametrize('norm', [0, -1.0, float('inf'), None, True])
def test_a_length_that_is_no_positive_number_is_refused(norm):
    store, give = store_of([0.0])
    give([1.0])
    with pytest.raises(ConfigError, match='cannot be clipped to a norm of .*: expected a number above 0'):
        clip_gradients(store, norm)


@EACH
def test_after_a_reset_an_optimiser_steps_like_a_new_one(spec):
    with precision('float64'):
        ends = []
        for past in (3, 0):
            store, give = store_of([1.0, -2.0])
            moves = optimizer(spec)
            for _ in range(past):
                give([5.0, 7.0])
                moves.update(store, 0.1)
            moves.reset()
            store.values[...] = to_device(np.array([1.0, -2.0]))
            give([0.5, -0.25])
            moves.update(store, 0.1)
            ends.append(to_host(store.values).tolist())
    assert ends[0] == ends[1]
