"""NaN and infinity: found in the step in which they arise, with the layer named, before any parameter is moved."""

import numpy as np
import pytest

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel
from chapters.weights import named_arrays
from data import Dataset
from mathlib import backend, rng, team
from mathlib.backend import to_device, to_host
from mathlib.errors import TrainingError
from tests.chapters.weight_models import CASES, CONV

DEEP = [CONV, ['loop', {'repeat': 2}, ['add', {'x': False}, CONV, ['serial', CONV, CONV]]], 5]
ADVICE = 'The usual cause is a learning rate too high for this data: it was 0.001, try 0.0001'
FIRST = 'This was the first step, before any update, so no learning rate is to blame: look at the layer named, at its '
UNMOVED = 'and the parameters are those before this step'
SPOILT = 'but the parameters are spoilt'


class Pictures(Dataset):
    """60 random pictures, 40 of them to learn from."""

    def __init__(self, mode='select', outputs=3):
        super().__init__('pictures', mode)
        draws = np.random.RandomState(0)
        rng.seed(1)
        ys = np.eye(3)[draws.randint(0, 3, 60)] if mode == 'select' else draws.normal(size=(60, outputs))
        self.shuffle_data(draws.normal(size=(60, 6, 6, 3)), ys)


@pytest.fixture(autouse=True, params=[1, 2])
def every_step_is_looked_at(request, monkeypatch):
    """As on NumPy, on both backends; alone and, where there are threads, by a team of two."""
    monkeypatch.setattr('chapters.history.FETCH_EVERY', 1)
    if backend.name == 'numpy':
        monkeypatch.setattr(team, 'size', lambda rows, *_: min(request.param, rows))


def arrays(model):
    return {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}


def fails(model, *expected, unmoved=True, **settings):
    """Train; the message must hold all that is expected, and the parameters be those after `good` steps."""
    seen = {}
    honest = model.train_step

    def train_step(x, y):
        seen.update(arrays=arrays(model), stream=None)
        result = honest(x, y)
        seen.clear()
        return result

    model.train_step = train_step
    with pytest.raises(TrainingError) as problem:
        model.train(**{'epoch_count': 2, 'batch_size': 10, **settings})
    for text in expected:
        assert text in str(problem.value)
    assert problem.value.history is model.history
    if unmoved:
        assert UNMOVED in str(problem.value)
        now = arrays(model)
        for name, values in seen['arrays'].items():
            np.testing.assert_array_equal(now[name], values, err_msg=name)
    else:
        assert SPOILT in str(problem.value)
    return str(problem.value)


def spoil_rows(dataset, rows, what='tr_xs', value=np.nan):
    for row in rows:
        getattr(dataset, what)[row].reshape(-1)[-1] = value


@pytest.mark.parametrize('model_class', CASES)
def test_a_row_of_every_class_that_is_not_finite_is_named(model_class):
    dataset = Pictures()
    rng.seed(3)
    model = model_class('net', dataset, CASES[model_class])
    state = rng.get_state()
    dataset.shuffle_train_data(40)
    place = int(np.flatnonzero(dataset.indices == 17)[0])
    rng.set_state(state)
    spoil_rows(dataset, [17])
    fails(
        model,
        f'net: the cost is no longer a finite number in epoch 1, step {place // 10 + 1}: among the inputs, row '
        f'{place % 10 + 1} of the batch is not finite (in the training data, counted from 0: 17). ',
        'Mend the data, or leave such rows out.',
    )
    assert model.history.epochs == []


def test_several_rows_and_answers():
    dataset = Pictures('regression')
    model = CnnBasicModel('net', dataset, [CONV])
    spoil_rows(dataset, range(40), 'tr_ys', np.inf)
    fails(model, 'epoch 1, step 1: among the answers, rows 1, 2, 3 and 7 more of the batch are not finite (in the')


@pytest.mark.parametrize('model_class', CASES)
def test_parameters_that_are_not_finite_before_the_first_step(model_class):
    model = model_class('net', Pictures(), CASES[model_class])
    model.pm_output['w'][1, 2] = float('nan')
    (count,) = [values.size for name, values, _ in model.parameters.items() if name == 'output.w']
    fails(
        model,
        'net: a parameter is no longer a finite number before epoch 1, step 1: output.w of output layer '
        f'(1 of {count} numbers). ',
        'Make the model anew, or load its parameters again.',
        unmoved=False,
    )


def test_an_update_that_spoils_the_parameters_is_named_with_its_step():
    class Jumping(AdamModel):
        steps = 0

        def apply_gradients(self):
            super().apply_gradients()
            self.steps += 1
            if self.steps == 3:
                self.pm_hiddens[1]['b'][2] = float('inf')
                self.pm_output['w'][...] = float('nan')

    model = Jumping('net', Pictures(), [4, 5])
    fails(
        model,
        'net: a parameter is no longer a finite number after epoch 1, step 3: hidden.1.b of layer 2 > full (1 of 5 '
        'numbers), output.w of output layer (15 of 15 numbers). ',
        ADVICE,
        unmoved=False,
    )


