"""What every test and every notebook under test has in common.

A bare `pytest --nbval` works from any folder of the project: notebooks run in the environment of pytest, against the
outputs that they store, with book/sanitize.cfg for what may differ (seconds, addresses, paths).
"""

import os
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).resolve().parent

# Stored outputs were made on the sample, in float32, in English, and their pictures by the notebook's own backend.
READER_SETTINGS = ('DATA_DIR', 'DTYPE', 'BOOK_LANG', 'MPLBACKEND')


def pytest_configure(config):
    """Take the reader's own settings out of the tests' environment, and tell nbval what belongs to this book."""
    named = [Path(str(argument).split('::')[0]).resolve() for argument in config.args]
    on_real_data = bool(named) and all(path.is_relative_to(ROOT / 'tests' / 'real') for path in named)
    for variable in READER_SETTINGS:
        if not (on_real_data and variable == 'DATA_DIR'):
            os.environ.pop(variable, None)
    matplotlib.use('Agg')
    if config.pluginmanager.hasplugin('nbval'):
        config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or str(ROOT / 'book' / 'sanitize.cfg')
        config.option.nbval_current_env = config.option.nbval_kernel_name is None
        config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, 600)


@pytest.fixture(autouse=True)
def close_figures():
    """No test leaves a figure behind for the next one."""
    yield
    if 'matplotlib.pyplot' in sys.modules:
        sys.modules['matplotlib.pyplot'].close('all')
