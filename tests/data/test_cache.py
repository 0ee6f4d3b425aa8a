import errno
import os
from pathlib import Path

import numpy as np
import pytest

from data import FlowersDataset, cache, images
from mathlib import rng, settings


def load():
    """The set's inputs, in one order at every call."""
    rng.seed(9)
    dataset = FlowersDataset([5, 4])
    return np.concatenate([np.asarray(xs) for xs in (dataset.tr_xs, dataset.va_xs, dataset.te_xs)])


@pytest.fixture
def decoded(monkeypatch):
    """A list of how many files each call of decode_all was given."""
    counts = []
    decode_all = cache.decode_all

    def counting(files, resolution):
        counts.append(len(files))
        return decode_all(files, resolution)

    monkeypatch.setattr(cache, 'decode_all', counting)
    return counts


def cache_files(suffix=''):
    return sorted((settings.BUILD / 'cache').glob(f'*{suffix}'))


def test_pictures_are_decoded_once(flowers, decoded):
    first = load()
    assert np.array_equal(load(), first)
    assert decoded == [24]
    assert [path.suffix for path in cache_files()] == ['.json', '.npy']


def test_each_resolution_has_its_own_cache(flowers, decoded):
    load()
    FlowersDataset([6, 6])
    load()
    assert decoded == [24, 24]
    assert len(cache_files('.npy')) == 2


def rewrite(folder, save_picture):
    save_picture(folder / 'rose' / '2.jpg', 99)


def add(folder, save_picture):
    save_picture(folder / 'rose' / '9.jpg', 99)


def remove(folder, save_picture):
    (folder / 'rose' / '2.jpg').unlink()


def rename(folder, save_picture):
    (folder / 'rose' / '2.jpg').rename(folder / 'rose' / '7b.jpg')


@pytest.mark.parametrize('change', [rewrite, add, remove, rename])
def test_a_changed_folder_is_decoded_again_and_the_older_cache_deleted(flowers, save_picture, decoded, change):
    before, names = load(), cache_files()
    change(flowers, save_picture)
    after = load()
    assert len(decoded) == 2
    assert len(cache_files()) == 2
    assert not set(cache_files()) & set(names)
    assert not np.array_equal(before, after)
    cache_files('.npy')[0].unlink()
    assert np.array_equal(load(), after)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def scribble(path):
    path.write_bytes(b'scribble')


def delete(path):
    path.unlink()


def other_shape(path):
    with path.open('wb') as file:
        np.save(file, np.zeros((24, 4, 6, 3), np.uint8))


def empty_object(path):
    path.write_text('{}')


def a_row_too_far(path):
    path.write_text('{"digest": "0", "skipped": [[24, "gone"]]}')


@pytest.mark.parametrize(
    ('suffix', 'damage'),
    [
        *((suffix, damage) for suffix in ('.npy', '.json') for damage in (cut, scribble, delete)),
        ('.npy', other_shape),
        ('.json', empty_object),
        ('.json', a_row_too_far),
    ],
)
def test_a_damaged_cache_is_made_again(flowers, decoded, capsys, suffix, damage):
    sound = load()
    damage(cache_files(suffix)[0])
    assert np.array_equal(load(), sound)
    assert decoded == [24, 24]
    assert np.array_equal(load(), sound)
    assert decoded == [24, 24]
    assert capsys.readouterr().out == ''


def block_folder(monkeypatch):
    settings.BUILD.mkdir()
    (settings.BUILD / 'cache').write_text('in the way')


def fill_disk(monkeypatch):
    def no_space(path, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, 'replace', no_space)


@pytest.mark.parametrize(
    ('obstacle', 'reason'), [(block_folder, 'File exists'), (fill_disk, 'No space left on device')]
)
def test_without_a_place_for_the_cache_the_pictures_stay_in_memory(flowers, monkeypatch, capsys, obstacle, reason):
    (flowers / 'rose' / '2.jpg').write_bytes(b'')
    with monkeypatch.context() as patch:
        obstacle(patch)
        in_memory = load()
    place = settings.BUILD / 'cache'
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        f'flowers: the pictures cannot be kept in {place} ({reason}): '
        f'they stay in memory, and are decoded again the next time'
    )
    assert second == 'flowers: 1 of 24 files left out: rose/2.jpg (reasons: .skipped, or python -m data check)'
    if place.is_file():
        place.unlink()
    assert cache_files() == []
    assert np.array_equal(load(), in_memory)
    assert len(cache_files()) == 2


def test_what_a_dead_process_left_is_deleted_and_what_a_living_one_writes_is_not(flowers, save_picture):
    load()
    stem = cache_files('.npy')[0].with_suffix('')
    old, new = (stem.with_suffix(f'.{number}.unfinished') for number in (1, 2))
    for path in (old, new):
        path.write_bytes(b'')
    os.utime(old, (1, 1))
    save_picture(flowers / 'rose' / '9.jpg', 99)
    load()
    assert cache_files('.unfinished') == [new]


def test_pixels_are_mapped_not_read(flowers):
    pixels = cache.load('flowers', flowers, images.image_files(flowers / 'rose'), (5, 4)).pixels
    assert isinstance(pixels, np.memmap)
    assert not pixels.flags.writeable
