"""The error of everything that reads data."""

from mathlib.errors import BookError


class DataError(BookError):
    """A data folder, a file or a request for rows is not what was expected; the message says where and what to do."""
