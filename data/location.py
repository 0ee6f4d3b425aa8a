"""Where the data lies: under DATA_DIR, or in the sample that is generated on first use."""

import contextlib
import hashlib
import os
import shutil
import sys
from pathlib import Path

from data.errors import DataError
from mathlib import settings

NAMES = ('flowers', 'office31', 'mnist', 'tabular')
# What `python -m data fetch weights` calls each file.
FETCHED = 'model.safetensors'
_STAMP = 'made-by.txt'


def kind():
    """'real' where DATA_DIR is set, and not to a copy of the sample; else 'sample'."""
    return 'sample' if settings.data_dir is None or (settings.data_dir / _STAMP).exists() else 'real'


def cache_folder():
    """The folder for decoded pictures; it need not exist yet."""
    return settings.BUILD / 'cache'


def folder(name):
    """The folder of a kind of data, one of NAMES, as a Path. The sample is made if it is needed and not there.

    Raises DataError where the folder is missing, or the sample cannot be written.
    """
    if name not in NAMES:
        raise DataError(f'There is no data called {name!r}; expected one of {", ".join(NAMES)}.')
    root = _sample() if settings.data_dir is None else settings.data_dir
    place = root / name
    if not place.is_dir():
        raise DataError(
            f'DATA_DIR={root} holds no folder {name}. Get it with "python -m data fetch {name}", point DATA_DIR at the '
            f'folder that contains {", ".join(NAMES)}, or unset DATA_DIR to work on the generated sample.'
        )
    return place


def weights(name, file=FETCHED):
    """The path of a file of published weights: weights/<name>/<file> under DATA_DIR, else where fetch puts it.

    The sample holds none, so without DATA_DIR the folder of `python -m data fetch` is looked at. Raises DataError where
    the file is missing.
    """
    root = settings.data_dir or settings.BUILD / 'data'
    place = root / 'weights' / name / file
    if not place.is_file():
        fetched = f'Get them with "python -m data fetch weights {name}", or point' if file == FETCHED else 'Point'
        raise DataError(
            f'There are no weights {place}. {fetched} DATA_DIR at the folder that holds weights/{name}/{file}.'
        )
    return place


def _sample():
    """The folder of the sample; makes it where it is missing or an older version of the generator made it.

    A new sample is written beside its place and renamed, under a lock: kernels that start at the same moment wait for
    the first one, and nobody sees half a sample.
    """
    place, stamp = settings.BUILD / 'sample', _generator_stamp()
    if _is_current(place, stamp):
        return place
    unfinished = settings.BUILD / 'sample.unfinished'
    try:
        settings.BUILD.mkdir(parents=True, exist_ok=True)
        with _lock(settings.BUILD / 'sample.lock'):
            if not _is_current(place, stamp):
                _remove(unfinished)
                _make(unfinished, stamp)
                _remove(place)
                unfinished.rename(place)
    except OSError as problem:
        raise DataError(
            f'The sample data cannot be written to {place} ({problem}). Make that folder writable and see that the '
            f'disk has 100 MB free, or set DATA_DIR to a folder with data.'
        ) from problem
    return place


def _make(place, stamp):
    from data import sample  # here, because the generator is needed once and costs time to import

    if sys.stderr.isatty():
        print(f'Making the sample data in {settings.BUILD / "sample"} (once, some seconds) ...', file=sys.stderr)
    place.mkdir()
    sample.make(place)
    (place / _STAMP).write_text(stamp, encoding='ascii')


def _is_current(place, stamp):
    try:
        return (place / _STAMP).read_text(encoding='ascii') == stamp
    except OSError:
        return False


def _generator_stamp():
    """A digest of the generator's source: a sample of an older generator is made again."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / 'sample').glob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _remove(place):
    if place.exists():
        shutil.rmtree(place)


@contextlib.contextmanager
def _lock(path):
    """Hold the lock file `path`; another process that wants it waits. The system frees it when a process dies."""
    with path.open('a+b') as file:
        if os.name == 'nt':
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
