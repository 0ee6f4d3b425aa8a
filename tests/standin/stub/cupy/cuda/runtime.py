"""cupy.cuda.runtime: one device, which says by its name that it is none."""

_NAME = 'strict stand-in (no GPU)'


class CUDARuntimeError(RuntimeError):
    """What CuPy raises when there is no driver or no device."""


def getDeviceCount():
    """1, so that the code under test goes on."""
    return 1


def getDevice():
    """The number of the current device."""
    return 0


def getDeviceProperties(device):
    """Name, memory and version of the device: no memory and no version."""
    return {'name': _NAME.encode(), 'totalGlobalMem': 0, 'major': 0, 'minor': 0, 'multiProcessorCount': 0}


def driverGetVersion():
    """0: there is no driver."""
    return 0


def runtimeGetVersion():
    """0: there is no CUDA."""
    return 0


def deviceSynchronize():
    """Everything has been computed already."""


def memGetInfo():
    """Free and total memory of the device in bytes: none."""
    return 0, 0
