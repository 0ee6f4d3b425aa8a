"""Convolution forward and back, for any kernel, stride and padding (chapter 7).

Shapes: x [n, h, w, c], kernel w (kh, kw, c, o), bias b (o,), y [n, oh, ow, o]. With X the matrix of all windows on x,
[n*oh*ow, kh*kw*c] (mathlib.columns), and W the kernel as a matrix [kh*kw*c, o]:

    y   = X W + b
    G_W = X^T G_y
    G_b = the sum of G_y over all windows
    G_x = a convolution of G_y with the kernel turned by half a turn (for stride 1)
"""

import math
from functools import cache

from mathlib import planes, scratch, winograd
from mathlib.backend import xp
from mathlib.columns import LEAST_ROWS, Lines, by_planes, column_blocks
from mathlib.errors import ConfigError
from mathlib.functions import finish
from mathlib.windows import Windows

# Moving a number through memory takes about as long as so many products.
MOVE = 15


def conv2d(x, w, b, windows, actfunc='none', factor=None):
    """y = actfunc(x * w + b), [n, oh, ow, o]. b may be None. windows: mathlib.windows.Windows on x's pictures.

    factor (o,): what x * w is multiplied by before b is added, None for 1: so a normalisation by given numbers, as in
    a test, costs next to nothing.
    """
    check_fit(x.shape, w.shape, windows)
    if not isinstance(x, Lines) and winograd.pays(len(x), *w.shape[2:], windows):
        return winograd.conv2d(x, w, b, windows, actfunc, factor)
    in_planes = by_planes(x, windows) and planes.pay(len(x), w.shape[3], windows.columns.count)
    y = planes.empty(len(x), windows.output_sides, w.shape[3], x.dtype, in_planes)
    _fill(y, x, w, b, windows, actfunc, factor)
    return y


def _fill(y, x, w, b, windows, actfunc, factor=None):
    """Write actfunc((x * w) factor + b) to a new map y, which is in planes only where `by_planes` allows."""
    kernel = w.reshape(-1, w.shape[3])
    for X, Y in column_blocks(x, windows, y):
        _product(X, kernel, Y)
        finish(actfunc, Y, b, factor)


def check_fit(x_shape, w_shape, windows):
    """Raise ConfigError unless the windows stand on pictures x [n, h, w, c] and hold kernels w (kh, kw, c, o)."""
    if x_shape[1:3] != windows.input_sides or w_shape[:3] != (*windows.ksize, x_shape[3]):
        raise ConfigError(
            f'pictures {list(x_shape)} and kernels {list(w_shape)} do not fit: expected [n, h, w, c] and '
            f'[kh, kw, c, o] with equal c, for windows of {list(windows.ksize)} pixels on {list(windows.input_sides)}'
        )


def _product(X, kernel, Y):
    """Y = X kernel, written so that the innermost side of what BLAS fills is contiguous."""
    if Y.strides[-1] == Y.itemsize:
        xp.matmul(X, kernel, out=Y)
    else:
        xp.matmul(kernel.T, X.swapaxes(-1, -2), out=Y.swapaxes(-1, -2))


def conv2d_dw(x, G_y, windows):
    """(G_w (kh, kw, c, o), G_b (o,)): the gradients of a loss by kernel and bias, from G_y [n, oh, ow, o]."""
    c, o = x.shape[3], G_y.shape[3]
    check_fit(x.shape, (*windows.ksize, c, o), windows)
    if not isinstance(x, Lines) and winograd.pays(len(x), c, o, windows):
        return winograd.conv2d_dw(x, G_y, windows), channel_sums(G_y)
    G_y = planes.ordered(G_y, by_planes(x, windows) and planes.are_planes(G_y))
    G_w = None
    for X, G_Y in column_blocks(x, windows, G_y):
        products = xp.matmul(X.swapaxes(-1, -2), G_Y)
        part = products.reshape(-1, *products.shape[-2:])
        part = part[0] if len(part) == 1 else part.sum(axis=0)
        G_w = part if G_w is None else xp.add(G_w, part, out=G_w)
    return G_w.reshape(*windows.ksize, c, o), channel_sums(G_y)


def channel_sums(G_y):
    """The sum of a map [n, h, w, o] for each channel, (o,): as a matrix-vector product, far faster than sum(axis=0)."""
    if planes.are_planes(G_y):
        return planes.as_planes(G_y).reshape(G_y.shape[3], -1).sum(axis=1)
    flat = G_y.reshape(-1, G_y.shape[3])
    return xp.matmul(xp.ones(len(flat), dtype=flat.dtype), flat)


def conv2d_dx(G_y, w, windows):
    """G_x [n, h, w, c], from G_y [n, oh, ow, o] and the kernel w."""
    if windows.stride != (1, 1):
        phases = _phases(windows)
        return (_interleaved if _interleaving_pays(w, windows, phases) else _scattered)(G_y, w, windows)
    mirrored = _mirrored(windows)
    if _scattering_pays(G_y, w, windows, mirrored):
        return _scattered(G_y, w, windows)
    turned = xp.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))
    return conv2d(G_y, turned, None, mirrored)


@cache
def _mirrored(windows):
    """The windows, on the outputs of stride-1 windows, of the outputs that read each pixel."""
    return Windows(windows.rows.mirrored, windows.columns.mirrored)


