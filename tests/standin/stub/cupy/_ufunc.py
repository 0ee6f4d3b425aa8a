"""Element-wise functions and operators, with CuPy's rules for what may be an operand."""

import operator

import numpy as np

from ._array import SCALARS, box, index, ndarray, unwrap, wrap, wrong_operand
from ._listing import LISTING, not_in_standin, signature_check

# What each `at` can do on a GPU: CuPy 14.2, cupy/_core/_routines_indexing.pyx.
AT_DTYPES = {
    'add': 'ilqILQefd',
    'subtract': 'iI',
    'maximum': 'ilqILQfd',
    'minimum': 'ilqILQfd',
    'bitwise_and': 'ilqILQ',
    'bitwise_or': 'ilqILQ',
    'bitwise_xor': 'ilqILQ',
}


class ufunc:
    """One element-wise function; `name`, `nin`, `nout` and `nargs` as in CuPy."""

    def __init__(self, name, nin, nout):
        self.name, self.__name__ = f'cupy_{name}', name
        self.nin, self.nout, self.nargs = nin, nout, nin + nout
        self._host = getattr(np, name, None) or not_in_standin(f'cupy.{name}')

    def __repr__(self):
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args, **kwargs):
        wrong = sorted(set(kwargs) - set(LISTING['ufunc_keywords']))
        if wrong:
            raise TypeError(f'Wrong arguments {wrong} of {self.name!r}')
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f'Wrong number of arguments for {self.name!r}. It must be either {self.nin} or {self.nargs} '
                f'(with outputs), but given {len(args)}.'
            )
        out = kwargs.pop('out', None)
        outputs = args[self.nin :] or (out if isinstance(out, tuple) else (out,) * (out is not None))
        for value in args[: self.nin]:
            if not isinstance(value, (ndarray, *SCALARS)):
                raise TypeError(f'Unsupported type {type(value)} as an operand of {self.name}')
        for value in outputs:
            if value is not None and not isinstance(value, ndarray):
                raise TypeError(f'Unsupported type {type(value)} as the output of {self.name}')
        back = {}
        if outputs:
            kwargs['out'] = unwrap(outputs if self.nout > 1 else outputs[0], back)
        with np.errstate(all='ignore'):
            return wrap(self._host(*unwrap(args[: self.nin], back), **kwargs), back)

    def outer(self, A, B, **kwargs):
        """self(a, b) for all pairs; the result has the shape A.shape + B.shape."""
        return self(A.reshape(A.shape + (1,) * B.ndim), B.reshape((1,) * A.ndim + B.shape), **kwargs)

    def at(self, a, indices, b=None):
        """In place, also where an index occurs twice."""
        if self.__name__ not in AT_DTYPES:
            raise NotImplementedError(f'`{self.name}.at` is not supported yet')
        if a.dtype.char not in AT_DTYPES[self.__name__]:
            raise TypeError(f'cupy.{self.__name__}.at does not support {a.dtype} as data type')
        if not isinstance(b, (ndarray, *SCALARS)):
            raise wrong_operand('b', b)
        self._host.at(a._host, index(indices, getting=False)[0], unwrap(b, {}))

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        """Sum or product along an axis: CuPy has no other."""
        return self._along('reduce', {'add': 'sum', 'multiply': 'prod'}, array)(axis, dtype, out, keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        """Running sum or product along an axis: CuPy has no other."""
        return self._along('accumulate', {'add': 'cumsum', 'multiply': 'cumprod'}, array)(axis, dtype, out)

    def _along(self, way, methods, array):
        if self.__name__ not in methods:
            raise NotImplementedError(f'`{self.name}.{way}` is not supported yet')
        if not isinstance(array, ndarray):
            raise wrong_operand('array', array)
        return getattr(array, methods[self.__name__])


def matmul(*args, **kwargs):
    """The matrix product; unlike a ufunc it takes device arrays alone, no scalars."""
    matmul_signature(*args, **kwargs)
    if len(args) not in (2, 3):
        raise TypeError(f'matmul takes 2 or 3 arrays, {len(args)} were given')
    for name, value in zip('ab', args, strict=False):
        if not isinstance(value, ndarray):
            raise wrong_operand(name, value)
    out = args[2] if len(args) == 3 else kwargs.get('out')
    if out is not None and not isinstance(out, ndarray):
        raise wrong_operand('out', out)
    back = {}
    with np.errstate(all='ignore'):
        return wrap(np.matmul(*unwrap(args, back), **{k: unwrap(v, back) for k, v in kwargs.items()}), back)


matmul_signature = signature_check('matmul', LISTING['cupy']['matmul'])

UFUNCS = {'matmul': matmul}
for _name, _entry in LISTING['cupy'].items():
    if _entry.startswith('ufunc '):
        UFUNCS[_name] = ufunc(_name, *map(int, _entry.split()[1:]))

BINARY = {
    'add': 'add', 'sub': 'subtract', 'mul': 'multiply', 'truediv': 'true_divide', 'floordiv': 'floor_divide',
    'mod': 'remainder', 'pow': 'power', 'divmod': 'divmod', 'matmul': 'matmul', 'and': 'bitwise_and',
    'or': 'bitwise_or', 'xor': 'bitwise_xor', 'lshift': 'left_shift', 'rshift': 'right_shift',
}  # fmt: skip
COMPARISONS = {
    'lt': 'less', 'le': 'less_equal', 'eq': 'equal', 'ne': 'not_equal', 'gt': 'greater', 'ge': 'greater_equal',
}  # fmt: skip
UNARY = {'neg': 'negative', 'pos': 'positive', 'abs': 'absolute', 'invert': 'invert'}


def operand(x, y):
    """Raise TypeError unless y may stand beside the device array x in an operator."""
    if not isinstance(y, (ndarray, *SCALARS)):
        raise TypeError(f'Unsupported type {type(y)} beside a cupy.ndarray of shape {x.shape}')


def binary(name):
    """x + y, y + x and x += y for the ufunc `name`."""
    function = UFUNCS[name]

    def forward(x, y):
        operand(x, y)
        return function(x, y)

    def reflected(x, y):
        operand(x, y)
        return function(y, x)

    def in_place(x, y):
        operand(x, y)
        if name == 'matmul':
            x[...] = function(x, y)
            return x
        return function(x, y, out=x)

    return forward, reflected, in_place


def comparison(name):
    """x < y and its relatives; == and != know None, as CuPy's do."""
    function = UFUNCS[name]

    def compare(x, y):
        if y is None and name in ('equal', 'not_equal'):
            return box(np.full(x.shape, name == 'not_equal'))
        operand(x, y)
        return function(x, y)

    return compare


for _short, _long in BINARY.items():
    _forward, _reflected, _in_place = binary(_long)
    setattr(ndarray, f'__{_short}__', _forward)
    setattr(ndarray, f'__r{_short}__', _reflected)
    if hasattr(operator, f'__i{_short}__') and f'__i{_short}__' in LISTING['cupy.ndarray']:
        setattr(ndarray, f'__i{_short}__', _in_place)
for _short, _long in COMPARISONS.items():
    setattr(ndarray, f'__{_short}__', comparison(_long))
for _short, _long in UNARY.items():
    setattr(ndarray, f'__{_short}__', lambda x, function=UFUNCS[_long]: function(x))
