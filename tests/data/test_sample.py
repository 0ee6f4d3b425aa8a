"""The generated sample: the real layout, names and formats, equal bytes every time, and classes in the real shares."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from data import sample
from data.sample import digits, flowers, objects, office31, tables

HEADERS = {
    'abalone': 'Sex,Length,Diameter,Height,Whole weight,Shucked weight,Viscera weight,Shell weight,Rings\n',
    'pulsar_stars': (
        ' Mean of the integrated profile, Standard deviation of the integrated profile, Excess'
        ' kurtosis of the integrated profile, Skewness of the integrated profile, Mean of the DM-SNR curve,'
        ' Standard deviation of the DM-SNR curve, Excess kurtosis of the DM-SNR curve, Skewness'
        ' of the DM-SNR curve,target_class\r\n'
    ),
    'faults': (
        'X_Minimum,X_Maximum,Y_Minimum,Y_Maximum,Pixels_Areas,X_Perimeter,Y_Perimeter,Sum_of_Luminosity,'
        'Minimum_of_Luminosity,Maximum_of_Luminosity,Length_of_Conveyer,TypeOfSteel_A300,TypeOfSteel_A400,'
        'Steel_Plate_Thickness,Edges_Index,Empty_Index,Square_Index,Outside_X_Index,Edges_X_Index,Edges_Y_Index,'
        'Outside_Global_Index,LogOfAreas,Log_X_Index,Log_Y_Index,Orientation_Index,Luminosity_Index,SigmoidOfAreas,'
        'Pastry,Z_Scratch,K_Scatch,Stains,Dirtiness,Bumps,Other_Faults\n'
    ),
}
CATEGORIES = (
    'back_pack bike bike_helmet bookcase bottle calculator desk_chair desk_lamp desktop_computer file_cabinet '
    'headphones keyboard laptop_computer letter_tray mobile_phone monitor mouse mug paper_notebook pen phone printer '
    'projector punchers ring_binder ruler scissors speaker stapler tape_dispenser trash_can'
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The sample with fewer pictures of each kind, made by `make` itself: whole tables, some digits."""
    target = tmp_path_factory.mktemp('sample')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flowers, 'COUNTS', {name: count // 5 for name, count in flowers.COUNTS.items()})
        patch.setattr(office31, 'PICTURES', {'amazon': 2, 'dslr': 1, 'webcam': 1})
        patch.setattr(digits, 'COUNTS', {'train': 100, 't10k': 20})
        sample.make(target)
    return target


def rows(folder, name):
    lines = (folder / 'tabular' / f'{name}.csv').read_text(encoding='utf-8').splitlines()[1:]
    return [line.split(',') for line in lines]


def read_idx(path):
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3]
    shape = struct.unpack(f'>{axes}I', raw[4 : 4 + 4 * axes])
    return raw[:4], np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def test_the_folders_are_those_of_the_real_sets(folder):
    assert sorted(path.name for path in folder.iterdir()) == ['README.txt', 'flowers', 'mnist', 'office31', 'tabular']
    classes = sorted(path.name for path in (folder / 'flowers').iterdir())
    assert classes == ['daisy', 'dandelion', 'rose', 'sunflower', 'tulip']
    assert 'python -m data fetch' in (folder / 'README.txt').read_text(encoding='utf-8')
    for domain in ('amazon', 'dslr', 'webcam'):
        images = folder / 'office31' / domain / 'images'
        assert sorted(path.name for path in images.iterdir()) == CATEGORIES.split()
        assert all((images / category / 'frame_0001.jpg').is_file() for category in CATEGORIES.split())


