"""In which order the numbers of a map lie in memory.

A map always has the *shape* [n, height, width, channels]. Its memory may have the channels innermost (the usual
order), or be in *planes*: channel by channel, in each row by row, and in each row all pictures of the batch one after
the other. With few channels, planes are faster: a vector operation then runs along a row of every picture at a time
instead of over three or six channels. NumPy's element-by-element functions keep the order of what they are given, so
only convolution and pooling need to know.
"""

from mathlib import backend
from mathlib.backend import xp

# Maps with fewer channels and at least as wide as this lie in planes. A GPU reads neighbouring numbers by neighbouring
# threads in either order, so there the usual one stays.
FEW = 32 if backend.name == 'numpy' else 0
WIDE = 16


def pay(channels, width):
    """Whether a map with so many channels and columns of pixels is worked on faster in planes."""
    return channels < FEW and width >= WIDE


def empty(n, sides, channels, dtype, planes):
    """An uninitialised map [n, height, width, channels], in planes or with its channels innermost."""
    if planes:
        return from_planes(xp.empty((channels, sides[0], n, sides[1]), dtype=dtype))
    return xp.empty((n, *sides, channels), dtype=dtype)


def to_planes(x):
    """A map [n, h, w, c] seen as [c, h, n, w], which is contiguous if it lies in planes."""
    return x.transpose(3, 1, 0, 2)


def from_planes(x):
    """[c, h, n, w] seen as a map [n, h, w, c]."""
    return x.transpose(2, 1, 3, 0)


def are_planes(x):
    """Whether a map lies in planes."""
    return x.shape[3] > 1 and to_planes(x).flags.c_contiguous


def ordered(x, planes):
    """The map itself, or a copy of it, contiguous in the order that is asked for."""
    return from_planes(xp.ascontiguousarray(to_planes(x))) if planes else xp.ascontiguousarray(x)


def like(x, other):
    """The map x in the memory order of the map `other`, so that an operation on both runs along the same lines."""
    return ordered(x, are_planes(other))
