"""Winograd's convolution: 3x3 kernels at stride 1 with a quarter of the multiplications (Lavin and Gray 2015).

F(4x4, 3x3): a tile of 4x4 outputs depends on 6x6 inputs. A convolution takes 9 products for each output; moved into
another basis by constant matrices, each of the 36 numbers of a tile needs just one, so 36 / 16 = 2.25 for each output:

    y = A^T [ (G w G^T) * (B^T x B) ] A        * element by element, summed over the input channels

Written with both sides of a matrix in one (a tile as a vector of 36), every arrow is a matrix product:

    x tiles [36, t*c] --B--> U [36, t, c] --kernel V [36, c, o]--> M [36, t, o] --A--> y tiles [16, t*o]

and the gradient by the kernel is the same way back: G_V = U^T (A-transformed G_y), then by G to (3, 3, c, o).
"""

import numpy as np

from mathlib import backend, planes, scratch
from mathlib.backend import xp
from mathlib.functions import finish

TILE = 4
# Points near 1 in size and yet apart: neither their powers nor their differences make rounding errors large. With the
# paper's 0, 1, -1, 2, -2 they are four times as large, too large for float32.
POINTS = (0, 11 / 16, -11 / 16, 3 / 2, -3 / 2)


def _bases():
    """A [4, 6], G [6, 3] and B [6, 6] of Cook and Toom, from the values of polynomials at POINTS and at infinity.

    A product of polynomials has the product of their values, and comes back from these by interpolation: row p of B
    holds the product of (t - q) over the other points q, and G is divided by its value at p. Transposed, the product of
    polynomials is the sliding window of a convolution.
    """
    points = np.array(POINTS)
    others = [np.delete(points, i) for i in range(len(points))]
    A = np.hstack([points ** np.arange(TILE)[:, None], np.eye(TILE)[:, -1:]])
    distances = [[np.prod(point - other)] for point, other in zip(points, others, strict=True)]
    G = np.vstack([points[:, None] ** np.arange(3) / distances, np.eye(3)[-1:]])
    B = np.vstack([*(np.append(np.poly(other)[::-1], 0) for other in others), np.poly(points)[::-1]])
    return A, G, B


_A, _G, _B = _bases()

# With fewer channels than this, the products are too small to be worth a change of basis.
LEAST_CHANNELS = 32
# What it costs to bring the kernel into the other basis and to read it from there, measured in products.
KERNEL_COST = 3600
# Blocks of so many times the usual size are faster here, because the kernel, four times as large, is read less often.
BLOCKS = 4
LEAST_TILES = 128
_constants = {}


