"""Local response normalisation beside its definition, channel by channel, and finite differences."""

import numpy as np
import pytest

from mathlib import planes, scratch, team
from mathlib.backend import precision, to_device, to_host
from mathlib.gradcheck import check_gradient
from mathlib.lrn import lrn, lrn_dx

PAPER = 5, 1e-4, 0.75, 2.0
# Strong enough for every term to count.
STRONG = 3, 0.5, 0.75, 1.5
SHAPES = [(2, 3, 4, 7), (1, 1, 1, 1), (17, 2, 3, 6), (3, 2, 5, 2)]


def drawn(shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


def defined(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for i in range(x.shape[3]):
        around = x[..., max(0, i - size // 2) : i + (size - 1) // 2 + 1]
        y[..., i] = x[..., i] / (k + alpha * (around**2).sum(axis=3)) ** beta
    return y


def test_three_channels_by_hand():
    # 3 + (1 + 4), 3 + (1 + 4 + 4), 3 + (4 + 4) with a power of 1: 8, 12 and 11; with 1/2 after 4 and 9, 2 and 3
    x = to_device(np.array([[[[1.0, 2.0, -2.0]]]]))
    y, _ = lrn(x, 3, 1.0, 1.0, 3.0)
    assert to_host(y)[0, 0, 0].tolist() == pytest.approx([1 / 8, 2 / 12, -2 / 11])
    y, _ = lrn(to_device(np.array([[[[1.0, 2.0]]]])), 2, 1.0, 0.5, 3.0)
    assert to_host(y)[0, 0, 0].tolist() == pytest.approx([1 / 2, 2 / np.sqrt(8)])


def test_one_channel_is_divided_by_its_own_size():
    # d = 4 + 12 = 16, 16**0.75 = 8; dy/dx = 1/8 - 0.75 * 2 * 12 / (16 * 8)
    with precision('float64'):
        x = to_device(np.full((1, 1, 1, 1), np.sqrt(12)))
        y, aux = lrn(x, 5, 1.0, 0.75, 4.0)
        assert to_host(y).item() == pytest.approx(np.sqrt(12) / 8, rel=1e-15)
        assert to_host(lrn_dx(x * 0 + 1, aux)).item() == pytest.approx(1 / 8 - 18 / 128, rel=1e-14)


def test_an_even_size_has_its_extra_neighbour_before():
    x = to_device(np.array([[[[3.0, 1.0, 1.0]]]]))
    y, _ = lrn(x, 2, 1.0, 1.0, 1.0)
    assert to_host(y)[0, 0, 0].tolist() == pytest.approx([3 / 10, 1 / 11, 1 / 3])


@pytest.mark.parametrize('in_planes', [False, True])
@pytest.mark.parametrize('size', [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize('beta', [0.75, 0.5, 1, 0.6])
def test_any_size_power_and_memory_order(size, beta, in_planes):
    for shape in SHAPES:
        x, G_y = drawn(shape), drawn(shape, 1)
        with precision('float64'):
            maps = [planes.ordered(to_device(each), in_planes) for each in (x, G_y)]
            y, aux = lrn(maps[0], size, 0.5, beta, 1.5)
            G_x = lrn_dx(maps[1], aux)
            turned = lrn_dx(planes.ordered(to_device(G_y), not in_planes), aux)
            assert planes.are_planes(y) == planes.are_planes(maps[0]) == planes.are_planes(G_x)
            assert np.abs(to_host(y) - defined(x, size, 0.5, beta, 1.5)).max() < 1e-14
            assert np.array_equal(to_host(turned), to_host(G_x))
            result = check_gradient(
                lambda m=maps: (lrn(m[0], size, 0.5, beta, 1.5)[0] * m[1]).sum(), maps[0], G_x, samples=6, show=False
            )
            assert result.right, result
            assert np.array_equal(to_host(maps[0]), x) and np.array_equal(to_host(maps[1]), G_y)


@pytest.mark.parametrize('in_planes', [False, True])
def test_blocks_and_teams_do_not_change_a_bit(in_planes, monkeypatch):
    x, G_y = (planes.ordered(to_device(drawn((4, 5, 6, 7), seed)), in_planes) for seed in (0, 1))

    def run():
        y, aux = lrn(x, *STRONG)
        return to_host(y), to_host(lrn_dx(G_y, aux))

    whole = run()
    monkeypatch.setattr('mathlib.settings.workers', 2)
    for block in (1, 200, 900):
        monkeypatch.setattr(scratch, 'BLOCK', block)
        for found, expected in zip(run(), whole, strict=True):
            assert np.array_equal(found, expected)
    for found, expected in zip(team.run(2, lambda member: run())[1], whole, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize('beta', [0.75, 0.6])
def test_float32_stays_float32_and_exact(beta):
    x = drawn((2, 6, 6, 96)) * 50
    with precision('float32'):
        y, aux = lrn(to_device(x), 5, 1e-4, beta, 2.0)
        G_x = lrn_dx(to_device(drawn(x.shape, 1)), aux)
    assert str(y.dtype) == str(G_x.dtype) == 'float32'
    assert to_host(y) == pytest.approx(defined(x, 5, 1e-4, beta, 2.0), rel=1e-6)


def test_results_outlive_the_next_call():
    x, G_y = to_device(drawn((2, 3, 3, 8))), to_device(drawn((2, 3, 3, 8), 1))
    y, aux = lrn(x, *PAPER)
    G_x = lrn_dx(G_y, aux)
    kept = to_host(y).copy(), to_host(G_x).copy()
    _, other = lrn(x + 1, *STRONG)
    lrn_dx(G_y + 1, other)
    assert np.array_equal(to_host(y), kept[0]) and np.array_equal(to_host(G_x), kept[1])
    assert np.array_equal(to_host(lrn_dx(G_y, aux)), kept[1])
