"""Batch normalisation, forward and back: Ioffe and Szegedy 2015 (chapter 8).

Shapes: x [n, h, w, c], a map in any memory order, or [n, c]; mean and variance (c,) over all N numbers that a channel
has in the whole batch, whichever members of a team hold them. With z = (x - mean) s, s = 1 / sqrt(variance + epsilon):

    y = scale z + shift, so G_shift = sum of G_y, G_scale = sum of G_y z, and z receives scale G_y
    all numbers of a channel share mean and variance: dz_j/dx_i = s ([i = j] - 1/N - z_i z_j / N)
    G_x = sum over j of scale G_y_j dz_j/dx_i = scale s (G_y - G_shift / N - z G_scale / N)

The variance is not taken as the mean of x^2 minus the square of the mean, which has no digits left where the mean is
large. A *pivot* near the mean is subtracted first: the first pixel of the channel, moved by how much the pixels of a
sample lie above it on average. Of equal numbers nothing remains, to the last bit. A sample of one in SHARE keeps the
pivot within sqrt(SHARE) standard deviations of the mean, however far out its pixels lie.
"""

import math
from functools import lru_cache

from mathlib import backend, planes, scratch
from mathlib.backend import xp
from mathlib.team import member

SHARE, LEAST = 32, 16


def batch_norm(x, epsilon, scale=None, shift=None):
    """(y, aux, mean, variance): x normalised by the mean and variance of the whole batch, for training.

    x: [n, h, w, c] or [n, c], this team member's rows, left unchanged. epsilon: a positive number. scale, shift: (c,)
    or None for 1 and 0. y is in the memory order of x. aux: a list for batch_norm_dx, which must find x unchanged.
    mean, variance: (c,), the same bits for all members; the variance is the biased one, the mean of (x - mean)^2.
    All members must call this.
    """
    view = _View(x)
    X = view.matrix(x)
    pivot = _pivot(view.channels(X), view.axis)
    Y, (sums, squares) = _beyond(view, X, pivot)
    count, offset, mean, variance = _of_all(view.count, pivot, sums, squares)
    inverse = 1 / xp.sqrt(variance + epsilon)
    factor = inverse if scale is None else inverse * scale
    _scale(Y, view, factor, offset * -factor if shift is None else shift - offset * factor)
    learns = scale is not None or shift is not None
    return view.back(Y), [view, X, pivot, offset, inverse, factor, count, learns], mean, variance


def batch_norm_dx(G_y, aux, wanted=True):
    """(G_x, G_scale, G_shift) from G_y, which is left unchanged, and the aux of batch_norm.

    G_scale, G_shift: (c,), the sums over this member's rows only; the members' add up to the gradients of the batch.
    G_x: by way of mean and variance too, or None if it is not wanted. Without scale, shift and wish for G_x nothing is
    computed, and all three are None. If G_x is wanted, all members must call this.
    """
    view, X, pivot, offset, inverse, factor, count, learns = aux
    if not (wanted or learns):
        return None, None, None
    G = view.matrix(G_y)
    G_X, sums = _beyond(view, X, pivot, G)
    sums[1] -= offset * sums[0]
    sums[1] *= inverse
    G_shift, G_scale = sums
    if not wanted:
        return None, G_scale, G_shift
    shift_mean, scale_mean = member().all_reduce(sums) / count
    slope = scale_mean * -inverse
    slopes, terms, factors = view.spread(slope), view.spread(-shift_mean - slope * offset), view.spread(factor)
    for part, some in view.blocks:
        block = G_X[part]
        block *= slopes[some]
        block += terms[some]
        block += G[part]
        block *= factors[some]
    return view.back(G_X), G_scale, G_shift


def normalize(x, mean, variance, epsilon, scale=None, shift=None):
    """y = (x - mean) / sqrt(variance + epsilon) * scale + shift with given mean and variance (c,): after training.

    x: [n, h, w, c] or [n, c], left unchanged; scale, shift: (c,) or None. y is in the memory order of x.
    """
    view = _View(x)
    X, centre = view.matrix(x), view.spread(mean)
    factor = 1 / xp.sqrt(variance + epsilon)
    Y = xp.empty_like(X)
    for part, some in view.blocks:
        xp.subtract(X[part], centre[some], out=Y[part])
    _scale(Y, view, factor if scale is None else factor * scale, shift)
    return view.back(Y)


def as_factor_and_term(mean, variance, epsilon, scale=None, shift=None):
    """(factor, term), both (c,), with which `normalize` is x * factor + term."""
    factor = 1 / xp.sqrt(variance + epsilon)
    if scale is not None:
        factor *= scale
    term = -mean * factor
    return factor, term if shift is None else term + shift


def _beyond(view, X, pivot, G=None):
    """(B, sums): the matrix B of what X lies beyond the pivot; the sums of G and of G * B (G None: of B and of B * B).

    sums: [2, c].
    """
    B, centre = xp.empty_like(X), view.spread(pivot)
    sums = xp.zeros((2, centre.size), dtype=X.dtype)
    for part, some in view.blocks:
        block = xp.subtract(X[part], centre[some], out=B[part])
        other = block if G is None else G[part]
        sums[0, some] += _sums(other, view.axis)
        sums[1, some] += _products(other, block, view.axis)
    return B, sums.reshape(2, view.repeats, -1).sum(axis=1) if view.repeats > 1 else sums


