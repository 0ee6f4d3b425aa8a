"""What happens inside a training: what is drawn, fetched, timed, kept, and when it counts as one."""

import itertools
import re

import numpy as np
import pytest

from chapters import CnnExtModel, MlpModel, check_gradients
from chapters.config import Option, normalize, positive_int
from chapters.history import Epoch, History, StepLog
from data import Dataset, DummyDataset
from mathlib.backend import precision, to_device, to_host, xp
from mathlib.errors import ConfigError, TrainingError


def test_only_a_training_step_counts_as_training(dataset):
    seen = []

    class Watched(MlpModel):
        def forward_layer(self, x, hconfig, pm):
            seen.append(self.is_training)
            return super().forward_layer(x, hconfig, pm)

    model = Watched('m', dataset(), [])
    model.train(epoch_count=1, batch_size=40, report=1)
    model.test()
    assert seen == [True, False, False]


@pytest.mark.parametrize('widths', [[], [4]])
def test_the_first_layer_computes_no_gradient_of_its_input(dataset, widths):
    model = MlpModel('m', dataset(), widths)
    output, aux = model.forward_neuralnet(to_device(model.dataset.tr_xs[:8]))
    assert model.backprop_neuralnet(output, aux) is None


def test_an_extra_cost_is_added_and_led_back(dataset):
    class Decaying(MlpModel):
        def forward_extra_cost(self, y):
            return xp.square(self.pm_output['w']).sum(), self.pm_output['w']

        def backprop_extra_cost(self, G_loss, aux):
            self.update_param(self.pm_output, 'w', 2 * G_loss * aux)

    with precision('float64'):
        model = Decaying('m', dataset(), [4])
        checks = check_gradients(model, model.dataset.tr_xs[:8], model.dataset.tr_ys[:8], show=False)
        assert [check.name for check in checks if not check.right] == []
        output, y = to_device(np.ones((2, 3))), to_device(np.eye(3)[:2])
        _, aux = model.forward_postproc(output, y)
        once, twice = (to_host(model.backprop_postproc(G_loss, aux)) for G_loss in (1.0, 2.0))
    assert twice == pytest.approx(2 * once)


@pytest.mark.parametrize('every', [1, 3, 100])
def test_results_may_be_fetched_some_steps_at_a_time(dataset, monkeypatch, every):
    expected = MlpModel('m', dataset(), [4]).train(epoch_count=2, learning_rate=0.1).costs
    monkeypatch.setattr('chapters.history.FETCH_EVERY', every)
    model = MlpModel('m', dataset(), [4])
    assert model.train(epoch_count=2, learning_rate=0.1).costs == expected
    assert len(model.train_epoch(1, 1, 10, 4)[0]) == 4


def test_seconds_of_an_epoch_and_since_the_last_line(dataset, monkeypatch, capsys):
    model = MlpModel('m', dataset(), [])
    ticks = itertools.count()
    monkeypatch.setattr('time.monotonic', lambda: float(next(ticks)))
    history = model.train(epoch_count=4, report=2)
    assert [epoch.seconds for epoch in history.epochs] == [1.0] * 4
    assert re.findall(r'\((\d+/\d+) secs', capsys.readouterr().out) == ['4/4', '4/8']


def test_validation_asks_for_100_rows(dataset, monkeypatch):
    model = MlpModel('m', dataset(), [])
    asked = []
    honest = model.dataset.get_validate_data
    monkeypatch.setattr(model.dataset, 'get_validate_data', lambda count: asked.append(count) or honest(count))
    model.validate()
    assert asked == [100]


def test_a_model_can_be_tested_before_it_is_trained(dataset):
    model = MlpModel('m', dataset(), [])
    assert 0 <= model.test() <= 1
    assert model.history is None


def test_two_accuracies_of_a_step_stay_two():
    log = StepLog()
    log.add(to_device(np.array(1.5)), to_device(np.array([0.25, 0.5])))
    assert log.fetch()
    assert (log.costs, log.accuracies, log.steps) == ([1.5], [[0.25, 0.5]], 1)


def test_a_record_of_a_history_is_a_copy():
    history = History('m', 'd', {}, [Epoch(1, 2.0, 0.5, None, 1.0)])
    history.as_dict()['epochs'][0]['cost'] = 7.0
    assert history.costs == [2.0]


@pytest.mark.parametrize(
    'setting',
    [
        dict(batch_size=True),
        dict(learning_rate=float('inf')),
        dict(learning_rate=True),
        dict(learning_rate=10**400),
    ],
)
def test_settings_that_only_look_like_numbers(dataset, setting):
    with pytest.raises(ConfigError, match=f'm: {next(iter(setting))} is '):
        MlpModel('m', dataset(), []).train(**setting)


def test_all_training_rows_may_be_one_batch(dataset):
    assert len(MlpModel('m', dataset(), []).train(epoch_count=1, batch_size=40).costs) == 1


def test_gradients_may_be_checked_twice(dataset):
    with precision('float64'):
        model = MlpModel('m', dataset(), [4])
        for _ in range(2):
            checks = check_gradients(model, model.dataset.tr_xs[:8], model.dataset.tr_ys[:8], samples=3, show=False)
            assert [len(check.places) for check in checks] == [3, 3, 3, 3]
            assert all(check.right for check in checks)


def test_options_cannot_be_changed_afterwards():
    (layer,) = normalize(30, {'full': {'width': Option(positive_int)}})
    with pytest.raises(TypeError):
        layer.options['width'] = 10


