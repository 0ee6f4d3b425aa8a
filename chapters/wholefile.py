"""Write a .safetensors file whole or not at all: for `save`, and for checkpoints."""

import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import save_file

# How the folder begins in which a file is made ready; one that is left over is of a process that was killed.
UNDERWAY = '.saving-'


def write_whole(path, arrays, metadata):
    """Write host arrays {name: array} and metadata {key: text} to `path`, whole or not at all.

    The file is made in a folder beside it, is on the disk before it gets its name, and takes the place of an older one
    at once. Raises OSError, with nothing left behind and an older file as it was.
    """
    with tempfile.TemporaryDirectory(prefix=UNDERWAY, dir=path.parent) as folder:
        part = Path(folder) / path.name
        try:
            save_file(arrays, part, metadata)
        except SafetensorError as problem:  # what the library makes of a full disk
            raise OSError(str(problem)) from None
        with part.open('rb+') as file:
            os.fsync(file.fileno())
        # The library makes files that nobody else may read; this one gets the rights of any new file.
        like = Path(folder) / 'like'
        like.touch()
        part.chmod(like.stat().st_mode)
        part.replace(path)
        _settle(path.parent)


def _settle(folder):
    """Have the names in a folder on the disk, where the system lets folders be opened."""
    if not hasattr(os, 'O_DIRECTORY'):
        return
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
