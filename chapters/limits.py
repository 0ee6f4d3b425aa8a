"""How large a network may be: what would not fit into the memory of the machine is refused before it is asked for."""

import os

from mathlib.errors import ConfigError

# Where the system does not say how much memory there is.
USUAL = 32 << 30


def _memory():
    """How many bytes of memory the machine has."""
    try:
        return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return USUAL


MEMORY = _memory()


class Room:
    """The memory that a network asks for, added up layer by layer."""

    def __init__(self):
        self.taken = 0

    def take(self, count, what):
        """Add `count` bytes. Raises ConfigError, which says `what` needs them, where that is more than there are."""
        self.taken += count
        self.check(0, what, count)

    def check(self, count, what, own=0):
        """Raise ConfigError if there is no room for `count` bytes beside what was taken, of which `own` are `what`."""
        if self.taken + count > MEMORY:
            raise ConfigError(
                f'{what} would take {_size(count or own)}, {_size(self.taken + count)} with all before, but this '
                f'machine has {_size(MEMORY)} of memory: take narrower layers, smaller windows, or smaller pictures'
            )


def _size(count):
    """So many bytes in words."""
    return f'{count / 1e9:,.1f} GB' if count >= 1e9 else f'{count / 1e6:,.1f} MB'
