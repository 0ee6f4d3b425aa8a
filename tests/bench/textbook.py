"""The textbook's convolution for a large network: im2col at full resolution, from which a stride keeps some pixels."""

from chapters.ch07_stages import col2im, conv_im2col, im2col
from mathlib.backend import xp
from mathlib.functions import activate


class FullResolution:
    """conv2d, conv2d_dw and conv2d_dx as in mathlib.conv, by the algorithm of chapters.ch07_stages.

    As in the book, the matrix of im2col is kept from the way there for the way back: until conv2d_dw has used it. Each
    layer must come with Windows of its own, because they tell the layers apart.
    """

    def __init__(self):
        self.columns = {}

    def conv2d(self, x, w, b, at, actfunc='none'):
        """y [n, oh, ow, o], actfunc(x * w + b)."""
        columns = self.columns[id(at)] = im2col(x, *at.ksize)
        y = conv_im2col(x, w, 0 if b is None else b, columns)
        return activate(actfunc, y[_kept(at)])

    def conv2d_dw(self, x, G_y, at):
        """G_w (kh, kw, c, o) and G_b (o,)."""
        G_flat = _full(G_y, at).reshape(-1, G_y.shape[3])
        G_w = xp.matmul(self.columns.pop(id(at)).T, G_flat)
        return G_w.reshape(*at.ksize, x.shape[3], -1), G_flat.sum(axis=0)

    def conv2d_dx(self, G_y, w, at):
        """G_x [n, h, w, c]."""
        G_columns = xp.matmul(_full(G_y, at).reshape(-1, w.shape[3]), w.reshape(-1, w.shape[3]).T)
        return col2im(G_columns, (len(G_y), *at.input_sides, w.shape[2]), *at.ksize)


def _kept(at):
    """The index, in a result at full resolution [n, h, w, o], of the pixels on which the windows stand."""
    starts = [(axis, axis.start + (axis.kernel - 1) // 2) for axis in (at.rows, at.columns)]
    return slice(None), *(slice(start, start + axis.count * axis.step, axis.step) for axis, start in starts)


def _full(G_y, at):
    """G_y at full resolution: 0 for pixels that were not kept."""
    G_full = xp.zeros((len(G_y), *at.input_sides, G_y.shape[3]), dtype=G_y.dtype)
    G_full[_kept(at)] = G_y
    return G_full
