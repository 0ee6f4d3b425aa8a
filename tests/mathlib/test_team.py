import threading

import numpy as np
import pytest
import threadpoolctl

from mathlib import backend, linear, settings, team
from mathlib.backend import to_device, to_host


def test_every_member_runs_at_the_same_time_and_results_come_in_order():
    together = threading.Barrier(3, timeout=20)

    def work(member):
        together.wait()
        return member.rank, member.size, threading.get_ident()

    ranks, sizes, threads = zip(*team.run(3, work), strict=True)
    assert ranks == (0, 1, 2)
    assert sizes == (3, 3, 3)
    assert len(set(threads)) == 3
    assert threads[0] == threading.get_ident()


def test_the_parts_cover_all_rows_once():
    for count in (3, 7, 10, 128):
        rows = team.run(3, lambda member, count=count: list(range(count))[member.part(count)])
        assert sum(rows, []) == list(range(count))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_all_reduce_gives_everyone_the_same_sum_in_the_order_of_the_ranks():
    parts = [to_device(np.array([1e8, 1.0], 'float32')), to_device(np.array([1.0, 2.0], 'float32'))]
    parts.append(to_device(np.array([-1e8, 3.0], 'float32')))
    first, second, third = (to_host(part) for part in parts)
    expected = ((first + second) + third).tolist()
    for _ in range(20):
        sums = team.run(3, lambda member: to_host(member.all_reduce(parts[member.rank])).tolist())
        assert sums == [expected] * 3


def test_members_can_meet_more_than_once():
    def work(member):
        total = to_device(np.array([float(member.rank)]))
        for _ in range(50):
            total = member.all_reduce(total) / 2
        return backend.scalar(total[0])

    assert team.run(2, work) == [0.5, 0.5]


def test_gather_gives_everyone_all_values():
    assert team.run(3, lambda member: member.gather(member.rank * 10)) == [[0, 10, 20]] * 3
    assert team.member().gather('mine') == ['mine']


@pytest.mark.parametrize('rows', [2, 5, 33, 100])
def test_a_product_with_large_weights_is_that_of_one_member_alone(rows, monkeypatch):
    monkeypatch.setattr(linear, 'LARGE', 10)
    draws = np.random.RandomState(0)
    x, w = (to_device(draws.normal(size=shape)) for shape in ((rows, 4), (4, 7)))
    parts = team.run(2, lambda member: to_host(linear.product(x[member.part(rows)], w)))
    np.testing.assert_allclose(np.concatenate(parts), to_host(x) @ to_host(w), rtol=1e-5)


def test_outside_of_a_team_there_is_one_member():
    member = team.member()
    array = to_device(np.ones(2))
    assert (member.rank, member.size, member.part(7)) == (0, 1, slice(0, 7))
    assert member.all_reduce(array) is array
    team.run(2, lambda _: None)
    assert team.member() is member


@pytest.mark.parametrize('rank', [0, 1])
def test_an_error_of_one_member_ends_the_wait_of_the_others(rank):
    def work(member):
        if member.rank == rank:
            raise ValueError('no such row')
        member.all_reduce(to_device(np.ones(1)))

    with pytest.raises(ValueError, match='no such row'):
        team.run(2, work)
    assert team.run(2, lambda member: member.rank) == [0, 1]


def test_an_interrupt_of_the_first_member_comes_through():
    def work(member):
        if member.rank == 0:
            raise KeyboardInterrupt
        member.all_reduce(to_device(np.ones(1)))

    with pytest.raises(KeyboardInterrupt):
        team.run(2, work)


def test_blas_has_one_thread_inside_a_team_and_its_own_number_outside():
    def threads():
        return [info['num_threads'] for info in threadpoolctl.threadpool_info() if info['user_api'] == 'blas']

    before = threads()
    assert team.run(2, lambda _: threads()) == [[1] * len(before)] * 2
    assert threads() == before


