"""save, load, load_weights: what comes back is what went in."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from chapters import AdamModel, CnnExtModel, CnnNetModel, MlpModel, load, load_weights, save
from chapters.weightfiles import WeightsError
from data import DualSelectDataset
from mathlib import backend, rng
from mathlib.backend import to_host
from tests.chapters.weight_models import CASES, CONV, content, equal, made, outputs, picture_set


def test_the_optimiser_starts_anew_with_other_numbers(tmp_path):
    model = made(AdamModel, [4])
    path = save(model, tmp_path / 'net.safetensors')
    model.parameters.begin()
    model.parameters.complete()
    model.adam.update(model.parameters, 0.01)
    load_weights(model, path)
    assert (model.adam.step, model.adam.s, model.adam.t) == (0, None, None)


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
    with pytest.raises(WeightsError, match='a Told; no MlpModel can be made of it, which knows no mood: leave'):
        load(path, MlpModel)
    for wrong in ('MlpModel', made(Told, [4]).dataset, dict):
        with pytest.raises(WeightsError, match=r'expected a class such as Told.* load\(path, dataset=\.\.\.\)'):
            load(path, wrong)
