"""Networks of chapter 9 in PyTorch: from the structure of a CnnExtModel, with its weights, out of modules of torch.nn.

Maps are [n, c, h, w] here. The book's windows are PyTorch's own where padding alike on both sides gives them, as it
does in all of the flower networks; elsewhere the maps are padded or cut first.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from chapters.structure import parts
from mathlib.backend import to_host


class Learned(NamedTuple):
    """A parameter on both sides: our pm[key], the tensor, and a function that puts the tensor's values in our order."""

    pm: dict
    key: str
    tensor: nn.Parameter
    ordered: object


class Normed(NamedTuple):
    """A batch normalisation on both sides: our state with mavg and mvar, the module, and numbers a row and channel."""

    state: dict
    module: nn.Module
    places: int


class Twin(nn.Module):
    """The network of a CnnExtModel: x [n, c, h, w] -> logits.

    learned, norms: lists of Learned and Normed. Raises ValueError for a dropout that does not keep everything, and for
    a layer type that is not known.
    """

    def __init__(self, model):
        super().__init__()
        self.learned, self.norms = [], []
        self.layers = nn.Sequential(*map(self.build, model.structure))

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, outputs]."""
        return self.layers(x)

    def build(self, placed):
        """A module for one Placed layer."""
        kind = placed.layer.type
        if kind in ('conv', 'full', 'max', 'avg', 'batch_normal', 'dropout', 'add'):
            return getattr(self, kind)(placed)
        if not parts(placed):
            raise ValueError(f'{placed.layer.path}: {kind} has no counterpart here')
        inside = map(self.build, parts(placed))
        return Parallel(inside) if kind == 'parallel' else nn.Sequential(*inside)

    def learn(self, pm, key, tensor, order=None):
        """Fill a tensor from pm[key], whose axes stand in our order: `order` turns the tensor's into it."""
        turned = tensor if order is None else tensor.permute(order)
        with torch.no_grad():
            turned.copy_(torch.from_numpy(to_host(pm[key]).copy()))
        self.learned.append(Learned(pm, key, tensor, lambda values: values if order is None else values.permute(order)))

    def conv(self, placed):
        """The actions one after the other."""
        layer, pm = placed.layer, placed.pm
        inputs, chn = placed.input_shape[2], layer['chn']
        frame, padding = framed(pm['state']['windows'], 0.0)
        conv = nn.Conv2d(inputs, chn, layer['ksize'], layer['stride'], padding)
        self.learn(pm, 'k', conv.weight, (2, 3, 1, 0))
        self.learn(pm, 'b', conv.bias)
        shapes = placed.input_shape, placed.output_shape
        return self.actions(layer, pm, layer['actions'], [*frame, conv], shapes)

    def actions(self, layer, pm, actions, linear, shapes):
        """Modules for 'L' (those in `linear`), 'A' and 'B'; shapes: of the maps before and after 'L'."""
        modules = []
        for n, action in enumerate(actions):
            if action == 'L':
                modules += linear
            elif action == 'A':
                # What comes in from outside may be read by others too, so it is not overwritten.
                modules += activation(layer['actfunc'], inplace=n > 0 or not linear)
            else:
                shape = shapes[1] if 'L' in actions[:n] or not linear else shapes[0]
                modules.append(self.norm(pm['bn'], pm['bn']['state']['hconfig'], shape))
        return nn.Sequential(*modules)

    def norm(self, pm, options, shape):
        """Batch normalisation with its moving averages, and with scale and shift if they are learned."""
        module = {1: nn.BatchNorm1d, 3: nn.BatchNorm2d}[len(shape)](
            shape[-1], eps=options['epsilon'], momentum=options['exp_ratio'], affine=options['rescale']
        )
        state = pm['state']
        with torch.no_grad():
            module.running_mean.copy_(torch.from_numpy(to_host(state['mavg']).copy()))
            module.running_var.copy_(torch.from_numpy(to_host(state['mvar']).copy()))
        if options['rescale']:
            self.learn(pm, 'scale', module.weight)
            self.learn(pm, 'shift', module.bias)
        self.norms.append(Normed(state, module, shape[0] * shape[1] if len(shape) == 3 else 1))
        return module

    def batch_normal(self, placed):
        """A layer of its own."""
        return self.norm(placed.pm, placed.layer, placed.input_shape)

    def full(self, placed):
        """Flatten and multiply. Our rows are in the order (h, w, c), PyTorch's in (c, h, w): so are the weights."""
        pm, shape = placed.pm, placed.input_shape
        linear = nn.Linear(*pm['w'].shape)
        with torch.no_grad():
            linear.weight.copy_(theirs(torch.from_numpy(to_host(pm['w']).copy()), shape))
        self.learned.append(Learned(pm, 'w', linear.weight, lambda values: ours(values, shape)))
        self.learn(pm, 'b', linear.bias)
        return nn.Sequential(nn.Flatten(), linear, *activation(placed.layer['actfunc'], inplace=True))

    def max(self, placed):
        """The largest of each window; what lies outside never is."""
        windows = placed.pm['state']['windows']
        frame, padding = framed(windows, float('-inf'))
        return nn.Sequential(*frame, nn.MaxPool2d(windows.ksize, windows.stride, padding))

    def avg(self, placed):
        """The mean of each window's real pixels."""
        windows = placed.pm['state']['windows']
        frame, padding = framed(windows, 0.0)
        if frame:
            return FramedMean(*frame, windows)
        return nn.AvgPool2d(windows.ksize, windows.stride, padding, count_include_pad=False)

    def dropout(self, placed):
        """Nothing is dropped."""
        if placed.layer['keep_prob'] != 1:
            raise ValueError(f'{placed.layer.path}: two sides drop different numbers; keep_prob must be 1')
        return nn.Dropout(0.0)

    def add(self, placed):
        """The sum, then its actions."""
        layer, shape = placed.layer, placed.output_shape
        branches = list(map(self.build, parts(placed)))
        return Added(branches, layer['x'], self.actions(layer, placed.pm, layer['actions'], [], (shape, shape)))


