"""All other functions of the list: CuPy's signature, NumPy's computation, and no host array as an operand."""

import inspect
import sys

import numpy as np

from . import standin
from ._array import box, ndarray, of_host, refuse_host, supported, type_name, unwrap, wrap, wrong_operand
from ._listing import LISTING, not_in_standin, signature_check

# Parameters that are arrays: no lists of numbers there. Others (shape, axes, reps, pad_width) may be lists.
OPERANDS = {
    'A', 'M', 'X', 'a', 'a1', 'a2', 'ar', 'ar1', 'ar2', 'arr', 'arr1', 'arr2', 'array', 'arrays', 'ary', 'arys', 'b',
    'choices', 'choicelist', 'condition', 'condlist', 'dst', 'element', 'f', 'fp', 'fill_value', 'indices', 'm', 'mask',
    'operands', 'p', 'prototype', 'q', 'sample', 'src', 'test_elements', 'tup', 'v', 'values', 'vals', 'w', 'weights',
    'x', 'xi', 'xp', 'y', 'z',
}  # fmt: skip
# The first parameter of most functions is an array and nothing else; in these, a number will do.
SCALAR_FIRST = {'allclose', 'isclose', 'real_if_close', 'roots'}
ARRAY_FIRST = {'a', 'A', 'M', 'm', 'ary', 'arr', 'array', 'condition', 'prototype'}
NO_ARRAY = {'axis', 'axes', 'shape', 'newshape', 'reps', 'pad_width', 'num', 'N', 'k', 'n'}
# NumPy gives a Python number here, CuPy an array on the device.
ZERO_D = {'allclose', 'array_equal', 'array_equiv', 'count_nonzero'}
HOST_ARRAYS_ALLOWED = {'result_type', 'can_cast', 'min_scalar_type', 'isscalar', 'get_array_module'}
# These wait for the device, because the shape of their result depends on the data.
HIDDEN_TRANSFER = {'nonzero', 'flatnonzero', 'argwhere', 'unique', 'extract', 'compress'}
POSITIONAL_ONLY = {'where'}


def check_operands(path, name, given):
    """Raise TypeError for a parameter that is a host array, a list for an array, or an array for a number."""
    for place, (parameter, value) in enumerate(given.items()):
        if name not in HOST_ARRAYS_ALLOWED:
            refuse_host(path, parameter, value)
        if parameter in NO_ARRAY and isinstance(value, ndarray):
            raise TypeError(f"{path}: 'ndarray' object cannot be interpreted as an integer ({parameter!r})")
        if parameter in OPERANDS and type(value) in (list, tuple):
            for part in value:
                if not isinstance(part, (ndarray, str)):
                    raise TypeError(f'{path}: {parameter!r} holds a {type_name(part)}, which is not on the device')
        first = place == 0 and parameter in ARRAY_FIRST and name not in SCALAR_FIRST
        if first and not isinstance(value, (ndarray, list, tuple)):
            raise wrong_operand(parameter, value)


def positions_agree(signature, host):
    """How many arguments can be passed by position to the NumPy function `host` and mean what they mean in CuPy."""
    try:
        theirs = list(inspect.signature(host).parameters.values())
    except ValueError:
        return 99
    ours = list(inspect.signature(signature).parameters.values())
    agreed = 0
    for one, other in zip(ours, theirs, strict=False):
        if one.name != other.name and one.default is not one.empty:
            return agreed
        agreed += 1
        if other.kind == other.VAR_POSITIONAL:
            return 99
    return agreed


def make_function(path, name, entry, host):
    """The function of that name with CuPy's signature, forwarding to NumPy's function `host`."""
    check = signature_check(name, entry)
    by_position = positions_agree(check, host)

    def function(*args, **kwargs):
        given = check(*args, **kwargs)
        check_operands(f'{path}.{name}', name, given)
        if len(args) > by_position:
            raise NotImplementedError(
                f'The strict stand-in of {path}.{name} wants argument {by_position + 1} by keyword.'
            )
        if name in HIDDEN_TRANSFER:
            standin.count_transfer()
        if name in POSITIONAL_ONLY:
            args, kwargs = tuple(value for value in given.values() if value is not None), {}
        back = {}
        with np.errstate(all='ignore'):
            result = host(*unwrap(args, back), **{key: unwrap(value, back) for key, value in kwargs.items()})
        return box(result) if name in ZERO_D else wrap(result, back)

    function.__name__ = name
    function.__signature__ = inspect.signature(check)
    return function


def fill(namespace, path, host):
    """Put every listed name of the module `path` that NumPy's module `host` can do into the dict `namespace`."""
    for name, entry in LISTING[path].items():
        kind = entry.split()[0]
        if name in namespace:
            continue
        if kind == 'function':
            twin = getattr(host, name, None)
            namespace[name] = (
                make_function(path, name, entry, twin) if callable(twin) else not_in_standin(f'{path}.{name}')
            )
        elif kind == 'numpy' and hasattr(host, name):
            namespace[name] = getattr(host, name)
        elif kind == 'constant' and ' ' in entry:
            namespace[name] = None if entry.endswith('None') else float(entry.split()[1])


def array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False):
    """A new device array from a host array, a number, a nested list of numbers, or of device arrays."""
    if isinstance(obj, ndarray):
        host = np.array(obj._host, dtype, copy=copy or None, ndmin=ndmin)
        return obj if host is obj._host else box(host)
    if type(obj) in (list, tuple) and holds_device_arrays(obj):
        return box(np.array(unwrap(obj, {}), dtype, ndmin=ndmin))
    return of_host(np.array(obj, dtype, copy=None, ndmin=ndmin))


def holds_device_arrays(parts):
    """Whether a nested list consists of device arrays; a mixture with host data is refused, as in CuPy."""
    found = [holds_device_arrays(p) if type(p) in (list, tuple) else isinstance(p, ndarray) for p in parts]
    if any(found) and not all(found):
        raise ValueError('Nested array: a list may hold device arrays or host data, not both')
    return any(found)


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    """The array itself if it is on the device in that dtype; otherwise `array`."""
    if copy is False and not isinstance(a, ndarray):
        raise ValueError('a host array cannot become a device array without a copy')
    return array(a, dtype, copy=bool(copy), order=order)


def asanyarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    """The same as `asarray`."""
    return asarray(a, dtype, order, copy=copy)


def asnumpy(a, stream=None, order='C', out=None, *, blocking=True):
    """A host copy of a device array; host data becomes a NumPy array."""
    if isinstance(a, ndarray):
        return a.get(order=order, out=out)
    return np.asarray(a, order=order)


def empty(shape, dtype=float, order='C'):
    """A new array of unclean memory (here: NaN)."""
    for part in shape if isinstance(shape, (tuple, list)) else (shape,):
        if isinstance(part, (ndarray, float)):
            raise TypeError(f'{type(part).__name__!r} object cannot be interpreted as an integer')
    return ndarray(shape, dtype, order=order)


def empty_like(prototype, dtype=None, order='K', subok=None, shape=None):
    """A new array of unclean memory with the shape and dtype of another."""
    if not isinstance(prototype, ndarray):
        raise wrong_operand('prototype', prototype)
    return ndarray(prototype.shape if shape is None else shape, supported(np.dtype(dtype or prototype.dtype)))


def get_array_module(*args):
    """This package if one of the arguments is a device array, otherwise NumPy."""
    return sys.modules[__package__] if any(isinstance(a, ndarray) for a in args) else np


def fuse(*args, **kwargs):
    """A decorator that joins element-wise operations into one kernel on a GPU; here the function itself."""
    return args[0] if args and callable(args[0]) else lambda function: function
