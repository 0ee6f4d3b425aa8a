"""save, load, load_weights: what comes back is what went in, and a file that is not sound changes nothing."""

import json
import random
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel, load, load_weights, save
from chapters.errata import AddInPlace
from chapters.weightfiles import WeightsError
from chapters.weights import KEY, named_arrays
from data import DualSelectDataset, DummyDataset
from mathlib import backend, rng
from mathlib.backend import to_host

CONV = ['conv', {'ksize': 3, 'chn': 4}]
NORMED = ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA'}]
PLAIN = [CONV, ['max', {'stride': 2}], 5]
CASES = {
    MlpModel: [4, 3],
    AdamModel: [],
    CnnBasicModel: PLAIN,
    CnnRegModel: [CONV, ['batch_normal'], ['dropout', {'keep_prob': 0.5}], 5],
    CnnExtModel: [
        ['parallel', CONV, ['add', {'x': True}, ['loop', {'repeat': 2}, ['conv', {'ksize': 1, 'chn': 3}]]]],
        NORMED,
    ],
    CnnNetModel: [
        ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA', 'bias': False, 'padding': [[0, 1], [0, 1]]}],
        ['auxiliary', {'weight': 0.5}, ['global_avg'], ['full', {'width': 3}]],
        ['max', {'ksize': 3, 'stride': 2, 'padding': 0, 'ceil': True}],
        ['batch_normal', {'rescale': 'shift'}],
    ],
    AddInPlace: [['add', {'x': False}, CONV, CONV]],
}


def picture_set(mode='select'):
    return DummyDataset('shapes', mode, [6, 6, 3], [3])


def made(model_class=CnnNetModel, hconfigs=None, **options):
    """A model with arrays that are all different from those of a new one."""
    model = model_class('net', picture_set(), CASES[model_class] if hconfigs is None else hconfigs, **options)
    for n, (_, holder, key) in enumerate(named_arrays(model)):
        holder[key] += 0.25 + n / 64
    return model


def content(model):
    """All arrays of a model, host copies by name."""
    return {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}


def equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def outputs(model):
    x = np.random.RandomState(1).normal(size=(2, 6, 6, 3)).astype('float32')
    return to_host(model.get_output(x))


@pytest.mark.parametrize('model_class', CASES, ids=lambda one: one.__name__)
def test_a_model_comes_back_whole(model_class, tmp_path):
    model = made(model_class)
    back = load(save(model, tmp_path / 'net.safetensors'))
    assert type(back) is model_class
    assert back.name == 'net'
    assert equal(content(back), content(model))
    assert np.array_equal(outputs(back), outputs(model))


def test_the_file_is_plain_safetensors_with_readable_names(tmp_path):
    model = made()
    arrays = load_file(save(model, tmp_path / 'net.safetensors'))
    assert set(model.parameters.names) < set(arrays)
    assert set(arrays) - set(model.parameters.names) == {
        'hidden.0.bn.mavg',
        'hidden.0.bn.mvar',
        'hidden.3.mavg',
        'hidden.3.mvar',
    }
    assert np.array_equal(arrays['output.w'], to_host(model.pm_output['w']))


def test_arguments_dataset_and_settings_come_back(tmp_path):
    model = made(l2_decay=0.01, label_smoothing=0.1, optimizer=['momentum', {}], epsilon=1e-3, clip_norm=2.0)
    model.dataset.target_names = ['a', '나', 'c']
    model.schedule = 'cosine'
    back = load(save(model, tmp_path / 'net.safetensors'))
    told = (
        'l2_decay',
        'label_smoothing',
        'optimizer_spec',
        'epsilon',
        'clip_norm',
        'weight_init',
        'schedule',
        'use_adam',
    )
    assert {name: getattr(back, name) for name in told} == {name: getattr(model, name) for name in told}
    assert type(back.optimizer) is type(model.optimizer)
    assert back.dataset.answer_names() == ['a', '나', 'c']
    assert (back.dataset.input_shape, back.dataset.output_shape) == ((6, 6, 3), (3,))


def test_two_choices_come_back(tmp_path):
    dataset = DualSelectDataset('two', [2])
    dataset.input_shape, dataset.output_shape, dataset.target_names = (6,), (5,), [['p', 'q'], ['a', 'b', 'c']]
    model = MlpModel('both', dataset, [4])
    back = load(save(model, tmp_path / 'both.safetensors'))
    x = np.ones((1, 6), 'float32')
    assert np.array_equal(to_host(back.get_estimate(x)), to_host(model.get_estimate(x)))
    assert to_host(back.get_estimate(x)).sum() == pytest.approx(2)


