"""Rows of a data set that stay small until they are drawn.

4,317 pictures of 100 x 100 pixels are 130 MB as bytes and 518 MB as float32. So the bytes stay where they are, in one
array that the training, validation and test rows share, and only the rows of a batch become floating point.
"""

import numpy as np


class ImageRows:
    """A view of some rows of a shared uint8 array, as if it were a float32 array [rows, *input_shape] of 0..255.

    `pixels` is a uint8 array [n, height, width, channels] (often a memory-mapped file), `rows` an integer array that
    says which of its n pictures belong to the view and in which order, `input_shape` the shape of one picture as the
    model wants it, [height, width, channels] or flat [height * width * channels].

    `view[i]` is one picture, `view[2:5]` and `view[index_array]` are arrays [k, *input_shape]: fresh float32 host
    arrays. `view.select(index_array)` is a smaller view and copies no pixel.
    """

    dtype = np.dtype('float32')

    def __init__(self, pixels, rows, input_shape):
        self._pixels = pixels
        self._rows = np.asarray(rows, dtype=np.intp)
        self.input_shape = tuple(input_shape)

    def __len__(self):
        return len(self._rows)

    @property
    def shape(self):
        """(rows, *input_shape), the shape of the array that the view stands for."""
        return (len(self), *self.input_shape)

    def __getitem__(self, index):
        rows = self._rows[index]
        return self._pixels[rows].astype(self.dtype).reshape(*rows.shape, *self.input_shape)

    def __array__(self, dtype=None, copy=None):
        """The whole view as an array, for np.asarray(view); mind the memory."""
        if copy is False:
            raise ValueError('ImageRows become an array only by copying: leave out copy=False.')
        return self[:].astype(dtype or self.dtype, copy=False)

    def __repr__(self):
        return f'ImageRows(shape={self.shape}, dtype={self.dtype})'

    def select(self, indices):
        """The view of these rows of the view, in this order."""
        return ImageRows(self._pixels, self._rows[indices], self.input_shape)


def subset(xs, indices):
    """The rows `indices` of xs: again a view for ImageRows, a copy for an array."""
    return xs.select(indices) if isinstance(xs, ImageRows) else xs[indices]
