import pytest

from mathlib.errors import ConfigError
from mathlib.schedules import SCHEDULES, learning_rates


def test_rates_by_hand():
    assert list(learning_rates('constant', 0.5, 3)) == [0.5, 0.5, 0.5]
    assert list(learning_rates('linear', 0.4, 4)) == pytest.approx([0.4, 0.3, 0.2, 0.1])
    # cos 0, cos 60 degrees, cos 120 degrees: 1, 1/2, -1/2
    assert list(learning_rates('cosine', 1.0, 3)) == pytest.approx([1, 0.75, 0.25])


def test_steps_by_hand():
    rates = list(learning_rates(['step', {'at': [0.25, 0.5], 'factor': 0.5}], 8, 8))
    assert rates == [8, 8, 4, 4, 2, 2, 2, 2]
    assert list(learning_rates('step', 1.0, 4)) == pytest.approx([1, 1, 0.1, 0.01])
    assert list(learning_rates(['step', {'at': []}], 1.0, 3)) == [1, 1, 1]


def test_exponential_by_hand():
    rates = list(learning_rates(['exponential', {'factor': 0.5, 'times': 2}], 4, 6))
    assert rates == [4, 4, 2, 2, 1, 1]
    rates = list(learning_rates('exponential', 1.0, 51 * 7))
    assert rates[:8] == pytest.approx([1.0] * 7 + [0.94]) and rates[-1] == pytest.approx(0.94**50)
    assert list(learning_rates(['exponential', {'times': 9}], 1.0, 2)) == pytest.approx([1, 0.94**5])


def test_warm_up_by_hand():
    assert list(learning_rates(['constant', {'warmup': 0.75}], 8, 4)) == [2, 4, 6, 8]
    # Two of ten steps; the schedule has the other eight for itself.
    assert list(learning_rates(['linear', {'warmup': 0.2}], 24, 10)) == [8, 16, 24, 21, 18, 15, 12, 9, 6, 3]
    rates = list(learning_rates(['step', {'warmup': 0.2, 'at': [0.5], 'factor': 0.5}], 6, 10))
    assert rates == [2, 4, 6, 6, 6, 6, 3, 3, 3, 3]


@pytest.mark.parametrize('schedule', SCHEDULES)
@pytest.mark.parametrize('count', [1, 2, 3, 7, 100])
@pytest.mark.parametrize('warmup', [0, 0.05, 0.5, 0.99])
def test_with_warm_up_the_rate_rises_and_then_falls(schedule, count, warmup):
    rates = list(learning_rates([schedule, {'warmup': warmup}], 0.3, count))
    top = round(warmup * count)
    assert len(rates) == count and all(0 < rate <= 0.3 for rate in rates)
    assert rates[:top] == pytest.approx([0.3 * (n + 1) / (top + 1) for n in range(top)])
    assert rates[top:] == list(learning_rates(schedule, 0.3, count - top))


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_a_training_begins_with_the_rate_that_was_asked_for(schedule):
    rates = list(learning_rates(schedule, 0.002, 1000))
    assert rates[0] == 0.002 and len(rates) == 1000
    assert rates == sorted(rates, reverse=True) and rates[-1] > 0


def test_an_unknown_schedule_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="'cosin': expected one of constant, linear, cosine"):
        learning_rates('cosin', 0.001, 10)


@pytest.mark.parametrize(
    ('schedule', 'words'),
    [
        ('cosin', "did you mean 'cosine'"),
        (['stepp', {}], r"is 'stepp': expected one of .*; did you mean 'step'"),
        (['step', {'factr': 0.1}], "'step' has no option 'factr': expected one of at, factor, warmup; .* 'factor'"),
        (['cosine', {'factor': 0.1}], "'cosine' has no option 'factor': expected one of warmup"),
        (['step', {'factor': 0}], "'step': 'factor' is 0: expected a number above 0"),
        (['step', {'factor': float('nan')}], "'factor' is nan: expected a number above 0"),
        (['step', {'at': 0.5}], "'at' is 0.5: expected a list of growing shares"),
        (['step', {'at': [0.5, 0.4]}], r"'at' is \[0.5, 0.4\]: expected a list of growing shares between 0 and 1"),
        (['step', {'at': [30, 60]}], r"'at' is \[30, 60\]"),
        (['exponential', {'times': 0.5}], "'times' is 0.5: expected a whole number from 1 on"),
        (['linear', {'warmup': 1}], "'warmup' is 1: expected a number from 0 up to, but not including, 1"),
        (['linear', {'warmup': True}], "'warmup' is True"),
        (['linear', 0.5], r"is \['linear', 0.5\]: expected a name, or \[name, {option: value}\]"),
        (['linear', {}, {}], 'expected a name, or'),
        ([], 'expected a name, or'),
        (None, 'is None: expected a name, or'),
    ],
)
def test_a_mistake_is_named_before_the_first_step(schedule, words):
    with pytest.raises(ConfigError, match=words):
        learning_rates(schedule, 0.001, 10)
