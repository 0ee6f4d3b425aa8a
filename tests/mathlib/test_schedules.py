import pytest

from mathlib.errors import ConfigError
from mathlib.schedules import SCHEDULES, learning_rates


def test_rates_by_hand():
    assert list(learning_rates('constant', 0.5, 3)) == [0.5, 0.5, 0.5]
    assert list(learning_rates('linear', 0.4, 4)) == pytest.approx([0.4, 0.3, 0.2, 0.1])
    # cos 0, cos 60 degrees, cos 120 degrees: 1, 1/2, -1/2
    assert list(learning_rates('cosine', 1.0, 3)) == pytest.approx([1, 0.75, 0.25])


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_a_training_begins_with_the_rate_that_was_asked_for(schedule):
    rates = list(learning_rates(schedule, 0.002, 1000))
    assert rates[0] == 0.002 and len(rates) == 1000
    assert rates == sorted(rates, reverse=True) and rates[-1] > 0


def test_an_unknown_schedule_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="'cosin': expected one of constant, linear, cosine"):
        learning_rates('cosin', 0.001, 10)
