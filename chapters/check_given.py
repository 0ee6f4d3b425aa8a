"""What a reader hands to `gradcheck`: a file with a configuration, and a class of the book's or of the reader's own."""

import importlib
import inspect
import sys
from pathlib import Path

from chapters.ch05_mlp_model import MlpModel
from chapters.description import CLASSES
from mathlib.choices import nearest
from mathlib.errors import ConfigError

# No configuration that a person writes takes so many bytes.
LARGEST_FILE = 4 << 20


def model_class(word):
    """The class of this book with this name, or a reader's own, 'module:Class', imported from the current folder."""
    if word in CLASSES:
        return CLASSES[word]
    module, colon, name = word.partition(':')
    if not (colon and module and name):
        near = nearest(word, CLASSES)
        hint = f'; did you mean {near!r}?' if near else ''
        raise ConfigError(
            f'--model is {word!r}{hint or ":"} expected one of {", ".join(CLASSES)}, or a class of your own, as in '
            f'mine:MyModel for the class MyModel in mine.py'
        )
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name)
    # A reader's module may do anything while it is imported.
    except Exception as problem:
        said = ' '.join(str(problem).split())
        raise ConfigError(
            f'--model is {word!r}, which cannot be imported from {folder} ({type(problem).__name__}: {said})'
        ) from problem
    finally:
        sys.path.remove(folder)
    if not (inspect.isclass(found) and issubclass(found, MlpModel)):
        raise ConfigError(f'--model is {word!r}: expected a class derived from MlpModel or one of its subclasses')
    return found


def text_of(file):
    """The text of a file. Raises ConfigError for what cannot be read, is no regular file, or is far too large."""
    path = Path(file)
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f'{file} cannot be read: it is no regular file')
        with path.open('rb') as opened:
            text = opened.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise ConfigError(f'{file} cannot be a configuration: it is larger than {LARGEST_FILE >> 20} MB')
        return text.decode('utf-8')
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f'{file} cannot be read: {problem}') from None
