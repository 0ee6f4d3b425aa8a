"""The four losses and their gradients for logits of +-1e4, in float32 as in float64; warnings are errors here."""

import numpy as np
import pytest

from data import Dataset
from data.office31 import DualSelectDataset
from mathlib import losses
from mathlib.backend import precision, scalar, to_device, to_host

HUGE = 1e4
# Every pair of a huge logit and an answer.
LOGITS = np.array([[HUGE, -HUGE], [-HUGE, HUGE], [HUGE, HUGE], [-HUGE, -HUGE], [0.0, HUGE]])
ANSWERS = np.array([[1.0, 0.0]] * 5)


@pytest.fixture(params=['float32', 'float64'], autouse=True)
def dtype(request):
    with precision(request.param):
        yield request.param


def both(dataset, logits, answers):
    """The loss and its gradient, as a training step has them."""
    output, y = to_device(logits), to_device(answers)
    loss, aux = dataset.forward_postproc(output, y)
    return loss, dataset.backprop_postproc(1.0, aux)


def check(dataset, logits, answers, loss, gradient, dtype):
    value, slope = both(dataset, logits, answers)
    assert value.dtype == slope.dtype == dtype
    assert scalar(value) == pytest.approx(loss, rel=1e-6)
    assert to_host(slope) == pytest.approx(np.array(gradient), rel=1e-6, abs=1e-12)


def test_squared_error(dtype):
    misses = LOGITS - ANSWERS
    check(Dataset('d', 'regression'), LOGITS, ANSWERS, (misses**2).mean(), misses * 2 / 10, dtype)


def test_yes_or_no(dtype):
    # A sure and right answer costs 0, a sure and wrong one its logit; one of no opinion log 2.
    each = [[0, 0], [HUGE, HUGE], [0, HUGE], [HUGE, 0], [np.log(2), HUGE]]
    slopes = [[0, 0], [-1, 1], [0, 1], [-1, 0], [-0.5, 1]]
    check(Dataset('d', 'binary'), LOGITS, ANSWERS, np.mean(each), np.array(slopes) / 10, dtype)


# A choice depends on the difference of the logits alone.
CHOICE = [0, 2 * HUGE, np.log(2), np.log(2), HUGE]
CHOICE_SLOPES = np.array([[0, 0], [-1, 1], [-0.5, 0.5], [-0.5, 0.5], [-1, 1]]) / 5


def test_one_of_many(dtype):
    check(Dataset('d', 'select'), LOGITS, ANSWERS, np.mean(CHOICE), CHOICE_SLOPES, dtype)


def test_one_of_many_with_smoothed_answers(dtype):
    # 0.1 of every answer is spread over both classes: 0.95 for the first, 0.05 for the second.
    smooth = losses.smoothed(to_device(ANSWERS), 0.1)
    expected = np.mean([0.05 * 2 * HUGE, 0.95 * 2 * HUGE, np.log(2), np.log(2), 0.95 * HUGE])
    value = losses.softmax_cross_entropy(to_device(LOGITS), smooth)
    slope = losses.softmax_cross_entropy_grad(to_device(LOGITS), smooth)
    assert value.dtype == slope.dtype == dtype
    assert scalar(value) == pytest.approx(expected, rel=1e-6)
    assert to_host(slope)[0] == pytest.approx(np.array([0.05, -0.05]) / 5, rel=1e-5)


def test_two_choices(dtype):
    dataset = DualSelectDataset('d', [2])
    logits, answers = np.concatenate([LOGITS, LOGITS], axis=1), np.concatenate([ANSWERS, ANSWERS], axis=1)
    slopes = np.concatenate([CHOICE_SLOPES, CHOICE_SLOPES], axis=1)
    check(dataset, logits, answers, 2 * np.mean(CHOICE), slopes, dtype)


@pytest.mark.parametrize('mode', ['regression', 'binary', 'select'])
def test_estimates_are_finite_too(mode, dtype):
    estimates = to_host(Dataset('d', mode).get_estimate(to_device(LOGITS)))
    assert estimates.dtype == dtype
    expected = {'regression': LOGITS[0], 'binary': [1, 0], 'select': [1, 0]}[mode]
    assert estimates[0] == pytest.approx(np.array(expected, float))
    assert np.isfinite(estimates).all()
