"""Which of the book's data sets an archive holds, told by what is inside, and where each file then belongs.

A recogniser looks at the list of files (names and first bytes) and returns a Plan, or None where its set is not there.
"""

import gzip
import math
import re
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from data import mnist as mnist_files
from data import tables
from data.errors import DataError
from data.tables import ABALONE, PULSAR, STEEL

HEAD = 4096
CONVERTED = max(tables.LARGEST, mnist_files.LARGEST)
FLOWERS = ('daisy', 'dandelion', 'rose', 'sunflower', 'tulip')
DOMAINS = ('amazon', 'dslr', 'webcam')
CATEGORIES = tuple(
    ' '.join(
        (
            'back_pack bike bike_helmet bookcase bottle calculator desk_chair desk_lamp desktop_computer file_cabinet',
            'headphones keyboard laptop_computer letter_tray mobile_phone monitor mouse mug paper_notebook pen phone',
            'printer projector punchers ring_binder ruler scissors speaker stapler tape_dispenser trash_can',
        )
    ).split()
)
DIGITS = tuple(f'{part}-{what}.gz' for part in ('train', 't10k') for what in ('images-idx3-ubyte', 'labels-idx1-ubyte'))
# As the files of Kaggle have it, the header of the pulsars holds a space before each name but the last.
TABLES = {
    'abalone.csv': (ABALONE, ','.join(ABALONE), 4177),
    'pulsar_stars.csv': (PULSAR, ' ' + ', '.join(PULSAR[:-1]) + ',' + PULSAR[-1], 17_898),
    'faults.csv': (STEEL, ','.join(STEEL), 1941),
}


@dataclass(frozen=True)
class Found:
    """A file in an archive: the parts of its name, and its first bytes (none for what is named as a picture)."""

    parts: tuple[str, ...]
    head: bytes = b''

    @property
    def label(self):
        return '/'.join(self.parts)


@dataclass
class Plan:
    """Where the files of one set belong.

    files   the parts of a member's name -> its place under the data folder, as text with slashes
    convert the same parts -> a function from the member's bytes to the bytes to write, where they differ; such files,
            of at most CONVERTED bytes, are in memory while they are written
    units   what is replaced as a whole: the set's folder, or single files
    counts  number of images by class, as they are told to the reader
    notes   what was left out, and why
    """

    layout: str
    files: dict[tuple, str] = field(default_factory=dict)
    convert: dict[tuple, Callable[[bytes], bytes]] = field(default_factory=dict)
    units: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def is_image(name):
    """Whether the name is one that the data sets read: *.jpg or *.jpeg."""
    return name.lower().endswith(('.jpg', '.jpeg'))


def is_junk(parts):
    """Whether a file is a system's own (macOS forks, thumbnails) and not the archive's content."""
    return any(part == '__MACOSX' or part.startswith(('._', '.')) or part == 'Thumbs.db' for part in parts)


def _choose(layout, places, wanted):
    """The place (a folder in the archive) that holds the whole set; what lies elsewhere becomes a note.

    places  folder -> {class: files}; wanted: the classes that the set must have.
    Returns (folder, notes), or None where no folder holds at least half of the classes.
    """
    likely = {place: found for place, found in places.items() if 2 * len(found) > len(wanted)}
    if not likely:
        return None
    first, *others = sorted(likely, key=lambda place: (len(place), place))
    missing = [name for name in wanted if name not in likely[first]]
    if missing:
        some = ', '.join(missing[:5]) + (f' and {len(missing) - 5} more' if len(missing) > 5 else '')
        raise DataError(f'{layout}: the folder {_show(first)} holds no images of {some}.')
    names = {(kind, parts[-1]) for kind, files in likely[first].items() for parts in files}
    notes = []
    for other in others:
        if len(other) == len(first):
            raise DataError(
                f'{layout}: both {_show(first)} and {_show(other)} hold the set. Unpack one of them and import it.'
            )
        pictures = [(kind, parts[-1]) for kind, files in likely[other].items() for parts in files]
        new = sum(picture not in names for picture in pictures)
        what = 'a nested copy' if not new else f'a nested folder ({new:,} of the names occur only there)'
        notes.append(f'left out {what}: {len(pictures):,} images under {_show(other)}')
    return first, notes


