"""The settings are read in a fresh interpreter, as a reader's first import would."""

import os
import subprocess
import sys

import pytest

from mathlib import settings

NO_CUPY = "import sys; sys.modules['cupy'] = None\n"
NO_GPU = """
import sys, types
class CUDARuntimeError(RuntimeError): pass
def getDeviceCount(): raise CUDARuntimeError('cudaErrorNoDevice: no CUDA-capable device is detected')
runtime = types.SimpleNamespace(getDeviceCount=getDeviceCount, CUDARuntimeError=CUDARuntimeError)
cupy = types.ModuleType('cupy')
cupy.__version__, cupy.cuda = '14.2.0', types.SimpleNamespace(runtime=runtime)
sys.modules['cupy'] = cupy
"""


def start(code, cwd=settings.ROOT, **variables):
    """Run code in a new interpreter with just these settings; returns (last line of stderr, stdout)."""
    done = interpreter('-c', code, cwd=cwd, **variables)
    return (done.stderr.strip().splitlines() or [''])[-1], done.stdout.strip()


def interpreter(*arguments, cwd=settings.ROOT, **variables):
    """Run a new interpreter with just these settings."""
    known = ('BACKEND', 'DTYPE', 'DATA_DIR', 'WORKERS', 'BOOK_LANG')
    environ = {key: value for key, value in os.environ.items() if key not in known} | variables
    environ |= {'PYTHONPATH': str(settings.ROOT), 'PYTHON_COLORS': '0'}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environ, capture_output=True, text=True)


@pytest.mark.parametrize(
    ('variable', 'value', 'expected'),
    [
        ('BACKEND', 'Cupy', "BACKEND='Cupy' is not known: expected one of numpy, cupy. Did you mean 'cupy'?"),
        ('DTYPE', 'float16', "DTYPE='float16' is not known: expected one of float32, float64."),
        ('BOOK_LANG', 'fr', "BOOK_LANG='fr' is not known: expected one of en, ko."),
        ('WORKERS', 'two', "WORKERS='two' is no number of threads: expected 1 or more."),
        ('WORKERS', '0', "WORKERS='0' is no number of threads: expected 1 or more."),
        ('DATA_DIR', '/no/such/folder', "DATA_DIR='/no/such/folder' is no folder (looked for /no/such/folder)."),
    ],
)
def test_an_unknown_value_is_an_error_that_names_it(variable, value, expected):
    error, _ = start('import mathlib.backend', **{variable: value})
    assert error.startswith('mathlib.errors.SettingError: ' + expected)


def test_defaults():
    error, out = start('from mathlib import settings as s; print(s.backend, s.dtype, s.book_lang, s.data_dir)')
    assert (error, out) == ('', 'numpy float32 en None')


def test_workers_are_the_cores_unless_they_are_set():
    code = 'from mathlib import runtime, settings; print(settings.workers == runtime.cpu_count(), settings.workers)'
    assert start(code)[1].startswith('True ')
    assert start(code, WORKERS='3')[1].endswith(' 3')


def test_a_relative_data_dir_counts_from_here_or_from_the_project(tmp_path):
    (tmp_path / 'mine').mkdir()
    code = 'from mathlib import settings; print(settings.data_dir)'
    assert start(code, cwd=tmp_path, DATA_DIR='mine') == ('', str(tmp_path / 'mine'))
    assert start(code, cwd=tmp_path, DATA_DIR='mathlib') == ('', str(settings.ROOT / 'mathlib'))


def test_cupy_without_cupy_says_how_to_install_it():
    error, _ = start(NO_CUPY + 'import mathlib.backend', BACKEND='cupy')
    assert error.startswith('mathlib.errors.SettingError: BACKEND=cupy, but CuPy cannot be imported')
    assert 'pip install' in error


def test_cupy_without_a_gpu_says_so():
    error, _ = start(NO_GPU + 'import mathlib.backend', BACKEND='cupy')
    assert error.startswith('mathlib.errors.SettingError: BACKEND=cupy, but CuPy 14.2.0 finds no usable GPU')
    assert 'cudaErrorNoDevice' in error


@pytest.mark.parametrize('command', [('data', 'list'), ('chapters', 'list')])
@pytest.mark.parametrize(
    ('variable', 'value'), [('DATA_DIR', '/no/such/folder'), ('BACKEND', 'cuda'), ('DTYPE', 'half')]
)
def test_on_the_command_line_a_wrong_setting_is_one_line(command, variable, value):
    done = interpreter('-m', *command, **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {variable}={value!r} is ')
    assert done.stderr.count('\n') == 1
