"""The table across all networks of the catalogue: size, time for a picture, memory, PyTorch beside ours.

    python -m tests.bench.networks [--only NAME ...] [--rounds N] [--results FOLDER]

Forward in use, at batch 1 and 8. Both sides have the same numbers and are measured in turn, PyTorch in both of its
memory formats, of which the faster counts. Peaks of memory are of processes that hold one network of one side. Writes
book/results/networks-<processor>.json; with --only, a run is printed, and stored only where --results says.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from chapters.nets.catalogue import NETWORKS, make
from chapters.structure import parts, products_a_row, walk
from mathlib import backend, runtime
from tests.bench import floors, memory, steps
from tests.bench.workloads import LOGITS_APART

ROOT = Path(__file__).resolve().parents[2]
BATCHES = (1, 8)
SIDES = ('ours', 'torch')
# Of a forward pass that takes longer, there is one a round.
SLOW_SECONDS = 1.0


def pictures(name, rows):
    """Noise around 0 of a network's input shape: [rows, h, w, c], float32."""
    shape = rows, *NETWORKS[name].input_shape
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def facts(name):
    """What stands in the table before any measurement; products without those of side heads, which only train."""
    network, model = NETWORKS[name], make(name)
    heads = [placed for _, _, placed in walk(model.structure) if placed.layer.type == 'auxiliary']
    return {
        'network': name,
        'year': network.year,
        'layers': network.layers,
        'input': list(network.input_shape),
        'parameters': model.parameters.count,
        'products': products_a_row(model.structure) - sum(products_a_row(parts(head)) for head in heads),
    }


def torch_forward(module, x, channels_last):
    """A function that gives the logits of x [n, h, w, c] in PyTorch."""
    import torch

    kept_as = torch.channels_last if channels_last else torch.contiguous_format
    module = module.eval().to(memory_format=kept_as)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=kept_as)

    def forward():
        with torch.inference_mode():
            return module(x)

    return forward


