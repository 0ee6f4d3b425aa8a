"""Reading what other people packed: zip, tar, tar.gz, a folder or a single file, without trusting any of it.

Nothing is unpacked here by the archive's own wishes: `members` yields one file after the other, its name checked, and
the caller writes those that it wants under names of its own. Sizes are counted while reading, never taken from headers.
"""

import contextlib
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data.errors import DataError, shortened

MIB = 1024 * 1024
BLOCK = 256 * 1024
# Headers of a tar that tarfile reads into memory whole: longer names, and other particulars; bytes of one.
EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
LONGEST = MIB


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: files, bytes in all, bytes in one file, and bytes for each packed byte.

    The ratio counts only above `floor` bytes: small tables may be packed very well.
    """

    files: int = 100_000
    total: int = 4096 * MIB
    single: int = 512 * MIB
    ratio: int = 100
    floor: int = 64 * MIB


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """One file in an archive: the parts of its name, and how to read it while it is the current one."""

    parts: tuple[str, ...]
    read: Callable[..., bytes]
    save: Callable[[Path], None]

    @property
    def label(self):
        return '/'.join(self.parts)


class _Meter:
    """Counts what comes out of an archive, and stops it at the limits."""

    def __init__(self, path, limits):
        self.path, self.limits = path, limits
        self.packed = path.stat().st_size
        self.files = self.total = 0

    def stop(self, what):
        raise DataError(f'{self.path} was not unpacked: {what}. No set of images is that large; get a fresh copy.')

    def file(self, name):
        self.files += 1
        if self.files > self.limits.files:
            self.stop(f'it holds more than {self.limits.files:,} files (at {name!r})')

    def bytes(self, count):
        self.total += count
        if self.total > self.limits.total:
            self.stop(f'it unpacks to more than {self.limits.total:,} bytes')
        if self.total > max(self.limits.floor, self.limits.ratio * self.packed):
            self.stop(f'its {self.packed:,} bytes unpack to more than {self.limits.ratio} times as many')

    def one(self, count, name):
        if count > self.limits.single:
            self.stop(f'{name!r} is larger than {self.limits.single:,} bytes')


class _Metered:
    """A readable stream whose bytes are counted by a meter."""

    def __init__(self, stream, meter):
        self.stream, self.meter = stream, meter

    def read(self, size=-1):
        block = self.stream.read(min(size, BLOCK) if size >= 0 else BLOCK)
        self.meter.bytes(len(block))
        return block


class _Header(tarfile.TarInfo):
    """A tar header that must be there: tarfile itself takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        info = super().frombuf(buf, encoding, errors)
        if info.type in EXTENSIONS and info.size > LONGEST:
            raise tarfile.InvalidHeaderError(f'an extended header of {info.size:,} bytes')
        return info

    @classmethod
    def fromtarfile(cls, tar):
        try:
            return super().fromtarfile(tar)
        except (tarfile.TruncatedHeaderError, tarfile.EmptyHeaderError, tarfile.InvalidHeaderError) as error:
            raise tarfile.ReadError(f'{error} at byte {tar.offset:,}') from None


def safe_parts(name):
    """The parts of a member's name. ValueError where the name could lead out of a folder, on any system."""
    if not name or name.startswith('/'):
        raise ValueError('the name is absolute' if name else 'the name is empty')
    if '\\' in name:
        raise ValueError('the name has a backslash')
    if re.match(r'[A-Za-z]:', name):
        raise ValueError('the name starts with a drive letter')
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise ValueError('the name has a control character')
    parts = tuple(part for part in name.split('/') if part not in ('', '.'))
    if '..' in parts:
        raise ValueError("the name leads out of the folder ('..')")
    return parts


def kind(path):
    """'folder', 'zip', 'tar', 'tar.gz' or 'file', by what is inside. DataError where there is nothing to read."""
    path = Path(path)
    if path.is_dir():
        return 'folder'
    with _telling(path), path.open('rb') as file:
        head = file.read(512)
        if head[:4] in (b'PK\x03\x04', b'PK\x05\x06'):
            return 'zip'
        if head[:2] == b'\x1f\x8b':
            file.seek(0)
            with gzip.open(file) as unpacked:
                return 'tar.gz' if _is_tar(unpacked.read(512)) else 'file'
        return 'tar' if _is_tar(head) else 'file'


def _is_tar(block):
    try:
        tarfile.TarInfo.frombuf(block, 'utf-8', 'surrogateescape')
    except tarfile.HeaderError:
        return False
    return True


