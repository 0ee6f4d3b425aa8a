"""Bringing the real data: `fetch` from its public homes, `import_file` from an archive or a folder that is at hand.

Both end in the layout that the data sets read. A set is unpacked into a temporary folder beside its place, checked
there, and moved in by a rename: a set is there whole, or not at all.
"""

import contextlib
import shutil
import tempfile
import unicodedata
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from data.errors import DataError
from data.fetch import archive, layouts
from data.fetch.archive import LIMITS, Limits
from data.fetch.download import bring
from data.fetch.inventory import table_rows
from data.fetch.sources import GROUPS, NAMES, SOURCES
from data.images import UNSOUND

__all__ = ['GROUPS', 'LIMITS', 'NAMES', 'SOURCES', 'Arrival', 'Limits', 'fetch', 'import_file']


@dataclass
class Arrival:
    """A set that has been written: its layout, its places, how many images or rows of each class, and the notes."""

    layout: str
    places: list[Path]
    counts: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @property
    def items(self):
        return sum(self.counts.values())


def import_file(path, target, *, only=None, replace=False, items=None, limits=LIMITS):
    """Write the sets that an archive (zip, tar, tar.gz), a folder or a file holds into the data folder `target`.

    only     one of 'flowers', 'office31', 'mnist', 'tabular': import this set, leave others
    replace  put a set in the place of the one that is there
    items    how many images or rows there must be in all; None accepts any number
    Returns a list of Arrivals. DataError: nothing known inside, a set that is there already, a damaged or unsafe
    archive, no room; nothing is left behind then, and what was there is as it was.
    """
    path, target = Path(path), Path(target)
    if not path.exists():
        raise DataError(f'There is no file or folder {path}.')
    found = _survey(path, limits)
    plans = layouts.recognise(found, only)
    if not plans:
        wanted = only or 'flowers, office31, mnist or tabular'
        raise DataError(
            f'{path} holds nothing that is known as {wanted}. Expected: flowers/<class>/*.jpg with the five classes '
            f'{", ".join(layouts.FLOWERS)}; {"/, ".join(layouts.DOMAINS)}/ with images/<category>/*.jpg; the four IDX '
            f'files of MNIST; or one of the tables {", ".join(layouts.TABLES)}.'
        )
    _no_collisions(path, found, plans)
    if not replace:
        for unit in (unit for plan in plans for unit in plan.units):
            if occupied(target / unit):
                raise DataError(
                    f'{target / unit} is there already and was left as it is. --replace puts the new one there.'
                )
    try:
        with _stage(target) as stage:
            _write(path, plans, stage, limits)
            arrivals = [_checked(plan, stage, target) for plan in plans]
            arrived = sum(arrival.items for arrival in arrivals)
            if items not in (None, arrived):
                raise DataError(f'{path}: {arrived:,} images or rows arrived, {items:,} are known to be in this set.')
            _move_in(stage, target, [unit for plan in plans for unit in plan.units])
    except OSError as error:
        raise DataError(
            f'cannot write {error.filename or target}: {error.strerror or error}. Nothing was changed. Make room or '
            'correct the permissions, or name another folder with --into.'
        ) from error
    return arrivals


def fetch(name, target, *, replace=False, say=print, **options):
    """Download one of NAMES and write it into the data folder `target`; what is there already stays, unless `replace`.

    `options` go to download.bring (timeout, attempts, pause). The downloaded files are removed once the set is
    written. Returns a list of Arrivals. DataError as for bring and import_file.
    """
    target, arrivals = Path(target), []
    for part in GROUPS.get(name, (name,)):
        source = SOURCES[part]
        place = target / source.place
        if occupied(place) and not replace:
            say(f'{part}: {place} is there already; --replace fetches it again')
            continue
        say(f'{part}: {source.title}. Licence: {source.licence}. Home: {source.home}')
        arrivals += _fetch_source(part, source, target, replace, say, options)
    return arrivals


def _fetch_source(part, source, target, replace, say, options):
    folder = target / '.downloads' / part
    try:
        got = [bring(item, folder, say=say, **options) for item in source.downloads]
    finally:
        remove_empty(folder, folder.parent)
    published = all(origin is None or origin.digest for _, origin in got)
    say(
        f'{part}: checksum as published'
        if published
        else f'{part}: no published checksum: verified by structure (counts of classes and images) instead'
    )
    path = got[0][0] if len(got) == 1 else folder
    items = None if published else source.items
    arrivals = import_file(path, target, only=source.place.split('/')[0], replace=replace, items=items)
    shutil.rmtree(folder)
    remove_empty(folder.parent)
    return arrivals