class Parallel(nn.Module):
    """Branches that read the same maps; their channels side by side."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        """x and the result: [n, c, h, w], or [n, c]."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Added(nn.Module):
    """The sum of branches, and of x itself if `with_x`; where there are fewer channels, they are repeated."""

    def __init__(self, branches, with_x, after):
        super().__init__()
        self.branches, self.with_x, self.after = nn.ModuleList(branches), with_x, after

    def forward(self, x):
        """x and the result: [n, c, h, w], or [n, c]."""
        first, *others = [branch(x) for branch in self.branches]
        total = first
        for other in [*others, x] if self.with_x else others:
            times = first.shape[1] // other.shape[1]
            total = total + (other if times == 1 else torch.cat([other] * times, dim=1))
        return self.after(total)


class Frame(nn.Module):
    """Maps padded on each side by so many places, or cut where the number is negative."""

    def __init__(self, around, value):
        super().__init__()
        self.around, self.value = around, value

    def forward(self, x):
        """x and the result: [n, c, h, w]."""
        return functional.pad(x, self.around, value=self.value)


class FramedMean(nn.Module):
    """The mean of the real pixels of each window on a frame."""

    def __init__(self, frame, windows):
        super().__init__()
        self.frame, self.ksize, self.stride = frame, windows.ksize, windows.stride

    def forward(self, x):
        """x and the result: [n, c, h, w]."""
        sums, counts = (
            functional.avg_pool2d(self.frame(each), self.ksize, self.stride, divisor_override=1)
            for each in (x, torch.ones_like(x[:1, :1]))
        )
        return sums / counts


def framed(windows, value):
    """(modules, padding): what must come before a window operation, and the padding that this is then told.

    No module where padding alike on both sides, by at most half a window, gives the same places.
    """
    axes = windows.rows, windows.columns
    if all(alike(axis) for axis in axes):
        return [], tuple(axis.before for axis in axes)
    # PyTorch wants the last axis first.
    around = [
        side
        for axis in reversed(axes)
        for side in (-axis.start, axis.start + (axis.count - 1) * axis.step + axis.kernel - axis.size)
    ]
    return [Frame(around, value)], (0, 0)


def alike(axis):
    """Whether as many places after the axis as before it give exactly its windows."""
    count = (axis.size + 2 * axis.before - axis.kernel) // axis.step + 1
    return axis.start <= 0 and count == axis.count and axis.before <= axis.kernel // 2


def activation(name, inplace):
    """A list of the module for an activation function, or of none."""
    known = {'relu': lambda: [nn.ReLU(inplace)], 'sigmoid': lambda: [nn.Sigmoid()], 'tanh': lambda: [nn.Tanh()]}
    return known[name]() if name != 'none' else []


def theirs(w, shape):
    """Our weights [inputs, width] on rows of `shape` as PyTorch's [width, inputs]."""
    return w.reshape(*shape, -1).movedim(-1, 0).movedim(-1, 1).reshape(w.shape[1], -1)


def ours(w, shape):
    """PyTorch's weights [width, inputs] as ours."""
    *sides, channels = shape
    return w.reshape(-1, channels, *sides).movedim(1, -1).reshape(len(w), -1).T
