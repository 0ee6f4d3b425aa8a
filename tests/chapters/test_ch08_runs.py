"""Trainings with dropout, noise and batch normalisation: the same seed, the same run, with any number of workers."""

import numpy as np
import pytest

from chapters import CnnBasicModel, CnnExtModel, CnnRegModel
from data import Dataset
from data.augment import mirror
from mathlib import backend, rng, settings, team
from mathlib.backend import precision, to_device, to_host

NET = [
    ['noise', {'std': 0.2, 'ratio': 0.5}],
    ['conv', {'ksize': 3, 'chn': 4}],
    ['batch_normal', {'exp_ratio': 0.1}],
    ['dropout', {'keep_prob': 0.7}],
    ['max', {'stride': 2}],
    ['full', {'width': 6}],
    ['batch_normal', {'rescale': False}],
    ['dropout', {'keep_prob': 0.8}],
]
PLAIN = [['conv', {'ksize': 3, 'chn': 4}], ['max', {'stride': 2}], 6]


@pytest.fixture(autouse=True)
def shared_whatever_the_size(monkeypatch):
    """Nets as small as a test's would otherwise be left to one thread."""
    monkeypatch.setattr(team, 'PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr(team, 'PRODUCTS_A_WEIGHT', 0)


def pictures():
    """60 pictures 6x6 of three kinds, turned left to right at random in training."""
    rng.seed(1234)
    draws = np.random.RandomState(3)
    kinds = np.arange(60) % 3
    dataset = Dataset('pictures', 'select')
    xs = draws.normal(size=(60, 6, 6, 2)) + kinds[:, None, None, None]
    dataset.shuffle_data(xs, np.eye(3)[kinds])
    dataset.augment = mirror
    return dataset


def run(hconfigs=NET, cls=CnnRegModel, seed=7, **options):
    """Train and test: [costs, training and validation accuracies, parameters, outputs, the stream's next number]."""
    dataset = pictures()
    rng.seed(seed)
    model = cls('m', dataset, hconfigs, **options)
    history = model.train(epoch_count=2, batch_size=7, learning_rate=0.01, report=1)
    output = to_host(model.get_output(dataset.te_xs))
    numbers = [history.costs, history.train_accuracies, history.validation_accuracies]
    return [*map(np.array, numbers), to_host(model.parameters.values).copy(), output, rng.normal(0, 1, [1])]


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_the_same_seed_is_the_same_run_bit_for_bit(workers, monkeypatch):
    monkeypatch.setattr(settings, 'workers', workers)
    for one, other in zip(run(l2_decay=0.01), run(l2_decay=0.01), strict=True):
        assert np.array_equal(one, other)


def test_another_seed_is_another_run():
    costs, *_ = run()
    others, *_ = run(seed=8)
    assert (costs != others).all()


@pytest.mark.parametrize('workers', [2, 3])
def test_the_number_of_workers_changes_nothing_but_rounding(workers, monkeypatch):
    with precision('float64'):
        monkeypatch.setattr(settings, 'workers', 1)
        alone = run()
        monkeypatch.setattr(settings, 'workers', workers)
        if backend.name == 'numpy':
            assert CnnRegModel('m', pictures(), NET).team_size(7) == workers
        shared = run()
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-11)


class Watched(CnnRegModel):
    """Keeps what every member of a team gets from each layer that draws at random."""

    def forward_layer(self, x, hconfig, pm):
        y, aux = super().forward_layer(x, hconfig, pm)
        if hconfig and hconfig.type in ('dropout', 'noise'):
            self.drawn.setdefault(hconfig.path, {})[team.member().rank] = to_host(
                y - x if hconfig.type == 'noise' else y
            )
        return y, aux


@pytest.mark.parametrize('rows', [2, 7])
def test_every_row_gets_its_own_numbers_whoever_has_it(rows, monkeypatch):
    """Maps and flat rows, the same with 1, 2 and 3 workers, bit for bit."""
    net = [['noise', {'std': 0.2}], ['dropout', {'keep_prob': 0.7}], ['full', {'width': 9, 'actfunc': 'none'}]]
    net += [['dropout', {'keep_prob': 0.7}]]
    x = to_device(np.ones((rows, 6, 6, 2)))
    found = []
    for workers in (1, 2, 3):
        monkeypatch.setattr(settings, 'workers', workers)
        rng.seed(5)
        model = Watched('m', pictures(), net)
        model.pm_hiddens[2]['w'][...] = 0
        model.pm_hiddens[2]['b'][...] = 1
        model.drawn = {}
        model.compute_gradients(x, to_device(np.eye(3)[np.arange(rows) % 3]))
        parts = model.drawn.values()
        if backend.name == 'numpy':
            assert [len(part) for part in parts] == [min(workers, rows)] * 3
        found.append([np.concatenate([part[rank] for rank in sorted(part)]) for part in parts])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert np.array_equal(one, other)
            assert not np.array_equal(one[0], one[1])


def test_a_step_with_noise_has_it_for_all_workers(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 3)
    rng.seed(5)
    model = Watched('m', pictures(), [['noise', {'ratio': 0.5}]])
    noisy = []
    for _ in range(20):
        model.drawn = {}
        model.compute_gradients(to_device(np.zeros((6, 6, 6, 2))), to_device(np.eye(3)[[0, 1, 2, 0, 1, 2]]))
        (parts,) = model.drawn.values()
        noisy.append([bool((added != 0).all()) for added in parts.values()])
    assert all(len(set(step)) == 1 for step in noisy)
    assert {step[0] for step in noisy} == {False, True}


@pytest.mark.parametrize('cls', [CnnRegModel, CnnExtModel])
def test_a_net_without_these_layers_is_that_of_chapter_7(cls):
    """The same numbers are drawn from the book's stream, and no others."""
    with precision('float64'):
        for one, other in zip(run(PLAIN, CnnBasicModel), run(PLAIN, cls), strict=True):
            assert other == pytest.approx(one, rel=1e-9)


def test_batch_normalisation_draws_nothing():
    layers = [['batch_normal'], *PLAIN, ['batch_normal']]
    *_, after = run(layers)
    *_, expected = run(PLAIN)
    assert np.array_equal(after, expected)


def test_in_a_test_nothing_is_drawn():
    rng.seed(5)
    model = CnnRegModel('m', pictures(), NET)
    rng.seed(9)
    model.get_output(model.dataset.te_xs)
    model.get_maps(model.dataset.te_xs)
    assert np.array_equal(rng.normal(0, 1, [2]), np.random.RandomState(9).normal(0, 1, [2]))
