"""One input of a fuzz, what reads it, and where it reads."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mathlib import settings


@dataclass(frozen=True)
class Case:
    """One input: the file that holds it, the seed's name, a folder of its own to work in, and that of sound data."""

    path: Path
    seed: str
    folder: Path
    root: Path


@dataclass(frozen=True)
class Reader:
    """Something that reads a file, and how to spoil such files.

    seeds(root) -> {file name: bytes}, sound files, made of a folder of data. ways: (content, random) -> bytes, how to
    spoil one.
    read(case) returns True where the content came in, False where it was left out or made anew, or lets the package's
    own error through; a sound reader does nothing else. It looks at what came in: an AssertionError is a find.
    """

    name: str
    seeds: Callable
    ways: tuple
    read: Callable


@contextlib.contextmanager
def data_folder(folder):
    """DATA_DIR points at a folder."""
    before, settings.data_dir = settings.data_dir, folder
    try:
        yield
    finally:
        settings.data_dir = before


@contextlib.contextmanager
def building(folder):
    """Caches go below a folder."""
    before, settings.BUILD = settings.BUILD, folder
    try:
        yield
    finally:
        settings.BUILD = before
