"""The large networks of the benchmark, as lists of layers, and what runs them: forward, and one step of training.

Structures as in torchvision and Keras, without auxiliary heads: ResNet (He 2015; the stride of a bottleneck block in
its 3x3, as PyTorch's users have it), VGG-16 (Simonyan 2014), Inception-v3 (Szegedy 2015).
"""

from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import numpy as np

import mathlib.conv
from mathlib import losses, team
from mathlib.backend import xp
from mathlib.optimizers import Adam
from mathlib.parameters import ParameterStore
from tests.bench.layers import Add, Avg, Concat, Conv, Full, Max, Mean, alloc, backward, folded, forward

SEED = 1234


@dataclass(frozen=True)
class Run:
    """What the layers of one pass use. rows: of the whole batch, whatever a member of the team has of it; keep: whether
    a backward pass follows; conv: where conv2d, conv2d_dw and conv2d_dx come from; file: takes (pm, key, gradient)."""

    rows: int
    keep: bool
    conv: ModuleType | SimpleNamespace
    file: object = None


class Net:
    """A list of nodes with its parameters.

    input_shape: (h, w, c). conv: a module or namespace with conv2d, conv2d_dw and conv2d_dx (mathlib.conv).
    Attributes: nodes and pms (lists, one for each node), parameters (ParameterStore).
    """

    def __init__(self, nodes, input_shape, conv=mathlib.conv):
        draw = np.random.default_rng(SEED)
        self.nodes, self.conv = nodes, conv
        self.pms, _ = alloc(nodes, input_shape, lambda shape: draw.standard_normal(shape, dtype=np.float32))
        self.parameters = ParameterStore(self.pms)
        self.optimizer = Adam()

    def infer(self, x):
        """The logits [n, classes] of pictures x [n, h, w, c], normalised with the moving averages."""
        pms, run = folded(self.pms), Run(len(x), False, self.conv)
        return xp.concatenate(self._shared(len(x), lambda who: forward(self.nodes, pms, x[who.part(len(x))], run)[0]))

    def compute_gradients(self, x, y):
        """Forward and backward: fills parameters.gradients; returns the loss. y: one-hot [n, classes]."""
        rows = len(x)
        run = Run(rows, True, self.conv, self.parameters.file)
        self.parameters.begin()
        parts = self._shared(rows, lambda who: forward(self.nodes, self.pms, x[who.part(rows)], run))
        logits = xp.concatenate([output for output, _ in parts])
        G = losses.softmax_cross_entropy_grad(logits, y)

        def back(who):
            backward(self.nodes, self.pms, G[who.part(rows)], parts[who.rank][1], run, wanted=False)

        self._shared(rows, back)
        self.parameters.complete()
        return losses.softmax_cross_entropy(logits, y)

    def _shared(self, rows, work):
        """work(member) for the team that takes these rows through the network; the textbook has none."""
        ours = self.conv is mathlib.conv
        return team.run(team.size(rows, rows * team.PRODUCTS_A_MEMBER) if ours else 1, work)

    def step(self, x, y, learning_rate):
        """One step of training with Adam; returns the loss, a device array."""
        loss = self.compute_gradients(x, y)
        self.optimizer.update(self.parameters, learning_rate)
        return loss


def resnet(block, counts):
    """ResNet with `counts` blocks in its four groups of 64, 128, 256 and 512 channels."""
    nodes, before = [Conv(64, 7, 2), Max(3, 2, 1)], 64
    for group, count in enumerate(counts):
        for place in range(count):
            stride = 2 if group > 0 and place == 0 else 1
            main = block(64 << group, stride)
            after = main[-1].chn
            same = stride == 1 and after == before
            nodes.append(Add(main, [] if same else [Conv(after, 1, stride, actfunc='none')]))
            before = after
    return [*nodes, Mean(), Full(1000, 'none')]


def basic(chn, stride):
    """The block of ResNet-18 and 34."""
    return [Conv(chn, 3, stride), Conv(chn, 3, actfunc='none')]


def bottleneck(chn, stride):
    """The block of ResNet-50 and deeper."""
    return [Conv(chn, 1), Conv(chn, 3, stride), Conv(4 * chn, 1, actfunc='none')]


def vgg_16():
    """VGG-16: groups of 3x3 convolutions with bias, each group followed by max pooling; three full layers."""
    nodes = []
    for chn, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        nodes += [Conv(chn, norm='none')] * count + [Max(2, 2)]
    return [*nodes, Full(4096), Full(4096), Full(1000, 'none')]


def inception_v3():
    """Inception-v3 in Keras' form: 94 convolutions, normalised without a factor (23,817,352 learned parameters)."""

    def conv(chn, ksize=1, stride=1, padding=None):
        return Conv(chn, ksize, stride, padding, norm='shift')

    def pooled(chn):
        return [Avg(3, 1, 1), conv(chn)]

    def wide_and_high():
        return Concat([[conv(384, (1, 3))], [conv(384, (3, 1))]])

    def module_a(chn):
        return Concat([[conv(64)], [conv(48), conv(64, 5)], [conv(64), conv(96, 3), conv(96, 3)], pooled(chn)])

    def module_b(chn):
        row, column = (1, 7), (7, 1)
        long = [conv(chn), conv(chn, column), conv(chn, row), conv(chn, column), conv(192, row)]
        return Concat([[conv(192)], [conv(chn), conv(chn, row), conv(192, column)], long, pooled(192)])

    def module_c():
        long = [conv(448), conv(384, 3), wide_and_high()]
        return Concat([[conv(320)], [conv(384), wide_and_high()], long, pooled(192)])

    return [
        *(conv(32, 3, 2, 0), conv(32, 3, 1, 0), conv(64, 3), Max(3, 2)),
        *(conv(80), conv(192, 3, 1, 0), Max(3, 2)),
        *(module_a(32), module_a(64), module_a(64)),
        Concat([[conv(384, 3, 2, 0)], [conv(64), conv(96, 3), conv(96, 3, 2, 0)], [Max(3, 2)]]),
        *(module_b(128), module_b(160), module_b(160), module_b(192)),
        Concat(
            [
                [conv(192), conv(320, 3, 2, 0)],
                [conv(192), conv(192, (1, 7)), conv(192, (7, 1)), conv(192, 3, 2, 0)],
                [Max(3, 2)],
            ]
        ),
        *(module_c(), module_c()),
        *(Mean(), Full(1000, 'none')),
    ]
