"""The book's stream of random numbers.

Weights and shuffles are drawn on the host, one after the other, from one `numpy.random.RandomState`, in the order in
which the book draws them. Both backends therefore start from the same numbers, and a seeded run can be repeated.
The stream starts at seed 1234, the book's.

What is drawn inside a layer (which numbers dropout lets through, noise) comes from streams of its own: one for each
row of a batch, all from one key, which the step draws from the book's stream. So it does not matter which thread draws
for which rows, or in which order, and what is drawn for one layer does not depend on another.
"""

import threading

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


def uniform(count):
    """Draw `count` numbers from 0 up to, but not including, 1: a float64 host array."""
    return _stream.random_sample(count)


def get_state():
    """The position in the stream, to be given to `set_state` later."""
    return _stream.get_state()


def set_state(state):
    """Go (back) to a position that `get_state` returned."""
    _stream.set_state(state)


_here = threading.local()


def draw_key():
    """A new key for `row_streams`, from the book's stream: a whole number."""
    return int(_stream.randint(0, 2**31))


def row_streams(key, layer, rows):
    """Yield for each number in `rows` the numpy Generator of that row in that layer, to be used before the next one.

    key: from draw_key. layer: the layer's number. Equal key, layer and row give equal numbers.
    """
    if not hasattr(_here, 'generator'):
        _here.generator = np.random.Generator(np.random.Philox())
    bits = _here.generator.bit_generator
    state = {'bit_generator': 'Philox', 'buffer': np.zeros(4, np.uint64), 'buffer_pos': 4, 'has_uint32': 0}
    for row in rows:
        place = {'counter': np.array([0, 0, 0, row], np.uint64), 'key': np.array([key, layer], np.uint64)}
        bits.state = {**state, 'state': place, 'uinteger': 0}
        yield _here.generator