def _scattering_pays(G_y, w, windows, mirrored):
    """Whether the way back is shorter by adding up the windows than by a convolution of G_y.

    The convolution multiplies for every pixel, copies the windows of G_y and turns the kernel round; adding up
    multiplies for every output, and then reads and adds each number.
    """
    c, o = w.shape[2:]
    if winograd.pays(len(G_y), o, c, mirrored):
        return False
    pixels, outputs = (len(G_y) * math.prod(sides) for sides in (windows.input_sides, windows.output_sides))
    copies = 1 / windows.rows.kernel if by_planes(G_y, mirrored) else 1
    return outputs * c * (o + 3 * MOVE) < pixels * o * (c + copies * MOVE) + 4 * MOVE * c * o


# With a stride s, the pixels that lie s apart see the same places of the kernel: those of one *phase* (polyphase
# decomposition, as for filters that change the sampling rate). One convolution of G_y with s*s*c output channels, whose
# kernel has the places of all phases side by side, gives s x s pixels of G_x for each of its outputs.


@cache
def _phases(windows):
    """The windows of that convolution on G_y; output i holds the pixels from `first_pixels` + i * stride on."""
    return Windows(windows.rows.phases, windows.columns.phases)


def _interleaving_pays(w, windows, phases):
    """Whether fewer products and moves are needed than for adding up the windows, one picture counted."""
    c, o = w.shape[2:]
    outputs, places = math.prod(windows.output_sides), math.prod(phases.output_sides)
    read, made = math.prod(phases.ksize) * o, math.prod(windows.stride) * c
    return places * (read * (made + MOVE) + 2 * MOVE * made) < outputs * len(w.reshape(-1, o)) * (o + 3 * MOVE)


def _interleaved(G_y, w, windows):
    """G_x [n, h, w, c] by one convolution for all phases, whose pixels are then put in between each other."""
    phases, (down, across), (kh, kw, c, o) = _phases(windows), windows.stride, w.shape
    (rows, columns), n = phases.ksize, len(G_y)
    kernel = xp.zeros((rows * down, columns * across, c, o), dtype=w.dtype)
    kernel[:kh, :kw] = w
    kernel = kernel.reshape(rows, down, columns, across, c, o)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    kernel = xp.ascontiguousarray(kernel).reshape(rows, columns, o, -1)
    in_planes = by_planes(G_y, phases) and planes.pay(n, c, windows.columns.size)
    made = planes.empty(n, phases.output_sides, kernel.shape[3], G_y.dtype, in_planes)
    _fill(made, G_y, kernel, None, phases, 'none')
    G_x = planes.empty(n, windows.input_sides, c, G_y.dtype, in_planes)
    for i in range(down):
        outputs_down, pixels_down = windows.rows.phase(i)
        for j in range(across):
            outputs_across, pixels_across = windows.columns.phase(j)
            first = (i * across + j) * c
            part = made[:, outputs_down, outputs_across, first : first + c]
            G_x[:, pixels_down, pixels_across] = part
    return G_x


def _scattered(G_y, w, windows):
    """G_x as the gradients of all the windows' numbers, each added where its number came from (col2im)."""
    n, c = len(G_y), w.shape[2]
    in_planes = planes.are_planes(G_y)
    G_y = planes.ordered(G_y, in_planes)
    G_x = planes.empty(n, windows.input_sides, c, G_y.dtype, in_planes and planes.pay(n, c, windows.columns.size))
    G_x[...] = 0
    height, width = windows.output_sides
    kernel = w.reshape(-1, w.shape[3])
    if in_planes:
        for rows in scratch.blocks(height, n * width * len(kernel)):
            part = Windows(windows.rows.part(rows), windows.columns)
            _add_windows(G_x, _plane_windows(G_y[:, rows], kernel), part)
    else:
        for images in scratch.blocks(n, height * width * len(kernel), -(-LEAST_ROWS // (height * width))):
            _add_windows(G_x[images], _windows(G_y[images], kernel), windows)
    return G_x


def _windows(G_y, kernel):
    """The gradients of the windows' numbers, [n, oh, ow, kh*kw*c], for maps with their channels innermost."""
    G_windows = scratch.buffer('columns', (*G_y.shape[:3], len(kernel)), G_y.dtype)
    xp.matmul(G_y.reshape(-1, G_y.shape[3]), kernel.T, out=G_windows.reshape(-1, len(kernel)))
    return G_windows


def _plane_windows(G_y, kernel):
    """The same for some rows of maps in planes."""
    o, rows, *pixels = planes.as_planes(G_y).shape
    G_windows = scratch.buffer('columns', (rows, len(kernel), math.prod(pixels)), G_y.dtype)
    xp.matmul(kernel, planes.as_planes(G_y).reshape(o, rows, -1).transpose(1, 0, 2), out=G_windows)
    return planes.from_planes(G_windows.reshape(rows, len(kernel), *pixels).swapaxes(0, 1), len(G_y))


def _add_windows(G_x, G_windows, windows):
    """Add G_windows [n, oh, ow, kh*kw*c] to the pixels of G_x [n, h, w, c] that the windows saw."""
    G_places = G_windows.reshape(*G_windows.shape[:3], *windows.ksize, G_x.shape[3])
    for i in range(windows.rows.kernel):
        down, pixels_down = windows.rows.reach(i)
        for j in range(windows.columns.kernel):
            across, pixels_across = windows.columns.reach(j)
            G_x[:, pixels_down, pixels_across] += G_places[:, down, across, i, j]
