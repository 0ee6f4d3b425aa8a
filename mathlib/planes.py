"""In which order the numbers of a map lie in memory.

A map always has the *shape* [n, height, width, channels]. Its memory may have the channels innermost (the usual
order), or be in *planes*: channel by channel, in each row by row, and in a row the pixels of all pictures of the batch.
With few channels, planes are faster: a vector operation then runs along a row of every picture at a time instead of
over three or six channels. A row has its pictures one after the other, or, if they are many, pixel by pixel the same
place of all pictures. NumPy's element-by-element functions keep the order of what they are given, so only convolution
and pooling need to know.
"""

from mathlib import backend
from mathlib.backend import xp

# Maps with fewer channels than this lie in planes, if there are at least WIDE numbers side by side. A GPU reads
# neighbouring numbers by neighbouring threads in either order, so there the usual one stays.
FEW = 32 if backend.name == 'numpy' else 0
WIDE = 16
# From so many pictures on, the batch is innermost: whatever moves along a row then moves this many numbers at a time.
MANY = 16


def pay(n, channels, width):
    """Whether maps of so many pictures, channels and columns of pixels are worked on faster in planes."""
    return channels < FEW * (2 if n >= MANY else 1) and wide(n, width)


def wide(n, width):
    """Whether enough numbers lie side by side in a row of a plane."""
    return n >= MANY or width >= WIDE


def empty(n, sides, channels, dtype, planes):
    """An uninitialised map [n, height, width, channels], in planes or with its channels innermost."""
    if not planes:
        return xp.empty((n, *sides, channels), dtype=dtype)
    height, width = sides
    shape = (channels, height, width, n) if n >= MANY else (channels, height, n, width)
    return from_planes(xp.empty(shape, dtype=dtype), n)


def as_planes(x):
    """A map [n, h, w, c] in the order of planes in memory: [c, h, w, n] for many pictures, else [c, h, n, w]."""
    return x.transpose(3, 1, 2, 0) if len(x) >= MANY else x.transpose(3, 1, 0, 2)


def from_planes(x, n):
    """[c, h, w, n] or [c, h, n, w] as a map [n, h, w, c]: as_planes backwards."""
    return x.transpose(3, 1, 2, 0) if n >= MANY else x.transpose(2, 1, 3, 0)


def are_planes(x):
    """Whether a map lies in planes."""
    return x.shape[3] > 1 and as_planes(x).flags.c_contiguous


def ordered(x, planes):
    """The map itself, or a copy of it, contiguous in the order that is asked for."""
    if not planes:
        return xp.ascontiguousarray(x)
    if are_planes(x):
        return x
    copy = empty(len(x), x.shape[1:3], x.shape[3], x.dtype, True)
    copy[...] = x
    return copy


def like(x, other):
    """The map x in the memory order of the map `other`, so that an operation on both runs along the same lines."""
    return ordered(x, are_planes(other))
