"""A report of stored runs: a table, published beside measured, and the learning curves, as Markdown and as HTML."""

import html
import io

import matplotlib as mpl
import numpy as np

from chapters.experiments import EXPERIMENTS
from chapters.figures import plot_history
from chapters.history import History
from chapters.runs import prepare
from mathlib.rng import BOOK_SEED

HEAD = ('experiment', 'layers', 'data', 'epochs', 'seeds', 'test accuracy', 'published', 's/epoch', 'published s/epoch')

# Of layers with many options, those that a short form tells.
TELLING = {'dropout': ['keep_prob'], 'noise': ['std'], 'batch_normal': []}

USUAL = (('dtype', 'float32'), ('backend', 'numpy'))


def write_report(records, folder):
    """Write report.md, report.html and the curves as SVG into a folder; returns the two paths.

    records: what chapters.runs.load returns. Runs that differ only in the seed share a line of the table, with mean
    and spread (the largest distance from the mean).
    """
    folder = prepare(folder, 'out')
    groups = group(records)
    rows = [table_row(runs) for runs in groups.values()]
    curves = {}
    for runs in groups.values():
        name = runs[0]['path'].stem
        if name in curves:  # the same settings on other data
            name += f'-{runs[0]["dataset"]["digest"]}'
        curves[name] = curve_svg(runs[0])
        (folder / f'{name}.svg').write_text(curves[name], encoding='utf-8')
    markdown, page = folder / 'report.md', folder / 'report.html'
    markdown.write_text(markdown_text(rows, curves), encoding='utf-8')
    page.write_text(html_text(rows, curves), encoding='utf-8')
    return markdown, page


def group(records):
    """Records by everything but the seed: a dict of lists, in the order in which they come, the book's seed first.

    Of two runs with the same seed, as after a repetition, the later one in the list counts.
    """
    groups = {}
    for record in sorted(
        records, key=lambda record: (record['experiment'], record['seed'] != BOOK_SEED, record['seed'])
    ):
        key = (
            record['experiment'],
            record['dataset']['digest'],
            tuple(record['changes']),
            record['backend']['backend'],
            record['backend']['dtype'],
            bool(record['stopped']),
        )
        groups.setdefault(key, {})[record['seed']] = record
    return {key: list(runs.values()) for key, runs in groups.items()}


def table_row(runs):
    """One line of the table, as texts, from the runs of one or more seeds; seconds are those of the fastest run."""
    first = runs[0]
    changes = first['changes'] + [first['backend'][key] for key, usual in USUAL if first['backend'][key] != usual]
    epochs = len(first['history']['epochs'])
    tested = [run['history']['test_accuracy'] for run in runs if run['history']['test_accuracy'] is not None]
    published = first['published']
    pace = [run['seconds'] / max(len(run['history']['epochs']), 1) for run in runs]
    book = EXPERIMENTS.get(first['experiment'])
    timed = [item for item in published if item['seconds'] is not None]
    asked = book.epoch_count if book else first['history']['settings']['epoch_count']
    return (
        first['experiment'] + ''.join(f' ({change})' for change in changes),
        layers_text(first['configuration']),
        f'{first["dataset"]["kind"]}, {sum(first["dataset"]["rows"]):,} rows',
        str(epochs) + (' (stopped)' if first['stopped'] else ''),
        ', '.join(str(run['seed']) for run in runs),
        accuracy_text(tested),
        published_text(published, lambda item: '+'.join(f'{100 * value:.1f}' for value in item['accuracy']) + ' %'),
        f'{min(pace):.2g}',
        published_text(timed, lambda item: f'{item["seconds"] / asked:.2g}'),
    )


def layers_text(hconfigs):
    """A configuration in short: '[30, 10]', or 'conv3x6, max2' with numbers joined by x and words after them."""
    if hconfigs and isinstance(hconfigs[0], str):
        hconfigs = [hconfigs]
    if not any(isinstance(layer, list) for layer in hconfigs):
        return str(hconfigs)
    return ', '.join(map(_layer_text, hconfigs))


def _layer_text(layer):
    """'conv3x6 tanh' for ['conv', {'ksize': 3, 'chn': 6, 'actfunc': 'tanh'}], 'full30' for 30."""
    kind, options = ('full', {'width': layer}) if isinstance(layer, int) else (*layer, {})[:2]
    if kind == 'custom':
        return ' '.join([options['name'], *map(str, options.get('args', {}).values())])
    if kind in TELLING:
        return ' '.join([kind, *(str(options[key]) for key in TELLING[kind] if key in options)])
    words = [value for value in options.values() if isinstance(value, str)]
    numbers = [str(value) for value in options.values() if not isinstance(value, str)]
    return ' '.join([kind + 'x'.join(numbers), *words])


def published_text(items, write):
    """What `write` makes of each published result; where there are several, each with its source in brackets."""
    if len(items) < 2:
        return ''.join(map(write, items)) or '–'
    return ', '.join(f'{write(item)} ({item["source"]})' for item in items)


def accuracy_text(tested):
    """'54.1 %', '89.6+54.2 %' for two answers, with '± spread' when there are several runs."""
    if not tested:
        return '–'
    values = 100 * np.array([np.atleast_1d(accuracy) for accuracy in tested])
    mean = values.mean(axis=0)
    text = '+'.join(f'{value:.1f}' for value in mean)
    if len(values) > 1:
        text += ' ± ' + '+'.join(f'{value:.1f}' for value in np.abs(values - mean).max(axis=0))
    return text + ' %'


def curve_svg(record):
    """The learning curves of one record as SVG text; equal records give equal text."""
    with mpl.rc_context({'svg.hashsalt': 'report', 'svg.fonttype': 'none'}):
        figure = plot_history(History.from_dict(record['history']), title=record['experiment'])
        text = io.StringIO()
        figure.savefig(text, format='svg', metadata={'Date': None})
    mpl.pyplot.close(figure)
    return text.getvalue()


def markdown_text(rows, curves):
    """The report as Markdown; the curves stand beside it as SVG files."""
    pictures = [f'![{name}]({name}.svg)\n' for name in curves]
    return '\n'.join(['# Measured beside published', '', markdown_table(rows), '## Learning curves', '', *pictures])


def markdown_table(rows):
    """The table as Markdown."""
    lines = ['| ' + ' | '.join(HEAD) + ' |', '|' + '---|' * len(HEAD)]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows]) + '\n'


def html_text(rows, curves):
    """The report as one HTML page with the curves inside."""
    head = ''.join(f'<th>{html.escape(cell)}</th>' for cell in HEAD)
    body = '\n'.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>' for row in rows)
    pictures = '\n'.join(f'<figure>{svg[svg.index("<svg") :]}</figure>' for svg in curves.values())
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Measured beside published</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; color: #222; }}
table {{ border-collapse: collapse; font-size: 0.9rem; }}
th, td {{ border-bottom: 1px solid #ddd; padding: 0.3rem 0.7rem; text-align: left; vertical-align: top; }}
figure {{ margin: 1.5rem 0; }} svg {{ max-width: 100%; height: auto; }}
</style>
<h1>Measured beside published</h1>
<table>
<tr>{head}</tr>
{body}
</table>
<h2>Learning curves</h2>
{pictures}
</html>
"""
