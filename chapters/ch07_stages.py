"""Chapter 7: one convolution written three times, from six nested loops to a matrix product.

A kernel (커널) is a small block of weights. A convolution (합성곱) lays it on every pixel of a picture, multiplies what
lies on top of each other, adds it all up, and has the brightness of one pixel of a new picture:

    y[row, column, o]  =  b[o]  +  sum over i, j, c of  x[row + i - top, column + j - left, c] * k[i, j, c, o]

with top = (kh - 1) // 2 and left = (kw - 1) // 2, so that the kernel stands around its pixel (an even kernel reaches
one pixel further down and to the right). What it reads outside of the picture counts as 0, and y is as high and wide
as x: this is what the book calls SAME.

The stages compute the same numbers, forward and back; only who runs through the sum differs:

1. loops    six loops for each picture, down to single products, all in Python
2. patches  a loop over the pixels; the products of a pixel are one vector times one matrix
3. im2col   all pixels' vectors are the rows of one matrix, and the whole convolution is one product

After them come the book's strides and its pooling, which are built on stage 3. Letters and shapes: pictures x
[n, h, w, c], kernels k [kh, kw, c, o], biases b [o], y [n, h, w, o]; G_x is the gradient of the loss by x, and has its
shape. All arrays are of one float type, and so are the results.
"""

from mathlib.backend import xp
from mathlib.errors import ConfigError
from mathlib.windows import pair


def sizes(x, k):
    """(n, h, w) of the pictures, (kh, kw) of the kernels, and how many channels go in and come out.

    Raises ConfigError where the kernels are for another number of channels than the pictures have.
    """
    if x.ndim != 4 or k.ndim != 4 or x.shape[3] != k.shape[2]:
        raise ConfigError(
            f'pictures {list(x.shape)} and kernels {list(k.shape)} do not fit: expected [n, h, w, c] and '
            f'[kh, kw, c, o] with the same number c of channels'
        )
    return x.shape[:3], k.shape[:2], k.shape[2], k.shape[3]


# Stage 1: loops over everything


def overlap(place, side, kernel):
    """Along one axis, the (place in the kernel, pixel) pairs that meet when the kernel stands on pixel `place`."""
    start = place - (kernel - 1) // 2
    return [(i, start + i) for i in range(kernel) if 0 <= start + i < side]


def conv_loops(x, k, b):
    """x [n, h, w, c], k [kh, kw, c, o], b [o] -> y [n, h, w, o], one product at a time."""
    (mb_size, h, w), (kh, kw), xchn, ychn = sizes(x, k)
    y = xp.zeros((mb_size, h, w, ychn), dtype=x.dtype)
    for n in range(mb_size):
        for row in range(h):
            for column in range(w):
                for o in range(ychn):
                    total = b[o]
                    for i, pixel_row in overlap(row, h, kh):
                        for j, pixel_column in overlap(column, w, kw):
                            for c in range(xchn):
                                total = total + x[n, pixel_row, pixel_column, c] * k[i, j, c, o]
                    y[n, row, column, o] = total
    return y


def conv_loops_backprop(G_y, x, k):
    """G_y [n, h, w, o] -> G_x [n, h, w, c], G_k [kh, kw, c, o], G_b [o].

    The same loops once more. Each product x * k of the way there has two factors: on the way back, each receives G_y
    times the other one.
    """
    (mb_size, h, w), (kh, kw), xchn, ychn = sizes(x, k)
    G_x, G_k, G_b = xp.zeros_like(x), xp.zeros_like(k), xp.zeros(ychn, dtype=G_y.dtype)
    for n in range(mb_size):
        for row in range(h):
            for column in range(w):
                for o in range(ychn):
                    G = G_y[n, row, column, o]
                    G_b[o] += G
                    for i, pixel_row in overlap(row, h, kh):
                        for j, pixel_column in overlap(column, w, kw):
                            for c in range(xchn):
                                G_x[n, pixel_row, pixel_column, c] += G * k[i, j, c, o]
                                G_k[i, j, c, o] += G * x[n, pixel_row, pixel_column, c]
    return G_x, G_k, G_b


# Stage 2: flattened patches


def pad(x, kh, kw):
    """x in a frame of zeros, [n, h + kh - 1, w + kw - 1, c]: the patch of pixel (r, c) now begins at (r, c)."""
    n, h, w, c = x.shape
    padded = xp.zeros((n, h + kh - 1, w + kw - 1, c), dtype=x.dtype)
    unpad(padded, kh, kw)[...] = x
    return padded


def unpad(padded, kh, kw):
    """The picture inside the frame: a view, not a copy."""
    top, left = (kh - 1) // 2, (kw - 1) // 2
    h, w = padded.shape[1] - kh + 1, padded.shape[2] - kw + 1
    return padded[:, top : top + h, left : left + w]


