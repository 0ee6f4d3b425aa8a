"""The settings: one environment variable each, read once, here.

=========  =============================================  =======================
variable   values                                         default
=========  =============================================  =======================
BACKEND    numpy, cupy                                    numpy
DTYPE      float32, float64                               float32
DATA_DIR   a folder with flowers/, office31/, mnist/,     unset: the generated
           tabular/                                       sample
WORKERS    how many threads share a training step         the cores, where it
                                                          pays
BOOK_LANG  en, ko (labels of estimates and figures)       en
=========  =============================================  =======================

An unknown value is a SettingError; nothing falls back silently.
"""

import difflib
import os
from pathlib import Path

from mathlib.errors import refuse_setting
from mathlib.runtime import cpu_count

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build'


def _choice(variable, choices, environ):
    """The value of an environment variable that must be one of `choices`; the first one is the default."""
    value = environ.get(variable, '').strip() or choices[0]
    if value not in choices:
        near = difflib.get_close_matches(value.lower(), choices, n=1)
        hint = f' Did you mean {near[0]!r}?' if near else ''
        refuse_setting(
            f'{variable}={value!r} is not known: expected one of {", ".join(choices)}.{hint} '
            f'Set {variable} before the first import of mathlib, or unset it for {choices[0]!r}.'
        )
    return value


def _folder(variable, environ):
    """The absolute path in an environment variable, or None; relative paths count from here or the project's root."""
    value = environ.get(variable, '').strip()
    if not value:
        return None
    given = Path(value).expanduser()
    places = [given] if given.is_absolute() else [Path.cwd() / given, ROOT / given]
    for place in places:
        if place.is_dir():
            return place.resolve()
    looked = ' or '.join(dict.fromkeys(str(place) for place in places))
    return refuse_setting(
        f'{variable}={value!r} is no folder (looked for {looked}). Correct it, make the folder if it is to be filled '
        f'by "python -m data fetch", or unset {variable} to work on the generated sample.'
    )


def _count(variable, default, environ):
    """The whole number above zero in an environment variable."""
    value = environ.get(variable, '').strip()
    if value and not (value.isascii() and value.isdigit() and int(value) > 0):
        refuse_setting(
            f'{variable}={value!r} is no number of threads: expected 1 or more. Correct it, or unset {variable} for '
            f'as many as there are cores ({default}).'
        )
    return int(value or default)


backend = _choice('BACKEND', ('numpy', 'cupy'), os.environ)
dtype = _choice('DTYPE', ('float32', 'float64'), os.environ)
book_lang = _choice('BOOK_LANG', ('en', 'ko'), os.environ)
data_dir = _folder('DATA_DIR', os.environ)
workers = _count('WORKERS', cpu_count(), os.environ)
