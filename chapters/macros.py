"""Macros (매크로): parts of a network with a name, used again and again with different numbers (chapter 9).

A macro is the configuration of one layer, usually of a container. Wherever a word such as '#chn' stands in it, the
value that `args` gives for '#chn' comes in when the macro is used; '##chn' stands for the word '#chn' itself. A macro
may use other macros. What was registered is never changed: every use gets a copy.
"""

from chapters.config import check_extent
from mathlib.choices import nearest
from mathlib.errors import ConfigError
from mathlib.quoting import quoted


def check_macro(name, config):
    """A copy of a macro's configuration to keep. Raises ConfigError for what cannot be a name or a configuration."""
    if not isinstance(name, str) or not name or ' > ' in name:
        raise ConfigError(
            f"the name of a macro is {quoted(name)}: expected a word, without the ' > ' of a layer's path"
        )
    if not isinstance(config, (list, tuple)) or not config or not isinstance(config[0], str):
        raise ConfigError(
            f"macro {name!r} is {quoted(config)}: expected the configuration of one layer, such as ['conv', {{...}}]; "
            f"several layers, one after the other, stand in ['serial', [...], [...]]"
        )
    check_extent(config, f'macro {name!r}')
    return _copied(config)


def expand(macros, name, args, path):
    """The configuration that macro `name` stands for with these args: a new one, which may use other macros.

    macros: {name: configuration}. args: {'#key': value}. path: the place of the layer, for the error. Raises
    ConfigError for a macro that is not known or that uses itself, and for args that do not fit what it asks for.
    """
    if name not in macros:
        near = nearest(name, macros)
        hint = f'did you mean {near!r}? ' if near else ''
        raise ConfigError(
            f'{path}: there is no macro {name!r}: {hint}CnnExtModel.set_macro(name, config) makes one; known: '
            f'{", ".join(sorted(macros)) or "none"}'
        )
    if (chain := _users(path)).count(name) > 1:
        circle = ' > '.join(chain[chain.index(name) :])
        raise ConfigError(f'{path}: the macro {name!r} uses itself ({circle}), so it would never end')
    wanted = _arguments(macros[name])
    if missing := sorted(wanted - args.keys()):
        raise ConfigError(f"{path}: the macro {name!r} needs {', '.join(missing)}: give it in 'args'{_given(args)}")
    if unused := sorted(args.keys() - wanted):
        asks = f'it takes {", ".join(sorted(wanted))}' if wanted else 'it takes none'
        raise ConfigError(f'{path}: the macro {name!r} has no use for {", ".join(unused)}: {asks}')
    filled = _filled(macros[name], args)
    # Macros in macros that hand more and more on to each other would grow beyond all bounds.
    check_extent(filled, path)
    return filled


def check_args(value):
    """A check for the option `args`: a dict with words such as '#chn' as keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) and key.startswith('#') for key in value):
        raise ValueError("expected a dict of words that begin with '#', such as {'#chn': 32}")
    return value


def _users(path):
    """The names of the macros on the way to a layer, outermost first."""
    pieces = [piece.split(' ', 1) for piece in path.split(' > ')]
    return [piece[1] for piece in pieces if piece[0] == 'custom' and len(piece) > 1]


def _given(args):
    return f'; given are {", ".join(sorted(args))}' if args else ''


def _is_argument(term):
    return isinstance(term, str) and term.startswith('#') and not term.startswith('##') and len(term) > 1


def _arguments(term):
    """The set of all '#key' words that stand in a configuration as values."""
    if isinstance(term, dict):
        term = list(term.values())
    if isinstance(term, (list, tuple)):
        return set().union(*map(_arguments, term))
    return {term} if _is_argument(term) else set()


def _filled(term, args):
    """A copy of a configuration with every '#key' replaced, and one '#' taken off every '##key'."""
    if isinstance(term, dict):
        return {key: _filled(value, args) for key, value in term.items()}
    if isinstance(term, (list, tuple)):
        return [_filled(value, args) for value in term]
    if _is_argument(term):
        return _copied(args[term])
    return term[1:] if isinstance(term, str) and term.startswith('##') else term


def _copied(term):
    """A copy of a configuration, what is no list, tuple or dict being the same in both."""
    if isinstance(term, dict):
        return {key: _copied(value) for key, value in term.items()}
    if isinstance(term, (list, tuple)):
        return type(term)(map(_copied, term)) if type(term) in (list, tuple) else list(map(_copied, term))
    return term
