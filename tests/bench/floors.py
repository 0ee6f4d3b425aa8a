"""What the processor can do at most: matrix products and copies, with one core and with all of them.

python -m tests.bench.floors THREADS prints a JSON object. BLAS reads its number of threads when it is loaded, so each
number of threads has a process of its own.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SIDE = 2048
COPIED = 1 << 28
TIMES = 5
# As OpenBLAS, OpenMP, MKL, BLIS and Accelerate call it.
THREAD_SETTINGS = (
    *('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS'),
    *('BLIS_NUM_THREADS', 'VECLIB_MAXIMUM_THREADS'),
)


def best_seconds(work):
    """The shortest of a few runs, after one to warm up."""
    work()
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def gemm_gflops():
    """Billions of float32 operations a second in a square matrix product, by as many threads as BLAS takes."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), dtype=np.float32)
    out = np.empty_like(a)
    return 2 * SIDE**3 / best_seconds(lambda: np.matmul(a, b, out=out)) / 1e9


def copy_gbs(threads):
    """GB a second, read and written together, when `threads` threads copy far more than the caches hold."""
    source = np.ones(COPIED, dtype=np.uint8)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * COPIED / best_seconds(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), parts))) / 1e9


def in_processes(cores):
    """{'one_core': figures, 'all_cores': figures}, each from a new process; raises CalledProcessError if one fails."""
    floors = {}
    for name, threads in (('one_core', 1), ('all_cores', cores)):
        done = subprocess.run(
            [sys.executable, '-m', 'tests.bench.floors', str(threads)],
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(THREAD_SETTINGS, str(threads))},
            stdout=subprocess.PIPE,
            check=True,
        )
        floors[name] = json.loads(done.stdout)
    return floors


if __name__ == '__main__':
    print(json.dumps({'gemm_gflops': round(gemm_gflops(), 1), 'copy_gbs': round(copy_gbs(int(sys.argv[1])), 1)}))
