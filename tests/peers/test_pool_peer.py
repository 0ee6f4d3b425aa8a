"""Pooling beside PyTorch's, on pictures of few different numbers, so that there are many equal ones in a window."""

import numpy as np
import pytest
import torch

from mathlib import planes
from mathlib.backend import precision, to_device, to_host
from mathlib.errors import ConfigError
from mathlib.pool import avg_pool, avg_pool_dx, max_pool, max_pool_dx
from mathlib.windows import windows

TOLERANCE = {'float64': 1e-12, 'float32': 1e-5}
CASES = 100


def drawn_case(draws, ceil):
    """(Windows, x, the peer's kernel, stride and padding): half a window of padding is the most that the peer takes."""
    while True:
        n, c = int(draws.randint(1, 4)), int(draws.choice([1, 2, 3, 6, 40]))
        sides, ksize = tuple(draws.randint(1, 21, 2).tolist()), tuple(draws.randint(1, 6, 2).tolist())
        stride = ksize if draws.rand() < 0.4 else tuple(draws.randint(1, 5, 2).tolist())
        padding = tuple(int(draws.randint(0, k // 2 + 1)) for k in ksize)
        try:
            place = windows(sides, ksize, stride, tuple((p, p) for p in padding), ceil)
        except ConfigError:
            continue
        x = draws.randint(-3, 3, (n, *sides, c)).astype('float32')
        return place, x, (ksize, stride, padding)


def peers(pool, x, G_y):
    """y and G_x in the book's order of axes, in float64."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    # Contiguous: with channels last, the peer's maximum takes another one of several equal pixels.
    y = pool(x.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1)
    (G_x,) = torch.autograd.grad(y, x, torch.tensor(G_y, dtype=torch.float64))
    return y.detach().numpy(), G_x.numpy()


def ours_max(x, G_y, place, padding):
    y, aux = max_pool(x, place)
    return y, max_pool_dx(G_y, place, aux)


def ours_avg(x, G_y, place, padding):
    return avg_pool(x, place), avg_pool_dx(G_y, place)


def ours_padded_avg(x, G_y, place, padding):
    outside = tuple((p, p) for p in padding)
    return avg_pool(x, place, outside), avg_pool_dx(G_y, place, outside)


def ours_full_avg(x, G_y, place, padding):
    return avg_pool(x, place, outside=True), avg_pool_dx(G_y, place, outside=True)


def peers_max(x, windows, ceil):
    return torch.nn.functional.max_pool2d(x, *windows, ceil_mode=ceil)


def peers_avg(x, windows, ceil):
    return torch.nn.functional.avg_pool2d(x, *windows, ceil_mode=ceil, count_include_pad=False)


def peers_padded_avg(x, windows, ceil):
    return torch.nn.functional.avg_pool2d(x, *windows, ceil_mode=ceil, count_include_pad=True)


@pytest.mark.parametrize(
    ('ours', 'theirs', 'ceil'),
    [
        (ours_max, peers_max, False),
        (ours_max, peers_max, True),
        (ours_avg, peers_avg, False),
        (ours_avg, peers_avg, True),
        (ours_padded_avg, peers_padded_avg, True),
        (ours_full_avg, peers_padded_avg, False),
    ],
)
def test_drawn_shapes(ours, theirs, ceil):
    draws = np.random.RandomState(3 + ceil)
    for _ in range(CASES):
        place, x, arguments = drawn_case(draws, ceil)
        G_y = draws.normal(size=(len(x), *place.output_sides, x.shape[3])).astype('float32')
        expected = peers(lambda x, a=arguments: theirs(x, a, ceil), x, G_y)
        orders = draws.randint(0, 2, 2).astype(bool).tolist()
        for dtype, tolerance in TOLERANCE.items():
            with precision(dtype):
                arrays = [planes.ordered(to_device(a), order) for a, order in zip((x, G_y), orders, strict=True)]
                found = ours(*arrays, place, arguments[2])
            for name, mine, peer in zip(('y', 'dX'), found, expected, strict=True):
                case = f'{name}, x {x.shape}, {place}, in planes {orders}, {dtype}'
                assert str(mine.dtype) == dtype, case
                assert mine.shape == peer.shape, case
                error = np.abs(to_host(mine) - peer).max()
                assert error <= tolerance * np.abs(peer).max(), (error, case)
