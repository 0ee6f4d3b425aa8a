"""The digits that the book's public notebooks print on the real tables, met in float64: `make test-real`.

The tables are the public ones: abalone.csv (UCI), pulsar_stars.csv (Kaggle, HTRU2), faults.csv (UCI, steel plates).
"""

import os
import re
import subprocess
import sys

import pytest

from chapters import ch04_mlp
from mathlib import rng, settings
from mathlib.backend import precision

ABALONE = """
    Epoch 2: cost=8.191, accuracy=0.733/0.711
    Epoch 4: cost=7.392, accuracy=0.744/0.694
    Epoch 6: cost=7.247, accuracy=0.747/0.737
    Epoch 8: cost=7.139, accuracy=0.748/0.725
    Epoch 10: cost=7.054, accuracy=0.751/0.746
Model abalone_model test report: accuracy = 0.727
[0.00,0.00,1.00,0.70,0.53,0.17,1.56,0.61,0.39,0.44] => estimate 12.9 : answer 10.0
[0.00,1.00,0.00,0.46,0.38,0.12,0.48,0.22,0.10,0.17] => estimate  8.7 : answer  7.0
[0.00,0.00,1.00,0.58,0.45,0.14,1.14,0.56,0.22,0.29] => estimate 11.3 : answer  8.0
"""
PULSAR = """
Model pulsar_model test report: accuracy = 0.971
[121.8, 48.0,  0.2,...] => estimate star(probability 0.01) : answer star => O
[143.5, 46.0, -0.3,...] => estimate star(probability 0.00) : answer star => O
[170.4, 40.9, -0.9,...] => estimate star(probability 0.01) : answer star => O
[ 26.8, 27.4,  6.1,...] => estimate pulsar(probability 1.00) : answer pulsar => O
[143.5, 40.5, -0.2,...] => estimate star(probability 0.00) : answer star => O
[ 99.0, 44.0,  0.4,...] => estimate star(probability 0.02) : answer star => O
[134.6, 50.6,  0.0,...] => estimate star(probability 0.00) : answer star => O
[130.0, 53.9,  0.4,...] => estimate star(probability 0.17) : answer star => O
"""
STEEL = """
    Epoch 10: cost=1.848, accuracy=0.352/0.299
    Epoch 20: cost=1.784, accuracy=0.352/0.299
    Epoch 30: cost=1.744, accuracy=0.352/0.299
    Epoch 40: cost=1.720, accuracy=0.352/0.299
    Epoch 50: cost=1.705, accuracy=0.352/0.299
Model steel_model test report: accuracy = 0.337
estimated distribution [ 9,10,17, 8, 7,18,30] => estimate Other_Faults : answer Bumps => X
estimated distribution [ 9,10,17, 8, 7,18,30] => estimate Other_Faults : answer Dirtiness => X
estimated distribution [ 9,10,17, 8, 7,18,30] => estimate Other_Faults : answer Other_Faults => O
"""
PULSAR_SELECT = """
Model pulsar_select_model test report: accuracy = 0.969
estimated distribution [44,56] => estimate pulsar : answer pulsar => O
estimated distribution [100, 0] => estimate star : answer star => O
estimated distribution [99, 1] => estimate star : answer star => O
"""
NAMES = ['ch05_abalone_model', 'ch05_pulsar_model', 'ch05_steel_model', 'ch05_pulsar_select_model']


def run(names, dtype, results):
    """What `python -m chapters run` prints for the names, in one process."""
    environ = os.environ | {'DTYPE': dtype, 'BOOK_LANG': 'en'}
    command = [sys.executable, '-m', 'chapters', 'run', *names, '--results', str(results)]
    done = subprocess.run(command, cwd=settings.ROOT, env=environ, capture_output=True, text=True, check=True)
    return done.stdout


def without_seconds(text):
    """Log lines without their seconds, and without the lines that hold nothing else."""
    lines = [re.sub(r',? ?\([\d/]+ secs\)', '', line) for line in text.splitlines()]
    return [
        line for line in lines if line and not line.startswith(('Model ', 'Data: ', 'stored')) or 'test report' in line
    ]


def test_chapter_5_prints_the_books_digits(tmp_path):
    expected = without_seconds(ABALONE + PULSAR + STEEL + PULSAR_SELECT)
    assert without_seconds(run(NAMES, 'float64', tmp_path)) == expected


def test_float32_stays_within_a_hundredth(tmp_path):
    double, single = (without_seconds(run(NAMES, dtype, tmp_path)) for dtype in ('float64', 'float32'))
    numbers = [
        [float(n) for line in lines for n in re.findall(r'[=/] ?(\d+\.\d+)', line)] for lines in (double, single)
    ]
    assert len(numbers[0]) == len(numbers[1]) == 34
    assert numbers[1] == pytest.approx(numbers[0], abs=0.01)


