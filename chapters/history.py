"""What a training recorded: cost and accuracies epoch by epoch, and the test accuracy at the end."""

import math
from dataclasses import dataclass, field

import numpy as np

from mathlib import backend
from mathlib.backend import xp

# How many steps' results are fetched at once. NumPy has them at hand; a GPU would have to stop and wait.
FETCH_EVERY = 1 if backend.name == 'numpy' else 100


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

    def __init__(self):
        self.costs = []
        self.accuracies = []
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


def to_numbers(accuracy):
    """A device accuracy as a float, or as a list of floats when there are two answers."""
    return backend.to_host(accuracy).tolist()
