import math

import numpy as np
import pytest

from mathlib import functions, losses
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.gradcheck import check_gradient

X = np.array([[-2.0, -0.5, 0.0], [0.5, 1.0, 3.0]])


def host(function, *arrays):
    """What a device function gives for host arrays, in float64, as a host array."""
    with precision('float64'):
        return to_host(function(*map(to_device, arrays)))


def test_relu_cuts_at_zero():
    assert host(functions.relu, X).tolist() == [[0, 0, 0], [0.5, 1, 3]]


@pytest.mark.parametrize(
    ('function', 'expected'),
    [(functions.sigmoid, lambda x: 1 / (1 + math.exp(-x))), (functions.tanh, math.tanh)],
)
def test_sigmoid_and_tanh_follow_their_formulas(function, expected):
    wanted = [[expected(x) for x in row] for row in X.tolist()]
    assert host(function, X) == pytest.approx(np.array(wanted), rel=1e-14)


@pytest.mark.parametrize(
    ('function', 'derivative'),
    [
        (functions.relu, functions.relu_derv),
        (functions.sigmoid, functions.sigmoid_derv),
        (functions.tanh, functions.tanh_derv),
    ],
)
def test_derivatives_follow_finite_differences(function, derivative):
    x = X + 0.1  # away from the kink of relu
    h = 1e-6
    finite = (host(function, x + h) - host(function, x - h)) / (2 * h)
    assert host(derivative, host(function, x)) == pytest.approx(finite, abs=1e-8)


def test_relu_has_derivative_zero_at_zero():
    assert host(functions.relu_derv, np.array([0.0, 1e-30])).tolist() == [0, 1]


NAMED = {'relu': functions.relu, 'sigmoid': functions.sigmoid, 'tanh': functions.tanh, 'none': lambda x: x}


@pytest.mark.parametrize('actfunc', NAMED)
def test_an_activation_by_its_name_is_the_function_of_that_name(actfunc):
    assert set(functions.ACTIVATIONS) == set(NAMED)
    expected = host(NAMED[actfunc], X)
    assert np.array_equal(host(lambda x: functions.activate(actfunc, x), X), expected)
    with precision('float64'):
        x = to_device(X.copy())
        functions.activate_inplace(actfunc, x)
        assert np.array_equal(to_host(x), expected)


@pytest.mark.parametrize('actfunc', NAMED)
def test_gradients_of_activations_follow_finite_differences(actfunc):
    with precision('float64'):
        x, G_y = to_device(X + 0.1), to_device(np.arange(1.0, 7.0).reshape(X.shape))
        y = functions.activate(actfunc, x)
        G_x = functions.activate_grad(actfunc, G_y, y)
        result = check_gradient(lambda: (functions.activate(actfunc, x) * G_y).sum(), x, G_x, samples=None, show=False)
        assert result.right, result
        assert to_host(G_y).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_gradient_of_relu_passes_where_y_is_positive():
    G_x = host(
        lambda G_y, y: functions.activate_grad('relu', G_y, y), np.array([3.0, -4.0, 5.0]), np.array([2.0, 0, 1])
    )
    assert G_x.tolist() == [3, 0, 5]


@pytest.mark.parametrize('actfunc', NAMED)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_activations_keep_the_float_type(actfunc, dtype):
    with precision(dtype):
        x = to_device(X)
        y = functions.activate(actfunc, x)
        assert str(y.dtype) == str(functions.activate_grad(actfunc, x, y).dtype) == dtype


