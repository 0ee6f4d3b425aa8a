"""What a training recorded: cost and accuracies epoch by epoch, and the test accuracy at the end."""

import math
import time
from dataclasses import dataclass, field

import numpy as np

from mathlib import backend
from mathlib.backend import xp

# How many steps' results are fetched at once. NumPy has them at hand; a GPU would have to stop and wait.
FETCH_EVERY = 1 if backend.name == 'numpy' else 100
# The clocks of a training.
CLOCKS = ('start', 'last', 'began')


@dataclass
class Epoch:
    """One epoch. Accuracies are floats, or [domain, object] for two answers; validation None where not reported."""

    number: int
    cost: float
    train_accuracy: float | list
    validation_accuracy: float | list | None
    seconds: float


@dataclass(repr=False)
class History:
    """The record of a training, returned by `train`.

    epochs: a list of Epoch. test_accuracy: set by `test`. settings: epoch_count, batch_size, learning_rate, ...
    """

    model: str
    dataset: str
    settings: dict = field(default_factory=dict)
    epochs: list = field(default_factory=list)
    test_accuracy: float | list | None = None

    def __repr__(self):
        told = [f'{len(self.epochs)} epochs']
        if self.epochs:
            told.append(f'last cost {self.costs[-1]:.3f}')
        if self.test_accuracy is not None:
            told.append('test accuracy ' + '+'.join(f'{part:.3f}' for part in np.atleast_1d(self.test_accuracy)))
        return f'History({self.model}: {", ".join(told)})'

    @property
    def costs(self):
        """The mean training cost of every epoch."""
        return [epoch.cost for epoch in self.epochs]

    @property
    def train_accuracies(self):
        """The mean training accuracy of every epoch."""
        return [epoch.train_accuracy for epoch in self.epochs]

    @property
    def validation_accuracies(self):
        """The validation accuracy of every epoch that reported one, else None in its place."""
        return [epoch.validation_accuracy for epoch in self.epochs]

    def as_dict(self):
        """Plain numbers, strings, lists and dicts, for JSON."""
        return {
            'model': self.model,
            'dataset': self.dataset,
            'settings': dict(self.settings),
            'epochs': [vars(epoch).copy() for epoch in self.epochs],
            'test_accuracy': self.test_accuracy,
        }

    @classmethod
    def from_dict(cls, record):
        """The History that `as_dict` wrote."""
        return cls(**{**record, 'epochs': [Epoch(**epoch) for epoch in record['epochs']]})

    def plot(self):
        """Draw cost and accuracies over the epochs; returns the matplotlib figure."""
        from chapters.figures import plot_history  # matplotlib is loaded only by those who draw

        return plot_history(self)


class StepLog:
    """Costs and accuracies of the steps of one epoch, fetched from the device a few at a time."""

    def __init__(self, costs=(), accuracies=()):
        self.costs = list(costs)
        self.accuracies = list(accuracies)
        self._waiting = []

    def add(self, cost, accuracy):
        """Note one step: cost a 0-d device array, accuracy a 0-d or 1-d one. Returns False if a cost is not finite."""
        self._waiting.append(xp.concatenate([cost.reshape(1), accuracy.reshape(-1)]))
        return len(self._waiting) < FETCH_EVERY or self.fetch()

    def fetch(self):
        """Bring the waiting steps to the host; returns False if one of their costs is not finite."""
        if not self._waiting:
            return True
        rows = backend.to_host(xp.stack(self._waiting)).tolist()
        self._waiting = []
        for cost, *accuracy in rows:
            if not math.isfinite(cost):
                return False
            self.costs.append(cost)
            self.accuracies.append(accuracy if len(accuracy) > 1 else accuracy[0])
        return True

    @property
    def steps(self):
        """How many steps with a finite cost have been fetched."""
        return len(self.costs)


class Standing:
    """Where a training stands: what a checkpoint must know beside the model, its history and its data.

    epoch: the one to do next, from 1. step: how many of its steps are done; 0 without checkpoints. log: the StepLog of
    these. start, last, began: the times (monotonic, in seconds) at which the training, the wait for the next line of
    its report, and this epoch began. checkpoints: what saves the training, None for nothing.
    """

    def __init__(self, checkpoints=None):
        self.checkpoints = checkpoints
        self.epoch, self.step = 1, 0
        self.log = StepLog()
        self.start = self.last = self.began = time.monotonic()

    def begin_epoch(self):
        """Start the epoch's clock, unless a part of the epoch is done."""
        if self.step == 0:
            self.began = time.monotonic()

    def end_step(self, step):
        """So many steps of the epoch are done."""
        if self.checkpoints is not None:
            self.step = step
            self.checkpoints.end_step()

    def end_epoch(self):
        """The epoch is done, and reported."""
        self.epoch += 1
        if self.checkpoints is not None:
            self.checkpoints.end_epoch()

    def seconds(self):
        """How long ago start, last and began were, by name."""
        now = time.monotonic()
        return {name: now - getattr(self, name) for name in CLOCKS}

    def go_on(self, epoch, step, log, seconds):
        """Stand where another process stood; seconds: what `seconds` gave there."""
        self.epoch, self.step, self.log = epoch, step, log
        now = time.monotonic()
        for name in CLOCKS:
            setattr(self, name, now - seconds[name])


def to_numbers(accuracy):
    """A device accuracy as a float, or as a list of floats when there are two answers."""
    return backend.to_host(accuracy).tolist()
