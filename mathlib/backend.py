"""NumPy or CuPy: the only module that decides what `xp` is.

The *host* is the computer's own memory (NumPy arrays), the *device* is where the mathematics runs: the same memory
with BACKEND=numpy, a graphics card's with BACKEND=cupy. A batch goes over once a step with `to_device`; a loss comes
back once a report with `to_host` or `scalar`.
"""

import contextlib
import math

import numpy as np

from mathlib import settings
from mathlib.errors import SettingError, refuse_setting


def _import_cupy():
    """CuPy, if it is installed and finds a GPU; otherwise a SettingError that says which of the two is missing."""
    try:
        import cupy
    except ImportError as problem:
        return refuse_setting(
            f'BACKEND=cupy, but CuPy cannot be imported ({problem}). Install it with "pip install -e .[gpu]" or '
            f'environment-gpu.yml on a machine with an NVIDIA GPU, or unset BACKEND to compute with NumPy.'
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        return refuse_setting(
            f'BACKEND=cupy, but CuPy {cupy.__version__} finds no usable GPU ({problem}). Check the driver with '
            f'"nvidia-smi", or unset BACKEND to compute with NumPy.'
        )
    if count == 0:
        refuse_setting(f'BACKEND=cupy, but CuPy {cupy.__version__} finds no GPU. Unset BACKEND to compute with NumPy.')
    return cupy


name = settings.backend
xp = np if name == 'numpy' else _import_cupy()

# The float type of everything that is computed. Read it as backend.dtype: `precision` changes it for a while.
dtype = np.dtype(settings.dtype)


def to_device(array):
    """A host array on the device. Floating point becomes `dtype`; integers and booleans stay as they are.

    array: a NumPy array, or what np.asarray understands, of any shape; an array that is there already is returned
    as it is, or converted to `dtype`. Returns an xp array.
    """
    if not isinstance(array, xp.ndarray):
        array = np.asarray(array)
    if array.dtype.kind == 'f' and array.dtype != dtype:
        array = array.astype(dtype)
    return xp.asarray(array)


def to_host(array):
    """A device array as a NumPy array: a copy from a GPU, the array itself on NumPy."""
    return array if isinstance(array, np.ndarray) else np.asarray(array) if name == 'numpy' else xp.asnumpy(array)


def fused(function):
    """A function of device arrays, element by element, as one pass over them on a GPU; on NumPy the function itself."""
    return function if name == 'numpy' else xp.fuse()(function)


def scalar(array):
    """A 0-d device array as a Python float; on a GPU this waits for the result and transfers it."""
    return float(array)


def synchronize():
    """Wait until the device has done all that it was given; needed only around timings."""
    if name == 'cupy':
        xp.cuda.get_current_stream().synchronize()


@contextlib.contextmanager
def precision(float_type):
    """Compute with another float type inside a `with` block, as in `with precision('float64'):`.

    Models that are made inside keep their parameters in that type, so make, use and drop them inside the block.
    Raises SettingError for anything but 'float32' and 'float64'.
    """
    global dtype
    if str(float_type) not in ('float32', 'float64'):
        raise SettingError(f"precision({float_type!r}): expected 'float32' or 'float64'.")
    before, dtype = dtype, np.dtype(float_type)
    try:
        yield
    finally:
        dtype = before


def quiet():
    """A context in which overflow and invalid values give infinities and NaN without a warning.

    For code that looks at the outcome itself, as the training loop does. CuPy never warns.
    """
    return np.errstate(over='ignore', invalid='ignore') if name == 'numpy' else contextlib.nullcontext()


def describe():
    """What computes, for the record of a run: a dict with backend, dtype, version, device and more."""
    if name == 'numpy':
        workers = settings.workers
        return {'backend': name, 'dtype': str(dtype), 'version': np.__version__, 'device': 'CPU', 'workers': workers}
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.Device().id)
    device = properties['name']
    return {
        'backend': name,
        'dtype': str(dtype),
        'version': xp.__version__,
        'device': device.decode() if isinstance(device, bytes) else device,
        'memory_gib': math.floor(properties['totalGlobalMem'] / 2**30),
    }