def test_softmax_of_known_odds():
    odds = np.log(np.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    assert host(functions.softmax, odds) == pytest.approx(np.array([[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]]))


@pytest.mark.parametrize('function', [functions.sigmoid, functions.tanh, functions.softmax])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_large_inputs_give_finite_numbers_in_the_same_type(function, dtype):
    with precision(dtype):
        y = to_host(function(to_device(np.array([[-1e4, 1e4], [1e4, 1e4]]))))
    assert y.dtype == dtype
    assert np.isfinite(y).all()
    assert y[0] == pytest.approx(np.array([-1.0 if function is functions.tanh else 0.0, 1.0]))


LOSSES = [
    (losses.squared_error, losses.squared_error_grad),
    (losses.sigmoid_cross_entropy, losses.sigmoid_cross_entropy_grad),
    (losses.softmax_cross_entropy, losses.softmax_cross_entropy_grad),
]
ONE_HOT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ('loss', 'expected'),
    [
        (losses.squared_error, ((X - ONE_HOT) ** 2).sum() / 6),
        (
            losses.sigmoid_cross_entropy,
            -np.log(np.where(ONE_HOT == 1, 1 / (1 + np.exp(-X)), 1 - 1 / (1 + np.exp(-X)))).sum() / 6,
        ),
        (losses.softmax_cross_entropy, -np.log((np.exp(X) / np.exp(X).sum(axis=1)[:, None])[ONE_HOT == 1]).sum() / 2),
    ],
)
def test_losses_follow_their_definitions(loss, expected):
    assert float(host(loss, X, ONE_HOT)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(('loss', 'grad'), LOSSES)
def test_gradients_of_losses_follow_finite_differences(loss, grad):
    with precision('float64'):
        x, y = to_device(X), to_device(ONE_HOT)
        assert check_gradient(lambda: loss(x, y), x, grad(x, y), samples=None, show=False).right


@pytest.mark.parametrize(('loss', 'grad'), LOSSES[1:])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_cross_entropies_are_exact_for_huge_logits(loss, grad, dtype):
    with precision(dtype):
        x, y = to_device(np.array([[-1e4, 1e4]])), to_device(np.array([[1.0, 0.0]]))
        value, slope = loss(x, y), grad(x, y)
        assert slope.dtype == value.dtype == dtype
        wanted = 1e4 if loss is losses.sigmoid_cross_entropy else 2e4
        assert scalar(value) == pytest.approx(wanted)
        size = 0.5 if loss is losses.sigmoid_cross_entropy else 1.0
        assert to_host(slope) == pytest.approx(np.array([[-size, size]]))


def test_smoothed_answers_by_hand():
    assert host(lambda y: losses.smoothed(y, 0.3), ONE_HOT) == pytest.approx(
        np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
    )
    assert np.array_equal(host(lambda y: losses.smoothed(y, 0), ONE_HOT), ONE_HOT)
    with precision('float32'):
        assert str(losses.smoothed(to_device(ONE_HOT), 0.1).dtype) == 'float32'


SHARES = np.array([[0.2, 0.5, 0.3], [0.05, 0.0, 0.95]])


def test_a_choice_with_shares_for_answers():
    log_probabilities = np.log(np.exp(X) / np.exp(X).sum(axis=1)[:, None])
    assert float(host(losses.softmax_cross_entropy, X, SHARES)) == pytest.approx(
        -(SHARES * log_probabilities).sum() / 2
    )
    with precision('float64'):
        x, y = to_device(X), to_device(SHARES)
        grad = losses.softmax_cross_entropy_grad(x, y)
        assert check_gradient(lambda: losses.softmax_cross_entropy(x, y), x, grad, samples=None, show=False).right
        # The loss is least where the probabilities are the shares themselves.
        at_best = losses.softmax_cross_entropy_grad(to_device(np.log(SHARES[:1])), to_device(SHARES[:1]))
    assert np.abs(to_host(at_best)).max() < 1e-15


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_huge_logits_with_shares_for_answers(dtype):
    # log probabilities of -2e4, 0 and -1e4: 0.2 * 2e4 + 0.3 * 1e4
    with precision(dtype):
        x, y = to_device(np.array([[-1e4, 1e4, 0.0]])), to_device(SHARES[:1])
        assert scalar(losses.softmax_cross_entropy(x, y)) == pytest.approx(7000)
        slope = to_host(losses.softmax_cross_entropy_grad(x, y))
    assert str(slope.dtype) == dtype and slope == pytest.approx(np.array([[-0.2, 0.5, -0.3]]))


def test_every_row_of_a_softmax_has_its_own_maximum():
    with precision('float64'):
        y = to_host(functions.softmax(to_device(np.array([[-1e4, -1e4], [1e4, 1e4]]))))
    assert y.tolist() == [[0.5, 0.5], [0.5, 0.5]]
