"""What the book's notebooks show again and again: a method's own source, and stored results beside published ones."""

import inspect
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


def _stored(name):
    """The records of one experiment at the book's settings in book/results."""
    records = [record for record in runs.load(runs.STORED) if record['experiment'] == name and not record['changes']]
    if not records:
        raise BookError(f'{runs.STORED} has no run of {name!r}: `python -m chapters run {name}` makes one')
    return records
