import numpy as np
import pytest

from mathlib import backend, rng
from mathlib.backend import scalar, to_device, to_host, xp
from mathlib.errors import SettingError


def test_floats_become_the_chosen_type_and_integers_stay():
    assert to_device(np.array([0.1, 0.2])).dtype == backend.dtype
    assert to_device(np.array([0.1], dtype='float32')).dtype == backend.dtype
    assert to_device(np.array([1, 2])).dtype == np.int64
    assert to_device(np.array([True])).dtype == np.bool_


def test_there_and_back_gives_the_same_numbers():
    numbers = np.arange(6, dtype='float32').reshape(2, 3)
    back = to_host(to_device(numbers))
    assert type(back) is np.ndarray
    assert np.array_equal(back, numbers)


def test_a_device_array_stays_where_it_is():
    array = to_device(np.ones(3))
    assert to_device(array) is array


def test_scalar_is_a_python_float():
    value = scalar(to_device(np.array([1.0, 2.0])).sum())
    assert type(value) is float
    assert value == 3.0


def test_precision_changes_the_type_for_a_while():
    before = backend.dtype
    with backend.precision('float64'):
        assert to_device(np.ones(1, dtype='float32')).dtype == np.float64
    assert backend.dtype == before
    with (
        pytest.raises(SettingError, match="precision\\('float16'\\): expected 'float32' or 'float64'"),
        backend.precision('float16'),
    ):
        pass


def test_quiet_lets_infinities_pass_without_a_warning():
    with backend.quiet():
        huge = to_device(np.array([1e30], dtype='float32')).astype('float32')
        assert np.isinf(to_host(huge * huge))[0]


def test_describe_names_backend_and_type():
    told = backend.describe()
    assert told['backend'] == backend.name
    assert told['dtype'] == str(backend.dtype)
    assert told['version'] == xp.__version__


def test_the_stream_is_the_books():
    rng.seed(1234)
    reference = np.random.RandomState(1234)
    assert np.array_equal(rng.normal(0, 0.03, [3, 2]), reference.normal(0, 0.03, [3, 2]))
    ours, theirs = np.arange(10), np.arange(10)
    rng.shuffle(ours)
    reference.shuffle(theirs)
    assert np.array_equal(ours, theirs)


def test_a_place_in_the_stream_can_be_found_again():
    rng.seed(5)
    state = rng.get_state()
    first = rng.normal(0, 1, [4])
    rng.set_state(state)
    assert np.array_equal(rng.normal(0, 1, [4]), first)


def test_seed_alone_is_the_books():
    rng.seed()
    assert np.array_equal(rng.normal(0, 1, [4]), np.random.RandomState(1234).normal(0, 1, [4]))


def test_precision_goes_back_after_an_error():
    before = backend.dtype
    with pytest.raises(ZeroDivisionError), backend.precision('float64'):
        raise ZeroDivisionError
    assert backend.dtype == before
