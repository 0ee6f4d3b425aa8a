"""Readers of pictures, tables, digits, archives, and of what the package notes down about them."""

import functools
import io
import json

import numpy as np
from PIL import Image

from data import MnistDataset, cache, images, location, pictures, tables
from data.fetch import download, import_file, inventory
from mathlib import settings
from tests.data.fetch_files import flowers, pack
from tests.fuzz import mutations as spoil
from tests.fuzz.cases import building, data_folder

CLASSES = ('daisy', 'rose')
TABLES = {
    'abalone.csv': tables.AbaloneDataset,
    'pulsar_stars.csv': tables.PulsarDataset,
    'faults.csv': tables.SteelDataset,
}
ROWS = 40  # of a table or of MNIST, so that an input is small
LEFT_ALONE = 50_000  # bytes: larger photos of the real data are no seeds


def picture_seeds(root):
    photos = [path for path in sorted((root / 'flowers').rglob('*.jpg')) if path.stat().st_size < LEFT_ALONE][:40:20]
    seeds = {f'{number}.jpg': path.read_bytes() for number, path in enumerate(photos)}
    image = Image.open(io.BytesIO(next(iter(seeds.values())))).resize((60, 45))
    exif = Image.Exif()
    exif[0x0112] = 6
    with_alpha = image.convert('RGBA')
    with_alpha.putalpha(image.convert('L'))
    forms = {
        'turned.jpg': (image, 'JPEG', {'exif': exif}),
        'steps.jpg': (image, 'JPEG', {'progressive': True}),
        'ink.jpg': (image.convert('CMYK'), 'JPEG', {}),
        'plain.png': (image, 'PNG', {}),
        'alpha.png': (with_alpha, 'PNG', {}),
        'palette.png': (image.quantize(16), 'PNG', {}),
        'deep.png': (Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)), 'PNG', {}),
        'moving.gif': (image.quantize(16), 'GIF', {'save_all': True, 'append_images': [image.quantize(8)]}),
        'plain.bmp': (image, 'BMP', {}),
        'strips.tif': (image, 'TIFF', {'compression': 'tiff_lzw'}),
        'plain.webp': (image, 'WEBP', {}),
        'letter.eps': (image, 'EPS', {}),
    }
    for name, (picture, form, options) in forms.items():
        file = io.BytesIO()
        picture.save(file, form, **options)
        seeds[name] = file.getvalue()
    return seeds


def spoil_picture(content, random):
    return (spoil.in_png if content[:4] == b'\x89PNG' else spoil.damaged)(content, random)


def claim_size(content, random):
    """A picture whose header claims other sides, from none to more than there is memory for."""
    sides = [random.choice((0, 1, 255, 4000, 9000, 9400, 30_000, 65_535)) for _ in range(2)]
    if content[:4] == b'\x89PNG':
        pair = b''.join(side.to_bytes(4, 'big') for side in sides)
        changed = content[:16] + pair + content[24:29]
        return changed + spoil.zlib.crc32(changed[12:29]).to_bytes(4, 'big') + content[33:]
    for marker in (b'\xff\xc0', b'\xff\xc2'):
        at = content.find(marker)
        if at >= 0:
            pair = b''.join(side.to_bytes(2, 'big') for side in sides)
            return content[: at + 5] + pair + content[at + 9 :]
    return spoil.extreme(content, random)


def read_picture(case):
    prepared = pictures.prepare('inception', case.path)
    assert prepared.shape == (1, 299, 299, 3)
    assert np.isfinite(prepared).all()
    return True


def read_photos(case):
    status = case.path.stat()
    files = [images.ImageFile(case.path, status.st_size, status.st_mtime_ns)] * 2
    for decoded in images.decode_all(files, (20, 10)):
        decoded.reason.encode()
        assert (decoded.pixels is None) == bool(decoded.reason)
        if decoded.pixels is not None:
            assert (decoded.pixels.shape, decoded.pixels.dtype) == ((10, 20, 3), np.uint8)
    return decoded.pixels is not None


def table_seeds(root):
    return {
        name: b''.join((root / 'tabular' / name).read_bytes().splitlines(keepends=True)[: ROWS + 1]) for name in TABLES
    }


def read_table(case):
    place = case.folder / 'tabular'
    place.mkdir()
    case.path.rename(place / case.seed)
    with data_folder(case.folder):
        dataset = TABLES[case.seed]()
    assert len(dataset.tr_xs) == len(dataset.tr_ys) > 0
    assert all(np.isfinite(array).all() for array in (dataset.tr_xs, dataset.tr_ys, dataset.te_xs, dataset.te_ys))
    return True


@functools.cache
def digit_seeds(root):
    seeds = {}
    for path in sorted((root / 'mnist').glob('*.gz')):
        whole = spoil.gzip.decompress(path.read_bytes())
        start, size = (16, 784) if 'images' in path.name else (8, 1)
        short = whole[:4] + ROWS.to_bytes(4, 'big') + whole[8 : start + ROWS * size]
        seeds[path.name] = spoil.gzip.compress(short, 1, mtime=0)
    return seeds


