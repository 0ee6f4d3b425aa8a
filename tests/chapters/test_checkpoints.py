"""A training that was broken off goes on as if it had never stopped: to the same bit, for every kind of model."""

import itertools

import numpy as np
import pytest

from chapters import CnnNetModel, MlpModel, transfer
from chapters.checkpoint_files import Folder
from chapters.checkpoints import CheckpointError
from mathlib import rng
from mathlib.errors import ConfigError, TrainingError
from tests.chapters.checkpoint_models import CASES, NORMED, outcome, pictures, same, train

MLP = CASES['mlp']


@pytest.fixture(autouse=True)
def nothing_on_the_disk(monkeypatch):
    """Whether files have reached the disk makes no difference to a process that lives on, only to how long it takes."""
    monkeypatch.setattr('os.fsync', lambda file: None)


class Broken(Exception):
    """What breaks a training off, as a kill would."""


def broken_off(model, steps, *args, **checkpoints):
    """Train until so many steps are done, then break off in the middle of the next one."""
    honest, count = model.apply_gradients, itertools.count()

    def moved():
        if next(count) == steps:
            raise Broken
        honest()

    model.apply_gradients = moved
    with pytest.raises(Broken):
        train(model, *args, **checkpoints)
    del model.apply_gradients


def names(folder):
    return sorted(path.name for path in folder.glob('*'))


@pytest.mark.parametrize('case', CASES)
def test_it_goes_on_to_the_same_bit(case, tmp_path):
    straight = CASES[case]()
    train(straight)
    expected = outcome(straight)

    broken_off(CASES[case](), 6, checkpoint=tmp_path, every=0.25)
    model = CASES[case]()
    rng.seed(99)
    train(model, checkpoint=tmp_path, every=0.5, resume=True)
    assert same(outcome(model), expected)


@pytest.mark.parametrize(('steps', 'every'), [(0, 1), (3, 0.5), (4, 1), (5, 0.25), (8, 2), (11, 1), (11, 0.1)])
def test_it_goes_on_from_anywhere(steps, every, tmp_path):
    straight = CASES['regularised']()
    train(straight)
    expected = outcome(straight)
    broken_off(CASES['regularised'](), steps, checkpoint=tmp_path, every=every)
    interval = max(1, round(4 * every))
    newest = sorted(tmp_path.glob('*.safetensors'))[-1]
    assert newest.stem == f'checkpoint-{steps // interval * interval:08}'
    model = CASES['regularised']()
    train(model, checkpoint=tmp_path, every=every, resume=True)
    assert same(outcome(model), expected)


def test_checkpoints_do_not_change_the_training(tmp_path):
    without = CASES['augmented']()
    train(without)
    expected = outcome(without)
    kept = CASES['augmented']()
    train(kept, checkpoint=tmp_path / 'a' / 'b', every=0.5)
    assert same(outcome(kept), expected)
    assert names(tmp_path / 'a' / 'b') == [
        '.lock',
        'checkpoint-00000010.safetensors',
        'checkpoint-00000012.safetensors',
    ]


def test_a_training_that_has_ended_is_not_repeated(tmp_path):
    model = MLP()
    train(model, checkpoint=tmp_path)
    expected, seconds = outcome(model), [epoch.seconds for epoch in model.history.epochs]
    again = MLP()
    again.train_step = None
    history = train(again, checkpoint=tmp_path, resume=True)
    assert same(outcome(again), expected)
    assert [epoch.seconds for epoch in history.epochs] == seconds


class Restless(MlpModel):
    """A reader's class with a state of its own, which its instance is called `this` in."""

    def __init__(this, name, dataset, hconfigs, strength=0.5):
        super().__init__(name, dataset, hconfigs)
        this.strength = strength
        this.own, this.old = np.random.default_rng(3), np.random.RandomState(4)
        this.velocity = {'w': np.zeros(3), 'seen': []}
        this.alias = this.velocity['w']

    def train_step(self, x, y):
        self.strength *= 0.9
        self.rand_std *= 0.5
        self.alias += self.own.normal(0, 1, 3) + self.old.normal()
        self.velocity['seen'].append(float(self.alias[0]))
        self.learning_rate *= 1 + self.strength * abs(float(self.velocity['w'].mean()))
        return super().train_step(x, y)


def test_the_state_of_a_class_of_the_readers(tmp_path, capsys):
    def made():
        rng.seed(3)
        return Restless('own', pictures(), [4])

    straight = made()
    train(straight)
    expected = outcome(straight)
    broken_off(made(), 6, checkpoint=tmp_path, every=0.25)
    model = made()
    train(model, checkpoint=tmp_path, resume=True)
    assert same(outcome(model), expected)
    assert (model.strength, model.rand_std) == (straight.strength, straight.rand_std)
    assert model.velocity['seen'] == straight.velocity['seen']
    assert len(model.velocity['seen']) == 12
    assert model.alias is model.velocity['w']
    assert model.own.random() == straight.own.random()
    assert model.old.random() == straight.old.random()
    assert 'not saved' not in capsys.readouterr().out


def test_what_cannot_be_held_is_named_once(tmp_path, capsys):
    model = Restless('own', pictures(), [4])
    model.helper = {1, 2}
    train(model, checkpoint=tmp_path, every=0.5)
    out = capsys.readouterr().out
    assert out.count('not saved: own.helper, a set. If that changes') == out.count('not saved') == 1


