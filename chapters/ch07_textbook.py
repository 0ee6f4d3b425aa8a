"""Chapter 7: a whole network trained the textbook's way, to hold ours against.

Every convolution is stage 3 of ch07_stages, and every parameter has an Adam of its own, which moves it as soon as its
gradient is known. As in the book, im2col's matrix is kept for the way back, a derivative is taken from y (relu: its
sign, sigmoid: y (1 - y), tanh: (1 + y) (1 - y)), and the first layer computes a gradient by the pictures too, though
nothing uses it. Four things differ; only the first two can be seen in the digits:

- The book keeps its weights in float64, but stores im2col's matrix, and what col2im and the pooling hand back, in
  float32. Here everything is of the float type of the weights and pictures that are given.
- The book adds 1e-10 inside the logarithm of the softmax loss; the data set's loss, which is used here, needs no such
  guard. The gradient is the same, (softmax - y) / n.
- The book copies im2col's matrix twice more, to bring the pictures to the front; here it is written once, in place.
- Where a convolution has a stride, the book applies the activation function before it picks the pixels; here after, to
  fewer of them.
"""

from chapters.ch07_stages import (
    avg_textbook,
    avg_textbook_backprop,
    conv_textbook,
    conv_textbook_backprop,
    im2col,
    max_textbook,
    max_textbook_backprop,
)
from data import Dataset
from mathlib.backend import xp
from mathlib.errors import ConfigError
from mathlib.functions import activate, activate_grad
from mathlib.windows import pair

RO_1, RO_2, EPSILON = 0.9, 0.999, 1.0e-8


class Parameter:
    """An array that is trained, with its own running means s and t and its own count n of steps (chapter 6)."""

    def __init__(self, value):
        self.value = value.copy()
        self.s, self.t, self.n = xp.zeros_like(value), xp.zeros_like(value), 0

    def move(self, gradient, learning_rate):
        """One step of Adam, with bias correction. gradient: of the value's shape."""
        self.n += 1
        self.s = RO_1 * self.s + (1 - RO_1) * gradient
        self.t = RO_2 * self.t + (1 - RO_2) * (gradient * gradient)
        mean = self.s / (1 - RO_1**self.n)
        mean_square = self.t / (1 - RO_2**self.n)
        self.value -= learning_rate * (mean / (xp.sqrt(mean_square) + EPSILON))


class Conv:
    """actfunc(convolution + b). k [kh, kw, c, o], b [o]; x [n, h, w, c] -> y [n, rows, columns, o]."""

    def __init__(self, options, k, b):
        self.k, self.b = Parameter(k), Parameter(b)
        self.stride, self.padding = options.get('stride', 1), options.get('padding', 'SAME')
        self.actfunc = options.get('actfunc', 'relu')

    def forward(self, x):
        """y, and what the way back needs."""
        k, b = self.k.value, self.b.value
        columns = im2col(x, *k.shape[:2])
        y = activate(self.actfunc, conv_textbook(x, k, b, self.stride, self.padding, columns))
        return y, (x, y, columns)

    def backprop(self, G_y, aux, learning_rate):
        """Move k and b; returns G_x."""
        x, y, columns = aux
        G_conv = activate_grad(self.actfunc, G_y, y)
        G_x, G_k, G_b = conv_textbook_backprop(G_conv, x, self.k.value, self.stride, self.padding, columns)
        self.k.move(G_k, learning_rate)
        self.b.move(G_b, learning_rate)
        return G_x


class Full:
    """actfunc(x w + b), with x made flat. w [inputs, width], b [width]; x [n, ...] -> y [n, width]."""

    def __init__(self, options, w, b):
        self.w, self.b = Parameter(w), Parameter(b)
        self.actfunc = options.get('actfunc', 'relu')

    def forward(self, x):
        """y, and what the way back needs."""
        y = activate(self.actfunc, xp.matmul(x.reshape(len(x), -1), self.w.value) + self.b.value)
        return y, (x, y)

    def backprop(self, G_y, aux, learning_rate):
        """Move w and b; returns G_x."""
        x, y = aux
        G_affine = activate_grad(self.actfunc, G_y, y)
        G_x = xp.matmul(G_affine, self.w.value.T).reshape(x.shape)
        self.w.move(xp.matmul(x.reshape(len(x), -1).T, G_affine), learning_rate)
        self.b.move(G_affine.sum(axis=0), learning_rate)
        return G_x


class Max:
    """The largest of each window of `stride` pixels."""

    def __init__(self, options):
        self.stride = options.get('stride', 1)

    def forward(self, x):
        """y [n, h // sh, w // sw, c], and what the way back needs."""
        y, places = max_textbook(x, self.stride)
        return y, (x.shape, places)

    def backprop(self, G_y, aux, learning_rate):
        """G_x; nothing to move."""
        x_shape, places = aux
        return max_textbook_backprop(G_y, x_shape, self.stride, places)