def seconds(work):
    """How long one call takes, after one to warm up."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_times(name, rounds):
    """{batch: milliseconds for a picture of all sides}, in this process.

    Raises AssertionError if the logits of the sides lie apart.
    """
    import torch

    from tests.peers.nets import pairs

    torch.set_num_threads(runtime.cpu_count())
    both = pairs.pair(name, pictures(name, 2))
    formats = {'torch NCHW': (both.twin, False), 'torch NHWC': (copy.deepcopy(both.twin), True)}
    times = {}
    for rows in BATCHES:
        x = pictures(name, rows)
        calls = {'ours': partial(both.model.get_output, x)}
        calls |= {side: torch_forward(module, x, last) for side, (module, last) in formats.items()}
        for side in formats:
            apart = pairs.error(calls['ours'](), calls[side]())
            if not apart < LOGITS_APART:
                raise AssertionError(f'{name}: our logits and those of {side} lie {apart:.1e} apart')
        slow = seconds(calls['ours']) > SLOW_SECONDS
        sides = {side: steps.Side(call, backend.synchronize, slow) for side, call in calls.items()}
        medians, least = steps.measure(sides, rounds, large=True)
        ours, theirs = medians['ours'], min(medians[side] for side in formats)
        times[rows] = {
            'our_ms': round(ours / rows, 3),
            'torch_ms': round(theirs / rows, 3),
            'ratio': round(ours / theirs, 2),
            'all_ms': {side: round(value / rows, 3) for side, value in medians.items()},
            'least_ms': {side: round(value / rows, 3) for side, value in least.items()},
        }
    return times


def measure_memory(name, side):
    """{batch: peak in MB, and how far it lies above what the process held after its imports}, in this process."""
    if side == 'torch':
        import torch

        from tests.peers.nets.twins import twin

        torch.set_num_threads(runtime.cpu_count())
    imports, network, peaks = memory.held_mb(), NETWORKS[name], {}
    if side == 'torch':
        module = twin(name, network.classes, network.input_shape)
    else:
        model = make(name)
    for rows in BATCHES:
        x = pictures(name, rows)
        work = torch_forward(module, x, False) if side == 'torch' else partial(model.get_output, x)
        for _ in range(memory.STEPS):
            work()
        peak = runtime.peak_memory_mb()
        peaks[rows] = {'peak_mb': round(peak), 'above_imports_mb': round(peak - imports)}
    return peaks


def in_a_process(task, name, rounds):
    """What a task gives in a new process; raises CalledProcessError if it fails. Keys of JSON are words."""
    command = [sys.executable, '-m', 'tests.bench.networks', '--task', task, '--only', name, '--rounds', str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def run_case(name, rounds):
    """All figures of one network, as a dict for the record."""
    case = in_a_process('facts', name, rounds)
    times = in_a_process('times', name, rounds)
    peaks = {side: in_a_process(side, name, rounds) for side in SIDES}
    for rows in map(str, BATCHES):
        case[f'batch_{rows}'] = {**times[rows], 'memory': {side: peaks[side][rows] for side in SIDES}}
    return case


def line(case):
    """One network as a line of the printed table."""
    text = f'{case["network"]:24}{case["year"]:5}{case["layers"] or "":>5}{case["parameters"]:>13,}'
    text += f'{case["products"] / 1e6:>10,.0f}'
    for rows in BATCHES:
        each = case[f'batch_{rows}']
        peaks = [each['memory'][side]['peak_mb'] for side in SIDES]
        text += f' |{each["our_ms"]:>9.2f}{each["torch_ms"]:>9.2f}{each["ratio"]:>6.2f}{peaks[0]:>6}{peaks[1]:>6}'
    return text


HEADER = f'{"network":24}{"year":>5}{"lay.":>5}{"parameters":>13}{"products M":>10}' + ''.join(
    f' |{"ours ms":>9}{"torch ms":>9}{"ratio":>6}{"MB":>6}{"torch":>6}' for _ in BATCHES
)
TASKS = {
    'facts': lambda name, _: facts(name),
    'times': measure_times,
    **{side: partial(lambda side, name, _: measure_memory(name, side), side) for side in SIDES},
}


def main(arguments=None):
    """Measure, print and write the record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', nargs='+', choices=NETWORKS, metavar='NAME', help='measure these networks alone')
    parser.add_argument('--rounds', type=int, default=steps.ROUNDS, help=f'turns of each side ({steps.ROUNDS})')
    parser.add_argument('--results', type=Path, help='folder of the record (book/results for a run of all networks)')
    parser.add_argument('--task', choices=TASKS, help='one part of it in this process, printed as JSON')
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f'--rounds {options.rounds}: expected 1 or more')
    if backend.name != 'numpy':
        print('This table is of the processor. Unset BACKEND.', file=sys.stderr)
        return 2
    if options.task:
        print(json.dumps(TASKS[options.task](options.only[0], options.rounds)))
        return 0
    if options.results is None and options.only is None:
        options.results = ROOT / 'book' / 'results'
    record = start_record(options.rounds)
    print(f'{json.dumps(record)}\n\nfor a picture at batch {", then ".join(map(str, BATCHES))}:\n{HEADER}')
    record['cases'] = []
    for name in options.only or NETWORKS:
        record['cases'].append(run_case(name, options.rounds))
        print(line(record['cases'][-1]), flush=True)
    record['load_after'] = steps.load()
    print(f'load after: {record["load_after"]}')
    if options.results is not None:
        steps.store(record, options.results, f'networks-{steps.slug(record["machine"]["processor"])}.json')
    return 0


def start_record(rounds):
    """Where and how the figures are measured."""
    import torch

    machine = runtime.describe()
    return {
        'machine': machine,
        'load_before': steps.load(),
        'backend': backend.describe(),
        'torch': torch.__version__,
        'threads': {
            'torch': machine['cores'],
            **{key: os.environ.get(key) for key in ('WORKERS', *floors.THREAD_SETTINGS)},
        },
        'steps': (
            f'in turn, medians of {rounds} rounds of {steps.LARGE_STEPS} after {steps.LARGE_WARM_UP} to warm up; where '
            f'ours takes more than {SLOW_SECONDS:g} s, rounds of 1 after 1; milliseconds for a picture'
        ),
    }


if __name__ == '__main__':
    sys.exit(main())