CHAPTER_4 = {
    'abalone': [
        (
            dict(hidden=[]),
            """Epoch 1: loss=33.875, accuracy=0.557/0.812
            Epoch 2: loss=8.226, accuracy=0.820/0.814
            Epoch 3: loss=7.582, accuracy=0.812/0.809
            Epoch 4: loss=7.475, accuracy=0.808/0.811
            Epoch 5: loss=7.395, accuracy=0.810/0.809
            Epoch 6: loss=7.328, accuracy=0.808/0.810
            Epoch 7: loss=7.269, accuracy=0.808/0.811
            Epoch 8: loss=7.217, accuracy=0.808/0.812
            Epoch 9: loss=7.175, accuracy=0.810/0.810
            Epoch 10: loss=7.135, accuracy=0.809/0.810
            Final Test: final accuracy = 0.810""",
        ),
        (
            dict(hidden=4, epoch_count=50, report=10),
            """Epoch 10: loss=6.849, accuracy=0.806/0.803
            Epoch 20: loss=6.294, accuracy=0.815/0.812
            Epoch 30: loss=5.572, accuracy=0.827/0.840
            Epoch 40: loss=5.105, accuracy=0.835/0.842
            Epoch 50: loss=4.955, accuracy=0.838/0.837
            Final Test: final accuracy = 0.837""",
        ),
        (
            dict(hidden=4, epoch_count=50, report=10),
            """Epoch 10: loss=6.757, accuracy=0.808/0.813
            Epoch 20: loss=6.255, accuracy=0.817/0.817
            Epoch 30: loss=5.554, accuracy=0.829/0.819
            Epoch 40: loss=5.093, accuracy=0.837/0.845
            Epoch 50: loss=4.948, accuracy=0.840/0.827
            Final Test: final accuracy = 0.827""",
        ),
    ],
    'pulsar': [
        (
            dict(hidden=6, epoch_count=50, report=10),
            """Epoch 10: loss=0.094, accuracy=0.972/0.972
            Epoch 20: loss=0.091, accuracy=0.973/0.974
            Epoch 30: loss=0.091, accuracy=0.973/0.974
            Epoch 40: loss=0.089, accuracy=0.974/0.974
            Epoch 50: loss=0.089, accuracy=0.974/0.975
            Final Test: final accuracy = 0.975""",
        ),
        (
            dict(hidden=[6], epoch_count=50, report=10),
            """Epoch 10: loss=0.090, accuracy=0.973/0.969
            Epoch 20: loss=0.087, accuracy=0.974/0.969
            Epoch 30: loss=0.085, accuracy=0.975/0.973
            Epoch 40: loss=0.083, accuracy=0.976/0.972
            Epoch 50: loss=0.083, accuracy=0.976/0.972
            Final Test: final accuracy = 0.972""",
        ),
        (
            dict(hidden=[12, 6], epoch_count=200, report=40),
            """Epoch 40: loss=0.090, accuracy=0.973/0.972
            Epoch 80: loss=0.086, accuracy=0.975/0.974
            Epoch 120: loss=0.084, accuracy=0.976/0.971
            Epoch 160: loss=0.081, accuracy=0.976/0.972
            Epoch 200: loss=0.081, accuracy=0.976/0.973
            Final Test: final accuracy = 0.973""",
        ),
    ],
    'steel': [
        (
            dict(hidden=10, epoch_count=50, report=10),
            """Epoch 10: loss=1.849, accuracy=0.352/0.325
            Epoch 20: loss=1.786, accuracy=0.352/0.325
            Epoch 30: loss=1.747, accuracy=0.352/0.325
            Epoch 40: loss=1.723, accuracy=0.352/0.325
            Epoch 50: loss=1.708, accuracy=0.352/0.325
            Final Test: final accuracy = 0.325""",
        ),
        (
            dict(hidden=[12, 6, 4], epoch_count=50, report=10),
            """Epoch 10: loss=1.855, accuracy=0.346/0.350
            Epoch 20: loss=1.795, accuracy=0.346/0.350
            Epoch 30: loss=1.758, accuracy=0.346/0.350
            Epoch 40: loss=1.735, accuracy=0.346/0.350
            Epoch 50: loss=1.721, accuracy=0.346/0.350
            Final Test: final accuracy = 0.350""",
        ),
        (
            dict(hidden=[12, 6, 4], epoch_count=50, report=10, learning_rate=0.0001),
            """Epoch 10: loss=1.738, accuracy=0.257/0.182
            Epoch 20: loss=1.618, accuracy=0.315/0.468
            Epoch 30: loss=1.604, accuracy=0.390/0.389
            Epoch 40: loss=1.594, accuracy=0.422/0.471
            Epoch 50: loss=1.584, accuracy=0.444/0.471
            Final Test: final accuracy = 0.471""",
        ),
    ],
}


@pytest.mark.parametrize('table', CHAPTER_4)
def test_chapter_4_prints_the_books_digits(table, capsys):
    rng.seed(1234)
    for settings_of_run, expected in CHAPTER_4[table]:
        with precision('float64'):
            ch04_mlp.train_and_test(getattr(ch04_mlp, table)(), **settings_of_run)
        printed = [line for line in capsys.readouterr().out.splitlines()[1:] if line]
        assert printed == [line.strip() for line in expected.splitlines()]
