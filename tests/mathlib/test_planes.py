"""The order of a map's numbers in memory, and the memory that a thread uses again."""

from threading import Thread

import numpy as np
import pytest

from mathlib import backend, planes, scratch
from mathlib.backend import precision, to_device, to_host
from mathlib.columns import arranged, column_blocks
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.windows import windows


def numbered(*shape):
    """A device map [n, h, w, c] whose numbers count up."""
    return to_device(np.arange(np.prod(shape), dtype='float64').reshape(shape))


def innermost(x):
    """The names of a map's axes, from the one whose neighbours lie closest in memory to the one farthest apart."""
    return ''.join(name for _, name in sorted(zip(x.strides, 'nhwc', strict=True)))


@pytest.mark.parametrize('shape', [(2, 3, 4, 5), (2, 5, 3, 2), (3, 2, 2, 64)])
def test_ordered_moves_numbers_in_memory_and_nowhere_else(shape):
    x = numbered(*shape)
    assert innermost(x) == 'cwhn'
    in_planes = planes.ordered(x, True)
    assert in_planes.shape == shape
    assert innermost(in_planes)[0] == 'w'
    assert innermost(in_planes)[-1] == 'c'
    assert np.array_equal(to_host(in_planes), to_host(x))
    back = planes.ordered(in_planes, False)
    assert innermost(back) == 'cwhn'
    assert np.array_equal(to_host(back), to_host(x))


def test_maps_know_their_order():
    x = numbered(2, 3, 4, 5)
    in_planes = planes.ordered(x, True)
    assert not planes.are_planes(x)
    assert planes.are_planes(in_planes)
    assert not planes.are_planes(in_planes[:, :, ::2])
    assert not planes.are_planes(numbered(1, 3, 4, 1))


@pytest.mark.parametrize('in_planes', [False, True])
def test_a_map_in_the_right_order_is_not_copied(in_planes):
    x = planes.ordered(numbered(2, 3, 4, 5), in_planes)
    again = planes.ordered(x, in_planes)
    again[...] = 7
    assert (to_host(x) == 7).all()


@pytest.mark.parametrize('in_planes', [False, True])
def test_like_takes_the_order_of_another_map(in_planes):
    x, other = numbered(2, 3, 4, 5), planes.ordered(numbered(1, 6, 7, 2), in_planes)
    for given in (x, planes.ordered(x, True)):
        result = planes.like(given, other)
        assert planes.are_planes(result) == in_planes
        assert np.array_equal(to_host(result), to_host(x))


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('in_planes', [False, True])
def test_an_empty_map_has_shape_type_and_order(in_planes, dtype):
    x = planes.empty(2, (3, 4), 5, np.dtype(dtype), in_planes)
    assert (x.shape, str(x.dtype)) == ((2, 3, 4, 5), dtype)
    assert planes.are_planes(x) == in_planes


def test_planes_pay_for_wide_maps_of_few_channels_on_a_processor(monkeypatch):
    on_processor = backend.name == 'numpy'
    assert planes.pay(1, 3, 96) == planes.pay(64, 3, 2) == on_processor
    assert not planes.pay(1, 512, 96)
    assert not planes.pay(1, 3, 2)
    monkeypatch.setattr(planes, 'FEW', 10)
    monkeypatch.setattr(planes, 'WIDE', 5)
    assert [planes.pay(1, 9, 5), planes.pay(1, 10, 5), planes.pay(1, 9, 4)] == [True, False, False]
    assert [planes.pay(64, 10, 1), planes.pay(64, 20, 1)] == [True, False]


@pytest.mark.parametrize(('n', 'order'), [(2, 'wnhc'), (64, 'nwhc')])
def test_a_row_of_planes_has_the_batch_innermost_if_it_is_large(n, order):
    x = numbered(n, 3, 4, 5)
    in_planes = planes.ordered(x, True)
    assert innermost(in_planes) == order
    assert planes.are_planes(in_planes)
    assert planes.as_planes(in_planes).flags.c_contiguous
    assert np.array_equal(to_host(planes.from_planes(planes.as_planes(in_planes), n)), to_host(x))


# Scratch buffers: taken under names that nothing else uses


