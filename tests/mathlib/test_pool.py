"""Pooling beside the largest pixel and the mean of each window, taken one window after the other."""

import numpy as np
import pytest

from mathlib import planes
from mathlib.backend import precision, to_device, to_host
from mathlib.errors import ConfigError
from mathlib.gradcheck import check_gradient
from mathlib.pool import avg_pool, avg_pool_dx, check_windows, max_pool, max_pool_dx
from mathlib.windows import windows

TOLERANCE = {'float64': 1e-12, 'float32': 1e-5}

# ((h, w), (kh, kw), stride, padding, ceil), with every window on a real pixel
CASES = [
    ((1, 1), 1, 1, 'SAME', False),
    ((6, 8), 2, 2, 'SAME', False),
    ((7, 9), 2, 2, 'SAME', False),
    ((9, 7), 3, 3, 'SAME', False),
    ((6, 6), 3, 2, 'SAME', False),
    ((5, 7), (4, 3), 1, 'SAME', False),
    ((2, 3), 5, 1, 'SAME', False),
    ((8, 5), (1, 3), (2, 1), 'VALID', False),
    ((7, 7), (4, 2), 3, 'VALID', False),
    ((6, 5), 1, 2, 'VALID', False),
    ((7, 7), 3, 2, 1, False),
    ((6, 8), 3, 2, 0, True),
    ((5, 6), 2, 3, 1, True),
    ((6, 5), 4, 4, ((2, 0), (0, 3)), True),
    ((4, 4), 2, 2, ((1, 1), (1, 1)), False),
    ((19, 18), 2, 2, 'SAME', False),
]


def drawn(case, n=2, c=3, seed=0, low=-3, high=3):
    """(Windows, x, G_y) on the host: whole numbers from low to high - 1, so that windows hold equal ones."""
    sides, ksize, stride, padding, ceil = case
    place = windows(sides, ksize, stride, padding, ceil)
    check_windows(place)
    draws = np.random.RandomState(seed)
    x = draws.randint(low, high, (n, *sides, c)).astype('float64')
    return place, x, draws.normal(size=(n, *place.output_sides, c)).astype('float32').astype('float64')


def real_pixels(place):
    """((row, column) of a window, its real pixels as an index of rows and columns), one window after the other."""

    def inside(axis, i):
        start = axis.start + i * axis.step
        return slice(max(start, 0), min(start + axis.kernel, axis.size))

    for row, column in np.ndindex(place.output_sides):
        yield (row, column), (inside(place.rows, row), inside(place.columns, column))


def max_by_windows(x, G_y, place):
    y, G_x = np.zeros(G_y.shape), np.zeros(x.shape)
    for output, (rows, columns) in real_pixels(place):
        for image, channel in np.ndindex(len(x), x.shape[3]):
            window = x[image, rows, columns, channel]
            i, j = np.unravel_index(window.argmax(), window.shape)  # the first one, row by row
            y[image, *output, channel] = window[i, j]
            G_x[image, rows.start + i, columns.start + j, channel] += G_y[image, *output, channel]
    return y, G_x


def avg_by_windows(x, G_y, place):
    y, G_x = np.zeros(G_y.shape), np.zeros(x.shape)
    for (row, column), (rows, columns) in real_pixels(place):
        window = x[:, rows, columns]
        y[:, row, column] = window.mean(axis=(1, 2))
        G_x[:, rows, columns] += G_y[:, row : row + 1, column : column + 1] / (window.shape[1] * window.shape[2])
    return y, G_x


def full_avg_by_windows(x, G_y, place):
    """Every window has the same number of places, whether there is a picture or not."""
    y, G_x = np.zeros(G_y.shape), np.zeros(x.shape)
    share = 1 / (place.rows.kernel * place.columns.kernel)
    for (row, column), (rows, columns) in real_pixels(place):
        y[:, row, column] = x[:, rows, columns].sum(axis=(1, 2)) * share
        G_x[:, rows, columns] += G_y[:, row : row + 1, column : column + 1] * share
    return y, G_x


def ours_max(x, G_y, place):
    y, aux = max_pool(x, place)
    return y, max_pool_dx(G_y, place, aux)


def ours_avg(x, G_y, place):
    return avg_pool(x, place), avg_pool_dx(G_y, place)


def ours_full_avg(x, G_y, place):
    return avg_pool(x, place, outside=True), avg_pool_dx(G_y, place, outside=True)


EVERY = pytest.mark.parametrize(
    ('ours', 'by_windows'),
    [(ours_max, max_by_windows), (ours_avg, avg_by_windows), (ours_full_avg, full_avg_by_windows)],
    ids=['max', 'avg', 'full avg'],
)


