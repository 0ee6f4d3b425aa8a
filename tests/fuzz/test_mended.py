"""Single files that once got through, or were answered with another error than the package's own."""

import gzip
import io
import json
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from chapters import runs
from chapters.description import find_class
from chapters.weightfiles import WeightsError, opened
from data import DataError, MnistDataset, cache, images, mnist, tables
from data.errors import shortened
from data.fetch import archive, download, import_file, inventory, layouts
from mathlib import settings
from tests.data.fetch_files import flowers, pack, tree


@pytest.fixture
def build(tmp_path, monkeypatch):
    """build/ of this test alone."""
    monkeypatch.setattr(settings, 'BUILD', tmp_path / 'build')
    return tmp_path / 'build'


@pytest.fixture
def pixels(tmp_path, build):
    """A function that loads four pictures by way of the cache."""
    pack(tmp_path / 'set', flowers(names=('daisy', 'rose')))
    files = [file for found in images.classes(tmp_path / 'set' / 'flowers').values() for file in found]
    return lambda: cache.load('flowers', tmp_path / 'set' / 'flowers', files, (8, 6)).pixels


@pytest.mark.parametrize('at', [20, 200, -1])
def test_one_bit_of_the_cached_pixels_is_missed(pixels, build, at):
    sound = np.array(pixels())
    (place,) = (build / 'cache').glob('*.npy')
    content = bytearray(place.read_bytes())
    content[at] ^= 1
    place.write_bytes(content)
    assert np.array_equal(pixels(), sound)


@pytest.mark.parametrize('change', [{'digest': 'ffffffffffff'}, {'skipped': [[1, 'gone']]}, {'crc32': 0}])
def test_changed_notes_of_the_cache_are_not_believed(pixels, build, change):
    sound = np.array(pixels())
    (place,) = (build / 'cache').glob('*.json')
    text = json.loads(place.read_text())
    place.write_text(json.dumps(text | {'notes': json.dumps(json.loads(text['notes']) | change)}))
    assert np.array_equal(pixels(), sound)
    assert json.loads(place.read_text()) == text


def test_numpy_reads_the_cache_too(pixels, build):
    sound = np.array(pixels())
    (place,) = (build / 'cache').glob('*.npy')
    assert np.array_equal(np.load(place, allow_pickle=False), sound)


def test_a_picture_that_claims_more_than_there_is_memory_for_is_left_out(tmp_path, monkeypatch):
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.jpg')

    def no_memory(image, resolution):
        raise MemoryError

    monkeypatch.setattr(images, '_small', no_memory)
    (decoded,) = images.decode_all(images.image_files(tmp_path), (8, 6))
    assert decoded.reason == 'it does not decode: it claims more pixels than there is memory for'


def test_large_pictures_are_decoded_like_others(tmp_path, monkeypatch):
    Image.effect_noise((40, 30), 90).convert('RGB').save(tmp_path / 'a.jpg')
    (sound,) = images.decode_all(images.image_files(tmp_path), (8, 6))
    monkeypatch.setattr(images, '_LARGE', 100)
    (one_by_one,) = images.decode_all(images.image_files(tmp_path), (8, 6))
    assert np.array_equal(one_by_one.pixels, sound.pixels)


def test_a_table_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, 'LARGEST', 1000)
    (tmp_path / 'a.csv').write_bytes(b'x' * 1001)
    with pytest.raises(DataError, match='a.csv is larger than 1,000 bytes'):
        tables.Table(tmp_path / 'a.csv', ('x',))


def test_a_field_of_thousands_of_letters_is_not_quoted_whole(tmp_path):
    (tmp_path / 'a.csv').write_text('a,b\n' + '\x00' * 5000 + ',1\n')
    with pytest.raises(DataError, match='line 2, column .a.: found .*expected a number') as caught:
        tables.Table(tmp_path / 'a.csv', ('a', 'b')).numbers()
    assert len(str(caught.value)) < 1000


def test_what_libraries_say_becomes_one_line():
    assert shortened('a\nb\0c') == r'a\nb\x00c'
    assert shortened('x' * 400) == 'x' * 300 + ' ...'


def test_digits_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    (tmp_path / 'mnist').mkdir()
    for name in layouts.DIGITS:
        (tmp_path / 'mnist' / name).write_bytes(gzip.compress(bytes(2000)))
    monkeypatch.setattr(settings, 'data_dir', tmp_path)
    monkeypatch.setattr(mnist, 'LARGEST', 1000)
    with pytest.raises(DataError, match='unpacks to more than 1,000 bytes'):
        MnistDataset()


def test_digits_that_announce_too_much_are_not_unpacked(tmp_path):
    (tmp_path / 'a.gz').write_bytes(gzip.compress(struct.pack('>4I', 0x803, 2**32 - 1, 28, 28)))
    with pytest.raises(DataError, match='announces 3,367,254,359,280 bytes'):
        layouts.read_idx(tmp_path / 'a.gz')


def test_a_table_in_an_archive_is_not_taken_into_memory_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, 'CONVERTED', 1000)
    row = ','.join(['M', *['0.1'] * 7, '9'])
    place = pack(tmp_path / 'a.zip', {'abalone.data': (row + '\n').encode() * 100})
    with pytest.raises(DataError, match=r"'abalone.data' is larger than 1,000 bytes"):
        import_file(place, tmp_path / 'data')
    assert set(tree(tmp_path)) == {'a.zip'}