def test_an_update_of_the_last_step_of_an_epoch_is_found_at_its_end():
    model = MlpModel('net', Pictures(), [])
    model.dataset.tr_xs = model.dataset.tr_xs * 1e6
    fails(
        model,
        'net: a parameter is no longer a finite number after epoch 1, step 1: output.w of output layer (324 of 324 ',
        'it was 1e+308, try 1e+307',
        unmoved=False,
        batch_size=40,
        learning_rate=1e308,
    )


@pytest.mark.parametrize('model_class', [CnnExtModel, CnnNetModel])
def test_the_layer_in_a_composite_that_overflows_forward_is_named_with_its_turn(model_class):
    model = model_class('net', Pictures(), DEEP)
    second = model.structure[1].pm['placed'][1].pm['placed'][1].pm['placed'][1]
    assert second.layer.path == 'layer 2 > loop > add > branch 2 > serial > layer 2 > conv'
    second.pm['k'][...] = 3e38 if backend.dtype == np.float32 else 1e308
    model.parameters.values[...] = to_device(np.abs(to_host(model.parameters.values)))
    message = fails(
        model,
        'net: the cost is no longer a finite number in epoch 1, step 1: ',
        'layer 2 > loop > add > branch 2 > serial > layer 2 > conv (turn 2) makes it so on the way forward, of inputs',
        'and parameters up to 3.0e+38. ' if backend.dtype == np.float32 else 'and parameters up to 1.0e+308. ',
        FIRST,
    )
    assert 'its history (0 whole epochs) is kept in model.history' in message


def test_the_first_layer_is_named_though_another_spreads_it_to_all_rows():
    class OneRow(CnnExtModel):
        def forward_max_layer(self, x, hconfig, pm):
            y, aux = super().forward_max_layer(x, hconfig, pm)
            if team.member().rank == team.member().size - 1:
                y[-1] = float('inf')
            return y, aux

    # The last member has the row; by way of mean and variance the others meet it in the next layer.
    model = OneRow('net', Pictures(), [CONV, ['max', {'stride': 2}], ['batch_normal'], ['full', {'width': 4}]])
    fails(model, 'epoch 1, step 1: layer 2 > max makes it so on the way forward, of inputs up to ', FIRST)


def test_the_cost_alone_overflows():
    model = MlpModel('net', Pictures('regression'), [4])
    model.pm_output['b'][...] = 1e30 if backend.dtype == np.float32 else 1e200
    fails(model, 'it is too large for the float type, as the outputs reach 1.0e+', FIRST)


def test_the_cost_of_weight_decay_overflows():
    model = CnnRegModel('net', Pictures(), [CONV, 4], l2_decay=0.1)
    model.pm_hiddens[0]['k'][0, 0, 0, 0] = -1e25 if backend.dtype == np.float32 else -1e200
    fails(model, 'epoch 1, step 1: what weight decay adds to it, as the weights are too large. ', FIRST)


class WrongBack(CnnNetModel):
    """The third layer's way back gives infinity in the second step, as `spoiled` says where."""

    spoiled, steps = 'G_x', 0

    def backprop_max_layer(self, G_y, hconfig, pm, aux):
        G_x = super().backprop_max_layer(G_y, hconfig, pm, aux)
        if self.spoiled == 'G_x' and self.steps == 1:
            G_x = G_x.copy()
            G_x[-1] = float('inf')
        return G_x

    def backprop_full_layer(self, G_y, hconfig, pm, aux):
        if self.spoiled == 'G_w' and self.steps == 1 and hconfig['width'] == 7:
            G_y = G_y.copy()
            G_y[0, 0] = float('nan')
        return super().backprop_full_layer(G_y, hconfig, pm, aux)

    def apply_gradients(self):
        super().apply_gradients()
        self.steps += 1


@pytest.mark.parametrize(
    ('spoiled', 'expected'),
    [
        ('G_x', 'layer 3 > serial > layer 1 > max makes it so on the way back, in its G_x. '),
        ('G_w', 'layer 4 > full makes it so on the way back, in that of hidden.3.w. '),
    ],
)
def test_the_layer_whose_way_back_overflows_is_named(spoiled, expected):
    # Dropout and batch normalisation: the step that is looked at again must draw the same, and leave no trace.
    layers = [CONV, ['dropout', {'keep_prob': 0.5}], ['serial', ['max', {'stride': 2}], ['batch_normal']], 7]
    model = WrongBack('net', Pictures(), layers)
    model.spoiled = spoiled
    fails(model, f'net: a gradient is no longer a finite number in epoch 1, step 2: {expected}', ADVICE)


