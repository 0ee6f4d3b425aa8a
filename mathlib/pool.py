"""Pooling forward and back, for any window, stride and padding (chapters 7 and 9).

Shapes: x [n, h, w, c], y [n, oh, ow, c]; each channel is pooled by itself. A maximum (and a sum) over a rectangle is
one over its columns and then over its rows, so everything here works along one axis at a time: k + k steps for a window
of k x k pixels instead of k * k. Places outside the picture are never the maximum, and do not count in an average
unless that is asked for.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from mathlib import planes
from mathlib.backend import xp
from mathlib.errors import ConfigError

ROWS, COLUMNS = 1, 2


def check_windows(windows):
    """Raise ConfigError where a window sees no pixel at all, so that there is nothing to choose from or to average."""
    for axis in (windows.rows, windows.columns):
        if axis.start + axis.kernel <= 0 or axis.start + (axis.count - 1) * axis.step >= axis.size:
            raise ConfigError(
                f'with a padding of {axis.before} and {axis.after} some windows of {axis.kernel} pixels lie outside '
                f'the {axis.size} pixels altogether: pad by less than the window'
            )


def _check_sides(x, windows):
    """Raise ConfigError unless the windows stand on pictures like x [n, h, w, c]."""
    if x.shape[1:3] != windows.input_sides:
        raise ConfigError(f'pictures {list(x.shape)} do not fit: expected sides of {list(windows.input_sides)}')


def max_pool(x, windows):
    """The largest number in each window, y [n, oh, ow, c], and aux for max_pool_dx, which must find y unchanged."""
    _check_sides(x, windows)
    across = _combined(x, COLUMNS, windows.columns, xp.maximum)
    y = _combined(across, ROWS, windows.rows, xp.maximum)
    return y, [x, across, y]


def max_pool_dx(G_y, windows, aux):
    """G_x [n, h, w, c]: each window's gradient goes to its largest pixel, row by row the first one."""
    x, across, y = aux
    G_across = _to_maximum(planes.like(G_y, y), across, y, ROWS, windows.rows)
    return _to_maximum(G_across, x, across, COLUMNS, windows.columns)


def avg_pool(x, windows, outside=False):
    """The mean over each window, y [n, oh, ow, c].

    outside: whether places outside the picture count, as zeros (PyTorch's count_include_pad, as in its Inception); or
    ((top, bottom), (left, right)), how many of them count: with rounding up (ceil), a last window can reach beyond the
    padding, and PyTorch leaves out what lies there.
    """
    _check_sides(x, windows)
    sums = _combined(_combined(x, COLUMNS, windows.columns, xp.add), ROWS, windows.rows, xp.add)
    sums *= _shares(windows, outside, x.dtype)
    return sums


def avg_pool_dx(G_y, windows, outside=False):
    """G_x [n, h, w, c]: each pixel gets its share of every window that sees it. outside: as for avg_pool."""
    G_sums = G_y * _shares(windows, outside, G_y.dtype)
    return _to_all(_to_all(G_sums, ROWS, windows.rows), COLUMNS, windows.columns)


def _places(number, axis):
    """For each place of the windows along axis `number`: (place, index of the outputs, index of their pixels)."""
    around = (slice(None),) * number
    for place in axis.seeing:
        outputs, pixels = axis.reach(place)
        if outputs.stop > outputs.start:
            yield place, (*around, outputs), (*around, pixels)


def _combined(x, number, axis, combine):
    """The pixels of each window along axis `number`, combined: by maximum, or by addition."""
    places = list(_places(number, axis))
    whole = slice(0, axis.count)
    inside = [pixels for _, outputs, pixels in places if outputs[number] == whole]
    edge = [(outputs, pixels) for _, outputs, pixels in places if outputs[number] != whole]
    if len(inside) > 1:
        y = combine(x[inside[0]], x[inside[1]])
    elif inside:
        y = x[inside[0]].copy(order='K')
    else:
        shape = (*x.shape[:number], axis.count, *x.shape[number + 1 :])
        y = xp.full_like(x, 0 if combine is xp.add else -np.inf, shape=shape)
    for pixels in inside[2:]:
        combine(y, x[pixels], out=y)
    for outputs, pixels in edge:
        combine(y[outputs], x[pixels], out=y[outputs])
    return y


def _to_maximum(G_y, x, y, number, axis):
    """The gradient by x of its maximum y along one axis: to the first of the largest pixels of each window."""
    if axis.tiles and axis.kernel == 2:
        return _to_maximum_of_two(G_y, x, number, axis)
    G_x = xp.zeros_like(x)
    G_left = G_y.copy(order='K')
    for _, outputs, pixels in _places(number, axis):
        G_here = G_left[outputs] * (x[pixels] == y[outputs])
        G_x[pixels] += G_here
        G_left[outputs] -= G_here
    return G_x


def _to_maximum_of_two(G_y, x, number, axis):
    """The same for windows of two pixels side by side, by far the most frequent ones."""
    (_, _, first), (_, _, second) = _places(number, axis)
    G_x = xp.empty_like(x) if axis.covered else xp.zeros_like(x)
    xp.multiply(G_y, x[second] > x[first], out=G_x[second])
    xp.subtract(G_y, G_x[second], out=G_x[first])
    return G_x


def _to_all(G_y, number, axis):
    """The gradient by x of the sum along one axis: every pixel of a window gets the whole of it."""
    if axis.step == 1:
        return _combined(G_y, number, axis.mirrored, xp.add)
    shape = (*G_y.shape[:number], axis.size, *G_y.shape[number + 1 :])
    apart = axis.kernel <= axis.step
    G_x = xp.empty_like(G_y, shape=shape) if apart and axis.covered else xp.zeros_like(G_y, shape=shape)
    for _, outputs, pixels in _places(number, axis):
        if apart:
            G_x[pixels] = G_y[outputs]
        else:
            G_x[pixels] += G_y[outputs]
    return G_x


@cache
def _shares(windows, outside, dtype):
    """1 / the number of places that count in each window, as [oh, ow, 1]; a plain number where all count equally many.

    outside: as for avg_pool.
    """
    axes = windows.rows, windows.columns
    around = [(axis.before * outside, axis.after * outside) for axis in axes] if isinstance(outside, bool) else outside
    rows, columns = (_widened(axis, *places).seen for axis, places in zip(axes, around, strict=True))
    if len({*rows}) == len({*columns}) == 1:
        return 1 / (rows[0] * columns[0])
    return xp.asarray((1 / np.outer(rows, columns))[:, :, None].astype(dtype))


def _widened(axis, before, after):
    """The same windows on an axis of which so many places around it are a part."""
    return replace(axis, size=axis.size + before + after, start=axis.start + before)
