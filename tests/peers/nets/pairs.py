"""The book's model of a network and its PyTorch twin with the same numbers, layer by layer."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from chapters.ch10_cnn_net import CnnNetModel
from chapters.nets.catalogue import NETWORKS, hconfigs_of
from chapters.structure import layers
from data import DummyDataset
from mathlib import rng
from mathlib.backend import to_device, to_host
from tests.bench.workloads import everything_kept
from tests.peers.nets.twins import learned, twin
from tests.peers.torch_ext import Learned, ours, theirs

# The twins whose submodules have the names that the catalogue gives for published weights.
NAMED = {
    'alexnet_owt',
    'vgg_16',
    'vgg_19',
    'googlenet_bn',
    'inception_v3_bn',
    'inception_v3_auxiliary',
    *(f'resnet_{layers}' for layers in (18, 34, 50, 101, 152)),
    *(f'resnet_{layers}_paper' for layers in (50, 101, 152)),
    'squeezenet',
}
LEARNERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


class Unit(NamedTuple):
    """What a layer learns in one piece. kind: of LEARNERS; pm: with its arrays; shape: of what goes in."""

    kind: type
    pm: dict
    shape: tuple


class Pair(NamedTuple):
    """A model, its twin, and the parameters of both as a list of Learned."""

    model: CnnNetModel
    twin: nn.Module
    learned: list


def make_model(name, shape=None, classes=None, **options):
    """The catalogue's network, without dropout, for pictures of `shape` (h, w, c); options: of CnnNetModel."""
    network = NETWORKS[name]
    classes = classes or network.classes
    dataset = DummyDataset(name, 'select', shape or network.input_shape, [classes])
    config = everything_kept(hconfigs_of(network, classes))
    return CnnNetModel(name, dataset, [config], **{**network.options, **options})


def pair(name, x, classes=None, seed=0, **options):
    """A Pair for pictures x [n, h, w, c], whose type the twin has too.

    Weights are the model's own first ones; biases, scales and shifts are drawn. Moving averages are drawn around what x
    itself gives, so that the signal lives through all layers when they are used. Raises ValueError where the two do not
    have the same parameters.
    """
    draws = np.random.RandomState(seed)
    rng.seed(seed)
    shape = x.shape[1:]
    model = make_model(name, shape, classes, **options)
    for path, values, _ in model.parameters.items():
        kind = path.rsplit('.', 1)[-1]
        if kind in ('b', 'shift'):
            values += to_device(draws.normal(0, 0.2, values.shape))
        elif kind == 'scale':
            values *= to_device(draws.uniform(0.5, 1.5, values.shape))
    outputs = model.dataset.output_shape[0]
    module = twin(name, outputs, shape, 'meta').to(torch.from_numpy(x[:0]).dtype)
    couples = matched(model, module, name)
    module.to_empty(device='cpu')
    pairs = [item for unit, part in couples for item in filled(unit, part)]
    count = model.parameters.count
    if not len(pairs) == len(model.parameters.names) or not count == learned(module):
        raise ValueError(f'{name}: {count} parameters here, {learned(module)} in the twin: {len(pairs)} arrays match')
    draw_averages(couples, module, turned(x), draws)
    return Pair(model, module, pairs)


def matched(model, module, name):
    """A list of (Unit, module of the twin), by published names where the twin has them, else one by one.

    The modules of such a twin are defined in the order in which they are used.
    """
    groups = [group for _, placed in layers(model.structure) if (group := units(placed))]
    if name in NAMED:
        names = [[each for each in both if each] for both in NETWORKS[name].published()]
        parts = [module.get_submodule(each) for both in names for each in both]
        mine = [unit for group, both in zip(groups, names, strict=True) for unit in by_kind(group, both)]
    else:
        parts = [part for part in module.modules() if isinstance(part, LEARNERS)]
        mine = [unit for group in groups for unit in group]
    every = {id(part) for part in module.modules() if isinstance(part, LEARNERS)}
    if {id(part) for part in parts} != every or len(parts) != len(every):
        raise ValueError(f'{name}: {len(parts)} layers of the twin were found, it has {len(every)}')
    return list(zip(mine, parts, strict=True))


def by_kind(group, names):
    """The units of a layer, its convolution before its normalisation, as published names have them."""
    if len(group) != len(names):
        raise ValueError(f'a layer learns in {len(group)} pieces, but {names} are published')
    return sorted(group, key=lambda unit: unit.kind is nn.BatchNorm2d)


