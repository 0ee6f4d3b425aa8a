"""A training whose steps are shared by processes is the training of one."""

import os

import numpy as np
import pytest

from chapters import CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, shared_steps
from data import Dataset
from mathlib import crew, rng, settings
from mathlib.backend import precision, to_host
from mathlib.errors import TrainingError

BASIC = [['conv', {'ksize': 3, 'chn': 5}], ['max', {'stride': 2}], 7]
REG = [
    ['batch_normal', {}],
    ['conv', {'ksize': 3, 'chn': 5}],
    ['batch_normal', {'rescale': False}],
    ['dropout', {'keep_prob': 0.7}],
    ['max', {'stride': 2}],
    ['noise', {'type': 'normal', 'mean': 0.0, 'std': 0.1, 'ratio': 0.8}],
    9,
]
EXT = [
    ['conv', {'ksize': 3, 'chn': 6, 'actions': 'LAB'}],
    ['parallel', ['conv', {'ksize': 1, 'chn': 3, 'actions': 'LBA'}], ['serial', *REG[1:4]]],
    ['add', {'x': True, 'actions': 'BA'}, ['conv', {'ksize': 3, 'chn': 8}]],
]
NET = [
    ['conv', {'ksize': 3, 'chn': 6, 'actions': 'LBA', 'bias': False}],
    ['lrn', {}],
    ['add', {}, ['conv', {'ksize': 3, 'chn': 6, 'groups': 2, 'actions': 'BAL'}]],
    ['global_avg', {}],
]
SIDE = [['conv', {'ksize': 3, 'chn': 4}], ['auxiliary', {'weight': 0.3}, ['global_avg', {}]], ['global_avg', {}]]
MODELS = [(CnnBasicModel, BASIC), (CnnRegModel, REG), (CnnExtModel, EXT), (CnnNetModel, NET)]


class Pictures(Dataset):
    def __init__(self):
        super().__init__('pictures', 'select')
        draws = np.random.RandomState(0)
        self.shuffle_data(draws.normal(size=(80, 8, 10, 3)), np.eye(4)[draws.randint(4, size=80)])


class Own(CnnExtModel):
    """A reader's own class."""


@pytest.fixture(autouse=True)
def shared_whatever_the_size(monkeypatch):
    """Nets as small as a test's would otherwise be left to one process."""
    monkeypatch.setattr(crew, 'PRODUCTS', 1)
    monkeypatch.setattr(crew, 'EPOCH', 1)
    monkeypatch.setattr('mathlib.team.PRODUCTS_A_WEIGHT', 0)


def made(cls, hconfigs):
    """A model at the start of the same stream of random numbers.

    Without Adam, which makes steps of rounding alone for a bias before a batch normalisation, whose gradient is 0.
    """
    rng.seed(5)
    model = cls('net', Pictures(), hconfigs)
    model.use_adam = False
    return model


def trained(cls, hconfigs, workers, monkeypatch):
    """Costs, parameters and outputs after two epochs with so many workers."""
    monkeypatch.setattr(settings, 'workers', workers)
    model = made(cls, hconfigs)
    history = model.train(2, 10, 0.01, report=1)
    return (
        np.array(history.costs),
        to_host(model.parameters.values).copy(),
        to_host(model.get_output(model.dataset.te_xs)),
    )


@pytest.mark.parametrize('workers', [2, 3])
@pytest.mark.parametrize(('cls', 'hconfigs'), MODELS)
def test_the_number_of_processes_changes_nothing_but_rounding(cls, hconfigs, workers, monkeypatch):
    with precision('float64'):
        alone = trained(cls, hconfigs, 1, monkeypatch)
        together = trained(cls, hconfigs, workers, monkeypatch)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(('cls', 'hconfigs'), MODELS)
def test_the_same_seed_gives_the_same_bits(cls, hconfigs, monkeypatch):
    first = trained(cls, hconfigs, 2, monkeypatch)
    for one, other in zip(first, trained(cls, hconfigs, 2, monkeypatch), strict=True):
        assert (one == other).all()


def test_several_processes_did_work(monkeypatch):
    """One for each worker, in every epoch, and none is left behind."""
    monkeypatch.setattr(settings, 'workers', 3)
    made_crews, honest = [], crew.Crew

    def noted(members, work):
        made_crews.append(members)
        return honest(members, work)

    monkeypatch.setattr(crew, 'Crew', noted)
    model = made(CnnExtModel, EXT)
    model.train(2, 10, 0.01)
    assert made_crews == ([3, 3] if crew.size(10, 1, 0, 1) > 1 else [])
    assert model.shared_steps is None
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize('up_to', [0, 1, 3])
def test_frozen_layers_stay_as_they_are(up_to, monkeypatch):
    runs = []
    for workers in (1, 2):
        monkeypatch.setattr(settings, 'workers', workers)
        with precision('float64'):
            model = made(CnnNetModel, NET)
            model.freeze(up_to)
            model.train(2, 10, 0.01)
            runs.append(to_host(model.parameters.values).copy())
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(('cls', 'hconfigs'), [(Own, EXT), (CnnNetModel, SIDE)])
def test_one_process_for_a_readers_class_and_for_side_heads(cls, hconfigs, monkeypatch):
    monkeypatch.setattr(settings, 'workers', 2)
    assert shared_steps.crew_size(made(cls, hconfigs), 10, 10) == 1
    assert shared_steps.crew_size(made(CnnExtModel, EXT), 10, 10) == crew.size(10, 1, 0, 1)


def test_an_interrupt_leaves_no_process_behind_and_the_model_can_go_on(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 2)
    model = made(CnnExtModel, EXT)
    honest, steps = model.dataset.get_train_data, []

    def interrupted(size, n):
        steps.append(n)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return honest(size, n)

    monkeypatch.setattr(model.dataset, 'get_train_data', interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.train(1, 10, 0.01)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert len(model.train(1, 10, 0.01).epochs) == 1


@pytest.mark.parametrize('row', [0, 9])
def test_a_number_that_overflows_is_found_whichever_process_has_its_row(row, monkeypatch):
    monkeypatch.setattr(settings, 'workers', 2)
    monkeypatch.setattr('chapters.history.FETCH_EVERY', 1)
    model = made(CnnBasicModel, BASIC)
    model.pm_hiddens[0]['k'] *= 1000
    honest = model.dataset.get_train_data

    def spoilt(size, n):
        x, y = honest(size, n)
        if n == 2:
            x[row] = np.finfo(to_host(model.parameters.values).dtype).max
        return x, y

    monkeypatch.setattr(model.dataset, 'get_train_data', spoilt)
    with pytest.raises(TrainingError, match='epoch 1, step 3.*layer 1 > conv makes it so on the way forward'):
        model.train(1, 10, 0.01)
    assert np.isfinite(to_host(model.parameters.values)).all()


def test_without_room_for_another_process_one_does_it(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 2)

    def none():
        raise BlockingIOError(11, 'Resource temporarily unavailable')

    monkeypatch.setattr(os, 'fork', none, raising=False)
    with precision('float64'):
        model = made(CnnExtModel, EXT)
        costs = model.train(2, 10, 0.01, report=1).costs
        np.testing.assert_allclose(costs, trained(CnnExtModel, EXT, 1, monkeypatch)[0], rtol=1e-9)