def test_every_picture_is_a_colour_jpeg_that_decodes_and_is_not_flat(folder):
    paths = sorted(folder.rglob('*.jpg'))
    assert len(paths) == sum(count // 5 for count in flowers.COUNTS.values()) + 31 * 4 + 8
    for path in paths:
        with Image.open(path) as image:
            assert (image.format, image.mode) == ('JPEG', 'RGB'), path
            assert min(image.size) >= 120, path
            assert np.asarray(image).std() > 5, path


def test_flower_files_have_different_names_and_sizes(folder):
    paths = list((folder / 'flowers').rglob('*.jpg'))
    assert len({path.name for path in paths}) == len(paths)
    sizes = set()
    for path in paths:
        with Image.open(path) as image:
            sizes.add(image.size)
    assert len(sizes) >= 4, 'pictures of one size would not show that resizing works'


def test_shares_of_classes_follow_the_real_sets():
    total = sum(flowers.COUNTS.values())
    assert max(flowers.COUNTS, key=flowers.COUNTS.get) == 'dandelion'
    assert flowers.COUNTS['dandelion'] / total == pytest.approx(0.24, abs=0.01)
    counts = [sum(office31.count(domain, category) for category in objects.DRAWERS) for domain in office31.DOMAINS]
    assert np.array(counts) / sum(counts) == pytest.approx([0.68, 0.12, 0.20], abs=0.01)


def test_the_same_bytes_come_out_again_in_any_order(folder, tmp_path):
    tables.make(tmp_path)
    for name in HEADERS:
        file = f'tabular/{name}.csv'
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
    for name, number in (('tulip', 7), ('dandelion', 3), ('rose', 0)):
        again = tmp_path / 'again.jpg'
        flowers.picture(name, number).save(again, quality=88)
        assert again.read_bytes() == (folder / 'flowers' / name / flowers.file_name(name, number)).read_bytes()
    for domain in office31.DOMAINS:
        office31.picture(domain, 'mug', 1).save(again, quality=88)
        assert again.read_bytes() == (folder / f'office31/{domain}/images/mug/frame_0001.jpg').read_bytes()
    _, images = read_idx(folder / 'mnist/train-images-idx3-ubyte.gz')
    assert np.array_equal(digits.picture('train', 42)[0], images[42])


def test_no_time_stamp_in_the_gz_files(folder):
    for path in (folder / 'mnist').iterdir():
        assert path.read_bytes()[4:8] == bytes(4)


def test_pictures_leave_the_global_random_stream_alone():
    before = np.random.get_state()[1].copy()
    flowers.picture('daisy', 1)
    office31.picture('webcam', 'ruler', 1)
    digits.picture('train', 1)
    assert np.array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(('part', 'count'), [('train', 100), ('t10k', 20)])
def test_digits_are_idx_files_of_28_by_28(folder, part, count):
    magic, images = read_idx(folder / 'mnist' / f'{part}-images-idx3-ubyte.gz')
    assert (magic, images.shape) == (b'\x00\x00\x08\x03', (count, 28, 28))
    magic, labels = read_idx(folder / 'mnist' / f'{part}-labels-idx1-ubyte.gz')
    assert (magic, labels.shape) == (b'\x00\x00\x08\x01', (count,))
    assert set(labels) <= set(range(10))
    assert len(set(labels)) >= 8
    ink = images.reshape(count, -1)
    assert ink.max(axis=1).min() > 150, 'every digit is visible'
    assert images[:, [0, -1], :].max() == 0, 'and leaves a margin at top and bottom'


@pytest.mark.parametrize('name', HEADERS)
def test_headers_are_those_of_the_real_tables(folder, name):
    with (folder / 'tabular' / f'{name}.csv').open(encoding='utf-8', newline='') as file:
        assert file.readline() == HEADERS[name]
    table = rows(folder, name)
    assert len(table) == {'abalone': 1200, 'pulsar_stars': 2000, 'faults': 800}[name]
    assert {len(row) for row in table} == {HEADERS[name].count(',') + 1}


def test_abalones_grow(folder):
    table = rows(folder, 'abalone')
    sex = np.array([row[0] for row in table])
    values = np.array([row[1:] for row in table], dtype=float)
    assert [round(float((sex == letter).mean()), 1) for letter in 'MFI'] == [0.4, 0.3, 0.3]
    length, whole, rings = values[:, 0], values[:, 3], values[:, -1]
    assert length[sex == 'I'].mean() < 0.8 * length[sex == 'F'].mean()
    assert np.corrcoef(length**3, whole)[0, 1] > 0.9
    assert 0.45 < np.corrcoef(length, rings)[0, 1] < 0.75
    assert np.array_equal(rings, np.round(rings))
    assert rings.min() >= 1
    assert rings.max() <= 29


def test_nine_in_a_hundred_are_pulsars_and_stand_out(folder):
    values = np.array(rows(folder, 'pulsar_stars'), dtype=float)
    pulsar = values[:, -1] == 1
    assert pulsar.mean() == pytest.approx(0.0916, abs=0.001)
    by_kurtosis = (values[:, 2] > 1.0) == pulsar
    assert 0.95 < by_kurtosis.mean() < 0.99


def test_steel_faults_have_the_real_shares_and_scales(folder):
    values = np.array(rows(folder, 'faults'), dtype=float)
    kinds = values[:, 27:]
    assert np.array_equal(kinds.sum(axis=1), np.ones(len(values)))
    assert kinds.mean(axis=0) == pytest.approx([0.081, 0.098, 0.201, 0.037, 0.028, 0.207, 0.347], abs=0.002)
    width, height, area = values[:, 1] - values[:, 0], values[:, 3] - values[:, 2], values[:, 4]
    assert (width > 0).all()
    assert (height > 0).all()
    assert (area <= width * height + 2).all()
    assert values[:, 21] == pytest.approx(np.log10(area), abs=1e-4)
    assert values[:, 2].max() > 4e6, 'places on the plate are in the millions, unscaled as in the real table'
