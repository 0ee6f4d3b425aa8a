"""A network's configuration, checked once and before anything is allocated.

`hconfigs` is a list of layers. A layer is an int, the width of a full layer, or `[type, {options}, child, ...]`; the
options may be left out, and a single layer may stand without the outer list. `normalize` turns this into a tuple of
`Layer`s and leaves what the reader wrote as it is.
"""

import difflib
from dataclasses import dataclass, field
from numbers import Integral
from types import MappingProxyType

from mathlib.errors import ConfigError

REQUIRED = object()


@dataclass(frozen=True)
class Option:
    """One option of a layer type: `check` returns the value to use or raises ValueError with what was expected."""

    check: callable
    default: object = REQUIRED


@dataclass(frozen=True)
class Layer:
    """One layer, normalised. `layer['width']` reads an option; `path` is its place, such as 'layer 2 > full'."""

    type: str
    options: MappingProxyType = field(default_factory=dict)
    children: tuple = ()
    path: str = ''

    def __getitem__(self, option):
        return self.options[option]


def positive_int(value):
    """The value as an int, if it is a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value <= 0:
        raise ValueError('expected a whole number above 0')
    return int(value)


def normalize(hconfigs, types):
    """A tuple of Layers from a configuration.

    hconfigs: see the module. types: {layer type: {option name: Option}}, the layers that the model knows.
    Raises ConfigError, which names the layer by its place, for anything that is not understood.
    """
    if isinstance(hconfigs, (Integral, str)) or _is_layer(hconfigs):
        hconfigs = [hconfigs]
    if not isinstance(hconfigs, (list, tuple)):
        raise ConfigError(f'the configuration is {hconfigs!r}: expected a list of layers, such as [30, 10]')
    return tuple(_layer(given, f'layer {n}', types) for n, given in enumerate(hconfigs, 1))


def _is_layer(given):
    """Whether this is one layer in its long form, [type, ...]."""
    return isinstance(given, (list, tuple)) and len(given) > 0 and isinstance(given[0], str)


def _layer(given, place, types):
    """One normalised Layer from an int or from [type, {options}, child, ...]."""
    if isinstance(given, Integral):
        given = ['full', {'width': given}]
    if not _is_layer(given):
        raise ConfigError(
            f"{place} is {given!r}: expected a width such as 30, or a list such as ['full', {{'width': 30}}]"
        )
    kind, rest = given[0], list(given[1:])
    if kind not in types:
        raise ConfigError(f'{place}: the layer type {kind!r} is not known{_hint(kind, types)}')
    path = f'{place} > {kind}'
    options = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
    if rest:
        raise ConfigError(f'{path}: a {kind!r} layer takes options only, but {rest[0]!r} follows them')
    return Layer(kind, _options(options, path, types[kind]), (), path)


def _options(given, path, known):
    """The checked options of one layer, with the defaults filled in."""
    for name in given:
        if name not in known:
            raise ConfigError(f'{path}: the option {name!r} is not known{_hint(name, known)}')
    checked = {}
    for name, option in known.items():
        if name not in given and option.default is REQUIRED:
            raise ConfigError(f'{path}: {name!r} is missing')
        try:
            checked[name] = option.check(given[name]) if name in given else option.default
        except ValueError as problem:
            raise ConfigError(f'{path}: {name!r} is {given[name]!r}: {problem}') from None
    return MappingProxyType(checked)


def _hint(word, known):
    """The nearest known word and the list of all."""
    near = difflib.get_close_matches(str(word), known, n=1)
    return (f'; did you mean {near[0]!r}?' if near else ';') + f' known: {", ".join(sorted(known))}'
