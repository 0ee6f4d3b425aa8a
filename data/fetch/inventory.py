"""What is there, and what of it is broken: `python -m data list` and `python -m data check`."""

import contextlib
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from data import images, location, tables
from data.errors import DataError
from data.fetch import layouts

SETS = ('flowers', 'office31', 'mnist', 'tabular')
_KINDS = {
    'abalone.csv': tables.AbaloneDataset,
    'pulsar_stars.csv': tables.PulsarDataset,
    'faults.csv': tables.SteelDataset,
}
_SMALL = (8, 8)  # every pixel is decoded; none is wanted
_EXAMPLES = 5


@dataclass
class Holding:
    """One set of a data folder: where, counts by class (images or rows; none where it is absent), bytes."""

    name: str
    place: Path
    counts: dict[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def items(self):
        return sum(self.counts.values())


@dataclass
class Report:
    """What a check found: files looked at, errors (name and reason), and notes, which are no errors."""

    name: str
    files: int = 0
    items: int = 0
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table_rows(path):
    """The rows of a table, each field read as its data set reads it. DataError says where one is wrong."""
    kind = _KINDS[path.name]
    table = tables.Table(path, layouts.TABLES[path.name][0])
    kind.split_columns(table)
    return len(table.rows)


def pictures(root, name):
    """{class folder: files} of the 'flowers' or 'office31' under a data folder, as the data sets list them."""
    place = Path(root, name)
    folders = images.subfolders(place)
    if name == 'office31':
        domains = [folder / 'images' for folder in folders]
        folders = [folder for domain in domains if domain.is_dir() for folder in images.subfolders(domain)]
    found = {str(folder.relative_to(place)): images.image_files(folder) for folder in folders}
    return {kind: files for kind, files in found.items() if files}


def take_stock(root):
    """The Holdings of a data folder, all of SETS, without reading the files' content but for the tables' lines."""
    return [_holding(Path(root), name) for name in SETS]


def _holding(root, name):
    holding = Holding(name, root / name)
    if name in ('flowers', 'office31'):
        for kind, files in (pictures(root, name) if holding.place.is_dir() else {}).items():
            key = kind.split('/')[0]
            holding.counts[key] = holding.counts.get(key, 0) + len(files)
            holding.size += sum(file.size for file in files)
        return holding
    names = layouts.DIGITS if name == 'mnist' else tuple(layouts.TABLES)
    for path in (root / name / file for file in names):
        if not path.is_file():
            continue
        holding.size += path.stat().st_size
        if name == 'tabular':
            with path.open('rb') as file:
                holding.counts[path.stem] = max(0, sum(1 for line in file if line.strip()) - 1)
        elif 'labels' in path.name:
            part = 'train' if path.name.startswith('train') else 'test'
            holding.counts[part] = max(0, _gzip_length(path) - 8)
    return holding


def _gzip_length(path):
    """The unpacked length that the last four bytes of a gzip file note."""
    with path.open('rb') as file:
        if path.stat().st_size < 18:
            return 0
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), 'little')


def check(root, name):
    """Decode every image, read every row and every digit of one set. Returns a Report; DataError where it is absent."""
    root = Path(root)
    if not (root / name).is_dir():
        raise DataError(f'{root} holds no {name}. Get it with "python -m data fetch {name}", or import an archive.')
    report = {'mnist': _check_mnist, 'tabular': _check_tabular}.get(name, _check_images)(root, name)
    _remember(_holding(root, name), len(report.errors))
    return report


def _memory():
    return location.cache_folder() / 'checks.json'


def _recall():
    """The numbers of broken files that earlier checks found, by folder."""
    try:
        known = json.loads(_memory().read_text(encoding='utf-8'))
        return {place: dict(found) for place, found in known.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}  # only a convenience: what it knew is found again by the next check


def _remember(holding, broken):
    known = _recall() | {str(holding.place): {'items': holding.items, 'size': holding.size, 'broken': broken}}
    with contextlib.suppress(OSError):  # a convenience of `list`; a read-only checkout can be checked all the same
        _memory().parent.mkdir(parents=True, exist_ok=True)
        _memory().write_text(json.dumps(known, indent=1), encoding='utf-8')


def broken(holding):
    """How many broken files the last check of this set found; None where it was not checked, or has changed since."""
    known = _recall().get(str(holding.place), {})
    same = (known.get('items'), known.get('size')) == (holding.items, holding.size)
    return known.get('broken') if same else None


def _check_images(root, name):
    report, same, sound = Report(name), defaultdict(list), set()
    files = [(kind, file) for kind, files in pictures(root, name).items() for file in files]
    decoded = images.decode_all([file for _, file in files], _SMALL)
    for (kind, file), picture in zip(files, decoded, strict=True):
        report.files += 1
        label = str(file.path.relative_to(root))
        if picture.reason:
            report.errors.append(f'{label}: {picture.reason}')
            continue
        report.items += 1
        sound.add(kind)
        same[picture.sha256].append(label)
    wanted = layouts.FLOWERS
    if name == 'office31':
        wanted = [f'{domain}/images/{kind}' for domain in layouts.DOMAINS for kind in layouts.CATEGORIES]
    report.errors += [f'{name}/{kind}: no picture that can be read' for kind in wanted if kind not in sound]
    report.notes += _repeated(same.values())
    return report


def _repeated(groups):
    """Notes on pictures that are there more than once: each that has two answers, and examples of the others."""
    groups = [labels for labels in groups if len(labels) > 1]
    across = [labels for labels in groups if len({str(Path(label).parent) for label in labels}) > 1]
    within = [labels for labels in groups if labels not in across]
    notes = [f'the same picture under two classes: {" = ".join(labels)}' for labels in across]
    notes += [f'the same picture twice in its class: {" = ".join(labels)}' for labels in within[:_EXAMPLES]]
    if len(within) > _EXAMPLES:
        notes.append(f'and {len(within) - _EXAMPLES:,} more pictures that their class holds twice or more')
    return notes


def _check_mnist(root, name):
    report, shapes = Report(name), {}
    for file in layouts.DIGITS:
        report.files += 1
        try:
            shapes[file] = layouts.read_idx(root / name / file)
        except DataError as error:
            report.errors.append(str(error))
    for part in ('train', 't10k'):
        images, labels = (shapes.get(f'{part}-{what}-ubyte.gz', (0,)) for what in ('images-idx3', 'labels-idx1'))
        report.items += images[0]
        if images[0] != labels[0]:
            report.errors.append(f'{name}: {part} has {images[0]:,} images and {labels[0]:,} labels')
    return report


def _check_tabular(root, name):
    report = Report(name)
    for file, (_, _, known) in layouts.TABLES.items():
        path = root / name / file
        if not path.is_file():
            report.notes.append(f'{name}/{file} is not there: "python -m data fetch tabular" brings it')
            continue
        report.files += 1
        try:
            rows = table_rows(path)
        except DataError as error:
            report.errors.append(str(error))
            continue
        report.items += rows
        if rows != known:
            report.notes.append(f'{name}/{file} has {rows:,} rows where the known file has {known:,}')
    return report
