"""Whole trainings beside PyTorch's: the same weights and batches give the same costs and parameters over 30 steps."""

import numpy as np
import pytest
import torch

from chapters import AdamModel
from data import DummyDataset
from mathlib import rng
from mathlib.backend import precision, scalar, to_device, to_host

MODES = {
    'regression': torch.nn.functional.mse_loss,
    'binary': torch.nn.functional.binary_cross_entropy_with_logits,
    'select': torch.nn.functional.cross_entropy,
}


def twin(model):
    """The same network in torch.nn, with the same weights."""
    pms = [*model.pm_hiddens, model.pm_output]
    parts = []
    for pm in pms:
        linear = torch.nn.Linear(*pm['w'].shape).double()
        linear.weight.data = torch.tensor(to_host(pm['w']).T.copy())
        linear.bias.data = torch.tensor(to_host(pm['b']).copy())
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('widths', [[], [8], [16, 8, 4]])
@pytest.mark.parametrize('use_adam', [False, True], ids=['sgd', 'adam'])
def test_thirty_steps(mode, widths, use_adam):
    draws = np.random.RandomState(5)
    outputs = 3 if mode == 'select' else 1
    rng.seed(1234)
    with precision('float64'):
        model = AdamModel('m', DummyDataset('d', mode, [12], [outputs]), widths)
        model.parameters.values *= 10  # far enough from zero for every layer to matter
        model.use_adam, model.learning_rate = use_adam, 0.02
        net = twin(model)
        optimizer = (torch.optim.Adam if use_adam else torch.optim.SGD)(net.parameters(), lr=0.02)
        for _ in range(30):
            x = draws.normal(size=(10, 12))
            y = {
                'regression': lambda: draws.normal(size=(10, 1)),
                'binary': lambda: draws.randint(0, 2, size=(10, 1)).astype(float),
                'select': lambda: np.eye(3)[draws.randint(0, 3, size=10)],
            }[mode]()
            cost, _ = model.train_step(to_device(x), to_device(y))
            optimizer.zero_grad()
            peer_cost = MODES[mode](net(torch.tensor(x)), torch.tensor(y))
            peer_cost.backward()
            optimizer.step()
            assert scalar(cost) == pytest.approx(peer_cost.item(), rel=1e-9)
        ours = np.concatenate([to_host(values).T.ravel() for _, values, _ in model.parameters.items()])
    theirs = np.concatenate([parameter.detach().numpy().ravel() for parameter in net.parameters()])
    assert np.abs(ours - theirs).max() < 1e-8
