"""A team whose members are processes. Elsewhere than on Linux with x86-64 there is none, which the last test says."""

import os
import platform
import select
import signal
import subprocess
import sys

import numpy as np
import pytest

from mathlib import backend, crew, settings, team
from mathlib.crew import Crew, shared
from mathlib.errors import BookError

ROOT = settings.ROOT


@pytest.fixture
def make():
    """Crews that are closed at the end of the test."""
    made = []

    def new(*args):
        made.append(Crew(*args))
        return made[-1]

    yield new
    for one in made:
        one.close()


def children():
    """Whether this process has children, dead ones that nobody has asked for included."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


linux = pytest.mark.parametrize('possible', [True] if crew.POSSIBLE else [])


@linux
def test_every_member_is_a_process_and_what_they_write_is_seen_here(make, possible):
    pids, parts = shared((3,), 'int64'), shared((7, 2), 'float32')

    def work(member, order):
        pids[member.rank] = os.getpid()
        parts[member.part(7)] += order['add'] + member.rank

    together = make(3, work)
    for add in (1, 10):
        together.run({'add': add})
    assert pids[0] == os.getpid()
    assert len(set(pids)) == 3
    assert parts[:, 0].tolist() == [11, 11, 13, 13, 15, 15, 15]
    together.close()
    assert not children()


@linux
@pytest.mark.parametrize('kind', ['float32', 'float64', 'int64'])
def test_members_meet_often_and_all_see_the_same(make, kind, possible):
    sums, seen = shared((3, 2), kind), shared((3, 3, 2), kind)

    def work(member, order):
        total = np.array([member.rank, 1], kind)
        for _ in range(order):
            total = member.all_reduce(total) // 3 + member.rank
        sums[member.rank] = total
        seen[member.rank] = np.stack(member.gather(total))

    together = make(3, work)
    together.run(300)
    # (0, 1) + (1, 1) + (2, 1) is (3, 3), a third of it (1, 1); then each adds its rank, and so on.
    assert sums[:, 0].tolist() == [sums[0, 0], sums[0, 0] + 1, sums[0, 0] + 2]
    alone = team.run(3, lambda member: _threads(member, kind))
    np.testing.assert_array_equal(sums, alone)
    for rank in range(3):
        np.testing.assert_array_equal(seen[rank], sums)


def _threads(member, kind):
    """The same with the threads of mathlib.team."""
    total = backend.to_device(np.array([member.rank, 1], kind))
    for _ in range(300):
        total = member.all_reduce(total) // 3 + member.rank
    return backend.to_host(total)


@linux
def test_sums_are_taken_in_the_order_of_the_ranks(make, possible):
    sums = shared((3, 1), 'float32')
    values = np.array([1e8, 1, -1e8], 'float32')

    def work(member, order):
        sums[member.rank] = member.all_reduce(values[member.rank : member.rank + 1])

    make(3, work).run(None)
    assert sums[:, 0].tolist() == [float((values[0] + values[1]) + values[2])] * 3


@linux
@pytest.mark.parametrize(
    ('problem', 'raised'), [(ValueError('no such row'), BookError), (MemoryError('8 GB'), MemoryError)]
)
def test_an_error_of_another_process_is_told(make, problem, raised, possible):
    def work(member, order):
        if member.rank:
            raise problem
        member.all_reduce(np.ones(1))

    with pytest.raises(raised, match=str(problem)):
        make(2, work).run(None)


@linux
@pytest.mark.parametrize('problem', [ValueError('here'), KeyboardInterrupt()])
def test_an_error_of_this_process_comes_through_and_the_others_end(make, problem, possible):
    def work(member, order):
        if member.rank == 0:
            raise problem
        member.all_reduce(np.ones(1))

    together = make(2, work)
    with pytest.raises(type(problem)):
        together.run(None)
    assert team.member() is team.ALONE
    together.close()
    assert not children()


@linux
def test_a_process_that_is_killed_is_missed(make, possible):
    def work(member, order):
        if member.rank:
            os.kill(os.getpid(), signal.SIGKILL)
        member.all_reduce(np.ones(1))

    with pytest.raises(BookError, match='has ended, perhaps for lack of memory; WORKERS=1'):
        make(2, work).run(None)


SCRIPT = """
import os, signal, sys
import numpy as np
from mathlib.crew import Crew, shared
pids = shared((3,), 'int64')
def work(member, order):
    pids[member.rank] = os.getpid()
    member.all_reduce(np.ones(1))
    if order == 'meet' and member.rank == 0:
        print(*pids[1:], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if order == 'meet':
        member.all_reduce(np.ones(1))
crew = Crew(3, work)
crew.run('start')
if sys.argv[1] == 'meet':
    crew.run('meet')
print(*pids[1:], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@linux
@pytest.mark.parametrize('where', ['meet', 'between'])
def test_the_others_end_when_this_process_is_killed(where, possible):
    """Whether they wait for its part of a meeting, or for its next order."""
    with subprocess.Popen([sys.executable, '-c', SCRIPT, where], cwd=ROOT, stdout=subprocess.PIPE, text=True) as script:
        pids = [int(word) for word in script.stdout.readline().split()]
    assert len(pids) == 2
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        # Readable as soon as the process has ended.
        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)


@linux
def test_a_copy_keeps_no_file_open(make, tmp_path, possible):
    """So that a lock ends with the process that took it."""
    opened = shared((2,), 'int64')

    def work(member, order):
        try:
            os.fstat(lock.fileno())
        except OSError:
            return
        opened[member.rank] = 1

    with (tmp_path / 'lock').open('w') as lock:
        make(2, work).run(None)
    assert opened.tolist() == [1, 0]


@linux
def test_too_much_for_a_meeting_is_told(make, monkeypatch, possible):
    def work(member, order):
        member.all_reduce(np.ones(9))

    together = make(2, work)
    monkeypatch.setattr(crew, 'VALUE', 64)
    with pytest.raises(BookError, match='64 bytes at once, not 72'):
        together.run(None)


def test_a_crew_is_for_long_epochs_of_large_steps_with_few_weights(monkeypatch):
    monkeypatch.setattr(settings, 'workers', 4)
    some, long = crew.PRODUCTS, -(-crew.EPOCH // crew.PRODUCTS)
    possible = sys.platform == 'linux' and platform.machine() == 'x86_64' and backend.name == 'numpy'
    assert crew.size(10, some, 0, long) == (4 if possible else 1)
    assert crew.size(3, some, 0, long) == (3 if possible else 1)
    assert crew.size(10, some, 0, long - 1) == 1
    assert crew.size(10, some - 1, 0, 2 * long) == 1
    assert crew.size(10, some, some, long) == 1
