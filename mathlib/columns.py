"""im2col: the windows of a map as a matrix, block by block.

Row p of the matrix X holds the kh*kw*c numbers that window p sees, so a convolution is this matrix times the kernel,
[windows, kh*kw*c] x [kh*kw*c, o] (chapter 7 of the book builds up to this). A block is a pair (X, Y): the matrix of
some windows, and what a map y has at the same windows, [..., windows, o], to be filled or read.

Maps with their channels innermost are copied window by window. Of maps in planes only the windows' rows are copied, a
third of the work for a kernel of 3x3: with every row of pixels laid out as [kw, c, n*ow], the numbers for the kernel's
next row lie just behind those for this one, so the matrix of a row of windows is a view, and that of the next row of
windows another view, of much the same memory.
"""

import math
from functools import cache

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
    in_planes = planes.are_planes(x) and planes.wide(len(x), windows.columns.count)
    return backend.name == 'numpy' and (in_planes or x.shape[3] < CRUMBS)


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


@cache
def _divisor(count, limit):
    """The largest divisor of `count` that is at most `limit`, or 1."""
    return next((each for each in range(min(count, max(limit, 1)), 0, -1) if count % each == 0), 1)


def _plane_blocks(x, windows, y):
    """Blocks of rows of windows, for a map in planes."""
    rows, columns = windows.rows, windows.columns
    n, width, each = len(x), columns.count, columns.kernel * x.shape[3]
    k, o = rows.kernel * each, y.shape[3]
    together = n if n >= planes.MANY else max(1, SMALL_PRODUCT // (k * o * width))
    for first in range(0, n, together):
        images = slice(first, min(first + together, n))
        pixels = (images.stop - images.start) * width
        for strip in scratch.blocks(rows.count, (rows.step * each + o) * pixels):
            lines = _lines(x, windows, images, strip)
            piece = _spread(pixels, x.itemsize) * x.itemsize
            shape = strip.stop - strip.start, k, pixels
            X = as_strided(lines, shape, (rows.step * each * piece, piece, x.itemsize)).transpose(0, 2, 1)
            yield _matched(X, y[images, strip], planes.are_planes(y))


def _matched(X, y, in_planes):
    """X [rows, n*ow, k] with the part y [n, rows, ow, o] of a map, both as [rows, ..., windows, k or o]."""
    part = planes.as_planes(y)
    o, rows, *pixels = part.shape
    if in_planes:
        return X, part.reshape(o, rows, -1).transpose(1, 2, 0)
    return X.reshape(rows, *pixels, -1), part.transpose(1, 2, 3, 0)


def _lines(x, windows, images, strip):
    """What a strip of rows of windows sees: a map [lines, kw, c, n, ow], line by line for each place in a window's row.

    n and ow lie in memory as they do in x.
    """
    rows, columns = windows.rows, windows.columns
    top = rows.start + strip.start * rows.step
    count = (strip.stop - strip.start - 1) * rows.step + rows.kernel
    n = images.stop - images.start
    space = scratch.buffer(
        'lines', (count, columns.kernel, x.shape[3], _spread(n * columns.count, x.itemsize)), x.dtype
    )
    lines = space[..., : n * columns.count]
    if len(x) >= planes.MANY:
        lines = lines.reshape(*lines.shape[:3], columns.count, n).swapaxes(3, 4)
    else:
        lines = lines.reshape(*lines.shape[:3], n, columns.count)
    inside = slice(max(0, -top), max(0, -top, min(count, rows.size - top)))
    lines[: inside.start] = 0
    lines[inside.stop :] = 0
    source = x[images, top + inside.start : top + inside.stop].transpose(1, 3, 0, 2)
    for place in range(columns.kernel):
        outputs, pixels = columns.reach(place)
        lines[inside, place, :, :, : outputs.start] = 0
        lines[inside, place, :, :, outputs.stop :] = 0
        lines[inside, place, :, :, outputs] = source[..., pixels]
    return lines


def _spread(count, itemsize):
    """How long to make rows of `count` numbers, so that the same places of many rows do not share a place in the cache.

    A cache finds a number by some bits of its address, the same ones for rows a power of two apart; rows of an odd
    number of cache lines (64 bytes) have all of them different.
    """
    line = 64 // itemsize
    return (-(-count // line) | 1) * line