def _show(place):
    return '/'.join(place) + '/' if place else 'the top'


def _add_images(plan, kind, files, folder):
    for parts in files:
        plan.files[parts] = f'{folder}/{parts[-1]}'
    plan.counts[kind] += len(files)


def flowers(found):
    """flowers/<class>/*.jpg: Kaggle's set (its nested copy left out), or TensorFlow's, whose class names are plural."""
    singular = {name: name for name in FLOWERS} | {name + 's': name for name in FLOWERS}
    places = defaultdict(lambda: defaultdict(list))
    for file in found:
        if len(file.parts) > 1 and is_image(file.parts[-1]) and file.parts[-2].lower() in singular:
            places[file.parts[:-2]][singular[file.parts[-2].lower()]].append(file.parts)
    chosen = _choose('flowers', places, FLOWERS)
    if chosen is None:
        return None
    place, notes = chosen
    plan = Plan('flowers', units=['flowers'], notes=notes)
    for kind in FLOWERS:
        _add_images(plan, kind, places[place][kind], f'flowers/{kind}')
    licence = (*place, 'LICENSE.txt')
    if any(file.parts == licence for file in found):
        plan.files[licence] = 'flowers/LICENSE.txt'
    beside = Counter(
        file.parts[len(place)]
        for file in found
        if file.parts[: len(place)] == place and len(file.parts) == len(place) + 2 and is_image(file.parts[-1])
    )
    for name in sorted(beside):
        if name.lower() not in singular:
            plan.notes.append(f'left out {beside[name]:,} images of {name!r}, which is none of the five classes')
    return plan


def office31(found):
    """office31/<domain>/images/<category>/*.jpg, from archives with or without a folder around them or 'images'."""
    places = defaultdict(lambda: defaultdict(list))
    for file in found:
        *above, kind, name = file.parts if len(file.parts) > 1 else ('', '')
        if above and above[-1] == 'images':
            above.pop()
        if above and is_image(name) and above[-1].lower() in DOMAINS and kind in CATEGORIES:
            places[tuple(above[:-1])][f'{above[-1].lower()}/images/{kind}'].append(file.parts)
    wanted = [f'{domain}/images/{kind}' for domain in DOMAINS for kind in CATEGORIES]
    chosen = _choose('office31', places, wanted)
    if chosen is None:
        return None
    place, notes = chosen
    plan = Plan('office31', units=['office31'], notes=notes)
    for folder in wanted:
        _add_images(plan, folder.split('/')[0], places[place][folder], f'office31/{folder}')
    return plan


def _idx_head(head):
    """The dimensions that the first bytes of an IDX file (packed or not) announce, and whether it is packed."""
    packed = head[:2] == b'\x1f\x8b'
    if packed:
        try:
            head = zlib.decompressobj(31).decompress(head, 16)
        except zlib.error:
            return None, packed
    if head[:4] == b'\0\0\x08\x03' and len(head) >= 16:
        return struct.unpack('>3I', head[4:16]), packed
    if head[:4] == b'\0\0\x08\x01' and len(head) >= 8:
        return struct.unpack('>I', head[4:8]), packed
    return None, packed


def mnist(found):
    """mnist/*.gz: the four IDX files, packed or not; train and test are told by their names, else by their counts."""
    plan, taken = Plan('mnist', units=['mnist']), {}
    for file in found:
        shape, packed = _idx_head(file.head)
        if shape is None or shape[1:] not in ((), (28, 28)) or shape[0] > 1_000_000:
            continue
        name = file.parts[-1].lower()
        tests = 't10k' in name or 'test' in name or ('train' not in name and shape[0] == 10_000)
        part = 't10k' if tests else 'train'
        target = f'{part}-{"images-idx3" if shape[1:] else "labels-idx1"}-ubyte.gz'
        if target in taken:
            raise DataError(f'mnist: both {taken[target]} and {file.label} hold {target}. Keep one of them.')
        taken[target] = file.label
        plan.files[file.parts] = f'mnist/{target}'
        plan.counts[target] = shape[0]
        if not packed:
            plan.convert[file.parts] = _pack
    missing = [name for name in DIGITS if name not in taken]
    if taken and missing:
        raise DataError(f'mnist: {", ".join(missing)} missing. Put the four files into one folder and import that.')
    return plan if taken else None


