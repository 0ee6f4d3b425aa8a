"""Batch normalisation beside the definition in float64, finite differences, and teams beside one member alone."""

import numpy as np
import pytest

from mathlib import planes, scratch, team
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.gradcheck import check_gradient
from mathlib.norm import batch_norm, batch_norm_dx, normalize

EPSILON = 1e-3
# (shape, in planes)
CASES = [
    ((3, 5, 4, 6), False),
    ((3, 5, 4, 6), True),
    ((17, 2, 3, 2), True),
    ((2, 3, 1, 5), False),
    ((4, 3, 2, 1), False),
    ((12, 7), False),
]
EACH = pytest.mark.parametrize(('shape', 'in_planes'), CASES)
LEARNT = pytest.mark.parametrize('learnt', ['', 'scale', 'shift', 'scale shift'])


def drawn(shape, seed=0, mean=0.0, std=1.0):
    return np.random.RandomState(seed).normal(mean, std, shape)


def ordered(array, in_planes=False):
    """A host array on the device, a map in planes if asked for."""
    array = to_device(array)
    return planes.ordered(array, in_planes) if array.ndim == 4 else array


def parameters(channels, learnt='scale shift'):
    """(scale, shift) on the device, None for what is not in `learnt`."""
    numbers = {name: to_device(drawn(channels, seed)) for seed, name in enumerate(('scale', 'shift'))}
    return tuple(number if name in learnt else None for name, number in numbers.items())


def defined(x, scale=None, shift=None, epsilon=EPSILON):
    """(y, mean, variance) by the definition, on the host in float64."""
    x = x.astype('float64')
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    y = (x - mean) / np.sqrt(variance + epsilon)
    return y * (1 if scale is None else to_host(scale)) + (0 if shift is None else to_host(shift)), mean, variance


def assert_close(found, expected, tolerance=1e-12, size=None):
    expected = to_host(expected)
    assert found.shape == expected.shape
    assert np.abs(to_host(found) - expected).max() <= tolerance * (np.abs(expected).max() if size is None else size)


def test_two_numbers_by_hand():
    # mean 2, variance 1, sqrt(1 + 3) = 2: z is -1/2 and 1/2
    x, scale, shift = (to_device(np.array(each, dtype='float32')) for each in ([[1], [3]], [4], [1]))
    y, aux, mean, variance = batch_norm(x, 3, scale, shift)
    assert to_host(y).tolist() == [[-1], [3]]
    assert (scalar(mean[0]), scalar(variance[0])) == (2, 1)
    G_x, G_scale, G_shift = batch_norm_dx(to_device(np.array([[1], [0]], dtype='float32')), aux)
    assert (scalar(G_scale[0]), scalar(G_shift[0])) == (-0.5, 1)
    # 4 / 2 * (G_y - 1/2 - z * -1/4)
    assert to_host(G_x).tolist() == [[0.75], [-0.75]]


@EACH
@LEARNT
@pytest.mark.parametrize('block', [scratch.BLOCK, 12])
def test_forward_is_the_definition(shape, in_planes, learnt, block, monkeypatch):
    monkeypatch.setattr(scratch, 'BLOCK', block)
    with precision('float64'):
        x = drawn(shape, 3, mean=2)
        scale, shift = parameters(shape[-1], learnt)
        y, _, mean, variance = batch_norm(ordered(x, in_planes), EPSILON, scale, shift)
        for found, expected in zip((y, mean, variance), defined(x, scale, shift), strict=True):
            assert_close(found, expected)
        assert_close(normalize(ordered(x, in_planes), mean, variance, EPSILON, scale, shift), y)


def test_other_statistics_than_those_of_the_batch():
    with precision('float64'):
        x = to_device(np.array([[1.0, 2.0], [3.0, 4.0]]))
        mean, variance = to_device(np.array([1.0, 0.0])), to_device(np.array([3.0, 0.0]))
        assert to_host(normalize(x, mean, variance, 1)).tolist() == [[0, 2], [1, 4]]
        scale, shift = to_device(np.array([2.0, -1.0])), to_device(np.array([0.0, 10.0]))
        assert to_host(normalize(x, mean, variance, 1, scale, shift)).tolist() == [[0, 8], [2, 6]]
        assert to_host(normalize(x, mean, variance, 1, shift=shift)).tolist() == [[0, 12], [1, 14]]


