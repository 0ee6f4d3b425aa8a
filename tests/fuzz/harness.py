"""Many inputs, a piece at a time, each piece in a process of its own that may die without harm: `run`."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from mathlib import settings

ROOT = settings.ROOT


@dataclass(frozen=True)
class Result:
    """What became of one input: outcome 'read', 'refused' or 'found'; word: the error; seconds; peak in MiB so far."""

    reader: str
    number: int
    outcome: str
    kind: str
    word: str
    seconds: float
    peak: int


def run(names, begin, end, seed):
    """The Results of the inputs from `begin` to `end` of readers, in one process; if it dies, that is a find.

    With one reader it then goes on behind the input at which it died; with several it ends there.
    """
    results = []
    while begin < end:
        done, fault = _process(names, begin, end, seed)
        results += done
        begin = end if len(names) > 1 or fault is None else begin + len(done) + 1
        if fault is not None:
            results.append(Result(','.join(names), begin - 1, 'found', '', fault, 0, 0))
    return results


def _process(names, begin, end, seed):
    """(Results, None), or those before the process died and its last words."""
    # Arrays stay on the host: a graphics card's driver wants more addresses than the process may have.
    variables = {**os.environ, 'BACKEND': 'numpy', 'WORKERS': '1', 'OPENBLAS_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    with tempfile.TemporaryDirectory(prefix='fuzz-') as folder:
        command = [sys.executable, '-m', 'tests.fuzz.trial', ','.join(names), *map(str, (begin, end, seed)), folder]
        ended = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, errors='replace'
        )
    results = [Result(*json.loads(line)) for line in ended.stdout.splitlines() if line.startswith('[')]
    if len(results) == (end - begin) * len(names) and ended.returncode == 0:
        return results, None
    return results, f'status {ended.returncode}: {ended.stderr[-800:]}'
