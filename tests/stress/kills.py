"""Trainings that are killed at random moments, and go on: do they end as if nothing had happened?

    python -m tests.stress.kills --kills 200 [--processes 2]

A process that has everything imported makes a copy of itself for each training, which is killed (most by kill -9, some
by Ctrl-C or the signal to end) and started again until it has come to its end. After every kill each checkpoint in
the folder must load, and no more steps may be lost than lie between two checkpoints. At the end parameters, averages,
random stream and history must be, to the last bit, those of a training that nobody disturbed. Exit status 1 if not.
"""

import argparse
import collections
import contextlib
import io
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from chapters.checkpoint_files import NAMES, Folder
from chapters.checkpoints import TrainingInterrupted
from mathlib import crew, settings, team
from tests.chapters.checkpoint_models import BATCH, CASES, outcome, same, train

# Trainings long enough to be killed in the middle, with checkpoints of a few milliseconds at every step or seldom.
ROWS, EPOCHS = 150, 12
EVERY = (0.05, 0.3, 0.5, 1, 2)
# Signals, the first one as often as the others together and more.
SIGNALS = {signal.SIGKILL: 8, signal.SIGINT: 1, signal.SIGTERM: 1}
ENDED, INTERRUPTED, FAILED = 0, 3, 4
# Never set, only waited for.
PAUSE = threading.Event()


class Trial:
    """One training in a folder of its own."""

    def __init__(self, case, every, place):
        self.case, self.every, self.folder = case, every, place / 'checkpoints'
        self.result = place / 'result.npz'
        self.count = mmap.mmap(-1, 8)
        self.interval = max(1, round(every * steps_an_epoch()))

    def steps(self):
        """How many steps the training has done."""
        return struct.unpack('q', self.count[:8])[0]

    def start(self):
        """Begin or go on in a process of its own; returns its number."""
        if number := os.fork():
            return number
        status = FAILED
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self.train()
            status = ENDED
        except TrainingInterrupted:
            status = INTERRUPTED
        except KeyboardInterrupt:  # before the training has begun, or after its end
            status = -signal.SIGINT
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status % 256)

    def train(self):
        """What the process does."""
        # Ctrl-C at the terminal is for the process that watches, and this one must not ignore its own.
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        model = CASES[self.case](ROWS)
        honest = model.apply_gradients

        def moved():
            honest()
            self.count[:8] = struct.pack('q', self.at(model))

        model.apply_gradients = moved
        train(model, EPOCHS, checkpoint=self.folder, every=self.every, resume=True)
        found = outcome(model)
        with self.result.open('wb') as file:
            np.savez(file, **found)

    def at(self, model):
        """The number of the step that a model is in, from 1."""
        where = model.standing
        return (where.epoch - 1) * steps_an_epoch() + len(where.log.costs) + 1

    def saved(self):
        """The steps of the newest checkpoint, None without one; an error for one that does not load."""
        newest = None
        for path in sorted(self.folder.glob(NAMES)):
            alone = self.folder.parent / 'alone'
            alone.mkdir()
            shutil.copy(path, alone)
            folder = Folder(alone)
            try:
                folder.read()
            finally:
                folder.release()
                shutil.rmtree(alone)
            newest = int(path.stem.split('-')[1])
        return newest


def steps_an_epoch():
    """How many steps an epoch of these trainings has."""
    return int(ROWS * 0.8 / 10) * 10 // BATCH


def undisturbed(case, place):
    """(what a training comes to, the seconds that it takes), in a process of its own."""
    trial = Trial(case, EPOCHS, place)
    began = time.monotonic()
    _, status = os.waitpid(trial.start(), 0)
    if os.waitstatus_to_exitcode(status) != ENDED:
        raise SystemExit(f'{case} cannot be trained at all')
    return dict(np.load(trial.result)), time.monotonic() - began


def survive(trial, draws, seconds, tally, left):
    """Kill a training up to `left` times until it ends; returns what is wrong with it, in words, or None."""
    while True:
        number = trial.start()
        kind = draws.choices(list(SIGNALS), SIGNALS.values())[0] if left > 0 else None
        if kind is not None:
            wait(draws.uniform(0.02, 1.1 * seconds), number)
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, kind)
        _, status = os.waitpid(number, 0)
        status = os.waitstatus_to_exitcode(status)
        if status == ENDED:
            return None
        if status == FAILED:
            return 'a training did not go on'
        left -= 1
        tally[signal.Signals(kind).name] += 1
        try:
            saved = trial.saved()
        except Exception as problem:
            return f'a checkpoint does not load: {problem}'
        lost = trial.steps() - (saved or 0)
        tally['lost steps, at most'] = max(tally['lost steps, at most'], lost)
        tally['killed before the first checkpoint'] += saved is None
        if lost > (0 if status == INTERRUPTED else trial.interval):
            return f'{lost} steps are lost, of {trial.interval} between two checkpoints (exit status {status})'


def wait(seconds, number):
    """Let so many seconds pass, or less if the process ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        PAUSE.wait(min(0.01, max(0, end - time.monotonic())))


def main(arguments=None):
    """Kill as often as was asked for; print a summary, return the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tests.stress.kills', description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=200, help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='of the moments (default: %(default)s)')
    parser.add_argument('--cases', nargs='+', choices=list(CASES), default=list(CASES), metavar='CASE')
    parser.add_argument('--processes', type=int, default=1, help='that share each step of convolutional networks (1)')
    options = parser.parse_args(arguments)
    if options.processes > 1:
        # Nets as small as these would otherwise be left to one process.
        settings.workers, crew.PRODUCTS, crew.EPOCH, team.PRODUCTS_A_WEIGHT = options.processes, 1, 1, 0
    draws, tally, wrong = random.Random(options.seed), collections.Counter(), []
    expected, began, ended = {}, time.monotonic(), collections.Counter()
    kinds = ('SIGKILL', 'SIGINT', 'SIGTERM')
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        while (kills := sum(tally[kind] for kind in kinds)) < options.kills:
            case = options.cases[number % len(options.cases)]
            place = Path(folder) / str(number)
            number += 1
            place.mkdir()
            if case not in expected:
                (place / 'straight').mkdir()
                expected[case] = undisturbed(case, place / 'straight')
            straight, seconds = expected[case]
            trial = Trial(case, draws.choice(EVERY), place)
            problem = survive(trial, draws, seconds, tally, options.kills - kills)
            if problem is None and not same(dict(np.load(trial.result)), straight):
                problem = 'it ended otherwise than without kills'
            ended[case] += problem is None
            if problem is not None:
                wrong.append(f'{case}, every {trial.every}: {problem}')
            shutil.rmtree(place)
    kills = sum(tally[kind] for kind in kinds)
    print(
        f'{kills} kills of {number} trainings in {time.monotonic() - began:.0f} s: '
        + ', '.join(f'{name} {count}' for name, count in sorted(tally.items()))
    )
    print('ended as if undisturbed: ' + ', '.join(f'{case} {count}' for case, count in ended.items()))
    for problem in wrong:
        print(f'WRONG: {problem}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