@pytest.mark.parametrize('name', ['.', './', './/.'])
def test_a_file_without_a_name_is_refused(tmp_path, name):
    head = tarfile.TarInfo(name)
    head.type = tarfile.CONTTYPE  # by the old type a name that ends in / would be a folder's
    (tmp_path / 'a.tar').write_bytes(head.tobuf() + bytes(1024))
    with pytest.raises(DataError, match='it is a file without a name'):
        import_file(tmp_path / 'a.tar', tmp_path / 'data')


@pytest.mark.parametrize('kind', [b'x', b'g', b'L', b'K'])
def test_an_extended_header_of_a_tar_may_not_be_large(tmp_path, kind):
    info = tarfile.TarInfo('long')
    info.type, info.size = kind, archive.LONGEST + 1
    (tmp_path / 'a.tar').write_bytes(info.tobuf() + bytes(2 * archive.LONGEST))
    with pytest.raises(DataError, match='damaged or cut short .*an extended header of 1,048,577 bytes'):
        list(archive.members(tmp_path / 'a.tar'))


@pytest.mark.parametrize('text', [b'22 GNU.sparse.map=0,x,\n', b'0 path=x\n', b'19 GNU.sparse.size=x\n'])
def test_nonsense_in_an_extended_header_is_damage(tmp_path, text):
    head, data = tarfile.TarInfo('extended'), tarfile.TarInfo('a.jpg')
    head.type, head.size = b'x', len(text)
    (tmp_path / 'a.tar').write_bytes(head.tobuf() + text.ljust(512, b'\0') + data.tobuf() + bytes(1024))
    with pytest.raises(DataError, match='damaged or cut short'):
        list(archive.members(tmp_path / 'a.tar'))


def npz(path, header):
    """A .npz with one array of which only the header is there."""
    with zipfile.ZipFile(path, 'w') as packed:
        packed.writestr('a.npy', b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header)
    return path


@pytest.mark.parametrize('header', [b"{'descr': '<f4', 'shape': (", b'(((', b"{'descr': 'x"])
def test_a_broken_header_of_an_array_is_damage(tmp_path, header):
    with pytest.raises(WeightsError, match='it is damaged, cut short, or'), opened(npz(tmp_path / 'a.npz', header)):
        raise AssertionError('it was opened')


@pytest.mark.parametrize('text', ['[]', '3', '{"/x": 3}', '[' * 100_000 + ']' * 100_000, '{"/x": {"items": "many"}}'])
def test_notes_of_checks_may_be_anything(tmp_path, build, text):
    pack(tmp_path, flowers())
    (build / 'cache').mkdir(parents=True)
    (build / 'cache' / 'checks.json').write_text(text)
    (flower, *_) = inventory.take_stock(tmp_path)
    assert inventory.broken(flower) is None
    inventory.check(tmp_path, 'flowers')
    assert inventory.broken(flower) == 0


@pytest.mark.parametrize('total', ['Infinity', '[' * 100_000 + ']' * 100_000])
def test_notes_of_a_download_may_be_anything(tmp_path, total):
    (tmp_path / 'x.part').write_bytes(b'12345')
    (tmp_path / 'x.part.json').write_text(f'{{"url": "", "validator": "", "digest": "", "total": {total}}}')
    assert download._Part(tmp_path / 'x.part').load().size == 0


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (('seconds',), 'long', 'seconds should be a number'),
        (('history', 'epochs', 0, 'cost'), float('nan'), r'history\.epochs\[0\]\.cost should be a number'),
        (('history', 'settings', 'epoch_count'), 0, 'epoch_count should be at least 1'),
        (('dataset', 'rows'), 3, 'dataset.rows should be a list'),
        (('configuration',), [['conv', 3]], 'configuration should be layers'),
        (('published', 0, 'accuracy'), None, r'published\[0\]\.accuracy should be a list'),
        (('changes',), ['\ud800'], r'changes\[0\] should be a text'),
    ],
)
def test_a_record_with_a_wrong_value_is_named_with_its_place(tmp_path, path, value, message):
    record = json.loads((runs.STORED / 'ch05_flowers_model_2-real-seed1.json').read_text(encoding='utf-8'))
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / 'ch.json').write_text(json.dumps(record))
    with pytest.raises(runs.RunError, match=message):
        runs.load(tmp_path)


def test_every_stored_record_is_one():
    assert len(runs.load(runs.STORED)) > 50


def test_a_record_too_deep_to_read_is_named(tmp_path):
    (tmp_path / 'ch.json').write_text('[' * 100_000 + ']' * 100_000)
    with pytest.raises(runs.RunError, match='is not a record of a run'):
        runs.load(tmp_path)


@pytest.mark.parametrize('name', ['\ud800', 'Net' * 5000])
def test_the_class_that_a_file_names_can_be_shown_whatever_it_is(name):
    with pytest.raises(WeightsError, match='which is no class of this book') as caught:
        find_class('a file', {'class': name, 'options': {}}, None)
    assert len(str(caught.value).encode()) < 1000


def test_a_picture_inside_an_archive_may_be_anything(tmp_path):
    broken = io.BytesIO()
    Image.new('RGB', (8, 8)).save(broken, 'TIFF')
    spoilt = broken.getvalue()[:60] + bytes(200)
    files = flowers() | {'flowers/rose/3.jpg': spoilt}
    (arrival,) = import_file(pack(tmp_path / 'a.zip', files), tmp_path / 'data')
    assert arrival.counts['rose'] == 3
