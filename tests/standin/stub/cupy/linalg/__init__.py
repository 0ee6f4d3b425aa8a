"""cupy.linalg: the listed functions, computed by NumPy."""

import numpy as _np

from .. import _functions
from .._listing import module_getattr as _module_getattr
from .._ufunc import matmul

__all__ = ['matmul']

LinAlgError = _np.linalg.LinAlgError
_functions.fill(globals(), 'cupy.linalg', _np.linalg)
__getattr__ = _module_getattr(__name__, 'cupy.linalg')
