"""The book's largest networks: do they fit, and how long does one training step take? No PyTorch beside them.

    python -m tests.bench.largest [--only NAME ...] [--batch N]

Each network has a process of its own and one step on random pictures of 224x224: the first step, in which all memory
is touched for the first time. Memory is the peak of the process in MB (1e6 bytes); where there is not enough of it, the
system ends the process.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import chapters
from mathlib import backend, rng, runtime
from mathlib.backend import scalar, to_device
from tests.bench import steps

ROOT = Path(__file__).resolve().parents[2]
IMAGE, CHOICES = (224, 224, 3), [1000]
# {name: the arguments of its macro}
NETWORKS = {'bottleneck_152': {'#act': 'LAB'}, 'vgg_19': {}}


def measure(name, batch_size):
    """Build a network and do one step in this process; the figures as a dict."""
    dataset = steps.make_dataset(name, CHOICES, batch_size, IMAGE)
    rng.seed()
    start = time.perf_counter()
    layer = ['custom', {'name': name, 'args': NETWORKS[name]}]
    model = chapters.CnnExtModel(name, dataset, [layer], weight_init='he', epsilon=1e-5)
    built = time.perf_counter()
    held = runtime.memory_mb()
    x, y = to_device(dataset.tr_xs / 255), to_device(dataset.tr_ys)
    loss = scalar(model.train_step(x, y)[0])
    backend.synchronize()
    stepped = time.perf_counter()
    return {
        'network': name,
        'batch_size': batch_size,
        'parameters': model.parameters.count,
        'build_s': round(built - start, 2),
        'step_s': round(stepped - built, 2),
        'built_mb': held and round(held),
        'peak_mb': round(runtime.peak_memory_mb()),
        'loss': round(loss, 4),
    }


def in_a_process(name, batch_size):
    """The figures of `measure` from a new process; raises CalledProcessError if it fails or is ended."""
    done = subprocess.run(
        [sys.executable, '-m', 'tests.bench.largest', '--only', name, '--batch', str(batch_size), '--here'],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def main(arguments=None):
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', nargs='+', choices=NETWORKS, metavar='NAME', default=list(NETWORKS))
    parser.add_argument('--batch', type=int, default=10, help="rows in the batch (10, the book's)")
    parser.add_argument('--here', action='store_true', help='in this process, printed as JSON')
    options = parser.parse_args(arguments)
    if options.batch < 1:
        parser.error(f'--batch {options.batch}: expected 1 or more')
    for name in options.only:
        if options.here:
            print(json.dumps(measure(name, options.batch)))
            continue
        print(f'load before: {steps.load()}')
        print(', '.join(f'{key} {value}' for key, value in in_a_process(name, options.batch).items()), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
