"""Execute the book's notebooks without a browser.

    python tools/notebooks.py run 05       one notebook, a line for each cell; goes to build/ as .ipynb and .html
    python tools/notebooks.py store [05]   all notebooks, or one, in place: stored outputs, and nothing that differs
                                           from run to run

`run` keeps your settings (BACKEND, DTYPE, DATA_DIR, BOOK_LANG); `store` takes the ones that the tests use.
"""

import argparse
import copy
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors.coalescestreams import CoalesceStreamsPreprocessor

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / 'book'
BUILD = ROOT / 'build'

READER_SETTINGS = ('BACKEND', 'DTYPE', 'DATA_DIR', 'BOOK_LANG', 'MPLBACKEND')
# Of an output: what nbval never compares, and the kinds that are not text.
UNCOMPARED = ('traceback', 'execution_count')
PICTURES = ('image/png', 'image/jpeg')

# Of a cell's metadata: tags for nbval, and 'jupyter' for folded solutions.
KEPT_METADATA = ('tags', 'jupyter')
# nbconvert's page leaves source that stands in a text in the font of the text.
CODE_IN_TEXT = '<style>.jp-RenderedMarkdown pre { font-family: var(--jp-code-font-family); }</style>'

METADATA = {
    'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'},
    'language_info': {'name': 'python'},
}


class NotebookError(Exception):
    """A notebook that is not there, or a cell that fails; the message is for the reader."""


def find(number, folder):
    """The notebooks whose names begin with `number` ('05', '5' or 'A'), all of them without one, in reading order."""
    known = sorted(folder.glob('*.ipynb'))
    wanted = number.zfill(2) if number.isdigit() else number
    found = [path for path in known if path.name.startswith(wanted)]
    if not found:
        names = ''.join(f'\n    {path.stem}' for path in known) or ' none yet'
        raise NotebookError(f'No notebook {number!r} in {folder.name}/. There are:{names}')
    return found


def execute(notebook, folder, report):
    """Run all cells of `notebook` in this Python, in `folder`; outputs are filled in place.

    report(event, number, count, value): 'start' with a cell's first line, then 'end' with its seconds.
    Raises NotebookError with the cell and its error.
    """
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == 'code' and cell.source.strip()]
    began = {}

    def start(cell, cell_index):
        began[cell_index] = time.perf_counter()
        report('start', code.index(cell_index) + 1, len(code), cell.source.strip().splitlines()[0])

    def end(cell, cell_index, execute_reply):
        report('end', code.index(cell_index) + 1, len(code), time.perf_counter() - began[cell_index])

    # With no folder to look in, "python3" is the Python that runs this file, whatever kernels the user has installed.
    kernels = KernelSpecManager(kernel_dirs=[])
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name='python3', kernel_spec_manager=kernels),
        timeout=None,
        record_timing=False,
        extra_arguments=['--log-level=ERROR'],
        resources={'metadata': {'path': str(folder)}},
        on_cell_execute=start,
        on_cell_executed=end,
    )
    try:
        client.execute(cleanup_kc=True)
    except CellExecutionError as problem:
        raise NotebookError(re.sub(r'\x1b\[[0-9;]*m', '', str(problem))) from None
    except DeadKernelError:
        raise NotebookError("The notebook's Python ended in the middle of the cell (out of memory?).") from None


def tell(event, number, count, value):
    """One line for each cell: its number and first line while it runs, its seconds when it is done."""
    if event == 'start':
        print(f'  cell {number:>2}/{count}  {value:<70.70}', end='', flush=True)
    else:
        print(f' {value:6.1f} s', flush=True)


def run(path, build):
    """Execute one notebook and write it, with a page that any browser shows, to `build`. Returns the two paths."""
    notebook = nbformat.read(path, as_version=4)
    build.mkdir(parents=True, exist_ok=True)
    print(path.name)
    began = time.perf_counter()
    try:
        execute(notebook, path.parent, tell)
    finally:
        executed = build / path.name
        nbformat.write(notebook, executed)
    page = executed.with_suffix('.html')
    text = HTMLExporter(exclude_input_prompt=True).from_notebook_node(notebook)[0]
    page.write_text(text.replace('</head>', f'{CODE_IN_TEXT}</head>', 1), encoding='utf-8')
    print(f'{time.perf_counter() - began:.1f} s in all. Written: {executed} and {page.name} beside it')
    return executed, page