@EACH
@LEARNT
@pytest.mark.parametrize('block', [scratch.BLOCK, 12])
def test_gradients_are_those_of_finite_differences(shape, in_planes, learnt, block, monkeypatch):
    monkeypatch.setattr(scratch, 'BLOCK', block)
    with precision('float64'):
        x, G_y = ordered(drawn(shape, 3, mean=2), in_planes), ordered(drawn(shape, 4), not in_planes)
        scale, shift = parameters(shape[-1], learnt)

        def loss():
            return (batch_norm(x, EPSILON, scale, shift)[0] * G_y).sum()

        G_x, G_scale, G_shift = batch_norm_dx(G_y, batch_norm(x, EPSILON, scale, shift)[1])
        assert check_gradient(loss, x, G_x, 'x', samples=12, show=False).right
        for name, number, gradient in (('scale', scale, G_scale), ('shift', shift, G_shift)):
            if number is not None:
                assert check_gradient(loss, number, gradient, name, samples=None, show=False).right


@pytest.mark.parametrize('members', [2, 3])
@EACH
def test_a_team_has_the_statistics_of_the_whole_batch(shape, in_planes, members):
    with precision('float64'):
        shape = (shape[0] + members, *shape[1:])
        # Each member's part has a mean of its own.
        x = drawn(shape, 3) + 5 * np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        G_y = drawn(shape, 4)
        scale, shift = parameters(shape[-1])
        alone, aux, mean, variance = batch_norm(ordered(x, in_planes), EPSILON, scale, shift)
        G_x, G_scale, G_shift = batch_norm_dx(ordered(G_y, in_planes), aux)

        def work(who):
            rows = who.part(len(x))
            y, aux, *statistics = batch_norm(ordered(x[rows], in_planes), EPSILON, scale, shift)
            return y, statistics, batch_norm_dx(ordered(G_y[rows], in_planes), aux)

        ys, statistics, gradients = zip(*team.run(members, work), strict=True)
        for found in statistics:
            assert_close(found[0], mean)
            assert_close(found[1], variance)
            assert [to_host(each).tobytes() for each in found] == [to_host(each).tobytes() for each in statistics[0]]
        G_xs, G_scales, G_shifts = zip(*gradients, strict=True)
        assert_close(np.concatenate([to_host(each) for each in ys]), alone)
        assert_close(np.concatenate([to_host(each) for each in G_xs]), G_x)
        assert_close(sum(G_scales), G_scale)
        assert_close(sum(G_shifts), G_shift)


@pytest.mark.parametrize('members', [1, 2])
@pytest.mark.parametrize('value', [100.3, 255, -1e6, 1e-30, 0])
@pytest.mark.parametrize(
    ('shape', 'in_planes'), [((2, 1, 1, 3), False), ((10, 9, 33, 3), True), ((10, 7, 7, 40), False), ((301, 5), False)]
)
def test_of_equal_numbers_the_shift_remains(shape, in_planes, value, members):
    with precision('float32'):
        x = np.full(shape, value, dtype='float32')
        G_y = drawn(shape).astype('float32')
        scale, shift = parameters(shape[-1])

        def work(who):
            rows = who.part(len(x))
            plain = batch_norm(ordered(x[rows], in_planes), 1e-10)[0]
            y, aux, mean, variance = batch_norm(ordered(x[rows], in_planes), 1e-10, scale, shift)
            return plain, y, mean, variance, *batch_norm_dx(ordered(G_y[rows], in_planes), aux)

        for plain, y, mean, variance, G_x, G_scale, G_shift in team.run(members, work):
            assert (to_host(plain) == 0).all()
            assert (to_host(y) == to_host(shift)).all()
            assert (to_host(mean) == np.float32(value)).all()
            assert (to_host(variance) == 0).all()
            assert (to_host(G_scale) == 0).all()
            assert all(np.isfinite(to_host(each)).all() for each in (G_x, G_shift))


