"""What may go wrong with checkpoints: a folder in use, no room, a damaged file, somebody else, Ctrl-C."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from chapters import MlpModel
from chapters.checkpoint_files import Folder
from chapters.checkpoints import CheckpointError, TrainingInterrupted
from tests.chapters.checkpoint_models import CASES, outcome, pictures, same, train

ROOT = Path(__file__).resolve().parents[2]
MLP = CASES['mlp']


@pytest.fixture(autouse=True)
def nothing_on_the_disk(monkeypatch):
    """Whether files have reached the disk makes no difference to a process that lives on, only to how long it takes."""
    monkeypatch.setattr('os.fsync', lambda file: None)


def files(folder):
    return sorted(path.name for path in folder.glob('*.safetensors'))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.glob('*.safetensors')}


def test_a_folder_in_which_there_is_a_training_is_not_written_over(tmp_path):
    train(MLP(), checkpoint=tmp_path)
    before = content(tmp_path)
    with pytest.raises(
        CheckpointError, match=r'already \(3 epochs done\): go on with it by resume=True .* or take another folder'
    ):
        train(MLP(), checkpoint=tmp_path)
    assert content(tmp_path) == before


# What cannot be saved


def test_an_optimiser_that_cannot_be_saved_is_found_before_the_first_step(tmp_path):
    model = MLP()
    model.optimizer.helper = threading.Lock()
    model.train_step = None
    with pytest.raises(CheckpointError, match='optimizer.optimizer.helper is a lock, which no checkpoint can hold'):
        train(model, checkpoint=tmp_path)


def test_a_class_that_cannot_be_described_is_found_before_the_first_step(tmp_path):
    class Forgetful(MlpModel):
        def __init__(self, name, dataset, hconfigs, secret=1):
            super().__init__(name, dataset, hconfigs)

    model = Forgetful('net', pictures(), [4])
    model.train_step = None
    with pytest.raises(CheckpointError, match='Forgetful takes the argument'):
        train(model, checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('place', 'message'), [('', 'checkpoint is empty: name a folder'), (' ', 'is empty'), ('a\0', 'null')]
)
def test_a_text_that_names_no_folder(place, message):
    with pytest.raises(CheckpointError, match=message):
        train(MLP(), checkpoint=place)


@pytest.mark.parametrize('place', ['/proc/checkpoints', 'file', 'file/inside'])
def test_a_folder_that_cannot_be_made(place, tmp_path):
    (tmp_path / 'file').write_text('')
    model = MLP()
    model.train_step = None
    with pytest.raises(CheckpointError, match='cannot be written to .*: take another folder for the checkpoints'):
        train(model, checkpoint=tmp_path / place)


def test_a_path_that_is_none():
    with pytest.raises(CheckpointError, match='checkpoint=3 is no folder'):
        train(MLP(), checkpoint=3)


# No room


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_no_room_for_the_first_one(tmp_path, monkeypatch):
    monkeypatch.setattr('os.fsync', full)
    model = MLP()
    model.train_step = None
    with pytest.raises(CheckpointError, match='no checkpoint can be written in .*: .*No space left'):
        train(model, checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['.lock']


def test_a_training_goes_on_while_there_is_no_room(tmp_path, monkeypatch, capsys):
    straight = MLP()
    train(straight)
    expected = outcome(straight)
    model, honest, count = MLP(), os.fsync, iter(range(100))

    def sometimes(file):
        # The checkpoints after step 2, and all after steps 6 to 11, fail.
        return honest(file) if room[0] else full()

    room, step = [True], model.train_step

    def counted(x, y):
        room[0] = next(count) not in (1, *range(5, 11))
        return step(x, y)

    model.train_step = counted
    monkeypatch.setattr('os.fsync', sometimes)
    train(model, checkpoint=tmp_path, every=0.25)
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 7
    assert errors[0] == (
        'Model net: the checkpoint in epoch 1 after step 2 cannot be written ([Errno 28] No space left on device); the '
        f'last good one is {tmp_path / "checkpoint-00000001.safetensors"}. The training goes on.'
    )
    assert files(tmp_path) == ['checkpoint-00000005.safetensors', 'checkpoint-00000012.safetensors']
    assert not list(tmp_path.glob('.saving-*'))
    assert same(outcome(model), expected)


def test_a_folder_that_goes_away(tmp_path, capsys):
    model, place = MLP(), tmp_path / 'gone'
    honest = model.validate

    def validate():
        for path in place.glob('*'):
            path.unlink()
        place.rmdir()
        model.validate = honest
        return honest()

    model.validate = validate
    assert len(train(model, checkpoint=place).epochs) == 3
    assert 'no earlier one is left. The training goes on.' in capsys.readouterr().err


LIMITED = """
import resource, sys
from tests.chapters.checkpoint_models import CASES, train
model = CASES['mlp']()
honest = model.validate
def validate():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    model.validate = honest
    return honest()
