"""The list of CuPy's names: where it came from, that the stand-in keeps to it, and that the book's code does."""

import ast
import json
import types
from pathlib import Path

import pytest

from tests.standin.loading import ROOT, cp

LISTING = json.loads((ROOT / 'tests' / 'standin' / 'cupy_names.json').read_text(encoding='utf-8'))
CODE = sorted(p for folder in ('mathlib', 'data', 'chapters') for p in (ROOT / folder).rglob('*.py'))
NOTEBOOKS = sorted((ROOT / 'book').glob('*.ipynb'))


def source(path):
    """The Python of a module, or of all code cells of a notebook without their magics."""
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.py':
        return text
    cells = [''.join(cell['source']) for cell in json.loads(text)['cells'] if cell['cell_type'] == 'code']
    return '\n'.join(line for line in '\n'.join(cells).split('\n') if not line.lstrip().startswith(('%', '!')))


def dotted(node):
    """'xp.linalg.norm' of an attribute that starts at xp or backend.xp, otherwise None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
        if parts[-1] == 'xp' and isinstance(node, ast.Name) and node.id == 'backend':
            return '.'.join(reversed(parts))
    return '.'.join(['xp', *reversed(parts)]) if isinstance(node, ast.Name) and node.id == 'xp' and parts else None


def entry(name):
    """The list's entry for 'xp.linalg.norm'; None if CuPy has no such name, 'unlisted' in a module without a list."""
    owner, _, last = name.replace('xp', 'cupy', 1).rpartition('.')
    if owner in LISTING:
        return LISTING[owner].get(last)
    parent, _, middle = owner.rpartition('.')
    return 'unlisted' if parent in LISTING and middle in LISTING[parent] else None


def wrong_uses(text):
    """What a program does with xp that CuPy 14.2 cannot, as 'line: what'; and how many names of xp it uses."""
    wrong, used = [], 0
    tree = ast.parse(text)
    for node in ast.walk(tree):
        name = dotted(node) if isinstance(node, ast.Attribute) else None
        if name not in (None, 'xp') and '__' not in name:
            used += 1
            if entry(name) is None:
                wrong.append(f'{node.lineno}: {name}')
        call = dotted(node.func) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        for keyword in node.keywords if call else ():
            if keyword.arg and not accepts(entry(call) or 'unlisted', keyword.arg):
                wrong.append(f'{node.lineno}: {call}({keyword.arg}=)')
    return sorted(wrong, key=lambda line: int(line.split(':')[0])), used


def accepts(listed, keyword):
    """Whether a function with this entry takes the keyword."""
    kind, _, signature = listed.partition(' ')
    if kind == 'ufunc':
        return keyword in LISTING['ufunc_keywords']
    if kind not in ('function', 'gufunc'):
        return True
    parameters = ast.parse(f'def f{signature}: pass').body[0].args
    return bool(parameters.kwarg) or keyword in {p.arg for p in parameters.args + parameters.kwonlyargs}


def test_the_list_comes_from_the_version_that_the_book_is_written_for():
    assert (LISTING['package'], LISTING['version']) == ('cupy-cuda13x', '14.2.0')
    assert LISTING['ufunc_keywords'] == ['out', 'casting', 'dtype']
    assert LISTING['cupy']['sum'] == 'function (a, axis=None, dtype=None, out=None, keepdims=False)'
    assert LISTING['cupy']['add'] == 'ufunc 2 1'
    assert LISTING['cupy.ndarray']['astype'].startswith("function (dtype, order='K', casting=None")
    assert 'errstate' not in LISTING['cupy']
    assert len(LISTING['cupy']) > 450


@pytest.mark.parametrize('path', [path for path in LISTING if path.startswith('cupy')])
def test_the_standin_has_no_public_name_that_cupy_lacks(path):
    owner = cp
    for part in path.split('.')[1:]:
        owner = getattr(owner, part)
    extra = {name for name in vars(owner) if not name.startswith('_')} - set(LISTING[path])
    assert extra == ({'standin'} if path == 'cupy' else set())


def test_every_listed_function_can_be_looked_up():
    missing = []
    for path, names in LISTING.items():
        owner = cp
        for part in path.split('.')[1:]:
            owner = getattr(owner, part, None)
        if isinstance(owner, types.ModuleType) and path in ('cupy', 'cupy.linalg', 'cupy.random', 'cupy.cuda'):
            missing += [name for name, kind in names.items() if kind[0] in 'fug' and not callable(getattr(owner, name))]
    assert missing == []


@pytest.mark.parametrize('path', CODE + NOTEBOOKS, ids=lambda path: str(Path(path).relative_to(ROOT)))
def test_the_book_uses_only_names_and_keywords_that_cupy_has(path):
    wrong, _ = wrong_uses(source(path))
    assert wrong == []


def test_the_search_finds_names_and_keywords():
    assert sum(wrong_uses(source(path))[1] for path in CODE) > 20
    calls = 'errstate() sum(a,initial=0) exp(a,where=b) linalg.nor(a) sum(a,axis=0) cuda.Device().id'
    program = '\n'.join(f'backend.xp.{call}' for call in calls.split())
    assert wrong_uses(program) == (
        ['1: xp.errstate', '2: xp.sum(initial=)', '3: xp.exp(where=)', '4: xp.linalg.nor'],
        8,
    )
