import numpy as np
import pytest

from chapters import ch04_mlp
from mathlib import losses, rng
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.errors import ConfigError


def pm(w, b):
    return {'w': to_device(np.array(w, dtype=float)), 'b': to_device(np.array(b, dtype=float))}


def test_a_forward_pass_by_hand():
    hidden, output = pm([[1, -1], [2, 1]], [0, 1]), pm([[3], [5]], [-2])
    y, (x, middle) = ch04_mlp.forward_neuralnet_hidden1(to_device(np.array([[1.0, 2.0]])), hidden, output)
    assert to_host(middle).tolist() == [[5, 2]]  # 1+4+0 and -1+2+1
    assert to_host(y).tolist() == [[23]]  # 15+10-2


def test_a_backward_pass_by_hand():
    hidden, output = pm([[1, -1], [2, 1]], [0, -5]), pm([[3], [5]], [-2])
    y, aux = ch04_mlp.forward_neuralnet_hidden1(to_device(np.array([[1.0, 2.0]])), hidden, output)
    ch04_mlp.backprop_neuralnet_hidden1(to_device(np.array([[2.0]])), aux, hidden, output, learning_rate=0.5)
    # The hidden units hold 5 and relu(-4) = 0, so the second one passes nothing on.
    assert to_host(output['w']).tolist() == [[3 - 0.5 * 10], [5]]
    assert to_host(output['b']).tolist() == [-3]
    assert to_host(hidden['w']).tolist() == [[1 - 0.5 * 6, -1], [2 - 0.5 * 12, 1]]
    assert to_host(hidden['b']).tolist() == [-3, -5]


def test_one_layer_written_out_and_a_list_of_one_agree():
    draws = np.random.RandomState(3)
    x, G_output = to_device(draws.normal(size=(4, 3))), to_device(draws.normal(size=(4, 2)))
    rng.seed(1)
    hidden, output = ch04_mlp.init_model_hidden1(3, 5, 2)
    rng.seed(1)
    hiddens, last = ch04_mlp.init_model_hiddens(3, [5], 2)
    y, aux = ch04_mlp.forward_neuralnet_hidden1(x, hidden, output)
    y_list, aux_list = ch04_mlp.forward_neuralnet_hiddens(x, hiddens, last)
    assert np.array_equal(to_host(y), to_host(y_list))
    ch04_mlp.backprop_neuralnet_hidden1(G_output, aux, hidden, output)
    ch04_mlp.backprop_neuralnet_hiddens(G_output, aux_list, hiddens, last)
    for ours, theirs in ((hidden, hiddens[0]), (output, last)):
        assert np.array_equal(to_host(ours['w']), to_host(theirs['w']))
        assert np.array_equal(to_host(ours['b']), to_host(theirs['b']))


@pytest.mark.parametrize('widths', [[], [4], [5, 3, 4]])
def test_the_step_is_the_gradient_of_the_loss(widths):
    """With learning rate 1 a parameter moves by minus its gradient, which finite differences must confirm."""
    draws = np.random.RandomState(1)
    with precision('float64'):
        x, y = to_device(draws.normal(size=(6, 3))), to_device(draws.normal(size=(6, 2)))
        rng.seed(2)
        hiddens, output = ch04_mlp.init_model_hiddens(3, widths, 2)
        for layer in [*hiddens, output]:
            layer['w'] += to_device(draws.normal(size=layer['w'].shape))

        def loss():
            return losses.squared_error(ch04_mlp.forward_neuralnet_hiddens(x, hiddens, output)[0], y)

        before = [layer['w'].copy() for layer in [*hiddens, output]]
        finite = [difference(loss, layer['w'], (0, 1)) for layer in [*hiddens, output]]
        y_hat, aux = ch04_mlp.forward_neuralnet_hiddens(x, hiddens, output)
        ch04_mlp.backprop_neuralnet_hiddens(losses.squared_error_grad(y_hat, y), aux, hiddens, output, 1.0)
        moved = [scalar((old - layer['w'])[0, 1]) for old, layer in zip(before, [*hiddens, output], strict=True)]
    assert moved == pytest.approx(finite, rel=1e-6, abs=1e-9)


