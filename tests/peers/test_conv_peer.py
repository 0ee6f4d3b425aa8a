"""Convolution and its gradients beside PyTorch's in float64, over drawn shapes."""

import numpy as np
import pytest
import torch

from mathlib import planes
from mathlib.backend import precision, to_device, to_host
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.errors import ConfigError
from mathlib.functions import ACTIVATIONS
from mathlib.windows import windows

TOLERANCE = {'float64': 1e-12, 'float32': 1e-5}
CHANNELS = [1, 2, 3, 4, 5, 6, 8, 16, 31, 32, 33, 40, 64]
CASES = 30


def drawn_padding(form, draws, ksize):
    """One padding of a form: the book's two, one number for all sides, or a number for each of the four."""
    if form in ('SAME', 'VALID'):
        return form
    if form == 'one number':
        return int(draws.randint(0, 6))
    return tuple(tuple(draws.randint(0, k + 1, 2).tolist()) for k in ksize)


def drawn_ksize(kernels, draws):
    """A kernel's sides: 3x3, some other square, or oblong."""
    if kernels == '3x3':
        return 3, 3
    return (int(draws.randint(1, 12)),) * 2 if kernels == 'square' else tuple(draws.randint(1, 12, 2).tolist())


def drawn_windows(form, kernels, draws):
    """Windows of a form on pictures of 1 to 26 pixels, drawn until they leave something."""
    while True:
        ksize, sides = drawn_ksize(kernels, draws), tuple(draws.randint(1, 27, 2).tolist())
        stride = tuple(draws.randint(1, 5, 2).tolist()) if draws.rand() < 0.5 else 1
        try:
            return windows(sides, ksize, stride, drawn_padding(form, draws, ksize))
        except ConfigError:
            continue


def drawn_arrays(place, draws):
    """x, w, b and G_y in float32, so that both float types start from the same numbers."""
    n, c, o = int(draws.choice([1, 1, 2, 5, 19])), int(draws.choice(CHANNELS)), int(draws.choice(CHANNELS))
    shapes = (n, *place.input_sides, c), (*place.ksize, c, o), (o,), (n, *place.output_sides, o)
    return [draws.normal(size=shape).astype('float32') for shape in shapes]


def peers(x, w, b, G_y, place):
    """y and the gradients in the book's order of axes, in float64: the picture padded and cut, then convolved."""
    rows, columns = place.rows, place.columns
    x, w, b, G_y = (torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in (x, w, b, G_y))
    around = (columns.before, columns.after, rows.before, rows.after)
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2), around)
    cut = padded[:, :, max(rows.start, 0) :, max(columns.start, 0) :]
    y = torch.nn.functional.conv2d(cut, w.permute(3, 2, 0, 1).contiguous(), b, stride=place.stride)
    y = y[:, :, : rows.count, : columns.count].permute(0, 2, 3, 1)
    y.backward(G_y)
    return {'y': y, 'dW': w.grad, 'db': b.grad, 'dX': x.grad}


def ours(x, w, b, G_y, place, orders):
    """The same by mathlib.conv; orders: whether x and whether G_y lie in planes."""
    x, w, b, G_y = map(to_device, (x, w, b, G_y))
    x, G_y = (planes.ordered(array, order) for array, order in zip((x, G_y), orders, strict=True))
    G_w, G_b = conv2d_dw(x, G_y, place)
    return {'y': conv2d(x, w, b, place), 'dW': G_w, 'db': G_b, 'dX': conv2d_dx(G_y, w, place)}


@pytest.mark.parametrize('kernels', ['3x3', 'square', 'oblong'])
@pytest.mark.parametrize('form', ['SAME', 'VALID', 'one number', 'four numbers'])
def test_drawn_shapes(form, kernels):
    draws = np.random.RandomState([ord(letter) for letter in form + kernels])
    worst = {}
    for _ in range(CASES):
        place = drawn_windows(form, kernels, draws)
        arrays = drawn_arrays(place, draws)
        expected = peers(*arrays, place)
        orders = draws.randint(0, 2, 2).astype(bool).tolist()
        for dtype in TOLERANCE:
            with precision(dtype):
                found = ours(*arrays, place, orders)
            for name, theirs in expected.items():
                case = f'{name}, x {arrays[0].shape}, w {arrays[1].shape}, {place}, in planes {orders}'
                assert str(found[name].dtype) == dtype, case
                assert found[name].shape == tuple(theirs.shape), case
                theirs = theirs.detach().numpy()
                error = np.abs(to_host(found[name]) - theirs).max() / max(np.abs(theirs).max(), 1e-30)
                worst[dtype] = max(worst.get(dtype, (0, '')), (float(error), case))
    for dtype, tolerance in TOLERANCE.items():
        assert worst[dtype][0] < tolerance, worst[dtype]


@pytest.mark.parametrize('actfunc', ACTIVATIONS)
def test_convolution_with_its_activation(actfunc):
    draws = np.random.RandomState(8)
    place = windows((9, 8), 3)
    x, w, b, G_y = drawn_arrays(place, draws)
    theirs = {'relu': torch.relu, 'sigmoid': torch.sigmoid, 'tanh': torch.tanh, 'none': lambda y: y}[actfunc]
    expected = theirs(peers(x, w, b, G_y, place)['y']).detach().numpy()
    for dtype, tolerance in TOLERANCE.items():
        with precision(dtype):
            y = conv2d(*map(to_device, (x, w, b)), place, actfunc)
        assert np.abs(to_host(y) - expected).max() < tolerance * np.abs(expected).max()
