"""Folders of pictures: which files there are, and what is in them.

A picture is a file whose name ends in .jpg or .jpeg (in any case). Names that begin with a dot, and files with another
ending, are passed over in silence. What is inside must be a JPEG: a file that is not, or is cut short or broken, or
claims more pixels than Pillow thinks sane, is left out, and named.

Pixels are those of `Image.open(path).resize(resolution)` with Pillow's default filter, as in the book; grey and CMYK
pictures become RGB before. A JPEG has no transparency. An orientation noted in the camera's EXIF block is not
applied, as in the book. `resolution` is Pillow's [width, height], while arrays are [height, width, 3].
"""

import contextlib
import hashlib
import io
import operator
import os
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data.errors import DataError, shortened

ENDINGS = ('.jpg', '.jpeg')
# What Pillow raises for files that are not sound: its decoders were written for sound ones, and whatever they then come
# upon gets out. The warning is made an error below.
UNSOUND = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_BLOCK = 64
# Pixels (about 64 MB) beyond which pictures are decoded one after the other: some that claim to be huge, side by side,
# would fill the memory.
_LARGE = 16_000_000
_one_large = threading.Lock()


@dataclass(frozen=True)
class ImageFile:
    """A file as the folder lists it: its path, its size in bytes, when it was changed (nanoseconds)."""

    path: Path
    size: int
    changed: int


@dataclass(frozen=True)
class Decoded:
    """One file's pixels, uint8 [height, width, 3], or why there are none; and the SHA-256 of its content."""

    pixels: np.ndarray | None
    reason: str
    sha256: str


def subfolders(folder):
    """The visible folders in `folder` (a Path), sorted by name; `__MACOSX` of Apple's archives is not one of them."""
    names = sorted(entry.name for entry in _entries(folder) if entry.is_dir() and not entry.name.startswith('__MACOSX'))
    return [folder / name for name in names]


def image_files(folder):
    """The pictures that lie directly in `folder` (a Path): ImageFiles sorted by name."""
    files = []
    for entry in _entries(folder):
        if entry.name.lower().endswith(ENDINGS) and entry.is_file():
            status = entry.stat()
            files.append(ImageFile(folder / entry.name, status.st_size, status.st_mtime_ns))
    return sorted(files, key=lambda file: file.path.name)


def _entries(folder):
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith('.')]
    except OSError as problem:
        raise DataError(f'The folder {folder} cannot be read ({problem.strerror}).') from None


def classes(folder):
    """{class name: its ImageFiles} for a folder with one folder a class, in sorted order.

    A folder that holds other folders but no picture of its own (a nested copy from an archive) is no class. Raises
    DataError where a folder is empty, or where fewer than two classes are left.
    """
    found = {}
    for place in subfolders(folder):
        files = image_files(place)
        if files:
            found[place.name] = files
        elif not subfolders(place):
            raise DataError(
                f'The class folder {place} holds no picture (no file that ends in .jpg or .jpeg). '
                f'Put its pictures there, or delete the folder if it is no class.'
            )
    if len(found) < 2:
        raise DataError(
            f'{folder} must hold a folder with .jpg files for each class, and at least two of them; '
            f'found {", ".join(found) or "none"}. Check that the archive was unpacked at the right level.'
        )
    return found


def check_resolution(resolution):
    """(width, height) as two positive ints; anything else is a DataError."""
    try:
        width, height = (operator.index(side) for side in resolution)
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise DataError(f'resolution={resolution!r}: expected [width, height] in pixels, as in [100, 100].')
    return width, height


def check_input_shape(input_shape, image_shape):
    """The shape of one picture as the model gets it: image_shape [height, width, channels], or flat for [-1].

    Raises DataError where `input_shape` is neither.
    """
    size = int(np.prod(image_shape))
    given = tuple(input_shape) if isinstance(input_shape, list | tuple) else (input_shape,)
    if given in ((-1,), (size,)):
        return (size,)
    if given == tuple(image_shape):
        return given
    raise DataError(
        f'input_shape={input_shape!r} does not fit pictures of {list(image_shape)} [height, width, channels]: '
        f'expected {list(image_shape)}, or [-1] for {size} numbers in a row. Note that resolution is [width, height].'
    )


def decode_all(files, resolution):
    """Yield a Decoded for each of the ImageFiles, in their order; `resolution` is (width, height).

    Two or more threads decode (Pillow lets them run side by side), a block at a time, so that little is in memory.
    """
    workers = min(4, os.cpu_count() or 1)
    progress = tqdm(total=len(files), desc='reading pictures', unit='', leave=False, disable=None)
    # Threads share the filters of warnings, so they are set once, around them all.
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool, progress:
        warnings.filterwarnings('ignore', module='PIL')
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        for begin in range(0, len(files), _BLOCK):
            block = files[begin : begin + _BLOCK]
            yield from pool.map(_decode, block, [resolution] * len(block))
            progress.update(len(block))


def _decode(file, resolution):
    content = b''
    try:
        content = file.path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            # MPO is what several phones write: a JPEG with a second picture behind it, which is not looked at.
            if image.format in ('JPEG', 'MPO'):
                width, height = image.size
                with _one_large if width * height > _LARGE else contextlib.nullcontext():
                    pixels, reason = _small(image, resolution), ''
                    image.close()
            else:
                pixels, reason = None, f'its content is {image.format}, not JPEG: convert it to JPEG'
    except UNSOUND as problem:
        pixels, reason = None, f'it does not decode: {in_words(problem)}'
    return Decoded(pixels, reason, hashlib.sha256(content).hexdigest())


def _small(image, resolution):
    coloured = image if image.mode == 'RGB' else image.convert('RGB')
    return np.asarray(coloured.resize(resolution))


def in_words(problem):
    """Pillow's complaint without the address of the buffer that it names."""
    if isinstance(problem, Image.UnidentifiedImageError):
        return 'no picture format that Pillow knows'
    if isinstance(problem, MemoryError):
        return 'it claims more pixels than there is memory for'
    return shortened(problem) or type(problem).__name__