model.validate = validate
train(model, checkpoint=sys.argv[1])
"""


def run(source, *args, **options):
    command = [sys.executable, '-c', source, *map(str, args)]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_disk_that_is_full_half_way_through_a_file(tmp_path):
    with run(LIMITED, tmp_path) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert 'train ended' in out
    assert err.count('cannot be written') == 3
    assert files(tmp_path) == ['checkpoint-00000000.safetensors']
    assert not list(tmp_path.glob('.saving-*'))
    assert len(train(MLP(), checkpoint=tmp_path, resume=True).epochs) == 3


# Damaged files


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == 'cut short':
        data = data[: len(data) // 2]
    elif how == 'empty':
        data = b''
    elif how == 'one bit':
        data[-5] ^= 1
    elif how == 'described otherwise':
        data = data.replace(b'identity', b'identify')
    path.write_bytes(bytes(data))


@pytest.mark.parametrize('how', ['cut short', 'empty', 'one bit', 'described otherwise'])
def test_the_checkpoint_before_a_damaged_one_is_taken(how, tmp_path, capsys):
    straight = MLP()
    train(straight)
    expected = outcome(straight)
    train(MLP(), checkpoint=tmp_path, every=0.75)
    older, newest = sorted(tmp_path.glob('*.safetensors'))
    damage(newest, how)
    model = MLP()
    train(model, checkpoint=tmp_path, resume=True)
    assert same(outcome(model), expected)
    error = capsys.readouterr().err
    assert str(newest) in error
    assert f'The checkpoint before it, {older.name}, is taken.' in error
    # The damaged one is written again.
    assert files(tmp_path) == [older.name, newest.name]
    train(MLP(), checkpoint=tmp_path, resume=True)
    assert capsys.readouterr().err == ''


def test_where_all_are_damaged_the_reason_for_each_is_given(tmp_path):
    train(MLP(), checkpoint=tmp_path)
    older, newest = sorted(tmp_path.glob('*.safetensors'))
    damage(older, 'one bit')
    damage(newest, 'empty')
    with pytest.raises(CheckpointError) as refused:
        train(MLP(), checkpoint=tmp_path, resume=True)
    assert f'{newest} cannot be read' in str(refused.value)
    assert f'{older} is damaged: content and digest do not agree' in str(refused.value)
    with pytest.raises(CheckpointError, match='a training is there already: go on'):
        train(MLP(), checkpoint=tmp_path)


def test_what_killed_processes_left_is_removed(tmp_path):
    left = tmp_path / '.saving-abc'
    left.mkdir()
    (left / 'part').write_text('half a file')
    train(MLP(), 1, checkpoint=tmp_path)
    assert not left.exists()


# Somebody else


def test_two_trainings_cannot_share_a_folder(tmp_path):
    folder = Folder(tmp_path)
    with pytest.raises(CheckpointError) as refused:
        train(MLP(), checkpoint=tmp_path)
    folder.release()
    found = re.search(r'in use by another training \(process (\d+) on (.+), since .* UTC\)', str(refused.value))
    assert found.groups() == (str(os.getpid()), socket.gethostname())
    train(MLP(), 1, checkpoint=tmp_path)


def test_somebody_unknown(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / '.holder.json').write_text('{')
    with pytest.raises(CheckpointError, match='is in use by another training: wait for its end'):
        Folder(tmp_path)
    folder.release()


# Ctrl-C


def signalled(model, step, number, twice=False):
    """The model, to which a signal comes in the middle of a step."""
    honest, count = model.apply_gradients, iter(range(1000))

    def moved():
        if next(count) == step:
            for _ in range(1 + twice):
                os.kill(os.getpid(), number)
        honest()

    model.apply_gradients = moved
    return model


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(('step', 'done'), [(0, 1), (5, 6), (7, 8), (11, 12)])
def test_the_step_is_finished_and_saved(number, step, done, tmp_path):
    straight = MLP()
    train(straight)
    expected = outcome(straight)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(TrainingInterrupted) as interrupted:
        train(signalled(MLP(), step, number), checkpoint=tmp_path, every=2)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    assert interrupted.value.signal == number
    assert files(tmp_path)[-1] == f'checkpoint-{done:08}.safetensors'
    call = re.search(r'model\.train\(.*\)$', str(interrupted.value))[0]
    model = MLP()
    eval(call, {'model': model})
    assert same(outcome(model), expected)


@pytest.mark.parametrize('left', [True, False])
def test_what_is_lost_is_said_where_it_cannot_be_saved(left, tmp_path, monkeypatch, capsys):
    model = signalled(MLP(), 5, signal.SIGINT)
    moved = model.apply_gradients

    def last_step():
        if model.standing.epoch == 2 and model.standing.step == 1:
            monkeypatch.setattr('os.fsync', full)
            for path in [] if left else tmp_path.glob('*.safetensors'):
                path.unlink()
        moved()

    model.apply_gradients = last_step
    with pytest.raises(TrainingInterrupted) as interrupted:
        train(model, checkpoint=tmp_path)
    message, last = str(interrupted.value), tmp_path / 'checkpoint-00000004.safetensors'
    assert message.startswith('net: stopped without a new checkpoint, which cannot be written ([Errno 28] No space')
    assert interrupted.value.path == (last if left else None)
    assert interrupted.value.unsaved
    if left:
        assert f'; 2 steps of 4 an epoch are lost. {last} is the last good one; to go on, make the model' in message
    else:
        assert message.endswith(', and no earlier one is left: the training is lost')
    assert 'goes on' not in message + capsys.readouterr().err


def test_a_second_one_does_not_wait(tmp_path):
    model = signalled(MLP(), 5, signal.SIGINT, twice=True)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        train(model, checkpoint=tmp_path)
    assert not isinstance(interrupted.value, TrainingInterrupted)
    assert files(tmp_path)[-1] == 'checkpoint-00000004.safetensors'
    train(MLP(), checkpoint=tmp_path, resume=True)


def test_without_checkpoints_it_is_as_before():
    with pytest.raises(KeyboardInterrupt) as interrupted:
        train(signalled(MLP(), 5, signal.SIGINT))
    assert type(interrupted.value) is KeyboardInterrupt


def test_another_thread_can_train_too(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(train(MLP(), checkpoint=tmp_path)))
    thread.start()
    thread.join()
    assert len(found[0].epochs) == 3


def test_a_notebook_shows_the_message_alone(capsys):
    shell = InteractiveShell()
    shell.user_ns['problem'] = TrainingInterrupted('net: stopped. To go on ...', signal.SIGINT, Path('x'))
    shell.run_cell('raise problem')
    shown = capsys.readouterr().out
    assert shown.strip() == 'TrainingInterrupted: net: stopped. To go on ...'


def test_a_checkpoint_says_what_it_is_of(tmp_path):
    train(CASES['adam'](), checkpoint=tmp_path)
    folder = Folder(tmp_path)
    _, described, arrays = folder.read()
    folder.release()
    assert described['identity']['model']['class'] == 'AdamModel'
    assert json.loads(described['reached'])['epoch'] == 4
    assert arrays['random'].dtype == np.uint32
    assert {'parameters', 'random', 'indices', 'costs', 'accuracies'} <= arrays.keys()