def used_again(purpose, shape, dtype, by_purpose, by_shape, by_dtype):
    """Whether a second buffer has the first one's memory: what is written to the second can be read in the first."""
    first = scratch.buffer(purpose, shape, np.dtype(dtype))
    first[...] = 1
    second = scratch.buffer(by_purpose, by_shape, np.dtype(by_dtype))
    assert (second.shape, str(second.dtype)) == (by_shape, by_dtype)
    second[...] = 2
    return bool((to_host(first) == 2).any())


@pytest.mark.parametrize('shape', [(6, 4), (24,), (2, 3), (1,)])
def test_a_buffer_is_used_again_for_the_same_purpose(shape):
    found = used_again('a test', (6, 4), 'float32', 'a test', shape, 'float32')
    assert found == (backend.name == 'numpy')


def test_a_larger_buffer_is_new_and_kept():
    assert not used_again('a growing test', (2, 2), 'float32', 'a growing test', (3, 2), 'float32')
    found = used_again('a growing test', (3, 2), 'float32', 'a growing test', (2, 2), 'float32')
    assert found == (backend.name == 'numpy')


def test_other_purposes_and_types_have_their_own():
    assert not used_again('one test', (4,), 'float32', 'another test', (4,), 'float32')
    assert not used_again('one test', (4,), 'float32', 'one test', (4,), 'float64')


def test_every_thread_has_its_own_buffers():
    mine = scratch.buffer('a test of threads', (5,), np.dtype('float32'))
    mine[...] = 1

    def overwrite():
        scratch.buffer('a test of threads', (5,), np.dtype('float32'))[...] = 2

    other = Thread(target=overwrite)
    other.start()
    other.join()
    assert to_host(mine).tolist() == [1] * 5


@pytest.mark.parametrize('count', [1, 2, 7, 100])
@pytest.mark.parametrize('each', [0, 1, 10, 33, 1000, 5000])
@pytest.mark.parametrize('least', [1, 3, 200])
def test_blocks_cover_everything_once_in_pieces_of_the_right_size(count, each, least, monkeypatch):
    monkeypatch.setattr(scratch, 'BLOCK', 1000)
    blocks = scratch.blocks(count, each, least)
    assert [i for block in blocks for i in range(count)[block]] == list(range(count))
    sizes = [block.stop - block.start for block in blocks]
    assert all(size * each <= 1000 or size <= least for size in sizes)
    assert all(size >= least or size * each > 1000 for size in sizes[:-1])
    # No more pieces than the size asks for.
    assert all((size + 1) * each > 1000 for size in sizes[:-1])


def test_blocks_by_hand(monkeypatch):
    monkeypatch.setattr(scratch, 'BLOCK', 100)
    assert scratch.blocks(7, 30) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert scratch.blocks(7, 30, least=5) == [slice(0, 5), slice(5, 7)]
    assert scratch.blocks(3, 1000) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert scratch.blocks(3, 10) == [slice(0, 3)]


# Frames: taken under keys that nothing else uses


def frame(key, shape=(2, 3), dtype='float32'):
    return scratch.Frame(key, shape, np.dtype(dtype))


def test_a_frame_is_zero_and_its_memory_goes_to_the_next_one_when_it_is_no_longer_used():
    first = frame('a frame')
    assert to_host(first.array).tolist() == [[0, 0, 0], [0, 0, 0]]
    first.array[0, 1:] = 5
    second = frame('a frame')
    assert to_host(second.array).tolist() == [[0, 0, 0], [0, 0, 0]]
    del first
    third = frame('a frame')
    if backend.name == 'numpy':
        assert to_host(third.array).tolist() == [[0, 5, 5], [0, 0, 0]]
    third.array[...] = 7
    assert to_host(second.array).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize('other', [('another frame',), ('one frame', (3, 2)), ('one frame', (2, 3), 'float64')])
def test_another_kind_of_frame_has_memory_of_its_own(other):
    frame('one frame').array[...] = 5
    array = frame(*other).array
    assert not to_host(array).any()


