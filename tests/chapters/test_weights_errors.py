"""load and load_weights: a file that is not sound is told, and changes nothing."""

import json
import random
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chapters import CnnBasicModel, load, load_weights, save
from chapters.weightfiles import WeightsError
from chapters.weights import KEY, named_arrays
from data import DummyDataset
from mathlib import backend
from tests.chapters.weight_models import content, equal, made


@pytest.fixture
def kept(tmp_path):
    """A model, the path of its file, and a function that asserts that a WeightsError leaves it as it was."""
    model = made()
    path = save(model, tmp_path / 'net.safetensors')
    for _, holder, key in named_arrays(model):
        holder[key] *= 3
    before = content(model)

    def refuse(path, match):
        for read in (lambda: load_weights(model, path), lambda: load(path)):
            with pytest.raises(WeightsError, match=match) as problem:
                read()
            assert path.name in str(problem.value)
        assert equal(content(model), before)

    return model, path, refuse


def rewritten(path, change=None, text=None):
    """The file with its arrays or its description changed, by the library, so that the header is sound."""
    arrays = load_file(path)
    length = struct.unpack('<Q', path.read_bytes()[:8])[0]
    kept_text = json.loads(path.read_bytes()[8 : 8 + length])['__metadata__'][KEY]
    save_file(change(arrays) if change else arrays, path, {KEY: text or kept_text})


def test_200_damages_change_nothing_or_are_told(kept, tmp_path):
    model, path, _ = kept
    good, before, saved = path.read_bytes(), content(model), content(load(path))
    draws = random.Random(5)
    header = 8 + struct.unpack('<Q', good[:8])[0]
    told = 0
    for _ in range(200):
        bad = bytearray(good)
        kind = draws.choice(['flip', 'cut', 'header', 'insert', 'length'])
        place = draws.randrange(len(bad))
        if kind == 'flip':
            bad[place] ^= 1 << draws.randrange(8)
        elif kind == 'cut':
            del bad[place:]
        elif kind == 'header':
            bad[draws.randrange(header)] = draws.choice(b'0123456789{}[]",:FeE-\x00\xff')
        elif kind == 'insert':
            bad[place:place] = draws.randbytes(3)
        else:
            bad[:8] = struct.pack('<Q', draws.choice([0, 2**63, header, len(good), draws.randrange(2**64)]))
        path.write_bytes(bad)
        try:
            load_weights(model, path)
        except WeightsError:
            told += 1
            assert equal(content(model), before)
        else:
            assert equal(content(model), saved)
            for _, holder, key in named_arrays(model):
                holder[key] *= 3
    assert told > 190


def test_an_array_of_another_shape(kept):
    _, path, refuse = kept
    rewritten(path, lambda arrays: {**arrays, 'output.w': arrays['output.w'].T.copy()})
    refuse(path, 'has changed since it was saved')


def test_arrays_of_another_type(kept):
    _, path, refuse = kept
    rewritten(path, lambda arrays: {**arrays, 'output.b': np.zeros(3, np.int64)})
    refuse(path, 'expected float16 or float32 or float64, but output.b is int64')


def test_another_network(kept, tmp_path):
    model, _, _ = kept
    other = save(made(CnnBasicModel), tmp_path / 'other.safetensors')
    before = content(model)
    with pytest.raises(WeightsError) as problem:
        load_weights(model, other)
    for part in (
        'of another network than net',
        'the file has no hidden.0.bn.scale',
        'the model has no hidden.0.b [4], hidden.2.b [5], hidden.2.w [36, 5]; output.w is [5, 3]',
    ):
        assert part in str(problem.value)
    assert equal(content(model), before)


def test_numbers_that_are_not_finite(kept, tmp_path):
    model, _, _ = kept
    model.pm_output['w'][0, 0] = np.nan
    with pytest.raises(WeightsError, match=r'output.w: 1 of \d+ numbers are not finite'):
        save(model, tmp_path / 'spoilt.safetensors')
    assert not (tmp_path / 'spoilt.safetensors').exists()


def test_a_number_too_large_for_the_model(kept, tmp_path):
    with backend.precision('float64'):
        large = made()
        large.pm_output['b'][0] = 1e300
        path = save(large, tmp_path / 'large.safetensors')
    if backend.dtype == 'float32':
        kept[2](path, 'output.b: 1 of 3 numbers are not finite')


@pytest.mark.parametrize(
    ('text', 'match'),
    [
        ('{', 'description of the model is damaged'),
        ('[' * 100_000, 'description of the model is damaged'),
        ('{"version": 1e999}', 'description of the model is damaged'),
        ('{"version": 99}', 'has the format 99'),
        ('[]', 'has the format None'),
        ('{"version": 1, "class": 5}', "no sound 'class'"),
    ],
)
def test_a_description_that_is_not_sound(kept, text, match):
    _, path, refuse = kept
    rewritten(path, text=text)
    refuse(path, match)


@pytest.mark.parametrize(
    ('name', 'content_', 'match'),
    [
        ('a.pt', b'PK\x03\x04', 'it is a pickle, a small program'),
        ('a.pkl', b'\x80\x04\x95', 'it is a pickle, a small program'),
        ('a.safetensors', b'\x80\x02}q\x00.', 'it is a pickle, a small program'),
        ('a.npy', b'\x93NUMPY\x01\x00', 'a single array'),
        ('a.h5', b'\x89HDF\r\n', 'HDF5'),
        ('a.safetensors', b'version https://git-lfs.github.com/spec/v1\n', 'a pointer of Git LFS'),
        ('a.safetensors', b'<!DOCTYPE html>', 'a web page'),
        ('a.safetensors', b'', 'damaged, cut short'),
        ('a.npz', b'PK\x03\x04 and no more', 'damaged, cut short'),
    ],
)
def test_other_files(kept, tmp_path, name, content_, match):
    path = tmp_path / name
    path.write_bytes(content_)
    kept[2](path, match)


def test_published_weights_are_told_apart(kept, tmp_path):
    save_file({'conv1.weight': np.ones((2, 2), np.float32)}, tmp_path / 'a.safetensors')
    kept[2](tmp_path / 'a.safetensors', 'there is import_weights')


def test_no_such_file(kept, tmp_path):
    kept[2](tmp_path / 'none.safetensors', 'does not exist')
    kept[2](tmp_path, 'is a folder')


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / 'folder.safetensors').mkdir()
    for name, match in [
        ('a.npz', 'ends in .safetensors'),
        ('no/a.safetensors', 'make it first'),
        ('folder.safetensors', 'a folder'),
    ]:
        with pytest.raises(WeightsError, match=match):
            save(made(), tmp_path / name)
    with pytest.raises(WeightsError, match='is no model'):
        save('model', tmp_path / 'a.safetensors')


def test_a_save_that_fails_leaves_the_old_file(kept, monkeypatch):
    model, path, _ = kept
    good = path.read_bytes()

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(WeightsError, match='cannot be written: .*No space left'):
        save(model, path)
    assert path.read_bytes() == good
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_dataset_of_other_shapes(kept):
    _, path, _ = kept
    with pytest.raises(
        WeightsError, match=r'takes \[6, 6, 3\] and gives \[3\], but in the dataset other a row is \[6\]'
    ):
        load(path, dataset=DummyDataset('other', 'select', [6], [3]))
    with pytest.raises(WeightsError, match='expected a Dataset'):
        load(path, dataset='flowers')
