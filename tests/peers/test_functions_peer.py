"""Functions, losses and optimisers beside PyTorch's, in float64 and float32."""

import numpy as np
import pytest
import torch

from mathlib import functions, losses
from mathlib.backend import precision, to_device, to_host
from mathlib.optimizers import clip_gradients, optimizer
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
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('amount', [0.0, 0.1, 0.7])
def test_smoothed_answers(amount, size, dtype):
    draws = np.random.RandomState(3)
    x = (draws.normal(size=(40, 6)) * size).astype(dtype)
    y = answers('choice', x.shape, draws).astype(dtype)
    leaf = torch.tensor(x, requires_grad=True)
    value = torch.nn.CrossEntropyLoss(label_smoothing=amount)(leaf, torch.tensor(y.argmax(axis=1)))
    value.backward()
    with precision(dtype):
        logits, shares = to_device(x), losses.smoothed(to_device(y), amount)
        close(losses.softmax_cross_entropy(logits, shares), value, dtype)
        close(losses.softmax_cross_entropy_grad(logits, shares), leaf.grad, dtype)


def rms_settings(decay, **options):
    return lambda leaves, lr: torch.optim.RMSprop(leaves, lr=lr, alpha=decay, **options)


OPTIMISERS = [
    ('sgd', torch.optim.SGD),
    ('adam', torch.optim.Adam),
    ('momentum', lambda leaves, lr: torch.optim.SGD(leaves, lr=lr, momentum=0.9)),
    (
        ['momentum', {'momentum': 0.8, 'weight_decay': 0.01}],
        lambda leaves, lr: torch.optim.SGD(leaves, lr=lr, momentum=0.8, weight_decay=0.01),
    ),
    (
        ['momentum', {'weight_decay': 0.01, 'nesterov': True}],
        lambda leaves, lr: torch.optim.SGD(leaves, lr=lr, momentum=0.9, weight_decay=0.01, nesterov=True),
    ),
    ('rmsprop', rms_settings(0.9)),
    (['rmsprop', {'epsilon': 1.0}], rms_settings(0.9, eps=1.0)),
    (['rmsprop', {'decay': 0.99, 'momentum': 0.9}], rms_settings(0.99, momentum=0.9)),
]


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize(('spec', 'theirs'), OPTIMISERS, ids=[str(spec) for spec, _ in OPTIMISERS])
def test_optimisers_over_fifty_steps(spec, theirs, dtype):
    draws = np.random.RandomState(2)
    start = draws.normal(size=(30, 4)).astype(dtype)
    gradients = draws.normal(size=(50, 30, 4)).astype(dtype)
    leaf = torch.tensor(start, requires_grad=True)
    peer = theirs([leaf], lr=0.01)
    with precision(dtype):
        pm, moves = {'w': start.copy()}, optimizer(spec)
        store = ParameterStore(pm)
        for n, gradient in enumerate(gradients):
            rate = 0.01 if n < 30 else 0.003
            store.file(pm, 'w', to_device(gradient))
            store.complete()
            moves.update(store, rate)
            leaf.grad = torch.tensor(gradient)
            peer.param_groups[0]['lr'] = rate
            peer.step()
        close(pm['w'], leaf, dtype)


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('norm', [0.5, 20.0, 100.0])
def test_clipped_gradients(norm, dtype):
    draws = np.random.RandomState(4)
    shapes = [(30, 4), (4,), (3, 3, 2, 5)]
    gradients = [(draws.normal(size=shape) * 3).astype(dtype) for shape in shapes]
    leaves = [torch.zeros(shape, dtype=getattr(torch, dtype)) for shape in shapes]
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf.grad = torch.tensor(gradient)
    length = torch.nn.utils.clip_grad_norm_(leaves, norm)
    assert 20 < float(length) < 100
    with precision(dtype):
        pm = {str(n): np.zeros(shape) for n, shape in enumerate(shapes)}
        store = ParameterStore(pm)
        for n, gradient in enumerate(gradients):
            store.file(pm, str(n), to_device(gradient))
        store.complete()
        close(clip_gradients(store, norm), length, dtype)
        for (_, _, gradient), leaf in zip(store.items(), leaves, strict=True):
            # The peer adds 1e-6 to the length before it divides by it.
            assert np.abs(to_host(gradient) - leaf.grad.numpy()).max() < 1e-6
