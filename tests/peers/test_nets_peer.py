"""Every network of the catalogue beside the same network written in PyTorch: logits in use, and all gradients.

Pictures are as small as a network allows; `python -m tests.peers.full_size` compares the logits at full size.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional

from chapters.nets.catalogue import NETWORKS
from mathlib.backend import precision, to_device, to_host
from tests.peers.nets import pairs
from tests.peers.nets.twins import TWINS, learned, twin

CLASSES = 10
# Sides of the pictures and how many of them there are, for the families that share a prefix.
SIZES = {
    'lenet_5': (32, 4),
    'lenet_keras': (28, 4),
    'alexnet': (67, 3),
    'vgg': (32, 2),
    'nin': (67, 3),
    'nin_cifar': (16, 3),
    'googlenet': (80, 3),
    'inception': (75, 3),
    # Below that its side head has nothing to read.
    'inception_v3_auxiliary': (299, 2),
    'resnet': (33, 2),
    **{f'resnet_{layers}': (16, 3) for layers in (8, 20, 32, 44, 56, 110)},
    'preact': (16, 2),
    'preact_resnet_1001': (8, 2),
    'squeezenet': (47, 3),
}
# These two have the blocks of resnet_50_paper as often as resnet_101 and 152 have theirs: their logits must do.
TRAINED = [name for name in NETWORKS if name not in ('resnet_101_paper', 'resnet_152_paper')]
SMOOTHED = {'inception_v3_auxiliary': 0.1, 'resnet_18': 0.1}


def size(name):
    """((h, w, c), rows) for a network."""
    side, rows = SIZES[max((start for start in SIZES if name.startswith(start)), key=len)]
    return (side, side, NETWORKS[name].input_shape[2]), rows


@pytest.fixture
def double():
    """Our side computes in float64 during a test."""
    with precision('float64'):
        yield


def test_every_network_has_a_twin():
    assert TWINS.keys() == NETWORKS.keys()


@pytest.mark.parametrize(('name', 'other'), [('lenet_5', 'lenet_keras'), ('resnet_20', 'resnet_32')])
def test_another_network_is_no_twin(name, other, monkeypatch):
    monkeypatch.setitem(TWINS, name, TWINS[other])
    shape, rows = size(name)
    with pytest.raises(ValueError, match='but|argument|expected'):
        pairs.pair(name, pairs.pictures(shape, rows, np.float32), CLASSES)


def test_the_same_shapes_are_not_enough(monkeypatch):
    monkeypatch.setitem(TWINS, 'resnet_50', TWINS['resnet_50_paper'])
    shape, rows = size('resnet_50')
    x = pairs.pictures(shape, rows, np.float32)
    assert pairs.logits_error(pairs.pair('resnet_50', x, CLASSES), x) > 1e-2


@pytest.mark.parametrize('name', NETWORKS)
def test_parameters_at_full_size(name):
    network = NETWORKS[name]
    count = learned(twin(name, network.classes, network.input_shape, 'meta'))
    assert network.parameters in (count, None)


@pytest.mark.parametrize('name', NETWORKS)
def test_logits_in_use(name):
    shape, rows = size(name)
    x = pairs.pictures(shape, rows, np.float32)
    both = pairs.pair(name, x, CLASSES)
    logits = to_host(both.model.get_output(x))
    assert logits.dtype == np.float32
    # What the network makes of one picture is not what it makes of another.
    assert np.ptp(logits, axis=0).max() > 1e-3 * np.abs(logits).max()
    assert pairs.logits_error(both, x) < 1e-4


@pytest.mark.parametrize('name', TRAINED)
def test_all_gradients(name, double):
    shape, rows = size(name)
    x = pairs.pictures(shape, rows, np.float64)
    smoothing = SMOOTHED.get(name, 0)
    both = pairs.pair(name, x, CLASSES, label_smoothing=smoothing)
    labels = np.arange(rows) % CLASSES
    loss, logits = both.model.compute_gradients(to_device(x), to_device(np.eye(CLASSES)[labels]))
    expected, expected_loss = training_pass(both.twin, pairs.turned(x), torch.from_numpy(labels), smoothing)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-9)
    assert pairs.error(logits, expected) < 1e-6
    assert max(pairs.gradient_errors(both).values()) < 1e-6


def training_pass(module, x, labels, smoothing):
    """Logits and loss of a twin in training, 0.3 of each side head's loss among it; gradients are left in it."""
    outputs = module.train()(x)
    logits, *sides = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [functional.cross_entropy(each, labels, label_smoothing=smoothing) for each in (logits, *sides)]
    loss = losses[0] + 0.3 * sum(losses[1:])
    loss.backward()
    return logits, loss.item()