@pytest.mark.parametrize('shape', [(1, 1, 1, 5), (1, 4)])
def test_a_single_number_has_no_gradient(shape):
    with precision('float32'):
        x, G_y = (to_device(drawn(shape, seed).astype('float32')) for seed in (1, 2))
        scale, shift = parameters(shape[-1])
        y, aux, mean, variance = batch_norm(x, 1e-10, scale, shift)
        assert (to_host(y) == to_host(shift)).all()
        assert to_host(mean).tolist() == to_host(x).reshape(-1).tolist()
        assert (to_host(variance) == 0).all()
        G_x, G_scale, G_shift = batch_norm_dx(G_y, aux)
        assert (to_host(G_x) == 0).all()
        assert (to_host(G_scale) == 0).all()
        assert to_host(G_shift).tolist() == to_host(G_y).reshape(-1).tolist()


@pytest.mark.parametrize('members', [1, 2])
@pytest.mark.parametrize(
    ('shape', 'in_planes'), [((10, 24, 24, 6), True), ((10, 9, 9, 40), False), ((2000, 8), False), ((6, 3), False)]
)
@pytest.mark.parametrize('mean', [0, 30, 1000])
@pytest.mark.parametrize('outliers', [0, 1, 40])
def test_float32_keeps_its_digits(shape, in_planes, mean, outliers, members):
    with precision('float32'):
        x = drawn(shape, 3, mean).astype('float32')
        # Far from all others, and the first in either memory order.
        x[0].reshape(-1, shape[-1])[:outliers] -= 1000
        G_y = drawn(shape, 4).astype('float32')

        def work(who):
            rows = who.part(len(x))
            y, aux, *statistics = batch_norm(ordered(x[rows], in_planes), 1e-10)
            return y, statistics, batch_norm_dx(ordered(G_y[rows], in_planes), aux)[0]

        ys, statistics, G_xs = zip(*team.run(members, work), strict=True)
    y, mean, variance = defined(x, epsilon=1e-10)
    rows = tuple(range(len(shape) - 1))
    G_z = G_y - G_y.mean(axis=rows, dtype='float64') - y * (G_y * y).mean(axis=rows)
    assert_close(np.concatenate([to_host(each) for each in ys]), y, 5e-6)
    assert_close(statistics[0][0], mean, 1e-6, np.abs(mean).max() + np.sqrt(variance.max()))
    assert_close(statistics[0][1], variance, 1e-5)
    assert_close(np.concatenate([to_host(each) for each in G_xs]), G_z / np.sqrt(variance + 1e-10), 1e-5)


@EACH
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_type_and_memory_order_stay_and_nothing_given_changes(shape, in_planes, dtype):
    with precision(dtype):
        x, G_y = ordered(drawn(shape, 3).astype(dtype), in_planes), ordered(drawn(shape, 4).astype(dtype))
        given = [x, G_y, *parameters(shape[-1])]
        before = [to_host(each).copy() for each in given]
        y, aux, mean, variance = batch_norm(x, EPSILON, *given[2:])
        G_x, G_scale, G_shift = batch_norm_dx(G_y, aux)
        again = batch_norm_dx(G_y, aux)[0]
        tested = normalize(x, mean, variance, EPSILON, *given[2:])
        assert (to_host(again) == to_host(G_x)).all()
        for each, copy in zip(given, before, strict=True):
            assert (to_host(each) == copy).all()
        for each in (y, G_x, tested):
            assert each.strides == x.strides
        for each in (y, mean, variance, G_x, G_scale, G_shift, tested):
            assert str(each.dtype) == dtype


def test_a_part_of_the_channels_of_another_map():
    with precision('float64'):
        whole = drawn((3, 4, 5, 6), 3)
        for in_planes in (False, True):
            part = ordered(whole, in_planes)[..., 1:4]
            assert_close(batch_norm(part, EPSILON)[0], defined(whole[..., 1:4])[0])


def test_what_is_not_wanted_is_not_computed():
    with precision('float64'):
        x, G_y = (to_device(drawn((6, 3), seed)) for seed in (3, 4))
        scale, shift = parameters(3)
        assert batch_norm_dx(G_y, batch_norm(x, EPSILON)[1], wanted=False) == (None, None, None)
        aux = batch_norm(x, EPSILON, scale, shift)[1]
        _, G_scale, G_shift = batch_norm_dx(G_y, aux)
        nothing, *others = batch_norm_dx(G_y, aux, wanted=False)
        assert nothing is None
        for found, expected in zip(others, (G_scale, G_shift), strict=True):
            assert (to_host(found) == to_host(expected)).all()
