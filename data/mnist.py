"""Handwritten digits from the four IDX files of MNIST."""

import gzip
import hashlib
import zlib

import numpy as np

from data import images, location, show
from data.dataset import Dataset
from data.errors import DataError
from data.flowers import one_hot
from data.rows import ImageRows

_SIDE = 28
LARGEST = 256 * 1024**2  # bytes of an unpacked file: five times those of MNIST
_FILES = ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte')


class MnistDataset(Dataset):
    """Which digit is on the picture: one of ten. Files: mnist/*.gz, as they are published.

    input_shape: [28, 28, 1], or [-1] for 784 numbers in a row. Inputs are 0..255 like those of the other pictures,
    answers one-hot. The test rows are the test file's 10,000, the validation rows the last 5 % of the training file;
    no random number is drawn. train_count: only so many of the training rows, the first ones; None for all. Raises
    DataError for more than there are.
    """

    def __init__(self, input_shape=(_SIDE, _SIDE, 1), train_count=None):
        super().__init__('mnist', 'select')
        self.image_shape = [_SIDE, _SIDE, 1]
        shape = images.check_input_shape(input_shape, self.image_shape)
        self.kind = location.kind()
        self.target_names = [str(digit) for digit in range(10)]
        paths = [location.folder('mnist') / f'{name}.gz' for name in _FILES]
        content = [_read(path) for path in paths]
        self.digest = hashlib.sha256(b''.join(hashlib.sha256(data).digest() for data in content)).hexdigest()[:12]
        train_xs, train_ys = _pair(paths[:2], content[:2])
        test_xs, test_ys = _pair(paths[2:], content[2:])
        split = len(train_xs) - len(train_xs) // 20
        if split == len(train_xs):
            raise DataError(f'{paths[0]} holds {len(train_xs)} pictures; at least 20 are needed.')
        count = split if train_count is None else train_count
        if count not in range(1, split + 1):
            raise DataError(
                f'mnist: train_count={train_count!r}: expected a number from 1 to {split}, as {paths[0].parent} has so '
                f'many pictures for training'
            )
        self.tr_xs = ImageRows(train_xs, np.arange(count), shape)
        self.va_xs = ImageRows(train_xs, np.arange(split, len(train_xs)), shape)
        self.te_xs = ImageRows(test_xs, np.arange(len(test_xs)), shape)
        self.tr_ys, self.va_ys = one_hot(train_ys[:count], 10), one_hot(train_ys[split:], 10)
        self.te_ys = one_hot(test_ys, 10)
        self.input_shape, self.output_shape = shape, (10,)

    def visualize(self, xs, estimates, answers):
        """Show the digits; print `estimated distribution [...] => estimate 7 : answer 7 => O` for each."""
        guesses, truths = (show.chosen(choice, self.target_names) for choice in (estimates, answers))
        show.pictures(xs, self.image_shape, guesses, truths)
        show.print_select(estimates, answers, self.target_names)


def _read(path):
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(f'{path} cannot be read ({problem}). "python -m data fetch mnist" brings it.') from None
    if len(content) > LARGEST:
        raise DataError(f'{path} unpacks to more than {LARGEST:,} bytes: MNIST does not. Fetch it again.')
    return content


def _pair(paths, content):
    """Pictures uint8 [n, 28, 28, 1] and their digits uint8 [n] of an image file and a label file."""
    xs = _array(paths[0], content[0], (_SIDE, _SIDE)).reshape(-1, _SIDE, _SIDE, 1)
    ys = _array(paths[1], content[1], ())
    if len(xs) != len(ys):
        raise DataError(
            f'{paths[0]} holds {len(xs)} pictures, but {paths[1]} {len(ys)} labels: they do not belong together.'
        )
    if len(ys) and ys.max() > 9:
        raise DataError(f'{paths[1]}: the label {ys.max()} of picture {ys.argmax()} is no digit 0..9.')
    return xs, ys


def _array(path, content, item_shape):
    """The bytes of an IDX file as a uint8 array [n, *item_shape].

    IDX: two zero bytes, 8 for unsigned bytes, the number of axes, the length of each axis as a big-endian 32-bit
    number, then the values.
    """
    axes = 1 + len(item_shape)
    start = 4 + 4 * axes
    lengths = tuple(int(length) for length in np.frombuffer(content[4:start].ljust(4 * axes, b'\0'), '>u4'))
    if content[:4] != bytes([0, 0, 8, axes]) or lengths[1:] != item_shape:
        expected = ' x '.join(map(str, ('n', *item_shape)))
        raise DataError(
            f'{path} is no IDX file of {expected} bytes: it begins with {content[:start].hex(" ")}. Fetch it again.'
        )
    size = int(np.prod(lengths))
    if len(content) - start != size:
        raise DataError(f'{path} should hold {size} bytes of data and holds {len(content) - start}. Fetch it again.')
    return np.frombuffer(content, np.uint8, offset=start).reshape(lengths)
