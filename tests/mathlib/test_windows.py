"""Window geometry against windows that are laid on the pixels one by one."""

import re

import pytest

from mathlib.errors import ConfigError
from mathlib.windows import Axis, Windows, padded, pair, same, valid, windows

SIZES = [(size, kernel, step) for size in range(1, 11) for kernel in range(1, 12) for step in range(1, 5)]


def seen(axis):
    """The pixels that each window of an axis covers, those outside included."""
    return [[axis.start + i * axis.step + place for place in range(axis.kernel)] for i in range(axis.count)]


def books_windows(size, kernel, step, padding):
    """What the book does: a window on every pixel (or on every one where it fits), of which each step-th is kept."""
    left = (kernel - 1) // 2 if padding == 'SAME' else 0
    every = [[pixel - left + place for place in range(kernel)] for pixel in range(size)]
    if padding == 'VALID':
        every = [window for window in every if window[-1] < size]
    first = (step - 1) // 2
    return [every[first + i * step] for i in range(len(every) // step)]


@pytest.mark.parametrize(
    ('axis', 'expected'),
    [
        (same(5, 3, 1), [[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]),
        (same(4, 2, 1), [[0, 1], [1, 2], [2, 3], [3, 4]]),
        (same(6, 3, 2), [[-1, 0, 1], [1, 2, 3], [3, 4, 5]]),
        (same(7, 3, 3), [[0, 1, 2], [3, 4, 5]]),
        (same(2, 5, 2), [[-2, -1, 0, 1, 2]]),
        (valid(5, 3, 1), [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        (valid(7, 3, 2), [[0, 1, 2], [2, 3, 4]]),
        (valid(8, 2, 3), [[1, 2], [4, 5]]),
        (padded(5, 3, 2, 1, 1), [[-1, 0, 1], [1, 2, 3], [3, 4, 5]]),
        (padded(6, 3, 2, 0, 0), [[0, 1, 2], [2, 3, 4]]),
        (padded(6, 3, 2, 0, 0, ceil=True), [[0, 1, 2], [2, 3, 4], [4, 5, 6]]),
        (padded(2, 3, 2, 0, 0, ceil=True), [[0, 1, 2]]),  # as in PyTorch
        (padded(3, 2, 3, 0, 2), [[0, 1], [3, 4]]),
        (padded(3, 1, 2, 2, 0), [[-2], [0], [2]]),
    ],
)
def test_windows_by_hand(axis, expected):
    assert seen(axis) == expected


@pytest.mark.parametrize(('place', 'padding'), [(same, 'SAME'), (valid, 'VALID')])
def test_same_and_valid_are_the_positions_that_the_book_keeps(place, padding):
    for size, kernel, step in SIZES:
        axis = place(size, kernel, step)
        expected = books_windows(size, kernel, step, padding)
        assert max(axis.count, 0) == len(expected), (size, kernel, step)
        assert seen(axis) == expected, (size, kernel, step)


@pytest.mark.parametrize('ceil', [False, True])
def test_padded_windows_start_with_the_padding_and_end_where_none_fits(ceil):
    for size, kernel, step in SIZES:
        for before, after in [(0, 0), (1, 1), (2, 0), (0, 3), (5, 4)]:
            if ceil and after >= kernel:
                continue
            starts = range(-before, size + after, step)
            fitting = [start for start in starts if start + kernel <= size + after]
            expected = list(fitting)
            last = fitting[-1] if fitting else -before - step
            if ceil and last + kernel < size + after and last + step < size:
                expected.append(last + step)
            axis = padded(size, kernel, step, before, after, ceil)
            assert [window[0] for window in seen(axis)] == expected, (size, kernel, step, before, after)


def every_axis():
    """Axes of every kind: SAME, VALID, padded more and less, and ones that look past the end."""
    for size, kernel, step in SIZES:
        for axis in (
            same(size, kernel, step),
            valid(size, kernel, step),
            padded(size, kernel, step, 2, 0, ceil=True),
            padded(size, kernel, step, kernel, kernel + 1),
            Axis(size, kernel, 1 - kernel, step, size + 2),
        ):
            if axis.count > 0:
                yield axis


def test_before_and_after_are_what_the_windows_read_outside():
    for axis in every_axis():
        read = {pixel for window in seen(axis) for pixel in window}
        assert axis.before == max(0, -min(read)), axis
        assert axis.after == max(0, max(read) - axis.size + 1), axis


def test_tiles_cover_each_pixel_once_and_none_outside():
    for axis in every_axis():
        read = [pixel for window in seen(axis) for pixel in window]
        assert axis.tiles == (axis.kernel == axis.step and set(read) <= set(range(axis.size))), axis
        if axis.tiles:
            assert read == list(range(read[0], read[0] + len(read))), axis


def test_reach_pairs_each_window_with_the_real_pixel_at_a_place():
    for axis in every_axis():
        for place in range(axis.kernel):
            expected = [(i, w[place]) for i, w in enumerate(seen(axis)) if 0 <= w[place] < axis.size]
            outputs, pixels = axis.reach(place)
            found = list(zip(range(axis.count)[outputs], range(axis.size)[pixels], strict=True))
            assert found == expected, (axis, place)


def test_windows_of_pictures_have_an_axis_down_and_one_across():
    place = windows((6, 9), (3, 2), (2, 3), 'VALID')
    assert place == Windows(Axis(6, 3, 0, 2, 2), Axis(9, 2, 1, 3, 2))
    assert place.input_sides == (6, 9)
    assert place.ksize == (3, 2)
    assert place.stride == (2, 3)
    assert place.output_sides == (2, 2)


def test_one_number_stands_for_both_sides():
    assert pair(3) == pair([3, 3]) == (3, 3)
    assert windows((8, 6), 3, 2, 1) == windows((8, 6), (3, 3), (2, 2), ((1, 1), (1, 1)))
    assert windows((8, 6), 3) == windows((8, 6), (3, 3), (1, 1), 'SAME')


def test_the_four_sides_are_padded_each_by_its_own_number():
    place = windows((4, 4), 3, 1, ((0, 1), (2, 3)))
    assert (place.rows.start, place.rows.count) == (0, 3)
    assert (place.columns.start, place.columns.count) == (-2, 7)


def test_rounding_up_is_asked_for():
    assert windows((112, 112), 3, 2, 0).output_sides == (55, 55)
    assert windows((112, 112), 3, 2, 0, ceil=True).output_sides == (56, 56)


TOO_LARGE = 'the window is larger than the padded picture'


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (
            ((4, 6), (5, 3), 1, 'VALID'),
            "5x3 windows at a stride of 1x1 on a picture of 4x6 with padding 'VALID' leave an output of 0x4: "
            f'{TOO_LARGE}',
        ),
        (
            ((3, 3), 2, 4, 'SAME'),
            "2x2 windows at a stride of 4x4 on a picture of 3x3 with padding 'SAME' leave an output of 0x0: "
            'the stride leaves nothing of it',
        ),
        (
            ((4, 4), 3, 3, 'VALID'),
            "3x3 windows at a stride of 3x3 on a picture of 4x4 with padding 'VALID' leave an output of 0x0: "
            'the stride leaves nothing of it',
        ),
        (
            ((2, 9), (7, 3), (1, 2), 1),
            f'7x3 windows at a stride of 1x2 on a picture of 2x9 with padding 1 leave an output of 0x5: {TOO_LARGE}',
        ),
        (
            ((2, 2), 4, 1, ((1, 1), (0, 1))),
            '4x4 windows at a stride of 1x1 on a picture of 2x2 with padding ((1, 1), (0, 1)) leave an output of 1x0: '
            f'{TOO_LARGE}',
        ),
    ],
)
def test_what_leaves_nothing_is_refused_with_all_its_sides(arguments, words):
    with pytest.raises(ConfigError, match=f'^{re.escape(words)}$'):
        windows(*arguments)