def assert_close(found, expected, dtype='float64'):
    for name, one, other in zip(('y', 'G_x'), found, expected, strict=True):
        assert str(one.dtype) == dtype, name
        assert one.shape == other.shape, name
        assert np.abs(to_host(one) - other).max() <= TOLERANCE[dtype] * np.abs(other).max(), name


def channel(numbers):
    """A picture of one channel, in float64 on the device."""
    with precision('float64'):
        return to_device(np.array(numbers, dtype='float64')[None, :, :, None])


def plane(array):
    return to_host(array)[0, :, :, 0].tolist()


def test_pooling_by_hand():
    x = channel([[1, 2, 3, 4], [5, 8, 7, 6], [9, 1, -2, -3], [4, 2, -1, -9]])
    G_y = channel([[1, 2], [3, 4]])
    place = windows((4, 4), 2, 2)
    y, aux = max_pool(x, place)
    assert plane(y) == [[8, 7], [9, -1]]
    assert plane(max_pool_dx(G_y, place, aux)) == [[0, 0, 0, 0], [0, 1, 2, 0], [3, 0, 0, 0], [0, 0, 4, 0]]
    assert plane(avg_pool(x, place)) == [[4, 5], [4, -3.75]]
    assert plane(avg_pool_dx(G_y, place)) == [[0.25, 0.25, 0.5, 0.5]] * 2 + [[0.75, 0.75, 1, 1]] * 2


def test_overlapping_windows_by_hand():
    x = channel([[1, 5, 2], [4, 3, 6]])
    place = windows((2, 3), 2, 1, 'VALID')
    G_y = channel([[10, 20]])
    y, aux = max_pool(x, place)
    assert plane(y) == [[5, 6]]
    assert plane(max_pool_dx(G_y, place, aux)) == [[0, 10, 0], [0, 0, 20]]
    assert plane(avg_pool(x, place)) == [[3.25, 4]]
    assert plane(avg_pool_dx(G_y, place)) == [[2.5, 7.5, 5]] * 2


def test_places_outside_the_picture_do_not_count():
    x = channel([[-1, -2, -3], [-4, -5, -6], [-7, -8, -9]])
    place = windows((3, 3), 3, 1, 'SAME')
    y, _ = max_pool(x, place)
    assert plane(y) == [[-1, -1, -2], [-1, -1, -2], [-4, -4, -5]]
    assert plane(avg_pool(x, place)) == [[-3, -3.5, -4], [-4.5, -5, -5.5], [-6, -6.5, -7]]


def test_places_outside_the_picture_count_as_zeros_if_asked_for():
    x, ones = channel([[-1, -2, -3], [-4, -5, -6], [-7, -8, -9]]), channel(np.ones((3, 3)))
    place = windows((3, 3), 3, 1, 'SAME')
    sums = [[-12, -21, -16], [-27, -45, -33], [-24, -39, -28]]
    assert plane(avg_pool(x, place, outside=True)) == [pytest.approx([each / 9 for each in row]) for row in sums]
    shares = [[4 / 9, 6 / 9, 4 / 9], [6 / 9, 1, 6 / 9], [4 / 9, 6 / 9, 4 / 9]]
    assert plane(avg_pool_dx(ones, place, outside=True)) == [pytest.approx(row) for row in shares]


def test_a_window_that_reaches_beyond_the_padding_counts_as_far_as_asked_for():
    # Windows of 2 from place -1 on, rounded up: the last one has one pixel and a place beyond the padding.
    place = windows((1, 4), (1, 2), 2, ((0, 0), (1, 0)), ceil=True)
    x, G_y = channel([[2, 4, 6, 8]]), channel([[1, 1, 1]])
    assert plane(avg_pool(x, place)) == [[2, 5, 8]]
    assert plane(avg_pool(x, place, outside=True)) == [[1, 5, 4]]
    assert plane(avg_pool(x, place, outside=((0, 0), (1, 0)))) == [[1, 5, 8]]
    assert plane(avg_pool_dx(G_y, place, outside=((0, 0), (1, 0)))) == [[0.5, 0.5, 0.5, 1]]


