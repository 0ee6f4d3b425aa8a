import numpy as np
import pytest

from mathlib import backend, team
from mathlib.backend import to_device, to_host
from mathlib.errors import BookError
from mathlib.optimizers import Adam, GradientDescent
from mathlib.parameters import VECTORS, ParameterStore


@pytest.fixture
def tree():
    """Two layers, one of them with something that it keeps but does not learn."""
    first = {'w': np.arange(6.0).reshape(2, 3), 'b': np.zeros(3), 'state': {'mean': np.ones(3)}, 'stride': 2}
    return {'hidden': [first], 'output': {'w': np.full((3, 1), 7.0)}}


def test_packing_makes_views_into_one_vector(tree):
    store = ParameterStore(tree)
    assert store.names == ['hidden.0.w', 'hidden.0.b', 'output.w']
    assert store.count == len(store) == 12
    assert to_host(store.values).tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0, 7, 7, 7]
    store.values[9:] = 1.5
    assert to_host(tree['output']['w']).tolist() == [[1.5], [1.5], [1.5]]
    assert store.values.dtype == tree['hidden'][0]['w'].dtype == backend.dtype


def test_state_is_not_learned(tree):
    ParameterStore(tree)
    assert tree['hidden'][0]['state']['mean'].dtype == np.float64
    assert tree['hidden'][0]['stride'] == 2


def test_gradients_are_filed_added_and_completed(tree):
    store = ParameterStore(tree)
    pm = tree['hidden'][0]
    store.file(pm, 'b', to_device(np.array([1.0, 2.0, 3.0])))
    store.file(pm, 'b', to_device(np.array([1.0, 1.0, 1.0])))
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 6 + [2, 3, 4] + [0] * 3
    store.file(tree['output'], 'w', to_device(np.ones((3, 1))))
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 9 + [1] * 3


def test_items_are_views(tree):
    store = ParameterStore(tree)
    named = {name: (value, gradient) for name, value, gradient in store.items()}
    named['output.w'][0][...] = 2
    named['output.w'][1][...] = 3
    assert to_host(store.values[9:]).tolist() == [2, 2, 2]
    assert to_host(store.gradients[9:]).tolist() == [3, 3, 3]


def test_a_wrong_gradient_is_refused_by_name(tree):
    store = ParameterStore(tree)
    with pytest.raises(BookError, match=r'the gradient of output.w has shape \[1, 3\], but the parameter has \[3, 1\]'):
        store.file(tree['output'], 'w', to_device(np.ones((1, 3))))
    with pytest.raises(BookError, match="'scale' is not a parameter of this model"):
        store.file(tree['output'], 'scale', to_device(np.ones(1)))


def one_parameter(value):
    """A store of a single number and a way to hand in its gradient."""
    pm = {'w': np.array([value])}
    store = ParameterStore(pm)

    def give(gradient):
        store.file(pm, 'w', to_device(np.array([gradient])))
        store.complete()

    return store, give


def test_gradient_descent_by_hand():
    with backend.precision('float64'):
        store, give = one_parameter(2.0)
        give(3.0)
        GradientDescent().update(store, 0.1)
        assert to_host(store.values).tolist() == pytest.approx([1.7])


def test_two_steps_of_adam_by_hand():
    with backend.precision('float64'):
        store, give = one_parameter(1.0)
        adam = Adam()
        give(4.0)
        adam.update(store, 0.1)  # s = 0.4, t = 0.016; corrected 4 and 16: a step of 0.1 * 4 / 4
        assert to_host(store.values)[0] == pytest.approx(0.9, abs=1e-9)
        give(2.0)
        adam.update(store, 0.1)
        s = (0.9 * 0.4 + 0.1 * 2) / (1 - 0.9**2)
        t = (0.999 * 0.016 + 0.001 * 4) / (1 - 0.999**2)
        assert to_host(store.values)[0] == pytest.approx(0.9 - 0.1 * s / (np.sqrt(t) + 1e-8), abs=1e-9)


@pytest.mark.parametrize('optimizer', [GradientDescent, Adam])
def test_blocks_do_not_change_the_result(optimizer, monkeypatch):
    rows = np.random.RandomState(0).normal(size=(3, 1000))

    def run():
        pm = {'w': rows[0].copy()}
        store, moves = ParameterStore(pm), optimizer()
        for gradient in rows[1:]:
            store.file(pm, 'w', to_device(gradient))
            store.complete()
            moves.update(store, 0.01)
        return to_host(store.values)

    whole = run()
    monkeypatch.setattr('mathlib.scratch.BLOCK', 7 * VECTORS)
    assert np.array_equal(run(), whole)