def test_only_so_many_frames_of_so_many_bytes_wait(monkeypatch):
    itemsize = np.dtype(backend.dtype).itemsize
    monkeypatch.setattr(scratch.Frame, '_free', {})
    monkeypatch.setattr(scratch.Frame, '_waiting', 0)
    monkeypatch.setattr(scratch, 'WAITING', 50 * itemsize)
    for size, kept in ((25, 1), (51, 0)):
        frames = [frame('waiting', (size,)) for _ in range(3)]
        for each in frames:
            each.array[...] = 1
        del each
        frames.clear()
        assert sum(each.nbytes for waiting in scratch.Frame._free.values() for each in waiting) <= 50 * itemsize
        again = [frame('waiting', (size,)) for _ in range(3)]
        assert sum(int(to_host(each.array).any()) for each in again) == (kept if backend.name == 'numpy' else 0)


# Many pictures: the batch innermost


MANY_CASES = [
    ((6, 9), 3, 1, 'SAME', 3, 5),
    ((6, 9), (3, 5), 2, ((2, 0), (1, 3)), 8, 40),
    ((7, 4), 2, 1, 'VALID', 20, 3),
    ((5, 2), 3, 1, 4, 4, 70),
]


@pytest.mark.parametrize('case', MANY_CASES, ids=str)
@pytest.mark.parametrize('in_planes', [False, True])
def test_many_pictures_are_convolved_as_each_of_them_alone(case, in_planes, monkeypatch):
    sides, ksize, stride, padding, c, o = case
    place = windows(sides, ksize, stride, padding)
    draws = np.random.RandomState(0)
    shapes = (19, *sides, c), (*place.ksize, c, o), (o,), (19, *place.output_sides, o)
    with precision('float64'):
        x, w, b, G_y = (to_device(draws.normal(size=shape)) for shape in shapes)
        x, G_y = (planes.ordered(each, in_planes) for each in (x, G_y))
        kept = arranged(x, place)
        y, G_x = to_host(conv2d(kept, w, b, place, 'tanh')), to_host(conv2d_dx(G_y, w, place))
        G_w, G_b = map(to_host, conv2d_dw(kept, G_y, place))
        singles = [(x[n : n + 1], G_y[n : n + 1]) for n in range(19)]
        alone = [to_host(conv2d(one, w, b, place, 'tanh')) for one, _ in singles]
        alone_dx = [to_host(conv2d_dx(G_one, w, place)) for _, G_one in singles]
        alone_dw = [[to_host(part) for part in conv2d_dw(*pair, place)] for pair in singles]
    assert y == pytest.approx(np.concatenate(alone), rel=1e-10, abs=1e-10)
    assert G_x == pytest.approx(np.concatenate(alone_dx), rel=1e-10, abs=1e-10)
    assert G_w == pytest.approx(sum(G for G, _ in alone_dw), rel=1e-10, abs=1e-10)
    assert G_b == pytest.approx(sum(G for _, G in alone_dw), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize('n', [2, 19])
def test_a_block_keeps_its_memory_while_others_walk_over_the_same_windows(n, monkeypatch):
    monkeypatch.setattr(scratch, 'BLOCK', 100)
    place = windows((6, 16), 3)
    x = planes.ordered(numbered(n, 6, 16, 3), True)
    y = planes.empty(n, place.output_sides, 4, x.dtype, backend.name == 'numpy')
    blocks = 0
    for X, _ in column_blocks(x, place, y):
        if backend.name == 'numpy':
            before = X.copy()
            for other, _ in column_blocks(x + 1, place, y):
                assert other.size > 0
            assert np.array_equal(X, before)
        blocks += 1
    assert blocks > 1 or backend.name != 'numpy'


def test_a_convolution_does_not_remember_maps_of_another_order():
    """15 pictures have their rows one after the other, 16 the batch innermost, in Frames of equal length."""
    place = windows((4, 3), 3)
    draws = np.random.RandomState(0)
    with precision('float64'):
        w = to_device(draws.normal(size=(3, 3, 3, 2)))
        for count in (15, 16, 15):
            x = to_device(draws.normal(size=(count, 4, 3, 3)))
            alone = [to_host(conv2d(x[n : n + 1], w, None, place)) for n in range(count)]
            assert to_host(conv2d(x, w, None, place)) == pytest.approx(np.concatenate(alone), rel=1e-10, abs=1e-10)
