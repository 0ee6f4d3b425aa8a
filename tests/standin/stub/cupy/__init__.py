"""A strict stand-in for CuPy, for tests on a machine without a GPU. It computes with NumPy and is no faster.

    BACKEND=cupy PYTHONPATH=tests/standin/stub python -m pytest

Names, signatures and refusals are CuPy's: host arrays as operands, implicit conversions, unknown names and keywords are
errors, and reductions give 0-d device arrays. Where CuPy quietly uploads a list or a NumPy array, this one refuses.
"""

import numpy as _np

from . import _functions, standin
from ._array import ndarray
from ._functions import array, asanyarray, asarray, asnumpy, empty, empty_like, fuse, get_array_module
from ._listing import LISTING as _LISTING
from ._listing import module_getattr as _module_getattr
from ._ufunc import UFUNCS as _UFUNCS
from ._ufunc import ufunc

__version__ = f'{_LISTING["version"]}+standin'

# On the host NumPy's own classes serve: they hold no arrays.
finfo, iinfo = _np.finfo, _np.iinfo
globals().update(_UFUNCS)
_functions.fill(globals(), 'cupy', _np)

from . import cuda, lib, linalg, random  # noqa: E402

_pool, _pinned_pool = cuda.MemoryPool(), cuda.MemoryPool()


def get_default_memory_pool():
    """The pool of device memory."""
    return _pool


def get_default_pinned_memory_pool():
    """The pool of host memory that a GPU can reach."""
    return _pinned_pool


__getattr__ = _module_getattr(__name__, 'cupy')

__all__ = [
    'array', 'asanyarray', 'asarray', 'asnumpy', 'cuda', 'empty', 'empty_like', 'fuse', 'get_array_module', 'lib',
    'linalg', 'ndarray', 'random', 'standin', 'ufunc',
]  # fmt: skip
