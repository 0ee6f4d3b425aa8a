"""The stand-in's ndarray: a NumPy array in a box that no host array gets into or out of unasked.

The box holds the array as `_host`. Operators are hung on in _ufunc.py; methods come from the list of names.
"""

import sys

import numpy as np

from . import standin
from ._listing import LISTING, not_in_standin, signature_check

SCALARS = (bool, int, float, complex, np.number, np.bool_)
DTYPES = '?bhilqBHILQefdFD'
IMPLICIT = (
    'Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly.'
)


class ndarray:
    """An array that stands for one on a GPU; made by `array`, `asarray`, `zeros` and so on."""

    __slots__ = ('_host',)
    __module__ = 'cupy'
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order='C'):
        if memptr is not None or strides is not None:
            raise NotImplementedError('The strict stand-in makes no arrays from memory pointers.')
        self._host = np.empty(shape, supported(np.dtype(dtype)), order)
        # Memory of a GPU is not clean: whoever reads before writing shall see it.
        self._host.fill(np.nan if self._host.dtype.kind in 'fc' else np.ones((), self._host.dtype))

    # From and to the host, always by name and always counted.

    def __array__(self, dtype=None, copy=None):
        raise TypeError(IMPLICIT)

    def get(self, stream=None, order='C', out=None, blocking=True):
        standin.count_transfer()
        if out is None:
            return np.array(self._host, order=order)
        if not isinstance(out, np.ndarray) or out.dtype != self.dtype:
            raise TypeError(f'{type(out)} cannot be obtained from {self.dtype} array')
        if out.shape != self.shape:
            raise ValueError(f'Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}')
        out[...] = self._host
        return out

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray):
            raise TypeError('Only numpy.ndarray can be set to cupy.ndarray')
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(f'{arr.dtype} {arr.shape} cannot be set to {self.dtype} {self.shape}')
        standin.count_upload()
        self._host[...] = arr

    def item(self):
        if self.size != 1:
            raise ValueError('can only convert an array of size 1 to a Python scalar')
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def tobytes(self, order='C'):
        return self.get().tobytes(order)

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __bool__(self):
        if self.size != 1:
            raise ValueError(
                'The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()'
            )
        return bool(self.get())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, format_spec):
        return format(self.get(), format_spec)

    def __reduce__(self):
        return of_host, (self.get(),)

    def __copy__(self):
        return box(self._host.copy())

    def __deepcopy__(self, memo):
        return box(self._host.copy())

    # A NumPy function of a CuPy array is handed to CuPy's function of that name, as CuPy does it.

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        from . import _ufunc

        twin = _ufunc.UFUNCS.get(ufunc.__name__)
        if twin is None or any(not isinstance(x, (ndarray, np.ndarray, *SCALARS)) for x in inputs):
            return NotImplemented
        if 'out' in kwargs:
            (kwargs['out'],) = kwargs['out']
        return (twin if method == '__call__' else getattr(twin, method))(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        module = sys.modules.get('.'.join([__package__, *func.__module__.split('.')[1:]]))
        twin = getattr(module, func.__name__, func)
        if twin is func or any(not issubclass(kind, (ndarray, np.ndarray)) for kind in types):
            return NotImplemented
        return twin(*args, **kwargs)

    # Shape and items.

    shape = property(lambda self: self._host.shape, lambda self, shape: setattr(self._host, 'shape', shape))
    device = property(lambda self: sys.modules[f'{__package__}.cuda'].Device(0))

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError('iteration over a 0-d array')
        return (self[i] for i in range(len(self)))

    def __getitem__(self, slices):
        key, copies = index(slices)
        found = self._host[key]
        return box(found.copy() if copies and np.may_share_memory(found, self._host) else found)

    def __setitem__(self, slices, value):
        key, _ = index(slices, getting=False)
        if isinstance(value, ndarray):
            self._host[key] = value._host
        elif isinstance(value, SCALARS):
            self._host[key] = value
        else:
            raise ValueError(f'non-scalar {type_name(value)} cannot be used for fill: bring it to the device first')

    def fill(self, value):
        self[...] = value

    def astype(self, dtype, order='K', casting=None, subok=None, copy=True):
        dtype = supported(np.dtype(dtype))
        if not copy and dtype == self.dtype:
            return self
        with np.errstate(all='ignore'):
            return box(self._host.astype(dtype, order=order, casting=casting or 'unsafe'))

    def view(self, dtype=None, type=None):
        return box(self._host.view() if dtype is None else self._host.view(dtype))

    def dot(self, b, out=None):
        for name, value in (('b', b), ('out', out)):
            if not isinstance(value, ndarray) and (name, value) != ('out', None):
                raise wrong_operand(name, value)
        back = {}
        return wrap(np.dot(self._host, b._host, unwrap(out, back)), back)

    def scatter_add(self, slices, value):
        from . import _ufunc

        _ufunc.UFUNCS['add'].at(self, slices, value)


def box(host):
    """A NumPy array (or the NumPy scalar that NumPy makes of a 0-d result) as an ndarray, without a copy."""
    boxed = object.__new__(ndarray)
    boxed._host = np.asarray(host)
    return boxed


def of_host(host):
    """What a host array becomes on the device: a copy, counted."""
    standin.count_upload()
    return box(np.array(host, supported(host.dtype)))


def type_name(value):
    """numpy.ndarray, list, ...: a type as CuPy's messages name it."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == 'builtins' else f'{kind.__module__}.{kind.__name__}'


def wrong_operand(name, value):
    """CuPy's TypeError for an operand that is not on the device."""
    expected = 'expected cupy._core.core._ndarray_base'
    return TypeError(f'Argument {name!r} has incorrect type ({expected}, got {type_name(value)})')


def supported(dtype):
    """The dtype itself, if a GPU can hold it; otherwise CuPy's ValueError."""
    if dtype.char not in DTYPES:
        raise ValueError(f'Unsupported dtype {dtype}')
    return dtype


def index(slices, getting=True):
    """An index as NumPy takes it, and whether the result must be a copy.

    CuPy itself uploads lists and NumPy arrays, and cuts floats; here they are refused: each is a hidden transfer.
    """
    parts = slices if isinstance(slices, tuple) else (slices,)
    key, copies = [], False
    for part in parts:
        if isinstance(part, ndarray):
            if part.dtype.kind not in 'biu':
                raise IndexError(
                    f'arrays used as indices must be of integer or boolean type. (actual: {part.dtype.type})'
                )
            if part.dtype.kind == 'b' and getting:
                standin.count_transfer()
            copies = True
            key.append(part._host)
        elif isinstance(part, slice):
            for end in (part.start, part.stop, part.step):
                if isinstance(end, ndarray):
                    raise TypeError("'ndarray' object cannot be interpreted as an integer")
            key.append(part)
        elif part is None or part is Ellipsis or (isinstance(part, (int, np.integer)) and not isinstance(part, bool)):
            key.append(part)
        elif isinstance(part, (list, tuple, np.ndarray)):
            raise TypeError(f'An index of type {type_name(part)} lies on the host: bring it to the device first.')
        else:
            raise IndexError(
                'only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays '
                f'are valid indices, not {type_name(part)}'
            )
    # With an ellipsis NumPy gives a 0-d view instead of a scalar, as CuPy does.
    return tuple(key) if any(part is Ellipsis for part in parts) else (*key, Ellipsis), copies


def unwrap(value, back):
    """The host array behind a device array, also inside lists and tuples; `back` remembers which is whose."""
    if isinstance(value, ndarray):
        back[id(value._host)] = value
        return value._host
    if type(value) in (list, tuple):
        return type(value)(unwrap(part, back) for part in value)
    return value


def wrap(result, back):
    """NumPy's result as CuPy gives it: arrays and scalars as ndarray, an argument that came back as itself."""
    if isinstance(result, (np.ndarray, np.generic)):
        return back[id(result)] if id(result) in back else box(result)
    if isinstance(result, (list, tuple)):
        parts = [wrap(part, back) for part in result]
        return parts if isinstance(result, list) else tuple(parts)
    return result


def refuse_host(where, name, value):
    """Raise TypeError if `value` is a NumPy array or holds one in a list or tuple."""
    if isinstance(value, np.ndarray):
        raise TypeError(f'{where}: Unsupported type {type(value)} for {name!r}: bring it to the device first')
    if type(value) in (list, tuple):
        for part in value:
            refuse_host(where, name, part)


def make_method(name, entry):
    """A method of ndarray that forwards to NumPy's of the same name."""
    if not hasattr(np.ndarray, name):
        return not_in_standin(f'cupy.ndarray.{name}')
    check = signature_check(name, entry)
    forward = getattr(np.ndarray, name)

    def method(self, *args, **kwargs):
        for parameter, value in check(*args, **kwargs).items():
            refuse_host(name, parameter, value)
            if parameter in ('axis', 'axes', 'shape') and isinstance(value, ndarray):
                raise TypeError("'ndarray' object cannot be interpreted as an integer")
            if parameter in ('indices', 'condition', 'values') and type(value) in (list, tuple):
                raise TypeError(f'{name}: {parameter!r} is a {type_name(value)}: bring it to the device first')
        if name in ('nonzero', 'compress'):
            standin.count_transfer()
        back = {id(self._host): self}
        with np.errstate(all='ignore'):
            return wrap(
                forward(self._host, *unwrap(args, back), **{k: unwrap(v, back) for k, v in kwargs.items()}), back
            )

    method.__name__ = name
    return method


def make_attribute(name):
    """A read-only attribute of ndarray that forwards to NumPy's."""
    if name in ('base', 'cstruct', 'data', 'flat') or not hasattr(np.ndarray, name):
        return property(not_in_standin(f'cupy.ndarray.{name}'))
    return property(lambda self: wrap(getattr(self._host, name), {}) if name != 'strides' else self._host.strides)


for _name, _entry in LISTING['cupy.ndarray'].items():
    if not _name.startswith('_') and _name not in vars(ndarray):
        _made = make_attribute(_name) if _entry == 'attribute' else make_method(_name, _entry)
        setattr(ndarray, _name, _made)
