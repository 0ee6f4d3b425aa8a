"""Maps of several branches put together, and their gradients taken apart again (chapter 9).

Side by side, as in an Inception module, or added up, as around a residual block.
"""

from mathlib import planes
from mathlib.backend import xp


def joined(ys):
    """Maps [n, h, w, c1], [n, h, w, c2], ... as one map, with the channels of all of them; or rows [n, c] likewise."""
    if ys[0].ndim != 4 or len(ys) == 1:
        return xp.concatenate(ys, axis=-1)
    n, *sides, _ = ys[0].shape
    channels = sum(y.shape[3] for y in ys)
    whole = planes.empty(n, sides, channels, ys[0].dtype, planes.pay(n, channels, sides[1]))
    start = 0
    for y in ys:
        whole[..., start : start + y.shape[3]] = y
        start += y.shape[3]
    return whole


def summed(Gs):
    """The sum of gradients by the same x; None if one of them is, for then nobody needs it. They are left unchanged."""
    if any(G is None for G in Gs):
        return None
    first, *others = Gs
    if not others:
        return first
    total = xp.add(first, others[0])
    for other in others[1:]:
        total += other
    return total


def summed_tiled(ys):
    """The sum of maps; the channels of those with fewer than the first are repeated. All are left unchanged."""
    first, *others = ys
    total = first.copy(order='K')
    for y in others:
        for start in range(0, first.shape[-1], y.shape[-1]):
            total[..., start : start + y.shape[-1]] += y
    return total


def untiled(G, channels):
    """The gradient of `summed_tiled` by a map of so many channels, from the gradient of the sum."""
    first, *others = [G[..., start : start + channels] for start in range(0, G.shape[-1], channels)]
    return summed([first, *others])
