import numpy as np
import pytest

from data import Dataset, ImageRows
from mathlib import rng

PIXELS = np.random.RandomState(0).randint(0, 256, (40, 4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize('shape', [(4, 5, 3), (60,)])
@pytest.mark.parametrize('index', [3, -1, slice(1, 4), slice(None), np.array([4, 0, 0]), [2, 1], np.array([], int)])
def test_lazy_rows_equal_the_eager_array(shape, index):
    rows = np.array([5, 3, 17, 39, 0])
    eager = PIXELS[rows].astype('float32').reshape(5, *shape)
    lazy = ImageRows(PIXELS, rows, shape)
    assert lazy.shape == eager.shape
    assert len(lazy) == 5
    assert lazy[index].dtype == np.float32
    assert lazy[index].shape == eager[index].shape
    assert np.array_equal(lazy[index], eager[index])


def test_select_goes_through_the_rows_and_shares_the_pixels():
    view = ImageRows(PIXELS, [5, 3, 17, 39, 0], (60,)).select(np.array([4, 1]))
    assert np.array_equal(np.asarray(view), PIXELS[[0, 3]].reshape(2, 60))
    pixels = PIXELS.copy()
    view = ImageRows(pixels, [5, 3], (60,)).select([1])
    pixels[3] = 9
    assert np.array_equal(view[0], np.full(60, 9, 'float32'))


def test_a_row_that_is_not_there():
    view = ImageRows(PIXELS, [5, 3], (60,))
    with pytest.raises(IndexError):
        view[2]
    assert [x.shape for x in view] == [(60,), (60,)]


def test_a_batch_can_be_changed_without_touching_the_pixels():
    view = ImageRows(PIXELS, [5, 3], (60,))
    view[:][:] = 0
    assert np.array_equal(view[0], PIXELS[5].reshape(60))


def test_a_split_of_lazy_rows_equals_a_split_of_arrays():
    ys = np.arange(40.0)[:, None]
    splits = []
    for xs in (ImageRows(PIXELS, np.arange(40), (60,)), PIXELS.reshape(40, 60).astype('float32')):
        rng.seed(11)
        dataset = Dataset('own', 'regression')
        dataset.shuffle_data(xs, ys)
        dataset.shuffle_train_data(30)
        splits.append([*dataset.get_train_data(10, 2), *dataset.get_validate_data(2), *dataset.get_test_data()])
    assert [part.shape for part in splits[0]] == [(10, 60), (10, 1), (2, 60), (2, 1), (8, 60), (8, 1)]
    for lazy, eager in zip(*splits, strict=True):
        assert np.array_equal(np.asarray(lazy), eager)