def sanitizer(config=BOOK / 'sanitize.cfg'):
    """A function that takes out of a text what nbval takes out of it before it compares."""
    from nbval.plugin import get_sanitize_patterns

    patterns = get_sanitize_patterns(config.read_text(encoding='utf-8'))

    def sanitize(text):
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    return sanitize


def comparable(cell, sanitize):
    """A cell's outputs in a form that is equal for two runs which differ in nothing that counts.

    Of an output that nbval is told to ignore, only its kind and its words count, not its figures and pictures.
    """
    ignored = 'nbval-ignore-output' in cell.metadata.get('tags', [])

    def reduce(value, key=None):
        if isinstance(value, dict):
            return {name: reduce(inner, name) for name, inner in value.items() if name not in UNCOMPARED}
        if isinstance(value, list):
            return [reduce(inner) for inner in value]
        if not isinstance(value, str) or (key in PICTURES and not ignored):
            return value
        if key in PICTURES:
            return ''
        return re.sub(r'\d[\d.,]*', '0', sanitize(value)) if ignored else sanitize(value)

    return reduce(cell.outputs)


def shorten_paths(text):
    """A traceback that names the project's files from the project's root, as every reader's clone has them."""
    for prefix in (f'{ROOT}{os.sep}', f'~{os.sep}{os.path.relpath(ROOT, Path.home())}{os.sep}'):
        text = text.replace(prefix, '')
    return text


def store(path):
    """Execute a notebook in place; outputs that say the same as before stay. Returns whether the file changed."""
    before = path.read_text(encoding='utf-8')
    notebook = nbformat.reads(before, as_version=4)
    stored = copy.deepcopy(notebook.cells)
    execute(notebook, path.parent, tell)
    sanitize = sanitizer()
    for number, (cell, old) in enumerate(zip(notebook.cells, stored, strict=True), 1):
        cell.setdefault('id', f'cell-{number:02}')
        cell.metadata = {key: cell.metadata[key] for key in KEPT_METADATA if cell.metadata.get(key)}
        if cell.cell_type != 'code':
            continue
        CoalesceStreamsPreprocessor().preprocess_cell(cell, {}, number)
        for output in cell.outputs:
            if 'traceback' in output:
                output.traceback = [shorten_paths(line) for line in output.traceback]
        if comparable(cell, sanitize) == comparable(old, sanitize):
            cell.outputs = old.outputs
            for output in cell.outputs:
                if output.output_type == 'execute_result':
                    output.execution_count = cell.execution_count
    notebook.metadata = METADATA
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    after = nbformat.writes(notebook).rstrip('\n') + '\n'
    path.write_text(after, encoding='utf-8')
    return after != before


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description='Execute the notebooks of the book without a browser.')
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('run', help='execute one notebook and write it and an HTML page to build/')
    one.add_argument('number', nargs='?', default='', help='the number of the notebook, as in 05')
    every = commands.add_parser('store', help='execute the notebooks in place and store their outputs')
    every.add_argument('number', nargs='?', default='', help='the number of one notebook; all of them without it')
    given = parser.parse_args(arguments)
    try:
        if given.command == 'run':
            if not given.number:
                names = ''.join(f'\n    {path.stem}' for path in find('', BOOK))
                raise NotebookError(f'Which notebook? Give its number, as in "make run NB=05". There are:{names}')
            run(find(given.number, BOOK)[0], BUILD)
        else:
            for variable in READER_SETTINGS:
                os.environ.pop(variable, None)
            for path in find(given.number, BOOK):
                print(path.name)
                print('  changed' if store(path) else '  no byte changed')
    except NotebookError as problem:
        print(f'\n{problem}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