def read_digits(case):
    place = case.folder / 'mnist'
    place.mkdir()
    for name, content in digit_seeds(case.root).items():
        (place / name).write_bytes(content)
    case.path.replace(place / case.seed)
    with data_folder(case.folder):
        dataset = MnistDataset()
    assert dataset.tr_xs[:].shape == (len(dataset.tr_ys), 28, 28, 1)
    assert (dataset.te_ys.sum(axis=1) == 1).all()
    return True


def archive_seeds(root):
    tables_too = {f'tables/{name}': content for name, content in table_seeds(root).items()}
    digits_too = {f'mnist/{name}': content for name, content in digit_seeds(root).items()}
    plain = {f'raw/{name[:-3]}': spoil.gzip.decompress(content) for name, content in digit_seeds(root).items()}
    place = settings.BUILD / 'archives'
    place.mkdir(parents=True, exist_ok=True)
    packings = {'stored': 0, 'deflate': 8, 'bzip2': 12, 'lzma': 14}
    made = [pack(place / f'{name}.zip', flowers() | tables_too, packing=kind) for name, kind in packings.items()]
    made += [pack(place / 'digits.zip', digits_too, packing=8), pack(place / 'raw.tgz', plain)]
    made += [pack(place / 'all.tar', flowers() | digits_too), pack(place / 'all.tgz', flowers() | tables_too)]
    seeds = {path.name: path.read_bytes() for path in made}
    return seeds | dict(list(digit_seeds(root).items())[:1]) | table_seeds(root)


def spoil_archive(content, random):
    if content[:2] == b'PK':
        return random.choice((spoil.in_zip, spoil.in_zip, spoil.zip_bomb))(content, random)
    if content[:2] == b'\x1f\x8b' and spoil.gzip.decompress(content)[:4] in (b'\0\0\x08\3', b'\0\0\x08\1'):
        return random.choice((spoil.in_gzip, spoil.gzip_bomb))(content, random)
    if content[:2] == b'\x1f\x8b' or content[257:262] == b'ustar':
        return random.choice((spoil.in_tar, spoil.in_tar, spoil.tar_extensions))(content, random)
    return spoil.number(content, random)


def read_archive(case):
    target = case.folder / 'data'
    target.mkdir()
    try:
        arrivals = import_file(case.path, target)
    except BaseException:
        assert list(target.iterdir()) == [], 'a refused archive left something behind'
        raise
    assert {path.name for path in target.iterdir()} <= set(location.NAMES)
    for arrival in arrivals:
        for text in (arrival.layout, *arrival.notes, *arrival.counts):
            assert '\n' not in text
    for name in location.NAMES:
        if (target / name).is_dir():
            inventory.check(target, name)
    return True


def cache_seeds(root):
    place = settings.BUILD / 'few'
    pack(place, flowers(names=CLASSES))
    with building(settings.BUILD / 'cached'):
        pixels, kept = cached(place)
        assert len(kept) == 4
        return {path.suffix: path.read_bytes() for path in location.cache_folder().iterdir()} | {'sound': pixels}


def cached(place):
    files = [file for found in images.classes(place / 'flowers').values() for file in found]
    found = cache.load('flowers', place / 'flowers', files, (8, 6))
    return found.pixels.tobytes(), found.kept


def read_cache(case):
    place = settings.BUILD / 'few'
    sound, kept = cached(place)
    spoilt = next(path for path in location.cache_folder().iterdir() if path.suffix == case.seed)
    spoilt.write_bytes(case.path.read_bytes())
    pixels, kept_now = cached(place)
    assert len(pixels) == len(sound)
    same = pixels == sound and np.array_equal(kept, kept_now)
    assert same, 'pixels or rows came back that are not those of the pictures'
    return True


def spoil_cache(content, random):
    return (spoil.in_json if content[:1] == b'{' else spoil.damaged)(content, random)


def note_seeds(root):
    part = {'url': 'http://localhost/x', 'validator': '"a"', 'total': 10, 'digest': ''}
    checks = {'/data/flowers': {'items': 3, 'size': 5, 'broken': 1}}
    return {'x.part.json': json.dumps(part).encode(), 'checks.json': json.dumps(checks).encode()}


def read_note(case):
    if case.seed == 'x.part.json':
        (case.folder / 'x.part').write_bytes(b'12345')
        case.path.rename(case.folder / 'x.part.json')
        return download._Part(case.folder / 'x.part').load().size == 5
    location.cache_folder().mkdir(parents=True, exist_ok=True)
    case.path.replace(location.cache_folder() / 'checks.json')
    stock = inventory.take_stock(settings.BUILD / 'few')
    inventory.check(settings.BUILD / 'few', 'flowers')
    return inventory.broken(inventory.take_stock(settings.BUILD / 'few')[0]) is not None and bool(stock)
