"""tools/notebooks.py: what `make run` shows and writes, and what `make notebooks` stores."""

import json

import nbformat
import pytest

from tools import notebooks


def outputs(path):
    """The outputs of each cell of a notebook, as nbformat's dictionaries."""
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells]


def test_run_shows_a_line_for_each_cell_and_writes_notebook_and_page(make_notebook, tmp_path, capsys):
    path = make_notebook(('# first\nprint(6 * 7)',), ('import mathlib\nmathlib.__name__',))
    before = path.read_bytes()
    executed, page = notebooks.run(path, tmp_path / 'build')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '05_try.ipynb'
    assert lines[1].split()[:4] == ['cell', '1/2', '#', 'first']
    assert lines[2].split()[:4] == ['cell', '2/2', 'import', 'mathlib']
    assert lines[1].endswith(' s')
    assert outputs(executed)[0][0].text == '42\n'
    assert outputs(executed)[1][0].data['text/plain'] == "'mathlib'"
    assert '42' in page.read_text(encoding='utf-8')
    assert path.read_bytes() == before


def test_a_failing_cell_is_shown_with_its_error(make_notebook, tmp_path, capsys, monkeypatch):
    make_notebook(('x = 0',), ('1 / x',), ('print("never")',))
    monkeypatch.setattr(notebooks, 'BOOK', tmp_path)
    monkeypatch.setattr(notebooks, 'BUILD', tmp_path / 'build')
    assert notebooks.main(['run', '5']) == 1
    shown = capsys.readouterr()
    assert '1 / x' in shown.err
    assert 'ZeroDivisionError: division by zero' in shown.err
    assert 'cell  2/3' in shown.out
    assert 'cell  3/3' not in shown.out


@pytest.mark.parametrize('number', ['99', 'chapter'])
def test_an_unknown_number_lists_what_there_is(make_notebook, tmp_path, number):
    make_notebook(('1',), name='05_try.ipynb')
    make_notebook(('1',), name='06_more.ipynb')
    with pytest.raises(notebooks.NotebookError, match=f"No notebook '{number}'") as problem:
        notebooks.find(number, tmp_path)
    assert '05_try' in str(problem.value)
    assert '06_more' in str(problem.value)


def test_run_without_a_number_asks_for_one(make_notebook, tmp_path, capsys, monkeypatch):
    make_notebook(('1',))
    monkeypatch.setattr(notebooks, 'BOOK', tmp_path)
    assert notebooks.main(['run']) == 1
    shown = capsys.readouterr().err
    assert 'make run NB=05' in shown
    assert '05_try' in shown


def test_storing_twice_changes_no_byte_and_names_no_machine_and_no_moment(make_notebook):
    path = make_notebook(
        ("import time; print(f'ended in {time.time_ns() % 1000} secs')", 'wide'),
        ('object()',),
        ('import random; print("drawn", random.random())', 'nbval-ignore-output'),
        ('import matplotlib.pyplot as plt\nprint(1, flush=True); print(2)\nplt.plot([1, 2])\nplt.show()\nprint(3)',),
        ('from mathlib import backend\nbackend.precision("float99").__enter__()', 'raises-exception'),
    )
    assert notebooks.store(path)
    first = path.read_bytes()
    assert not notebooks.store(path)
    assert path.read_bytes() == first

    stored = json.loads(first)
    tags = [['wide'], None, ['nbval-ignore-output'], None, ['raises-exception']]
    assert stored['metadata'] == notebooks.METADATA
    assert [cell['metadata'].get('tags') for cell in stored['cells']] == tags
    assert [cell['execution_count'] for cell in stored['cells']] == [1, 2, 3, 4, 5]
    before, _, after = outputs(path)[3]
    assert (before.text, after.text) == ('1\n2\n', '3\n')
    assert 'mathlib/backend.py' in ''.join(outputs(path)[4][0].traceback)
    assert str(notebooks.ROOT) not in path.read_text(encoding='utf-8')


def test_a_changed_result_is_stored(make_notebook):
    path = make_notebook(('print("accuracy 0.71 (3 secs)")',))
    notebooks.store(path)
    text = path.read_text(encoding='utf-8')
    path.write_text(text.replace('accuracy 0.71 (3 secs)\\n', 'accuracy 0.72 (9 secs)\\n'), encoding='utf-8')
    assert notebooks.store(path)
    assert outputs(path)[0][0].text == 'accuracy 0.71 (3 secs)\n'
