import numpy as np
import pytest
from PIL import Image

from data import FlowersDataset, Office31Dataset, augment, colour, warp
from data.augment import LEAST_SHARE, augmentation, mirror, zoom
from data.errors import DataError
from mathlib import rng, settings


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
    change = augmentation(['mirror', 'zoom'])
    rng.seed(5)
    first = change(pictures())
    rng.seed(5)
    assert (change(pictures()) == first).all()
    assert (change(pictures()) != first).any()
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


ALL = ['mirror', 'zoom', 'crop', 'rotate', 'shear', 'warp', 'colour', 'pca_colour']
MOVING = {'crop': warp.crop, 'rotate': warp.rotate, 'shear': warp.shear, 'warp': warp.warp}


def noise(*shape):
    return np.random.RandomState(1).randint(0, 256, shape).astype(np.float32)


class Draws:
    """A generator whose numbers are the largest that may come (sign +1) or the smallest (-1)."""

    def __init__(self, sign):
        self.sign = sign

    def uniform(self, low, high, size=()):
        return np.full(size, high if self.sign > 0 else low, dtype=float)[()]

    def integers(self, low, high):
        return high - 1 if self.sign > 0 else low

    def normal(self, mean, std, size):
        return np.full(size, mean + self.sign * std)


def test_mirror_and_zoom_are_the_same_as_ever_for_a_seed():
    xs = noise(5, 8, 6, 3)
    rng.seed(11)
    ys = augmentation(['mirror', 'zoom'])(xs)
    stream = np.random.RandomState(11)
    turned, parts = stream.random_sample(5) < 0.5, stream.random_sample(15).reshape(5, 3)
    for x, y, flip, (size, down, across) in zip(xs, ys, turned, parts, strict=True):
        share = 0.6 + 0.4 * size
        top, left = down * (1 - share) * 8, across * (1 - share) * 6
        image = Image.fromarray((x[:, ::-1] if flip else x).astype(np.uint8))
        box = (left, top, left + share * 6, top + share * 8)
        assert np.array_equal(y, np.asarray(image.resize((6, 8), Image.Resampling.BILINEAR, box=box)))
    assert rng.uniform(1) == stream.random_sample(1)


@pytest.mark.parametrize('name', ALL)
def test_the_same_bits_for_any_number_of_threads(name, monkeypatch):
    monkeypatch.setattr(augment, '_A_THREAD', 1)
    xs, results = noise(13, 24, 18, 3), []
    for workers in (1, 2, 5):
        monkeypatch.setattr(settings, 'workers', workers)
        rng.seed(4)
        results.append(augmentation([name, 'mirror'])(xs))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert results[0].dtype == np.float32 and results[0].shape == xs.shape
    assert results[0].min() >= 0 and results[0].max() <= 255
    assert not np.array_equal(results[0], xs)


@pytest.mark.parametrize('name', ALL)
def test_each_picture_is_changed_in_its_own_way_and_again_in_another(name):
    xs, change = np.repeat(noise(1, 20, 20, 3), 6, axis=0), augmentation([name])
    rng.seed(2)
    first, second = change(xs), change(xs)
    assert len({picture.tobytes() for picture in first}) > 1
    assert not np.array_equal(first, second)
    assert np.array_equal(xs, np.repeat(noise(1, 20, 20, 3), 6, axis=0))


@pytest.mark.parametrize('name', MOVING)
@pytest.mark.parametrize('shape', [(1, 1, 3), (1, 7, 3), (9, 2, 1), (16, 24, 3), (6, 6, 4)])
def test_any_shape_comes_back_with_no_colour_that_was_not_there(name, shape):
    picture = 100 + noise(*shape) / 4
    for sign in (-1, 1):
        moved = MOVING[name](picture, Draws(sign))
        assert moved.shape == shape
        # Nothing black comes in from outside: what is seen there is the picture, reflected.
        assert moved.min() >= round(picture.min()) and moved.max() <= round(picture.max())


def test_crop_shifts_and_reflects_at_the_edge():
    picture = np.arange(16, dtype=np.float32).reshape(1, 16, 1).repeat(8, axis=0)
    assert warp.crop(picture, Draws(1))[0, :, 0].tolist() == [*range(2, 16), 15, 14]
    assert warp.crop(picture, Draws(-1))[0, :, 0].tolist() == [1, 0, *range(14)]


def test_rotate_turns_around_the_middle():
    picture = np.zeros((21, 21, 3), np.float32)
    picture[10, 15:18] = 240
    turned = warp.rotate(picture, Draws(1), degrees=80)
    y, x = np.array(np.nonzero(turned[..., 0] > 60)).mean(axis=1) - 10
    # From (6, 0) by 80 degrees, in the way of the clock: (6 cos, 6 sin), y downwards.
    assert np.hypot(x, y) == pytest.approx(6, abs=0.3)
    assert np.degrees(np.arctan2(abs(y), x)) == pytest.approx(80, abs=3)


def test_shear_slants_upright_and_level_lines():
    picture = np.zeros((41, 41, 1), np.float32)
    picture[:, 20] = 250
    slanted = warp.shear(picture, Draws(1), degrees=10)[..., 0]
    first, last = (np.average(np.arange(41), weights=slanted[row].astype(float)) for row in (5, 35))
    # tan 10 = 0.1763: x' = x + 0.1763 y, y' = y + 0.1763 x, so the line leans by 0.1763 a row.
    assert abs(first - last) == pytest.approx(30 * 0.1763, abs=0.4)


