"""The benchmark on this machine's processor, beside PyTorch's: `make bench`.

Writes book/results/cpu-<processor>.json. A busy machine spoils both sides, so the load is noted beside the figures.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from mathlib import backend, runtime
from tests.bench import steps

ROOT = Path(__file__).resolve().parents[2]


def main(arguments=None):
    """Measure, print and write the record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--results', type=Path, default=ROOT / 'book' / 'results', help='folder of the record')
    options = parser.parse_args(arguments)
    if backend.name != 'numpy':
        print('make bench measures the processor; on a GPU it is make gpu. Unset BACKEND.', file=sys.stderr)
        return 2
    machine = runtime.describe()
    load = os.getloadavg()[0] if hasattr(os, 'getloadavg') else None
    print(
        f'{machine["processor"]}, {machine["cores"]} cores, load before: {load}; '
        f'NumPy {np.__version__}, PyTorch {torch.__version__}'
    )
    cases = steps.run_all(backend, torch, place='cpu')
    record = {
        'machine': machine,
        'load_before': load,
        'backend': backend.describe(),
        'torch': torch.__version__,
        'steps': f'median of {steps.ROUNDS * steps.STEPS} after {steps.WARM_UP} to warm up, in turn',
        'cases': cases,
        'peak_memory_mb': runtime.peak_memory_mb(),
    }
    steps.store(record, options.results, f'cpu-{steps.slug(machine["processor"])}.json')
    return 0


if __name__ == '__main__':
    sys.exit(main())
