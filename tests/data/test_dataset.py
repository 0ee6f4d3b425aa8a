import math

import numpy as np
import pytest

from data import DataError, Dataset, DualSelectDataset, DummyDataset
from mathlib import rng
from mathlib.backend import scalar, to_device, to_host


def numbered(count=47, mode='regression'):
    """A set whose row i is [i, i + 0.5] with answer [-i]."""
    dataset = Dataset('numbered', mode)
    first = np.arange(count, dtype='float64')[:, None]
    dataset.shuffle_data(np.concatenate([first, first + 0.5], axis=1), -first)
    return dataset


def test_the_split_is_one_shuffle_cut_at_the_books_places():
    rng.seed(7)
    dataset = numbered(47)
    order = np.arange(47)
    reference = np.random.RandomState(7)
    reference.shuffle(order)
    assert to_list(dataset.tr_xs) == list(order[:30])  # int(47 * 0.8 / 10) * 10
    assert to_list(dataset.va_xs) == list(order[30:32])  # int(47 * 0.05)
    assert to_list(dataset.te_xs) == list(order[32:])
    for xs, ys in (dataset.get_test_data(), (dataset.tr_xs, dataset.tr_ys), (dataset.va_xs, dataset.va_ys)):
        assert np.array_equal(xs[:, :1], -ys)
    assert dataset.input_shape == (2,)
    assert dataset.output_shape == (1,)
    assert dataset.train_count == 30
    assert str(dataset) == 'numbered(regression, 30+15+2)'
    follow_on = np.arange(20)
    dataset.shuffle_train_data(20)
    reference.shuffle(follow_on)
    assert np.array_equal(dataset.indices, follow_on)


def to_list(xs):
    return [int(x[0]) for x in xs]


def test_the_split_returns_its_indices_and_takes_other_shares():
    dataset = Dataset('own', 'regression')
    train, validation, test = dataset.shuffle_data(np.arange(40)[:, None], np.arange(40)[:, None], 0.5, 0)
    assert [len(part) for part in (train, validation, test)] == [20, 0, 20]
    assert sorted(np.concatenate([train, validation, test])) == list(range(40))
    assert np.array_equal(dataset.te_xs[:, 0], test)


def test_batches_run_through_the_shuffled_training_rows():
    dataset = numbered()
    rng.seed(3)
    dataset.shuffle_train_data(20)
    order = np.arange(20)
    np.random.RandomState(3).shuffle(order)
    for nth in range(4):
        x, y = dataset.get_train_data(5, nth)
        rows = order[5 * nth : 5 * nth + 5]
        assert np.array_equal(x, dataset.tr_xs[rows])
        assert np.array_equal(y, dataset.tr_ys[rows])
    with pytest.raises(DataError, match=r'batch 4 of 5 rows would end at row 25, but this epoch has 20 rows of 30'):
        dataset.get_train_data(5, 4)


def test_more_rows_than_there_are_is_an_error_with_both_numbers():
    dataset = numbered()
    with pytest.raises(DataError, match='100 training rows asked for, but there are 30'):
        dataset.shuffle_train_data(100)
    with pytest.raises(DataError, match='call shuffle_train_data'):
        dataset.get_train_data(10, 0)


@pytest.mark.parametrize('draw', ['get_validate_data', 'get_visualize_data'])
def test_validation_rows_are_drawn_anew_at_every_call(draw):
    dataset = numbered(100)
    rng.seed(5)
    reference = np.random.RandomState(5)
    for _ in range(2):
        order = np.arange(5)
        reference.shuffle(order)
        x, y = getattr(dataset, draw)(3)
        assert np.array_equal(x, dataset.va_xs[order[:3]])
        assert np.array_equal(y, dataset.va_ys[order[:3]])
    assert len(getattr(dataset, draw)(100)[0]) == 5  # fewer rows than asked for: all of them, as in the book


def test_too_few_rows_and_unequal_lengths():
    with pytest.raises(DataError, match='19 rows are too few'):
        numbered(19)
    assert str(numbered(20)) == 'numbered(regression, 10+9+1)'
    with pytest.raises(DataError, match='20 inputs but 21 answers'):
        Dataset('own', 'select').shuffle_data(np.zeros([20, 1]), np.zeros([21, 1]))


def test_an_unknown_mode_names_the_known_ones():
    with pytest.raises(DataError, match=r"'ranking' is not known; expected one of regression, binary, select"):
        Dataset('own', 'ranking')
    with pytest.raises(DataError, match='derive from DualSelectDataset'):
        Dataset('own', 'dual_select').forward_postproc(None, None)


def both(output, y):
    return to_device(np.array(output, 'float64')), to_device(np.array(y, 'float64'))


def test_regression_by_hand():
    dataset = Dataset('own', 'regression')
    output, y = both([[1], [4]], [[2], [2]])
    loss, aux = dataset.forward_postproc(output, y)
    assert scalar(loss) == pytest.approx(2.5)  # (1 + 4) / 2
    assert to_host(dataset.backprop_postproc(1.0, aux)) == pytest.approx(np.array([[-1.0], [2.0]]))  # 2 (o - y) / 2
    assert to_host(dataset.backprop_postproc(3.0, aux)) == pytest.approx(np.array([[-3.0], [6.0]]))
    assert scalar(dataset.eval_accuracy(None, y, output)) == pytest.approx(1 - math.sqrt(2.5) / 2)
    assert to_host(dataset.get_estimate(output)).tolist() == [[1], [4]]


