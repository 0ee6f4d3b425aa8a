"""Convolution forward and back, for any kernel, stride and padding (chapter 7).

Shapes: x [n, h, w, c], kernel w (kh, kw, c, o), bias b (o,), y [n, oh, ow, o]. With X the matrix of all windows on x,
[n*oh*ow, kh*kw*c] (mathlib.columns), and W the kernel as a matrix [kh*kw*c, o]:

    y   = X W + b
    G_W = X^T G_y
    G_b = the sum of G_y over all windows
    G_x = a convolution of G_y with the kernel turned by half a turn (for stride 1)
"""

import math

from mathlib import planes, scratch, winograd
from mathlib.backend import xp
from mathlib.columns import by_planes, column_blocks
from mathlib.functions import activate_inplace
from mathlib.windows import Axis, Windows


def conv2d(x, w, b, windows, actfunc='none'):
    """y = actfunc(x * w + b), [n, oh, ow, o]. b may be None. windows: mathlib.windows.Windows on x's pictures."""
    if winograd.pays(*w.shape[2:], windows):
        return winograd.conv2d(x, w, b, windows, actfunc)
    o = w.shape[3]
    kernel = w.reshape(-1, o)
    in_planes = by_planes(x, windows) and planes.pay(o, windows.columns.count)
    y = planes.empty(len(x), windows.output_sides, o, x.dtype, in_planes)
    for X, Y in column_blocks(x, windows, y):
        _product(X, kernel, Y)
        if b is not None:
            Y += b
        activate_inplace(actfunc, Y)
    return y


def _product(X, kernel, Y):
    """Y = X kernel, written so that the innermost side of what BLAS fills is contiguous."""
    if Y.strides[-1] == Y.itemsize:
        xp.matmul(X, kernel, out=Y)
    else:
        xp.matmul(kernel.T, X.swapaxes(-1, -2), out=Y.swapaxes(-1, -2))


def conv2d_dw(x, G_y, windows):
    """(G_w (kh, kw, c, o), G_b (o,)): the gradients of a loss by kernel and bias, from G_y [n, oh, ow, o]."""
    c, o = x.shape[3], G_y.shape[3]
    if winograd.pays(c, o, windows):
        return winograd.conv2d_dw(x, G_y, windows), channel_sums(G_y)
    G_y = planes.ordered(G_y, by_planes(x, windows) and planes.are_planes(G_y))
    G_w = xp.zeros((math.prod(windows.ksize) * c, o), dtype=x.dtype)
    for X, G_Y in column_blocks(x, windows, G_y):
        products = xp.matmul(X.swapaxes(-1, -2), G_Y)
        G_w += products.reshape(-1, *G_w.shape).sum(axis=0)
    return G_w.reshape(*windows.ksize, c, o), channel_sums(G_y)


def channel_sums(G_y):
    """The sum of a map [n, h, w, o] for each channel, (o,): as a matrix-vector product, far faster than sum(axis=0)."""
    if planes.are_planes(G_y):
        return planes.to_planes(G_y).reshape(G_y.shape[3], -1).sum(axis=1)
    flat = G_y.reshape(-1, G_y.shape[3])
    return xp.matmul(xp.ones(len(flat), dtype=flat.dtype), flat)


def conv2d_dx(G_y, w, windows):
    """G_x [n, h, w, c], from G_y [n, oh, ow, o] and the kernel w."""
    if windows.stride == (1, 1) and not _scattering_pays(G_y, w, windows):
        turned = xp.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))
        return conv2d(G_y, turned, None, Windows(_mirrored(windows.rows), _mirrored(windows.columns)))
    return _scattered(G_y, w, windows)


def _mirrored(axis):
    """The windows, on the outputs of a stride-1 axis, of the outputs that read each pixel."""
    return Axis(axis.count, axis.kernel, 1 - axis.kernel - axis.start, 1, axis.size)


def _scattering_pays(G_y, w, windows):
    """Whether there are so few outputs, or input channels, that adding windows up is less than a convolution back."""
    c, o = w.shape[2:]
    fewer = 2 * c * math.prod(windows.output_sides) <= o * math.prod(windows.input_sides)
    return fewer and not planes.are_planes(G_y)


def _scattered(G_y, w, windows):
    """G_x as the gradients of all the windows' numbers, each added where its number came from (col2im)."""
    c, o = w.shape[2:]
    kernel = w.reshape(-1, o)
    G_y = planes.ordered(G_y, False)
    G_x = xp.zeros((len(G_y), *windows.input_sides, c), dtype=G_y.dtype)
    count = math.prod(windows.output_sides)
    for images in scratch.blocks(len(G_y), count * len(kernel)):
        part = G_y[images]
        G_windows = scratch.buffer('columns', (len(part) * count, len(kernel)), G_y.dtype)
        xp.matmul(part.reshape(-1, o), kernel.T, out=G_windows)
        _add_windows(G_x[images], G_windows.reshape(*part.shape[:3], *windows.ksize, c), windows)
    return G_x


def _add_windows(G_x, G_windows, windows):
    """Add G_windows [n, oh, ow, kh, kw, c] to the pixels of G_x [n, h, w, c] that the windows saw."""
    for i in range(windows.rows.kernel):
        down, pixels_down = windows.rows.reach(i)
        for j in range(windows.columns.kernel):
            across, pixels_across = windows.columns.reach(j)
            G_x[:, pixels_down, pixels_across] += G_windows[:, down, across, i, j]
