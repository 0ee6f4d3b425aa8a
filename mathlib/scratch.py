"""Memory that is used again: buffers of a thread, and how much work goes through them at once.

A convolution copies its windows into a matrix many times larger than the picture. Making that matrix anew for every
layer of every step would cost more than filling it: fresh memory is handed out page by page. So each thread keeps one
buffer for each purpose, and a processor goes through a batch in blocks that stay in its second-level cache.
"""

import math
import threading

from mathlib import backend
from mathlib.backend import xp

# How many numbers one block of columns may hold. On a processor 1 MB of float32, half of a second-level cache; a GPU
# works best on the whole batch, up to what its memory allows.
BLOCK = 1 << 18 if backend.name == 'numpy' else 1 << 27

# How many bytes of Frames may wait to be used again.
WAITING = 1 << 26

_kept = threading.local()


def buffer(purpose, shape, dtype):
    """An uninitialised array of `shape`, in memory that the next call of this thread for `purpose` gives away again.

    On a GPU the memory pool does the same, so there the array is simply new.
    """
    if backend.name != 'numpy':
        return xp.empty(shape, dtype=dtype)
    size = math.prod(shape)
    key = purpose, dtype
    flat = _kept.__dict__.get(key)
    if flat is None or flat.size < size:
        flat = _kept.__dict__[key] = xp.empty(size, dtype=dtype)
    return flat[:size].reshape(shape)


class Frame:
    """An array with a frame of zeros around what is written to it.

    `array` is all zero when it is new. When the Frame is no longer used, its memory goes to the next one for an equal
    `key`, shape and type, so whoever writes must leave the same places alone for an equal key.
    """

    _free = {}
    _waiting = 0

    def __init__(self, key, shape, dtype):
        self._key = key, shape, dtype
        self.array = None
        try:
            self.array = self._free[self._key].pop()
            Frame._waiting -= self.array.nbytes
        except (KeyError, IndexError):  # none waits, or another thread was quicker
            self.array = xp.zeros(shape, dtype=dtype)

    def __del__(self):
        if backend.name != 'numpy' or self.array is None:
            return
        # Whatever is no longer wanted goes when there is too much, and the rest with it: it is soon made again.
        if Frame._waiting + self.array.nbytes > WAITING:
            self._free.clear()
            Frame._waiting = 0
        if self.array.nbytes <= WAITING:
            self._free.setdefault(self._key, []).append(self.array)
            Frame._waiting += self.array.nbytes


def blocks(count, each, least=1):
    """Slices that cover range(count), so that about BLOCK numbers fall on one where each of the count has `each`.

    least: how many of the count a slice has at least (but for the last one).
    """
    step = max(least, min(count, BLOCK // max(each, 1)), 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
