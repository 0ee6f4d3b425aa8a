"""The rules of the house that a machine can hold: who imports whom, and what no file contains."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sorted(
    path
    for folder in ('mathlib', 'data', 'chapters', 'tools', 'tests')
    for path in (ROOT / folder).rglob('*.py')
    if 'stub' not in path.relative_to(ROOT).parts
) + [ROOT / 'conftest.py']
TEXTS = PYTHON + sorted(
    path
    for path in [*ROOT.iterdir(), *(ROOT / 'book').rglob('*'), *(ROOT / '.ci').iterdir()]
    if path.is_file()
    and '.ipynb_checkpoints' not in path.parts
    and (path.suffix in {'.md', '.toml', '.yml', '.ipynb', '.cfg', '.json'} or path.name in {'Makefile', 'run'})
)

# The house from the ground floor up; a floor imports itself and those before it.
FLOORS = ('mathlib', 'data', 'chapters')
MAY_IMPORT_TORCH = ('tests/peers/', 'tests/bench/')
LINES_AT_MOST = 420
FORBIDDEN_NAMES = {'time.sleep', 'pytest.importorskip'} | {
    f'pytest.{mark}{name}' for mark in ('', 'mark.') for name in ('skip', 'skipif', 'xfail')
}

# Put together from halves, so that this file does not contain them.
FORBIDDEN = {
    'unfinished work': r'\b(TO' r'DO|FIX' r'ME|XX' r'X)\b',
    'a folder of one machine': r'(?<![\w./])/(wo' r'rk|home|root|Users)/|\bshared' r'/(data|design|hooks)\b',
    'how the project was made': r'\b(sub' r'agents?|this ses' r'sion|iss' r'ue #?\d+|CONT' r'RACT\.md)\b',
}


def relative(path):
    """The path from the project's root, with slashes on every system."""
    return path.relative_to(ROOT).as_posix()


def imported(path):
    """The modules that a file imports, wherever in the file, by full name: {'mathlib.rng', 'numpy', ...}."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{relative(path)} line {node.lineno}: a relative import; name the package'
            names.add(node.module)
    return names


def importers(package, files=PYTHON):
    """The files that import a package or a module of it."""
    return {relative(path) for path in files if any(name.split('.')[0] == package for name in imported(path))}


@pytest.mark.parametrize('floor', FLOORS)
def test_imports_run_one_way(floor):
    above = {*FLOORS[FLOORS.index(floor) + 1 :], 'tests', 'tools', 'conftest'}
    files = [path for path in PYTHON if relative(path).startswith(f'{floor}/')]
    assert files
    assert {package: importers(package, files) for package in above if importers(package, files)} == {}


def test_only_the_backend_imports_cupy():
    assert {name for name in importers('cupy') if name.split('/')[0] not in ('tests', 'tools')} == {
        'mathlib/backend.py'
    }


def test_only_comparisons_import_torch():
    assert {name for name in importers('torch') if not name.startswith(MAY_IMPORT_TORCH)} == set()


@pytest.mark.parametrize('kind', FORBIDDEN)
def test_no_file_contains(kind):
    pattern = re.compile(FORBIDDEN[kind])
    found = [
        f'{relative(path)} line {number}: {line.strip()[:100]}'
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1)
        if pattern.search(line) and '"image/png"' not in line
    ]
    assert found == []


@pytest.mark.parametrize(
    ('kind', 'line'),
    [
        ('unfinished work', '# TO' + 'DO: later'),
        ('a folder of one machine', "open('/wo" + "rk/main/x')"),
        ('a folder of one machine', 'DATA_DIR=../shared' + '/data'),
        ('how the project was made', 'see iss' + 'ue 12'),
    ],
)
def test_what_is_forbidden_is_recognised(kind, line):
    assert re.search(FORBIDDEN[kind], line)


def test_no_file_is_too_long():
    lengths = {relative(path): len(path.read_text(encoding='utf-8').splitlines()) for path in PYTHON}
    assert {name: length for name, length in lengths.items() if length > LINES_AT_MOST} == {}


def offences(tree):
    """The lines of a module that swallow an error, wait for time to pass, or leave a test out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, 'a bare except'
            if all(isinstance(statement, ast.Pass) for statement in node.body):
                yield node.lineno, 'an except that does nothing'
        if isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN_NAMES:
            yield node.lineno, ast.unparse(node)


def test_no_file_hides_an_error_or_a_test():
    found = [
        f'{relative(path)} line {line}: {what}'
        for path in PYTHON
        for line, what in offences(ast.parse(path.read_text(encoding='utf-8')))
    ]
    assert found == []


@pytest.mark.parametrize(
    ('source', 'what'),
    [
        ('try:\n    x\nexcept:\n    raise', 'a bare except'),
        ('try:\n    x\nexcept ValueError:\n    pass', 'an except that does nothing'),
        ('import time\ntime.sleep(1)', 'time.sleep'),
        ('@pytest.mark.skipif(True)\ndef test(): ...', 'pytest.mark.skipif'),
    ],
)
def test_what_hides_is_recognised(source, what):
    assert [found for _, found in offences(ast.parse(source))] == [what]
