"""The strict stand-in refuses what CuPy refuses, computes what NumPy computes, and counts what would be transferred."""

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tests.standin.loading import ROOT, STUB, cp


@pytest.fixture
def x():
    """[[0, 1, 2], [3, 4, 5]] as float32 on the device."""
    return cp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


def transfers(function):
    """How many transfers to the host the call makes."""
    before = cp.standin.transfers
    function()
    return cp.standin.transfers - before


HOST = np.ones((2, 3), np.float32)
OPERATIONS = {
    'device + numpy': lambda x: x + HOST,
    'numpy + device': lambda x: HOST + x,
    'numpy 0-d': lambda x: x * np.array(2.0),
    'device + list': lambda x: x + [1, 2, 3],
    'list * device': lambda x: [1, 2, 3] * x,
    'comparison': lambda x: x == HOST,
    'in place': lambda x: x.__iadd__(HOST),
    'matmul': lambda x: x @ HOST.T,
    'matmul, numpy first': lambda x: HOST.T @ x,
    'dot': lambda x: x.dot(HOST.T),
    'numpy function': lambda x: np.maximum(x, HOST),
    'ufunc': lambda x: cp.maximum(x, HOST),
    'ufunc of a host array': lambda x: cp.exp(HOST),
    'ufunc into a host array': lambda x: cp.exp(x, out=HOST),
    'ufunc of a list': lambda x: cp.exp([1.0]),
    'sum of a host array': lambda x: cp.sum(HOST),
    'sum of a list': lambda x: cp.sum([1.0, 2.0]),
    'sum of a number': lambda x: cp.sum(1.0),
    'where': lambda x: cp.where(x > 0, HOST, x),
    'where with a host condition': lambda x: cp.where(HOST > 0, x, x),
    'concatenate': lambda x: cp.concatenate([x, HOST]),
    'stack': lambda x: cp.stack([HOST, HOST]),
    'einsum': lambda x: cp.einsum('ij,ij->i', x, HOST),
    'take with a list': lambda x: cp.take(x, [0, 1]),
    'method with a host array': lambda x: x.clip(HOST, 1),
    'index: list': lambda x: x[[0, 1]],
    'index: numpy': lambda x: x[np.array([0, 1])],
    'slice with a device end': lambda x: x[: x.sum()],
    'shape of a device number': lambda x: cp.zeros(x.argmax()),
    'axis of a device number': lambda x: cp.sum(x, axis=x.argmax()),
    'np.asarray': lambda x: np.asarray(x),
    'np.array of a list': lambda x: np.array([x, x]),
    'float of many': lambda x: float(x),
    'set from a list': lambda x: x.set([1]),
    'range': lambda x: range(x.argmax()),
    'hash': lambda x: hash(x),
}


@pytest.mark.parametrize('what', OPERATIONS)
def test_host_data_and_implicit_conversions_are_type_errors(x, what):
    with pytest.raises(TypeError):
        OPERATIONS[what](x)
    assert x.get().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_implicit_conversion_is_refused_in_cupys_words(x):
    with pytest.raises(TypeError, match='Implicit conversion to a NumPy array is not allowed'):
        np.testing.assert_array_equal(x, x)


@pytest.mark.parametrize('value', [HOST, [1, 2, 3]])
def test_host_data_cannot_be_assigned(x, value):
    with pytest.raises(ValueError, match='cannot be used for fill'):
        x[...] = value


@pytest.mark.parametrize('index', [1.0, 'x', True, np.nan])
def test_odd_indices_are_index_errors(x, index):
    with pytest.raises(IndexError):
        x[index]


def test_a_float_array_is_no_index(x):
    with pytest.raises(IndexError, match='integer or boolean type'):
        x[x]


@pytest.mark.parametrize('name', ['errstate', 'geterr', 'add_newdoc', 'setbufsize', 'spam'])
def test_names_that_cupy_lacks_do_not_exist(name):
    with pytest.raises(AttributeError, match=f"module 'cupy' has no attribute '{name}'"):
        getattr(cp, name)


@pytest.mark.parametrize('name', ['ctypes', 'newbyteorder', '__array_interface__', '__index__', '__round__', 'itemset'])
def test_attributes_that_cupy_lacks_do_not_exist(x, name):
    assert not hasattr(x, name)