def test_a_macro_that_changes_later_does_not_change_an_old_file(tmp_path):
    CnnExtModel.set_macro('of_this_test', CONV)
    hconfigs = [['custom', {'name': 'of_this_test'}]]
    model = made(hconfigs=hconfigs)
    path = save(model, tmp_path / 'net.safetensors')
    CnnExtModel.set_macro('of_this_test', ['conv', {'ksize': 5, 'chn': 2}])
    assert equal(content(load(path)), content(model))
    with pytest.raises(WeightsError, match=r'hidden.0.pms.0.k is \[3, 3, 3, 4\] in the file, \[5, 5, 3, 2\] in the'):
        load_weights(made(hconfigs=hconfigs), path)
    del CnnExtModel.macros['of_this_test']


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = made()
    first, second = (save(model, tmp_path / f'{n}.safetensors') for n in (1, 2))
    copy = save(load(first), tmp_path / 'copy.safetensors')
    assert first.read_bytes() == second.read_bytes() == copy.read_bytes()


def test_loading_draws_no_random_numbers(tmp_path):
    path = save(made(), tmp_path / 'net.safetensors')
    rng.seed(7)
    load(path)
    after = rng.uniform(1)
    rng.seed(7)
    assert after == rng.uniform(1)


def test_weights_go_into_a_model_that_exists(tmp_path):
    model = made()
    other = CnnNetModel('other', picture_set(), CASES[CnnNetModel], optimizer='rmsprop')
    assert load_weights(other, save(model, tmp_path / 'net.safetensors')) is other
    assert equal(content(other), content(model))
    assert other.optimizer_spec == 'rmsprop'
    assert all(values is other.pm_output[key] for key, values in zip('wb', other.pm_output.values(), strict=True))


def test_a_training_goes_on_after_loading(dataset, tmp_path):
    rows = dataset()
    model = MlpModel('on', rows, [4])
    model.train(epoch_count=1, batch_size=10)
    back = load(save(model, tmp_path / 'on.safetensors'), dataset=rows)
    assert back.test() == model.test()
    before = content(back)
    back.train(epoch_count=1, batch_size=10)
    assert not equal(content(back), before)


@pytest.mark.parametrize('saved', ['float32', 'float64'])
def test_both_float_types_load_into_either(saved, tmp_path):
    with backend.precision(saved):
        model = made()
        expected = content(model)
        path = save(model, tmp_path / 'net.safetensors')
    for loaded in ('float32', 'float64'):
        with backend.precision(loaded):
            got = content(load(path))
            assert {array.dtype.name for array in got.values()} == {loaded}
            assert equal(got, {name: array.astype(loaded) for name, array in expected.items()})


# ---- classes of the reader's own


class Deep(CnnNetModel):
    def __init__(self, name, dataset, depth, width=4, **options):
        self.depth, self.width = depth, width
        super().__init__(name, dataset, [width] * depth, **options)


class Told(MlpModel):
    def __init__(self, name, dataset, hconfigs, mood='good', **options):
        self.mood = mood
        super().__init__(name, dataset, hconfigs, **options)


class Forgetful(MlpModel):
    def __init__(self, name, dataset, hconfigs, mood='good'):
        super().__init__(name, dataset, hconfigs)


def test_a_class_of_ones_own_must_be_named(tmp_path):
    model = made(Told, [4], mood='better')
    path = save(model, tmp_path / 'net.safetensors')
    with pytest.raises(WeightsError, match=r'saved from a Told, .* load\(path, model_class=Told\)'):
        load(path)
    back = load(path, Told)
    assert (type(back), back.mood) == (Told, 'better')
    assert equal(content(back), content(model))


def test_an_argument_that_is_kept_nowhere_is_told_before_saving(tmp_path):
    with pytest.raises(WeightsError, match="argument 'mood', but keeps it in no attribute"):
        save(made(Forgetful, [4]), tmp_path / 'net.safetensors')
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_takes_other_arguments_is_told(tmp_path):
    path = save(made(Told, [4]), tmp_path / 'net.safetensors')
    with pytest.raises(WeightsError, match=r'no MlpModel can be made .*mood'):
        load(path, MlpModel)


# ---- what is not sound


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
    refuse(path, 'expected float16 or float32 or float64, but output.b is i64')


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
