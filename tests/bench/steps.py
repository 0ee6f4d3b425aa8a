"""Training steps of chapters 5 and 6 beside the same steps in PyTorch, measured in turn in one process.

Both start from the same weights and work on the same batch, which lies on the device already; each step is timed up
to its synchronisation. cpu.py and gpu.py say where and write the record; workloads.py has the convolutional networks.
"""

import datetime
import json
import os
import re
import statistics
import time
from typing import NamedTuple

import numpy as np

# Of a large network, whose steps take a good part of a second, fewer.
WARM_UP, STEPS, ROUNDS = 10, 10, 3
LARGE_WARM_UP, LARGE_STEPS = 3, 5
LEARNING_RATE = 0.001
IMAGE = (100, 100, 3)
# (name, model, widths of the hidden layers, how many names each answer chooses from)
NETWORKS = [
    ('flowers', 'MlpModel', [30, 10], [5]),
    ('flowers', 'AdamModel', [30, 10], [5]),
    ('office31', 'AdamModel', [64, 32, 10], [3, 31]),
]
BATCHES = [10, 128]


class Side(NamedTuple):
    """One of those that are measured: a function, one that waits for it, and whether it is so slow that one call a
    round, after a single one to warm up, must do."""

    step: object
    synchronize: object
    slow: bool = False


def make_dataset(name, choices, batch_size, image=IMAGE):
    """A data set of random images of shape `image` with values 0..255 and one-hot answers; it holds one batch."""
    from data.dataset import Dataset
    from data.office31 import DualSelectDataset

    draw = np.random.default_rng(1234)
    dataset = Dataset(name, 'select') if len(choices) == 1 else DualSelectDataset(name, choices)
    dataset.input_shape, dataset.output_shape = tuple(image), (sum(choices),)
    dataset.tr_xs = draw.integers(0, 256, (batch_size, *image)).astype(np.float32)
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
    return training_step(torch, network, optimizer, x, dataset.tr_ys, choices)


def training_step(torch, network, optimizer, x, y, choices):
    """A function that does one step in PyTorch and returns the loss. x: a tensor; y: host array of one-hot answers."""
    parts = np.split(y, np.cumsum(choices)[:-1], axis=1)
    answers = [torch.tensor(part.argmax(axis=1), device=x.device) for part in parts]

    def step():
        optimizer.zero_grad(set_to_none=True)
        pieces = torch.split(network(x), choices, dim=1)
        loss = sum(torch.nn.functional.cross_entropy(*pair) for pair in zip(pieces, answers, strict=True))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def measure(sides, rounds=None, large=False):
    """Milliseconds of a step of each side, measured in turn: {name: median}, {name: least}.

    sides: {name: Side}; large: fewer steps a round. A median far above the least: something else was at work.
    """
    warm_up, steps = (LARGE_WARM_UP, LARGE_STEPS) if large else (WARM_UP, STEPS)
    for side in sides.values():
        for _ in range(1 if side.slow else warm_up):
            side.step()
        side.synchronize()
    milliseconds = {name: [] for name in sides}
    for _ in range(rounds or ROUNDS):
        for name, side in sides.items():
            for _ in range(1 if side.slow else steps):
                start = time.perf_counter()
                side.step()
                side.synchronize()
                milliseconds[name].append((time.perf_counter() - start) * 1e3)
    return tuple(
        {name: round(pick(times), 4) for name, times in milliseconds.items()} for pick in (statistics.median, min)
    )


def waiting(torch, place):
    """The function that waits for PyTorch's work at `place`, 'cpu' or 'cuda'."""
    return torch.cuda.synchronize if place == 'cuda' else lambda: None


def run_case(network, batch_size, backend, torch=None, place='cuda', rounds=None):
    """Measure one network at one batch size; a dict for the record. Without torch, the comparison is None."""
    name, kind, widths, choices = network
    dataset = make_dataset(name, choices, batch_size)
    step, model = our_step(kind, widths, dataset, backend)
    sides = {'ours': Side(step, backend.synchronize)}
    if torch is not None:
        sides['torch'] = Side(torch_step(torch, model, dataset, choices, place), waiting(torch, place))
    losses = {side: float(sides[side].step()) for side in sides}
    times, least = measure(sides, rounds)
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
        'least_ms': least,
        'ratio': round(times['ours'] / times['torch'], 2) if 'torch' in times else None,
    }


def line(case):
    """One case as a line of the printed table."""
    beside = f', PyTorch {case["torch_ms"]:8.3f} ms, ratio {case["ratio"]:.2f}' if case['ratio'] else ''
    return f'{case["network"]:9} {case["model"]:10} batch {case["batch_size"]:4}: {case["our_ms"]:8.3f} ms{beside}'


def load():
    """The load of the last minute, as the system counts it; None where it does not."""
    return round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None


def slug(device):
    """A device's name as a part of a file name: 'NVIDIA H100 80GB HBM3' -> 'nvidia-h100-80gb-hbm3'."""
    return re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')


def cases():
    """{name of a case: (network, batch size)}."""
    return {f'{network[0]}_{network[1]}_{size}'.lower(): (network, size) for network in NETWORKS for size in BATCHES}


def store(record, folder, name):
    """Write a record, with the time, into a folder and say where."""
    finished = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps({**record, 'finished': finished}, indent=1) + '\n', encoding='utf-8')
    print(f'Written to {path}')