@pytest.mark.parametrize('optimizer', [GradientDescent, Adam])
def test_float32_stays_float32(optimizer):
    with backend.precision('float32'):
        store, give = one_parameter(1.0)
        moves = optimizer()
        give(1.0)
        moves.update(store, 0.1)
        arrays = [store.values, store.gradients, *(value for value in vars(moves).values() if hasattr(value, 'dtype'))]
        assert {str(array.dtype) for array in arrays} == {'float32'}


@pytest.mark.parametrize(('dtype', 'steps'), [('float32', 500), ('float64', 2700)])
def test_means_that_nothing_feeds_end_at_zero_and_not_in_denormal_numbers(dtype, steps):
    with backend.precision(dtype):
        store, give = one_parameter(1.0)
        adam = Adam(ro_1=0.75, ro_2=0.75)
        for gradient in [3.0] + [0.0] * (steps - 1):
            give(gradient)
            adam.update(store, 0.1)
        assert to_host(adam.s).tolist() == to_host(adam.t).tolist() == [0.0]


def test_small_means_that_still_count_are_kept():
    with backend.precision('float32'):
        store, give = one_parameter(1.0)
        adam = Adam()
        for _ in range(100):
            give(1e-10)
            adam.update(store, 0.1)
        assert to_host(adam.s)[0] == pytest.approx(1e-10, rel=1e-3)
        assert to_host(adam.t)[0] > 0


def test_an_interrupted_backward_pass_is_forgotten(tree):
    store = ParameterStore(tree)
    store.file(tree['output'], 'w', to_device(np.full((3, 1), 5.0)))
    store.begin()
    store.file(tree['output'], 'w', to_device(np.ones((3, 1))))
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 9 + [1] * 3


def test_an_array_put_in_the_place_of_a_parameter_is_refused(tree):
    store = ParameterStore(tree)
    tree['output']['w'] = to_device(np.zeros((3, 1)))
    with pytest.raises(BookError, match=r"output.w is no longer the array that the model learns: .* pm\['w'\]\[...\]"):
        store.file(tree['output'], 'w', to_device(np.ones((3, 1))))


def test_values_that_are_not_finite_are_found(tree):
    store = ParameterStore(tree)
    assert store.are_finite()
    store.values[3] = float('inf')
    assert not store.are_finite()


def test_gradients_of_all_members_add_up(tree):
    store = ParameterStore(tree)
    pm, parts = tree['hidden'][0], [to_device(np.full(3, number)) for number in (1.0, 10.0, 100.0)]

    def work(member):
        store.file(pm, 'b', parts[member.rank])
        store.file(pm, 'b', parts[member.rank])

    for _ in range(2):
        store.begin()
        team.run(3, work)
        store.complete()
        assert to_host(store.gradients).tolist() == [0] * 6 + [222] * 3 + [0] * 3


def test_a_member_may_file_less_than_another_and_nothing_stays_for_the_next_step(tree):
    store = ParameterStore(tree)
    pm, ones = tree['hidden'][0], to_device(np.ones(3))

    def file_everywhere(member):
        store.file(pm, 'b', ones)
        store.file(tree['output'], 'w', to_device(np.full((3, 1), 5.0)))

    team.run(2, file_everywhere)
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 6 + [2] * 3 + [10] * 3
    team.run(2, lambda member: store.file(pm, 'b', ones) if member.rank == 1 else None)
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 6 + [1] * 3 + [0] * 3
    store.file(pm, 'b', ones)
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 6 + [1] * 3 + [0] * 3


def test_what_a_team_had_filed_before_it_was_interrupted_is_forgotten(tree):
    store = ParameterStore(tree)
    pm = tree['hidden'][0]
    team.run(3, lambda member: store.file(pm, 'b', to_device(np.full(3, 7.0))))
    store.begin()
    store.file(pm, 'b', to_device(np.ones(3)))
    store.complete()
    assert to_host(store.gradients).tolist() == [0] * 6 + [1] * 3 + [0] * 3


def test_the_sum_of_the_members_does_not_depend_on_who_files_first(tree):
    """In the order of the ranks, so that a run gives the same bits again."""
    store = ParameterStore(tree)
    pm, values = tree['hidden'][0], [1e8, 1.0, -1e8]
    expected = (np.float32(1e8) + np.float32(1)) + np.float32(-1e8) if backend.dtype == np.float32 else 1.0

    def work(order):
        def file(member):
            for rank in order:
                if rank == member.rank:
                    store.file(pm, 'b', to_device(np.full(3, values[rank])))
                member.gather(rank)

        return file

    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        store.begin()
        team.run(3, work(order))
        store.complete()
        assert to_host(store.gradients)[6:9].tolist() == [expected] * 3


def test_adam_leaves_the_gradients_as_they_are():
    store, give = one_parameter(1.0)
    give(4.0)
    Adam().update(store, 0.1)
    assert to_host(store.gradients).tolist() == [4.0]
