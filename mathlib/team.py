"""The team: both cores, or all of them, on one training step.

The rows of a batch are independent of each other on their way through a network. So each member of a team, a thread,
takes some of the rows through all layers, forward and then back, and files gradients of its own; those of all members
add up to the gradients of the batch. NumPy lets go of Python's interpreter lock while it computes, so threads do run at
the same time, and one fork for the whole network costs less than one for every operation.

    outputs = team.run(members, work)          work(member) on every member; a list, one result for each

A layer that needs something of the whole batch (batch normalisation its sums) asks `member().all_reduce(array)`. A
member has a rank and a size and hardly anything else, so that processes can be members as well: see mathlib.crew, for
networks whose operations are too short for threads.

WORKERS says how many members there may be; with one, BLAS alone shares out its products. On a GPU there is one.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import cache

import threadpoolctl

from mathlib import backend, settings
from mathlib.errors import BookError

# A team pays when a member has at least this many products to do for every few operations, for after each of them it
# takes Python's interpreter lock again; and when the weights that each member must read, and the gradients that each
# must add up, are few beside them.
PRODUCTS_A_MEMBER = 4_000_000
OPERATIONS = 1.6
PRODUCTS_A_WEIGHT = 48
# A fork takes as long as a few passes over so many blocks of memory.
BLOCKS_A_MEMBER = 6

_here = threading.local()
# BLAS has one number of threads for the whole process, so teams of several threads take turns.
_turn = threading.RLock()


class Member:
    """One of the `size` members of a team, with the number `rank` from 0 to size - 1.

    apart: whether the others are other processes, to which a large array would have to be copied.
    """

    def __init__(self, rank=0, size=1, meeting=None, apart=False):
        self.rank, self.size, self.apart = rank, size, apart
        self._meeting = meeting

    def part(self, count):
        """This member's share of range(count), as a slice."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def gather(self, value):
        """The values of all members in the order of the ranks: every member must call this."""
        return [value] if self.size == 1 else list(self._meeting.hold(self.rank, value, list))

    def all_reduce(self, array):
        """The sum of the members' arrays, the same bits for all and in every run: every member must call this."""
        return array if self.size == 1 else self._meeting.hold(self.rank, array, _sum).copy()


def _sum(arrays):
    """All arrays added up, in their order."""
    first, *others = arrays
    return sum(others, start=first)


class _Abandoned(Exception):
    """A member waits for another that has ended."""


class _Meeting:
    """Where the members wait for each other."""

    def __init__(self, size):
        self._size = size
        self._someone = threading.Condition()
        self._values, self._outcome = {}, {}
        self._ended = False

    def hold(self, rank, value, combine):
        """combine([value of each rank]), made by the last to come, while the values of all others stay as they are."""
        with self._someone:
            if self._ended:
                raise _Abandoned
            values, outcome = self._values, self._outcome
            values[rank] = value
            if len(values) == self._size:
                self._values, self._outcome = {}, {}
                outcome['is'] = combine([values[each] for each in range(self._size)])
                self._someone.notify_all()
            self._someone.wait_for(lambda: outcome or self._ended)
            if not outcome:
                raise _Abandoned
            return outcome['is']

    def end(self):
        """A member has done its work, or failed: nobody needs to wait for it any more."""
        with self._someone:
            self._ended = True
            self._someone.notify_all()


ALONE = Member()


def member():
    """The member that the calling thread is; outside of `run` the only one of a team of one."""
    return getattr(_here, 'member', ALONE)


def size(rows, products=0, weights=0, operations=1):
    """How many members should share `rows` rows with so many products in all, through a network of so many weights.

    operations: how many layers do them; a meeting of the members counts as one more.
    """
    if backend.name != 'numpy' or member() is not ALONE or products < PRODUCTS_A_WEIGHT * weights:
        return 1
    least = PRODUCTS_A_MEMBER * max(1, operations / OPERATIONS)
    return max(1, min(settings.workers, rows, int(products / least)))


def run(members, work, each=None):
    """[work(member) for each member of a team of `members`], at the same time.

    each: how many products fall on one operation of the work, if known; if they are few, BLAS gets one thread even for
    a member that is alone, as waking its others takes longer than the products do.

    An error of one member ends the wait of the others and is raised here. BookError where a member waits for others
    that have ended, or wants to lead a team of its own.
    """
    if members == 1:
        small = backend.name == 'numpy' and each is not None and each < PRODUCTS_A_MEMBER / OPERATIONS
        with one_blas_thread() if small and member() is ALONE else nullcontext():
            return [work(ALONE)]
    if member() is not ALONE:
        raise BookError('a member of a team cannot lead a team of its own')
    meeting, pool = _Meeting(members), _pool(max(members, settings.workers) - 1)
    with one_blas_thread():
        # Each in the caller's context, where NumPy keeps what it does about overflow.
        others = [
            pool.submit(copy_context().run, _work, Member(rank, members, meeting), work) for rank in range(1, members)
        ]
        try:
            results, problems = [_work(Member(0, members, meeting), work)], []
        except _Abandoned as problem:
            results, problems = [], [problem]
        finally:
            ends = [other.exception() for other in others]
    problems += [problem for problem in ends if problem is not None]
    for problem in problems:
        if not isinstance(problem, _Abandoned):
            raise problem
    if problems:
        raise BookError('a member of a team waited for another that had ended: all must gather equally often')
    return results + [other.result() for other in others]


@contextmanager
def one_blas_thread():
    """Inside, BLAS has one thread, and no other team a turn."""
    with _turn, _blas().limit(limits=1):
        yield


def _work(who, work):
    """What one thread does."""
    try:
        return act(who, work)
    finally:
        who._meeting.end()


def act(who, work, *args):
    """work(who, *args) with the calling thread as the member `who`."""
    _here.member = who
    try:
        return work(who, *args)
    finally:
        _here.member = ALONE


def spread(parts, work):
    """work(part) for every part of a list of blocks of memory, shared out where there are enough of them."""

    def share(who):
        for part in parts[who.part(len(parts))]:
            work(part)

    alone = backend.name != 'numpy' or member() is not ALONE
    run(1 if alone else max(1, min(settings.workers, len(parts) // BLOCKS_A_MEMBER)), share)


@cache
def _pool(threads):
    """The threads of a team beside the caller's own; they wait between two runs."""
    return ThreadPoolExecutor(threads, thread_name_prefix='team')


@cache
def _blas():
    """The handle on NumPy's BLAS, whose own threads would get into the way of the team's."""
    return threadpoolctl.ThreadpoolController().select(user_api='blas')


# A forked process has none of its parent's threads.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_pool.cache_clear)
