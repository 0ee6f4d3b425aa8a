"""The benchmarks where there is no GPU: it refuses to be mistaken for a measurement, and its parts work."""

import os
import subprocess
import sys

import pytest

from mathlib import backend
from tests.bench import gpu, steps
from tests.standin.loading import ROOT, STUB


@pytest.mark.parametrize(
    ('settings', 'reason'),
    [({'BACKEND': 'numpy'}, 'make gpu'), ({'BACKEND': 'cupy', 'PYTHONPATH': str(STUB)}, 'stand-in')],
)
def test_without_a_gpu_it_says_why_and_writes_nothing(tmp_path, settings, reason):
    done = subprocess.run(
        [sys.executable, '-m', 'tests.bench.gpu', '--results', str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('No benchmark: ') and reason in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('network', steps.NETWORKS, ids=lambda network: f'{network[0]}-{network[1]}')
def test_a_case_trains_its_network_and_reports_milliseconds(network, monkeypatch):
    for name in ('WARM_UP', 'STEPS', 'ROUNDS'):
        monkeypatch.setattr(steps, name, 1)
    case = steps.run_case(network, 2, backend)
    assert case['parameters'] == {'flowers': 900_395, 'office31': 1_922_848}[case['network']]
    assert case['our_ms'] > 0 and case['first_loss'] > 0
    assert case['torch_ms'] is None and case['ratio'] is None


def test_outcomes_are_counted_from_pytests_own_record(tmp_path):
    record = tmp_path / 'tests.xml'
    record.write_text(
        '<testsuites><testsuite><testcase classname="tests.a" name="b"/>'
        '<testcase classname="tests.a" name="c"><failure>x</failure></testcase>'
        '<testcase classname="book.04_perceptrons.ipynb" name="Cell 1"/></testsuite></testsuites>'
    )
    assert gpu.outcomes(record) == {
        'tests': {'passed': 1, 'failed': 1, 'skipped': 0},
        'notebook_cells': {'passed': 1, 'failed': 0, 'skipped': 0},
    }
    assert gpu.outcomes(None) is None


def test_a_device_becomes_a_file_name():
    assert steps.slug('NVIDIA H100 80GB HBM3') == 'nvidia-h100-80gb-hbm3'
