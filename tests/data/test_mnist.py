import gzip
import struct

import numpy as np
import pytest

from data import DataError, MnistDataset

RANDOM = np.random.RandomState(0)
PIXELS = {
    'train': RANDOM.randint(0, 256, (45, 28, 28), np.uint8),
    't10k': RANDOM.randint(0, 256, (10, 28, 28), np.uint8),
}
DIGITS = {'train': RANDOM.randint(0, 10, 45, np.uint8), 't10k': RANDOM.randint(0, 10, 10, np.uint8)}


def idx(array):
    return struct.pack(f'>BBBB{array.ndim}I', 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(data_dir):
    folder = data_dir / 'mnist'
    folder.mkdir()
    for part in ('train', 't10k'):
        (folder / f'{part}-images-idx3-ubyte.gz').write_bytes(gzip.compress(idx(PIXELS[part])))
        (folder / f'{part}-labels-idx1-ubyte.gz').write_bytes(gzip.compress(idx(DIGITS[part])))
    return folder


@pytest.mark.parametrize(('input_shape', 'shape'), [([28, 28, 1], (28, 28, 1)), ([-1], (784,))])
def test_digits_in_the_order_of_the_files(mnist, input_shape, shape):
    dataset = MnistDataset(input_shape)
    assert str(dataset) == 'mnist(select, 43+10+2)'
    assert (dataset.input_shape, dataset.output_shape) == (shape, (10,))
    assert np.array_equal(dataset.tr_xs[:], PIXELS['train'][:43].reshape(43, *shape))
    assert np.array_equal(dataset.va_xs[:], PIXELS['train'][43:].reshape(2, *shape))
    assert np.array_equal(dataset.te_xs[:], PIXELS['t10k'].reshape(10, *shape))
    for ys, digits in (
        (dataset.tr_ys, DIGITS['train'][:43]),
        (dataset.va_ys, DIGITS['train'][43:]),
        (dataset.te_ys, DIGITS['t10k']),
    ):
        assert np.array_equal(ys.argmax(axis=1), digits)
        assert np.array_equal(np.sort(ys, axis=1), np.tile([0] * 9 + [1], (len(ys), 1)))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('train-images-idx3-ubyte', idx(PIXELS['train'])[:-1], 'should hold 35280 bytes of data and holds 35279'),
        ('train-images-idx3-ubyte', idx(PIXELS['train']) + b'0', 'should hold 35280 bytes of data and holds 35281'),
        ('train-images-idx3-ubyte', idx(PIXELS['train'][:, :, :27]), 'is no IDX file of n x 28 x 28 bytes'),
        ('train-images-idx3-ubyte', idx(DIGITS['train']), 'is no IDX file of n x 28 x 28 bytes'),
        ('train-labels-idx1-ubyte', b'<html>', 'is no IDX file of n bytes: it begins with 3c 68'),
        ('train-labels-idx1-ubyte', b'', 'is no IDX file of n bytes'),
        ('t10k-labels-idx1-ubyte', idx(DIGITS['t10k'][:9]), r'holds 10 pictures, but .* 9 labels'),
        ('t10k-labels-idx1-ubyte', idx(DIGITS['t10k'] + np.uint8(9)), r'the label \d+ of picture \d is no digit'),
    ],
)
def test_a_file_that_is_not_what_it_should_be(mnist, name, content, message):
    (mnist / f'{name}.gz').write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message) as caught:
        MnistDataset()
    assert name in str(caught.value)


def test_a_missing_a_torn_and_a_plain_file(mnist):
    path = mnist / 'train-images-idx3-ubyte.gz'
    content = path.read_bytes()
    for bad in (content[:-20], content[:200] + bytes(50) + content[250:], b'no gzip at all'):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r'train-images-idx3-ubyte.gz cannot be read .*python -m data fetch mnist'):
            MnistDataset()
    path.unlink()
    with pytest.raises(DataError, match='No such file'):
        MnistDataset()


def test_a_wrong_input_shape(mnist):
    with pytest.raises(DataError, match=r'\[32, 32, 1\] does not fit pictures of \[28, 28, 1\]'):
        MnistDataset([32, 32, 1])


def test_only_the_first_pictures(mnist):
    dataset = MnistDataset(train_count=20)
    assert str(dataset) == 'mnist(select, 20+10+2)'
    assert np.array_equal(dataset.tr_xs[:], PIXELS['train'][:20, ..., None])
    assert np.array_equal(dataset.tr_ys.argmax(axis=1), DIGITS['train'][:20])
    assert np.array_equal(dataset.va_xs[:], PIXELS['train'][43:, ..., None])
    for count in (0, 44, -1, 2.5):
        with pytest.raises(DataError, match=f'train_count={count}: expected a number from 1 to 43'):
            MnistDataset(train_count=count)