def remove_empty(*folders):
    """Remove those of the folders that are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def occupied(place):
    """Whether something is at a place: a file, or a folder that is not empty."""
    return place.is_file() or (place.is_dir() and any(place.iterdir()))


def _survey(path, limits):
    """Names and first bytes of all files in an archive."""
    found = []
    for member in archive.members(path, limits):
        picture = layouts.is_image(member.parts[-1])
        found.append(layouts.Found(member.parts, b'' if picture else member.read(layouts.HEAD)))
    return found


def _no_collisions(path, found, plans):
    """Two files that some system would write to one place are an error, not a silent loss."""
    taken, times = {}, Counter(file.parts for file in found)
    for plan in plans:
        for parts, place in plan.files.items():
            folded = unicodedata.normalize('NFC', place).casefold().rstrip('. ')
            if times[parts] > 1:
                raise DataError(
                    f'{path} holds {"/".join(parts)} {times[parts]} times. Unpack it and import the folder.'
                )
            if folded in taken:
                raise DataError(
                    f'{path}: {"/".join(taken[folded])} and {"/".join(parts)} would be written to one place, {place}. '
                    'Unpack the archive, rename one of them, and import the folder.'
                )
            taken[folded] = parts


@contextlib.contextmanager
def _stage(target):
    """A temporary folder inside the data folder, so that a rename is enough; removed whatever happens."""
    made = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix='.import-', dir=target))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if made:
            remove_empty(target)


def _write(path, plans, stage, limits):
    """Unpack what the plans name, and nothing else."""
    left = {parts: (place, plan.convert.get(parts)) for plan in plans for parts, place in plan.files.items()}
    for member in archive.members(path, limits):
        if member.parts not in left:
            continue
        place, convert = left.pop(member.parts)
        whole = stage / place
        whole.parent.mkdir(parents=True, exist_ok=True)
        if convert is None:
            member.save(whole)
        else:
            content = member.read(layouts.CONVERTED + 1)
            if len(content) > layouts.CONVERTED:
                raise DataError(
                    f'{path}: {member.label!r} is larger than {layouts.CONVERTED:,} bytes. Get a fresh copy.'
                )
            whole.write_bytes(convert(content))
    if left:
        raise DataError(f'{path} changed while it was read: {"/".join(next(iter(left)))} is gone. Nothing was written.')


def _checked(plan, stage, target):
    """Look at what was unpacked as the data sets will; returns the Arrival."""
    notes, counts = list(plan.notes), dict(plan.counts)
    try:
        if plan.layout == 'mnist':
            shapes = {name: layouts.read_idx(stage / 'mnist' / name) for name in layouts.DIGITS}
            for part in ('train', 't10k'):
                images, labels = (shapes[f'{part}-{what}-ubyte.gz'][0] for what in ('images-idx3', 'labels-idx1'))
                if images != labels:
                    raise DataError(f'mnist: {part} has {images:,} images and {labels:,} labels. Get a fresh copy.')
            counts = {'train': shapes[layouts.DIGITS[0]][0], 'test': shapes[layouts.DIGITS[2]][0]}
        elif plan.layout == 'tabular':
            for unit in plan.units:
                name = Path(unit).name
                rows, known = table_rows(stage / unit), layouts.TABLES[name][2]
                counts[name] = rows
                if rows != known:
                    notes.append(f'{name} has {rows:,} rows where the known file has {known:,}')
        else:
            closed = [place for place in plan.files.values() if layouts.is_image(place) and not _opens(stage / place)]
            if closed:
                some = ', '.join(closed[:5]) + (' ...' if len(closed) > 5 else '')
                notes.append(f'{len(closed):,} files do not open as images; the data sets leave them out: {some}')
    except DataError as error:
        raise DataError(str(error).replace(f'{stage}/', '')) from None
    return Arrival(plan.layout, [target / unit for unit in plan.units], counts, notes)


def _opens(path):
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', module='PIL')
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            with Image.open(path):
                return True
    except UNSOUND:
        return False


def _move_in(stage, target, units):
    """Rename the units into their places; if one cannot be, those before it go back."""
    done = []
    try:
        for unit in units:
            place, old = target / unit, stage / 'old' / unit
            place.parent.mkdir(exist_ok=True)
            if place.exists():
                old.parent.mkdir(parents=True, exist_ok=True)
                place.rename(old)
            done.append((place, old, stage / unit))
            (stage / unit).rename(place)
    except OSError:
        for place, old, new in reversed(done):
            if place.exists():
                place.rename(new)
            if old.exists():
                old.rename(place)
        raise
