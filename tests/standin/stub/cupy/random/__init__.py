"""cupy.random: numbers on the device. Another stream than a GPU's, so tests can only rely on their distribution."""

import numpy as _np

from .._array import refuse_host as _refuse_host
from .._array import unwrap as _unwrap
from .._array import wrap as _wrap
from .._listing import LISTING as _LISTING
from .._listing import module_getattr as _module_getattr
from .._listing import not_in_standin as _not_in_standin
from .._listing import signature_check as _signature_check


def _method(path, name, entry, host_class):
    """A method that draws with NumPy's generator and gives the dtype that CuPy's takes as an argument."""
    if not hasattr(host_class, name):
        return _not_in_standin(f'{path}.{name}')
    check = _signature_check(name, entry)

    def draw(self, *args, **kwargs):
        for parameter, value in check(*args, **kwargs).items():
            _refuse_host(name, parameter, value)
        dtype = kwargs.pop('dtype', None)
        back = {}
        keywords = {key: _unwrap(value, back) for key, value in kwargs.items()}
        drawn = _wrap(getattr(self._host, name)(*_unwrap(args, back), **keywords), back)
        return drawn if dtype is None else drawn.astype(dtype)

    draw.__name__ = name
    return draw


class RandomState:
    """A stream of numbers, seeded with an int or at random."""

    def __init__(self, seed=None, method=None):
        self._host = _np.random.RandomState(seed)


class Generator:
    """A stream of numbers behind the newer interface; made by `default_rng`."""

    def __init__(self, bit_generator):
        self._host = bit_generator


for _class, _host in ((RandomState, _np.random.RandomState), (Generator, _np.random.Generator)):
    _path = f'cupy.random.{_class.__name__}'
    for _name, _entry in _LISTING[_path].items():
        if not _name.startswith('_'):
            setattr(_class, _name, _method(_path, _name, _entry, _host))

_stream = RandomState()
for _name in _LISTING['cupy.random']:
    if hasattr(RandomState, _name):
        globals()[_name] = getattr(_stream, _name)


def random(size=None, dtype=float):
    """Uniform numbers in [0, 1)."""
    return _stream.random_sample(size, dtype=dtype)


def default_rng(seed=None):
    """A new Generator."""
    return Generator(_np.random.default_rng(seed))


__getattr__ = _module_getattr(__name__, 'cupy.random')