@contextlib.contextmanager
def _telling(path):
    """Turn what reading raises, at damaged bytes above all, into one DataError. Nothing is to be written inside."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile) as error:
        said = str(error) or type(error).__name__
    except (struct.error, ValueError, TypeError, LookupError, RuntimeError, OverflowError, MemoryError) as error:
        said = f'{type(error).__name__}: {error}'
    except OSError as error:
        if error.errno is not None:
            raise DataError(f'{path} cannot be read: {error.strerror}.') from None
        said = str(error)
    else:
        return
    raise DataError(f'{path} is damaged or cut short ({shortened(said)}). Fetch it again; nothing was unpacked.')


def _refuse(path, name, why):
    raise DataError(
        f'{path} was not unpacked: {why}, at {name!r}. An archive of images or tables needs no such thing; get it from '
        'a place that you trust, or unpack it yourself and import the folder.'
    )


def _parts(path, name):
    try:
        return safe_parts(name)
    except ValueError as problem:
        _refuse(path, name, str(problem))


def members(path, limits=LIMITS):
    """Yield the Members of an archive, a folder or a single file, in order; each can be read only while it is current.

    Raises DataError, with the member's name, at a name that leads out of a folder, a link, a device, an encrypted or a
    damaged member, and at the limits.
    """
    path = Path(path)
    walk = {'folder': _folder, 'zip': _zip, 'tar': _tar, 'tar.gz': _tar, 'file': _file}[kind(path)]
    with _telling(path):
        yield from walk(path, _Meter(path, limits))


def _member(parts, open_stream, meter, counted):
    """A Member whose bytes are counted; `counted` where the stream below counts them already."""
    if not parts:
        _refuse(meter.path, '', 'it is a file without a name')

    def blocks(most=None):
        done = 0
        with _telling(meter.path), open_stream() as stream:
            while most is None or done < most:
                block = stream.read(BLOCK if most is None else min(BLOCK, most - done))
                if not block:
                    return
                done += len(block)
                meter.one(done, '/'.join(parts))
                if not counted:
                    meter.bytes(len(block))
                yield block

    def read(most=None):
        return b''.join(blocks(most))

    def save(target):
        with target.open('xb') as file:
            for block in blocks():
                file.write(block)

    return Member(parts, read, save)


def _zip(path, meter):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            parts = _parts(path, name)
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse(path, name, 'it holds a link or a device')
            if info.is_dir():
                continue
            if info.flag_bits & 0x1:
                raise DataError(f'{path} is encrypted (at {name!r}). Unpack it and import the folder.')
            meter.file(name)
            meter.one(info.file_size, name)
            yield _member(parts, _zip_opener(path, archive, info), meter, counted=False)


def _zip_opener(path, archive, info):
    def open_stream():
        try:
            return archive.open(info)
        except (NotImplementedError, RuntimeError) as error:
            raise DataError(f'{path} cannot be unpacked: {error}, at {info.filename!r}.') from None

    return open_stream


def _tar(path, meter):
    with path.open('rb') as file:
        packed = file.read(2) == b'\x1f\x8b'
        file.seek(0)
        stream = _Metered(gzip.GzipFile(fileobj=file) if packed else file, meter)
        with tarfile.open(fileobj=stream, mode='r|', tarinfo=_Header) as archive:
            for info in archive:
                parts = _parts(path, info.name)
                if info.isdir():
                    continue
                if not info.isreg() or info.issparse():
                    _refuse(path, info.name, 'it holds a link, a device or a sparse file')
                meter.file(info.name)
                meter.one(info.size, info.name)
                yield _member(parts, partial(archive.extractfile, info), meter, counted=True)
            # To the end of the stream, where gzip keeps the checksum of what was read.
            while stream.read():
                pass


def _folder(path, meter):
    meter.packed = meter.limits.total
    for place, folders, files in os.walk(path, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in folders + sorted(files):
            whole = Path(place, name)
            parts = whole.relative_to(path).parts
            if whole.is_symlink() or not (whole.is_file() or whole.is_dir()):
                _refuse(path, '/'.join(parts), 'it holds a link or a device')
            if name in folders:
                continue
            meter.file(name)
            yield _member(parts, partial(whole.open, 'rb'), meter, counted=False)


def _raise(error):
    raise DataError(f'{error.filename} cannot be read: {error.strerror}.')


def _file(path, meter):
    yield _member((path.name,), partial(path.open, 'rb'), meter, counted=False)
