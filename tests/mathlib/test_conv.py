"""Convolution and its gradients beside a convolution that is written window by window, in float64."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mathlib import planes, scratch, team, winograd
from mathlib.backend import precision, to_device, to_host
from mathlib.conv import _interleaved, _scattered, channel_sums, conv2d, conv2d_dw, conv2d_dx
from mathlib.errors import ConfigError
from mathlib.functions import ACTIVATIONS, activate
from mathlib.gradcheck import check_gradient
from mathlib.pool import max_pool
from mathlib.windows import windows

TOLERANCE = {'float64': 1e-12, 'float32': 1e-5}

# (n, (h, w), (kh, kw), stride, padding, c, o)
CASES = [
    (1, (1, 1), 1, 1, 'SAME', 1, 1),
    (2, (5, 5), 3, 1, 'SAME', 2, 3),
    (2, (6, 7), (2, 4), 1, 'SAME', 3, 2),
    (1, (8, 5), (1, 3), 2, 'SAME', 4, 5),
    (3, (9, 9), 3, 3, 'SAME', 1, 6),
    (1, (3, 2), (7, 5), 1, 'SAME', 2, 2),
    (1, (2, 3), 11, 1, 'SAME', 1, 2),
    (2, (12, 11), 11, 4, 'SAME', 3, 4),
    (2, (4, 9), (4, 1), (1, 4), 'SAME', 5, 1),
    (1, (7, 7), 3, 1, 'VALID', 2, 4),
    (2, (9, 6), (4, 3), (2, 1), 'VALID', 1, 1),
    (1, (10, 10), 2, 3, 'VALID', 6, 3),
    (1, (11, 5), (11, 5), 1, 'VALID', 2, 3),
    (2, (6, 6), 1, 1, 'VALID', 4, 7),
    (2, (6, 6), 1, 2, 'VALID', 4, 7),
    (1, (7, 7), 1, 4, 'SAME', 2, 2),
    (1, (5, 5), 3, 1, 1, 3, 3),
    (2, (8, 8), 7, 2, 3, 3, 4),
    (1, (4, 4), 2, 1, 5, 2, 2),
    (1, (3, 3), 1, 2, 4, 1, 3),
    (1, (2, 2), 6, 2, 2, 2, 2),
    (2, (5, 6), 3, 1, ((0, 1), (2, 0)), 2, 3),
    (1, (7, 4), (5, 2), (3, 2), ((4, 0), (0, 2)), 3, 2),
    (2, (17, 20), 3, 1, 'SAME', 3, 6),
    (2, (17, 20), 3, 1, 'SAME', 6, 33),
    (2, (20, 17), (3, 5), (2, 1), 'SAME', 6, 12),
    (1, (18, 18), 5, 1, 'VALID', 12, 3),
    (2, (7, 9), 3, 1, 'SAME', 33, 34),
    (1, (10, 6), 3, 1, ((2, 0), (1, 2)), 32, 40),
    (3, (16, 17), 1, 1, 'SAME', 40, 5),
]


def drawn(case, dtype='float64', seed=0):
    """(Windows, [x, w, b, G_y]) of a case, drawn on the host in float32, so that both types get the same numbers."""
    n, sides, ksize, stride, padding, c, o = case
    place = windows(sides, ksize, stride, padding)
    shapes = (n, *sides, c), (*place.ksize, c, o), (o,), (n, *place.output_sides, o)
    draws = np.random.RandomState(seed)
    return place, [draws.normal(size=shape).astype('float32').astype(dtype) for shape in shapes]


def by_windows(x, w, b, G_y, place):
    """[y, G_w, G_b, G_x], one window after the other, on pictures with zeros around them."""
    rows, columns = place.rows, place.columns
    around = [(0, 0), (rows.before, rows.after), (columns.before, columns.after), (0, 0)]
    padded = np.pad(x, around)
    y, G_w, G_padded = np.zeros(G_y.shape), np.zeros(w.shape), np.zeros(padded.shape)
    for image, row, column in np.ndindex(G_y.shape[:3]):
        top = rows.start + row * rows.step + rows.before
        left = columns.start + column * columns.step + columns.before
        window = np.s_[image, top : top + rows.kernel, left : left + columns.kernel]
        y[image, row, column] = np.tensordot(padded[window], w, 3) + b
        G_w += padded[window][..., None] * G_y[image, row, column]
        G_padded[window] += w @ G_y[image, row, column]
    down, across = (slice(axis.before, axis.before + axis.size) for axis in (rows, columns))
    return [y, G_w, G_y.sum(axis=(0, 1, 2)), G_padded[:, down, across]]


def ours(x, w, b, G_y, place):
    """The same by mathlib.conv, for device arrays."""
    return [conv2d(x, w, b, place), *conv2d_dw(x, G_y, place), conv2d_dx(G_y, w, place)]


def assert_close(found, expected, dtype='float64'):
    for name, one, other in zip(('y', 'G_w', 'G_b', 'G_x'), found, expected, strict=True):
        assert str(one.dtype) == dtype, name
        one, other = to_host(one), to_host(other)
        assert one.shape == other.shape, name
        assert np.abs(one - other).max() <= TOLERANCE[dtype] * np.abs(other).max(), name


def picture():
    """A picture of 3x3 pixels, 1 to 9, and a kernel of 2x2 numbers, 1 to 4, in float64 on the device."""
    with precision('float64'):
        x = to_device(np.arange(1.0, 10.0).reshape(1, 3, 3, 1))
        return x, to_device(np.arange(1.0, 5.0).reshape(2, 2, 1, 1))


def plane(array):
    return to_host(array)[0, :, :, 0].tolist()


def test_a_valid_convolution_by_hand():
    x, w = picture()
    place = windows((3, 3), 2, 1, 'VALID')
    y = conv2d(x, w, w[0, 0, 0] * 10, place)
    assert plane(y) == [[47, 57], [77, 87]]  # 1*1 + 2*2 + 4*3 + 5*4 + 10
    G_y = y * 0 + 1
    G_w, G_b = conv2d_dw(x, G_y, place)
    assert to_host(G_w)[:, :, 0, 0].tolist() == [[12, 16], [24, 28]]  # 1 + 2 + 4 + 5 under the kernel's first number
    assert to_host(G_b).tolist() == [4]
    assert plane(conv2d_dx(G_y, w, place)) == [[1, 3, 2], [4, 10, 6], [3, 7, 4]]


def test_a_padded_convolution_with_a_stride_by_hand():
    x, w = picture()
    place = windows((3, 3), 2, 2, 1)
    y = conv2d(x, w, None, place)
    assert plane(y) == [[4, 18], [36, 77]]  # 1*4, 2*3 + 3*4, 4*2 + 7*4, 5*1 + 6*2 + 8*3 + 9*4
    assert plane(conv2d_dx(y, w, place)) == [[16, 54, 72], [72, 77, 154], [144, 231, 308]]
    G_w, G_b = conv2d_dw(x, y, place)
    # The kernel's first number lay on 5 only, its last one on 1, 3, 7 and 9.
    assert to_host(G_w)[:, :, 0, 0].tolist() == [[5 * 77, 4 * 36 + 6 * 77], [2 * 18 + 8 * 77, 4 + 54 + 252 + 693]]
    assert to_host(G_b).tolist() == [135]


def test_windows_beside_the_picture_see_only_the_bias():
    x, w = picture()
    place = windows((3, 3), 2, 1, 4)
    y = to_host(conv2d(x, w, w[0, 0, 0] * 7, place))[0, :, :, 0]
    assert y.shape == (10, 10)
    assert y[0, 0] == y[2, 5] == y[9, 9] == 7
    assert y[3, 3] == 1 * 4 + 7


@pytest.mark.parametrize('in_planes', [False, True])
@pytest.mark.parametrize('case', [case for case in CASES if case[3] != 1], ids=str)
def test_both_ways_back_through_a_stride_agree(case, in_planes):
    place, draws = drawn(case)
    expected = by_windows(*draws, place)[3]
    with precision('float64'):
        _, w, _, G_y = map(to_device, draws)
        G_y = planes.ordered(G_y, in_planes)
        for way in (_scattered, _interleaved):
            assert np.abs(to_host(way(G_y, w, place)) - expected).max() <= 1e-12 * np.abs(expected).max(), way


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_each_case_follows_its_windows(case, dtype):
    place, arrays = drawn(case)
    with precision(dtype):
        found = ours(*map(to_device, arrays), place)
    assert_close(found, by_windows(*arrays, place), dtype)


@pytest.mark.parametrize('kernel', range(1, 12))
def test_every_kernel_and_stride(kernel):
    draws = np.random.RandomState(kernel)
    for stride in range(1, 5):
        for padding in ('SAME', 'VALID', int(draws.randint(0, 3)), ((0, kernel), (kernel // 2, 1))):
            ksize = kernel, int(draws.randint(1, 12))
            least = stride if padding == 'SAME' else stride - 1 + np.array(ksize)
            sides = tuple((least + draws.randint(0, 5, 2)).tolist())
            case = 1, sides, ksize, stride, padding, 2, 2
            place, arrays = drawn(case)
            with precision('float64'):
                found = ours(*map(to_device, arrays), place)
            assert_close(found, by_windows(*arrays, place))


# One case for each way through the engine: few channels, many, strided, 1x1, Winograd.
WAYS = [
    (3, (20, 18), 3, 1, 'SAME', 3, 6),
    (3, (9, 18), (5, 2), 1, 'VALID', 8, 6),
    (2, (19, 20), 5, 2, 'SAME', 6, 33),
    (4, (17, 17), 1, 1, 'SAME', 12, 40),
    (8, (16, 16), 3, 1, 'SAME', 32, 33),
    (2, (13, 6), 3, 1, 0, 40, 36),
]


def wherever_it_can(*arguments):
    """In the place of winograd.pays: for every 3x3 kernel at stride 1. The Windows are the last argument."""
    return arguments[-1].ksize == (3, 3) and arguments[-1].stride == (1, 1)


def nowhere(*arguments):
    return False


@pytest.mark.parametrize('case', WAYS, ids=str)
@pytest.mark.parametrize(
    ('module', 'name', 'values'),
    [
        (scratch, 'BLOCK', [1, 1000, 1 << 30]),
        (planes, 'FEW', [0, 1000]),
        (planes, 'WIDE', [1, 1000]),
        (winograd, 'pays', [wherever_it_can, nowhere]),
    ],
)
def test_results_do_not_depend_on_what_is_set_for_speed(case, module, name, values, monkeypatch):
    place, arrays = drawn(case)
    expected = by_windows(*arrays, place)
    with precision('float64'):
        for value in values:
            monkeypatch.setattr(module, name, value)
            assert_close(ours(*map(to_device, arrays), place), expected)


def orders(x):
    """The same map [n, h, w, c] in several orders of memory, and as a part of larger maps."""
    n, h, w, c = x.shape
    wider = np.full((n, 2 * h, w + 3, 2 * c), 7.0)
    wider[:, ::2, 2:-1, 1::2] = x
    batch = np.concatenate([x, x + 1, x])
    return {
        'in planes': planes.ordered(to_device(x), True),
        'columns outermost': to_device(np.ascontiguousarray(x.transpose(2, 1, 0, 3))).transpose(2, 1, 0, 3),
        'channels, then pictures': to_device(np.ascontiguousarray(x.transpose(3, 0, 1, 2))).transpose(1, 2, 3, 0),
        'cut out': to_device(wider)[:, ::2, 2:-1, 1::2],
        'backwards': to_device(np.ascontiguousarray(x[:, ::-1, :, ::-1]))[:, ::-1, :, ::-1],
        'half a batch': to_device(batch)[2 * n :],
        'half a batch in planes': planes.ordered(to_device(batch), True)[:n],
    }


@pytest.mark.parametrize('case', WAYS, ids=str)
def test_results_do_not_depend_on_the_order_of_memory(case):
    place, (x, w, b, G_y) = drawn(case)
    expected = by_windows(x, w, b, G_y, place)
    with precision('float64'):
        kernel, bias = to_device(w), to_device(b)
        for name, map_x in orders(x).items():
            assert np.array_equal(to_host(map_x), x), name
            for map_G in (to_device(G_y), orders(G_y)[name]):
                assert_close(ours(map_x, kernel, bias, map_G, place), expected)
        turned = to_device(np.ascontiguousarray(w.transpose(3, 0, 2, 1))).transpose(1, 3, 2, 0)
        assert_close(ours(to_device(x), turned, bias, to_device(G_y), place), expected)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('case', WAYS, ids=str)
def test_inputs_stay_and_a_second_run_gives_the_same_bits(case, dtype):
    place, host_arrays = drawn(case)
    with precision(dtype):
        arrays = [to_device(array) for array in host_arrays]
        first = [to_host(array) for array in ours(*arrays, place)]
        second = [to_host(array) for array in ours(*arrays, place)]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    for array, before in zip(arrays, host_arrays, strict=True):
        assert np.array_equal(to_host(array), before)


@pytest.mark.parametrize('case', WAYS, ids=str)
def test_results_outlive_the_next_call(case):
    place, arrays = drawn(case)
    _, others = drawn(case, seed=1)
    with precision('float64'):
        kept = ours(*map(to_device, arrays), place)
        before = [to_host(array).copy() for array in kept]
        after = ours(*map(to_device, others), place)
    for array, copy, other in zip(kept, before, after, strict=True):
        assert np.array_equal(to_host(array), copy)
        assert not np.array_equal(to_host(other), copy)


def test_threads_do_not_disturb_each_other():
    with precision('float64'):
        work = []
        for seed in range(4):
            for case in WAYS:
                place, arrays = drawn(case, seed=seed)
                work.append(([to_device(array) for array in arrays], place))
        alone = [[to_host(array) for array in ours(*arrays, place)] for arrays, place in work]
        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(lambda one: ours(*one[0], one[1]), work))
    for found, expected in zip(together, alone, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(to_host(one), other)


@pytest.mark.parametrize('case', [*CASES[1:4], WAYS[2], WAYS[4]], ids=str)
def test_gradients_follow_finite_differences(case):
    place, arrays = drawn(case)
    with precision('float64'):
        x, w, b, G_y = map(to_device, arrays)
        G_w, G_b = conv2d_dw(x, G_y, place)
        for array, gradient in ((x, conv2d_dx(G_y, w, place)), (w, G_w), (b, G_b)):
            result = check_gradient(
                lambda: (conv2d(x, w, b, place) * G_y).sum(), array, gradient, samples=12, h=1e-3, show=False
            )
            assert result.error < 1e-8, result


@pytest.mark.parametrize('actfunc', ACTIVATIONS)
@pytest.mark.parametrize('case', WAYS, ids=str)
def test_an_activation_on_the_way_is_the_one_afterwards(case, actfunc):
    place, arrays = drawn(case)
    with precision('float64'):
        x, w, b, _ = map(to_device, arrays)
        expected = activate(actfunc, conv2d(x, w, b, place))
        assert_close([conv2d(x, w, b, place, actfunc)] * 4, [expected] * 4)


@pytest.mark.parametrize('case', WAYS, ids=str)
def test_without_a_bias_it_is_zero(case):
    place, arrays = drawn(case)
    with precision('float64'):
        x, w, b, _ = map(to_device, arrays)
        assert np.array_equal(to_host(conv2d(x, w, None, place)), to_host(conv2d(x, w, b * 0, place)))


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (3, 4, 5, 1), (2, 7, 16, 3), (1, 1, 9, 40)])
@pytest.mark.parametrize('in_planes', [False, True])
def test_channel_sums(shape, in_planes, dtype):
    host_map = np.random.RandomState(4).randint(-9, 10, shape).astype('float64')
    with precision(dtype):
        sums = channel_sums(planes.ordered(to_device(host_map), in_planes))
    assert str(sums.dtype) == dtype
    assert to_host(sums).tolist() == host_map.sum(axis=(0, 1, 2)).tolist()


def test_threads_on_planes_do_not_take_each_others_memory(monkeypatch):
    """With small blocks, so that memory is given away and asked for all the time."""
    place, (x, w, _, _) = drawn((8, (40, 40), 7, 2, 3, 3, 40), 'float32')
    x, w = to_device(x), to_device(w)
    expected = to_host(conv2d(x, w, None, place))
    monkeypatch.setattr(scratch, 'BLOCK', 2000)
    for _ in range(5):
        found = team.run(4, lambda member: to_host(conv2d(x[member.part(8)], w, None, place)))
        np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('x', 'w'), [((1, 5, 6, 3), (3, 3, 3, 2)), ((1, 6, 6, 3), (3, 3, 4, 2)), ((1, 6, 6, 3), (1, 9, 3, 2))]
)
def test_pictures_kernels_and_windows_that_do_not_fit_are_refused_with_their_shapes(x, w):
    place = windows((6, 6), 3)
    pictures, kernels = (to_device(np.ones(shape)) for shape in (x, w))
    with pytest.raises(ConfigError, match=re.escape(f'pictures {list(x)} and kernels {list(w)} do not fit')):
        conv2d(pictures, kernels, None, place)


def test_pooling_refuses_pictures_of_other_sides():
    with pytest.raises(ConfigError, match=re.escape('pictures [1, 4, 6, 2] do not fit: expected sides of [6, 6]')):
        max_pool(to_device(np.ones((1, 4, 6, 2))), windows((6, 6), 2, 2))