def pays(n, c, o, windows):
    """Whether n pictures go faster this way from c to o channels; never on a GPU, where products are cheap.

    Counted in products for each pair of an input and an output channel: 9 for an output pixel, against 36 for a tile,
    the changes of basis of the tile, which all channels of the other side share, and that of the kernel.
    """
    if backend.name != 'numpy' or windows.ksize != (3, 3) or windows.stride != (1, 1) or min(c, o) < LEAST_CHANNELS:
        return False
    height, width = windows.output_sides
    tiles = n * -(-height // TILE) * -(-width // TILE)
    return 9 * n * height * width > 36 * tiles * (1 + 36 / o + 16 / c) + KERNEL_COST


def _basis(name, dtype):
    """One of the constant matrices, for both sides at once: B [36, 36], G [36, 9], A [16, 36]."""
    key = name, dtype
    if key not in _constants:
        one_side = {'B': _B, 'G': _G, 'A': _A}[name]
        _constants[key] = xp.asarray(np.kron(one_side, one_side).astype(dtype))
    return _constants[key]


def conv2d(x, w, b, windows, actfunc, factor=None):
    """y = actfunc(x * w + b) [n, oh, ow, o] for x [n, h, w, c] and a kernel w (3, 3, c, o); b may be None.

    factor (o,): what x * w is multiplied by before b is added, None for 1.
    """
    c, o = w.shape[2:]
    V = xp.matmul(_basis('G', w.dtype), w.reshape(9, c * o)).reshape(36, c, o)
    tiles = _Tiles(x, windows)
    y = planes.empty(len(x), windows.output_sides, o, x.dtype, False)
    for part in tiles.parts(c + o):
        M = scratch.buffer('tiles of y', (36, part.count, o), x.dtype)
        xp.matmul(part.inputs(), V, out=M)
        Y = scratch.buffer('outputs', (16, part.count * o), x.dtype)
        xp.matmul(_basis('A', x.dtype), M.reshape(36, -1), out=Y)
        finish(actfunc, Y.reshape(16, part.count, o), b, factor)
        part.store(Y, y)
    return y


def conv2d_dw(x, G_y, windows):
    """G_w (3, 3, c, o) for x [n, h, w, c] and G_y [n, oh, ow, o]."""
    c, o = x.shape[3], G_y.shape[3]
    tiles = _Tiles(x, windows)
    G_V = xp.zeros((36, c, o), dtype=x.dtype)
    for part in tiles.parts(c + o):
        U = part.inputs()
        G_M = scratch.buffer('tiles of y', (36, part.count * o), x.dtype)
        xp.matmul(_basis('A', x.dtype).T, part.outputs(G_y), out=G_M)
        G_V += xp.matmul(U.transpose(0, 2, 1), G_M.reshape(36, part.count, o))
    return xp.matmul(_basis('G', x.dtype).T, G_V.reshape(36, -1)).reshape(3, 3, c, o)


class _Tiles:
    """The tiles of a map: x with zeros around it up to whole tiles, and how the batch is cut into parts."""

    def __init__(self, x, windows):
        self.windows = windows
        self.down, self.across = (-(-side // TILE) for side in windows.output_sides)
        self.padded = self._pad(x, windows.rows, windows.columns)

    def _pad(self, x, rows, columns):
        """x [n, h, w, c] moved to where the first window starts, with 2 more places than 4 for each tile."""
        n, height, width, c = x.shape
        shape = n, TILE * self.down + 2, TILE * self.across + 2, c
        padded = scratch.buffer('padded', shape, x.dtype)
        top, left = rows.before, columns.before
        first = x[:, max(rows.start, 0) :, max(columns.start, 0) :][:, : shape[1] - top, : shape[2] - left]
        bottom, right = top + first.shape[1], left + first.shape[2]
        padded[:, :top] = 0
        padded[:, bottom:] = 0
        padded[:, top:bottom, :left] = 0
        padded[:, top:bottom, right:] = 0
        padded[:, top:bottom, left:right] = first
        return padded

    def parts(self, channels):
        """Yield _Parts: some pictures, or some rows of tiles of one picture."""
        n, tiles, each = len(self.padded), self.down * self.across, 36 * channels // BLOCKS
        if tiles <= max(LEAST_TILES, scratch.BLOCK // each):
            for images in scratch.blocks(n, tiles * each, -(-LEAST_TILES // tiles)):
                yield _Part(self, images, slice(0, self.down))
        else:
            strips = scratch.blocks(self.down, self.across * each, -(-LEAST_TILES // self.across))
            for image in range(n):
                for rows in strips:
                    yield _Part(self, slice(image, image + 1), rows)


class _Part:
    """Some tiles: `images` of the batch and `rows` of tiles; `count` tiles in all."""

    def __init__(self, tiles, images, rows):
        self.tiles, self.images, self.rows = tiles, images, rows
        self.sides = images.stop - images.start, rows.stop - rows.start, tiles.across
        self.count = self.sides[0] * self.sides[1] * self.sides[2]

    def inputs(self):
        """U [36, t, c]: the tiles of x in the other basis."""
        padded = self.tiles.padded[self.images, TILE * self.rows.start :]
        n, h, w, c = padded.strides
        channels = padded.shape[3]
        views = xp.lib.stride_tricks.as_strided(padded, (6, 6, *self.sides, channels), (h, w, n, TILE * h, TILE * w, c))
        X = scratch.buffer('inputs', (36, self.count * channels), padded.dtype)
        xp.copyto(X.reshape(views.shape), views)
        U = scratch.buffer('tiles of x', (36, self.count * channels), padded.dtype)
        xp.matmul(_basis('B', padded.dtype), X, out=U)
        return U.reshape(36, self.count, channels)

    def _places(self, y):
        """The pixels of y [n, oh, ow, o] that these tiles cover: a view."""
        rows = slice(TILE * self.rows.start, min(TILE * self.rows.stop, y.shape[1]))
        return y[self.images, rows]

    def store(self, Y, y):
        """Write the tiles Y [16, t*o] where they belong in y [n, oh, ow, o]; what reaches over its edge is left out."""
        target = self._places(y)
        images, down, across = self.sides
        whole = Y.reshape(TILE, TILE, images, down, across, y.shape[3]).transpose(2, 3, 0, 4, 1, 5)
        self._copy(whole, target, store=True)

    def outputs(self, G_y):
        """The tiles [16, t*o] of G_y [n, oh, ow, o], zeros beyond its edge."""
        source = self._places(G_y)
        images, down, across = self.sides
        G_Y = scratch.buffer('outputs', (TILE, TILE, images, down, across, G_y.shape[3]), G_y.dtype)
        if source.shape[1:3] != (TILE * down, TILE * across):
            G_Y[...] = 0
        self._copy(G_Y.transpose(2, 3, 0, 4, 1, 5), source, store=False)
        return G_Y.reshape(16, -1)

    @staticmethod
    def _copy(tiles, pixels, store):
        """Copy between tiles [n, down, 4, across, 4, o] and pixels [n, up to 4*down, up to 4*across, o]."""
        for i in range(TILE):
            rows = pixels[:, i::TILE]
            for j in range(TILE):
                places = rows[:, :, j::TILE]
                cut = tiles[:, : places.shape[1], i, : places.shape[2], j]
                if store:
                    places[...] = cut
                else:
                    cut[...] = places
