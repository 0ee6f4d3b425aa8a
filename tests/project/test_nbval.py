"""A notebook's stored outputs are compared strictly: seconds and addresses may differ, nothing else may."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import notebooks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def validate():
    """A function: runs nbval on a notebook under the project's settings; returns pytest's exit status and output."""

    def run(path, **variables):
        settings = [f'--rootdir={ROOT}', '-c', str(ROOT / 'pyproject.toml'), '-p', 'conftest']
        python_path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', *settings, '-p', 'no:cacheprovider', '--nbval', str(path)],
            cwd=path.parent,
            env={**os.environ, **variables, 'PYTHONPATH': python_path},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_seconds_and_addresses_may_differ(make_notebook, validate):
    lines = [
        "f'Epoch 2: cost=1.118, accuracy=0.569/0.530 ({n}/{n} secs)'",
        "f'Model m train ended in {n} secs:'",
        "f'Model m test report: accuracy = 0.649, ({n} secs)'",
        "f'{n}.25 s a step, {n} ms, {n}.5 µs'",
        'object()',
    ]
    path = make_notebook(('import time; n = time.time_ns() % 10**6',), *((f'print({line})',) for line in lines))
    notebooks.store(path)
    stored = path.read_text(encoding='utf-8')
    status, shown = validate(path)
    assert status == 0, shown
    assert f'{len(lines) + 1} passed' in shown
    assert path.read_text(encoding='utf-8') == stored


def test_nothing_else_may(make_notebook, validate):
    changes = {
        'accuracy = 0.649, (3 secs)': 'accuracy = 0.648, (3 secs)',
        'Epoch 2: cost=1.118': 'Epoch 4: cost=1.118',
        '2 steps': '3 steps',
        '[10, 96, 96, 3]': '[10, 96, 96, 1]',
        'estimate rose': 'estimate tulip',
    }
    path = make_notebook(
        *((f'print("{stored}")',) for stored in changes),
        ('import os, warnings\nif "LATE" in os.environ:\n    warnings.warn("late")',),
    )
    notebooks.store(path)
    text = path.read_text(encoding='utf-8')
    for stored, changed in changes.items():
        assert f'"{stored}\\n"' in text
        text = text.replace(f'"{stored}\\n"', f'"{changed}\\n"')
    path.write_text(text, encoding='utf-8')
    status, shown = validate(path, LATE='1')
    assert status == 1, shown
    assert f'{len(changes) + 1} failed' in shown
    assert 'stderr' in shown


def test_the_readers_own_settings_do_not_reach_the_cells(make_notebook, validate):
    path = make_notebook(('from mathlib import settings as s; print(s.dtype, s.data_dir, s.book_lang)',))
    notebooks.store(path)
    status, shown = validate(path, DTYPE='float64', DATA_DIR=str(path.parent), BOOK_LANG='ko')
    assert status == 0, shown
