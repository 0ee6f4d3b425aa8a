"""The benchmark's large networks against PyTorch's in float64, so that the benchmark measures the same thing twice."""

import dataclasses

import numpy as np
import pytest
import torch

import mathlib.conv
from mathlib import backend
from mathlib.backend import to_device
from tests.bench import nets, steps, torch_nets, workloads
from tests.bench.textbook import FullResolution


def small_resnet():
    """ResNet-18."""
    return nets.resnet(nets.basic, (2, 2, 2, 2))


def small_bottleneck():
    """A bottleneck block in each group."""
    return nets.resnet(nets.bottleneck, (1, 1, 1, 1))


def both(nodes, side, rows=2, **more):
    """Our network, PyTorch's with the same weights, and pictures."""
    net = nets.Net(nodes, (side, side, 3), **more)
    other = torch_nets.network(net.nodes, net.pms, 3)[0]
    x = np.random.default_rng(5).standard_normal((rows, side, side, 3))
    return net, other, x


@pytest.fixture
def double():
    """Both sides compute in float64 during a test."""
    torch.set_default_dtype(torch.float64)
    with backend.precision('float64'):
        yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ('nodes', 'side'),
    [(small_resnet, 64), (small_bottleneck, 65), (nets.vgg_16, 32), (nets.inception_v3, 75)],
    ids=['resnet-18', 'bottlenecks', 'vgg-16', 'inception-v3'],
)
def test_logits_are_pytorchs(nodes, side, double):
    net, other, x = both(nodes(), side)
    other.eval()
    with torch.inference_mode():
        theirs = other(torch.tensor(x).permute(0, 3, 1, 2)).numpy()
    ours = net.infer(to_device(x))
    assert ours.dtype == np.float64 and np.abs(theirs).max() > 0.1
    assert np.abs(ours - theirs).max() <= 1e-8 * np.abs(theirs).max()


@pytest.mark.parametrize('conv', [mathlib.conv, FullResolution()], ids=['engine', 'textbook'])
@pytest.mark.parametrize('nodes', [small_resnet, small_bottleneck], ids=['basic', 'bottleneck'])
def test_gradients_and_moving_averages_are_pytorchs(nodes, conv, double):
    labels = np.array([3, 990, 17])
    net, other, x = both(nodes(), 64, rows=3, conv=conv)
    loss = torch.nn.functional.cross_entropy(other(torch.tensor(x).permute(0, 3, 1, 2)), torch.tensor(labels))
    loss.backward()
    assert float(net.compute_gradients(to_device(x), to_device(np.eye(1000)[labels]))) == pytest.approx(loss.item())
    expected = their_gradients(other)
    found = [gradient for _, _, gradient in net.parameters.items()]
    assert len(found) == len(expected)
    for (name, _, gradient), theirs in zip(net.parameters.items(), expected, strict=True):
        assert np.abs(gradient - theirs).max() <= 1e-8 * np.abs(theirs).max(), name
    norms = [module for module in other.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for state, norm in zip(normalised(net.pms), norms, strict=True):
        np.testing.assert_allclose(state['mean'], norm.running_mean.numpy(), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(state['variance'], norm.running_var.numpy(), rtol=1e-9)


def their_gradients(network):
    """PyTorch's gradients in our shapes and our order: kernel, bias and factor of each layer."""
    gradients = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            gradients.append(module.weight.grad.numpy().transpose(2, 3, 1, 0))
        elif isinstance(module, torch.nn.BatchNorm2d):
            gradients += [module.bias.grad.numpy(), module.weight.grad.numpy()]
        elif isinstance(module, torch.nn.Linear):
            gradients += [module.weight.grad.numpy().T, module.bias.grad.numpy()]
    return gradients


def normalised(pm):
    """The state of every layer with batch normalisation, in the network's order."""
    if isinstance(pm, list):
        return [state for each in pm for state in normalised(each)]
    if 'mean' in pm.get('state', {}):
        return [pm['state']]
    return [state for value in pm.values() if isinstance(value, list) for state in normalised(value)]


@pytest.mark.parametrize('name', ['flowers_model_3', 'flowers_model_4', 'office31_model_1', 'lenet'])
def test_a_case_measures_four_sides_that_agree(name, monkeypatch):
    for constant in ('WARM_UP', 'STEPS'):
        monkeypatch.setattr(steps, constant, 1)
    case = workloads.run_case(dataclasses.replace(workloads.WORKLOADS[name], batch_size=2), torch, 'cpu', rounds=1)
    assert case['first_losses'][0] > 1
    assert case['ratio'] == pytest.approx(case['our_ms'] / case['torch_ms'], abs=0.006)
    assert case['ratio_best'] >= case['ratio'] and case['textbook_ratio'] > 0


@pytest.mark.parametrize('name', ['bottleneck_flower', 'inception_flower_la'])
def test_a_case_of_chapter_9_measures_three_sides_that_agree(name, monkeypatch):
    for constant in ('WARM_UP', 'STEPS'):
        monkeypatch.setattr(steps, constant, 1)
    case = workloads.run_case(workloads.WORKLOADS[name], torch, 'cpu', rounds=1)
    assert case['first_losses'][0] > 1 and case['ratio_best'] >= case['ratio'] > 0
    assert case['textbook_ms'] is None and case['textbook_ratio'] is None


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('name', ['residual_flower', 'inception_flower'])
def test_the_flower_networks_learn_as_pytorchs_do(name, channels_last, double):
    workload = workloads.WORKLOADS[name]
    dataset = workloads.make_batch(workload)
    dataset.tr_xs = dataset.tr_xs.astype('float64')
    work, twin, _ = workloads.our_side(workload, dataset)
    theirs = workloads.torch_side(torch, workload, dataset, twin(), 'cpu', channels_last)
    expected = [theirs().item() for _ in range(4)]
    assert expected[3] < expected[0] / 2
    np.testing.assert_allclose([float(work()) for _ in range(4)], expected, rtol=1e-9)


def test_networks_that_differ_are_not_measured():
    workload = workloads.WORKLOADS['resnet_18']
    ours = np.array([7.0, 5.0, 3.0])
    workloads.require_agreement(workload, {'ours': ours, 'torch': ours + [1e-6, 1e-4, 1e-3]})
    for apart in ([1e-3, 0, 0], [0, 0, 0.1], [np.nan, 0, 0]):
        with pytest.raises(AssertionError, match='the networks differ'):
            workloads.require_agreement(workload, {'ours': ours, 'torch': ours + apart})
