"""The same networks in PyTorch, built from the benchmark's lists of nodes and pms, with the same weights.

Plain modules of torch.nn, as its users write them; the inputs are [n, c, h, w].
"""

import torch
from torch import nn

from mathlib.backend import to_host
from tests.bench.layers import EPSILON, Add, Avg, Concat, Conv, Full, Max, Mean


class Added(nn.Module):
    """relu(main(x) + shortcut(x))."""

    def __init__(self, main, shortcut):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        """x and the result: [n, c, h, w]."""
        return nn.functional.relu(self.main(x) + self.shortcut(x), inplace=True)


class Concatenated(nn.Module):
    """Branches side by side."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        """x and the result: [n, c, h, w]."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def network(nodes, pms, channels):
    """An nn.Sequential of a list of nodes, and how many channels leave it; `channels` enter it."""
    modules = []
    for node, pm in zip(nodes, pms, strict=True):
        more, channels = _BUILDERS[type(node)](node, pm, channels)
        modules += more
    return nn.Sequential(*modules), channels


def _conv(node, pm, channels):
    """Convolution, normalisation, ReLU."""
    (top, bottom), (left, right) = node.around()
    if top != bottom or left != right:
        raise ValueError(f'{node}: PyTorch pads a convolution alike on opposite sides')
    norm = node.norm != 'none'
    conv = nn.Conv2d(channels, node.chn, node.ksize, node.stride, (top, left), bias=not norm)
    fill(conv.weight, to_host(pm['k']).transpose(3, 2, 0, 1))
    modules = [conv]
    if norm:
        state = pm['state']
        modules.append(nn.BatchNorm2d(node.chn, eps=EPSILON))
        fill(modules[1].running_mean, to_host(state['mean']))
        fill(modules[1].running_var, to_host(state['variance']))
        if node.norm == 'scale':
            fill(modules[1].weight, to_host(pm['g']))
        else:
            modules[1].weight.requires_grad_(False)
    fill(modules[-1].bias, to_host(pm['b']))
    return modules + _activation(node), node.chn


def _full(node, pm, channels):
    """Flatten and multiply. Our rows are in the order (h, w, c), PyTorch's in (c, h, w): so are the weights."""
    weight = to_host(pm['w'])
    linear = nn.Linear(*weight.shape)
    fill(linear.weight, weight.reshape(-1, channels, node.width).transpose(2, 1, 0).reshape(node.width, -1))
    fill(linear.bias, to_host(pm['b']))
    return [nn.Flatten(), linear, *_activation(node)], node.width


def _activation(node):
    return [nn.ReLU(inplace=True)] if node.actfunc == 'relu' else []


def _max(node, pm, channels):
    return [nn.MaxPool2d(node.ksize, node.stride, node.padding)], channels


def _avg(node, pm, channels):
    return [nn.AvgPool2d(node.ksize, node.stride, node.padding, count_include_pad=False)], channels


def _mean(node, pm, channels):
    return [nn.AdaptiveAvgPool2d(1)], channels


def _add(node, pm, channels):
    main, after = network(node.main, pm['main'], channels)
    shortcut, _ = network(node.shortcut, pm['shortcut'], channels)
    return [Added(main, shortcut)], after


def _concat(node, pm, channels):
    pairs = [network(*both, channels) for both in zip(node.branches, pm['branches'], strict=True)]
    return [Concatenated([branch for branch, _ in pairs])], sum(count for _, count in pairs)


_BUILDERS = {Conv: _conv, Full: _full, Max: _max, Avg: _avg, Mean: _mean, Add: _add, Concat: _concat}


def fill(tensor, array):
    """Write a host array into a tensor of the same shape."""
    if tuple(tensor.shape) != array.shape:
        raise ValueError(f'a tensor of shape {list(tensor.shape)} cannot take values of shape {list(array.shape)}')
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(array.copy()))
