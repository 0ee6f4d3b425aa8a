"""The list of CuPy's names that tools/cupy_names.py wrote, and what can be made of its entries."""

import json
from pathlib import Path

LISTING = json.loads((Path(__file__).resolve().parents[2] / 'cupy_names.json').read_text(encoding='utf-8'))


def signature_check(name, entry):
    """A function with the parameters of `entry` ('function (a, axis=None)') that returns them as a dict.

    Python itself then refuses a keyword that CuPy lacks, in the words that a reader of CuPy's errors knows.
    """
    scope = {}
    exec(f'def {name}{entry.split(" ", 1)[1]}:\n    return locals()', scope)
    return scope[name]


def not_in_standin(path):
    """What stands for a name that CuPy has and the stand-in does not: it can be looked up, and refuses when called."""

    def refuse(*args, **kwargs):
        raise NotImplementedError(
            f'{path} is in CuPy {LISTING["version"]}, but the strict stand-in (tests/standin) does not imitate it. '
            f'Use another function, or add it there.'
        )

    return refuse


def module_getattr(module, path):
    """A module-level __getattr__: listed names refuse when called, unlisted ones do not exist."""

    def lookup(name):
        if name in LISTING[path] and LISTING[path][name].startswith(('function', 'gufunc', 'ufunc', 'class')):
            return not_in_standin(f'{path}.{name}')
        raise AttributeError(f'module {path!r} has no attribute {name!r}')

    lookup.__module__ = module
    return lookup
