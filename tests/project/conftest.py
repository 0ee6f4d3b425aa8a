"""A throwaway notebook, for the tests of what executes and compares notebooks."""

import nbformat
import pytest


@pytest.fixture
def make_notebook(tmp_path):
    """A function: code cells as (source, *tags) in, the path of a notebook without outputs back."""

    def make(*cells, name='05_try.ipynb'):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source, metadata={'tags': list(tags)}) for source, *tags in cells]
        )
        path = tmp_path / name
        nbformat.write(notebook, path)
        return path

    return make
