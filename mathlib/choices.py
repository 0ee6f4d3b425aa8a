"""A choice by name with options: 'cosine', or ['cosine', {'warmup': 0.05}], as configurations write it."""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

from mathlib.errors import ConfigError
from mathlib.quoting import quoted


@dataclass(frozen=True)
class Rule:
    """What an option may be. words: for the reader, such as 'a number above 0'. fits: whether a value is that."""

    words: str
    fits: Callable


def is_number(value):
    """Whether this is a finite number, and no truth value."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def is_whole(value):
    """Whether this is a whole number, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


POSITIVE = Rule('a number above 0', lambda value: is_number(value) and value > 0)
NOT_NEGATIVE = Rule('a number from 0 on', lambda value: is_number(value) and value >= 0)
BELOW_ONE = Rule('a number from 0 up to, but not including, 1', lambda value: is_number(value) and 0 <= value < 1)
COUNT = Rule('a whole number from 1 on', lambda value: is_whole(value) and value >= 1)
SWITCH = Rule('True or False', lambda value: isinstance(value, bool))


def choose(spec, known, what):
    """(name, options) of a choice, each option checked.

    spec: a name, or a list [name, {option: value}]. known: {name: {option: Rule}}. what: what is chosen, for the
    reader, such as 'the optimizer'. Raises ConfigError, which names what is wrong and the nearest known word.
    """
    name, *rest = spec if isinstance(spec, (list, tuple)) and spec else [spec]
    options = rest[0] if rest else {}
    if not isinstance(name, str) or len(rest) > 1 or not isinstance(options, dict):
        raise ConfigError(
            f'{what} is {quoted(spec)}: expected a name, or [name, {{option: value}}]; {_known(name, known)}'
        )
    if name not in known:
        raise ConfigError(f'{what} is {quoted(name)}: {_known(name, known)}')
    rules = known[name]
    for option, value in options.items():
        if option not in rules:
            raise ConfigError(f'{what} {name!r} has no option {quoted(option)}: {_known(option, rules)}')
        if not rules[option].fits(value):
            raise ConfigError(f'{what} {name!r}: {option!r} is {quoted(value)}: expected {rules[option].words}')
    return name, dict(options)


def nearest(word, known):
    """The known word that looks most like this one, whether in capitals or not; None if none does."""
    small = {str(name).lower(): name for name in known}
    near = difflib.get_close_matches(str(word).lower(), small, n=1)
    return small[near[0]] if near else None


def _known(word, known):
    """What could have been meant."""
    if not known:
        return 'it has none'
    near = nearest(word, known)
    return f'expected one of {", ".join(known)}' + (f'; did you mean {near!r}?' if near else '')
