"""Many configurations, drawn at random: `python -m tests.stress.configurations --cases 2000`.

Half of them fit together, half have a mistake. Each either is built, trained for a step, saved, loaded and checked
against finite differences, or is refused with a ConfigError that says where; whatever else happens is a finding. Prints
what became of them, and for every kind of finding the shortest configuration. Exit status 1 if there is one.
"""

import argparse
import contextlib
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from mathlib.quoting import quoted
from tests.properties.mistakes import mistaken
from tests.properties.networks import networks
from tests.properties.outcome import examine

# What the process may take beside what it has at the start: more is a MemoryError, which is a finding.
ADDRESSES = 3 << 30


def main():
    """Draw, examine, print."""
    parser = argparse.ArgumentParser(prog='python -m tests.stress.configurations', description=__doc__)
    parser.add_argument('--cases', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=1)
    wanted = parser.parse_args()
    with contextlib.suppress(ValueError, OSError):
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES, resource.RLIM_INFINITY))
    tally, findings, seen = Counter(), {}, set()
    began = time.monotonic()
    for number, strategy in enumerate((networks(), mistaken())):
        survey(strategy, wanted.cases // 2, wanted.seed + number, tally, findings, seen)
    for what, count in sorted(tally.items()):
        print(f'{count:7d}  {what}')
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = time.monotonic() - began
    print(
        f'{tally.total():7d}  in all, at least {len(seen)} of them different, in {took:.0f} s, in up to {peak:.0f} MB'
    )
    for kind, (count, case, trace) in sorted(findings.items()):
        print(f'\n{count} times: {kind}\n{described(case)}\n{trace}')
    return 1 if findings else 0


def survey(strategy, count, number, tally, findings, seen):
    """Examine `count` cases.

    What became of them goes into `tally`, what should not have into `findings`, their texts into `seen`.
    """
    with tempfile.TemporaryDirectory() as folder:

        @seed(number)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def one(case):
            seen.add(described(case))
            fits = 'fitting' if not case.mistake else 'with a mistake'
            try:
                outcome = examine(case, Path(folder))
            # A finding is whatever comes out, of any type.
            except Exception as problem:
                tally[f'{fits}: FINDING'] += 1
                kind = f'{type(problem).__name__}: {str(problem)[:70]}'
                known, best, trace = findings.get(kind, (0, case, ''))
                if not trace or len(described(case)) <= len(described(best)):
                    best, trace = case, ''.join(traceback.format_exception(problem)[-12:])[-3000:]
                findings[kind] = known + 1, best, trace
                return
            gradients = 'gradients right' if outcome.checked else 'too large for a gradient check'
            what = 'refused' if outcome.refused else f'built, trained, saved, loaded, {gradients}'
            tally[f'{fits}: {what}'] += 1

        one()


def described(case):
    """A case in words."""
    return '\n'.join(f'  {name}: {quoted(value)}' for name, value in vars(case).items())


if __name__ == '__main__':
    sys.exit(main())
