"""The progress bar: seen by people, gone afterwards."""

import io
import sys

import pytest

from chapters import MlpModel, progress


def on_screen(text):
    """What a notebook or a terminal shows and keeps of a text: a carriage return goes back to the line's start."""
    lines = []
    for line in text.split('\n'):
        shown = ''
        for part in line.split('\r'):
            shown = part + shown[len(part) :]
        lines.append(shown)
    return '\n'.join(lines)


@pytest.fixture
def nobody(monkeypatch):
    """No terminal, no live notebook."""
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    for name in progress.LIVE_NOTEBOOK:
        monkeypatch.delenv(name, raising=False)


def test_where_nobody_looks_nothing_is_drawn(nobody):
    assert progress.steps(3, 'Epoch') == range(3)


def test_in_a_live_notebook_the_log_lines_cover_the_bar(nobody, monkeypatch, dataset):
    def log():
        out = io.StringIO()
        monkeypatch.setattr(sys, 'stdout', out)
        model = MlpModel('m', dataset(), [])
        monkeypatch.setattr('time.monotonic', lambda: 0.0)
        model.train(epoch_count=3, report=1)
        return out.getvalue()

    plain = log()
    monkeypatch.setenv('JPY_SESSION_NAME', 'book/05_mlp_model.ipynb')
    monkeypatch.setitem(sys.modules, 'ipykernel', sys)
    watched = log()
    assert 'Epoch 2/3: 100 %' not in plain
    assert '    Epoch 1/3:' in watched
    assert on_screen(watched) == plain


def test_on_a_terminal_the_bar_is_wiped_away(nobody, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', terminal)
    assert list(progress.steps(3, 'Epoch 1/1')) == [0, 1, 2]
    assert 'Epoch 1/1' in terminal.getvalue()
    assert on_screen(terminal.getvalue()).strip() == ''