@pytest.mark.parametrize(
    'call',
    [
        lambda x: cp.sum(x, initial=0),
        lambda x: cp.sum(x, where=x > 0),
        lambda x: x.sum(where=x > 0),
        lambda x: x.max(initial=0),
        lambda x: x.item(0),
        lambda x: cp.exp(x, where=x > 0),
        lambda x: cp.exp(x, order='C'),
        lambda x: cp.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1, mode='clip'),
        lambda x: cp.matmul(x, x.T, subok=True),
        lambda x: cp.random.normal(0, 1, shape=(2,)),
    ],
)
def test_keywords_that_cupy_lacks_are_type_errors(x, call):
    with pytest.raises(TypeError):
        call(x)


def test_ufuncs_have_only_the_methods_that_cupy_has(x):
    for call in (lambda: cp.maximum.reduce(x), lambda: cp.multiply.at(x, 0, 2.0), lambda: cp.maximum.accumulate(x)):
        with pytest.raises(NotImplementedError, match='not supported yet'):
            call()
    rows = cp.asarray(np.array([0, 0, 1]))
    cp.add.at(x, rows, 1.0)
    assert x.get().tolist() == [[2, 3, 4], [4, 5, 6]]
    with pytest.raises(TypeError, match='bool'):
        cp.add.at(x > 0, rows, True)


def test_a_kernel_in_cuda_cannot_be_imitated_and_says_so():
    with pytest.raises(NotImplementedError, match='stand-in'):
        cp.ElementwiseKernel('float32 x', 'float32 y', 'y = x', 'copy')


def test_reductions_and_items_are_device_arrays_without_dimensions(x):
    for number in (
        x.sum(),
        cp.mean(x),
        x[1, 2],
        x.argmax(),
        cp.allclose(x, x),
        np.sum(x),
        cp.linalg.norm(x),
        x.max() * 2,
    ):
        assert type(number) is cp.ndarray and number.shape == ()
    assert float(x[1, 2]) == 5.0


def test_results_are_numpys(x):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    pairs = [
        (x * 2.0 + 1, host * 2.0 + 1),
        (1 / (1 + x), 1 / (1 + host)),
        (x @ x.T, host @ host.T),
        (cp.where(x > 2, x, 0.0), np.where(host > 2, host, 0.0)),
        (cp.einsum('ij,kj->ik', x, x), np.einsum('ij,kj->ik', host, host)),
        (cp.pad(x, ((1, 0), (0, 2))), np.pad(host, ((1, 0), (0, 2)))),
        (cp.stack([x, x], axis=1), np.stack([host, host], axis=1)),
        (x.reshape(3, -1).T, host.reshape(3, -1).T),
        (cp.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1), host.max(axis=1, keepdims=True)),
        (x[cp.asarray([1, 0])], host[[1, 0]]),
        (x[x > 2], host[host > 2]),
        (x.var(axis=0), host.var(axis=0)),
        (cp.lib.stride_tricks.as_strided(x, (2, 2), (4, 4)), [[0, 1], [1, 2]]),
    ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.get(), theirs)


def test_dtypes_follow_numpy_2(x):
    assert (x * 2.0).dtype == np.float32
    assert (x * 2).dtype == np.float32
    assert (x * np.float32(2)).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64
    assert (x * x.astype('float64').sum()).dtype == np.float64
    assert (x > 0).dtype == np.bool_
    assert x.argmax(axis=1).dtype == np.int64
    assert ((x > 0) * 0.5).dtype == np.float64
    with pytest.raises(TypeError, match='Cannot cast'):
        x.astype('int32').__itruediv__(2)


def test_in_place_operators_and_out_write_where_they_should(x):
    row = x[1]
    row *= 2
    row += x[0]
    assert x.get().tolist() == [[0, 1, 2], [6, 9, 12]]
    assert cp.multiply(x, 10.0, out=x) is x
    x[:, 0] = 7
    x[0, 1:] = x[1, 1:]
    assert x.get().tolist() == [[7, 90, 120], [7, 90, 120]]


def test_a_device_array_shares_no_memory_with_the_host_array_it_came_from():
    host = np.zeros(3)
    device = cp.asarray(host)
    host[0] = 1
    back = cp.asnumpy(device)
    back[1] = 1
    assert device.get().tolist() == [0, 0, 0]


