"""Winograd's convolution is the same convolution, and it is taken where it should be."""

import numpy as np
import pytest

from mathlib import backend, winograd
from mathlib.backend import precision, to_device, to_host
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.windows import windows


def drawn(place, n, c, o, seed=0):
    """Device arrays x, w and G_y for some Windows."""
    draws = np.random.RandomState(seed)
    shapes = (n, *place.input_sides, c), (*place.ksize, c, o), (n, *place.output_sides, o)
    return [to_device(draws.normal(size=shape).astype('float32')) for shape in shapes]


def three(x, w, G_y, place):
    """y, G_w and G_x as host arrays."""
    results = conv2d(x, w, None, place), conv2d_dw(x, G_y, place)[0], conv2d_dx(G_y, w, place)
    return [to_host(array) for array in results]


def largest_error(found, expected):
    """Of y, G_w and G_x the largest error, relative to the largest number of each."""
    pairs = zip(found, expected, strict=True)
    return max(np.abs(one - other).max() / np.abs(other).max() for one, other in pairs)


@pytest.fixture
def always(monkeypatch):
    """Winograd for any number of channels; gives the list of the shapes that were convolved so."""
    monkeypatch.setattr(winograd, 'LEAST_CHANNELS', 1)
    calls, convolve = [], winograd.conv2d

    def noted(x, *rest):
        calls.append(x.shape)
        return convolve(x, *rest)

    monkeypatch.setattr(winograd, 'conv2d', noted)
    return calls


def test_every_pixel_meets_every_weight_where_it_should(always):
    """A tile of 6x6 pixels with a single 1, under kernels with a single 1: exactly one output, or none, is 1."""
    with precision('float64'):
        pixels, weights = to_device(np.eye(36).reshape(36, 6, 6, 1)), to_device(np.eye(9).reshape(3, 3, 1, 9))
        y = to_host(conv2d(pixels, weights, None, windows((6, 6), 3, 1, 'VALID')))
    expected = np.zeros((6, 6, 4, 4, 3, 3))
    for row, column, i, j in np.ndindex(4, 4, 3, 3):
        expected[row + i, column + j, row, column, i, j] = 1
    assert np.abs(y - expected.reshape(36, 4, 4, 9)).max() < 1e-14
    assert always == ([(36, 6, 6, 1)] if backend.name == 'numpy' else [])


@pytest.mark.parametrize('padding', ['SAME', 'VALID', 2, 3, ((0, 1), (2, 0)), ((4, 0), (0, 5))], ids=str)
def test_tiles_may_reach_over_every_edge(padding, always, monkeypatch):
    with precision('float64'):
        for sides in [(5, 5), (6, 7), (8, 5), (9, 10), (5, 13), (11, 6), (12, 12)]:
            place = windows(sides, 3, 1, padding)
            arrays = drawn(place, 2, 3, 4)
            by_tiles = three(*arrays, place)
            with monkeypatch.context() as direct:
                direct.setattr(winograd, 'LEAST_CHANNELS', 1000)
                expected = three(*arrays, place)
            assert largest_error(by_tiles, expected) < 1e-12, sides
    assert bool(always) == (backend.name == 'numpy')


@pytest.mark.parametrize(
    ('sides', 'ksize', 'stride', 'padding'),
    [
        ((9, 9), 3, 2, 'SAME'),
        ((9, 9), 3, (1, 2), 'SAME'),
        ((9, 9), 5, 1, 'SAME'),
        ((9, 9), (3, 1), 1, 'SAME'),
        ((9, 9), 1, 1, 'SAME'),
        ((3, 9), 3, 1, 'VALID'),
    ],
)
def test_only_whole_tiles_of_3x3_kernels_at_stride_1_go_this_way(sides, ksize, stride, padding, always):
    place = windows(sides, ksize, stride, padding)
    x, w, _ = drawn(place, 1, 4, 4)
    conv2d(x, w, None, place)
    assert always == []


@pytest.mark.parametrize(
    ('n', 'side', 'c', 'o'), [(1, 4, 32, 256), (1, 7, 256, 256), (4, 14, 64, 96), (1, 28, 256, 256), (1, 56, 32, 64)]
)
def test_float32_keeps_its_digits(n, side, c, o, monkeypatch):
    """The change of basis makes rounding errors larger: with many channels, too, they must stay under 1e-5."""
    place = windows((side, side), 3)
    with precision('float32'):
        arrays = drawn(place, n, c, o)
        by_tiles = three(*arrays, place)
    monkeypatch.setattr(winograd, 'LEAST_CHANNELS', 1000)
    with precision('float64'):
        expected = three(*(to_device(to_host(array)) for array in arrays), place)
    assert [array.dtype for array in by_tiles] == [np.float32] * 3
    assert largest_error(by_tiles, expected) < 1e-5