def test_two_trainings_on_one_stream(tmp_path):
    def both(breaks=None, **resumed):
        first = MLP()
        train(first, **({'checkpoint': tmp_path / 'first'} | resumed if breaks is not None else {}))
        second = MlpModel('second', pictures(), [3])
        place = {'checkpoint': tmp_path / 'second', 'every': 0.5}
        if breaks:
            return broken_off(second, breaks, **place)
        train(second, **(place | resumed if breaks is not None else {}))
        return outcome(second)

    expected = both()
    both(breaks=5)
    assert same(both(breaks=0, resume=True), expected)


def test_more_epochs_where_the_rate_stays(tmp_path):
    straight = MLP()
    train(straight, 5)
    expected = outcome(straight)
    train(MLP(), 3, checkpoint=tmp_path)
    model = MLP()
    history = train(model, 5, checkpoint=tmp_path, resume=True)
    assert same(outcome(model), expected)
    assert history.settings['epoch_count'] == 5


@pytest.mark.parametrize('schedule', ['cosine', ['constant', {'warmup': 0.1}]])
def test_more_epochs_are_refused_where_the_rate_depends_on_their_number(schedule, tmp_path):
    for epochs, resume in ((2, False), (3, True)):
        model = MLP()
        model.schedule = schedule
        if resume:
            with pytest.raises(CheckpointError, match='epoch_count: 2 in the checkpoint, 3 here; with the schedule'):
                train(model, epochs, checkpoint=tmp_path, resume=True)
        else:
            train(model, epochs, checkpoint=tmp_path)


def test_a_network_that_is_tuned_further(tmp_path, monkeypatch):
    """Its layers are frozen, and its head is trained before, each time that it is made."""
    hconfigs = [['serial', NORMED, ['global_avg']], 5]
    rng.seed(1)
    trunk = CnnNetModel('trunk', pictures(), hconfigs[0][1:])
    monkeypatch.setattr(transfer, 'pretrained', lambda name: trunk)

    def tuned():
        rng.seed(2)
        return transfer.FineTunedModel('m', pictures(), hconfigs, start='trunk', up_to=1, head_epochs=1)

    straight = tuned()
    train(straight)
    expected = outcome(straight)
    broken_off(tuned(), 6, checkpoint=tmp_path, every=0.25)
    model = tuned()
    train(model, checkpoint=tmp_path, resume=True)
    assert same(outcome(model), expected)
    assert model.frozen_count > 0


def test_seconds_go_on(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr('time.monotonic', lambda: now[0])

    def ticking(model):
        honest = model.train_step

        def step(x, y):
            now[0] += 1
            return honest(x, y)

        model.train_step = step
        return model

    broken_off(ticking(MLP()), 6, checkpoint=tmp_path, every=0.25)
    now[0] = 5000.0
    history = train(ticking(MLP()), checkpoint=tmp_path, resume=True)
    assert [epoch.seconds for epoch in history.epochs] == [4.0, 4.0, 4.0]


def test_a_model_that_was_trained_before_takes_the_state_of_the_checkpoint(tmp_path):
    make = CASES['momentum']
    straight = make()
    train(straight)
    expected = outcome(straight)
    broken_off(make(), 2, checkpoint=tmp_path)
    model = make()
    model.schedule = 'constant'
    train(model, 1)
    model.schedule = 'linear'
    train(model, checkpoint=tmp_path, resume=True)
    assert same(outcome(model), expected)


def test_an_empty_folder_is_a_beginning(tmp_path, capsys):
    train(MLP(), checkpoint=tmp_path / 'new', resume=True)
    assert f'There is no checkpoint in {tmp_path / "new"} yet: the training starts from' in capsys.readouterr().out


def test_where_it_goes_on_is_said(tmp_path, capsys):
    broken_off(MLP(), 6, checkpoint=tmp_path, every=0.25)
    train(MLP(), checkpoint=tmp_path, resume=True)
    expected = 'Model net goes on in epoch 2 after step 2, from checkpoint-00000006.safetensors.\n'
    assert expected in capsys.readouterr().out


def test_exec_all_hands_on(tmp_path):
    model, again = CASES['frozen'](), CASES['frozen']()
    model.exec_all(1, 10, 0.01, 0, 0, checkpoint=tmp_path, every=0.5)
    history = again.exec_all(1, 10, 0.01, 0, 0, checkpoint=tmp_path, resume=True)
    assert history.costs == model.history.costs


def test_a_training_that_fails_leaves_the_folder_free_and_the_last_checkpoint_sound(tmp_path):
    model = MLP()
    honest, count = model.train_step, itertools.count()

    def step(x, y):
        if next(count) == 5:
            model.parameters.values[...] = float('nan')
        return honest(x, y)

    model.train_step = step
    with pytest.raises(TrainingError):
        train(model, checkpoint=tmp_path, every=0.25)
    folder = Folder(tmp_path)
    _, _, arrays = folder.read()
    folder.release()
    assert np.isfinite(arrays['parameters']).all()


@pytest.mark.parametrize('every', [0, -1, float('nan'), 'often', True])
def test_what_no_interval_is(every, tmp_path):
    with pytest.raises(ConfigError, match='net: every is .*: expected a number above 0, how many epochs'):
        train(MLP(), checkpoint=tmp_path, every=every)


def test_resume_needs_a_folder():
    with pytest.raises(ConfigError, match='net: resume=True needs the folder to go on from, checkpoint='):
        train(MLP(), resume=True)