def test_binary_by_hand():
    dataset = Dataset('own', 'binary')
    output, y = both([[0], [math.log(3)], [-1], [2]], [[1], [0], [0], [1]])
    loss, aux = dataset.forward_postproc(output, y)
    entropies = [math.log(2), math.log(4), math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2))]
    assert scalar(loss) == pytest.approx(sum(entropies) / 4)
    gradient = to_host(dataset.backprop_postproc(1.0, aux))
    assert gradient[:2, 0] == pytest.approx([-0.5 / 4, 0.75 / 4])
    # A logit of 0 is no yes; so the first two are wrong and the last two right.
    assert scalar(dataset.eval_accuracy(None, y, output)) == 0.5
    assert to_host(dataset.get_estimate(output))[:2, 0] == pytest.approx([0.5, 0.75])


def test_select_by_hand():
    dataset = Dataset('own', 'select')
    output, y = both([[0, math.log(3)], [0, 0], [5, 1]], [[0, 1], [1, 0], [0, 1]])
    loss, aux = dataset.forward_postproc(output, y)
    assert scalar(loss) == pytest.approx((-math.log(0.75) + math.log(2) + math.log(1 + math.exp(4))) / 3)
    assert to_host(dataset.backprop_postproc(1.0, aux))[0] == pytest.approx([0.25 / 3, -0.25 / 3])
    assert scalar(dataset.eval_accuracy(None, y, output)) == pytest.approx(2 / 3)
    assert to_host(dataset.get_estimate(output))[0] == pytest.approx([0.25, 0.75])


def test_dual_select_is_select_twice():
    output, y = both([[0, 1, 3, 0, 0], [2, 1, 0, 4, 9]], [[1, 0, 1, 0, 0], [1, 0, 0, 0, 1]])
    dual, single = DualSelectDataset('own', [2]), Dataset('own', 'select')
    losses, grads, estimates = [], [], []
    for part in (slice(0, 2), slice(2, 5)):
        loss, aux = single.forward_postproc(output[:, part], y[:, part])
        losses.append(scalar(loss))
        grads.append(to_host(single.backprop_postproc(1.0, aux)))
        estimates.append(to_host(single.get_estimate(output[:, part])))
    loss, aux = dual.forward_postproc(output, y)
    assert scalar(loss) == pytest.approx(sum(losses))
    assert to_host(dual.backprop_postproc(1.0, aux)) == pytest.approx(np.hstack(grads))
    assert to_host(dual.get_estimate(output)) == pytest.approx(np.hstack(estimates))
    assert to_host(dual.eval_accuracy(None, y, output)).tolist() == [0.5, 1.0]


@pytest.mark.parametrize('mode', ['regression', 'binary', 'select'])
def test_the_float_type_of_the_output_is_kept(mode):
    output, y = to_device(np.ones([4, 3], 'float32')), to_device(np.eye(4, 3, dtype='float32'))
    dataset = Dataset('own', mode)
    loss, aux = dataset.forward_postproc(output, y)
    accuracy, estimate = dataset.eval_accuracy(None, y, output), dataset.get_estimate(output)
    for array in (loss, dataset.backprop_postproc(1.0, aux), accuracy, estimate):
        assert array.dtype == output.dtype


def test_the_books_lines(capsys):
    Dataset('own', 'select').train_prt_result(2, [1.0, 1.236], [0.5, 0.638], 0.53, 138, 139)
    Dataset('own', 'select').test_prt_result('flowers_model_4', 0.6487, 3)
    dual = DualSelectDataset('own', [3])
    dual.train_prt_result(4, [0.5], np.array([[0.8, 0.4], [0.868, 0.426]]), (0.82, 0.42), 70, 140)
    dual.test_prt_result('office31_model_1', (0.874, 0.526), 2)
    assert capsys.readouterr().out == (
        '    Epoch 2: cost=1.118, accuracy=0.569/0.530 (138/139 secs)\n'
        'Model flowers_model_4 test report: accuracy = 0.649, (3 secs)\n\n'
        '    Epoch 4: cost=0.500, accuracy=0.834+0.413/0.820+0.420 (70/140 secs)\n'
        'Model office31_model_1 test report: accuracy = 0.874+0.526, (2 secs)\n\n'
    )


def test_a_dummy_has_shapes_and_no_rows():
    dummy = DummyDataset('imagenet', 'select', [299, 299, 3], [200])
    assert (dummy.input_shape, dummy.output_shape, dummy.train_count) == ((299, 299, 3), (200,), 0)
    assert str(dummy) == 'imagenet(select, 0+0+0)'
    asks = (
        lambda: dummy.shuffle_train_data(10),
        lambda: dummy.get_train_data(10, 0),
        dummy.get_test_data,
        lambda: dummy.get_validate_data(10),
        lambda: dummy.get_visualize_data(3),
    )
    for ask in asks:
        with pytest.raises(DataError, match='imagenet is a DummyDataset'):
            ask()


def test_a_set_of_the_readers_own_is_shown_by_its_kind_of_answer(capsys):
    row = np.array([[1.0, 2.0]])
    own = Dataset('own', 'select')
    own.output_shape = (2,)
    own.visualize(row, np.array([[0.25, 0.75]]), np.array([[1.0, 0.0]]))
    Dataset('own', 'binary').visualize(row, np.array([[0.75]]), np.array([[1.0]]))
    Dataset('own', 'regression').visualize(row, np.array([[3.0]]), np.array([[4.0]]))
    assert capsys.readouterr().out.splitlines() == [
        'estimated distribution [25,75] => estimate 1 : answer 0 => X',
        '[  1.0,  2.0] => estimate yes(probability 0.75) : answer yes => O',
        '[1.00,2.00] => estimate  3.0 : answer  4.0',
    ]
