"""How much memory one workload takes, in a process of its own: python -m tests.bench.memory NAME.

Our side alone, a few steps, no PyTorch. Prints a JSON object, in MB (1e6 bytes): the peak, and how far it lies above
what the process held after its imports, and above what it held once the batch was made.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from mathlib import runtime

ROOT = Path(__file__).resolve().parents[2]
STEPS = 3


def held_mb():
    """What this process holds in memory; where only the peak is known, that."""
    return runtime.memory_mb() or runtime.peak_memory_mb()


def measure(name):
    """Run a workload's own side in this process; the figures as a dict."""
    from tests.bench import workloads

    workload = workloads.WORKLOADS[name]
    imports = held_mb()
    dataset = workloads.make_batch(workload)
    data = held_mb()
    work, _, _ = workloads.our_side(workload, dataset)
    for _ in range(STEPS):
        work()
    peak = runtime.peak_memory_mb()
    return {'peak_mb': peak, 'above_imports_mb': peak - imports, 'above_data_mb': peak - data}


def in_a_process(name):
    """The figures of `measure` from a new process; raises CalledProcessError if it fails."""
    done = subprocess.run(
        [sys.executable, '-m', 'tests.bench.memory', name], cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


if __name__ == '__main__':
    print(json.dumps({key: round(value) for key, value in measure(sys.argv[1]).items()}))
