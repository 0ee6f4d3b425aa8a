"""The crew: a team whose members are processes.

A step through a deep network of small maps is thousands of operations of some microseconds. Threads share Python's
interpreter lock, which each of them must take back after every operation; where operations are that short, two threads
are slower than one. Processes share nothing, so for such networks a member of the team is a copy of this process,
forked for an epoch. What members tell each other stands in memory that all of them see: the parameters, the rows of
the batch, the gradients, and what a layer asks of the whole batch (`member().gather`, see mathlib.team).

    x = shared((10, 96, 96, 3), 'float32')    an array that all members see
    crew = Crew(2, work)                      two of them
    crew.run({'step': 'forward'})             work(member, {'step': 'forward'}) in both; returns when both have ended
    crew.close()

Whoever waits for another looks again and again, as the wait is shorter than falling asleep and being woken.

A copy does nothing but `work`. It ends when this process does, however that ends, and on an interrupt it is this
process that decides.
"""

import itertools
import json
import math
import mmap
import os
import platform
import signal
import sys
import warnings

import numpy as np

from mathlib import backend, settings, team
from mathlib.errors import BookError

# That what was written first is seen first holds for this kind of processor alone.
POSSIBLE = sys.platform == 'linux' and platform.machine() == 'x86_64' and hasattr(os, 'fork')
# A crew pays from so many products a step on, and in an epoch of so many: the fork, and the first step of a copy, take
# as long as a tenth of that.
PRODUCTS, EPOCH = 20_000_000, 4_000_000_000
# How often to look before letting other processes go first, and how often to do that before asking whether those that
# are waited for are alive.
LOOKS, YIELDS = 500, 2000
# Bytes for an order, or for the text of an error; and for what a member brings to a meeting.
TEXT, VALUE = 4096, 1 << 22
# A counter has a line of the cache to itself: so many numbers.
LINE = 8
FAILED = -1
STDERR = 2
ALONE = 'WORKERS=1 works with a single process'


def size(rows, products, weights, steps):
    """How many processes should share `rows` rows with so many products in all, where threads do not pay.

    weights: how many numbers are learned. steps: how many such steps follow each other.
    """
    if not POSSIBLE or backend.name != 'numpy' or products < PRODUCTS or steps * products < EPOCH:
        return 1
    return 1 if products < team.PRODUCTS_A_WEIGHT * weights else min(settings.workers, rows)


def shared(shape, kind):
    """An array of zeros in memory that this process will have in common with all that it forks."""
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(1, count * np.dtype(kind).itemsize))
    return np.frombuffer(memory, kind, count).reshape(shape)


