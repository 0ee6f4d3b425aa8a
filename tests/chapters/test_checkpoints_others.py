"""A checkpoint of another training is refused, and everything that differs is named."""

import re

import numpy as np
import pytest

from chapters import CnnExtModel, CnnNetModel
from chapters.checkpoints import CheckpointError
from mathlib import backend, rng, settings
from mathlib.optimizers import Momentum
from tests.chapters.checkpoint_models import CASES, CONV, pictures, train

MLP = CASES['mlp']


def seeded(model_class, *args, **options):
    rng.seed(4)
    return model_class('net', pictures(), *args, **options)


@pytest.fixture(autouse=True)
def nothing_on_the_disk(monkeypatch):
    """Whether files have reached the disk makes no difference to a process that lives on, only to how long it takes."""
    monkeypatch.setattr('os.fsync', lambda file: None)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 20}, 'batch_size: 10 in the checkpoint, 20 here'),
        ({'learning_rate': 0.5}, 'learning_rate: 0.01 in the checkpoint, 0.5 here'),
        ({'epoch_count': 2}, 'epoch_count: 3 epochs are done already, 2 here'),
        ({'report': 0}, r'report \(a validation draws random rows, .*\): 1 in the checkpoint, 0 here'),
    ],
)
def test_other_settings_are_named(changes, message, tmp_path):
    train(MLP(), checkpoint=tmp_path)
    told = {'epoch_count': 3, 'batch_size': 10, 'learning_rate': 0.01, 'report': 1} | changes
    model = MLP()
    before = outcome_of_parameters(model)
    with pytest.raises(CheckpointError, match=f'is the checkpoint of another training: {message}\\. Make the model'):
        model.train(**told, checkpoint=tmp_path, resume=True)
    assert np.array_equal(outcome_of_parameters(model), before)


def outcome_of_parameters(model):
    return backend.to_host(model.parameters.values).copy()


EXT = [['serial', CONV, ['parallel', CONV, ['loop', {'repeat': 2}, CONV]]], 5]


@pytest.mark.parametrize(
    ('hconfigs', 'messages'),
    [
        (
            [['serial', CONV, ['parallel', CONV, ['loop', {'repeat': 3}, CONV]]], 5],
            ['layer 1 > serial > layer 2 > parallel > branch 2 > loop: repeat: 2 in the checkpoint, 3 here'],
        ),
        (
            [['serial', CONV, ['max', {'stride': 2}]], 6],
            [
                'layer 1 > serial > layer 2 > max: parallel in the checkpoint, max here',
                'layer 2 > full: width: 5 in the checkpoint, 6 here',
            ],
        ),
        ([CONV], ['the model: 2 layers in the checkpoint, 1 here', 'layer 1 > conv: serial in the checkpoint, conv']),
    ],
)
def test_other_layers_are_named_by_their_paths(hconfigs, messages, tmp_path):
    train(seeded(CnnExtModel, EXT), checkpoint=tmp_path)
    with pytest.raises(CheckpointError) as refused:
        train(seeded(CnnExtModel, hconfigs), checkpoint=tmp_path, resume=True)
    for message in messages:
        assert message in str(refused.value)


def test_everything_else_that_differs_is_named(tmp_path):
    train(seeded(CnnNetModel, [CONV, CONV, 5]), checkpoint=tmp_path)

    def refusal(model):
        with pytest.raises(CheckpointError) as refused:
            train(model, checkpoint=tmp_path, resume=True)
        return str(refused.value)

    assert 'l2_decay: 0.0 in the checkpoint, 0.1 here' in refusal(seeded(CnnNetModel, [CONV, CONV, 5], l2_decay=0.1))
    assert 'class: CnnNetModel in the checkpoint, CnnExtModel here' in refusal(seeded(CnnExtModel, [CONV, CONV, 5]))
    frozen = seeded(CnnNetModel, [CONV, CONV, 5])
    frozen.freeze(2)
    assert 'frozen: none in the checkpoint, layer 1 > conv, layer 2 > conv here' in refusal(frozen)
    slower = seeded(CnnNetModel, [CONV, CONV, 5])
    slower.adam.ro_1 = 0.5
    assert 'optimizer adam ro_1: 0.9 in the checkpoint, 0.5 here' in refusal(slower)
    slower.adam, slower.optimizer = CnnNetModel('x', pictures(), []).adam, Momentum()
    assert 'optimizer class: GradientDescent in the checkpoint, Momentum here' in refusal(slower)
    other = seeded(CnnNetModel, [CONV, CONV, 5])
    other.dataset.tr_ys = other.dataset.tr_ys[::-1]
    assert 'the answers of the training rows (which depend on the seed' in refusal(other)


def test_another_float_type_is_named(tmp_path):
    other = 'float32' if backend.dtype == 'float64' else 'float64'
    expected = f'DTYPE: {backend.dtype} in the checkpoint, {other} here'
    train(MLP(), checkpoint=tmp_path)
    with backend.precision(other), pytest.raises(CheckpointError, match=expected):
        train(MLP(), checkpoint=tmp_path, resume=True)


def test_another_number_of_workers_is_only_noted(tmp_path, monkeypatch, capsys):
    train(MLP(), 2, checkpoint=tmp_path)
    monkeypatch.setattr('chapters.checkpoint_state.machine', lambda: {'backend': 'abacus', 'workers': 3})
    monkeypatch.setattr('chapters.checkpoints.machine', lambda: {'backend': 'abacus', 'workers': 3})
    assert len(train(MLP(), 3, checkpoint=tmp_path, resume=True).epochs) == 3
    out = capsys.readouterr().out
    assert re.findall('The last digits may differ: the checkpoint was made by .*, this is .*', out) == [
        f'The last digits may differ: the checkpoint was made by {here()}, this is abacus with 3 workers.'
    ]


def here():
    return f'numpy with {settings.workers} workers' if backend.name == 'numpy' else backend.name
