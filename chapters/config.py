"""A network's configuration, checked once and before anything is allocated.

`hconfigs` is a list of layers. A layer is an int, the width of a full layer, or `[type, {options}, child, ...]`; the
options may be left out, and a single layer may stand without the outer list. `normalize` turns this into a tuple of
`Layer`s and leaves what the reader wrote as it is.
"""

import contextlib
import math
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import MappingProxyType
from typing import NamedTuple

from mathlib.choices import nearest
from mathlib.errors import ConfigError
from mathlib.quoting import QUOTED, excess, quoted

REQUIRED = object()
# Whole numbers are at most this, so that what is computed with them stays a number that can be worked with and printed.
LARGEST = 2**31 - 1
# Other numbers are at most this in size: their squares, and products of a few, are still float32 numbers.
HIGHEST = 1e6
# Those that must be above some bound are so by at least this: they divide, and float32 has none much smaller.
LEAST_ABOVE = 1e-12
# No network has more layers than this (the book's deepest has some three thousand), or layers in layers deeper than
# this: every level takes several calls, and Python allows 1000 in one another.
MOST_LAYERS = 20_000
DEEPEST = 40


@dataclass(frozen=True)
class Option:
    """One option of a layer type: `check` returns the value to use or raises ValueError with what was expected."""

    check: callable
    default: object = REQUIRED


class Container(NamedTuple):
    """A layer type that holds layers. word: what one of them is called; most: how many there may be, None for any.

    expand: for a macro, a function (options, path) that gives the configuration of the one layer that it stands for.
    turns: the option that says how often what it holds is there, '' for once.
    """

    word: str = 'layer'
    most: int | None = None
    expand: object = None
    turns: str = ''


@dataclass(frozen=True)
class Layer:
    """One layer, normalised. `layer['width']` reads an option; `path` is its place, such as 'layer 2 > full'."""

    type: str
    options: MappingProxyType = field(default_factory=dict)
    children: tuple = ()
    path: str = ''

    def __getitem__(self, option):
        if option not in self.options:
            raise ConfigError(f'{self.path}: {option!r} is missing')
        return self.options[option]


def positive_int(value):
    """The value as an int, if it is a whole number above zero."""
    if not _is_whole(value, 1):
        raise ValueError('expected a whole number above 0' + _too_large(value))
    return int(value)


def positive_pair(value):
    """(down, across) from a whole number above zero, which stands for both, or from a list of two."""
    pair = value if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2 or not all(_is_whole(side, 1) for side in pair):
        raise ValueError('expected a whole number above 0, or two of them, [height, width]' + _too_large(*pair))
    return int(pair[0]), int(pair[1])


def number(least=None, most=None, above=None):
    """A check that lets numbers pass, as floats, from `least` (or above `above`) to `most`, or to HIGHEST in size."""
    bounds = [(least, 'at least'), (above, 'above'), (most, 'at most')]
    told = ' and '.join(f'{word} {bound}' for bound, word in bounds if bound is not None)

    def check(value):
        fits = isinstance(value, Real) and not isinstance(value, bool)
        fits = fits and (least is None or value >= least) and (above is None or value > above)
        # Of a whole number too large for a float math.isfinite makes an OverflowError; nan is not equal to itself.
        if not fits or (most is not None and value > most) or value != value or abs(value) == math.inf:
            raise ValueError(f'expected a number {told}'.rstrip())
        if abs(value) > HIGHEST:
            raise ValueError(f'expected a number {told}'.rstrip() + f', and no larger than {HIGHEST:,.0f} in size')
        if above is not None and value - above < LEAST_ABOVE:
            raise ValueError(f'expected a number {told}, by {LEAST_ABOVE} at least')
        return float(value)

    return check


def flag(value):
    """True or False."""
    if not isinstance(value, bool):
        raise ValueError('expected True or False')
    return value


def word(value):
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError('expected a word')
    return value


