"""Every archive a reader may have, and the exact files that it becomes."""

import gzip
import struct

import numpy as np
import pytest

from data.errors import DataError
from data.fetch import fetch, import_file, layouts
from data.fetch.sources import SOURCES, Download, Origin, Source
from data.tables import ABALONE, PULSAR, STEEL
from tests.data import fetch_server as web
from tests.data.fetch_files import flowers, pack, picture, tree


def office(pattern):
    """Names by a pattern of domain and kind, and where each picture belongs."""
    places = [(domain, kind) for domain in layouts.DOMAINS for kind in layouts.CATEGORIES]
    names = {pattern.format(*place): picture(n) for n, place in enumerate(places)}
    wanted = {
        'office31/{}/images/{}/frame_0001.jpg'.format(*place): content
        for place, content in zip(places, names.values(), strict=True)
    }
    return names, wanted


def idx(values):
    values = np.asarray(values, np.uint8)
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f'>{values.ndim}I', *values.shape) + values.tobytes()


def digits():
    rng = np.random.default_rng(5)
    return {
        f'{part}-{what}': idx(rng.integers(0, 10, shape))
        for part, count in (('train', 30), ('t10k', 10))
        for what, shape in (('images-idx3-ubyte', (count, 28, 28)), ('labels-idx1-ubyte', (count,)))
    }


@pytest.mark.parametrize('suffix', ['.zip', '.tar', '.tgz', ''])
def test_the_kaggle_flowers_without_their_nested_copy(tmp_path, suffix):
    files = flowers('flowers/') | flowers('flowers/flowers/')
    (arrival,) = import_file(pack(tmp_path / f'archive{suffix}', files), tmp_path / 'data')
    assert tree(tmp_path / 'data') == flowers('flowers/')
    assert arrival.counts == dict.fromkeys(layouts.FLOWERS, 2)
    assert arrival.places == [tmp_path / 'data' / 'flowers']
    assert arrival.notes == ['left out a nested copy: 10 images under flowers/flowers/']


def test_a_nested_folder_with_other_pictures_is_told_apart_from_a_copy(tmp_path):
    files = flowers('flowers/') | flowers('flowers/flowers/') | {'flowers/flowers/rose/new.jpg': picture(1)}
    (arrival,) = import_file(pack(tmp_path / 'a.zip', files), tmp_path / 'data')
    assert tree(tmp_path / 'data') == flowers('flowers/')
    assert arrival.notes == [
        'left out a nested folder (1 of the names occur only there): 11 images under flowers/flowers/'
    ]


def test_the_flowers_of_tensorflow_get_their_singular_names(tmp_path):
    files = flowers('flower_photos/', ('daisy', 'dandelion', 'roses', 'sunflowers', 'tulips'))
    files |= {'flower_photos/LICENSE.txt': b'CC-BY', 'flower_photos/notes.txt': b'x', 'flower_photos/._x.jpg': b'x'}
    import_file(pack(tmp_path / 'flower_photos.tgz', files), tmp_path / 'data')
    assert tree(tmp_path / 'data') == flowers('flowers/') | {'flowers/LICENSE.txt': b'CC-BY'}


def test_a_sixth_class_and_files_of_the_system_are_left_out(tmp_path):
    files = flowers('') | {'iris/1.jpg': picture(3), '__MACOSX/rose/._1.jpg': b'x', 'rose/Thumbs.db': b'x'}
    (arrival,) = import_file(pack(tmp_path / 'a.zip', files), tmp_path / 'data')
    assert tree(tmp_path / 'data') == flowers('flowers/')
    assert arrival.notes == ["left out 1 images of 'iris', which is none of the five classes"]


def test_files_that_are_no_images_are_named(tmp_path):
    files = flowers('') | {'rose/bad.jpg': b'this is text'}
    (arrival,) = import_file(pack(tmp_path / 'a.zip', files), tmp_path / 'data')
    assert arrival.notes == ['1 files do not open as images; the data sets leave them out: flowers/rose/bad.jpg']


def test_a_missing_class_is_an_error(tmp_path):
    with pytest.raises(DataError, match='flowers: the folder flowers/ holds no images of rose, tulip'):
        import_file(
            pack(tmp_path / 'a.zip', flowers('flowers/', ('daisy', 'dandelion', 'sunflower'))), tmp_path / 'data'
        )
    assert not (tmp_path / 'data').exists()


def test_two_sets_side_by_side_are_an_error(tmp_path):
    with pytest.raises(DataError, match='both test/ and train/ hold the set'):
        import_file(pack(tmp_path / 'a.zip', flowers('train/') | flowers('test/')), tmp_path / 'data')


@pytest.mark.parametrize(
    'pattern',
    [
        '{}/images/{}/frame_0001.jpg',
        './{}/images/{}/frame_0001.jpg',
        'domain_adaptation_images/{}/images/{}/frame_0001.jpg',
        'Office-31/{}/{}/frame_0001.jpg',
    ],
)
def test_office31_with_or_without_a_folder_around(tmp_path, pattern):
    files, wanted = office(pattern)
    (arrival,) = import_file(pack(tmp_path / 'domain_adaptation_images.tgz', files), tmp_path / 'data')
    assert tree(tmp_path / 'data') == wanted
    assert arrival.counts == dict.fromkeys(layouts.DOMAINS, 31)


