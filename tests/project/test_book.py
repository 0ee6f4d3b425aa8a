"""The notebooks as they are stored: executed to the end, in one go, and free of anything that one machine put there."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from tools import notebooks

ROOT = Path(__file__).resolve().parents[2]
BOOK = sorted((ROOT / 'book').glob('*.ipynb'))


def code_cells(path):
    """The code cells of a notebook that hold code."""
    return [
        cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'code' and cell.source.strip()
    ]


def test_the_book_begins():
    assert BOOK
    assert BOOK[0].name == '00_start.ipynb'


@pytest.mark.parametrize('path', BOOK, ids=lambda path: path.stem)
class TestStored:
    def test_every_cell_was_executed_once_in_order(self, path):
        # nbval compares nothing in a cell that has no execution count.
        counts = [cell.execution_count for cell in code_cells(path)]
        assert counts == list(range(1, len(counts) + 1))

    def test_errors_and_warnings_stand_only_where_they_are_meant(self, path):
        for cell in code_cells(path):
            kinds = {output.get('name', output.output_type) for output in cell.outputs}
            assert 'stderr' not in kinds, cell.source
            assert ('error' in kinds) == ('raises-exception' in cell.metadata.get('tags', [])), cell.source

    def test_no_cell_is_left_out(self, path):
        assert [cell.source for cell in code_cells(path) if 'nbval-skip' in cell.metadata.get('tags', [])] == []
        assert [cell.source for cell in code_cells(path) if 'NBVAL_SKIP' in cell.source] == []

    def test_it_is_as_make_notebooks_leaves_it(self, path):
        stored = json.loads(path.read_text(encoding='utf-8'))
        assert stored['metadata'] == notebooks.METADATA
        assert all(set(cell['metadata']) <= set(notebooks.KEPT_METADATA) for cell in stored['cells'])
        ids = [cell['id'] for cell in stored['cells']]
        assert len(set(ids)) == len(ids)

    def test_no_output_shows_where_it_was_made(self, path):
        # Base64 pictures are long runs without a space; a path is a short one.
        outputs = json.dumps([cell.outputs for cell in code_cells(path)])
        assert re.findall(r'(?<![\w/+])/(?:home|root|tmp|Users|mnt|opt)/[\w./-]{2,60}(?![\w/+=])', outputs) == []