def letters(known, needed=''):
    """A check that lets words of different letters out of `known` pass, such as 'LA'; `needed` must be among them."""

    def check(value):
        fits = isinstance(value, str) and set(value) <= set(known) and len(set(value)) == len(value)
        if not fits or not set(needed) <= set(value):
            among = f', {" and ".join(needed)} among them' if needed else ''
            raise ValueError(f'expected letters out of {", ".join(known)}, each at most once{among}')
        return value

    return check


def one_of(*words):
    """A check that lets only these words pass."""

    def check(value):
        # True is equal to 1, and an array to several things at once.
        if not any(isinstance(value, type(word)) and value == word for word in words):
            near = _nearest(value, words)
            expected = f'expected {" or ".join(filter(None, [", ".join(map(repr, words[:-1])), repr(words[-1])]))}'
            raise ValueError(expected + (f'; did you mean {near!r}?' if near else ''))
        return value

    return check


def padding(value):
    """'SAME' or 'VALID', the book's; or pixels around the picture: an int, or ((top, bottom), (left, right))."""
    if isinstance(value, str):
        return one_of('SAME', 'VALID')(value)
    if _is_whole(value, 0):
        return int(value)
    sides = value if isinstance(value, (list, tuple)) else ()
    pairs = [side for side in sides if isinstance(side, (list, tuple)) and len(side) == 2]
    if len(sides) != 2 or len(pairs) != 2 or not all(_is_whole(count, 0) for pair in pairs for count in pair):
        raise ValueError(
            "expected 'SAME', 'VALID', a number of pixels from 0 on, or [[top, bottom], [left, right]] of such numbers"
            + _too_large(value, *(count for pair in pairs for count in pair))
        )
    return tuple((int(before), int(after)) for before, after in pairs)


