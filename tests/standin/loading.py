"""The strict stand-in under a name of its own, so that its tests run with any BACKEND and beside a real CuPy."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / 'tests' / 'standin' / 'stub'


def load_standin():
    """The package of tests/standin/stub/cupy as the module standin_cupy."""
    folder = STUB / 'cupy'
    spec = importlib.util.spec_from_file_location(
        'standin_cupy', folder / '__init__.py', submodule_search_locations=[str(folder)]
    )
    sys.modules['standin_cupy'] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules['standin_cupy'])
    return sys.modules['standin_cupy']


cp = load_standin()
