import re

import numpy as np
import pytest

from chapters import MlpModel, check_gradients
from chapters.history import History
from data import DummyDataset
from mathlib import backend, rng
from mathlib.backend import precision, to_device, to_host
from mathlib.errors import ConfigError, TrainingError

MODES = ['regression', 'binary', 'select']


def numpy_training(dataset, widths, epochs, batch, rate):
    """The book's training loop in plain NumPy for a regression, with its own RandomState: costs of all steps.

    It must draw as the book does: the split, then the weights layer by layer, then one shuffle an epoch.
    """
    draws = np.random.RandomState(1234)
    order = np.arange(60)
    draws.shuffle(order)
    xs = np.random.RandomState(7).normal(size=(60, 5))
    ys = np.concatenate([dataset.tr_ys, dataset.va_ys, dataset.te_ys])[np.argsort(order)]
    xs, ys = xs[order[:40]], ys[order[:40]]
    sizes = [5, *widths, 1]
    weights = [draws.normal(0, 0.03, shape) for shape in zip(sizes[:-1], sizes[1:], strict=True)]
    biases = [np.zeros(size) for size in sizes[1:]]
    costs = []
    for _ in range(epochs):
        rows = np.arange(40)
        draws.shuffle(rows)
        for part in np.split(rows, 40 // batch):
            values = [xs[part]]
            for n, (w, b) in enumerate(zip(weights, biases, strict=True)):
                value = values[-1] @ w + b
                values.append(value if n == len(weights) - 1 else np.maximum(value, 0))
            G = 2 * (values[-1] - ys[part]) / values[-1].size
            costs.append(np.mean((values[-1] - ys[part]) ** 2))
            for n in reversed(range(len(weights))):
                G_w, G_b, G_x = values[n].T @ G, G.sum(axis=0), G @ weights[n].T
                weights[n] -= rate * G_w
                biases[n] -= rate * G_b
                G = G_x * (values[n] > 0)
    return costs


@pytest.mark.parametrize('widths', [[], [4], [6, 3]])
def test_training_follows_the_books_loop_and_its_random_numbers(dataset, widths):
    with precision('float64'):
        tiny = dataset('regression')
        model = MlpModel('m', tiny, widths)
        history = model.train(epoch_count=3, batch_size=10, learning_rate=0.01)
    expected = np.mean(np.reshape(numpy_training(tiny, widths, 3, 10, 0.01), (3, 4)), axis=1)
    assert history.costs == pytest.approx(expected.tolist(), rel=1e-12)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('widths', [[], [4], [6, 3]])
def test_gradients_follow_finite_differences(dataset, mode, widths):
    with precision('float64'):
        model = MlpModel('m', dataset(mode), widths)
        model.parameters.values += to_device(np.random.RandomState(0).normal(size=len(model.parameters)) * 0.3)
        checks = check_gradients(model, model.dataset.tr_xs[:8], model.dataset.tr_ys[:8], samples=None, show=False)
    assert len(checks) == 2 * (len(widths) + 1)
    assert [check.name for check in checks if not check.right] == []


@pytest.mark.parametrize('mode', MODES)
def test_a_training_step_keeps_the_float_type(dataset, mode):
    for dtype in ('float32', 'float64'):
        with precision(dtype):
            model = MlpModel('m', dataset(mode), [4])
            model.learning_rate = 0.1
            cost, accuracy = model.train_step(to_device(model.dataset.tr_xs[:4]), to_device(model.dataset.tr_ys[:4]))
            output = model.get_output(model.dataset.te_xs)
            estimate = model.get_estimate(model.dataset.te_xs)
            arrays = [cost, output, estimate, model.parameters.values, model.parameters.gradients]
        assert {str(array.dtype) for array in arrays} == {dtype}
        assert accuracy.ndim == 0


def test_the_same_seed_gives_the_same_run_bit_for_bit(dataset):
    def run():
        model = MlpModel('m', dataset(), [4])
        model.train(epoch_count=2, report=1)
        return to_host(model.parameters.values)

    assert np.array_equal(run(), run())


def test_the_books_log_lines(dataset, capsys):
    model = MlpModel('flowers_model', dataset(), [4])
    history = model.exec_all(epoch_count=4, batch_size=10, report=2, show_cnt=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Model flowers_model train started:'
    numbers = re.fullmatch(
        r'    Epoch 2: cost=(\d\.\d{3}), accuracy=(\d\.\d{3})/(\d\.\d{3}) \(\d+/\d+ secs\)', lines[1]
    )
    assert [float(n) for n in numbers.groups()] == pytest.approx(
        [history.costs[1], history.train_accuracies[1], history.validation_accuracies[1]], abs=5e-4
    )
    assert lines[2].startswith('    Epoch 4: cost=')
    assert re.fullmatch(r'Model flowers_model train ended in \d+ secs:', lines[3])
    assert re.fullmatch(r'Model flowers_model test report: accuracy = \d\.\d{3}, \(\d+ secs\)', lines[4])
    assert lines[5:] == ['', 'Model flowers_model Visualization', '2 rows, estimates (2, 3), answers (2, 3)']


def test_without_report_only_the_end_is_told_and_nothing_is_drawn_for_validation(dataset, capsys):
    model = MlpModel('m', dataset(), [])
    state = rng.get_state()
    history = model.train(epoch_count=2)
    assert re.fullmatch(r'Model m train ended in \d+ secs:\n', capsys.readouterr().out)
    assert history.validation_accuracies == [None, None]
    after = rng.get_state()[1:3]
    rng.set_state(state)
    for _ in range(2):
        rng.shuffle(np.arange(40))
    assert np.array_equal(rng.get_state()[1], after[0])
    assert rng.get_state()[2] == after[1]


def test_test_accuracy_is_the_share_of_right_rows(dataset, capsys):
    model = MlpModel('m', dataset(), [])
    model.train(epoch_count=20, learning_rate=0.5)
    accuracy = model.test()
    output = to_host(model.get_output(model.dataset.te_xs))
    share = np.mean(output.argmax(axis=1) == model.dataset.te_ys.argmax(axis=1))
    assert accuracy == pytest.approx(share)
    assert accuracy > 0.6
    assert model.history.test_accuracy == accuracy


def test_outputs_do_not_depend_on_how_many_rows_go_at_once(dataset, monkeypatch):
    model = MlpModel('m', dataset(), [4])
    whole = to_host(model.get_output(model.dataset.tr_xs))
    monkeypatch.setattr('chapters.ch05_mlp_model.ROWS_AT_ONCE', 7)
    assert to_host(model.get_output(model.dataset.tr_xs)) == pytest.approx(whole, rel=1e-5, abs=1e-7)


def test_pictures_are_flattened_for_a_full_layer():
    model = MlpModel('m', DummyDataset('pictures', 'select', [4, 6, 3], [5]), [7])
    assert model.pm_hiddens[0]['w'].shape == (72, 7)
    output, _ = model.forward_neuralnet(to_device(np.ones((2, 4, 6, 3))))
    assert output.shape == (2, 5)


def test_parameters_are_counted(capsys):
    model = MlpModel('m', DummyDataset('flowers', 'select', [30000], [5]), [30, 10])
    assert len(model.parameters) == 900_030 + 310 + 55
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == 'Total parameter count: 900395'
    assert lines[2].split() == ['1', 'full', 'relu', '[30000]', '=>', '[30]', '30000x30+30', '900030']
    assert lines[4].split() == ['output', 'full', 'none', '[10]', '=>', '[5]', '10x5+5', '55']


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(batch_size=41), 'm: batch_size is 41, but tiny has 40 training rows: take a batch of at most 40'),
        (dict(batch_size=0), 'm: batch_size is 0: expected a whole number of at least 1'),
        (dict(batch_size=2.5), 'm: batch_size is 2.5: expected a whole number of at least 1'),
        (dict(epoch_count=0), 'm: epoch_count is 0: expected a whole number of at least 1'),
        (dict(report=-1), 'm: report is -1: expected a whole number of at least 0'),
        (dict(learning_rate=0), 'm: learning_rate is 0: expected a number above 0, such as 0.001'),
        (dict(learning_rate=float('nan')), 'm: learning_rate is nan: expected a number above 0, such as 0.001'),
        (dict(learning_rate='fast'), "m: learning_rate is 'fast': expected a number above 0, such as 0.001"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_training(dataset, settings, message):
    model = MlpModel('m', dataset(), [])
    before = to_host(model.parameters.values.copy())
    with pytest.raises(ConfigError, match=re.escape(message)):
        model.train(**settings)
    assert np.array_equal(to_host(model.parameters.values), before)


def test_a_wrong_configuration_names_the_model_and_the_layer(dataset):
    with pytest.raises(
        ConfigError, match=re.escape("m: layer 2 > full: 'width' is -1: expected a whole number above 0")
    ):
        MlpModel('m', dataset(), [4, -1])


def test_a_cost_that_is_not_finite_stops_at_once_and_keeps_the_history(dataset):
    model = MlpModel('m', dataset('regression'), [])
    model.train(epoch_count=1, learning_rate=0.01)
    tiny = model.dataset
    handed_out = []
    honest = tiny.get_train_data

    def poisoned(batch_size, nth):
        handed_out.append(nth)
        x, y = honest(batch_size, nth)
        return (x * np.nan, y) if len(handed_out) == 7 else (x, y)

    tiny.get_train_data = poisoned
    with pytest.raises(TrainingError, match='m: the cost is no longer a finite number in epoch 2, step 3') as problem:
        model.train(epoch_count=5, learning_rate=0.01)
    assert len(problem.value.history.epochs) == 1
    assert model.history is problem.value.history
    if backend.name == 'numpy':
        assert len(handed_out) == 7


def test_a_learning_rate_far_too_high_ends_in_a_clear_error(dataset):
    model = MlpModel('m', dataset('regression'), [8])
    with pytest.raises(TrainingError, match='a learning rate too high for this data: it was 1e\\+06, try 100000'):
        model.train(epoch_count=5, learning_rate=1e6)


def test_a_subclass_may_override_a_layers_forward_pass(dataset):
    class Doubled(MlpModel):
        def forward_layer(self, x, hconfig, pm):
            y, aux = super().forward_layer(x, hconfig, pm)
            return 2 * y, aux

    tiny = dataset()
    plain, doubled = MlpModel('m', tiny, []), Doubled('m', tiny, [])
    doubled.parameters.values[...] = plain.parameters.values
    assert to_host(doubled.get_output(tiny.te_xs)) == pytest.approx(2 * to_host(plain.get_output(tiny.te_xs)))


def test_a_history_survives_json(dataset):
    model = MlpModel('m', dataset(), [])
    model.exec_all(epoch_count=2, report=1, show_cnt=0)
    assert History.from_dict(model.history.as_dict()) == model.history
    assert model.history.settings == dict(epoch_count=2, batch_size=10, learning_rate=0.001, report=1)


def test_str_names_model_and_data(dataset):
    assert str(MlpModel('m', dataset(), [])) == 'm/tiny(select, 40+17+3)'
