"""One training step shared by several threads is the step of one."""

import numpy as np
import pytest

from chapters import CnnBasicModel
from data import DummyDataset
from mathlib import backend, rng, scratch, settings, team
from mathlib.backend import precision, to_host

NET = [
    ['conv', {'ksize': 3, 'chn': 6}],
    ['max', {'stride': 2}],
    ['conv', {'ksize': 3, 'chn': 34, 'actfunc': 'tanh'}],
    ['conv', {'ksize': 3, 'chn': 33, 'actfunc': 'sigmoid'}],
    ['avg', {'stride': 2}],
    ['full', {'width': 9}],
]


@pytest.fixture(autouse=True)
def shared_whatever_the_size(monkeypatch):
    """Nets as small as a test's would otherwise be left to one thread."""
    monkeypatch.setattr(team, 'PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr(team, 'PRODUCTS_A_WEIGHT', 0)


def trained(workers, monkeypatch, rows=7, steps=4):
    """The costs and the parameters after some steps with so many workers, as host arrays."""
    monkeypatch.setattr(settings, 'workers', workers)
    rng.seed(3)
    model = CnnBasicModel('team', DummyDataset('pictures', 'select', [16, 18, 3], [4]), NET)
    draws = np.random.RandomState(0)
    x = backend.to_device(draws.normal(size=(rows, 16, 18, 3)))
    y = backend.to_device(np.eye(4)[draws.randint(4, size=rows)])
    if backend.name == 'numpy':
        assert model.team_size(rows) == min(workers, rows)
    costs = [backend.scalar(model.train_step(x, y)[0]) for _ in range(steps)]
    return np.array(costs), to_host(model.parameters.values).copy(), to_host(model.get_output(x))


@pytest.mark.parametrize('workers', [2, 3, 5, 64])
def test_the_number_of_workers_changes_nothing_but_rounding(workers, monkeypatch):
    with precision('float64'):
        alone, shared = trained(1, monkeypatch), trained(workers, monkeypatch)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_the_same_settings_give_the_same_bits(workers, monkeypatch):
    first = trained(workers, monkeypatch)
    for one, other in zip(first, trained(workers, monkeypatch), strict=True):
        assert (one == other).all()


def test_the_size_of_blocks_changes_nothing_but_rounding(monkeypatch):
    with precision('float64'):
        usual = trained(2, monkeypatch)
        monkeypatch.setattr(scratch, 'BLOCK', 1000)
        small = trained(2, monkeypatch)
    for one, other in zip(usual, small, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_fewer_rows_than_workers(monkeypatch):
    with precision('float64'):
        alone, shared = trained(1, monkeypatch, rows=1), trained(8, monkeypatch, rows=1)
    np.testing.assert_allclose(shared[1], alone[1], rtol=1e-9, atol=1e-12)


def test_the_loss_is_that_of_the_whole_batch_whatever_it_is(monkeypatch):
    """A regression's accuracy, or a reader's own loss, need not be a mean over the rows."""

    class Largest(DummyDataset):
        def forward_postproc(self, output, y, mode=None):
            return abs(output).max(), output

        def backprop_postproc(self, G_loss, aux, mode=None):
            return (abs(aux) == abs(aux).max()).astype(aux.dtype) * G_loss

    def step(workers):
        monkeypatch.setattr(settings, 'workers', workers)
        rng.seed(3)
        model = CnnBasicModel('largest', Largest('pictures', 'select', [16, 18, 3], [4]), NET)
        x = backend.to_device(np.random.RandomState(0).normal(size=(6, 16, 18, 3)))
        loss, _ = model.compute_gradients(x, None)
        return backend.scalar(loss), to_host(model.parameters.gradients).copy()

    with precision('float64'):
        (loss, gradients), (other_loss, other_gradients) = step(1), step(3)
    assert loss == pytest.approx(other_loss, rel=1e-12)
    assert abs(gradients).max() > 0
    np.testing.assert_allclose(other_gradients, gradients, rtol=1e-9, atol=1e-15)
