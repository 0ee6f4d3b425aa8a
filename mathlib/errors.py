"""The errors that this package raises on purpose."""

import sys


class BookError(Exception):
    """Something a reader can put right; the message says what was expected, what came, and what to do."""


class SettingError(BookError, ValueError):
    """An environment variable has a value that the package cannot work with."""


class ConfigError(BookError, ValueError):
    """A network's configuration or a training's settings are not what the model understands."""


class TrainingError(BookError):
    """A training cannot go on. `history` holds what had been recorded until then."""

    def __init__(self, message, history=None):
        super().__init__(message)
        self.history = history


def refuse_setting(message):
    """Raise a SettingError. While `python -m data` or `python -m chapters` starts, print one line and exit instead.

    The settings are read on the first import, before such a command could catch anything; until its own module has
    been found, Python leaves '-m' in the place of the program's name.
    """
    if sys.argv[:1] == ['-m']:
        sys.exit(f'error: {message}')
    raise SettingError(message)