def test_warp_bends_no_further_than_said():
    ramp = np.zeros((40, 40, 3), np.float32)
    ramp[..., 0], ramp[..., 1] = 5 * np.arange(40), 5 * np.arange(40)[:, None]
    moves = (warp.warp(ramp, np.random.default_rng(3), cells=4, strength=0.3) - ramp)[12:-12, 12:-12, :2] / 5
    assert np.abs(moves).max() < 1.25 * 0.3 * 10 + 0.2
    assert moves.std() > 0.5
    assert np.array_equal(warp.warp(ramp, np.random.default_rng(3), strength=0), ramp)


def test_colour_by_hand():
    picture = noise(5, 4, 3)
    options = {'brightness': 0, 'contrast': 0, 'saturation': 0, 'hue': 0}
    assert colour.colour(picture, Draws(1), **options) == pytest.approx(picture, abs=1e-4)
    brighter = colour.colour(picture, Draws(1), **options | {'brightness': 0.2})
    assert brighter == pytest.approx(np.minimum(1.2 * picture, 255), abs=1e-3)
    luma = picture @ np.array([0.299, 0.587, 0.114])
    flat = colour.colour(picture, Draws(-1), **options | {'contrast': 1})
    assert flat == pytest.approx(np.full(picture.shape, luma.mean()), abs=1e-3)
    grey = colour.colour(picture, Draws(-1), **options | {'saturation': 1})
    assert grey == pytest.approx(np.repeat(luma[..., None], 3, axis=2), abs=1e-3)


def test_a_third_of_the_colour_circle_makes_red_green_and_leaves_grey():
    picture = np.array([[[200, 0, 0], [90, 90, 90]]], np.float32)
    turned = colour.colour(picture, Draws(1), brightness=0, contrast=0, saturation=0, hue=1 / 3)
    assert turned == pytest.approx(np.array([[[0, 200, 0], [90, 90, 90]]]), abs=1e-3)


def test_pca_colour_adds_one_colour_to_all_pixels():
    picture = 100 + noise(4, 5, 3) / 8
    tint = colour.pca_colour(picture, Draws(1), std=0.1) - picture
    variances, directions = colour.IMAGENET
    assert tint == pytest.approx(np.tile(25.5 * directions @ variances, (4, 5, 1)), abs=1e-3)
    assert directions.T @ directions == pytest.approx(np.eye(3), abs=1e-3)


def test_the_main_colours_of_the_training_pictures():
    draws, axis = np.random.RandomState(5), np.array([0.8, 0.6, 0])
    levels = draws.normal(0, 0.1, (40, 6, 6, 1))
    xs = (255 * (0.5 + levels * axis)).astype(np.float32)
    variances, directions = colour.main_colours(xs)
    assert variances == pytest.approx([levels.var(), 0, 0], abs=1e-6)
    assert abs(directions[:, 0] @ axis) == pytest.approx(1, abs=1e-6)
    rng.seed(1)
    tints = augmentation([['pca_colour', {'colours': 'training'}]], xs)(xs) - xs
    assert np.abs(tints[..., 2]).max() < 1e-3
    assert tints[..., 0] == pytest.approx(tints[..., 1] * 8 / 6, abs=1e-3)


def test_the_colour_of_grey_pictures_is_refused():
    with pytest.raises(DataError, match=r"'colour' changes colours: expected pictures \[height, width, 3\]"):
        augmentation(['colour'])(noise(2, 4, 4, 1))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['rotat'], "'rotat' is not known: expected mirror, .* Did you mean 'rotate'?"),
        ([['rotate', {'degree': 5}]], "rotate: 'degree' is not known: expected degrees. Did you mean 'degrees'?"),
        ([['rotate', {'degrees': '5'}]], "degrees='5': expected a number from 0 to 80"),
        ([['rotate', {'degrees': float('nan')}]], 'degrees=nan: expected a number'),
        ([['rotate', {'degrees': True}]], 'degrees=True: expected a number'),
        ([['warp', {'strength': 0.7}]], r'strength=0.7: expected a number from 0 to 0.5'),
        ([['warp', {'cells': 2.5}]], 'cells=2.5: expected a whole number from 1 to 32'),
        ([['mirror', {'share': 0.5}]], 'mirror: it has no options'),
        ([['rotate', 5]], r'neither a name nor \[name, \{option: value\}\]'),
        ([5], 'neither a name nor'),
        ('mirror', r"expected a list of names, such as \['mirror'\]"),
        ([['pca_colour', {'colours': 'mine'}]], "'mine' is not known: expected imagenet, training"),
        ([['pca_colour', {'colours': 'training'}]], 'needs the training pictures'),
    ],
)
def test_what_is_wrong_in_the_list_is_said(names, message):
    with pytest.raises(DataError, match=message):
        augmentation(names)


def test_options_reach_the_change():
    xs = noise(4, 10, 10, 3)
    assert np.array_equal(augmentation([['rotate', {'degrees': 0}], ['crop', {'margin': 0}]])(xs), xs)


def test_both_picture_sets_take_augmentations():
    names = ['mirror', ['rotate', {'degrees': 15}], ['pca_colour', {'colours': 'training'}]]
    for kind in (FlowersDataset, Office31Dataset):
        rng.seed(1)
        dataset = kind([16, 12], [12, 16, 3], augment=names)
        dataset.shuffle_train_data(20)
        xs, _ = dataset.get_train_data(20, 0)
        plain = dataset.tr_xs[dataset.indices]
        assert xs.shape == plain.shape and xs.dtype == plain.dtype and not np.array_equal(xs, plain)
        with pytest.raises(DataError, match='input_shape must be'):
            kind([16, 12], [-1], augment=names)
