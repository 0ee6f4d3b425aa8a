"""Small data sets in memory, one of each kind of answer."""

import signal

import numpy as np
import pytest

from data import Dataset
from mathlib import rng


class Answers(Dataset):
    """60 rows of 5 numbers with answers of one kind; a linear rule with noise, so that there is something to learn."""

    def __init__(self, mode):
        super().__init__('tiny', mode)
        draws = np.random.RandomState(7)
        xs = draws.normal(size=(60, 5))
        scores = xs @ draws.normal(size=(5, 5)) + 0.1 * draws.normal(size=(60, 5))
        self.cnts = [2]
        self.target_names = ['a', 'b', 'c']
        self.shuffle_data(xs, self.answers(scores))

    def answers(self, scores):
        """[60, outputs] from scores [60, 5]."""
        one_of_three = np.eye(3)[scores[:, :3].argmax(axis=1)]
        if self.mode == 'regression':
            return scores[:, :1] + 10
        if self.mode == 'binary':
            return (scores[:, :1] > 0).astype(float)
        return one_of_three

    def visualize(self, xs, estimates, answers):
        print(f'{len(xs)} rows, estimates {estimates.shape}, answers {answers.shape}')


@pytest.fixture(autouse=True, scope='session')
def interruptible():
    """Ctrl-C ends what it is sent to, also where the tests are a job in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def dataset():
    """A function: mode -> a small Dataset, with the stream of random numbers at the book's seed."""

    def make(mode='select'):
        rng.seed(1234)
        return Answers(mode)

    return make
