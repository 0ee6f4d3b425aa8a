import numpy as np
import pytest

from chapters import AdamModel, MlpModel, check_gradients
from mathlib.backend import precision, to_device, to_host


def books_adam(values, gradients, rate):
    """The book's formulas, one array at a time, in plain NumPy: values after all the gradients."""
    s = t = np.zeros_like(values)
    for n, gradient in enumerate(gradients, 1):
        s = 0.9 * s + 0.1 * gradient
        t = 0.999 * t + 0.001 * gradient * gradient
        values = values - rate * (s / (1 - 0.9**n)) / (np.sqrt(t / (1 - 0.999**n)) + 1e-8)
    return values


def test_steps_follow_the_books_formulas(dataset):
    with precision('float64'):
        model = AdamModel('m', dataset(), [4])
        model.use_adam = True
        model.learning_rate = 0.01
        start = to_host(model.parameters.values.copy())
        gradients = []
        for n in range(5):
            model.train_step(to_device(model.dataset.tr_xs[n : n + 8]), to_device(model.dataset.tr_ys[n : n + 8]))
            gradients.append(to_host(model.parameters.gradients.copy()))
        assert to_host(model.parameters.values) == pytest.approx(
            books_adam(start, gradients, 0.01), rel=1e-10, abs=1e-14
        )


def test_without_the_switch_it_is_the_model_of_chapter_5(dataset):
    adam, plain = AdamModel('m', dataset(), [4]), MlpModel('m', dataset(), [4])
    tiny = dataset()
    for model in (adam, plain):
        model.dataset, model.learning_rate = tiny, 0.1
        model.train_step(to_device(tiny.tr_xs[:8]), to_device(tiny.tr_ys[:8]))
    assert np.array_equal(to_host(adam.parameters.values), to_host(plain.parameters.values))


def test_the_first_step_moves_every_parameter_by_the_learning_rate(dataset):
    with precision('float64'):
        model = AdamModel('m', dataset(), [])
        model.use_adam = True
        model.learning_rate = 0.01
        before = to_host(model.parameters.values.copy())
        model.train_step(to_device(model.dataset.tr_xs[:8]), to_device(model.dataset.tr_ys[:8]))
        assert np.abs(to_host(model.parameters.values) - before) == pytest.approx(np.full(18, 0.01), rel=1e-4)


def test_gradients_follow_finite_differences(dataset):
    with precision('float64'):
        model = AdamModel('m', dataset(), [4])
        checks = check_gradients(model, model.dataset.tr_xs[:8], model.dataset.tr_ys[:8], samples=None, show=False)
    assert [check.name for check in checks if not check.right] == []


def test_adam_learns_from_tiny_inputs_where_gradient_descent_hardly_moves(dataset):
    def cost(use_adam):
        tiny = dataset()
        tiny.tr_xs *= 1e-2
        model = AdamModel('m', tiny, [])
        model.use_adam = use_adam
        return model.train(epoch_count=40, learning_rate=0.5).costs[-1]

    undecided = np.log(3)
    assert cost(use_adam=False) > 0.9 * undecided
    assert cost(use_adam=True) < 0.5 * undecided
