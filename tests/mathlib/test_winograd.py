"""Winograd's convolution is the same convolution, and it is taken where it should be."""

import numpy as np
import pytest

from mathlib import backend, conv, winograd
from mathlib.backend import precision, to_device, to_host
from mathlib.windows import windows


def drawn(place, n, c, o):
    """Device arrays x, w, b and G_y for some Windows."""
    draws = np.random.RandomState(0)
    shapes = (n, *place.input_sides, c), (3, 3, c, o), (o,), (n, *place.output_sides, o)
    return [to_device(draws.normal(size=shape).astype('float32')) for shape in shapes]


@pytest.fixture
def direct(monkeypatch):
    """Turns Winograd's convolution off; gives a function for y and G_w of mathlib.conv, as host arrays."""
    monkeypatch.setattr(winograd, 'pays', lambda *arguments: False)

    def both(x, w, b, G_y, place):
        return to_host(conv.conv2d(x, w, b, place)), to_host(conv.conv2d_dw(x, G_y, place)[0])

    return both


def by_tiles(x, w, b, G_y, place):
    """The same two by tiles, whether that pays or not."""
    y, G_w = winograd.conv2d(x, w, b, place, 'none'), winograd.conv2d_dw(x, G_y, place)
    return to_host(y), to_host(G_w)


def largest_error(found, expected):
    """Of y and G_w the largest error, relative to the largest number of each."""
    pairs = zip(found, expected, strict=True)
    return max(np.abs(one - other).max() / np.abs(other).max() for one, other in pairs)


def test_every_pixel_meets_every_weight_where_it_should():
    """A tile of 6x6 pixels with a single 1, under kernels with a single 1: exactly one output, or none, is 1."""
    place = windows((6, 6), 3, 1, 'VALID')
    with precision('float64'):
        pixels, weights = to_device(np.eye(36).reshape(36, 6, 6, 1)), to_device(np.eye(9).reshape(3, 3, 1, 9))
        y = to_host(winograd.conv2d(pixels, weights, None, place, 'none'))
    expected = np.zeros((6, 6, 4, 4, 3, 3))
    for row, column, i, j in np.ndindex(4, 4, 3, 3):
        expected[row + i, column + j, row, column, i, j] = 1
    assert np.abs(y - expected.reshape(36, 4, 4, 9)).max() < 1e-13


@pytest.mark.parametrize('padding', ['SAME', 'VALID', 2, 3, ((0, 1), (2, 0)), ((4, 0), (0, 5))], ids=str)
def test_tiles_may_reach_over_every_edge(padding, direct):
    with precision('float64'):
        for sides in [(3, 3), (5, 5), (6, 7), (8, 5), (9, 10), (5, 13), (11, 6), (12, 12)]:
            place = windows(sides, 3, 1, padding)
            arrays = drawn(place, 2, 3, 4)
            assert largest_error(by_tiles(*arrays, place), direct(*arrays, place)) < 1e-12, sides


@pytest.mark.parametrize(
    ('n', 'side', 'c', 'o'), [(1, 4, 32, 256), (1, 7, 256, 256), (4, 14, 64, 96), (1, 28, 256, 256), (1, 56, 32, 64)]
)
def test_float32_keeps_its_digits(n, side, c, o, direct):
    """The change of basis makes rounding errors larger: with many channels, too, they must stay under 1e-5."""
    place = windows((side, side), 3)
    with precision('float32'):
        arrays = drawn(place, n, c, o)
        found = by_tiles(*arrays, place)
    with precision('float64'):
        expected = direct(*(to_device(to_host(array)) for array in arrays), place)
    assert [array.dtype for array in found] == [np.float32] * 2
    assert largest_error(found, expected) < 1e-5


def test_a_processor_goes_this_way_for_large_maps_of_many_channels_only():
    large = windows((28, 28), 3)
    assert winograd.pays(16, 64, 64, large) == (backend.name == 'numpy')
    assert not winograd.pays(16, 8, 64, large)
    assert not winograd.pays(16, 64, 8, large)
    assert not winograd.pays(1, 256, 256, windows((2, 2), 3))


@pytest.mark.parametrize(('ksize', 'stride'), [(3, 2), (3, (1, 2)), (5, 1), ((3, 1), 1), (1, 1)])
def test_only_3x3_kernels_at_stride_1_go_this_way(ksize, stride):
    assert not winograd.pays(16, 64, 64, windows((28, 28), ksize, stride))


def test_convolution_goes_this_way_where_it_pays(monkeypatch):
    taken = []

    def noted(name):
        function = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *arguments: taken.append(name) or function(*arguments))

    noted('conv2d')
    noted('conv2d_dw')
    place = windows((16, 16), 3)
    x, w, b, G_y = drawn(place, 8, 32, 33)
    conv.conv2d(x, w, b, place)
    conv.conv2d_dw(x, G_y, place)
    conv.conv2d_dx(G_y, w, place)
    assert taken == (['conv2d', 'conv2d_dw', 'conv2d'] if backend.name == 'numpy' else [])
