"""The benchmark on a GPU, beside PyTorch's CUDA; `make gpu` runs it after the tests.

    BACKEND=cupy python -m tests.bench.gpu [--junit build/gpu-tests.xml] [--results book/results]

Writes book/results/gpu-<device>.json. Exit status 2 where there is no GPU, or only the stand-in for CuPy.
"""

import argparse
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np

from tests.bench import steps

ROOT = Path(__file__).resolve().parents[2]


class NoGpu(Exception):
    """There is nothing here to measure; the message says why and what to do."""


def require_gpu():
    """The backend module, if it computes on a real GPU; otherwise NoGpu."""
    from mathlib.errors import SettingError

    try:
        from mathlib import backend
    except SettingError as problem:
        raise NoGpu(str(problem)) from None
    if backend.name != 'cupy':
        raise NoGpu(f'BACKEND={backend.name} computes on the processor. Run "make gpu", which sets BACKEND=cupy.')
    if 'standin' in backend.xp.__version__:
        raise NoGpu('This CuPy is the stand-in from tests/standin, which has no GPU: take it off PYTHONPATH.')
    return backend


def find_torch():
    """PyTorch, if it is installed and sees a GPU; None otherwise."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def outcomes(junit):
    """How the tests and the notebooks' cells came out, from pytest's --junitxml; None without such a file."""
    if junit is None:
        return None
    counts = {key: {'passed': 0, 'failed': 0, 'skipped': 0} for key in ('tests', 'notebook_cells')}
    for case in xml.etree.ElementTree.parse(junit).getroot().iter('testcase'):
        kind = 'notebook_cells' if case.get('classname', '').endswith('.ipynb') else 'tests'
        tags = {child.tag for child in case}
        outcome = 'failed' if tags & {'failure', 'error'} else 'skipped' if 'skipped' in tags else 'passed'
        counts[kind][outcome] += 1
    return counts


def run_cases(backend, torch):
    """Measure every case and print a line for each; a list of dicts for the record.

    PyTorch may try out its convolutions, and rounds no number to TF32: CuPy does not either, unless it is asked to.
    """
    from tests.bench import workloads

    if torch is not None:
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False
    cases = []
    for network, batch_size in steps.cases().values():
        cases.append(steps.run_case(network, batch_size, backend, torch))
        print(steps.line(cases[-1]))
    for name in workloads.ON_A_GPU:
        cases.append(workloads.run_case(workloads.WORKLOADS[name], torch, 'cuda'))
        print(workloads.line(cases[-1]))
    return cases


def main(arguments=None):
    """Measure, print and write the record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--junit', type=Path, help='the file that pytest wrote with --junitxml')
    parser.add_argument('--results', type=Path, default=ROOT / 'book' / 'results', help='folder of the record')
    options = parser.parse_args(arguments)
    try:
        backend = require_gpu()
    except NoGpu as reason:
        print(f'No benchmark: {reason}', file=sys.stderr)
        return 2
    from mathlib import runtime

    torch, computer = find_torch(), backend.describe()
    record = {
        'backend': computer,
        'driver': backend.xp.cuda.runtime.driverGetVersion(),
        'cuda': backend.xp.cuda.runtime.runtimeGetVersion(),
        'numpy': np.__version__,
        'torch': torch.__version__ if torch else None,
        'machine': runtime.describe(),
        'outcomes': outcomes(options.junit),
        'steps': (
            f'in turn, each synchronised, medians of {steps.ROUNDS} rounds of {steps.STEPS} after {steps.WARM_UP} to '
            f'warm up; large networks: rounds of {steps.LARGE_STEPS} after {steps.LARGE_WARM_UP}'
        ),
    }
    print(f'{computer["device"]}, CuPy {computer["version"]}, PyTorch {record["torch"] or "not found"}')
    record['cases'] = run_cases(backend, torch)
    steps.store(record, options.results, f'gpu-{steps.slug(computer["device"])}.json')
    return 0


if __name__ == '__main__':
    sys.exit(main())
