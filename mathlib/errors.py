"""The base class of the errors that this package raises on purpose."""


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
