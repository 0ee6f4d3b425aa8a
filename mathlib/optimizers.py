"""How parameters move, given their gradients: plain gradient descent (chapter 4), Adam (chapter 6), and momentum and
RMSProp, with which the networks of chapter 10 were trained.

An optimiser works on the flat vectors of a ParameterStore, in place. On a CPU it goes through them in blocks that
stay in the cache between one vector operation and the next, on all cores; a GPU takes them whole.
"""

import numpy as np

from mathlib import scratch, team
from mathlib.backend import xp
from mathlib.choices import BELOW_ONE, NOT_NEGATIVE, POSITIVE, SWITCH, Rule, choose
from mathlib.errors import ConfigError
from mathlib.parameters import VECTORS

# A parameter of a dead unit has gradients of exactly zero; its running means then shrink step by step into the range of
# denormal numbers, with which a CPU computes 4 to 7 times slower (measured on a vector of a million). So every so many
# steps, means that are too small to move anything are set to zero.
FLUSH_EVERY = 100
NEGLIGIBLE = 1e8


def _in_blocks(parameters, update):
    """update(part) for slices that together cover the flat vectors."""
    team.spread(scratch.blocks(parameters.count, VECTORS), update)


def _drop_negligible(*means):
    """Set to zero what lies within NEGLIGIBLE times the smallest normal number of the float type."""
    for mean in means:
        mean *= xp.abs(mean) >= NEGLIGIBLE * float(np.finfo(mean.dtype).tiny)


class GradientDescent:
    """values -= learning_rate * gradients."""

    def update(self, parameters, learning_rate):
        """One step on all parameters. parameters: a ParameterStore whose gradients are complete."""

        def update(part):
            parameters.values[part] -= learning_rate * parameters.gradients[part]

        _in_blocks(parameters, update)

    def reset(self):
        """Nothing is kept from one step to the next."""


class Adam:
    """Adaptive moments (Kingma and Ba 2014): a step of about the learning rate for every parameter.

    s and t are running means of the gradient and of its square; both start at zero and are divided by
    1 - ro**n after n steps, because until then they are too small (bias correction).
    """

    def __init__(self, ro_1=0.9, ro_2=0.999, epsilon=1.0e-8):
        self.ro_1, self.ro_2, self.epsilon = ro_1, ro_2, epsilon
        self.step = 0
        self.s = self.t = None

    def reset(self):
        """Forget all steps so far."""
        self.step = 0
        self.s = self.t = None

    def update(self, parameters, learning_rate):
        """One step on all parameters. parameters: a ParameterStore whose gradients are complete."""
        if self.s is None:
            self.s = xp.zeros_like(parameters.values)
            self.t = xp.zeros_like(parameters.values)
        self.step += 1

        def update(part):
            self._update(parameters.values[part], parameters.gradients[part], self.s[part], self.t[part], learning_rate)

        _in_blocks(parameters, update)
        if self.step % FLUSH_EVERY == 0:
            self._flush()

    def _update(self, values, gradients, s, t, learning_rate):
        """One step on one block; all are views of equal length, changed in place but for the gradients."""
        part = scratch.buffer('adam', values.shape, values.dtype)
        xp.multiply(gradients, 1 - self.ro_1, out=part)
        s *= self.ro_1
        s += part
        xp.square(gradients, out=part)
        part *= 1 - self.ro_2
        t *= self.ro_2
        t += part
        xp.multiply(t, 1 / (1 - self.ro_2**self.step), out=part)
        xp.sqrt(part, out=part)
        part += self.epsilon
        xp.divide(s, part, out=part)
        part *= learning_rate / (1 - self.ro_1**self.step)
        values -= part

    def _flush(self):
        """Set means to zero that are too small to move anything."""
        _drop_negligible(self.s, self.t)


class Momentum:
    """Gradient descent with a velocity v, which keeps the direction of earlier steps (Polyak 1964):

        v = momentum * v + gradients + weight_decay * values
        values -= learning_rate * v

    The learning rate stands outside of v, as in PyTorch. Krizhevsky et al. 2012 and Caffe have it inside, which differs
    only after the rate has changed: then v still remembers steps of the old size.

    momentum: from 0 up to, but not including, 1. weight_decay: a number from 0 on, for all parameters alike. nesterov:
    look one step of v ahead (Sutskever et al. 2013, in PyTorch's form): what is subtracted is then
    learning_rate * (gradients + weight_decay * values + momentum * v).
    """

    def __init__(self, momentum=0.9, weight_decay=0.0, nesterov=False):
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov
        self.reset()

    def reset(self):
        """Forget all steps so far."""
        self.step = 0
        self.v = None

    def update(self, parameters, learning_rate):
        """One step on all parameters. parameters: a ParameterStore whose gradients are complete."""
        if self.v is None:
            self.v = xp.zeros_like(parameters.values)
        self.step += 1

        def update(part):
            self._update(parameters.values[part], parameters.gradients[part], self.v[part], learning_rate)

        _in_blocks(parameters, update)
        if self.step % FLUSH_EVERY == 0:
            _drop_negligible(self.v)

    def _update(self, values, gradients, v, learning_rate):
        """One step on one block; all are views of equal length, changed in place but for the gradients."""
        part = scratch.buffer('momentum', values.shape, values.dtype)
        if self.weight_decay:
            decayed = scratch.buffer('momentum decayed', values.shape, values.dtype)
            xp.multiply(values, self.weight_decay, out=decayed)
            decayed += gradients
            gradients = decayed
        v *= self.momentum
        v += gradients
        if self.nesterov:
            xp.multiply(v, self.momentum, out=part)
            part += gradients
            part *= learning_rate
        else:
            xp.multiply(v, learning_rate, out=part)
        values -= part