def difference(loss, w, place, h=1e-6):
    w[place] += h
    above = scalar(loss())
    w[place] -= 2 * h
    below = scalar(loss())
    w[place] += h
    return (above - below) / (2 * h)


@pytest.mark.parametrize(
    ('accuracy', 'output', 'y', 'expected'),
    [
        (ch04_mlp.regression_accuracy, [[9.0], [22.0]], [[10.0], [20.0]], 0.9),
        (ch04_mlp.binary_accuracy, [[0.1], [-3.0], [2.0], [-1.0]], [[1.0], [0.0], [0.0], [0.0]], 0.75),
        (ch04_mlp.select_accuracy, [[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], 0.5),
    ],
)
def test_accuracies_by_hand(accuracy, output, y, expected):
    assert scalar(accuracy(to_device(np.array(output)), to_device(np.array(y)))) == pytest.approx(expected)


def problem(rows=40):
    """A regression that a perceptron can learn: y = 3 x0 - x1 + 5."""
    x = np.random.RandomState(0).normal(size=(rows, 2))
    y = x @ np.array([[3.0], [-1.0]]) + 5
    return ch04_mlp.Problem('line', x, y, losses.squared_error, losses.squared_error_grad, ch04_mlp.regression_accuracy)


def test_training_learns_and_reports(capsys):
    rng.seed(1234)
    final = ch04_mlp.train_and_test(problem(), [], epoch_count=60, mb_size=4, report=30, learning_rate=0.05)
    assert final > 0.98
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'A multilayer perceptron with 0 hidden layers is at work.'
    assert [line.split(':')[0] for line in lines[1:3]] == ['Epoch 30', 'Epoch 60']
    assert lines[-1] == f'Final Test: final accuracy = {final:5.3f}'


def test_an_int_means_one_hidden_layer(capsys):
    ch04_mlp.train_and_test(problem(), 3, epoch_count=1, mb_size=4, report=0)
    assert capsys.readouterr().out.splitlines()[0] == 'A multilayer perceptron with one hidden layer is at work.'


def test_a_batch_larger_than_the_rows_is_refused():
    with pytest.raises(ConfigError, match='line: a batch of 33 is larger than the 32 training rows'):
        ch04_mlp.train_and_test(problem(), [], mb_size=33)


def test_rows_are_drawn_and_split_as_in_the_book(monkeypatch):
    trained, tested = [], []
    monkeypatch.setattr(ch04_mlp, 'run_train', lambda problem, rows, *_: trained.append(rows.tolist()) or (0.0, 0.0))
    monkeypatch.setattr(ch04_mlp, 'run_test', lambda problem, rows, *_: tested.append(rows.tolist()) or 0.0)
    rng.seed(1234)
    ch04_mlp.train_and_test(problem(), [], epoch_count=2, mb_size=5, report=0)
    draws, order, expected = np.random.RandomState(1234), np.arange(40), []
    draws.normal(0, 0.003, [2, 1])
    draws.shuffle(order)
    train, test = order[:30], order[30:]
    for _ in range(2):
        draws.shuffle(train)
        expected += train.reshape(6, 5).tolist()
    assert trained == expected
    assert tested == [test.tolist()]


def test_weights_start_small_as_in_the_book():
    rng.seed(1234)
    w = ch04_mlp.alloc_param_pair([3, 2])['w']
    assert to_host(w) == pytest.approx(np.random.RandomState(1234).normal(0, 0.003, [3, 2]), rel=1e-6)


def test_a_learning_rate_far_too_high_gives_no_warning():
    final = ch04_mlp.train_and_test(problem(), [4], epoch_count=3, mb_size=4, report=0, learning_rate=1e9)
    assert not np.isfinite(final)


@pytest.mark.parametrize('mb_size', [0, -1, 2.5])
def test_a_batch_must_be_a_whole_number(mb_size, capsys):
    with pytest.raises(ConfigError, match=f'line: mb_size is {mb_size}: expected a whole number of at least 1'):
        ch04_mlp.train_and_test(problem(), [], mb_size=mb_size)
    assert capsys.readouterr().out == ''