def conv_patches(x, k, b):
    """x [n, h, w, c], k [kh, kw, c, o], b [o] -> y [n, h, w, o], one pixel at a time.

    The patch under the kernel is a vector of kh*kw*c numbers, the kernels are a matrix with a column for each output
    channel: a full layer, laid on each pixel in turn.
    """
    (mb_size, h, w), (kh, kw), _, ychn = sizes(x, k)
    padded, k_flat = pad(x, kh, kw), k.reshape(-1, ychn)
    y = xp.zeros((mb_size, h, w, ychn), dtype=x.dtype)
    for n in range(mb_size):
        for row in range(h):
            for column in range(w):
                patch = padded[n, row : row + kh, column : column + kw].reshape(-1)
                y[n, row, column] = xp.matmul(patch, k_flat) + b
    return y


def conv_patches_backprop(G_y, x, k):
    """G_y [n, h, w, o] -> G_x [n, h, w, c], G_k [kh, kw, c, o], G_b [o].

    A full layer's gradients at each pixel. Patches overlap, so a pixel of x collects from all patches that it is in.
    """
    (mb_size, h, w), (kh, kw), xchn, ychn = sizes(x, k)
    padded, k_flat = pad(x, kh, kw), k.reshape(-1, ychn)
    G_padded, G_k_flat = xp.zeros_like(padded), xp.zeros_like(k_flat)
    for n in range(mb_size):
        for row in range(h):
            for column in range(w):
                G = G_y[n, row, column]
                patch = padded[n, row : row + kh, column : column + kw].reshape(-1)
                G_k_flat += xp.outer(patch, G)
                G_patch = xp.matmul(k_flat, G).reshape(kh, kw, xchn)
                G_padded[n, row : row + kh, column : column + kw] += G_patch
    return unpad(G_padded, kh, kw), G_k_flat.reshape(k.shape), G_y.sum(axis=(0, 1, 2))


# Stage 3: im2col, all patches in one matrix


def im2col(x, kh, kw):
    """x [n, h, w, c] -> the patches of all its pixels as rows, [n*h*w, kh*kw*c]: kh*kw times the memory of x."""
    n, h, w, c = x.shape
    padded = pad(x, kh, kw)
    columns = xp.zeros((n, h, w, kh, kw, c), dtype=x.dtype)
    for row in range(h):
        for column in range(w):
            columns[:, row, column] = padded[:, row : row + kh, column : column + kw]
    return columns.reshape(n * h * w, kh * kw * c)


def col2im(columns, x_shape, kh, kw):
    """The way back from im2col: each patch is added to where it was taken from. [n*h*w, kh*kw*c] -> x_shape."""
    n, h, w, c = x_shape
    patches = columns.reshape(n, h, w, kh, kw, c)
    padded = xp.zeros((n, h + kh - 1, w + kw - 1, c), dtype=columns.dtype)
    for row in range(h):
        for column in range(w):
            padded[:, row : row + kh, column : column + kw] += patches[:, row, column]
    return unpad(padded, kh, kw)


def conv_im2col(x, k, b, columns=None):
    """x [n, h, w, c], k [kh, kw, c, o], b [o] -> y [n, h, w, o] by one matrix product.

    columns: im2col(x, kh, kw), where it is at hand already.
    """
    pixels, (kh, kw), _, ychn = sizes(x, k)
    if columns is None:
        columns = im2col(x, kh, kw)
    return xp.matmul(columns, k.reshape(-1, ychn)).reshape(*pixels, ychn) + b


def conv_im2col_backprop(G_y, x, k, columns=None):
    """G_y [n, h, w, o] -> G_x [n, h, w, c], G_k [kh, kw, c, o], G_b [o]: a full layer's two products, and col2im.

    columns: im2col(x, kh, kw), where the forward pass kept it.
    """
    _, (kh, kw), _, ychn = sizes(x, k)
    if columns is None:
        columns = im2col(x, kh, kw)
    G_flat = G_y.reshape(-1, ychn)
    G_k = xp.matmul(columns.T, G_flat).reshape(k.shape)
    G_columns = xp.matmul(G_flat, k.reshape(-1, ychn).T)
    return col2im(G_columns, x.shape, kh, kw), G_k, G_flat.sum(axis=0)


# The textbook's stride: compute every pixel, keep some


