"""Local response normalisation beside PyTorch's, whose alpha is divided by the size."""

import numpy as np
import torch

from mathlib import planes
from mathlib.backend import precision, to_device, to_host
from mathlib.lrn import lrn, lrn_dx

TOLERANCE = {'float64': 1e-12, 'float32': 3e-6}
CASES = 30


def drawn_case(draws):
    """(x, G_y, size, alpha, beta, k): few channels and many, sizes odd, even, and larger than there are channels."""
    shape = [int(draws.randint(1, 20)), *draws.randint(1, 9, 2).tolist(), int(draws.choice([1, 2, 5, 16, 96]))]
    x, G_y = (draws.normal(size=shape).astype('float32') * size for size in (3, 1))
    beta = float(draws.choice([0.75, 0.5, 1, 0.3]))
    return x, G_y, int(draws.randint(1, 8)), float(draws.choice([1e-4, 0.1, 1])), beta, float(draws.choice([1, 2]))


def peers(x, G_y, size, alpha, beta, k):
    """y and G_x in the book's order of axes, in float64."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    turned = x.permute(0, 3, 1, 2)
    y = torch.nn.functional.local_response_norm(turned, size, alpha * size, beta, k).permute(0, 2, 3, 1)
    (G_x,) = torch.autograd.grad(y, x, torch.tensor(G_y, dtype=torch.float64))
    return y.detach().numpy(), G_x.numpy()


def test_drawn_maps():
    draws = np.random.RandomState(12)
    for _ in range(CASES):
        x, G_y, *settings = drawn_case(draws)
        expected = peers(x, G_y, *settings)
        orders = draws.randint(0, 2, 2).astype(bool).tolist()
        for dtype, tolerance in TOLERANCE.items():
            with precision(dtype):
                map_x, map_G = (planes.ordered(to_device(a), o) for a, o in zip((x, G_y), orders, strict=True))
                y, aux = lrn(map_x, *settings)
                found = y, lrn_dx(map_G, aux)
            for name, mine, peer in zip(('y', 'G_x'), found, expected, strict=True):
                case = f'{name}, x {x.shape}, {settings}, in planes {orders}, {dtype}'
                assert str(mine.dtype) == dtype and mine.shape == peer.shape, case
                error = np.abs(to_host(mine) - peer).max()
                assert error <= tolerance * np.abs(peer).max(), (error, case)
