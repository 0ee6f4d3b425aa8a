"""Checkpoints (체크포인트): a training that survives a kill, a full disk and a closed laptop.

    model.train(20, 10, 0.001, 1, checkpoint='my-run')                   an epoch is lost at most
    model.train(20, 10, 0.001, 1, checkpoint='my-run', resume=True)      it goes on, to the same bit

A checkpoint holds all that the training needs to go on as if it had never stopped: see checkpoint_state. The first
one is written before the first step, so that a folder that cannot be written to is found before hours are spent. Ctrl-C
lets the step be finished, writes one, and says how to go on.

A class of your own may keep what it likes in its layers' pm, under 'state', in optimisers, and in attributes: numbers,
words, arrays, lists and dicts of these, NumPy's generators of random numbers. A line names what cannot be saved.
"""

import contextlib
import json
import os
import signal
import stat
import sys
import threading

from chapters import finite
from chapters.checkpoint_files import Folder
from chapters.checkpoint_state import CheckpointError, differences, gather, identity, machine, not_held, restore
from chapters.history import Standing
from chapters.training import diverged
from chapters.weightfiles import WeightsError, listed
from mathlib.choices import POSITIVE
from mathlib.errors import ConfigError

# Ctrl-C, the signal to end, and a terminal that was closed, which not every platform has.
SIGNALS = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name))


class TrainingInterrupted(KeyboardInterrupt):
    """A training that was interrupted by Ctrl-C, or told to end; the message says how to go on, and what is lost if
    the last checkpoint could not be written.

    signal: the signal's number. path: the last good checkpoint, None if none is left. unsaved: whether
    steps are lost.
    """

    def __init__(self, message, number, path, unsaved=False):
        super().__init__(message)
        self.signal, self.path, self.unsaved = number, path, unsaved

    def _render_traceback_(self):
        """What a notebook shows: the message alone."""
        return [f'{type(self).__name__}: {self}']


