"""One geometry for every window: where a kernel stands, for convolutions and for pooling (chapters 7, 9 and 10).

Along an axis of `size` pixels, output i of a window operation reads the `kernel` pixels from `start + i * step` on,
for i from 0 to count - 1. Places before the first pixel and after the last one are outside; a convolution takes them
as 0, an average leaves them out, a maximum never chooses them.

The three ways in which books and libraries place windows are three constructors of this one triple
(start, step, count), so only pixels that are kept are ever computed:

======  =============================  ==============================================
same    start (s-1)//2 - (k-1)//2      count n // s              (the book's SAME)
valid   start (s-1)//2                 count (n - k + 1) // s    (the book's VALID)
padded  start -before                  count (n + before + after - k) / s + 1, floor or ceil
======  =============================  ==============================================

The book computes every position and then keeps positions b, b + s, ... with b = (s-1)//2; `same` and `valid` are
those positions.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral

from mathlib.errors import ConfigError


@dataclass(frozen=True)
class Axis:
    """The windows along one axis. size, kernel, step, count: pixels, counted from 1; start: may be negative."""

    size: int
    kernel: int
    start: int
    step: int
    count: int

    @cached_property
    def before(self):
        """How many places before the first pixel the first window reads."""
        return max(0, -self.start)

    @cached_property
    def after(self):
        """How many places after the last pixel the last window reads."""
        return max(0, self.start + (self.count - 1) * self.step + self.kernel - self.size)

    @cached_property
    def tiles(self):
        """Whether the windows stand side by side inside the axis, neither overlapping nor reaching out of it."""
        return self.kernel == self.step and self.start >= 0 and self.after == 0

    @cached_property
    def covered(self):
        """Whether tiles leave no pixel over."""
        return self.tiles and self.count * self.step == self.size

    @cached_property
    def mirrored(self):
        """For steps of 1: the windows, on the outputs, of those outputs that read each pixel; there is one a pixel."""
        return Axis(self.count, self.kernel, 1 - self.kernel - self.start, 1, self.size)

    @cached_property
    def phases(self):
        """The windows, on the outputs, of those that read any of `step` neighbouring pixels, from the first such group
        that has a pixel to the last; a group begins where a window can begin."""
        first, last = -self.start // self.step, (self.size - 1 - self.start) // self.step
        kernel = -(-self.kernel // self.step)
        return Axis(self.count, kernel, first - kernel + 1, 1, last - first + 1)

    def phase(self, place):
        """(groups, pixels): two slices, such that pixel i of the second is at `place` of group i of the first."""
        begin = self.start + -self.start // self.step * self.step + place
        skipped = 1 if begin < 0 else 0
        pixels = range(begin + skipped * self.step, self.size, self.step)
        return slice(skipped, skipped + len(pixels)), slice(pixels.start, self.size, self.step)

    def part(self, outputs):
        """The Axis of some of the outputs, a slice."""
        return replace(self, start=self.start + outputs.start * self.step, count=outputs.stop - outputs.start)

    def reach(self, offset):
        """Which outputs see a real pixel at place `offset` of their window.

        Returns (outputs, pixels): two slices of equal length, of the outputs and of the axis, such that output i of
        the first reads pixel i of the second. Both are empty where every window's `offset` lies outside.
        """
        if offset not in self._reaches:
            self._reaches[offset] = self._reach(offset)
        return self._reaches[offset]

    @cached_property
    def _reaches(self):
        return {}

    @cached_property
    def seeing(self):
        """The range of places in a window outside of which none ever sees a real pixel, however large the window."""
        last = self.start + (self.count - 1) * self.step
        return range(max(0, -last), min(self.kernel, self.size - self.start))

    def _reach(self, offset):
        first = max(0, -((self.start + offset) // self.step))
        last = min(self.count - 1, (self.size - 1 - self.start - offset) // self.step)
        if last < first:
            return slice(0, 0), slice(0, 0)
        pixel = self.start + offset + first * self.step
        return slice(first, last + 1), slice(pixel, pixel + (last - first) * self.step + 1, self.step)

    @cached_property
    def seen(self):
        """How many real pixels each window sees: a tuple of `count` numbers."""
        starts = [self.start + i * self.step for i in range(self.count)]
        return tuple(min(start + self.kernel, self.size) - max(start, 0) for start in starts)


def same(size, kernel, step):
    """The book's SAME: size // step windows, each centred on the pixels that the stride keeps."""
    return Axis(size, kernel, (step - 1) // 2 - (kernel - 1) // 2, step, size // step)


def valid(size, kernel, step):
    """The book's VALID: only windows that lie inside."""
    return Axis(size, kernel, (step - 1) // 2, step, (size - kernel + 1) // step)


def padded(size, kernel, step, before, after, ceil=False):
    """`before` and `after` places around the axis, windows from the first place on: the papers' and libraries' form.

    With ceil, a last window that only partly fits still counts, unless it would start in the places after the axis.
    """
    room = size + before + after - kernel
    count = max(0, (-(-room // step) if ceil else room // step) + 1)
    if ceil and count > 0 and (count - 1) * step >= size + before:
        count -= 1
    return Axis(size, kernel, -before, step, count)


@dataclass(frozen=True)
class Windows:
    """The windows on pictures [n, height, width, channels]: `rows` is the Axis down, `columns` the Axis across."""

    rows: Axis
    columns: Axis

    @property
    def ksize(self):
        """(kernel height, kernel width)."""
        return self.rows.kernel, self.columns.kernel

    @property
    def stride(self):
        """(step down, step across)."""
        return self.rows.step, self.columns.step

    @property
    def input_sides(self):
        """(height, width) of the pictures that the windows stand on."""
        return self.rows.size, self.columns.size

    @property
    def padded_sides(self):
        """(height, width) of the pictures with all places around them that a window reads."""
        return tuple(axis.before + axis.size + axis.after for axis in (self.rows, self.columns))

    @property
    def output_sides(self):
        """(height, width) of what comes out: one number a window and channel."""
        return self.rows.count, self.columns.count


def windows(sides, ksize, stride=(1, 1), padding='SAME', ceil=False):
    """The Windows on pictures of `sides` (height, width).

    ksize and stride: an int or a pair (down, across). padding: 'SAME' or 'VALID' (the book's), an int, or
    ((top, bottom), (left, right)); the last two sample from the first padded place on, rounding down, or up with
    `ceil`. Raises ConfigError where a kernel is larger than the padded picture, or the stride leaves nothing.
    """
    kernels, steps = pair(ksize), pair(stride)
    if isinstance(padding, str):
        place = {'SAME': same, 'VALID': valid}[padding]
        axes = [place(*along) for along in zip(sides, kernels, steps, strict=True)]
    else:
        around = ((padding, padding),) * 2 if isinstance(padding, Integral) else padding
        axes = [padded(n, k, s, *p, ceil) for n, k, s, p in zip(sides, kernels, steps, around, strict=True)]
    result = Windows(*axes)
    if min(result.output_sides) < 1:
        raise ConfigError(_nothing_left(result, padding))
    return result


def pair(value):
    """(value, value) for an int, else the two values as a tuple."""
    return (value, value) if isinstance(value, Integral) else tuple(value)


def _nothing_left(bad, padding):
    """Why some Windows have no output, in words."""
    what = f'{_by(bad.ksize)} windows at a stride of {_by(bad.stride)} on a picture of {_by(bad.input_sides)}'
    rule = f'padding {padding!r}'
    fits = all(axis.size + axis.before + axis.after >= axis.kernel for axis in (bad.rows, bad.columns))
    by_stride = padding == 'SAME' or fits
    why = 'the stride leaves nothing of it' if by_stride else 'the window is larger than the padded picture'
    return f'{what} with {rule} leave an output of {_by(bad.output_sides)}: {why}'


def _by(sides):
    """(3, 5) as '3x5'."""
    return 'x'.join(str(max(0, side)) for side in sides)