def test_blas_has_one_thread_for_small_products_of_a_single_member():
    def threads():
        return [info['num_threads'] for info in threadpoolctl.threadpool_info() if info['user_api'] == 'blas']

    before = threads()
    alone = backend.name != 'numpy'
    assert team.run(1, lambda _: threads(), 1000) == [before if alone else [1] * len(before)]
    assert team.run(1, lambda _: threads(), 1e9) == team.run(1, lambda _: threads()) == [before]
    # A layer may lead a team of its own there.
    assert team.run(1, lambda _: team.run(2, lambda member: member.rank), 1000) == [[0, 1]]
    assert threads() == before


def test_small_work_and_heavy_weights_are_not_shared(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 4)
    many = team.PRODUCTS_A_MEMBER
    alone = backend.name != 'numpy'
    assert team.size(100, 8 * many) == (1 if alone else 4)
    assert team.size(100, many - 1) == 1
    assert team.size(2, 8 * many) == (1 if alone else 2)
    assert team.size(100, 8 * many, weights=many) == 1
    assert team.size(100, 8 * many, operations=4) == (1 if alone else 3)
    assert team.size(100, 8 * many, operations=80) == 1
    assert team.run(2, lambda _: team.size(100, 8 * many)) == [1, 1]


def test_spread_does_every_part_once(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 3)
    done = []
    team.spread(list(range(100)), done.append)
    assert sorted(done) == list(range(100))
    team.spread([], done.append)
    assert len(done) == 100


def test_inside_a_team_spread_does_every_part_once(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 3)

    def work(member):
        done = []
        team.spread(list(range(100)), lambda part: done.append((part, threading.get_ident())))
        return done

    for done in team.run(2, work):
        assert [part for part, _ in done] == list(range(100))
        assert len({thread for _, thread in done}) == 1


def test_spread_takes_more_than_one_thread_only_for_many_parts(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 3)

    def members(count):
        threads = set()
        team.spread(list(range(count)), lambda _: threads.add(team.member().size))
        return threads

    assert members(2 * team.BLOCKS_A_MEMBER - 1) == {1}
    assert members(2 * team.BLOCKS_A_MEMBER) == ({2} if backend.name == 'numpy' else {1})
    assert members(100 * team.BLOCKS_A_MEMBER) == ({3} if backend.name == 'numpy' else {1})


@pytest.mark.parametrize('failing', [{1}, {2}, {0, 1}, {0, 1, 2}])
def test_after_an_error_the_threads_are_free_again(failing):
    before = [info['num_threads'] for info in threadpoolctl.threadpool_info() if info['user_api'] == 'blas']

    def work(member):
        if member.rank in failing:
            raise ValueError(f'row {member.rank}')
        return member.gather(member.rank)

    with pytest.raises(ValueError, match='row [012]'):
        team.run(3, work)
    after = [info['num_threads'] for info in threadpoolctl.threadpool_info() if info['user_api'] == 'blas']
    assert after == before
    assert team.member() is team.ALONE
    assert team.run(3, lambda _: team.member().rank) == [0, 1, 2]


@pytest.mark.parametrize(('rows', 'together'), [(32, True), (33, False)])
def test_members_share_large_weights_by_columns_while_their_rows_are_few(rows, together, monkeypatch):
    """33 rows are 16 and 17, on either side of FEW_ROWS: both members must decide alike."""
    monkeypatch.setattr(linear, 'LARGE', 10)
    gathered = []
    honest = team.Member.gather

    def noted(member, value):
        gathered.append(tuple(value.shape))
        return honest(member, value)

    monkeypatch.setattr(team.Member, 'gather', noted)
    x, w = to_device(np.ones((rows, 4))), to_device(np.ones((4, 6)))
    team.run(2, lambda member: linear.product(x[member.part(rows)], w))
    inputs = [(len(range(rows)[part]), 4) for part in (slice(0, rows // 2), slice(rows // 2, rows))]
    assert sorted(gathered) == sorted(inputs + [(rows, 3)] * (2 if together else 0))
