"""im2col: the windows of a map as a matrix, block by block.

Row p of the matrix X holds the kh*kw*c numbers that window p sees, so a convolution is this matrix times the kernel,
[windows, kh*kw*c] x [kh*kw*c, o] (chapter 7 of the book builds up to this). A block is a pair (X, Y): the matrix of some
windows, and what a map y has at the same windows, [..., windows, o], to be filled or read.

Maps with their channels innermost are copied window by window. Of maps in planes only the windows' rows are copied, a
third of the work for a kernel of 3x3: with every row of pixels laid out as [kw, c, n, ow], the numbers for the kernel's
next row lie just behind those for this one, so the matrix of a row of windows is a view, and that of the next row of
windows another view, of much the same memory.
"""

import math
from functools import lru_cache

from mathlib import backend, planes, scratch
from mathlib.backend import xp

as_strided = xp.lib.stride_tricks.as_strided

# A matrix product whose three sides multiply to no more than this takes BLAS's path without repacking, so many small
# products are faster than a large one, as long as the kernel is small.
SMALL_PRODUCT = 1_000_000
SMALL_KERNEL = 4096
# Fewer rows than this in one product, and the BLAS spends its time on the kernel matrix.
LEAST_ROWS = 512
# With fewer channels than this, copying window by window is copying crumbs.
CRUMBS = 5


def by_planes(x, windows):
    """Whether column_blocks takes x in planes; then y may be in planes too, otherwise its channels are innermost."""
    few = x.shape[3] < CRUMBS or (planes.are_planes(x) and windows.columns.count >= planes.WIDE)
    return few and backend.name == 'numpy'


def column_blocks(x, windows, y):
    """Yield (X, Y) for blocks that together cover all windows on x [n, h, w, c].

    X is [..., windows, kh*kw*c], in memory that the next block uses again; Y [..., windows, o] is a view of
    y [n, oh, ow, o], which is contiguous, in planes only where `by_planes` allows.
    """
    if by_planes(x, windows):
        return _plane_blocks(planes.ordered(x, True), windows, y)
    return _window_blocks(x, windows, y)


def _window_blocks(x, windows, y):
    """Blocks of whole windows, for channels innermost: of some pictures, or of some rows of one picture."""
    views = _views(_padded(x, windows), windows)
    k, o = math.prod(views.shape[3:]), y.shape[3]
    small = k * o <= SMALL_KERNEL and backend.name == 'numpy'
    for images, rows in _parts(len(x), windows.output_sides, k):
        X = _contiguous(views[images, rows]).reshape(-1, k)
        each = _divisor(len(X), SMALL_PRODUCT // (k * o)) if small else len(X)
        yield X.reshape(-1, each, k), y[images, rows].reshape(-1, each, o)


def _parts(n, sides, k):
    """Pairs of slices (images, rows): several whole pictures, or rows of one picture, for each block."""
    height, width = sides
    count = height * width
    if count * k <= scratch.BLOCK or count <= LEAST_ROWS:
        return [(images, slice(0, height)) for images in scratch.blocks(n, count * k, -(-LEAST_ROWS // count))]
    strips = scratch.blocks(height, width * k, -(-LEAST_ROWS // width))
    return [(slice(image, image + 1), rows) for image in range(n) for rows in strips]


def _padded(x, windows):
    """x with zeros around it where windows reach out of it; x itself where none does."""
    rows, columns = windows.rows, windows.columns
    if not (rows.before or rows.after or columns.before or columns.after):
        return x
    n, height, width, c = x.shape
    bottom, right = rows.before + height, columns.before + width
    padded = scratch.buffer('padded', (n, bottom + rows.after, right + columns.after, c), x.dtype)
    padded[:, : rows.before] = 0
    padded[:, bottom:] = 0
    padded[:, rows.before : bottom, : columns.before] = 0
    padded[:, rows.before : bottom, right:] = 0
    padded[:, rows.before : bottom, columns.before : right] = x
    return padded


def _views(padded, windows):
    """The windows as a strided view [n, oh, ow, kh, kw, c] of a map in which they all lie inside."""
    rows, columns = windows.rows, windows.columns
    first = padded[:, max(rows.start, 0) :, max(columns.start, 0) :]
    n, h, w, c = first.strides
    return as_strided(
        first,
        (len(padded), rows.count, columns.count, rows.kernel, columns.kernel, padded.shape[3]),
        (n, h * rows.step, w * columns.step, h, w, c),
    )


def _contiguous(views):
    """A block's windows one after the other: copied, unless they are single pixels and lie so already."""
    if views.flags.c_contiguous:
        return views
    copy = scratch.buffer('columns', views.shape, views.dtype)
    xp.copyto(copy, views)
    return copy


@lru_cache(maxsize=None)
def _divisor(count, limit):
    """The largest divisor of `count` that is at most `limit`, or 1."""
    return next((each for each in range(min(count, max(limit, 1)), 0, -1) if count % each == 0), 1)


def _plane_blocks(x, windows, y):
    """Blocks of rows of windows, for a map in planes."""
    rows, columns = windows.rows, windows.columns
    n, _, _, c = x.shape
    width, each = columns.count, columns.kernel * c
    k, o = rows.kernel * each, y.shape[3]
    together = max(1, SMALL_PRODUCT // (k * o * width))
    for first in range(0, n, together):
        images = slice(first, min(first + together, n))
        pixels = (images.stop - images.start) * width
        for strip in scratch.blocks(rows.count, rows.step * each * pixels):
            lines = _lines(x, windows, images, strip)
            line, piece = lines.strides[0], pixels * x.itemsize
            shape = strip.stop - strip.start, k, pixels
            X = as_strided(lines, shape, (line * rows.step, piece, x.itemsize)).transpose(0, 2, 1)
            if planes.are_planes(y):
                Y = planes.to_planes(y)[:, strip, images].reshape(o, shape[0], pixels).transpose(1, 2, 0)
                yield X, Y
            else:
                X = X.reshape(shape[0], -1, width, k)
                yield X, y[images, strip].transpose(1, 0, 2, 3)


def _lines(x, windows, images, strip):
    """What a strip of rows of windows sees, as [lines, kw, c, n, ow]: line by line, for each place in the kernel's row."""
    rows, columns = windows.rows, windows.columns
    top = rows.start + strip.start * rows.step
    count = (strip.stop - strip.start - 1) * rows.step + rows.kernel
    shape = count, columns.kernel, x.shape[3], images.stop - images.start, columns.count
    lines = scratch.buffer('lines', shape, x.dtype)
    inside = slice(max(0, -top), max(0, -top, min(count, rows.size - top)))
    lines[: inside.start] = 0
    lines[inside.stop :] = 0
    source = planes.to_planes(x)[:, top + inside.start : top + inside.stop, images].transpose(1, 0, 2, 3)
    for place in range(columns.kernel):
        outputs, pixels = columns.reach(place)
        lines[inside, place, :, :, : outputs.start] = 0
        lines[inside, place, :, :, outputs.stop :] = 0
        lines[inside, place, :, :, outputs] = source[..., pixels]
    return lines
