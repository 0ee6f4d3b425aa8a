"""What the book's notebooks show again and again: a method's own source, and stored results beside published ones."""

import inspect
import json
import textwrap

from IPython.display import Markdown, display

from chapters import report, runs
from chapters.history import History
from mathlib.errors import BookError


def show_source(*objects):
    """Show the source of functions, methods or classes as it stands in their modules."""
    for item in objects:
        source = textwrap.dedent(inspect.getsource(item))
        where = f'{item.__module__.replace(".", "/")}.py'
        display(Markdown(f'`{where}`\n```python\n{source}```'))


def show_results(*names):
    """Show the stored runs of the named experiments on the real data as a table, published beside measured."""
    records = [record for name in names for record in _stored(name)]
    rows = [report.table_row(seeds) for seeds in report.group(records).values()]
    display(Markdown(report.markdown_table(rows)))


def stored_history(name, seed=1234):
    """The History of a stored run of an experiment with that seed."""
    for record in _stored(name):
        if record['seed'] == seed:
            return History.from_dict(record['history'])
    raise BookError(f'{runs.STORED} has no run of {name!r} with seed {seed}')


def show_networks(*names):
    """Show what is stored of the named networks of the catalogue, or of all: size, milliseconds a picture, memory.

    The figures come from `python -m tests.bench.networks`, which measures PyTorch in the same run.
    """
    paths = sorted(runs.STORED.glob('networks-*.json'))
    if not paths:
        raise BookError(f'{runs.STORED} has no table of the networks: `python -m tests.bench.networks` makes one')
    record = json.loads(paths[0].read_text(encoding='utf-8'))
    cases = {case['network']: case for case in record['cases']}
    if unknown := [name for name in names if name not in cases]:
        raise BookError(
            f'{paths[0]} has no {", ".join(unknown)}: `python -m tests.bench.networks` measures all networks'
        )
    batches = [key for key in next(iter(cases.values())) if key.startswith('batch_')]
    heads = ['network', 'year', 'layers', 'parameters', 'products (million)']
    for batch in batches:
        rows = batch.removeprefix('batch_')
        heads += [f'ms a picture, batch {rows}: ours', 'PyTorch', 'MB: ours', 'PyTorch']
    lines = [f'| {" | ".join(heads)} |', '|---|' + '---:|' * (len(heads) - 1)]
    for name in names or cases:
        case = cases[name]
        cells = [name, case['year'], case['layers'] or '–', f'{case["parameters"]:,}', f'{case["products"] / 1e6:,.0f}']
        for batch in batches:
            times, peaks = case[batch], case[batch]['memory']
            cells += [f'{times["our_ms"]:.3g}', f'{times["torch_ms"]:.3g}']
            cells += [peaks[side]['peak_mb'] for side in ('ours', 'torch')]
        lines.append(f'| {" | ".join(map(str, cells))} |')
    machine = record['machine']
    note = f'{machine["processor"]}, {machine["cores"]} cores; PyTorch {record["torch"]}; forward, as in use.'
    display(Markdown('\n'.join([*lines, '', note])))


def _stored(name):
    """The records of one experiment at the book's settings in book/results."""
    records = [record for record in runs.load(runs.STORED) if record['experiment'] == name and not record['changes']]
    if not records:
        raise BookError(f'{runs.STORED} has no run of {name!r}: `python -m chapters run {name}` makes one')
    return records
