"""What keeps a reader's machine safe: no pickle, no code from files, archives with limits, downloads with checksums."""

import ast
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from data.fetch.archive import LIMITS, MIB
from data.fetch.download import LARGEST
from data.fetch.sources import SOURCES
from data.fetch.weights import WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ('mathlib', 'data', 'chapters', 'tools')
MODULES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding='utf-8'))
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob('*.py'))
}
NOTEBOOKS = {
    path.name: ast.parse(
        '\n'.join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'code')
    )
    for path in sorted((ROOT / 'book').glob('*.ipynb'))
}
PICKLES = {'pickle', '_pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal', 'copyreg', 'torch'}
NETWORK = {'socket', 'ssl', 'urllib', 'http', 'ftplib', 'smtplib', 'requests', 'urllib3', 'httpx', 'aiohttp', 'asyncio'}
ARCHIVES = {'zipfile', 'tarfile'}
CODE = {'eval', 'exec', 'compile', '__import__'}
UNPACKS = {'extract', 'extractall', 'unpack_archive'}


def imports(tree):
    """The packages that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split('.')[0]


def calls(tree):
    """(last word of what is called, the call) of every call in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).split('.')[-1], node


def risks(tree):
    """What in a module could run what stands in a file."""
    yield from (f'import {name}' for name in imports(tree) if name in PICKLES)
    for name, call in calls(tree):
        whose = ast.unparse(call.func).split('.')[0]
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        risky = (
            (name in CODE and name == whose)
            or (whose == 'os' and name in ('system', 'popen'))
            or (whose in PICKLES or name.endswith('pickle'))
            # NumPy's own load says that it takes no pickle.
            or (whose in ('np', 'numpy', 'xp') and name == 'load' and 'allow_pickle' not in options)
            or options.get('allow_pickle', 'False') != 'False'
            or 'shell' in options
        )
        if risky:
            yield ast.unparse(call)


@pytest.mark.parametrize('floor', FLOORS)
def test_no_pickle_and_no_code_from_input(floor):
    mine = {name: tree for name, tree in MODULES.items() if name.startswith(f'{floor}/')}
    assert mine
    assert {name: list(risks(tree)) for name, tree in mine.items() if list(risks(tree))} == {}


def test_the_notebooks_have_none_either():
    assert {name: list(risks(tree)) for name, tree in NOTEBOOKS.items() if list(risks(tree))} == {}


@pytest.mark.parametrize(
    'source',
    [
        'import pickle',
        'from joblib import load',
        "np.load('x.npy')",
        "np.load('x.npy', allow_pickle=True)",
        "np.save('x.npy', a, allow_pickle=True)",
        "eval('1')",
        'exec(text)',
        "torch.load('x.pt')",
        "frame.to_pickle('x')",
        "subprocess.run('x', shell=True)",
        "os.system('x')",
    ],
)
def test_a_risk_is_recognised(source):
    assert list(risks(ast.parse(source))) != []


def test_archives_are_opened_in_one_place_and_unpacked_by_nobody_else_s_wishes():
    importers = {name for name, tree in MODULES.items() if ARCHIVES & set(imports(tree))}
    assert importers == {'data/fetch/archive.py', 'chapters/weightfiles.py'}
    assert [name for name, tree in MODULES.items() for called, _ in calls(tree) if called in UNPACKS] == []


def test_archives_have_limits():
    assert (LIMITS.files, LIMITS.total, LIMITS.single, LIMITS.ratio) == (100_000, 4096 * MIB, 512 * MIB, 100)
    assert LARGEST == 4096 * MIB


@pytest.mark.parametrize('name', SOURCES)
def test_every_download_has_a_published_checksum(name):
    origins = list(itertools.chain(*(item.origins for item in SOURCES[name].downloads)))
    assert origins
    assert [one.url for one in origins if not re.fullmatch('sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}', one.digest)] == []
    assert [one.url for one in origins if not one.url.startswith('https://')] == []


def test_weights_are_brought_with_the_checksum_of_their_pointer():
    # Two addresses are made while the program runs: that of the pointer, whose few letters are read as such, and that
    # of the file, for which the pointer has the checksum.
    made = [call for name, call in calls(MODULES['data/fetch/weights.py']) if name == 'Origin']
    assert sorted(len(call.args) for call in made) == [1, 3]
    assert "f'sha256:{sha256}'" in {ast.unparse(call.args[1]) for call in made if len(call.args) == 3}
    assert {len(published.sha256) for published in WEIGHTS.values()} <= {0, 64}


def test_only_the_download_opens_a_connection():
    assert {name for name, tree in MODULES.items() if NETWORK & set(imports(tree))} == {'data/fetch/download.py'}


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_no_notebook_reaches_for_the_network(name):
    assert NETWORK & set(imports(NOTEBOOKS[name])) == set()
    fetching = [ast.unparse(call) for _, call in calls(NOTEBOOKS[name]) if 'fetch' in ast.unparse(call.func)]
    assert fetching == []


# Runs the cells of a notebook one after the other, as a kernel would, and refuses every connection but to this machine.
ALONE = """
import json
import os
import sys

os.environ['MPLBACKEND'] = 'Agg'


def refuse(event, arguments):
    if event in ('socket.connect', 'socket.sendto', 'socket.getaddrinfo', 'socket.gethostbyname'):
        place = arguments[0] if event.startswith('socket.get') else arguments[1]
        host = place[0] if isinstance(place, tuple) else place
        if host not in ('127.0.0.1', '::1', 'localhost'):
            print('REFUSED', event, host, flush=True)
            raise OSError(f'no network: {event} {host}')


sys.addaudithook(refuse)
names = {'__name__': '__main__'}
for cell in json.load(open(sys.argv[1], encoding='utf-8'))['cells'] if len(sys.argv) > 1 else ():
    if cell['cell_type'] == 'code':
        exec(compile(''.join(cell['source']), 'cell', 'exec'), names)
print('to the end')
"""


def alone(*arguments, more=''):
    """What a Python prints that runs ALONE."""
    variables = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    done = subprocess.run(
        [sys.executable, '-c', ALONE + more, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_notebook_runs_without_network():
    shown = alone(str(ROOT / 'book' / '00_start.ipynb'))
    assert shown.endswith('to the end\n'), shown[-2000:]
    assert 'REFUSED' not in shown


def test_without_network_means_without():
    shown = alone(more="import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=3)")
    assert 'REFUSED socket.' in shown
    assert 'no network' in shown