def test_the_stream_stands_where_the_step_left_it():
    def stream(spoiled):
        model = WrongBack('net', Pictures(), [CONV, ['dropout', {'keep_prob': 0.5}], ['max', {'stride': 2}]])
        model.spoiled, model.steps = spoiled, 1
        x, y = to_device(model.dataset.tr_xs[:4]), to_device(model.dataset.tr_ys[:4])
        with backend.quiet():
            if spoiled:
                with pytest.raises(TrainingError, match='net: a gradient is no longer a finite number in this step: '):
                    model.train_step(x, y)
            else:
                model.train_step(x, y)
        return rng.uniform(2).tolist()

    assert stream('G_x') == stream('')


def test_large_gradients_whose_squares_overflow_are_no_error():
    model = MlpModel('net', Pictures('regression'), [])
    largest = 1e15 if backend.dtype == np.float32 else 1e130
    model.dataset.tr_xs = model.dataset.tr_xs * largest
    model.pm_output['w'][...] = 1e-5
    x, y = to_device(model.dataset.tr_xs[:4]), to_device(model.dataset.tr_ys[:4])
    model.compute_gradients(x, y)
    assert np.abs(to_host(model.parameters.gradients)).max() > np.sqrt(np.finfo(backend.dtype).max)
    model.learning_rate = 1e-30
    with backend.quiet():
        cost, _ = model.train_step(x, y)
    assert np.isfinite(float(cost))


def test_where_a_gpu_does_not_wait_the_step_is_known_all_the_same(monkeypatch):
    monkeypatch.setattr('chapters.history.FETCH_EVERY', 100)
    model = WrongBack('net', Pictures(), [CONV, CONV, ['max', {'stride': 2}]])
    fails(
        model,
        'net: the cost is no longer a finite number in epoch 1, step 2: by the time it was looked at, these were not '
        'finite either: hidden.0.k of layer 1 > conv (108 of 108 numbers)',
        'with chapters.history.FETCH_EVERY = 1 a GPU waits for every step, and the layer is found',
        unmoved=False,
    )


@pytest.mark.parametrize('model_class', [MlpModel, CnnExtModel])
def test_test_and_validation_data_that_are_not_finite_are_told_apart_from_the_network(model_class):
    model = model_class('net', Pictures(), CASES[model_class])
    spoil_rows(model.dataset, [2, 5], 'te_xs')
    count = len(model.dataset.te_xs)
    with pytest.raises(TrainingError) as problem:
        model.test()
    assert str(problem.value) == (
        f'net: the outputs for 2 of {count} rows of the test data are not finite, as their inputs are not finite '
        'already (counted from 0: 2, 5). Mend the data, or leave such rows out.'
    )
    spoil_rows(model.dataset, range(len(model.dataset.va_xs)), 'va_xs', np.inf)
    with pytest.raises(
        TrainingError, match='rows of the validation data that were drawn are not finite, as their'
    ) as p:
        model.train(epoch_count=2, batch_size=10, report=1)
    assert p.value.history is model.history
    with pytest.raises(TrainingError, match='net: the outputs for 1 of 3 rows of what is to be estimated are not'):
        model.get_estimate(model.dataset.te_xs[:3])


def test_answers_and_parameters_that_are_not_finite_are_found_without_a_step():
    model = MlpModel('net', Pictures('regression'), [4])
    assert np.isfinite(model.test()) and np.isfinite(model.validate())
    model.pm_output['w'][0, 0] = float('nan')
    with pytest.raises(TrainingError, match='of them are: the network makes them so; these parameters'):
        model.test()
    assert 'get_output' not in vars(model)
    spoil_rows(model.dataset, [0, 1], 'te_xs')
    count = len(model.dataset.te_xs)
    with pytest.raises(
        TrainingError, match=f'for {count} of {count} rows .* the inputs of {count - 2} of them are: the'
    ):
        model.test()
    spoil_rows(model.dataset, [1], 'te_ys')
    with pytest.raises(TrainingError, match='the answers of 1 of .* rows of the test data are not finite .* 0: 1'):
        model.test()


def test_an_accuracy_of_ones_own_is_called_as_before():
    class Turned(MlpModel):
        def eval_accuracy(self, x, y, output=None):
            asked.append(output)
            return super().eval_accuracy(x, y, self.get_output(x) if output is None else output)

    asked = []
    model = Turned('net', Pictures(), [4])
    model.test()
    model.validate()
    assert asked == [None, None]
    model.dataset.te_xs[0] = np.nan
    with pytest.raises(TrainingError, match='as their inputs are not finite already .counted from 0: 0.'):
        model.test()


def test_in_the_first_step_no_learning_rate_is_blamed_where_a_gpu_does_not_wait(monkeypatch):
    monkeypatch.setattr('chapters.history.FETCH_EVERY', 100)
    model = WrongBack('net', Pictures(), [CONV, CONV, ['max', {'stride': 2}]])
    model.steps = 1
    assert ADVICE not in fails(
        model, 'net: the cost is no longer a finite number in epoch 1, step 1: ', FIRST, unmoved=False
    )
