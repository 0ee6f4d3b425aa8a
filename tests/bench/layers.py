"""Plain layers for the benchmark's large networks, which later chapters build from configurations.

A network is a list of nodes, one after the other. A node is a layer (Conv, Max, Avg, Mean, Full) or holds lists of its
own: Add adds what a shortcut gives, Concat puts branches side by side. Nodes only describe; parameters, and whatever
else a network has of its own, stand in a `pm` for each node, so that torch_nets.py can read the same two lists. Every
node has the same three methods, and so have lists of them, as functions:

    alloc(shape, draw) -> pm, shape      forward(pm, x, run) -> y, aux      backward(pm, G_y, aux, run, wanted) -> G_x

shape is (h, w, c) without the batch; draw(shape) gives normal numbers; run is a nets.Run; G_x is needed only if wanted.
"""

import math
from dataclasses import dataclass

from mathlib import backend, pool
from mathlib.backend import to_device, xp
from mathlib.functions import activate, activate_grad
from mathlib.linear import product
from mathlib.team import member
from mathlib.windows import pair, windows

EPSILON = 1e-5
MOMENTUM = 0.1
BLOCK = 1 << 16


def channel_sums(x, z):
    """The sums of x and of x * z over all but the last axis: an xp array [2, channels]."""
    x, z = (array.reshape(-1, array.shape[-1]) for array in (x, z))
    count = max(1, BLOCK // x.shape[1]) if backend.name == 'numpy' else len(x)
    ones = xp.ones(count, dtype=x.dtype)
    sums = xp.zeros((2, x.shape[1]), dtype=x.dtype)
    for start in range(0, len(x), count):
        part = x[start : start + count]
        sums[0] += xp.matmul(ones[: len(part)], part)
        sums[1] += xp.matmul(ones[: len(part)], part * z[start : start + count])
    return sums


def per_channel(x, factor, term):
    """x * factor + term with one factor and term a channel, on rows of width * channels; x [n, h, w, c] is kept."""
    rows = x.reshape(-1, x.shape[2] * x.shape[3])
    y = rows * xp.tile(factor, x.shape[2])
    y += xp.tile(term, x.shape[2])
    return y.reshape(x.shape)


@dataclass(frozen=True)
class Conv:
    """A convolution with a bias, or with batch normalisation (Ioffe and Szegedy 2015) instead; then actfunc.

    padding None: half the kernel all around. norm: 'none', 'scale' (a factor and a term for each channel), or 'shift'
    (the term alone, as in Keras' Inception-v3). pm: 'k' [kh, kw, c, chn], 'b' [chn], with 'scale' also 'g' [chn];
    state: windows, and with normalisation the moving averages mean and variance [chn].
    """

    chn: int
    ksize: int | tuple = 3
    stride: int = 1
    padding: int | None = None
    norm: str = 'scale'
    actfunc: str = 'relu'

    def around(self):
        """The padding: ((top, bottom), (left, right))."""
        return tuple((side // 2 if self.padding is None else self.padding,) * 2 for side in pair(self.ksize))

    def alloc(self, shape, draw):
        *sides, channels = shape
        at = windows(sides, self.ksize, self.stride, self.around())
        fan_in = math.prod(at.ksize) * channels
        pm = {
            'k': draw((*at.ksize, channels, self.chn)) * math.sqrt(2 / fan_in),
            'b': 0.1 * draw((self.chn,)),
            'state': {'windows': at},
        }
        if self.norm != 'none':
            pm['state']['mean'] = to_device(0.1 * draw((self.chn,)))
            pm['state']['variance'] = to_device(1 + 0.1 * draw((self.chn,)))
        if self.norm == 'scale':
            pm['g'] = 1 + 0.1 * draw((self.chn,))
        return pm, (*at.output_sides, self.chn)

    def forward(self, pm, x, run):
        state = pm['state']
        if 'mean' not in state:
            y = run.conv.conv2d(x, pm['k'], pm['b'], state['windows'], self.actfunc)
            return y, (x, y)
        z = run.conv.conv2d(x, pm['k'], None, state['windows'])
        who, count = member(), run.rows * math.prod(z.shape[1:3])
        mean, square = who.all_reduce(channel_sums(z, z)) / count
        variance = square - mean * mean
        if who.rank == 0:
            for key, now in (('mean', mean), ('variance', variance * (count / (count - 1)))):
                state[key] += MOMENTUM * (now - state[key])
        inverse = 1 / xp.sqrt(variance + EPSILON)
        factor = pm['g'] * inverse if 'g' in pm else inverse
        y = activate(self.actfunc, per_channel(z, factor, pm['b'] - mean * factor))
        return y, (x, y, z, mean, inverse, factor)

    def backward(self, pm, G_y, aux, run, wanted):
        x, y, *norm = aux
        at = pm['state']['windows']
        G_z = activate_grad(self.actfunc, G_y, y)
        if norm:
            z, mean, inverse, factor = norm
            sums = channel_sums(G_z, z)
            run.file(pm, 'b', sums[0])
            if 'g' in pm:
                run.file(pm, 'g', (sums[1] - mean * sums[0]) * inverse)
            G_b, G_product = member().all_reduce(sums)
            G_g = (G_product - mean * G_b) * inverse
            # G_z = factor * (G - mean of G - normalised z * mean of (G * normalised z)), ordered by what multiplies z
            count = run.rows * math.prod(z.shape[1:3])
            slope = factor * inverse * G_g / -count
            G_z = per_channel(G_z, factor, factor * G_b / -count - slope * mean)
            G_z += per_channel(z, slope, xp.zeros_like(slope))
        G_k, G_bias = run.conv.conv2d_dw(x, G_z, at)
        run.file(pm, 'k', G_k)
        if not norm:
            run.file(pm, 'b', G_bias)
        return run.conv.conv2d_dx(G_z, pm['k'], at) if wanted else None


@dataclass(frozen=True)
class Max:
    """Max pooling. pm: windows."""

    ksize: int
    stride: int
    padding: int = 0

    def alloc(self, shape, draw):
        at = windows(shape[:2], self.ksize, self.stride, self.padding)
        return {'state': {'windows': at}}, (*at.output_sides, shape[2])

    def forward(self, pm, x, run):
        return pool.max_pool(x, pm['state']['windows'])

    def backward(self, pm, G_y, aux, run, wanted):
        return pool.max_pool_dx(G_y, pm['state']['windows'], aux)


class Avg(Max):
    """Average pooling; places around the picture do not count. pm: windows."""

    def forward(self, pm, x, run):
        return pool.avg_pool(x, pm['state']['windows']), None

    def backward(self, pm, G_y, aux, run, wanted):
        return pool.avg_pool_dx(G_y, pm['state']['windows'])


@dataclass(frozen=True)
class Mean:
    """The mean of each channel's whole map: [n, h, w, c] -> [n, c]."""

    def alloc(self, shape, draw):
        return {}, (shape[2],)

    def forward(self, pm, x, run):
        return x.mean(axis=(1, 2)), x.shape

    def backward(self, pm, G_y, aux, run, wanted):
        return xp.broadcast_to((G_y / math.prod(aux[1:3]))[:, None, None], aux)


@dataclass(frozen=True)
class Full:
    """A full layer on all numbers of a row. pm: 'w' [inputs, width], 'b' [width]."""

    width: int
    actfunc: str = 'relu'

    def alloc(self, shape, draw):
        inputs = math.prod(shape)
        return {'w': draw((inputs, self.width)) * math.sqrt(2 / inputs), 'b': 0.1 * draw((self.width,))}, (self.width,)

    def forward(self, pm, x, run):
        y = activate(self.actfunc, product(x.reshape(len(x), -1), pm['w']) + pm['b'])
        return y, (x, y)

    def backward(self, pm, G_y, aux, run, wanted):
        x, y = aux
        G_y = activate_grad(self.actfunc, G_y, y)
        run.file(pm, 'w', xp.matmul(x.reshape(len(x), -1).T, G_y))
        run.file(pm, 'b', G_y.sum(axis=0))
        return xp.matmul(G_y, pm['w'].T).reshape(x.shape)


@dataclass(frozen=True)
class Add:
    """relu(main(x) + shortcut(x)): He 2015. An empty shortcut gives x itself. pm: a list for each of the two."""

    main: list
    shortcut: list

    def alloc(self, shape, draw):
        main, output_shape = alloc(self.main, shape, draw)
        shortcut, _ = alloc(self.shortcut, shape, draw)
        return {'main': main, 'shortcut': shortcut}, output_shape

    def forward(self, pm, x, run):
        y, aux_main = forward(self.main, pm['main'], x, run)
        passed, aux_shortcut = forward(self.shortcut, pm['shortcut'], x, run)
        y += passed
        xp.maximum(y, 0, out=y)
        return y, (y, aux_main, aux_shortcut)

    def backward(self, pm, G_y, aux, run, wanted):
        y, aux_main, aux_shortcut = aux
        G_sum = activate_grad('relu', G_y, y)
        G_x = backward(self.main, pm['main'], G_sum, aux_main, run, wanted)
        G_passed = backward(self.shortcut, pm['shortcut'], G_sum, aux_shortcut, run, wanted)
        return G_x + G_passed if wanted else None


@dataclass(frozen=True)
class Concat:
    """Branches that read the same x, their channels side by side: Szegedy 2014. pm: a list for each branch."""

    branches: list

    def alloc(self, shape, draw):
        pms, shapes = zip(*(alloc(branch, shape, draw) for branch in self.branches), strict=True)
        return {'branches': list(pms)}, (*shapes[0][:2], sum(channels for _, _, channels in shapes))

    def forward(self, pm, x, run):
        pairs = zip(self.branches, pm['branches'], strict=True)
        ys, auxs = zip(*(forward(branch, pms, x, run) for branch, pms in pairs), strict=True)
        return xp.concatenate(ys, axis=3), ([y.shape[3] for y in ys], auxs)

    def backward(self, pm, G_y, aux, run, wanted):
        start, G_x = 0, 0
        for branch, pms, count, aux_branch in zip(self.branches, pm['branches'], *aux, strict=True):
            G_branch = backward(branch, pms, G_y[..., start : start + count], aux_branch, run, wanted)
            start += count
            G_x = G_x + G_branch if wanted else None
        return G_x


def alloc(nodes, shape, draw):
    """The parameters of a list of nodes, one pm each, and the shape that comes out. shape: (h, w, c) that goes in."""
    pms = []
    for node in nodes:
        pm, shape = node.alloc(shape, draw)
        pms.append(pm)
    return pms, shape


def forward(nodes, pms, x, run):
    """y, and for a backward pass what each node keeps; without one (run.keep) maps go as soon as they are read."""
    auxs = []
    for node, pm in zip(nodes, pms, strict=True):
        if run.keep:
            x, aux = node.forward(pm, x, run)
            auxs.append(aux)
        else:
            x = node.forward(pm, x, run)[0]
    return x, auxs


def backward(nodes, pms, G_y, auxs, run, wanted=True):
    """G_x, or None where it is not wanted; hands every gradient to run.file(pm, key, gradient)."""
    steps = list(zip(nodes, pms, auxs, strict=True))
    for place in reversed(range(len(steps))):
        node, pm, aux = steps[place]
        G_y = node.backward(pm, G_y, aux, run, wanted or place > 0)
    return G_y


def folded(pm):
    """The pms of the same network for use after training, with each normalisation multiplied into its kernel.

    With the moving averages, normalisation is one factor and one term a channel, and so is part of the convolution.
    """
    if isinstance(pm, list):
        return [folded(each) for each in pm]
    state = pm.get('state', {})
    if 'mean' not in state:
        return {key: folded(value) if isinstance(value, list) else value for key, value in pm.items()}
    factor = 1 / xp.sqrt(state['variance'] + EPSILON)
    if 'g' in pm:
        factor *= pm['g']
    return {
        'k': pm['k'] * factor,
        'b': pm['b'] - state['mean'] * factor,
        'state': {'windows': state['windows']},
    }
