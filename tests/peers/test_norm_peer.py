"""Batch normalisation beside PyTorch's, in training and in use, alone and in a team."""

import numpy as np
import pytest
import torch

from mathlib import planes, team
from mathlib.backend import precision, to_device, to_host
from mathlib.norm import batch_norm, batch_norm_dx, normalize

TOLERANCE = {'float64': 1e-10, 'float32': 1e-5}
CASES = 100


def drawn_case(draws):
    """(x, G_y, mean, variance, scale, shift, epsilon): maps or rows, each channel with a mean and a size of its own."""
    n, c = int(draws.randint(2, 20)), int(draws.choice([1, 2, 3, 6, 20, 40]))
    sides = draws.randint(1, 21, 2).tolist() if draws.rand() < 0.8 else []
    x = draws.normal(size=(n, *sides, c)) * np.exp(draws.normal(size=c)) + 3 * draws.normal(size=c)
    variance = np.exp(draws.normal(size=c))
    vectors = draws.normal(size=c), variance, draws.normal(size=c), draws.normal(size=c)
    arrays = [array.astype('float32') for array in (x, draws.normal(size=x.shape), *vectors)]
    return *arrays, float(10.0 ** -draws.randint(2, 11))


def peers(x, G_y, mean, variance, scale, shift, epsilon):
    """(y, dX, dScale, dShift, mean, variance, y in use) in the book's order of axes, in float64."""
    x, G_y, mean, variance, scale, shift = (
        torch.tensor(each, dtype=torch.float64) for each in (x, G_y, mean, variance, scale, shift)
    )
    learnt = [each.requires_grad_() for each in (x, scale, shift)]
    # With a momentum of 1 the moving averages are those of the batch; the peer's variance is the unbiased one.
    means, variances = torch.zeros_like(mean), torch.ones_like(mean)
    turned = x.movedim(-1, 1)
    y = torch.nn.functional.batch_norm(turned, means, variances, scale, shift, True, 1.0, epsilon).movedim(1, -1)
    gradients = torch.autograd.grad(y, learnt, G_y)
    used = torch.nn.functional.batch_norm(turned, mean, variance, scale, shift, False, 0.0, epsilon).movedim(1, -1)
    count = x.numel() // x.shape[-1]
    results = y, *gradients, means, variances * ((count - 1) / count), used
    return [each.detach().numpy() for each in results]


def ours(x, G_y, mean, variance, scale, shift, epsilon, orders, members):
    """The same from a team."""
    vectors = [to_device(each) for each in (mean, variance, scale, shift)]

    def ordered(array, order):
        array = to_device(array)
        return planes.ordered(array, order) if array.ndim == 4 else array

    def work(who):
        rows = who.part(len(x))
        part, G_part = (ordered(each[rows], order) for each, order in zip((x, G_y), orders, strict=True))
        y, aux, *statistics = batch_norm(part, epsilon, *vectors[2:])
        used = normalize(part, *vectors[:2], epsilon, *vectors[2:])
        return y, *batch_norm_dx(G_part, aux), *statistics, used

    ys, G_xs, G_scales, G_shifts, means, variances, useds = zip(*team.run(members, work), strict=True)
    y, G_x, used = (np.concatenate([to_host(each) for each in parts]) for parts in (ys, G_xs, useds))
    return [y, G_x, sum(map(to_host, G_scales)), sum(map(to_host, G_shifts)), means[0], variances[0], used]


@pytest.mark.parametrize('members', [1, 2])
def test_drawn_shapes(members):
    draws = np.random.RandomState(3 + members)
    for _ in range(CASES):
        *arrays, epsilon = drawn_case(draws)
        expected = peers(*arrays, epsilon)
        orders = draws.randint(0, 2, 2).astype(bool).tolist()
        for dtype, tolerance in TOLERANCE.items():
            with precision(dtype):
                found = ours(*(array.astype(dtype) for array in arrays), epsilon, orders, members)
            names = 'y', 'dX', 'dScale', 'dShift', 'mean', 'variance', 'y in use'
            for name, mine, peer in zip(names, found, expected, strict=True):
                case = f'{name}, x {arrays[0].shape}, epsilon {epsilon}, in planes {orders}, {dtype}'
                assert str(mine.dtype) == dtype, case
                assert mine.shape == peer.shape, case
                error = np.abs(to_host(mine) - peer).max()
                assert error <= tolerance * max(np.abs(peer).max(), 1), (error, case)
