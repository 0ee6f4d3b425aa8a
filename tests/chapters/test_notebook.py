"""The table of the networks as notebooks show it."""

import json

import pytest

from chapters import notebook, runs
from mathlib.errors import BookError

TIMES = {'our_ms': 12.345, 'torch_ms': 6.0, 'memory': {'ours': {'peak_mb': 210}, 'torch': {'peak_mb': 250}}}
CASE = {'network': 'a', 'year': 1998, 'layers': None, 'parameters': 61706, 'products': 2.5e6, 'batch_1': TIMES}
RECORD = {
    'machine': {'processor': 'Some processor', 'cores': 2},
    'torch': '2.0',
    'cases': [CASE, {**CASE, 'network': 'b', 'layers': 7}],
}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """What is displayed, as a list of texts."""
    found = []
    monkeypatch.setattr(runs, 'STORED', tmp_path)
    monkeypatch.setattr(notebook, 'display', lambda item: found.append(item.data))
    return found


def test_the_table_of_the_networks(shown, tmp_path):
    with pytest.raises(BookError, match='has no table of the networks: `python -m tests.bench.networks` makes one'):
        notebook.show_networks()
    (tmp_path / 'networks-some.json').write_text(json.dumps(RECORD))
    notebook.show_networks('b')
    notebook.show_networks()
    head = (
        '| network | year | layers | parameters | products (million) | ms a picture, batch 1: ours | PyTorch | '
        'MB: ours | PyTorch |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n'
    )
    a = '| a | 1998 | – | 61,706 | 2 | 12.3 | 6 | 210 | 250 |\n'
    b = '| b | 1998 | 7 | 61,706 | 2 | 12.3 | 6 | 210 | 250 |\n'
    note = '\nSome processor, 2 cores; PyTorch 2.0; forward, as in use.'
    assert shown == [head + b + note, head + a + b + note]
    with pytest.raises(BookError, match='has no lenet: `python -m tests.bench.networks` measures all'):
        notebook.show_networks('a', 'lenet')