def _scale(Y, view, factor, term):
    """Y * factor + term written over Y; factor and term (c,), and term possibly None."""
    factors, terms = view.spread(factor), term if term is None else view.spread(term)
    for part, some in view.blocks:
        block = Y[part]
        block *= factors[some]
        if terms is not None:
            block += terms[some]


class _View:
    """How an array [n, h, w, c] or [n, c] is worked on: as a matrix, block by block.

    Planes are a matrix [c, pixels], summed along axis 1. Where channels are innermost, a row of the matrix is a row of
    pixels, [.., w * c], because vector operations along a few channels are slow; the sums go along axis 0.
    blocks: for each block (its index into the matrix, its index into what `spread` gives).
    """

    def __init__(self, x):
        self.shape, self.channel_count = x.shape, x.shape[-1]
        self.in_planes = x.ndim == 4 and planes.are_planes(x)
        self.axis = int(self.in_planes)
        self.count = math.prod(x.shape[:-1])
        self.repeats = x.shape[2] if x.ndim == 4 and not self.in_planes else 1
        if self.in_planes:
            some = scratch.blocks(self.channel_count, self.count)
            pixels = scratch.blocks(self.count, 1) if len(some) == self.channel_count else [slice(None)]
            self.blocks = [((channels, columns), channels) for channels in some for columns in pixels]
        else:
            rows = scratch.blocks(self.count // self.repeats, self.channel_count * self.repeats)
            self.blocks = [(part, slice(None)) for part in rows]

    def matrix(self, x):
        """The numbers of x as a matrix: x itself, or a copy if it is in another memory order than the first array."""
        if self.in_planes:
            return planes.as_planes(planes.ordered(x, True)).reshape(self.channel_count, -1)
        return xp.ascontiguousarray(x).reshape(-1, self.repeats * self.channel_count)

    def channels(self, X):
        """The matrix with one channel in a row, or with one in a column."""
        return X if self.in_planes else X.reshape(-1, self.channel_count)

    def back(self, X):
        """The matrix as an array of the first one's shape and memory order."""
        if not self.in_planes:
            return X.reshape(self.shape)
        n, height, width, channels = self.shape
        inner = (width, n) if n >= planes.MANY else (n, width)
        return planes.from_planes(X.reshape(channels, height, *inner), n)

    def spread(self, vector):
        """One number for each channel, in the shape that a matrix can be combined with."""
        if self.in_planes:
            return vector[:, None]
        if self.repeats == 1:
            return vector
        row = xp.empty((self.repeats, self.channel_count), dtype=vector.dtype)
        row[...] = vector
        return row.reshape(-1)


def _pivot(X, axis):
    """A number near the mean for each channel, (c,): exactly the numbers themselves where all are equal."""
    size = X.shape[axis] // SHARE + LEAST
    sample, first = (X[:, :size], X[:, :1]) if axis else (X[:size], X[:1])
    above = sample - first
    return first.reshape(-1) + _sums(above, axis) / above.shape[axis]


def _of_all(count, pivot, sums, squares):
    """(N, offset, mean, variance) of all members' numbers, where `offset` is the mean beyond this member's pivot.

    From each member count many numbers, of which `sums` and `squares` lie beyond its pivot. Deviations from a member's
    own mean and those of its mean add up (Chan, Golub and LeVeque 1983).
    """
    offset = sums / count
    who = member()
    if who.size == 1:
        return count, offset, pivot + offset, squares / count - offset * offset
    counts = xp.full_like(pivot, count)
    parts = who.gather(xp.stack([counts, pivot, offset, squares - sums * offset]))
    count = sum(each for each, *_ in parts)
    base = parts[0][1]
    means = [(each / count, pivots - base + offsets, spread) for each, pivots, offsets, spread in parts]
    mean = sum(share * means for share, means, _ in means)
    variance = sum(share * (means - mean) ** 2 + spread / count for share, means, spread in means)
    return count, mean - (pivot - base), base + mean, variance


@lru_cache
def _ones(count, dtype):
    """A vector of ones, which nobody may change."""
    return xp.ones(count, dtype=dtype)


def _sums(A, axis):
    """A.sum(axis); on NumPy as a matrix-vector product, which is far faster."""
    if backend.name != 'numpy':
        return A.sum(axis=axis)
    ones = _ones(A.shape[axis], A.dtype)
    return A @ ones if axis else ones @ A


def _products(A, B, axis):
    """(A * B).sum(axis), on NumPy without the products in memory."""
    if backend.name != 'numpy':
        return (A * B).sum(axis=axis)
    return xp.matmul(A[:, None], B[:, :, None])[:, 0, 0] if axis else xp.einsum('ij,ij->j', A, B)
