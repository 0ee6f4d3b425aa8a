"""How the learning rate changes in the course of a training (chapters 9 and 10).

A large rate at the end keeps the parameters jumping around the best place; a small one from the start wastes time. A
schedule begins with the rate that was asked for and lets it fall:

constant     the same throughout
linear       along a straight line down to 0
cosine       half a cosine down to 0 (Loshchilov and Hutter 2017, without restarts)
step         at each of the shares `at` of the steps multiplied by `factor`; without options at 0.5 and 0.75 by 0.1,
             as for the ResNets on CIFAR-10 (He et al. 2015)
exponential  multiplied by `factor`, `times` times, after equal parts of the steps; without options 50 times by 0.94,
             as for Inception-v3, every second one of its 100 epochs (Szegedy et al. 2015)

For each of them, `warmup` is the share of all steps, at the start, in which the rate first rises along a straight line
from near 0 to the one that was asked for (Goyal et al. 2017). The schedule then has the rest of the steps, and its
shares are shares of that rest.
"""

import itertools
import math

from mathlib.choices import BELOW_ONE, COUNT, POSITIVE, Rule, choose, is_number


def _are_shares(values):
    """Whether this is a list of growing numbers between 0 and 1."""
    if not isinstance(values, (list, tuple)) or not all(is_number(value) and 0 < value < 1 for value in values):
        return False
    return all(one < other for one, other in itertools.pairwise(values))


def _step(n, count, at=(0.5, 0.75), factor=0.1):
    return factor ** sum(n >= share * count for share in at)


def _exponential(n, count, factor=0.94, times=50):
    return factor ** (n * (times + 1) // count)


# The factor for the learning rate in step n of count, and the options with what they may be.
_SCHEDULES = {
    'constant': (lambda n, count: 1.0, {}),
    'linear': (lambda n, count: 1 - n / count, {}),
    'cosine': (lambda n, count: (1 + math.cos(math.pi * (n / count))) / 2, {}),
    'step': (_step, {'at': Rule('a list of growing shares between 0 and 1', _are_shares), 'factor': POSITIVE}),
    'exponential': (_exponential, {'factor': POSITIVE, 'times': COUNT}),
}
SCHEDULES = tuple(_SCHEDULES)


def learning_rates(schedule, learning_rate, count):
    """An iterator over the learning rates of `count` steps.

    schedule: one of SCHEDULES, or [name, {option: value}], such as ['step', {'at': [0.3, 0.6], 'warmup': 0.05}].
    Raises ConfigError for what is none of that.
    """
    known = {name: {**rules, 'warmup': BELOW_ONE} for name, (_, rules) in _SCHEDULES.items()}
    name, options = choose(schedule, known, 'the schedule of the learning rate')
    rising = round(options.pop('warmup', 0) * count)
    factor, rest = _SCHEDULES[name][0], count - rising
    rises = (learning_rate * ((n + 1) / (rising + 1)) for n in range(rising))
    return itertools.chain(rises, (learning_rate * factor(n, rest, **options) for n in range(rest)))
