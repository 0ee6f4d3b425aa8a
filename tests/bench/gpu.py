"""The first benchmark on a GPU: the training steps of chapters 5 and 6 beside the same steps in PyTorch.

    BACKEND=cupy python tests/bench/gpu.py [--junit build/gpu-tests.xml] [--results book/results]

`make gpu` runs it after the tests. Ours and PyTorch's steps run in turn in one process, on the same weights and the
same batch, which lies on the device already; each step is timed up to its synchronisation. Writes
book/results/gpu-<device>.json. Exit status 2 where there is no GPU, or only the stand-in for CuPy.
"""

import argparse
import datetime
import json
import re
import statistics
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WARM_UP, STEPS, ROUNDS = 10, 10, 3
LEARNING_RATE = 0.001
IMAGE = (100, 100, 3)
# (name, model, widths of the hidden layers, how many names each answer chooses from)
NETWORKS = [
    ('flowers', 'MlpModel', [30, 10], [5]),
    ('flowers', 'AdamModel', [30, 10], [5]),
    ('office31', 'AdamModel', [64, 32, 10], [3, 31]),
]
BATCHES = [10, 128]


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


def make_dataset(name, choices, batch_size):
    """A data set of random images [100, 100, 3] with values 0..255 and one-hot answers; it holds one batch."""
    from data.dataset import Dataset
    from data.office31 import DualSelectDataset

    draw = np.random.default_rng(1234)
    dataset = Dataset(name, 'select') if len(choices) == 1 else DualSelectDataset(name, choices)
    dataset.input_shape, dataset.output_shape = IMAGE, (sum(choices),)
    dataset.tr_xs = draw.integers(0, 256, (batch_size, *IMAGE)).astype(np.float32)
    dataset.tr_ys = np.hstack([np.eye(n, dtype=np.float32)[draw.integers(0, n, batch_size)] for n in choices])
    return dataset


def our_step(kind, widths, dataset, backend):
    """A function that does one training step and returns the loss as a device array; and the model."""
    import chapters
    from mathlib import rng

    rng.seed()
    model = getattr(chapters, kind)(dataset.name, dataset, widths)
    model.use_adam = kind == 'AdamModel'
    model.learning_rate = LEARNING_RATE
    x, y = backend.to_device(dataset.tr_xs), backend.to_device(dataset.tr_ys)
    return (lambda: model.train_step(x, y)[0]), model


def torch_step(torch, model, dataset, choices, place):
    """The same step in PyTorch, starting from the model's weights: a function that returns the loss as a tensor."""
    from mathlib.backend import to_host

    layers = []
    for pm in [*model.pm_hiddens, model.pm_output]:
        weight, bias = (torch.tensor(to_host(pm[key])) for key in 'wb')
        linear = torch.nn.Linear(*weight.shape, device=place)
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(bias)
        layers += [linear, torch.nn.ReLU()]
    network = torch.nn.Sequential(torch.nn.Flatten(), *layers[:-1])
    kind = torch.optim.Adam if model.use_adam else torch.optim.SGD
    optimizer = kind(network.parameters(), lr=LEARNING_RATE, fused=True)
    x = torch.tensor(dataset.tr_xs, device=place)
    parts = np.split(dataset.tr_ys, np.cumsum(choices)[:-1], axis=1)
    answers = [torch.tensor(part.argmax(axis=1), device=place) for part in parts]

    def step():
        optimizer.zero_grad(set_to_none=True)
        pieces = torch.split(network(x), choices, dim=1)
        loss = sum(torch.nn.functional.cross_entropy(*pair) for pair in zip(pieces, answers, strict=True))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def measure(sides):
    """Median milliseconds of a step of each side, measured in turn; and the first loss of each.

    sides: {name: (step, synchronize)}.
    """
    first = {name: float(step()) for name, (step, _) in sides.items()}
    for step, synchronize in sides.values():
        for _ in range(WARM_UP):
            step()
        synchronize()
    milliseconds = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (step, synchronize) in sides.items():
            for _ in range(STEPS):
                start = time.perf_counter()
                step()
                synchronize()
                milliseconds[name].append((time.perf_counter() - start) * 1e3)
    return {name: round(statistics.median(times), 4) for name, times in milliseconds.items()}, first


def run_case(network, batch_size, backend, torch=None, place='cuda'):
    """Measure one network at one batch size; a dict for the record. Without torch, the comparison is None."""
    name, kind, widths, choices = network
    dataset = make_dataset(name, choices, batch_size)
    step, model = our_step(kind, widths, dataset, backend)
    sides = {'ours': (step, backend.synchronize)}
    if torch is not None:
        wait = torch.cuda.synchronize if place == 'cuda' else lambda: None
        sides['torch'] = (torch_step(torch, model, dataset, choices, place), wait)
    times, losses = measure(sides)
    if torch is not None and abs(losses['ours'] - losses['torch']) > 1e-3 * abs(losses['torch']):
        raise AssertionError(f'{name} {kind}: the networks differ: first loss {losses["ours"]} and {losses["torch"]}')
    return {
        'network': name,
        'model': kind,
        'hidden': widths,
        'batch_size': batch_size,
        'parameters': model.parameters.count,
        'first_loss': round(losses['ours'], 4),
        'our_ms': times['ours'],
        'torch_ms': times.get('torch'),
        'ratio': round(times['ours'] / times['torch'], 2) if 'torch' in times else None,
    }


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


def slug(device):
    """A device's name as a part of a file name: 'NVIDIA H100 80GB HBM3' -> 'nvidia-h100-80gb-hbm3'."""
    return re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')


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
        'steps': f'median of {ROUNDS * STEPS} after {WARM_UP} to warm up, in turn, synchronised after each',
        'cases': [],
        'finished': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC'),
    }
    print(f'{computer["device"]}, CuPy {computer["version"]}, PyTorch {record["torch"] or "not found"}')
    for network in NETWORKS:
        for batch_size in BATCHES:
            case = run_case(network, batch_size, backend, torch)
            record['cases'].append(case)
            beside = f', PyTorch {case["torch_ms"]:8.3f} ms, ratio {case["ratio"]:.2f}' if torch else ''
            print(f'{case["network"]:9} {case["model"]:10} batch {batch_size:4}: {case["our_ms"]:8.3f} ms{beside}')
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f'gpu-{slug(computer["device"])}.json'
    path.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')
    print(f'Written to {path}')
    return 0


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