class Avg:
    """The mean of each window of `stride` pixels."""

    def __init__(self, options):
        self.stride = options.get('stride', 1)

    def forward(self, x):
        """y [n, h // sh, w // sw, c], and what the way back needs."""
        return avg_textbook(x, self.stride), x.shape

    def backprop(self, G_y, x_shape, learning_rate):
        """G_x; nothing to move."""
        return avg_textbook_backprop(G_y, x_shape, self.stride)


class TextbookNet:
    """A network of conv, max, avg and full layers, and a full output layer without activation function.

    hconfigs: a list of layers as CnnBasicModel takes them, such as [['conv', {'ksize': 3, 'chn': 6}], ['max',
    {'stride': 2}], 10]; a pooling window is as large as its stride. weights: the numbers to start from, copied: a pair
    (k, b) or (w, b) of device arrays for each conv and full layer in order, the output layer's last. dataset: what
    computes the loss, with forward_postproc and backprop_postproc; without one it is the softmax cross entropy.

    layers: the layers, whose Parameters hold what was learned. Raises ConfigError where layers and weights do not fit,
    and for layers that it does not know.
    """

    def __init__(self, hconfigs, weights, dataset=None):
        self.dataset = dataset or Dataset('textbook', 'select')
        configs = [_long_form(hconfig) for hconfig in hconfigs]
        configs.append(('full', {'actfunc': 'none'}))
        needed = sum(kind in ('conv', 'full') for kind, _ in configs)
        if needed != len(weights):
            raise ConfigError(
                f'{len(weights)} pairs of weights for {needed} layers with weights: expected a pair (k, b) or (w, b) '
                f'for each conv and full layer, and one for the output layer'
            )
        remaining = iter(weights)
        self.layers = [_make_layer(n, *config, remaining) for n, config in enumerate(configs, 1)]

    def forward(self, x):
        """x [n, *input_shape] -> output [n, outputs], and what the way back needs, layer by layer."""
        auxes = []
        for layer in self.layers:
            x, aux = layer.forward(x)
            auxes.append(aux)
        return x, auxes

    def backprop(self, G_output, auxes, learning_rate):
        """G_output [n, outputs] -> G_x of the pictures; on the way all parameters are moved, the last layer's first."""
        G = G_output
        for layer, aux in zip(reversed(self.layers), reversed(auxes), strict=True):
            G = layer.backprop(G, aux, learning_rate)
        return G

    def train_step(self, x, y, learning_rate=0.001):
        """One step on pictures x and answers y [n, outputs], device arrays; returns the loss before it, a 0-d array."""
        output, auxes = self.forward(x)
        loss, aux_loss = self.dataset.forward_postproc(output, y)
        self.backprop(self.dataset.backprop_postproc(1.0, aux_loss), auxes, learning_rate)
        return loss


def _long_form(hconfig):
    """(type, options) of one layer; an int is the width of a full layer."""
    if isinstance(hconfig, int):
        return 'full', {'width': hconfig}
    return hconfig[0], dict(hconfig[1]) if len(hconfig) > 1 else {}


# layer type: (its class, the options that it understands)
_LAYERS = {
    'conv': (Conv, {'ksize', 'chn', 'stride', 'padding', 'actfunc'}),
    'full': (Full, {'width', 'actfunc'}),
    'max': (Max, {'stride'}),
    'avg': (Avg, {'stride'}),
}


def _make_layer(number, kind, options, weights):
    """One layer; conv and full layers take their weights, the next pair of the iterator."""
    layer, understood = _LAYERS.get(kind, (None, set()))
    if layer is None or not understood.issuperset(options):
        raise ConfigError(
            f'layer {number}: {kind!r} with {options} is not among the layers of this net: expected '
            + ', '.join(f'{name} with {", ".join(sorted(known))}' for name, (_, known) in _LAYERS.items())
        )
    if kind in ('max', 'avg'):
        return layer(options)
    w, b = next(weights)
    if kind == 'conv' and w.ndim == 4:
        fits = (w.shape[0], w.shape[1], w.shape[3]) == (*pair(options['ksize']), options['chn'])
    else:
        fits = kind == 'full' and w.ndim == 2 and w.shape[1] == options.get('width', w.shape[1])
    if not fits or b.shape != w.shape[-1:]:
        raise ConfigError(f'layer {number}: {kind!r} with {options} was given weights {list(w.shape)}, {list(b.shape)}')
    return layer(options, w, b)