def test_office31_lacking_categories_is_an_error(tmp_path):
    files = {name: content for name, content in office('{}/images/{}/1.jpg')[0].items() if '/mug/' not in name}
    with pytest.raises(DataError, match='no images of amazon/images/mug, dslr/images/mug, webcam/images/mug'):
        import_file(pack(tmp_path / 'a.zip', files), tmp_path / 'data')


@pytest.mark.parametrize('packed', [True, False])
def test_mnist_packed_or_not(tmp_path, packed):
    files = {f'raw/{name}.gz': gzip.compress(content) for name, content in digits().items()}
    if not packed:
        files = {f'raw/{name.replace("-idx", ".idx")}': content for name, content in digits().items()}
    (arrival,) = import_file(pack(tmp_path / 'mnist.zip', files), tmp_path / 'data')
    written = {name: gzip.decompress(content) for name, content in tree(tmp_path / 'data').items()}
    assert written == {f'mnist/{name}.gz': content for name, content in digits().items()}
    assert arrival.counts == {'train': 30, 'test': 10}


def test_mnist_with_a_missing_a_cut_or_a_foreign_file_is_an_error(tmp_path):
    good = {f'{name}.gz': gzip.compress(content) for name, content in digits().items()}
    labels = 'train-labels-idx1-ubyte.gz'
    wrong = {
        f'{labels} missing': {name: content for name, content in good.items() if name != labels},
        'mnist/train-labels-idx1-ubyte.gz does not unpack': good | {labels: good[labels][:-9]},
        'announces 30 bytes of 30 and holds 29': good | {labels: gzip.compress(digits()[labels[:-3]][:-1])},
        'train has 30 images and 20 labels': good | {labels: gzip.compress(idx([1] * 20))},
    }
    for number, (match, files) in enumerate(wrong.items()):
        with pytest.raises(DataError, match=match) as caught:
            import_file(pack(tmp_path / f'{number}.zip', files), tmp_path / 'data')
        assert '.import-' not in str(caught.value)
        assert not (tmp_path / 'data').exists()


ROWS = {
    'abalone.csv': ['M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15', 'I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7'],
    'pulsar_stars.csv': ['140.5,55.6,-0.23,-0.69,3.19,19.1,7.97,74.2,0', '102.5,58.8,0.46,-0.5,1.67,14.8,10.5,127.3,1'],
    'faults.csv': [','.join(['1.5'] * 27 + ['0', '1', '0', '0', '0', '0', '0'])] * 2,
}
HEADERS = {
    'abalone.csv': ','.join(ABALONE),
    'pulsar_stars.csv': ' ' + ', '.join(PULSAR[:-1]) + ',target_class',
    'faults.csv': ','.join(STEEL),
}
WANTED = {f'tabular/{name}': '\n'.join([HEADERS[name], *ROWS[name], '']).encode() for name in ROWS}


def test_the_files_of_uci_become_the_tables_of_the_book(tmp_path):
    files = {
        'abalone.data': '\n'.join(ROWS['abalone.csv']),
        'abalone.names': 'the abalone of Tasmania',
        'Index': 'Index of abalone',
        'HTRU_2.csv': '\r\n'.join(ROWS['pulsar_stars.csv']) + '\r\n',
        'HTRU_2.arff': '@relation HTRU_2\n@data\n' + '\n'.join(ROWS['pulsar_stars.csv']),
        'Faults.NNA': '\n'.join(row.replace(',', '\t') for row in ROWS['faults.csv']) + '\n',
        'Faults27x7_var': '\n'.join(STEEL) + '\n',
    }
    archive = pack(tmp_path / 'uci.zip', {name: text.encode() for name, text in files.items()})
    (arrival,) = import_file(archive, tmp_path / 'data')
    assert tree(tmp_path / 'data') == WANTED
    assert sorted(arrival.notes) == [
        'abalone.csv has 2 rows where the known file has 4,177',
        'faults.csv has 2 rows where the known file has 1,941',
        'pulsar_stars.csv has 2 rows where the known file has 17,898',
    ]


def test_tables_with_the_right_header_stay_as_they_are_and_others_get_it(tmp_path):
    ready = {name: content.replace(b'\n', b'\r\n') for name, content in WANTED.items()}
    import_file(pack(tmp_path / 'ready', ready), tmp_path / 'one')
    assert tree(tmp_path / 'one') == ready
    other = WANTED['tabular/abalone.csv'].replace(b'Whole weight', b'"Whole_weight"')
    import_file(pack(tmp_path / 'other', {'snails.txt': other}) / 'snails.txt', tmp_path / 'two')
    assert tree(tmp_path / 'two') == {'tabular/abalone.csv': WANTED['tabular/abalone.csv']}


