"""The book's stream of random numbers.

Weights and shuffles are drawn on the host, one after the other, from one `numpy.random.RandomState`, in the order in
which the book draws them. Both backends therefore start from the same numbers, and a seeded run can be repeated.
The stream starts at seed 1234, the book's.
"""

import numpy as np

BOOK_SEED = 1234
_stream = np.random.RandomState(BOOK_SEED)


def seed(n=BOOK_SEED):
    """Start the stream again at seed n (an int from 0 to 2**32 - 1)."""
    _stream.seed(n)


def normal(mean, std, shape):
    """Draw a float64 host array of `shape` from the normal distribution with `mean` and standard deviation `std`."""
    return _stream.normal(mean, std, shape)


def shuffle(array):
    """Shuffle a host array in place along its first axis."""
    _stream.shuffle(array)


def get_state():
    """The position in the stream, to be given to `set_state` later."""
    return _stream.get_state()


def set_state(state):
    """Go (back) to a position that `get_state` returned."""
    _stream.set_state(state)