def units(placed):
    """What a plain layer learns, in the order of its actions."""
    kind, pm, shape = placed.layer.type, placed.pm, placed.input_shape
    if kind == 'full':
        return [Unit(nn.Linear, pm, shape)]
    if kind == 'batch_normal':
        return [Unit(nn.BatchNorm2d, pm, shape)]
    if kind != 'conv':
        return []
    made = {'L': Unit(nn.Conv2d, pm, shape), 'B': Unit(nn.BatchNorm2d, pm.get('bn'), shape)}
    return [made[action] for action in placed.layer['actions'] if action in made]


def filled(unit, module):
    """Put a unit's arrays into a module; a list of Learned. Raises ValueError where they do not fit."""
    if not isinstance(module, unit.kind):
        raise ValueError(f'{module} has come where {unit.kind.__name__} was expected')
    pm, pairs = unit.pm, []

    def put(key, tensor, order=None, back=None):
        values = torch.from_numpy(to_host(pm[key]).copy())
        values = values if order is None else order(values)
        if values.shape != tensor.shape:
            raise ValueError(f'{key} is {list(values.shape)}, but {module} has {list(tensor.shape)}')
        with torch.no_grad():
            tensor.copy_(values)
        pairs.append(Learned(pm, key, tensor, back or (lambda gradient: gradient)))

    if unit.kind is nn.Conv2d:
        put('k', module.weight, lambda k: k.permute(3, 2, 0, 1), lambda gradient: gradient.permute(2, 3, 1, 0))
    elif unit.kind is nn.Linear:
        shape = unit.shape
        put('w', module.weight, lambda w: theirs(w, shape), lambda gradient: ours(gradient, shape))
    else:
        put('shift', module.bias)
        if module.weight.requires_grad:
            put('scale', module.weight)
        else:
            nn.init.ones_(module.weight)
        return pairs
    if module.bias is not None:
        put('b', module.bias)
    return pairs


def draw_averages(couples, module, x, draws):
    """Moving averages near the means and variances of x, on both sides."""
    norms = [(unit.pm['state'], part) for unit, part in couples if unit.kind is nn.BatchNorm2d]
    momenta = [part.momentum for _, part in norms]
    for _, part in norms:
        part.reset_running_stats()
        part.momentum = 1.0
    module.train()
    with torch.no_grad():
        module(x)
    for (state, part), momentum in zip(norms, momenta, strict=True):
        part.momentum = momentum
        variance = part.running_var.numpy()
        # With variances below those of x, what float32 rounds off would grow from block to block: behind 152 layers
        # either side was 2e-4 away from what float64 gives. The floor is for channels that x never switches on.
        variance = np.maximum(variance, 0.1 * variance.mean() + 1e-3) * draws.uniform(1, 2, variance.shape)
        mean = part.running_mean.numpy() + np.sqrt(variance) * draws.normal(0, 0.1, variance.shape)
        for key, values, buffer in (('mavg', mean, part.running_mean), ('mvar', variance, part.running_var)):
            state[key][...] = to_device(values)
            buffer.copy_(torch.from_numpy(to_host(state[key]).copy()))


def turned(x):
    """Pictures x [n, h, w, c] as a tensor [n, c, h, w]."""
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def pictures(shape, rows, dtype, seed=1):
    """Noise around 0: [rows, h, w, c]."""
    return np.random.default_rng(seed).standard_normal((rows, *shape)).astype(dtype)


def error(mine, expected):
    """The largest difference of two arrays by the largest number expected. Raises ValueError unless shapes agree."""
    mine, expected = to_host(mine), expected.detach().numpy()
    if mine.shape != expected.shape:
        raise ValueError(f'{list(mine.shape)} in place of {list(expected.shape)}')
    return float(np.abs(mine - expected).max() / np.abs(expected).max())


def logits_error(both, x):
    """How far the logits of x lie apart in a test, where moving averages are used."""
    with torch.inference_mode():
        expected = both.twin.eval()(turned(x))
    return error(both.model.get_output(x), expected)


def gradient_errors(both):
    """{name: error} of the gradients of all parameters, after a training pass of both.

    What is left of a gradient that is zero but for rounding, such as that of a bias before a normalisation, is measured
    by the largest gradient of all.
    """
    expected = {(id(each.pm), each.key): each.ordered(each.tensor.grad).numpy() for each in both.learned}
    least = 1e-4 * max(np.abs(values).max() for values in expected.values())
    errors = {}
    parameters = both.model.parameters
    for slot, (name, _, gradient) in zip(parameters.slots(), parameters.items(), strict=True):
        theirs_now = expected[id(slot.pm), slot.name.rsplit('.', 1)[-1]]
        apart = np.abs(to_host(gradient) - theirs_now).max()
        errors[name] = float(apart / max(np.abs(theirs_now).max(), least))
    return errors
