import numpy as np
import pytest

from mathlib.backend import precision, to_device, to_host
from mathlib.gradcheck import check_gradient

POINT = np.array([[1.0, -2.0], [0.5, 3.0]])


def cubes(factor, **options):
    """Check factor * 3 x**2 as the gradient of sum(x**3)."""
    with precision('float64'):
        x = to_device(POINT)
        result = check_gradient(lambda: (x**3).sum(), x, factor * 3 * x**2, 'x', **options)
        assert np.array_equal(to_host(x), POINT)
        return result


def test_a_right_gradient_is_right(capsys):
    result = cubes(1)
    assert result.right
    assert result.backward == pytest.approx([3, 12, 0.75, 27])
    assert result.finite == pytest.approx([3, 12, 0.75, 27], rel=1e-6)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith('x: right, largest relative difference')
    assert printed[2].split() == ['[0,', '0]', '3.00000000', '3.00000000']


def test_a_wrong_gradient_is_wrong_and_shows_both(capsys):
    result = cubes(1.1)
    assert not result.right
    assert result.error == pytest.approx(0.1 / 1.1, rel=1e-3)
    printed = capsys.readouterr().out
    assert 'x: WRONG' in printed
    assert '29.70000000     27.00000000' in printed


def test_samples_limit_the_places():
    assert cubes(1, samples=2, show=False).places == [(0, 0), (1, 1)]


def test_float32_and_other_shapes_are_refused():
    with precision('float32'):
        x = to_device(POINT)
        with pytest.raises(ValueError, match="x is float32: check gradients inside `with precision\\('float64'\\):`"):
            check_gradient(lambda: x.sum(), x, x)
    with precision('float64'):
        x = to_device(POINT)
        with pytest.raises(ValueError, match=r'x has shape \[2, 2\], but its gradient has \[2\]'):
            check_gradient(lambda: x.sum(), x, x[0])


def test_the_worst_places_are_shown(capsys):
    with precision('float64'):
        x = to_device(np.arange(1.0, 10.0))
        gradient = 3 * x**2
        gradient[6] += 1
        check_gradient(lambda: (x**3).sum(), x, gradient)
    assert '[6]' in capsys.readouterr().out


def of_a_large_loss(gradient):
    """Check `gradient` where a loss of about a million does not depend on x, but for what its rounding makes of it."""
    with precision('float64'):
        x = to_device(np.linspace(0.1, 0.9, 7))
        return check_gradient(lambda: 1e6 / 3 + (x + 1e6 / 3).sum() - x.sum(), x, to_device(gradient), show=False)


def test_a_difference_that_rounding_makes_is_none():
    result = of_a_large_loss(np.zeros(7))
    assert np.abs(result.finite).max() > 0
    assert '0, or too small to be told from it, at 7 places' in str(result)
    assert result.right


def test_a_difference_beyond_rounding_is_one():
    # Rounding a loss of 2.7 million and dividing by 2e-6 makes differences below 0.01.
    gradient = np.zeros(7)
    gradient[3] = 0.1
    result = of_a_large_loss(gradient)
    assert result.error > 0.5
    assert not result.right


def test_of_a_small_loss_small_gradients_count():
    with precision('float64'):
        x = to_device(POINT)
        result = check_gradient(lambda: 1e-6 * (x**2).sum(), x, 1.01 * 2e-6 * x, show=False)
    assert result.error == pytest.approx(0.01, rel=0.1)
    assert not result.right
