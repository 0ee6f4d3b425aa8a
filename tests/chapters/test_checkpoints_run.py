"""Checkpoints from the command line, and real kills: processes that end at a moment that they do not choose."""

import contextlib
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chapters import MlpModel, runs
from chapters.__main__ import main, resumption
from chapters.checkpoint_files import Folder

ROOT = Path(__file__).resolve().parents[2]
NAMES = ['ch05_abalone_model', 'ch05_steel_model']
# 1152 and 768 steps, 96 and 64 an epoch; with a checkpoint every 72 and 48.
SETTINGS = ['--epochs', '12', '--report', '4']
OFTEN = ['--every', '0.75']


def command(tmp_path, *more):
    return ['run', *NAMES, *SETTINGS, '--results', str(tmp_path / 'results'), *more]


def kept(tmp_path, *more):
    return command(tmp_path, '--checkpoint', str(tmp_path / 'kept'), *more)


def started(arguments):
    """`python -m chapters` in a process of its own."""
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    return subprocess.Popen(
        [sys.executable, '-m', 'chapters', *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_step(process, folder, step, number):
    """Send a signal once a checkpoint after so many steps is there; returns (exit status, output, errors)."""
    end = time.monotonic() + 60
    while process.poll() is None and not any(int(path.stem[-8:]) >= step for path in folder.glob('*.safetensors')):
        assert time.monotonic() < end, f'no checkpoint after step {step} in {folder}'
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    process.send_signal(number)
    out, err = process.communicate()
    return process.returncode, out, err


def records(folder):
    """The histories of all records in a folder, without what takes another time each time."""
    found = {}
    for path in sorted(folder.glob('*.json')):
        record = json.loads(path.read_text(encoding='utf-8'))
        for epoch in record['history']['epochs']:
            del epoch['seconds']
        found[path.name] = record['history'], record['after'], record['stopped']
    return found


def last(folder):
    """The arrays of the last checkpoint in a folder."""
    place = Folder(folder)
    _, _, arrays = place.read()
    place.release()
    return arrays


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """What the runs come to that nobody disturbs: their records, and arrays at the end of each."""
    tmp_path = tmp_path_factory.mktemp('straight')
    assert main(kept(tmp_path)) == 0
    return records(tmp_path / 'results'), [last(tmp_path / 'kept' / name) for name in NAMES]


def test_two_runs_on_one_stream_survive_a_kill_and_signals(straight, tmp_path):
    draws = random.Random()
    first, second = (tmp_path / 'kept' / name for name in NAMES)
    expected, arrays = straight
    steps = [draws.randint(0, 700), draws.randint(0, 200), draws.randint(250, 400)]

    status, _, _ = after_step(started(kept(tmp_path, *OFTEN)), first, steps[0], signal.SIGKILL)
    assert status == -signal.SIGKILL

    words = kept(tmp_path, *OFTEN, '--resume')
    for step, number, status, told in (
        (steps[1], signal.SIGINT, 130, 'interrupted'),
        (steps[2], signal.SIGTERM, 143, 'terminated'),
    ):
        ended, out, err = after_step(started(words), second, step, number)
        assert ended == status, err
        assert 'Model abalone_model goes on ' in out
        (line,) = re.findall('^to go on: (.*)$', err, re.MULTILINE)
        words = shlex.split(line)
        words = words[words.index('chapters') + 1 :]
        (stopped,) = (tmp_path / 'results').glob('*-stopped.json')
        assert json.loads(stopped.read_text(encoding='utf-8'))['stopped'] == told

    assert main(words) == 0
    assert records(tmp_path / 'results') == expected, steps
    for folder, wanted in zip((first, second), arrays, strict=True):
        found = last(folder)
        assert found.keys() == wanted.keys()
        assert [name for name in found if not np.array_equal(found[name], wanted[name])] == [], steps


@pytest.mark.parametrize('processes', ['1', '2'])
def test_kills_at_random_moments(processes):
    """A handful of those that `python -m tests.stress.kills` makes; copies of a process cannot share a GPU."""
    words = [sys.executable, '-m', 'tests.stress.kills', '--kills', '3', '--cases', 'regularised']
    words += ['--processes', processes]
    env = {**os.environ, 'BACKEND': 'numpy', 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith('3 kills of ')


def test_a_run_with_another_past_is_refused(tmp_path, capsys):
    options = ['--epochs', '1', '--results', str(tmp_path / 'results'), '--checkpoint', str(tmp_path / 'kept')]
    assert main(['run', NAMES[0], *options]) == 0
    capsys.readouterr()
    assert main(['run', NAMES[0], *options, '--resume', '--seed', '5']) == 1
    assert 'is the checkpoint of another training: seed: 1234 in the checkpoint, 5 here' in capsys.readouterr().err
    assert main(['run', NAMES[0], *options]) == 1
    assert 'go on with it by resume=True (--resume on the command line)' in capsys.readouterr().err
    assert main(['run', NAMES[0], *options, '--resume', '--batch-size', '20']) == 1
    assert 'batch_size: 10 in the checkpoint, 20 here' in capsys.readouterr().err


def test_what_is_refused_leaves_nothing_that_is_held_against_anybody(tmp_path, capsys):
    options = ['--epochs', '1', '--results', str(tmp_path / 'results'), '--checkpoint', str(tmp_path / 'kept')]
    assert main(['run', NAMES[0], *options, '--every', '0', '--seed', '5']) == 1
    assert main(['run', NAMES[0], *options, '--seed', '5', '--batch-size', '0']) == 1
    capsys.readouterr()
    assert main(['run', NAMES[0], *options]) == 0
    assert main(['run', NAMES[0], *options, '--resume', '--seed', '5']) == 1
    assert main(['run', NAMES[0], *options, '--resume']) == 0
    assert main(['run', NAMES[0], *options]) == 1
    assert 'a training is there already (1 epoch done)' in capsys.readouterr().err


def test_an_empty_name_is_no_folder(capsys):
    assert main(['run', NAMES[0], '--checkpoint', ' ']) == 1
    assert capsys.readouterr().err == 'error: checkpoint is empty: name a folder\n'


def test_the_line_to_go_on_has_the_variables_and_the_interpreter(monkeypatch, tmp_path):
    for name in ('BACKEND', 'DTYPE', 'WORKERS'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('DATA_DIR', 'my data')
    monkeypatch.setenv('DTYPE', 'float64')
    monkeypatch.chdir(tmp_path)
    options = SimpleNamespace(words=['run', 'x', '--resume'])
    for place, shown in ((tmp_path / 'v' / 'python', 'v/python'), (Path('/opt/python'), '/opt/python')):
        monkeypatch.setattr(sys, 'executable', str(place))
        assert resumption(options) == f"DATA_DIR='my data' DTYPE=float64 {shown} -m chapters run x --resume"


def test_without_a_folder_the_option_is_named(monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('chapters.ch05_mlp_model.MlpModel.train_step', interrupted)
    assert main(command(tmp_path)) == 130
    expected = 'error: interrupted (the record holds 0 whole epochs; with --checkpoint FOLDER it could go on)\n'
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize('left', [True, False])
def test_what_is_lost_is_said_on_the_command_line(left, monkeypatch, tmp_path, capsys):
    folder, honest, count = tmp_path / 'kept' / NAMES[0], MlpModel.apply_gradients, iter(range(2000))

    def full(file):
        raise OSError(28, 'No space left on device')

    def moved(self):
        if next(count) == 97:
            for path in [] if left else folder.glob('*.safetensors'):
                path.unlink()
            monkeypatch.setattr('chapters.wholefile.os.fsync', full)
            os.kill(os.getpid(), signal.SIGINT)
        honest(self)

    monkeypatch.setattr(MlpModel, 'apply_gradients', moved)
    assert main(kept(tmp_path)) == 130
    err = capsys.readouterr().err
    assert ('; 2 steps of 96 an epoch are lost.' in err) == left
    assert ('no earlier one is left: the training is lost' in err) != left
    assert ('to go on: ' in err) == left


def test_a_terminal_that_is_closed(tmp_path):
    ended, _, err = after_step(started(kept(tmp_path, *OFTEN)), tmp_path / 'kept' / NAMES[0], 1, signal.SIGHUP)
    assert ended == 129, err
    (stopped,) = (tmp_path / 'results').glob('*-stopped.json')
    assert json.loads(stopped.read_text(encoding='utf-8'))['stopped'] == 'hung up'


def test_a_run_may_come_twice(tmp_path):
    names = ['ch05_steel_model'] * 2
    options = ['--epochs', '1', '--results', str(tmp_path), '--checkpoint', str(tmp_path / 'kept')]
    assert main(['run', *names, *options]) == 0
    assert sorted(path.name for path in (tmp_path / 'kept').iterdir()) == ['ch05_steel_model', 'ch05_steel_model-2']


@pytest.mark.parametrize('option', [['--resume'], ['--every', '0.5']])
def test_checkpoints_need_a_folder(option, tmp_path, capsys):
    assert main(command(tmp_path, *option)) == 1
    assert '--resume and --every need a folder for the checkpoints: --checkpoint DIR' in capsys.readouterr().err


def test_seconds_before_a_kill_count(tmp_path):
    options = ['--epochs', '1', '--results', str(tmp_path), '--checkpoint', str(tmp_path / 'kept')]
    for more in ([], ['--resume']):
        assert main(['run', 'ch05_steel_model', *options, *more]) == 0
    (record,) = runs.load(tmp_path)
    assert record['seconds'] >= record['history']['epochs'][0]['seconds'] - 0.01
