"""How the learning rate changes in the course of a training (chapter 9).

A large rate at the end keeps the parameters jumping around the best place; a small one from the start wastes time. A
schedule begins with the rate that was asked for and lets it fall.
"""

import math

from mathlib.errors import ConfigError

# In the course of the training, from 0 to 1: the factor for the learning rate.
_SCHEDULES = {
    'constant': lambda done: 1.0,
    'linear': lambda done: 1 - done,
    'cosine': lambda done: (1 + math.cos(math.pi * done)) / 2,
}
SCHEDULES = tuple(_SCHEDULES)


def learning_rates(schedule, learning_rate, count):
    """An iterator over the learning rates of `count` steps.

    schedule: 'constant'; or 'linear' or 'cosine' (Loshchilov and Hutter 2017, without restarts), down to nearly 0.
    Raises ConfigError for another one.
    """
    if schedule not in _SCHEDULES:
        raise ConfigError(f'the schedule of the learning rate is {schedule!r}: expected one of {", ".join(SCHEDULES)}')
    return (learning_rate * _SCHEDULES[schedule](n / count) for n in range(count))