@pytest.mark.parametrize(
    ('window', 'first'),
    [
        ([[1, 1], [1, 1]], [[1, 0], [0, 0]]),
        ([[0, 1], [1, 1]], [[0, 1], [0, 0]]),
        ([[0, 0], [1, 1]], [[0, 0], [1, 0]]),
        ([[1, 2, 3], [3, 3, 0], [3, 0, 3]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]),
        ([[0, 0, 0], [0, 0, 4], [4, 4, 4]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
    ],
)
def test_of_equal_pixels_the_first_one_row_by_row_gets_the_gradient(window, first):
    x = channel(window)
    place = windows(x.shape[1:3], len(window), 1, 'VALID')
    y, aux = max_pool(x, place)
    assert plane(max_pool_dx(y * 0 + 1, place, aux)) == first


@EVERY
@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_each_case_follows_its_windows(case, dtype, ours, by_windows):
    place, x, G_y = drawn(case)
    with precision(dtype):
        assert_close(ours(to_device(x), to_device(G_y), place), by_windows(x, G_y, place), dtype)


@EVERY
@pytest.mark.parametrize('kernel', range(1, 7))
def test_every_window_and_stride(kernel, ours, by_windows):
    draws = np.random.RandomState(kernel)
    for stride in range(1, 5):
        for padding in ('SAME', 'VALID', kernel // 2, ((kernel - 1, 0), (0, kernel // 3))):
            for ceil in (False, True) if not isinstance(padding, str) else (False,):
                sides = tuple((kernel + stride + draws.randint(0, 4, 2)).tolist())
                place, x, G_y = drawn(
                    (sides, (kernel, int(draws.randint(1, 7)) if padding == 'SAME' else kernel), stride, padding, ceil),
                    n=1,
                    c=2,
                )
                with precision('float64'):
                    assert_close(ours(to_device(x), to_device(G_y), place), by_windows(x, G_y, place))


def orders(x):
    """The same map [n, h, w, c] in several orders of memory, and as a part of larger maps."""
    n, h, w, c = x.shape
    wider = np.full((n, 2 * h, w + 3, 2 * c), 7.0)
    wider[:, ::2, 2:-1, 1::2] = x
    batch = np.concatenate([x, x + 1])
    return {
        'channels innermost': to_device(x),
        'in planes': planes.ordered(to_device(x), True),
        'columns outermost': to_device(np.ascontiguousarray(x.transpose(2, 1, 0, 3))).transpose(2, 1, 0, 3),
        'cut out': to_device(wider)[:, ::2, 2:-1, 1::2],
        'backwards': to_device(np.ascontiguousarray(x[:, ::-1, :, ::-1]))[:, ::-1, :, ::-1],
        'half a batch in planes': planes.ordered(to_device(batch), True)[:n],
    }


@EVERY
@pytest.mark.parametrize('case', [CASES[2], CASES[4], CASES[10], CASES[13], CASES[15]], ids=str)
def test_results_do_not_depend_on_the_order_of_memory(case, ours, by_windows):
    place, x, G_y = drawn(case)
    expected = by_windows(x, G_y, place)
    with precision('float64'):
        for map_x in orders(x).values():
            for map_G in orders(G_y).values():
                assert_close(ours(map_x, map_G, place), expected)


@EVERY
@pytest.mark.parametrize('case', CASES, ids=str)
def test_inputs_stay_and_results_outlive_the_next_call(case, ours, by_windows):
    place, x, G_y = drawn(case)
    _, other_x, other_G = drawn(case, seed=1, low=5, high=9)
    with precision('float64'):
        arrays = to_device(x.copy()), to_device(G_y.copy())
        first = ours(*arrays, place)
        kept = [to_host(array).copy() for array in first]
        ours(to_device(other_x), to_device(other_G), place)
        for array, before in zip((*first, *arrays), (*kept, x, G_y), strict=True):
            assert np.array_equal(to_host(array), before)
        # A map that is changed afterwards, such as by a ReLU in place, leaves what came in alone.
        for array in first:
            array += 1
        for array, before in zip(arrays, (x, G_y), strict=True):
            assert np.array_equal(to_host(array), before)


@pytest.mark.parametrize('case', CASES[1:8], ids=str)
def test_gradients_follow_finite_differences(case):
    place, x, G_y = drawn(case)
    x = np.random.RandomState(9).permutation(x.size).reshape(x.shape).astype('float64')  # no two alike
    with precision('float64'):
        x, G_y = to_device(x), to_device(G_y)
        y, aux = max_pool(x, place)
        for pool, gradient in (
            (lambda: max_pool(x, place)[0], max_pool_dx(G_y, place, aux)),
            (lambda: avg_pool(x, place), avg_pool_dx(G_y, place)),
            (lambda: avg_pool(x, place, outside=True), avg_pool_dx(G_y, place, outside=True)),
        ):
            result = check_gradient(lambda p=pool: (p() * G_y).sum(), x, gradient, samples=20, h=0.1, show=False)
            assert result.error < 1e-8, result


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (((4, 4), 2, 1, 2), 'a padding of 2 and 2 some windows of 2 pixels lie outside the 4 pixels altogether'),
        (((4, 4), 2, 1, ((0, 0), (0, 2))), 'a padding of 0 and 2 some windows of 2 pixels'),
        (((4, 4), (1, 3), 1, ((1, 0), (1, 1))), 'a padding of 1 and 0 some windows of 1 pixels'),
    ],
)
def test_windows_that_see_nothing_are_refused(arguments, words):
    with pytest.raises(ConfigError, match=words):
        check_windows(windows(*arguments))
