"""Write down the names and signatures of an installed CuPy, for the strict stand-in in tests/standin.

    python tools/cupy_names.py [OUTPUT]         (default: tests/standin/cupy_names.json)

Runs wherever `import cupy` works; no GPU is needed. One entry per public name:

    'function (a, axis=None)'   a function or method with its parameters; a default that is no literal is written ...
    'ufunc 2 1'                 an element-wise function with the number of its inputs and outputs
    'gufunc (*args, axes=None)' a generalised one (matmul)
    'constant 3.14'             a float or None; other constants stand without a value
    'class', 'module', 'attribute'
    'numpy'                     the very object that NumPy has under this name (dtypes, promote_types)

The output is sorted and holds no paths, times or addresses, so two runs give the same bytes.
"""

import importlib
import importlib.metadata
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).resolve().parent.parent / 'tests' / 'standin' / 'cupy_names.json'
MODULES = ['cupy', 'cupy.linalg', 'cupy.random', 'cupy.lib.stride_tricks', 'cupy.cuda', 'cupy.cuda.runtime']
CLASSES = [
    'cupy.ndarray',
    'cupy.random.RandomState',
    'cupy.random.Generator',
    'cupy.cuda.Device',
    'cupy.cuda.Event',
    'cupy.cuda.MemoryPool',
    'cupy.cuda.Stream',
]
UNINTERESTING = {'annotations', 'np', '__init_subclass__', '__subclasshook__'}
NUMPY_UFUNC_KEYWORDS = ['out', 'where', 'axes', 'axis', 'keepdims', 'casting', 'order', 'dtype', 'subok', 'signature']


def split_parameters(text):
    """The parameters between the brackets of a signature, split at the commas that stand in no bracket or string."""
    parts, depth, quote, start = [], 0, None, 0
    for place, letter in enumerate(text):
        if quote:
            quote = None if letter == quote else quote
        elif letter in '\'"':
            quote = letter
        elif letter in '([{':
            depth += 1
        elif letter in ')]}':
            depth -= 1
        elif letter == ',' and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def literal(default):
    """The default value as Python source, or ... where it is no plain number, string, bool or None."""
    source = default if isinstance(default, str) else repr(default)
    return source if re.fullmatch(r"None|True|False|'[^']*'|-?\d+(\.\d+)?(e-?\d+)?|\(\)", source) else '...'


def from_signature(signature):
    """An inspect.Signature as text, without annotations and with literal defaults only."""
    parameters = [
        p.replace(annotation=p.empty, default=p.default if p.default is p.empty else Source(p.default))
        for p in signature.parameters.values()
    ]
    return str(inspect.Signature(parameters))


class Source:
    """A default value that prints itself as `literal` writes it."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return literal(repr(self.value))


def from_docstring(name, doc):
    """The signature that Cython puts into the first line of a docstring, `take(self, Py_ssize_t axis=0)`; or None."""
    found = re.match(rf'(?:\w+\.)*{re.escape(name)}\((.*)\)(?:\s*->.*)?$', (doc or '').split('\n')[0])
    if not found:
        return None
    parameters = []
    for part in split_parameters(found[1]):
        left, equals, default = part.partition('=')
        words = left.split(':')[0].split()
        parameters.append(words[-1] + (f'={literal(default.strip())}' if equals else ''))
    return f'({", ".join(parameters)})'


def describe(name, value, owner):
    """The entry of one name; `owner` is the module or class that has it."""
    kind = type(value).__name__
    if vars(np).get(name, np) is value and not isinstance(owner, type):
        return 'numpy'
    if kind == 'ufunc':
        return f'ufunc {value.nin} {value.nout}'
    if inspect.ismodule(value):
        return 'module'
    if isinstance(value, type):
        return 'class'
    if inspect.isgetsetdescriptor(value) or isinstance(value, property):
        return 'attribute'
    if not callable(value):
        return f'constant {value!r}' if value is None or type(value) is float else 'constant'
    try:
        signature = from_signature(inspect.signature(value))
    except (ValueError, TypeError):
        signature = from_docstring(name, value.__doc__) or '(*args, **kwargs)'
    if isinstance(owner, type):
        signature = re.sub(r'^\((self|cls)(, /)?(, )?', '(', signature)
    return f'{"gufunc" if kind == "_GUFunc" else "function"} {signature}'


def public(owner):
    """The names of a module or class to write down: public ones, and of a class also its operators."""
    for name in sorted(dir(owner)):
        value = getattr(owner, name)
        operator = isinstance(owner, type) and re.fullmatch(r'__\w+__', name) and callable(value)
        inherited = isinstance(owner, type) and getattr(object, name, object) is value
        runtime_constant = owner.__name__.endswith('runtime') and not callable(value)
        if (
            (not name.startswith('_') or operator)
            and not inherited
            and not runtime_constant
            and name not in UNINTERESTING
        ):
            yield name, value


def ufunc_keywords(cupy):
    """Which of NumPy's ufunc keywords CuPy takes: the others come back in the message about a wrong one."""
    taken = []
    for keyword in NUMPY_UFUNC_KEYWORDS:
        try:
            cupy.exp(1.0, **{keyword: None, 'surely_wrong': None})
        except TypeError as refusal:
            if f"'{keyword}'" not in str(refusal):
                taken.append(keyword)
    return taken


def collect():
    """All of it as a dict that json can write."""
    cupy = importlib.import_module('cupy')
    listing = {
        'package': importlib.metadata.packages_distributions()['cupy'][0],
        'version': cupy.__version__,
        'ufunc_keywords': ufunc_keywords(cupy),
    }
    for path in MODULES:
        module = importlib.import_module(path)
        listing[path] = {name: describe(name, value, module) for name, value in public(module)}
    for path in CLASSES:
        module, _, name = path.rpartition('.')
        owner = getattr(importlib.import_module(module), name)
        listing[path] = {key: describe(key, value, owner) for key, value in public(owner)}
        listing[module][name] = 'class'  # some are imported on first use, and not in dir()
    return listing


if __name__ == '__main__':
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    listing = collect()
    output.write_text(json.dumps(listing, indent=1, sort_keys=True) + '\n', encoding='utf-8')
    print(f'{output}: {listing["package"]} {listing["version"]}, {sum(map(len, listing.values()))} names')