class Crew:
    """`members` processes, this one among them, that do work(member, order) together. Linux on x86-64 alone.

    What `work` finds is a copy, as it was when the Crew was made, but for arrays made by `shared`. OSError where the
    system has no room for another process.
    """

    def __init__(self, members, work):
        self._members, self._work, self._turn = members, work, 0
        # Read by memoryview, which is several times faster than by NumPy.
        self.turns, self.meetings = (memoryview(shared((members * LINE,), 'int64')) for _ in range(2))
        self._texts = [memoryview(shared((TEXT,), 'uint8')) for _ in range(members)]
        self.values = shared((2, members, VALUE), 'uint8')
        self._parent = os.getpid()
        self._pids, self._bells = [], []
        try:
            for rank in range(1, members):
                self._fork(self._member(rank))
        except OSError:
            self.close()
            raise
        self._self = self._member(0)

    def _member(self, rank):
        return team.Member(rank, self._members, _Meeting(self, rank, self._members), apart=True)

    def _fork(self, member):
        hear, bell = os.pipe()
        self._bells.append(bell)
        # Within the turn of the team, which so cannot be another thread's; the copy keeps it, and BLAS at one thread.
        with warnings.catch_warnings(), team.one_blas_thread():
            # Python warns of other threads, which may hold a lock at that moment. The copy takes none of theirs.
            warnings.simplefilter('ignore', DeprecationWarning)
            try:
                pid = os.fork()
                if pid == 0:
                    self._be_copy(member, hear)
            finally:
                os.close(hear)
        self._pids.append(pid)

    def run(self, order):
        """work(member, order) in all processes. order: what JSON can hold.

        An error of this process is raised as it is, one of another as a MemoryError or a BookError; after either, the
        crew must be closed.
        """
        _put(self._texts[0], order)
        self._turn += 1
        self.turns[0] = self._turn
        for bell in self._bells:
            os.write(bell, b'.')
        with team.one_blas_thread():
            team.act(self._self, self._work, order)
        for rank in range(1, self._members):
            self.wait(self.turns, rank, self._turn)

    def close(self):
        """End the other processes. They hold nothing that anybody waits for."""
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for bell in self._bells:
            os.close(bell)
        self._pids, self._bells = [], []

    def _be_copy(self, member, hear):
        """What a copy does until it ends."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # What this process has open, such as a lock or a pipe that somebody reads, must not outlive it in a copy.
            for first, end in ((0, STDERR), (STDERR + 1, hear), (hear + 1, os.sysconf('SC_OPEN_MAX'))):
                os.closerange(first, end)
            self._serve(member, hear)
        finally:
            os._exit(0)

    def _serve(self, member, hear):
        """One order after the other, until the bell is gone, or something fails."""
        for turn in itertools.count(1):
            _come(self.turns, 0, turn)
            if not os.read(hear, 1):
                return
            try:
                team.act(member, self._work, _get(self._texts[0]))
            except BaseException as problem:
                _put(self._texts[member.rank], [type(problem).__name__, str(problem)[: TEXT // 8]])
                self.turns[member.rank * LINE] = FAILED
                return
            self.turns[member.rank * LINE] = turn

    def wait(self, counters, rank, count):
        """Wait until the counter of a member has come that far."""
        for tried in itertools.count(1):
            if _come(counters, rank, count):
                return
            if self.turns[rank * LINE] == FAILED:
                name, text = _get(self._texts[rank])
                if name == 'MemoryError':
                    raise MemoryError(text)
                raise BookError(f'a process that shared a training step failed ({name}: {text}); {ALONE}')
            os.sched_yield()
            if tried % YIELDS == 0:
                self._check_alive()

    def _check_alive(self):
        """A copy ends if the process that made it has; in that one it is an error if a copy has."""
        if os.getpid() != self._parent:
            if os.getppid() != self._parent:
                os._exit(1)
            return
        for pid in self._pids:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                raise BookError(f'a process that shared a training step has ended, perhaps for lack of memory; {ALONE}')


class _Meeting:
    """Where the members of a Crew tell each other something; each process has its own."""

    def __init__(self, crew, rank, members):
        self._crew, self._rank, self._members, self._count = crew, rank, members, 0
        self._views = {}

    def hold(self, rank, value, combine):
        """combine([value of each rank]), as in mathlib.team; value: an array, of one shape and type for all members.

        There are two places for each member, used in turn: whoever comes to the next meeting but one has been at the
        next one, to which the others came only after they had read what stands here.
        """
        crew, self._count = self._crew, self._count + 1
        if value.nbytes > VALUE:
            raise BookError(f'processes can tell each other {VALUE} bytes at once, not {value.nbytes}; {ALONE}')
        if value.dtype not in self._views:
            self._views[value.dtype] = crew.values.view(value.dtype)
        place = self._views[value.dtype][self._count % 2, :, : value.size]
        place[rank] = value.reshape(-1)
        crew.meetings[rank * LINE] = self._count
        for other in range(self._members):
            crew.wait(crew.meetings, other, self._count)
        return combine(list(place.copy().reshape(self._members, *value.shape)))

    def end(self):
        """Nothing: a process that failed says so by its counter."""


def _come(counters, rank, count):
    """Whether the counter of a member has come that far; looks for some time before it says no."""
    place = rank * LINE
    return any(counters[place] >= count for _ in range(LOOKS))


def _put(place, value):
    """Write something that JSON can hold."""
    text = json.dumps(value).encode() + b'\0'
    place[: len(text)] = text


def _get(place):
    """Read it."""
    return json.loads(bytes(place).split(b'\0')[0])