def _is_whole(value, least):
    """Whether this is a whole number, and no truth value, from `least` to LARGEST."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= value <= LARGEST


def _too_large(*values):
    """What is to be said, beside what was expected, if one of these is a whole number that is too large."""
    too_large = any(isinstance(value, Integral) and value > LARGEST for value in values)
    return f', and none above {LARGEST:,}' if too_large else ''


def check_extent(value, place):
    """Raise ConfigError, which begins with `place`, for lists and dicts that hold themselves, or are deep or many."""
    if told := excess(value):
        raise ConfigError(f'{place}: the configuration has {told}')


@contextlib.contextmanager
def located(path):
    """Inside, a ConfigError that does not begin with the path of the layer gets it."""
    try:
        yield
    except ConfigError as problem:
        if str(problem).startswith(path):
            raise
        raise ConfigError(f'{path}: {problem}') from None


class _Known:
    """What a configuration is read with, and how many layers have been read."""

    def __init__(self, types, containers):
        self.types, self.containers, self.count = types, containers, 0

    def add(self, place, turns, depth):
        """Count one more layer, which is there so many times, so deep. ConfigError for too many or too deep."""
        self.count += turns
        if self.count > MOST_LAYERS:
            raise ConfigError(f'{place}: with this layer the network has more than {MOST_LAYERS:,} layers')
        if depth > DEEPEST:
            raise ConfigError(f'{place}: layers stand in layers more than {DEEPEST} deep')


def normalize(hconfigs, types, containers=MappingProxyType({})):
    """A tuple of Layers from a configuration.

    hconfigs: see the module. types: {layer type: {option name: Option}}, the layers that the model knows; None in the
    place of the options for a type that takes any. containers: {layer type: Container}, those of them that hold layers.
    Raises ConfigError, which names the layer by its place, for anything that is not understood.
    """
    if isinstance(hconfigs, (Integral, str)) or _is_layer(hconfigs):
        hconfigs = [hconfigs]
    if not isinstance(hconfigs, (list, tuple)):
        raise ConfigError(f'the configuration is {quoted(hconfigs)}: expected a list of layers, such as [30, 10]')
    known = _Known(types, containers)
    return tuple(_layer(given, f'layer {n}', known) for n, given in enumerate(hconfigs, 1))


def _is_layer(given):
    """Whether this is one layer in its long form, [type, ...]."""
    return isinstance(given, (list, tuple)) and len(given) > 0 and isinstance(given[0], str)


def _layer(given, place, known, turns=1, depth=0):
    """One normalised Layer from an int or from [type, {options}, child, ...].

    turns: how many times it is there; depth: in how many layers it stands.
    """
    if depth == 0:
        check_extent(given, place)
    known.add(place, turns, depth)
    if isinstance(given, Integral):
        given = ['full', {'width': given}]
    if not _is_layer(given):
        raise ConfigError(
            f"{place} is {quoted(given)}: expected a width such as 30, or a list such as ['full', {{'width': 30}}]"
            + _bracket_hint(given, known.types)
        )
    kind, rest = given[0], list(given[1:])
    if kind not in known.types:
        raise ConfigError(f'{place}: the layer type {quoted(kind)} is not known{_hint(kind, known.types)}')
    path = f'{place} > {kind}'
    options = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
    container = known.containers.get(kind)
    if container is None or container.expand is not None:
        _refuse_children(rest, kind, path)
    checked = _options(options, path, known.types[kind])
    if container is None:
        return Layer(kind, checked, (), path)
    if container.expand is not None:
        path = f'{path} {checked["name"]}'
        rest = [container.expand(checked, path)]
    turns *= checked.get(container.turns, 1)
    return Layer(kind, checked, _children(rest, container, kind, path, known, turns, depth + 1), path)


def _refuse_children(rest, kind, path):
    """ConfigError for anything that follows the options of a layer that takes nothing else."""
    if rest:
        hint = '; all options of a layer stand in one {...}' if isinstance(rest[0], dict) else ''
        hint = '; several layers stand in a list of their own, [[...], [...]]' if _is_layer(rest[0]) else hint
        raise ConfigError(f'{path}: a {kind!r} layer takes options only, but {quoted(rest[0])} follows them{hint}')


def _children(rest, container, kind, path, known, turns, depth):
    """The normalised layers inside a container."""
    word, most = container.word, container.most
    if not rest or (most is not None and len(rest) > most):
        expected = f'at least one {word} after its options' if most is None else f'exactly {most} {word} inside'
        hint = "; several layers, one after the other, stand in ['serial', ...]" if len(rest) > 1 else ''
        raise ConfigError(f'{path}: a {kind!r} layer takes {expected}, but it has {len(rest)}{hint}')
    places = [path] if most == 1 else [f'{path} > {word} {n}' for n in range(1, len(rest) + 1)]
    return tuple(_layer(given, place, known, turns, depth) for given, place in zip(rest, places, strict=True))


def _bracket_hint(given, types):
    """What is wrong with the brackets around something that is no layer, if that is all that is wrong."""
    if isinstance(given, str):
        word = given if given in types else _nearest(given, types)
        return f'; the layer {word!r} is written [{word!r}, {{...}}] with its options' if word else ''
    if isinstance(given, (list, tuple)) and given and _is_layer(given[0]):
        return '; there is a pair of brackets too many'
    return ''


def _options(given, path, known):
    """The checked options of one layer, with the defaults filled in; known: None lets any pass."""
    if known is None:
        return MappingProxyType(dict(given))
    for name in given:
        if name not in known:
            raise ConfigError(f'{path}: the option {quoted(name)} is not known{_hint(name, known)}')
    checked = {}
    for name, option in known.items():
        if name not in given and option.default is REQUIRED:
            raise ConfigError(f'{path}: {name!r} is missing')
        try:
            checked[name] = option.check(given[name]) if name in given else option.default
        except ValueError as problem:
            raise ConfigError(f'{path}: {name!r} is {quoted(given[name])}: {problem}') from None
    return MappingProxyType(checked)


def _nearest(word, known):
    """The known word that looks most like this one; None if none does, or if it is no word."""
    short = word is None or isinstance(word, (str, bool)) and len(str(word)) <= QUOTED
    return nearest(word, known) if short else None


def _hint(word, known):
    """The nearest known word and the list of all."""
    near = _nearest(word, known)
    return (f'; did you mean {near!r}?' if near else ';') + f' known: {", ".join(sorted(known))}'
