"""The error of everything that reads data."""

import difflib

from mathlib.errors import BookError


class DataError(BookError):
    """A data folder, a file or a request for rows is not what was expected; the message says where and what to do."""


def shortened(text, most=300):
    """What a library complains of, or a file holds, as a piece of a message: one line of at most so many letters."""
    line = ''.join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text)[: most + 1])
    return line if len(line) <= most else line[:most] + ' ...'


def unknown(word, known):
    """The part of a message about a `word` that is none of the `known` ones: what is expected, and the nearest."""
    near = difflib.get_close_matches(str(word), known, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    return f'{word!r} is not known: expected {", ".join(known)}.{hint}'
