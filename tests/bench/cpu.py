"""The benchmark on this machine's processor, beside PyTorch's: `make bench`.

    python -m tests.bench.cpu [--list] [--only NAME ...] [--rounds N] [--results FOLDER]

Writes book/results/cpu-<processor>.json. A busy machine spoils all sides, so the load is noted beside the figures.
With --only, only some cases are measured; such a run is printed, and stored only where --results says.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from mathlib import backend, runtime
from tests.bench import floors, memory, steps, workloads

ROOT = Path(__file__).resolve().parents[2]


def read_options(arguments):
    """The options of the command line; with `only`, the names of all cases that were chosen."""
    names = [*steps.cases(), *workloads.WORKLOADS]
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--list', action='store_true', help='print the names of the cases, and measure nothing')
    parser.add_argument('--only', nargs='+', choices=names, metavar='NAME', help='measure these cases alone')
    parser.add_argument('--rounds', type=int, default=steps.ROUNDS, help=f'turns of each side ({steps.ROUNDS})')
    parser.add_argument('--results', type=Path, help='folder of the record (book/results for a run of all cases)')
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f'--rounds {options.rounds}: expected 1 or more')
    if options.results is None and options.only is None:
        options.results = ROOT / 'book' / 'results'
    if options.list:
        print('\n'.join(names))
    options.only = options.only or names
    return options


def main(arguments=None):
    """Measure, print and write the record; returns the exit status."""
    options = read_options(arguments)
    if options.list:
        return 0
    if backend.name != 'numpy':
        print('make bench measures the processor; on a GPU it is make gpu. Unset BACKEND.', file=sys.stderr)
        return 2
    machine = runtime.describe()
    torch.set_num_threads(machine['cores'])
    record = {
        'machine': machine,
        'load_before': steps.load(),
        'backend': backend.describe(),
        'torch': torch.__version__,
        'threads': {
            'torch': torch.get_num_threads(),
            **{key: os.environ.get(key) for key in ('WORKERS', *floors.THREAD_SETTINGS)},
        },
        'steps': (
            f'in turn, medians of {options.rounds} rounds of {steps.STEPS} steps after {steps.WARM_UP} to warm up; '
            f'large networks: rounds of {steps.LARGE_STEPS} after {steps.LARGE_WARM_UP}; '
            f"the textbook's algorithm, where slow: rounds of 1 after 1"
        ),
    }
    print(
        f'{machine["processor"]}, {machine["cores"]} cores, load before: {record["load_before"]}; '
        f'NumPy {np.__version__}, PyTorch {torch.__version__} with {torch.get_num_threads()} threads'
    )
    record['floors'] = floors.in_processes(machine['cores'])
    for name, floor in record['floors'].items():
        print(f'{name}: {floor["gemm_gflops"]} GFLOP/s in matrix products, {floor["copy_gbs"]} GB/s in copies')
    record['cases'] = []
    for name in options.only:
        record['cases'].append(run_case(name, options.rounds))
    record['load_after'] = steps.load()
    record['peak_memory_mb'] = runtime.peak_memory_mb()
    print(f'load after: {record["load_after"]}')
    if options.results is not None:
        steps.store(record, options.results, f'cpu-{steps.slug(machine["processor"])}.json')
    return 0


def run_case(name, rounds):
    """Measure the case of that name and print its line; a dict for the record."""
    if name in steps.cases():
        case = steps.run_case(*steps.cases()[name], backend, torch, 'cpu', rounds)
        print(steps.line(case), flush=True)
        return case
    case = workloads.run_case(workloads.WORKLOADS[name], torch, 'cpu', rounds)
    case['memory'] = memory.in_a_process(name)
    print(f'{workloads.line(case)}; {case["memory"]["above_data_mb"]} MB above the data', flush=True)
    return case


if __name__ == '__main__':
    sys.exit(main())