def _pack(content):
    return gzip.compress(content, mtime=0)


def read_idx(path):
    """The shape of a packed IDX file, read to its end in pieces. DataError where it does not hold what it announces."""
    try:
        with gzip.open(path, 'rb') as file:
            head = file.read(4)
            count = head[3] if head[:3] == b'\0\0\x08' else 0
            if count not in (1, 3):
                raise DataError(f'{path} is no IDX file: it starts with {head.hex() or "nothing"}.')
            shape = struct.unpack(f'>{count}I', file.read(4 * count))
            size = math.prod(shape)
            if size > mnist_files.LARGEST:
                raise DataError(f'{path} announces {size:,} bytes, and MNIST has 47 million. Get a fresh copy.')
            found = 0
            while found <= size and (block := file.read(1024 * 1024)):
                found += len(block)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f'{path} does not unpack ({error}).') from None
    if found != size:
        raise DataError(f'{path} announces {size:,} bytes of {"x".join(map(str, shape))} and holds {found:,}.')
    return shape


def _fields(line):
    return [text.strip().strip('"') for text in (line.split(',') if ',' in line else line.split())]


def _same(names):
    return [re.sub('[^a-z0-9]', '', name.lower()) for name in names]


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _which_table(head):
    """The name of the table whose first bytes these are, and whether its header is there as it should be; or None."""
    line, end, _ = head.decode('utf-8-sig', 'replace').partition('\n')
    fields = _fields(line)
    for name, (columns, _, _) in TABLES.items():
        if _same(fields) == _same(columns):
            return name, fields == [column.strip() for column in columns]
    if end and len(fields) == len(ABALONE) and fields[0] in ('M', 'F', 'I'):
        return 'abalone.csv', False
    if end and all(map(_is_number, fields)):
        if len(fields) == len(PULSAR) and fields[-1] in ('0', '1'):
            return 'pulsar_stars.csv', False
        if len(fields) == len(STEEL):
            return 'faults.csv', False
    return None, False


def tabular(found):
    """tabular/*.csv: the tables with the header of the book's files, from CSV or from UCI's files without a header."""
    plan, taken = Plan('tabular'), {}
    for file in found:
        name, ready = _which_table(file.head)
        if name is None:
            continue
        if name in taken:
            raise DataError(f'tabular: both {taken[name]} and {file.label} hold {name}. Keep one of them.')
        taken[name] = file.label
        unit = f'tabular/{name}'
        plan.units.append(unit)
        plan.files[file.parts] = unit
        if not ready:
            plan.convert[file.parts] = _table_maker(name, file.label)
    return plan if taken else None


def _table_maker(name, label):
    columns, line, _ = TABLES[name]

    def make(content):
        try:
            lines = content.decode('utf-8-sig').splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f'{label} is not UTF-8 text ({error}).') from None
        rows = [line]
        for number, text in enumerate(lines, 1):
            fields = _fields(text)
            if not fields or _same(fields) == _same(columns):
                continue
            if len(fields) != len(columns):
                raise DataError(f'{label}, line {number}: {len(fields)} fields, expected {len(columns)}.')
            rows.append(','.join(fields))
        return ('\n'.join(rows) + '\n').encode()

    return make


RECOGNISERS = (flowers, office31, mnist, tabular)


def recognise(found, only=None):
    """The Plans for what is there, of the set `only` where one is named. An archive may hold several sets."""
    kept = [file for file in found if not is_junk(file.parts)]
    plans = [make(kept) for make in RECOGNISERS if only in (None, make.__name__)]
    return [plan for plan in plans if plan is not None]