class RMSProp:
    """A step of about the learning rate for every parameter, from a running mean t of its squared gradient (Tieleman
    and Hinton 2012):

        t = decay * t + (1 - decay) * gradients**2

    The two libraries that made it known differ in where epsilon stands, what t starts from, and whether the velocity v
    of the momentum contains the learning rate. That is `form`:

        'pytorch'      t from 0;  v = momentum * v + gradients / (sqrt(t) + epsilon);  values -= learning_rate * v
        'tensorflow'   t from 1;  v = momentum * v + learning_rate * gradients / sqrt(t + epsilon);  values -= v

    With an epsilon of 1.0, as for Inception-v3 (Szegedy et al. 2015, in 'tensorflow' form with momentum 0.9), a small
    gradient makes a small step, as in plain gradient descent; only large ones are cut down.

    decay, momentum: from 0 up to, but not including, 1. epsilon: a number above 0.
    """

    def __init__(self, decay=0.9, epsilon=1.0e-8, momentum=0.0, form='pytorch'):
        self.decay, self.epsilon, self.momentum, self.form = decay, epsilon, momentum, form
        self.reset()

    def reset(self):
        """Forget all steps so far."""
        self.step = 0
        self.t = self.v = None

    def update(self, parameters, learning_rate):
        """One step on all parameters. parameters: a ParameterStore whose gradients are complete."""
        if self.t is None:
            self.t = xp.full_like(parameters.values, 1 if self.form == 'tensorflow' else 0)
            self.v = xp.zeros_like(parameters.values) if self.momentum else None
        self.step += 1

        def update(part):
            v = None if self.v is None else self.v[part]
            self._update(parameters.values[part], parameters.gradients[part], self.t[part], v, learning_rate)

        _in_blocks(parameters, update)
        if self.step % FLUSH_EVERY == 0:
            _drop_negligible(*(mean for mean in (self.t, self.v) if mean is not None))

    def _update(self, values, gradients, t, v, learning_rate):
        """One step on one block; all are views of equal length, changed in place but for the gradients."""
        part = scratch.buffer('rmsprop', values.shape, values.dtype)
        xp.square(gradients, out=part)
        part *= 1 - self.decay
        t *= self.decay
        t += part
        if self.form == 'tensorflow':
            xp.add(t, self.epsilon, out=part)
            xp.sqrt(part, out=part)
            xp.divide(gradients, part, out=part)
            part *= learning_rate
            values -= self._carried(part, v)
        else:
            xp.sqrt(t, out=part)
            part += self.epsilon
            xp.divide(gradients, part, out=part)
            xp.multiply(self._carried(part, v), learning_rate, out=part)
            values -= part

    def _carried(self, part, v):
        """The velocity after this step, or the step itself where there is no momentum."""
        if v is None:
            return part
        v *= self.momentum
        v += part
        return v


# name: (the class, its options with what they may be)
_OPTIMIZERS = {
    'sgd': (GradientDescent, {}),
    'momentum': (Momentum, {'momentum': BELOW_ONE, 'weight_decay': NOT_NEGATIVE, 'nesterov': SWITCH}),
    'rmsprop': (
        RMSProp,
        {
            'decay': BELOW_ONE,
            'epsilon': POSITIVE,
            'momentum': BELOW_ONE,
            'form': Rule("'pytorch' or 'tensorflow'", lambda value: value in ('pytorch', 'tensorflow')),
        },
    ),
    'adam': (Adam, {'ro_1': BELOW_ONE, 'ro_2': BELOW_ONE, 'epsilon': POSITIVE}),
}
OPTIMIZERS = tuple(_OPTIMIZERS)


def optimizer(spec):
    """A new optimiser: 'sgd' (GradientDescent), 'momentum', 'rmsprop' or 'adam', or [name, {option: value}].

    The options are those of the class, for instance ['rmsprop', {'epsilon': 1.0}]. Raises ConfigError, which names
    what is wrong and the nearest known word.
    """
    name, options = choose(spec, {name: rules for name, (_, rules) in _OPTIMIZERS.items()}, 'the optimizer')
    return _OPTIMIZERS[name][0](**options)


def clip_gradients(parameters, norm):
    """Shorten the vector of all gradients to the length `norm` where it is longer (Pascanu et al. 2013).

    Its direction stays. parameters: a ParameterStore whose gradients are complete. norm: a number above 0.
    Returns the length before, a 0-d device number, so that a GPU need not be waited for. A length whose square is too
    large for the float type counts as infinite and leaves gradients of 0; NaN makes all of them NaN.
    """
    if not POSITIVE.fits(norm):
        raise ConfigError(f'gradients cannot be clipped to a norm of {norm!r}: expected {POSITIVE.words}')
    gradients = parameters.gradients
    blocks = scratch.blocks(parameters.count, VECTORS)
    squares = xp.zeros(len(blocks), dtype='float64')

    def add(n):
        squares[n] = xp.dot(gradients[blocks[n]], gradients[blocks[n]])

    team.spread(range(len(blocks)), add)
    length = xp.sqrt(squares.sum())
    norm = float(norm)
    scale = (norm / xp.maximum(length, norm)).astype(gradients.dtype)

    def shorten(part):
        gradients[part] *= scale

    team.spread(blocks, shorten)
    return length.astype(gradients.dtype)