def test_an_interrupted_step_leaves_nothing_behind(dataset):
    def train(interrupt):
        model = MlpModel('m', dataset(), [4])
        model.learning_rate = 0.1
        x, y = to_device(model.dataset.tr_xs[:8]), to_device(model.dataset.tr_ys[:8])
        if interrupt:
            honest, model.backprop_input = model.backprop_input, interrupted
            with pytest.raises(KeyboardInterrupt):
                model.train_step(x, y)
            model.backprop_input = honest
        assert not model.is_training
        model.train_step(x, y)
        return to_host(model.parameters.values)

    assert np.array_equal(train(interrupt=True), train(interrupt=False))


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_last_step_that_spoils_the_parameters_is_found_too(dataset):
    model = MlpModel('m', dataset('regression'), [])
    expected = 'm: a parameter is no longer a finite number after epoch 1, step 1: output.w of output layer'
    with pytest.raises(TrainingError, match=expected):
        model.train(epoch_count=1, batch_size=40, learning_rate=1e300)


def test_numbers_of_numpy_are_settings_too_and_are_kept_as_plain_ones(dataset):
    model = MlpModel('m', dataset(), [])
    history = model.train(np.int64(1), np.int32(10), np.float64(0.1), np.int64(0))
    assert [type(value) for value in history.settings.values()] == [int, int, float, int]
    assert model.parameters.values.dtype == to_device(np.ones(1)).dtype


def test_whole_numbers_as_inputs_do_not_change_the_float_type():
    counts = Dataset('counts', 'select')
    counts.shuffle_data(np.arange(120).reshape(40, 3), np.eye(2, dtype=int)[np.arange(40) % 2])
    with precision('float32'):
        model = MlpModel('m', counts, [4])
        model.learning_rate = 1e-6
        cost, _ = model.train_step(to_device(counts.tr_xs[:4]), to_device(counts.tr_ys[:4]))
        assert cost.dtype == model.get_output(counts.te_xs).dtype == np.float32


@pytest.mark.parametrize(
    ('name', 'given', 'message'),
    [
        (3, None, 'the name of a model is 3: expected a word, as in MlpModel(name, dataset, hconfigs)'),
        ('m', None, 'm: the dataset is None: expected a Dataset, such as FlowersDataset()'),
        ('m', Dataset, 'm: the dataset is <class '),
        ('m', Dataset('empty', 'select'), 'm: the dataset empty has no rows yet: it must call shuffle_data(xs, ys)'),
    ],
)
def test_a_model_needs_a_name_and_a_dataset_with_rows(name, given, message):
    with pytest.raises(ConfigError, match='^' + re.escape(message)):
        MlpModel(name, given, [3])


def test_a_layer_that_no_memory_holds_is_refused_with_its_size(dataset, monkeypatch):
    def full(mean, std, shape):
        raise MemoryError

    monkeypatch.setattr('chapters.ch05_mlp_model.rng.normal', full)
    with pytest.raises(ConfigError, match=r'm: layer 1 > full: weights of shape \[5, 1000\] are 0 MB while they are'):
        MlpModel('m', dataset(), [1000])


@pytest.mark.parametrize('count', [0, -1, 2.5])
def test_only_a_whole_number_of_rows_can_be_shown(dataset, count):
    message = f'm: the number of rows to visualize is {count}: expected a whole number of at least 1'
    with pytest.raises(ConfigError, match=message):
        MlpModel('m', dataset(), []).visualize(count)


def test_a_history_says_what_it_is_in_a_line():
    history = History('m', 'd', {}, [Epoch(1, 2.0, 0.5, None, 1.0)], [0.25, 0.5])
    assert repr(history) == 'History(m: 1 epochs, last cost 2.000, test accuracy 0.250+0.500)'


@pytest.mark.parametrize('inside', [False, True])
def test_a_gradient_of_the_wrong_shape_names_the_layer_that_it_comes_back_to(inside):
    class Cropping(CnnExtModel):
        def alloc_own_layer(self, shape, hconfig):
            return {}, shape

        def forward_own_layer(self, x, hconfig, pm):
            return x, None

        def backprop_own_layer(self, G_y, hconfig, pm, aux):
            return G_y[:, :-1]

    conv = ['conv', {'ksize': 3, 'chn': 2}]
    layers = [conv, ['serial', conv, ['own', {}]] if inside else ['own', {}]]
    model = Cropping('net', DummyDataset('d', 'select', [6, 6, 2], [3]), layers)
    layer = 'layer 2 > serial > layer 1 > conv' if inside else 'layer 1 > conv'
    message = (
        f'net: {layer} makes rows of shape [6, 6, 2], but the gradient that comes back to it has rows of shape [5, 6'
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        model.compute_gradients(to_device(np.ones((2, 6, 6, 2))), to_device(np.eye(3)[:2]))


def test_another_error_in_a_readers_backprop_method_stays_with_a_note_of_the_layer():
    class Failing(CnnExtModel):
        def backprop_full_layer(self, G_y, hconfig, pm, aux):
            raise ValueError('mine')

    model = Failing('net', DummyDataset('d', 'select', [4], [3]), [5])
    with pytest.raises(ValueError, match='^mine') as problem:
        model.compute_gradients(to_device(np.ones((2, 4))), to_device(np.eye(3)[:2]))
    assert problem.value.__notes__ == ['This was in the backprop method of output layer in net.']