def test_asarray_and_astype_return_the_array_itself_where_nothing_changes(x):
    assert cp.asarray(x) is x
    assert x.astype('float32', copy=False) is x
    assert cp.array(x) is not x


def test_text_and_objects_have_no_place_on_a_gpu():
    for host in (np.array(['a']), np.array([None]), np.array([1], np.longdouble)):
        with pytest.raises(ValueError, match='Unsupported dtype'):
            cp.asarray(host)


def test_unwritten_memory_is_not_zero():
    assert np.isnan(cp.empty((2, 2), dtype='float32').get()).all()
    assert cp.empty_like(cp.zeros(2, dtype='int64')).get().tolist() != [0, 0]


@pytest.mark.parametrize(
    ('call', 'count'),
    [
        (lambda x: x.sum() * 2 + x.max(), 0),
        (lambda x: x[0, 0], 0),
        (lambda x: list(x), 0),
        (lambda x: float(x.sum()), 1),
        (lambda x: int(x.argmax()), 1),
        (lambda x: bool(x.sum() > 1), 1),
        (lambda x: x.sum().item(), 1),
        (lambda x: x.get(), 1),
        (lambda x: cp.asnumpy(x), 1),
        (lambda x: x.tolist(), 1),
        (lambda x: f'{x.sum():5.3f} {x}', 2),
        (lambda x: x[x > 1], 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: max(x[0]), 2),
        (lambda x: cp.asnumpy(HOST), 0),
    ],
)
def test_every_way_to_the_host_is_counted(x, call, count):
    assert transfers(lambda: call(x)) == count


def test_every_way_to_the_device_is_counted(x):
    before = cp.standin.uploads
    cp.asarray(HOST)
    cp.array([1, 2, 3])
    x.set(HOST)
    cp.asarray(x)
    cp.zeros(3)
    cp.stack([x, x])
    assert cp.standin.uploads - before == 3


def test_copies_are_copies_and_pickles_come_back(x):
    for twin in (copy.copy(x), copy.deepcopy(x), x.copy(), pickle.loads(pickle.dumps(x))):
        assert type(twin) is cp.ndarray and not cp.shares_memory(twin, x)
        assert twin.get().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_overflow_warns_no_more_than_on_a_gpu(x):
    with np.errstate(all='raise'):
        assert np.isinf(cp.exp(x * 1000).get()).any()
        assert np.isnan(float((x - x).sum() / 0))


def test_random_numbers_take_cupys_dtype_and_are_repeatable():
    first = cp.random.RandomState(3).normal(0, 2, (2000,), dtype='float32')
    again = cp.random.RandomState(3).normal(0, 2, (2000,), dtype='float32')
    assert first.dtype == np.float32 and bool((first == again).all())
    assert 1.8 < float(first.std()) < 2.2
    assert cp.random.random((2, 2)).shape == (2, 2)
    assert cp.random.default_rng(1).standard_normal(3, dtype='float32').dtype == np.float32


def test_streams_events_devices_and_pools_answer():
    with cp.cuda.Stream(non_blocking=True) as stream:
        start, end = stream.record(), stream.record()
    assert 0 <= cp.cuda.get_elapsed_time(start, end) < 1000
    cp.cuda.get_current_stream().synchronize()
    cp.cuda.Device().synchronize()
    assert cp.get_default_memory_pool().used_bytes() == 0
    with pytest.raises(RuntimeError, match='cudaErrorInvalidDevice'):
        cp.cuda.Device(1)


def test_backend_runs_on_it_and_the_record_of_a_run_says_what_it_was():
    program = (
        'import json; from mathlib import backend; xp = backend.xp; backend.synchronize();'
        'print(json.dumps({**backend.describe(), "two": backend.scalar(backend.to_device([1.0, 1.0]).sum())}))'
    )
    environment = {
        **os.environ,
        'BACKEND': 'cupy',
        'DTYPE': 'float32',
        'PYTHONPATH': os.pathsep.join([str(STUB), str(ROOT)]),
    }
    done = subprocess.run([sys.executable, '-c', program], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record['version'] == '14.2.0+standin'
    assert record['device'] == 'strict stand-in (no GPU)'
    assert record['two'] == 2.0
