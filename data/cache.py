"""Decoded pictures, kept as one file of bytes.

To decode thousands of JPEG files takes seconds, each time a notebook starts. So the pixels are written once to
build/cache as a uint8 array [files, height, width, 3], together with a small JSON file, and from then on mapped into
memory: a page of it is read when a batch needs it, and several kernels share one copy.

The names hold a signature made of the names, sizes and times of the source files: where one of them changes, the
pictures are decoded again and the older cache is deleted. A damaged cache, down to a single bit, is made again: the
pixels are summed up when they are mapped, at some gigabytes a second.
"""

import hashlib
import io
import json
import math
import os
import time
import zlib
from dataclasses import dataclass

import numpy as np
import PIL

from data import location
from data.images import decode_all

_FORMAT = 2
_ABANDONED = 3600  # seconds after which an unfinished file must be from a process that died


@dataclass(frozen=True)
class Pictures:
    """What is in the files of a set.

    pixels: uint8 [files, height, width, 3], zeros for a file that was left out; kept: indices of the files that are
    in, int [kept]; skipped: a list of (file relative to the set's folder, reason); digest: 12 hexadecimal digits of
    the content of all files.
    """

    pixels: np.ndarray
    kept: np.ndarray
    skipped: list
    digest: str


def load(name, root, files, resolution):
    """The Pictures of these ImageFiles below `root`, at resolution (width, height), from the cache or decoded now.

    Prints one line where files are left out, and one where the cache cannot be written; the pixels then stay in
    memory.
    """
    names = [_readable(file.path.relative_to(root)) for file in files]
    width, height = resolution
    shape = (len(files), height, width, 3)
    place = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    family = f'{name}-{place}-{width}x{height}-'
    stem = location.cache_folder() / (family + _signature(names, files))
    pictures = _open(stem, names, shape)
    if pictures is None:
        pictures = _store(name, family, stem, files, names, shape)
    if pictures.skipped:
        first = ', '.join(file for file, _ in pictures.skipped[:3])
        more = ', ...' if len(pictures.skipped) > 3 else ''
        print(
            f'{name}: {len(pictures.skipped)} of {len(files)} files left out: {first}{more} '
            f'(reasons: .skipped, or python -m data check)'
        )
    return pictures


def _readable(path):
    """A path with forward slashes that can be printed: a file name may hold bytes that are no text."""
    return os.fsencode(path.as_posix()).decode('utf-8', 'replace')


def _signature(names, files):
    """Changes when a file is added, removed, renamed or written, and with Pillow, whose releases may differ."""
    known = [(name, file.size, file.changed) for name, file in zip(names, files, strict=True)]
    return hashlib.sha256(json.dumps([_FORMAT, PIL.__version__, known]).encode()).hexdigest()[:16]


def _open(stem, names, shape):
    """The cached Pictures, or None where there is no sound cache."""
    place, header = stem.with_suffix('.npy'), _header(shape)
    try:
        text = json.loads(stem.with_suffix('.json').read_text(encoding='utf-8'))
        notes = json.loads(text['notes'])
        if text['sha256'] != _sum(text['notes']):
            return None
        with place.open('rb') as file:
            if file.read(len(header)) != header or os.fstat(file.fileno()).st_size != len(header) + math.prod(shape):
                return None
        pixels = np.memmap(place, np.uint8, 'r', len(header), shape)
        if zlib.crc32(pixels) != notes['crc32']:
            return None
        return _pictures(pixels, names, {int(row): str(reason) for row, reason in notes['skipped']}, notes['digest'])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None  # missing, cut short or scribbled over: it is made again


def _header(shape):
    """How the file of pixels begins: as any .npy file, so that np.load reads it too."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {'descr': '|u1', 'fortran_order': False, 'shape': shape})
    return file.getvalue()


def _sum(notes):
    return hashlib.sha256(notes.encode('utf-8', 'surrogatepass')).hexdigest()


def _pictures(pixels, names, skipped, digest):
    kept = np.array([row for row in range(len(names)) if row not in skipped], dtype=np.intp)
    return Pictures(pixels, kept, [(names[row], reason) for row, reason in sorted(skipped.items())], digest)


def _store(name, family, stem, files, names, shape):
    """Decode the files into a new cache and open it; where the cache cannot be written, into memory."""
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        _write(stem, files, names, shape)
        _remove_older(family, stem)
        pictures = _open(stem, names, shape)
        if pictures is None:
            raise OSError('what was written there cannot be read back')
        return pictures
    except OSError as problem:
        reason = problem.strerror or problem
    print(
        f'{name}: the pictures cannot be kept in {stem.parent} ({reason}): '
        f'they stay in memory, and are decoded again the next time'
    )
    pixels = np.zeros(shape, np.uint8)
    skipped, digest = _decode_into(lambda row, image: pixels.__setitem__(row, image), files, names, shape)
    return _pictures(pixels, names, skipped, digest)


def _write(stem, files, names, shape):
    """Write the two files of the cache: each beside its place first, then renamed, so that nobody meets half a file."""
    unfinished, crc32 = stem.with_suffix(f'.{os.getpid()}.unfinished'), 0
    try:
        with unfinished.open('wb') as file:
            file.write(_header(shape))

            def put(row, image):
                nonlocal crc32
                crc32 = zlib.crc32(image, crc32)
                file.write(image.data)

            skipped, digest = _decode_into(put, files, names, shape)
        unfinished.replace(stem.with_suffix('.npy'))
        notes = json.dumps({'digest': digest, 'skipped': sorted(skipped.items()), 'crc32': crc32})
        unfinished.write_text(json.dumps({'notes': notes, 'sha256': _sum(notes)}), encoding='utf-8')
        unfinished.replace(stem.with_suffix('.json'))
    finally:
        unfinished.unlink(missing_ok=True)


def _decode_into(put, files, names, shape):
    """Call put(row, image) for each file in order, zeros for one left out. Returns {row: reason} and the digest."""
    height, width = shape[1:3]
    skipped, content, nothing = {}, hashlib.sha256(), np.zeros(shape[1:], np.uint8)
    for row, decoded in enumerate(decode_all(files, (width, height))):
        content.update(f'{names[row]}\0{decoded.sha256}\n'.encode())
        if decoded.pixels is None:
            skipped[row] = decoded.reason
        put(row, nothing if decoded.pixels is None else np.ascontiguousarray(decoded.pixels))
    return skipped, content.hexdigest()[:12]


def _remove_older(family, stem):
    """Delete the caches that an older state of the same folder left at the same resolution."""
    for path in stem.parent.glob(family + '*'):
        try:
            being_written = path.suffix == '.unfinished' and time.time() - path.stat().st_mtime < _ABANDONED
            if path.stem != stem.name and not being_written:
                path.unlink()
        except (PermissionError, FileNotFoundError):
            # Another kernel was faster, or has the file mapped on Windows; then the next rebuild deletes it.
            continue
