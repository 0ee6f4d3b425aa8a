import subprocess
import sys

import numpy as np

from mathlib import runtime, settings


def test_the_peak_grows_with_what_is_held_and_stays():
    before = runtime.peak_memory_mb()
    block = np.ones(30_000_000)
    now = runtime.memory_mb()
    assert now is None or now >= 240
    del block
    assert runtime.peak_memory_mb() >= max(before, 240)


def test_the_peak_is_this_process_own():
    block = np.ones(60_000_000)
    code = 'from mathlib import runtime; print(runtime.peak_memory_mb())'
    told = subprocess.run([sys.executable, '-c', code], cwd=settings.ROOT, capture_output=True, text=True, check=True)
    assert float(told.stdout) < block.nbytes / 1e6
