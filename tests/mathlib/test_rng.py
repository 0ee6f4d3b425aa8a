"""Streams of their own for every row of a layer, and the key that the book's stream gives them."""

import threading

import numpy as np

from mathlib import rng


def drawn(key, layer, rows, count=6):
    """The first uniform numbers of these rows' streams, [rows, count]."""
    return np.array([stream.random(count) for stream in rng.row_streams(key, layer, rows)])


def test_equal_key_layer_and_row_give_equal_numbers():
    assert np.array_equal(drawn(7, 2, range(5)), drawn(7, 2, range(5)))


def test_the_order_of_the_rows_and_who_draws_them_do_not_matter():
    expected = drawn(7, 2, range(5))
    assert np.array_equal(drawn(7, 2, [4, 1, 0]), expected[[4, 1, 0]])
    found = {}

    def work(rows):
        found[rows] = drawn(7, 2, rows)

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (range(3), range(3, 5))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(np.concatenate([found[range(3)], found[range(3, 5)]]), expected)


def test_what_was_drawn_before_leaves_nothing_behind():
    """A stream that was left in the middle of a block, or with half a number over, is not felt in the next one."""
    expected = drawn(7, 2, [0, 1])
    for stream, wanted in zip(rng.row_streams(7, 2, [0, 1]), expected, strict=True):
        assert np.array_equal(stream.random(6), wanted)
        stream.random(3, dtype='float32')
        stream.integers(0, 10, 3, dtype='uint32')
    half = [stream.random(5, dtype='float32') for stream in rng.row_streams(7, 2, [0])]
    again = [stream.random(5, dtype='float32') for stream in rng.row_streams(7, 2, [0])]
    assert np.array_equal(half, again)


def test_a_stream_is_philox_from_a_place_of_its_own():
    """For every kind of number: those of float32 take half a draw each."""
    kinds = (
        lambda stream: stream.random(5),
        lambda stream: stream.random(5, dtype='float32'),
        lambda stream: stream.standard_normal(5, dtype='float32'),
    )
    for draw in kinds:
        (found,) = [draw(stream) for stream in rng.row_streams(7, 2, [3])]
        key, counter = np.array([7, 2], np.uint64), np.array([0, 0, 0, 3], np.uint64)
        assert np.array_equal(found, draw(np.random.Generator(np.random.Philox(key=key, counter=counter))))


def test_another_key_layer_or_row_is_another_stream():
    count = 2000
    streams = [drawn(key, layer, [row], count)[0] for key in (0, 1) for layer in (0, 1) for row in (0, 1, 2**62)]
    # Of that many independent numbers the correlation is below 0.1 but for one in a hundred thousand.
    correlations = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlations).max() < 0.1
    assert all(abs(stream.mean() - 0.5) < 0.03 for stream in streams)
    # No stream is another one a few numbers later either.
    everything = np.concatenate(streams)
    assert len(np.unique(everything)) == len(everything)


def test_a_key_is_the_next_number_of_the_books_stream():
    rng.seed(1234)
    keys = [rng.draw_key() for _ in range(3)]
    reference = np.random.RandomState(1234)
    assert keys == [reference.randint(0, 2**31) for _ in range(3)]
    assert [type(key) for key in keys] == [int] * 3
    assert np.array_equal(rng.normal(0, 1, [2]), reference.normal(0, 1, [2]))


def test_streams_of_rows_leave_the_books_stream_alone():
    rng.seed(5)
    drawn(3, 0, range(4))
    assert np.array_equal(rng.normal(0, 1, [2]), np.random.RandomState(5).normal(0, 1, [2]))


def test_uniform_numbers_come_from_the_books_stream():
    rng.seed(5)
    numbers = rng.uniform(1000)
    assert np.array_equal(numbers, np.random.RandomState(5).random_sample(1000))
    assert 0 <= numbers.min() < 0.01 < 0.99 < numbers.max() < 1