def kept(side, kernel, stride, padding):
    """Which pixels of the full result the book keeps along one axis of `side` pixels: a slice.

    'VALID' keeps where the whole kernel lies inside of the picture; of what is left, a stride s keeps the middle one of
    every s pixels, places (s-1)//2, (s-1)//2 + s, and so on. Raises ConfigError where that leaves nothing, and for any
    other padding.
    """
    if padding not in ('SAME', 'VALID'):
        raise ConfigError(f"padding is {padding!r}: the textbook's convolution knows 'SAME' and 'VALID'")
    begin, room = {'SAME': (0, side), 'VALID': ((kernel - 1) // 2, side - kernel + 1)}[padding]
    count = room // stride
    if count < 1:
        raise ConfigError(
            f'a side of {side} pixels under a kernel of {kernel} at a stride of {stride} with padding {padding!r} '
            f'leaves nothing: take a larger picture, or a smaller kernel or stride'
        )
    begin += (stride - 1) // 2
    return slice(begin, begin + count * stride, stride)


def kept_pixels(x, k, stride, padding):
    """The index of the kept pixels in a result [n, h, w, o]."""
    (_, h, w), (kh, kw), _, _ = sizes(x, k)
    down, across = pair(stride)
    return slice(None), kept(h, kh, down, padding), kept(w, kw, across, padding)


def conv_textbook(x, k, b, stride=1, padding='SAME', columns=None):
    """The book's convolution with a stride, chapters 7 and 9: x [n, h, w, c] -> y [n, rows, columns, o].

    stride: an int or a pair (down, across). padding: 'SAME' or 'VALID'. columns: as for conv_im2col. At a stride of 2,
    three quarters of the work are thrown away. Raises ConfigError where stride or padding leave nothing.
    """
    kept_ones = kept_pixels(x, k, stride, padding)
    return conv_im2col(x, k, b, columns)[kept_ones]


def conv_textbook_backprop(G_y, x, k, stride=1, padding='SAME', columns=None):
    """G_y [n, rows, columns, o] -> G_x, G_k, G_b: pixels that were not kept have a gradient of 0."""
    G_full = xp.zeros((*x.shape[:3], k.shape[3]), dtype=G_y.dtype)
    G_full[kept_pixels(x, k, stride, padding)] = G_y
    return conv_im2col_backprop(G_full, x, k, columns)


# The textbook's pooling: windows side by side


def to_windows(x, stride):
    """x [n, h, w, c] -> its windows of `stride` pixels side by side, as rows, and the shape of the result.

    Returns ([n*rows*columns*c, sh*sw], (n, rows, columns, c)) with rows = h // sh, columns = w // sw; pixels that fill
    no window are left out. Raises ConfigError where the stride is larger than the picture.
    """
    (n, h, w, c), (sh, sw) = x.shape, pair(stride)
    if h < sh or w < sw:
        raise ConfigError(f'pooling {sh}x{sw} pixels leaves nothing of a picture of {h}x{w}: take a smaller stride')
    rows, columns = h // sh, w // sw
    split = x[:, : rows * sh, : columns * sw].reshape(n, rows, sh, columns, sw, c)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(-1, sh * sw), (n, rows, columns, c)


def from_windows(G_windows, x_shape, y_shape, stride):
    """The way back from to_windows: a gradient for each pixel, 0 for those in no window."""
    (n, rows, columns, c), (sh, sw) = y_shape, pair(stride)
    split = G_windows.reshape(n, rows, columns, c, sh, sw).transpose(0, 1, 4, 2, 5, 3)
    G_x = xp.zeros(x_shape, dtype=G_windows.dtype)
    G_x[:, : rows * sh, : columns * sw] = split.reshape(n, rows * sh, columns * sw, c)
    return G_x


def max_textbook(x, stride):
    """The largest of each window: x [n, h, w, c] -> y [n, h // sh, w // sw, c], and the places of the largest ones.

    Of equal ones the first counts, row by row. places [n*rows*columns*c]: 0 to sh*sw - 1, as the way back needs them.
    """
    flat, y_shape = to_windows(x, stride)
    places = flat.argmax(axis=1)
    return flat[xp.arange(len(flat)), places].reshape(y_shape), places


def max_textbook_backprop(G_y, x_shape, stride, places):
    """G_y [n, rows, columns, c] -> G_x: all of it goes to the pixel that was the largest."""
    sh, sw = pair(stride)
    G_windows = xp.zeros((G_y.size, sh * sw), dtype=G_y.dtype)
    G_windows[xp.arange(G_y.size), places] = G_y.reshape(-1)
    return from_windows(G_windows, x_shape, G_y.shape, stride)


def avg_textbook(x, stride):
    """The mean of each window: x [n, h, w, c] -> y [n, h // sh, w // sw, c]."""
    flat, y_shape = to_windows(x, stride)
    return flat.mean(axis=1).reshape(y_shape)


def avg_textbook_backprop(G_y, x_shape, stride):
    """G_y [n, rows, columns, c] -> G_x: each of the sh*sw pixels gets an equal share."""
    sh, sw = pair(stride)
    share = (G_y / (sh * sw)).reshape(-1, 1)
    return from_windows(xp.repeat(share, sh * sw, axis=1), x_shape, G_y.shape, stride)
