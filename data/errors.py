"""The error of everything that reads data."""

import difflib

from mathlib.errors import BookError


class DataError(BookError):
    """A data folder, a file or a request for rows is not what was expected; the message says where and what to do."""


def unknown(word, known):
    """The part of a message about a `word` that is none of the `known` ones: what is expected, and the nearest."""
    near = difflib.get_close_matches(str(word), known, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    return f'{word!r} is not known: expected {", ".join(known)}.{hint}'
