"""How parameters move, given their gradients: plain gradient descent (chapter 4) and Adam (chapter 6).

An optimiser works on the flat vectors of a ParameterStore, in place. On a CPU it goes through them in blocks that
stay in the cache between one vector operation and the next, on all cores; a GPU takes them whole.
"""

import numpy as np

from mathlib import scratch, team
from mathlib.backend import xp
from mathlib.parameters import VECTORS

# A parameter of a dead unit has gradients of exactly zero; its running means then shrink step by step into the range of
# denormal numbers, with which a CPU computes 4 to 7 times slower (measured on a vector of a million). So every so many
# steps, means that are too small to move anything are set to zero.
FLUSH_EVERY = 100
NEGLIGIBLE = 1e8


def _in_blocks(parameters, update):
    """update(part) for slices that together cover the flat vectors."""
    team.spread(scratch.blocks(parameters.count, VECTORS), update)


class GradientDescent:
    """values -= learning_rate * gradients."""

    def update(self, parameters, learning_rate):
        """One step on all parameters. parameters: a ParameterStore whose gradients are complete."""

        def update(part):
            parameters.values[part] -= learning_rate * parameters.gradients[part]

        _in_blocks(parameters, update)


class Adam:
    """Adaptive moments (Kingma and Ba 2014): a step of about the learning rate for every parameter.

    s and t are running means of the gradient and of its square; both start at zero and are divided by
    1 - ro**n after n steps, because until then they are too small (bias correction).
    """

    def __init__(self, ro_1=0.9, ro_2=0.999, epsilon=1.0e-8):
        self.ro_1, self.ro_2, self.epsilon = ro_1, ro_2, epsilon
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
        """Set to zero what lies within NEGLIGIBLE times the smallest normal number of the float type."""
        floor = NEGLIGIBLE * float(np.finfo(self.s.dtype).tiny)
        for mean in (self.s, self.t):
            mean *= xp.abs(mean) >= floor
