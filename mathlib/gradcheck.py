"""Is a backward pass right? Its gradient beside the one that finite differences give.

If the derivative of a loss L by one number w is g, then moving w a little to both sides must change L by
(L(w + h) - L(w - h)) / 2h = g, up to an error of the order of h squared. Use float64: in float32 the difference
of two nearly equal losses has too few digits left.
"""

from dataclasses import dataclass

import numpy as np

from mathlib import backend

TOLERANCE = 1e-5
# The loss is rounded, by more the more numbers it is made of: by about so many units in its last place.
ROUNDED = 16


@dataclass(frozen=True)
class GradientCheck:
    """Both gradients at the places that were checked.

    name: what was checked. places: indices into the array. backward, finite: float64 host vectors, one number a place.
    error: the largest difference, divided by the largest size of either gradient among the places. noise: a difference
    that rounding of the loss alone can make: a gradient may well be 0, as before batch normalisation.
    """

    name: str
    places: list
    backward: np.ndarray
    finite: np.ndarray
    error: float
    noise: float = 0.0

    @property
    def right(self):
        """Whether the two agree to TOLERANCE, or differ by no more than rounding can make."""
        return bool(self.error < TOLERANCE or np.abs(self.finite - self.backward).max() <= self.noise)

    def __str__(self):
        verdict = f'{"right" if self.right else "WRONG"}, largest relative difference {self.error:.1e}'
        if max(np.abs(self.backward).max(), np.abs(self.finite).max()) <= self.noise:
            verdict = '0, or too small to be told from it,'
        lines = [f'{self.name}: {verdict} at {len(self.places)} places']
        lines += [f'    {"place":>14} {"backward":>15} {"finite diff.":>15}']
        shown = np.argsort(-np.abs(self.backward - self.finite), kind='stable')[:5]
        for n in sorted(shown):
            place = '[' + ', '.join(str(i) for i in self.places[n]) + ']'
            lines.append(f'    {place:>14} {self.backward[n]:15.8f} {self.finite[n]:15.8f}')
        return '\n'.join(lines)


def check_gradient(loss, x, gradient, name='x', samples=20, h=1e-6, show=True):
    """Compare `gradient` with finite differences of `loss` at up to `samples` places of `x`.

    loss: a function without arguments that computes a scalar from x as it is now. x: an xp array, float64, moved in
    place and put back. gradient: an xp array of the same shape. The places are spread evenly over x; all of them when
    samples is None. Prints the result unless show is False, and returns it as a GradientCheck.
    Raises ValueError when the shapes differ or x is not float64.
    """
    if x.shape != gradient.shape:
        raise ValueError(f'{name} has shape {list(x.shape)}, but its gradient has {list(gradient.shape)}')
    if x.dtype != np.float64:
        raise ValueError(f"{name} is {x.dtype}: check gradients inside `with precision('float64'):`")
    count = x.size if samples is None else min(samples, x.size)
    flat_places = np.unique(np.linspace(0, x.size - 1, count).astype(np.int64))
    places = [tuple(int(i) for i in np.unravel_index(n, x.shape)) for n in flat_places]
    finite = np.array([_difference(loss, x, place, h) for place in places])
    backward = np.array([backend.scalar(gradient[place]) for place in places])
    size = max(np.abs(finite).max(), np.abs(backward).max(), 1e-12)
    noise = ROUNDED * np.finfo(np.float64).eps * abs(backend.scalar(loss())) / h
    result = GradientCheck(name, places, backward, finite, float(np.abs(finite - backward).max() / size), noise)
    if show:
        print(result)
    return result


def _difference(loss, x, place, h):
    """(loss(x + h) - loss(x - h)) / 2h for one number of x, which is put back afterwards."""
    before = backend.scalar(x[place])
    x[place] = before + h
    above = backend.scalar(loss())
    x[place] = before - h
    below = backend.scalar(loss())
    x[place] = before
    return (above - below) / (2 * h)


# One place of a loss with kinks: at a smaller step a kink nearby is left outside, but the loss is rounded more.
STEPS = (1e-6, 1e-7, 1e-8)
CLOSE = 1e-4
RIGHT, WRONG, KINK = 'right', 'WRONG', 'kink'


def judge(loss, x, place, gradient, size):
    """(RIGHT, WRONG or KINK, the finite difference) for the derivative `gradient` by one number of x.

    A ReLU at 0, or two equal numbers under a maximum, give a loss a kink: its slope on one side is another than on the
    other, and the finite difference lies somewhere between. So where the two derivatives differ by more than CLOSE
    times `size` (the size of the largest derivative by any number of x) and by more than rounding can make, the step is
    made smaller, until the kink lies outside. WRONG is said only if the difference is larger than that of the slopes on
    both sides, and stays as the step shrinks; else it is a KINK, from which nothing follows.
    loss, x: as for check_gradient. Takes three losses, or up to seven.
    """
    middle, before = backend.scalar(loss()), backend.scalar(x[place])
    first = last = None
    wrong = False
    for h in STEPS:
        sides = []
        for moved in (before + h, before - h):
            x[place] = moved
            sides.append(backend.scalar(loss()))
        x[place] = before
        above, below = sides
        finite, bend = (above - below) / (2 * h), (above - 2 * middle + below) / h
        noise = ROUNDED * np.finfo(np.float64).eps * abs(middle) / h
        miss = abs(finite - gradient)
        near = miss <= CLOSE * max(size, abs(finite)) + noise
        if near and (first is None or miss <= first / 10):
            return RIGHT, finite
        steady = last is not None and abs(finite - last) <= miss / 10 + noise
        # Where rounding hides the difference, a larger step has had the last word.
        if miss > noise:
            wrong = steady and miss > abs(bend) + noise
        first, last = miss if first is None else first, finite
    return (WRONG if wrong else KINK), finite
