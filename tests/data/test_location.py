import sys
import threading
import types

import pytest

import data
from data import DataError, location
from mathlib import settings


@pytest.fixture
def made(tmp_path, monkeypatch):
    """No DATA_DIR, and a generator that notes the folders it was given and writes empty ones there."""
    folders = []

    def make(folder):
        folders.append(folder)
        for name in location.NAMES:
            (folder / name).mkdir()

    generator = types.ModuleType('data.sample')
    generator.make = make
    monkeypatch.setitem(sys.modules, 'data.sample', generator)
    monkeypatch.setattr(data, 'sample', generator, raising=False)
    monkeypatch.setattr(settings, 'data_dir', None)
    monkeypatch.setattr(settings, 'BUILD', tmp_path / 'build')
    return folders


def test_real_data(data_dir):
    (data_dir / 'mnist').mkdir()
    assert location.folder('mnist') == data_dir / 'mnist'
    assert location.kind() == 'real'
    with pytest.raises(DataError, match=r'holds no folder flowers. Get it with "python -m data fetch flowers"'):
        location.folder('flowers')
    with pytest.raises(DataError, match="no data called 'flower'; expected one of flowers, office31"):
        location.folder('flower')


def test_the_sample_is_made_once_beside_its_place(made, tmp_path):
    assert location.kind() == 'sample'
    for name in location.NAMES:
        assert location.folder(name) == tmp_path / 'build' / 'sample' / name
        assert location.folder(name).is_dir()
    assert made == [tmp_path / 'build' / 'sample.unfinished']
    assert not made[0].exists()


def test_kernels_that_start_together_make_one_sample(made, monkeypatch):
    found, second, make = [], threading.Event(), data.sample.make

    def make_slowly(folder):
        make(folder)
        if len(made) > 1:
            second.set()
        second.wait(0.2)  # time enough for another one to come in, were there no lock

    monkeypatch.setattr(data.sample, 'make', make_slowly)
    threads = [threading.Thread(target=lambda: found.append(location.folder('flowers'))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(made) == 1


def test_a_sample_of_another_generator_and_half_a_sample_are_replaced(made, monkeypatch, tmp_path):
    location.folder('flowers')
    (tmp_path / 'build' / 'sample' / 'flowers' / 'old.jpg').write_bytes(b'')
    (tmp_path / 'build' / 'sample.unfinished' / 'flowers').mkdir(parents=True)
    monkeypatch.setattr(location, '_generator_stamp', lambda: 'another')
    assert list(location.folder('flowers').iterdir()) == []
    location.folder('flowers')
    assert len(made) == 2


def test_a_place_that_cannot_be_written(made, tmp_path):
    (tmp_path / 'build').write_text('in the way')
    with pytest.raises(DataError, match=r'The sample data cannot be written to .*sample .*File exists'):
        location.folder('flowers')
    assert made == []