class Checkpoints:
    """The checkpoints of one training, as a context around it; see MlpModel.train for the arguments.

    settings: those of the training. batch_count: the steps of an epoch. Raises ConfigError for an `every` that is no
    number above 0, and CheckpointError, before the first step, for what cannot be saved or does not fit.
    """

    def __init__(self, model, folder, every, resume, settings, batch_count):
        if not POSITIVE.fits(every):
            raise ConfigError(f'{model.name}: every is {every!r}: expected {POSITIVE.words}, how many epochs')
        self.model, self.every, self.resume, self.settings = model, every, resume, settings
        self.batch_count = batch_count
        self.interval = max(1, round(every * batch_count))
        self.told = self.path = self.failure = None
        self.saved = 0
        self._place = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        """Take the folder, save or go on, and look after Ctrl-C; returns the training's Standing."""
        try:
            self.identity = identity(self.model, self.settings)
        except WeightsError as problem:
            raise CheckpointError(f'no checkpoint can be made: {problem}') from None
        self.identity['run'] = getattr(self._place, 'about', None)
        self.folder = Folder(self._place)
        self._stack.callback(self.folder.release)
        self._stack.callback(self._leave)
        with self._stack:
            if self.folder.checkpoints() and not self.resume:
                raise CheckpointError(
                    f'in {self.folder.path} a training is there already{self._reached()}: go on with it by '
                    f'resume=True (--resume on the command line), or take another folder, or empty this one'
                )
            self._begin()
            self._catch_signals()
            self._stack = self._stack.pop_all()
        return self.model.standing

    def __exit__(self, kind, problem, trace):
        """Give the folder back, and Ctrl-C; one that came too late for the last step is raised here."""
        done = self._done()
        self._stack.close()
        if kind is None and self.told is not None:
            raise self._interrupted(done)

    def _leave(self):
        self.model.standing = Standing()

    def _reached(self):
        """How far the training in the folder has come, in words; '' where that cannot be read."""
        try:
            count = json.loads(self.folder.read()[1]['reached'])['epoch'] - 1
        except CheckpointError:
            return ''
        return f' ({count} {"epoch" if count == 1 else "epochs"} done)'

    def _begin(self):
        """Write the first checkpoint, or go on from the last one."""
        where = self.model.standing = Standing(self)
        if not self.folder.checkpoints():
            if self.resume:
                print(f'There is no checkpoint in {self.folder.path} yet: the training starts from the beginning.')
            try:
                self._write()
            except (OSError, MemoryError) as problem:
                raise CheckpointError(f'no checkpoint can be written in {self.folder.path}: {problem}') from None
            self._tell_not_held()
            return
        path, described, arrays = self.folder.read()
        done = json.loads(described['reached'])['epoch'] - 1
        if found := differences(self.model, described['identity'], self.identity, done):
            raise CheckpointError(f'{path} is the checkpoint of another training: {"; ".join(found)}. {self._advice()}')
        # A training that goes on from Python is still that of the run.
        self.identity['run'] = self.identity['run'] or described['identity'].get('run')
        restore(self.model, where, described['reached'], arrays)
        self.path, self.saved = path, self._done()
        for _ in range(self._done()):
            self.model.learning_rate = next(self.model.scheduled)
        print(f'Model {self.model.name} goes on {self._stands()}, from {path.name}.')
        theirs, ours = described['machine'], machine()
        if theirs != ours:
            print(f'The last digits may differ: the checkpoint was made by {_told(theirs)}, this is {_told(ours)}.')
        self._tell_not_held()

    def _advice(self):
        if self.identity['run']:
            return 'Give the options and variables of then, or another folder with --checkpoint'
        return 'Make the model, its data and the settings as they were, or take another folder'

    def _tell_not_held(self):
        """Name what a checkpoint of a reader's own class lacks."""
        if lacking := not_held(self.model):
            print(
                f'not saved: {listed(lacking)}. If that changes in a training, it does not go on as if it had never '
                f'stopped'
            )

    def end_step(self):
        """After a step: save if it is time. After the last one of an epoch `end_epoch` does it."""
        if self.model.standing.step < self.batch_count and (self.told is not None or self._done() % self.interval == 0):
            self._save()

    def end_epoch(self):
        """After an epoch and its report: save if it is time, or the training is over."""
        over = self.model.standing.epoch > self.settings['epoch_count']
        if over or self.told is not None or self._done() % self.interval == 0:
            self._save()

    def _save(self):
        """Write a checkpoint, or say that it cannot be; then stop if that was asked for."""
        where = self.model.standing
        if not where.log.fetch():
            raise diverged(self.model, finite.late(self.model), f'in epoch {where.epoch}, step {where.log.steps + 1}')
        try:
            self._write()
        except (OSError, MemoryError) as problem:
            self.failure = problem
            if self.told is not None:
                raise self._interrupted(self._done()) from None
            last = f'the last good one is {self.path}' if self.path.exists() else 'no earlier one is left'
            print(
                f'Model {self.model.name}: the checkpoint {self._stands()} cannot be written ({problem}); {last}. The '
                f'training goes on.',
                file=sys.stderr,
            )
        if self.told is not None:
            raise self._interrupted(self._done())

    def _write(self):
        reached, arrays = gather(self.model, self.model.standing)
        described = {'identity': self.identity, 'machine': machine(), 'reached': reached}
        self.path = self.folder.write(self._done(), described, arrays)
        self.saved = self._done()

    def _done(self):
        """How many steps are done."""
        where = self.model.standing
        return (where.epoch - 1) * self.batch_count + where.step

    def _stands(self):
        where = self.model.standing
        if where.step:
            return f'in epoch {where.epoch} after step {where.step}'
        return f'after epoch {where.epoch - 1}' if where.epoch > 1 else 'at the beginning'

    # Ctrl-C

    def _catch_signals(self):
        """Let Ctrl-C, and the signal to end, wait for the end of a step; a second one does not wait."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before not in (None, signal.SIG_IGN):
                signal.signal(number, self._note)
                self._stack.callback(signal.signal, number, before)

    def _note(self, number, _):
        if self.told is not None:
            raise KeyboardInterrupt
        self.told = number
        if number == getattr(signal, 'SIGHUP', None):
            _leave_terminal()

    def _interrupted(self, done):
        """The error to raise after so many steps."""
        path = self.path if self.path.exists() else None
        lost = ''
        if done != self.saved or path is None:
            lost = f' without a new checkpoint, which cannot be written ({self.failure})'
        if path is None:
            message = f'{self.model.name}: stopped{lost}, and no earlier one is left: the training is lost'
            return TrainingInterrupted(message, self.told, None, unsaved=True)
        if lost:
            steps = done - self.saved
            lost += f'; {steps} {"step" if steps == 1 else "steps"} of {self.batch_count} an epoch are lost'
        settings = ', '.join(str(value) for value in self.settings.values())
        how = f'checkpoint={str(self.folder.path)!r}, every={self.every!r}, resume=True'
        holds = 'is the last good one' if lost else 'holds the training'
        return TrainingInterrupted(
            f'{self.model.name}: stopped{lost}. {path} {holds}; to go on, make the model again and call '
            f'model.train({settings}, {how})',
            self.told,
            path,
            unsaved=bool(lost),
        )


def _leave_terminal():
    """Write to nowhere what would go to a terminal that is no more: it would be an error."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # a stream that is closed needs nothing
            if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _told(machine):
    workers = f' with {machine["workers"]} workers' if machine['workers'] else ''
    return f'{machine["backend"]}{workers}'
