"""Functions, losses and optimisers beside PyTorch's, in float64 and float32."""

import numpy as np
import pytest
import torch

from mathlib import functions, losses
from mathlib.backend import precision, to_device, to_host
from mathlib.optimizers import Adam, GradientDescent
from mathlib.parameters import ParameterStore

TOLERANCE = {'float32': 1e-5, 'float64': 1e-12}
SIZES = [1e-3, 1, 30, 1e4]


def answers(kind, shape, draws):
    """Answers of one kind: numbers, zeros and ones, or one-hot rows."""
    if kind == 'number':
        return draws.normal(size=shape)
    if kind == 'yes or no':
        return draws.randint(0, 2, size=shape).astype(float)
    return np.eye(shape[1])[draws.randint(0, shape[1], size=shape[0])]


def close(ours, theirs, dtype):
    """Equal up to rounding, relative to the largest number."""
    ours, theirs = to_host(ours), theirs.detach().numpy()
    assert str(ours.dtype) == dtype
    assert np.abs(ours - theirs).max() <= TOLERANCE[dtype] * max(np.abs(theirs).max(), 1e-30)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [
        (functions.relu, torch.relu),
        (functions.sigmoid, torch.sigmoid),
        (functions.tanh, torch.tanh),
        (functions.softmax, lambda x: torch.softmax(x, dim=-1)),
    ],
)
def test_functions(ours, theirs, size, dtype):
    x = (np.random.RandomState(0).normal(size=(50, 7)) * size).astype(dtype)
    with precision(dtype):
        close(ours(to_device(x)), theirs(torch.tensor(x)), dtype)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    ('loss', 'grad', 'peer', 'kind'),
    [
        (losses.squared_error, losses.squared_error_grad, torch.nn.functional.mse_loss, 'number'),
        (
            losses.sigmoid_cross_entropy,
            losses.sigmoid_cross_entropy_grad,
            torch.nn.functional.binary_cross_entropy_with_logits,
            'yes or no',
        ),
        (losses.softmax_cross_entropy, losses.softmax_cross_entropy_grad, torch.nn.functional.cross_entropy, 'choice'),
    ],
)
def test_losses_and_their_gradients(loss, grad, peer, kind, size, dtype):
    draws = np.random.RandomState(1)
    x = (draws.normal(size=(40, 6)) * size).astype(dtype)
    y = answers(kind, x.shape, draws).astype(dtype)
    leaf = torch.tensor(x, requires_grad=True)
    value = peer(leaf, torch.tensor(y))
    value.backward()
    with precision(dtype):
        close(loss(to_device(x), to_device(y)), value, dtype)
        close(grad(to_device(x), to_device(y)), leaf.grad, dtype)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize(
    ('ours', 'theirs'), [(GradientDescent, torch.optim.SGD), (Adam, torch.optim.Adam)], ids=['sgd', 'adam']
)
def test_optimisers_over_fifty_steps(ours, theirs, dtype):
    draws = np.random.RandomState(2)
    start = draws.normal(size=(30, 4)).astype(dtype)
    gradients = draws.normal(size=(50, 30, 4)).astype(dtype)
    leaf = torch.tensor(start, requires_grad=True)
    peer = theirs([leaf], lr=0.01)
    with precision(dtype):
        pm, optimizer = {'w': start.copy()}, ours()
        store = ParameterStore(pm)
        for gradient in gradients:
            store.file(pm, 'w', to_device(gradient))
            store.complete()
            optimizer.update(store, 0.01)
            leaf.grad = torch.tensor(gradient)
            peer.step()
        close(pm['w'], leaf, dtype)