def test_a_table_with_a_broken_row_names_file_line_and_column(tmp_path):
    content = WANTED['tabular/abalone.csv'].replace(b'0.33', b'long')
    with pytest.raises(DataError, match=r"^tabular/abalone.csv, line 3, column 'Length': found 'long'"):
        import_file(pack(tmp_path / 'a', {'a.csv': content}), tmp_path / 'data')
    short = WANTED['tabular/abalone.csv'].split(b'\n', 1)[1] + b'M,1,2\n'
    with pytest.raises(DataError, match=r'abalone.data, line 3: 3 fields, expected 9'):
        import_file(pack(tmp_path / 'b', {'abalone.data': short}), tmp_path / 'data')
    assert not (tmp_path / 'data').exists()


def test_an_archive_with_several_sets_brings_all_or_the_one_named(tmp_path):
    files = flowers('mine/flowers/') | {f'mine/{name}': content for name, content in WANTED.items()}
    archive = pack(tmp_path / 'all.zip', files)
    assert [arrival.layout for arrival in import_file(archive, tmp_path / 'both')] == ['flowers', 'tabular']
    assert tree(tmp_path / 'both') == flowers('flowers/') | WANTED
    import_file(archive, tmp_path / 'one', only='tabular')
    assert tree(tmp_path / 'one') == WANTED
    with pytest.raises(DataError, match='holds nothing that is known as mnist'):
        import_file(archive, tmp_path / 'none', only='mnist')


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    data = tmp_path / 'data'
    pack(data, {'flowers/rose/mine.jpg': b'mine', 'mnist/keep': b'kept'})
    archive = pack(tmp_path / 'a.zip', flowers('') | WANTED)
    with pytest.raises(DataError, match='flowers is there already and was left as it is'):
        import_file(archive, data)
    assert tree(data) == {'flowers/rose/mine.jpg': b'mine', 'mnist/keep': b'kept'}
    import_file(archive, data, replace=True)
    assert tree(data) == flowers('flowers/') | WANTED | {'mnist/keep': b'kept'}


def test_a_move_that_fails_half_way_puts_everything_back(tmp_path, monkeypatch):
    data = tmp_path / 'data'
    before = {'flowers/rose/mine.jpg': b'mine', 'tabular/abalone.csv': b'old'}
    archive = pack(tmp_path / 'a.zip', flowers('') | WANTED)
    pack(data, before)
    rename, calls = type(data).rename, []

    def fourth_fails(path, target):
        calls.append(path)
        if len(calls) == 4:
            raise OSError(5, 'Input/output error', str(path))
        return rename(path, target)

    monkeypatch.setattr(type(data), 'rename', fourth_fails)
    with pytest.raises(DataError, match='Input/output error. Nothing was changed'):
        import_file(archive, data, replace=True)
    assert tree(data) == before


@pytest.fixture
def said():
    return []


def source(server, files, items, digest=''):
    """A data set whose downloads are served on this machine."""
    downloads = tuple(
        Download(name, (Origin(server.serve(f'/{name}', web.good(content)), digest),))
        for name, content in files.items()
    )
    return Source('a title', 'a home', 'a licence', 'flowers', items, downloads)


def test_fetch_brings_unpacks_and_cleans_up(tmp_path, monkeypatch, said):
    content = pack(tmp_path / 'flower_photos.tgz', flowers('flower_photos/')).read_bytes()
    with web.running() as server:
        monkeypatch.setitem(SOURCES, 'flowers', source(server, {'flower_photos.tgz': content}, items=10))
        (arrival,) = fetch('flowers', tmp_path / 'data', say=said.append)
        assert tree(tmp_path / 'data') == flowers('flowers/')
        assert not (tmp_path / 'data' / '.downloads').exists()
        assert arrival.notes == []
        assert said == [
            'flowers: a title. Licence: a licence. Home: a home',
            'flowers: no published checksum: verified by structure (counts of classes and images) instead',
        ]
        assert fetch('flowers', tmp_path / 'data', say=said.append) == []
        assert len(server.asked) == 1
    assert said[2:] == [f'flowers: {tmp_path / "data" / "flowers"} is there already; --replace fetches it again']


def test_fetch_without_a_checksum_refuses_another_count(tmp_path, monkeypatch, said):
    content = pack(tmp_path / 'flower_photos.tgz', flowers('flower_photos/')).read_bytes()
    with web.running() as server:
        monkeypatch.setitem(SOURCES, 'flowers', source(server, {'flower_photos.tgz': content}, items=3670))
        with pytest.raises(DataError, match='10 images or rows arrived, 3,670 are known to be in this set'):
            fetch('flowers', tmp_path / 'data', say=said.append)
    assert not (tmp_path / 'data' / 'flowers').exists()


def test_fetch_of_several_files_makes_one_set(tmp_path, monkeypatch, said):
    files = {f'{name}.gz': gzip.compress(content, mtime=0) for name, content in digits().items()}
    with web.running() as server:
        four = source(server, files, items=40)
        monkeypatch.setitem(SOURCES, 'mnist', Source(four.title, four.home, four.licence, 'mnist', 40, four.downloads))
        fetch('mnist', tmp_path / 'data', say=said.append)
    assert tree(tmp_path / 'data') == {f'mnist/{name}': content for name, content in files.items()}
