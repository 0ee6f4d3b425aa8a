"""im2col: the windows of a map as a matrix, block by block.

Row p of the matrix X holds the kh*kw*c numbers that window p sees, so a convolution is this matrix times the kernel,
[windows, kh*kw*c] x [kh*kw*c, o] (chapter 7 of the book builds up to this). A block is a pair (X, Y): the matrix of
some windows, and what a map y has at the same windows, [..., windows, o], to be filled or read.

Maps with their channels innermost are copied window by window. Of maps in planes only the windows' rows are copied, a
third of the work for a kernel of 3x3: with every row of pixels laid out as [kw, c, n*ow], the numbers for the kernel's
next row lie just behind those for this one, so the matrix of a row of windows is a view, and that of the next row of
windows another view, of much the same memory.

=====================  ========================  ============================  ==================================
x                      when                      X of a block                  its memory
=====================  ========================  ============================  ==================================
channels innermost     many channels, any GPU    [stack, windows, kh*kw*c]     a buffer; x itself for single pixels
in planes              few channels, wide rows   [rows, n*ow, kh*kw*c]         views of Lines, made for each block
Lines, by `arranged`   the same, kept by layers  the same, one block for all   views of the Lines
=====================  ========================  ============================  ==================================

As numbers, for one picture of 4x4 pixels with one channel, a kernel of 3x3 and no padding: its 4 lines become
[4, 3, 1, 2], 24 numbers, with the pixels 0 1, 1 2, 2 3 in the first line. Row 0 of the windows sees lines 0 to 2, a
matrix of 9 x 2 at number 0; row 1 sees lines 1 to 3, a matrix of 9 x 2 at number 6. Copied window by window it would be
4 x 9 = 36 numbers; with larger pictures 3 and 9 for each pixel.
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
# A strip of rows of windows may be so many times as large as a usual block: it is read once, and by long steps.
STRIPS = 8
# `arranged` keeps no more numbers than this.
KEPT = 1 << 21
# With fewer channels than this, copying window by window is copying crumbs.
CRUMBS = 5


def by_planes(x, windows):
    """Whether column_blocks takes x in planes; then y may be in planes too, otherwise its channels are innermost."""
    if isinstance(x, Lines):
        return True
    in_planes = planes.are_planes(x) and planes.wide(len(x), windows.columns.count)
    return backend.name == 'numpy' and (in_planes or x.shape[3] < CRUMBS)


def arranged(x, windows):
    """x as column_blocks works on it, for those who go through the same windows twice; x itself where that is no gain.

    Maps in planes become Lines, unless these would be too large to keep.
    """
    if not by_planes(x, windows):
        return x
    x = planes.ordered(x, True)
    every = slice(0, len(x)), slice(0, windows.rows.count)
    return Lines(x, windows, *every) if Lines.count(x, windows, *every) <= KEPT else x


def column_blocks(x, windows, y):
    """Blocks (X, Y), one by one, that together cover all windows on x [n, h, w, c], or on what `arranged` made of it.

    X is [..., windows, kh*kw*c], in memory that the next block may use again; Y [..., windows, o] is a view of
    y [n, oh, ow, o], which is contiguous, in planes only where `by_planes` allows.
    """
    if isinstance(x, Lines):
        return [x.matched(y)]
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
    n, o, width = len(x), y.shape[3], windows.columns.count
    k = math.prod(windows.ksize) * x.shape[3]
    together = n if n >= planes.MANY else max(1, SMALL_PRODUCT // (k * o * width))
    for first in range(0, n, together):
        images = slice(first, min(first + together, n))
        pixels = (images.stop - images.start) * width
        each = windows.rows.step * windows.columns.kernel * x.shape[3] + o
        for rows in scratch.blocks(windows.rows.count, each * pixels // STRIPS):
            # Kept here until the next block: with its last user a Frame's memory goes to whoever asks next.
            lines = Lines(x, windows, images, rows)
            yield lines.matched(y)


class Lines:
    """What some rows of windows see of a map in planes, copied line by line of the map, as [lines, kw, c, n*ow].

    x: a map in planes; images, rows: slices of the output. n and ow lie in memory as they do in x. Lines stand for x
    where a convolution goes through the same windows twice, so `shape` and `dtype` are those of x.
    """

    @staticmethod
    def count(x, windows, images, rows):
        """How many numbers they are."""
        lines = (rows.stop - rows.start - 1) * windows.rows.step + windows.rows.kernel
        return lines * windows.columns.kernel * x.shape[3] * (images.stop - images.start) * windows.columns.count

    def __init__(self, x, windows, images, rows):
        self.shape, self.dtype = x.shape, x.dtype
        self.windows, self.images, self.rows = windows, images, rows
        self.pixels = (images.stop - images.start) * windows.columns.count
        self._length = _spread(self.pixels, x.itemsize)
        self._copy(x)

    def __len__(self):
        return self.shape[0]

    def _copy(self, x):
        """Copy the lines, one place of the window's row after the other; what lies outside of x stays 0."""
        down, across, c = self.windows.rows, self.windows.columns, self.shape[3]
        top = down.start + self.rows.start * down.step
        count = (self.rows.stop - self.rows.start - 1) * down.step + down.kernel
        first, last = max(0, -top), min(count, down.size - top)
        n, many = self.images.stop - self.images.start, len(x) >= planes.MANY
        # With the batch innermost, where the zeros stand depends on how many pictures there are.
        key = across, first, last, n if many else None
        self._frame = scratch.Frame(key, (count, across.kernel, c, self._length), self.dtype)
        lines = self._frame.array[first : max(first, last), ..., : self.pixels]
        if many:
            lines = lines.reshape(*lines.shape[:3], across.count, n).swapaxes(3, 4)
        else:
            lines = lines.reshape(*lines.shape[:3], n, across.count)
        source = x[self.images, top + first : top + max(first, last)].transpose(1, 3, 0, 2)
        for place in range(across.kernel):
            outputs, pixels = across.reach(place)
            lines[:, place, :, :, outputs] = source[..., pixels]

    def matched(self, y):
        """The matrices X of all windows, [rows, ..., windows, kh*kw*c], and Y [rows, ..., windows, o], a view of y."""
        size, c = self._frame.array.itemsize, self.shape[3]
        rows, columns = self.windows.rows, self.windows.columns
        piece = self._length * size
        shape = self.rows.stop - self.rows.start, math.prod(self.windows.ksize) * c, self.pixels
        X = as_strided(self._frame.array, shape, (rows.step * columns.kernel * c * piece, piece, size))
        Y = planes.as_planes(y[self.images, self.rows])
        o, count, *pixels = Y.shape
        if planes.are_planes(y):
            return X.transpose(0, 2, 1), Y.reshape(o, count, -1).transpose(1, 2, 0)
        return X.transpose(0, 2, 1).reshape(count, *pixels, -1), Y.transpose(1, 2, 3, 0)


def _spread(count, itemsize):
    """How long to make rows of `count` numbers, so that the same places of many rows do not share a place in the cache.

    A cache finds a number by some bits of its address, the same ones for rows a power of two apart; rows of an odd
    number of cache lines (64 bytes) have all of them different.
    """
    line = 64 // itemsize
    return (-(-count // line) | 1) * line
