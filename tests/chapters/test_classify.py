"""classify: the most probable answers for any picture; and its command line."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from chapters import CnnNetModel, import_weights, save
from chapters.__main__ import main
from chapters.classify import classify, plot_top, show_top
from chapters.nets.catalogue import make
from chapters.published import read_names
from chapters.weightfiles import WeightsError
from data import DummyDataset
from data.errors import DataError
from data.pictures import prepare
from mathlib.backend import to_host, xp
from mathlib.errors import ConfigError

COLOURS = {'red': (250, 5, 5), 'green': (5, 250, 5), 'blue': (5, 5, 250)}


@pytest.fixture
def model():
    """A model that answers with the colour of a picture: the mean of each channel is an output."""
    dataset = DummyDataset('colours', 'select', [8, 8, 3], [3])
    dataset.target_names = list(COLOURS)
    net = CnnNetModel('by_colour', dataset, [['global_avg']])
    net.pm_output['w'][...] = xp.eye(3) / 100
    net.pm_output['b'][...] = 0
    return net


@pytest.fixture
def photos(tmp_path):
    """{colour: path}: a picture of each, of different sizes and kinds."""
    paths = {}
    for n, (name, colour) in enumerate(COLOURS.items()):
        paths[name] = tmp_path / f'{name}.{("png", "jpg", "gif")[n]}'
        Image.new('RGB', (20 + 9 * n, 31), colour).save(paths[name])
    return paths


def test_one_picture_gives_its_rows(model, photos):
    rows = classify(model, photos['green'])
    assert [name for name, _ in rows][0] == 'green'
    shares = [share for _, share in rows]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares[0] == pytest.approx(1 / (1 + 2 * np.exp(-2.45)), rel=0.02)


def test_pictures_of_every_kind(model, photos):
    image, pixels = Image.new('L', (9, 9), 40), np.full((5, 7, 3), COLOURS['blue'], np.uint8)
    given = [str(photos['red']), photos['green'], image, pixels]
    assert [rows[0][0] for rows in classify(model, given, top=1)] == [
        'red',
        'green',
        'red',
        'blue',
    ]  # grey: all equal, the first
    assert all(len(rows) == 1 for rows in classify(model, given, top=1))
    assert classify(model, pixels) == classify(model, [pixels])[0]


def test_floats_are_ready(model):
    x = np.zeros((8, 8, 3), 'float32')
    x[..., 1] = 100
    expected = to_host(model.get_estimate(x[None]))[0]
    assert dict(classify(model, x)) == pytest.approx(dict(zip(COLOURS, expected.tolist(), strict=True)))
    assert len(classify(model, np.stack([x, x]))) == 2


def test_names_of_ones_own(model, photos):
    assert classify(model, photos['red'], names=['rot', 'grün', 'blau'])[0][0] == 'rot'
    model.dataset.target_names = None
    assert classify(model, photos['red'])[0][0] == '0'


def test_pictures_are_made_ready_as_the_network_wants_it(photos):
    model = make('resnet_8')
    with pytest.raises(ConfigError, match="say how its pictures are made ready, how=.*cifar_raw, or 'plain'"):
        classify(model, photos['red'])
    expected = classify(model, prepare('cifar_raw', photos['red'])[0])
    assert classify(model, photos['red'], how='cifar_raw') == expected
    model.prepare = 'cifar_raw'
    assert classify(model, photos['red']) == expected


@pytest.mark.parametrize(
    ('options', 'error', 'match'),
    [
        (dict(top=0), ConfigError, 'top is 0: expected a whole number of at least 1'),
        (dict(names=['a']), ConfigError, 'by_colour has 3 answers, but there are 1 names'),
        (dict(how='sepia'), DataError, "'sepia'"),
        (dict(how='imagenet'), ConfigError, r'takes pictures \[8, 8, 3\], but what came is \[224, 224, 3\]'),
    ],
)
def test_settings_that_do_not_fit(model, photos, options, error, match):
    with pytest.raises(error, match=match):
        classify(model, photos['red'], **options)


def test_models_that_do_not_choose_among_pictures(photos):
    with pytest.raises(ConfigError, match="'squeezenet' is no model, but a name"):
        classify('squeezenet', photos['red'])
    numbers = CnnNetModel('numbers', DummyDataset('d', 'regression', [8, 8, 3], [1]), [])
    with pytest.raises(ConfigError, match='expected a model that chooses one answer'):
        classify(numbers, photos['red'])
    rows = CnnNetModel('rows', DummyDataset('d', 'select', [5], [3]), [])
    with pytest.raises(ConfigError, match=r'rows takes \[5\], no colour pictures'):
        classify(rows, photos['red'])


def test_the_picture_shows_photo_names_and_shares(photos, monkeypatch):
    rows = [('red, crimson', 0.75), ('green', 0.25)]
    figure = plot_top(photos['red'], rows, 'what is it?')
    photo, bars = figure.axes
    assert photo.images[0].get_array().shape == (31, 20, 3)
    assert [bar.get_width() for bar in bars.patches] == [75, 25]
    assert [text.get_text() for text in bars.texts] == ['red', '75.0 %', 'green', '25.0 %']
    shown = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'module://notebook')
    monkeypatch.setattr(plt, 'show', lambda: shown.append(plt.gcf()))
    show_top(np.zeros((4, 4, 3), np.uint8), rows)
    assert len(shown) == 1


def test_names_from_a_file(tmp_path):
    path = tmp_path / 'synset_words.txt'
    path.write_text('n01440764 tench, Tinca tinca\nplain name\n\n', encoding='utf-8')
    assert read_names(path) == ['tench, Tinca tinca', 'plain name']
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(WeightsError, match='cannot be read as a list of names'):
        read_names(path)


def test_names_beside_published_weights_are_taken(tmp_path):
    (tmp_path / 'synset_words.txt').write_text('\n'.join(f'n0000000{n} thing {n}' for n in range(10)), encoding='utf-8')
    model = make('lenet_keras')
    shapes = {'c1.weight': (20, 1, 5, 5), 'c2.weight': (50, 20, 5, 5), 'f1.weight': (500, 800), 'f2.weight': (10, 500)}
    arrays = {name: np.ones(shape, 'float32') for name, shape in shapes.items()}
    arrays |= {f'{name[:2]}.bias': np.ones(shape[0], 'float32') for name, shape in shapes.items()}
    np.savez(tmp_path / 'a.npz', **arrays)
    import_weights(model, tmp_path / 'a.npz', names=[(name, None) for name in ('c1', 'c2', 'f1', 'f2')])
    assert model.dataset.answer_names()[9] == 'thing 9'


def test_the_command_line(model, photos, tmp_path, capsys):
    weights = save(model, tmp_path / 'net.safetensors')
    folder = tmp_path / 'drawn'
    command = ['classify', str(photos['red']), str(photos['blue']), '--weights', str(weights)]
    assert main([*command, '--top', '1', '--draw', str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(photos['red'])
    assert lines[1].split() == ['85.3', '%', 'red']
    assert lines[4].endswith('%  blue')
    assert [path.name.endswith('by_colour.png') for path in folder.iterdir()] == [True, True]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--net', 'squeezenit'], "did you mean 'squeezenet'"),
        (['--net', 'squeezenet'], 'does not fit squeezenet'),
        (['--names', 'none.txt'], 'none.txt cannot be read as a list of names'),
        (['--top', '0'], 'top is 0'),
    ],
)
def test_errors_on_the_command_line_are_a_line_for_readers(model, photos, tmp_path, capsys, change, message):
    weights = save(model, tmp_path / 'net.safetensors')
    assert main(['classify', str(photos['red']), '--weights', str(weights), *change]) == 1
    said = capsys.readouterr().err
    assert said.startswith('error: ')
    assert message in said


def test_a_file_that_is_no_picture_on_the_command_line(model, tmp_path, capsys):
    weights = save(model, tmp_path / 'net.safetensors')
    assert main(['classify', str(weights), '--weights', str(weights)]) == 1
    assert 'cannot be read as a picture' in capsys.readouterr().err
