"""cupy.lib.stride_tricks: views with other strides; as in CuPy, what lies beyond the array is not checked."""

import numpy as _np

from .. import _functions

_functions.fill(globals(), 'cupy.lib.stride_tricks', _np.lib.stride_tricks)
