import numpy as np
import pytest

from data import FlowersDataset
from data.augment import LEAST_SHARE, augmentation, mirror, zoom
from data.errors import DataError
from mathlib import rng


def pictures(n=40, height=20, width=10):
    """Pictures whose red grows from left to right and whose green grows downwards."""
    xs = np.zeros((n, height, width, 3), np.float32)
    xs[..., 0] = 10 * np.arange(width)
    xs[..., 1] = 10 * np.arange(height)[:, None]
    return xs


def test_about_half_of_the_pictures_are_mirrored_and_nothing_else_changes():
    rng.seed(3)
    xs = pictures(400)
    before = xs.copy()
    ys = mirror(xs)
    turned = (ys == xs[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (ys == xs).all(axis=(1, 2, 3))
    assert (turned ^ same).all() and 150 < turned.sum() < 250
    assert (xs == before).all() and ys.dtype == np.float32


def test_a_zoomed_picture_shows_a_part_of_the_right_size():
    rng.seed(3)
    xs = pictures()
    ys = zoom(xs)
    assert ys.shape == xs.shape and ys.dtype == np.float32
    # The colours say which part it is: how far red and green reach across the picture.
    across = (ys[:, 5, -1, 0] - ys[:, 5, 0, 0]) / 90
    down = (ys[:, -1, 5, 1] - ys[:, 0, 5, 1]) / 190
    assert (across > LEAST_SHARE - 0.12).all() and (across < 1.01).all() and across.std() > 0.05
    assert (down > LEAST_SHARE - 0.12).all() and (down < 1.01).all()


def test_equal_seeds_give_equal_pictures():
    augment = augmentation(['mirror', 'zoom'])
    rng.seed(5)
    first = augment(pictures())
    rng.seed(5)
    assert (augment(pictures()) == first).all()
    assert (augment(pictures()) != first).any()
    assert augmentation([]) is None


def test_only_training_pictures_are_changed():
    rng.seed(1)
    plain = FlowersDataset([16, 16], [16, 16, 3])
    rng.seed(1)
    changed = FlowersDataset([16, 16], [16, 16, 3], augment=['mirror'])
    for dataset in (plain, changed):
        rng.seed(2)
        dataset.shuffle_train_data(20)
    given, turned = (dataset.get_train_data(20, 0)[0] for dataset in (plain, changed))
    same = (given == turned).all(axis=(1, 2, 3))
    assert 0 < same.sum() < 20 and (given[~same] == turned[~same, :, ::-1]).all()
    assert (plain.te_xs[:] == changed.te_xs[:]).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([16, 16], [16, 16, 3], ['turn']), "'turn' is not known: expected mirror, zoom"),
        (([16, 16], [-1], ['mirror']), r'input_shape must be \[16, 16, 3\]'),
    ],
)
def test_what_cannot_be_is_an_error(arguments, message):
    with pytest.raises(DataError, match=message):
        FlowersDataset(*arguments)
