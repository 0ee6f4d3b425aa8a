"""cupy.cuda: devices, streams, events and memory pools that have nothing to do."""

import time as _time

from .._listing import module_getattr as _module_getattr
from . import runtime


class _Context:
    """A device or stream as a `with` block."""

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None

    def use(self):
        return self

    def synchronize(self):
        """Everything has been computed already."""


class Device(_Context):
    """The one device, number 0."""

    def __init__(self, device=None):
        if device not in (None, 0):
            raise runtime.CUDARuntimeError(f'cudaErrorInvalidDevice: invalid device ordinal {device}')
        self.id = 0

    compute_capability = property(lambda self: '00')
    mem_info = property(lambda self: runtime.memGetInfo())


class Stream(_Context):
    """A queue of work that is always empty."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr = 0

    done = property(lambda self: True)

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event):
        """The event has happened already."""


class Event:
    """A moment in a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self._moment = None

    done = property(lambda self: True)

    def record(self, stream=None):
        self._moment = _time.perf_counter()

    def synchronize(self):
        """The event has happened already."""


class MemoryPool:
    """A pool that holds no memory."""

    def __init__(self, allocator=None):
        self._limit = 0

    def used_bytes(self):
        return 0

    def total_bytes(self):
        return 0

    def free_bytes(self):
        return 0

    def n_free_blocks(self):
        return 0

    def free_all_blocks(self, stream=None):
        """There is nothing to free."""

    def get_limit(self):
        return self._limit

    def set_limit(self, size=None, fraction=None):
        self._limit = size or 0


Stream.null = Stream(null=True)


def get_current_stream(device_id=-1):
    """The stream that work goes to."""
    return Stream.null


def get_device_id():
    """The number of the current device."""
    return 0


def get_elapsed_time(start_event, end_event):
    """Milliseconds between two recorded events."""
    return (end_event._moment - start_event._moment) * 1000


def is_available():
    """True, so that the code under test goes on."""
    return True


__getattr__ = _module_getattr(__name__, 'cupy.cuda')
