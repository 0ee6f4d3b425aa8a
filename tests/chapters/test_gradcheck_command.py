"""`python -m chapters gradcheck`: right networks are right, wrong ones named by their layer, kinks are no mistakes."""

import json
import sys

import numpy as np
import pytest

from chapters import CnnBasicModel, MlpModel
from chapters.__main__ import main
from chapters.check import check_layers
from data import DummyDataset
from mathlib import rng
from mathlib.backend import precision, scalar, to_device, to_host, xp
from mathlib.errors import ConfigError, TrainingError
from mathlib.gradcheck import KINK, RIGHT, WRONG, judge

CONV = ['conv', {'ksize': 3, 'chn': 3}]
SMALL = ['--input', '6,6,2', '--answers', '3', '--rows', '3', '--samples', '3']
SMOOTH = ['conv', {'ksize': 3, 'chn': 3, 'actfunc': 'tanh'}]
# A mistake of the book, a network in which it is made, and the last layer whose gradients it spoils.
MISTAKES = {
    'ParallelFirstSlice': ([SMOOTH, ['parallel', SMOOTH, SMOOTH]], 'layer 2 > parallel > branch 2 > conv'),
    'AvgWrongAxis': ([SMOOTH, ['avg', {'ksize': 3, 'stride': 1}], CONV], 'layer 1 > conv'),
    'AddInPlace': ([SMOOTH, ['add', CONV], ['avg', {'stride': 2}]], 'layer 2 > add > branch 1 > conv'),
    'BatchNormConstants': ([SMOOTH, ['batch_normal', {'epsilon': 0.1}], CONV], 'layer 1 > conv'),
}


def run(capsys, *arguments):
    """Exit status, {(layer, parameter): verdict}, and all that was printed."""
    status = main(['gradcheck', *arguments])
    out = capsys.readouterr().out
    rows = [line.split(maxsplit=3) for line in out.splitlines() if line.startswith(' ')]
    return status, {tuple(row[3].rsplit(': ', 1)): row[2] for row in rows}, out


def test_a_right_network_of_many_kinds_of_layers(capsys):
    layers = [
        ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA'}],
        ['dropout', {'keep_prob': 0.7}],
        ['loop', {'repeat': 2}, ['add', {'x': True}, ['parallel', CONV, ['conv', {'ksize': 1, 'chn': 1}]]]],
        ['auxiliary', {'weight': 0.5}, ['global_avg']],
        ['max', {'ksize': 3, 'stride': 2}],
        ['lrn', {}],
        5,
    ]
    status, verdicts, out = run(capsys, '--layers', json.dumps(layers), *SMALL)
    assert status == 0
    assert out.startswith('network: CnnNetModel, 3 rows of 6x6x2, 3 outputs, ')
    assert set(verdicts.values()) == {'right'}
    assert ('layer 3 > loop > add > branch 1 > parallel > branch 2 > conv (turn 2)', 'k') in verdicts
    assert ('layer 4 > auxiliary > output layer', 'w') in verdicts
    assert f'All {len(verdicts)} gradients are right.\n' in out


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_mistake_is_named_with_its_layer(mistake, capsys):
    layers, last = MISTAKES[mistake]
    options = ['--layers', json.dumps(layers), *SMALL]
    status, verdicts, out = run(capsys, '--model', mistake, *options)
    assert status == 1
    assert verdicts['layer 1 > conv', 'k'] == 'WRONG'
    assert verdicts['output layer', 'w'] == verdicts['output layer', 'b'] == 'right'
    wrong = sum(verdict == 'WRONG' for verdict in verdicts.values())
    assert f'{wrong} of {len(verdicts)} gradients are WRONG, the last of them in {last}. ' in out
    assert run(capsys, '--model', 'CnnExtModel', *options)[0] == 0


def test_experiments_networks_macros_and_files(capsys, tmp_path):
    (tmp_path / 'mine.json').write_text('[4, 3]')
    file = str(tmp_path / 'mine.json')
    status, verdicts, out = run(capsys, 'ch05_steel_model', 'lenet_5', '--file', file, '--samples', '2')
    assert status == 0
    assert set(verdicts.values()) == {'right'}
    assert 'ch05_steel_model: MlpModel, 4 rows of 27, 7 outputs' in out
    assert 'lenet_5: CnnNetModel, 4 rows of 32x32x1, 10 outputs' in out
    assert 'mine: CnnNetModel, 4 rows of 16x16x3, 10 outputs' in out


def test_a_macro_takes_arguments_and_large_pictures_are_made_smaller(capsys):
    small = ['--input', '6,6,4', '--samples', '1', '--rows', '2']
    status, verdicts, _ = run(capsys, 'fire', '--args', '{"#squeeze": 2, "#expand": 3}', *small)
    assert status == 0
    assert set(verdicts.values()) == {'right'}
    assert len(verdicts) == 8
    status, _, out = run(capsys, 'ch07_flowers_model_4', '--samples', '1', '--rows', '2', '--resolution', '16')
    assert status == 0
    assert 'CnnBasicModel, 2 rows of 16x16x3 instead of 96x96x3, 5 outputs' in out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'nothing to check: give a NAME, --layers or --file'),
        (['fire'], "fire: layer 1 > custom fire: the macro 'fire' needs #expand, #squeeze: give it in 'args'"),
        (['resnet_5'], "there is no experiment, network or macro 'resnet_5': did you mean 'resnet_56'?"),
        (['--layers', '[['], '--layers is no JSON (Expecting value: line 1 column 3 (char 2))'),
        (['--layers', '[["cnv", {}]]'], "network: layer 1: the layer type 'cnv' is not known; did you mean 'conv'?"),
        (['--layers', '[3]', '--input', '4,x'], "--input is '4,x': expected whole numbers above 0, such as 16,16,3"),
        (['--layers', '[3]', '--model', 'CnnNet'], "--model is 'CnnNet'; did you mean 'CnnNetModel'?"),
        (['--layers', '[3]', '--model', 'Q'], "--model is 'Q': expected one of MlpModel, AdamModel, CnnBasicModel, "),
        (['--layers', '[3]', '--model', 'no_such:Q'], "--model is 'no_such:Q', which cannot be imported from "),
        (['--layers', '[3]', '--model', 'json:dumps'], "--model is 'json:dumps': expected a class derived from MlpMo"),
        (['ch05_steel_model', '--model', 'MlpModel'], 'ch05_steel_model has a class of its own: --model is for --la'),
        (['--layers', '[3]', '--rows', '100000000'], '--rows is 100000000: inputs and outputs of the layers alone w'),
        (['--file', '/dev/zero'], '/dev/zero cannot be read: it is no regular file'),
        (['--layers', '[3]', '--rows', '0'], '--rows is 0: expected at least 1'),
        (['--file', 'no-such-file'], 'no-such-file cannot be read: '),
        (['lenet_5', '--resolution', '3'], 'lenet_5: layer 1 > custom lenet_5 > serial > '),
    ],
)
def test_a_mistake_of_the_command_line_is_one_line(arguments, message, capsys):
    assert main(['gradcheck', *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f'error: {message}')
    assert error.count('\n') == 1


def test_units_at_the_kink_of_their_relu_are_no_mistake():
    lines = []
    with precision('float64'):
        rng.seed(1)
        model = MlpModel('net', DummyDataset('d', 'select', [5], [3]), [4])
        x = np.zeros((2, 5))  # and all biases are 0: each unit lies at its kink
        checks = check_layers(model, x, np.eye(3)[:2], show=lines.append)
        assert {check.name: check.verdict for check in checks} == {
            'hidden.0.w': RIGHT,
            'hidden.0.b': KINK,
            'output.w': RIGHT,
            'output.b': RIGHT,
        }
    assert len(lines) == 5


def test_parameters_and_moving_averages_are_left_as_they_were():
    with precision('float64'):
        model = CnnBasicModel('net', DummyDataset('d', 'select', [6, 6, 2], [3]), [CONV, 4])
        before = to_host(model.parameters.values).copy()
        check_layers(model, np.random.RandomState(0).normal(size=(2, 6, 6, 2)), np.eye(3)[:2], show=lambda line: None)
        assert np.array_equal(to_host(model.parameters.values), before)
        with pytest.raises(TrainingError, match='net: the loss or a gradient is not a finite number'):
            check_layers(model, np.full((2, 6, 6, 2), np.nan), np.eye(3)[:2])


def test_too_large_a_network_is_checked_in_part_and_says_so():
    lines = []
    with precision('float64'):
        model = MlpModel('net', DummyDataset('d', 'select', [5], [3]), [4, 4, 4])
        checks = check_layers(model, np.ones((2, 5)), np.eye(3)[:2], seconds=1e-9, show=lines.append)
    assert [check.name for check in checks] == ['hidden.0.w']
    assert lines[0].startswith('As one loss takes ') and ' s: 1 instead of 5 places, and one of ' in lines[0]


@pytest.mark.parametrize(
    ('at', 'gradient', 'verdict'),
    [
        (0.5, 1.0, RIGHT),
        (0.5, 1.01, WRONG),
        (-0.5, 0.0, RIGHT),
        (-0.5, 0.001, WRONG),
        (3e-7, 1.0, RIGHT),  # the kink lies within the first step, but not within the next
        (-3e-8, 0.0, RIGHT),
        (3e-7, 0.0, WRONG),
        (0.0, 0.0, KINK),
        (0.0, 1.0, KINK),
    ],
)
def test_a_derivative_beside_a_kink_is_judged_by_smaller_steps(at, gradient, verdict):
    with precision('float64'):
        x = to_device(np.array([at]))
        found, _ = judge(lambda: xp.maximum(x, 0).sum(), x, (0,), gradient, 1.0)
        assert found == verdict
        assert scalar(x[0]) == at


@pytest.mark.parametrize(('gradient', 'verdict'), [(1.0, RIGHT), (0.9, WRONG), (1.1, WRONG)])
def test_rounding_at_the_smallest_step_hides_no_mistake(gradient, verdict):
    with precision('float64'):
        x = to_device(np.array([0.5]))
        assert judge(lambda: x.sum() + 1e6, x, (0,), gradient, 1.0)[0] == verdict


def test_one_wrong_number_among_right_ones_is_wrong():
    class FirstBias(MlpModel):
        def update_param(self, pm, key, gradient):
            if key == 'b' and pm is self.pm_output:
                gradient = gradient.copy()
                gradient[0] += 1
            super().update_param(pm, key, gradient)

    with precision('float64'):
        model = FirstBias('net', DummyDataset('d', 'select', [5], [3]), [4])
        x = np.random.RandomState(0).normal(size=(2, 5))
        checks = check_layers(model, x, np.eye(3)[:2], samples=3, show=lambda line: None)
    assert {check.name for check in checks if check.verdict == WRONG} == {'output.b'}
    assert {check.verdict for check in checks if check.name != 'output.b'} <= {RIGHT, KINK}


def test_a_class_of_ones_own_is_imported_from_the_current_folder(capsys, tmp_path, monkeypatch):
    (tmp_path / 'own_layers.py').write_text(
        'from chapters import CnnNetModel\n'
        'class Right(CnnNetModel):\n'
        '    pass\n'
        'class Doubled(CnnNetModel):\n'
        '    def backprop_avg_layer(self, G_y, hconfig, pm, aux):\n'
        '        return 2 * super().backprop_avg_layer(G_y, hconfig, pm, aux)\n'
    )
    (tmp_path / 'mine.json').write_text(json.dumps([SMOOTH, ['avg', {'stride': 2}]]))
    monkeypatch.chdir(tmp_path)
    paths = list(sys.path)
    for model, expected in (('Right', 'right'), ('Doubled', 'WRONG')):
        status, verdicts, out = run(capsys, '--model', f'own_layers:{model}', '--file', 'mine.json', *SMALL)
        assert f'mine: {model}, 3 rows' in out
        assert status == (expected == 'WRONG')
        assert verdicts['layer 1 > conv', 'k'] == expected
        assert verdicts['output layer', 'w'] == 'right'
    status, _, out = run(
        capsys, 'fire', '--args', '{"#squeeze": 2, "#expand": 3}', '--model', 'own_layers:Right', *SMALL
    )
    assert (status, sys.path) == (0, paths)
    assert 'fire: Right, 3 rows' in out


def test_a_file_that_is_far_too_large_is_not_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr('chapters.check_given.LARGEST_FILE', 1 << 20)
    (tmp_path / 'large.json').write_text(' ' * (1 << 20) + '[3]')
    assert main(['gradcheck', '--file', str(tmp_path / 'large.json')]) == 1
    assert 'large.json cannot be a configuration: it is larger than 1 MB' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'advice'),
    [
        (['fire'], '; here: --args \'{"#chn": 8}\', with all that it needs'),
        (['--layers', '[["lrn", {}]]', '--model', 'CnnBasicModel'], 'Model knows it: --model Cnn'),
    ],
)
def test_what_the_command_line_can_do_is_said(arguments, advice, capsys):
    assert main(['gradcheck', *arguments]) == 1
    assert advice in capsys.readouterr().err


def test_what_cannot_be_checked_is_refused_in_words():
    dataset = DummyDataset('d', 'select', [6, 6, 2], [3])
    x, y = np.ones((2, 6, 6, 2)), np.eye(3)[:2]
    with precision('float32'):
        single = CnnBasicModel('net', dataset, [4])
        with pytest.raises(ConfigError, match=r"net is float32.* inside `with precision\('float64'\):`"):
            check_layers(single, x, y)
    with precision('float64'):
        with pytest.raises(ConfigError, match='net is float32, and float64 is computed'):
            check_layers(single, x, y)
        model = CnnBasicModel('net', dataset, [4])
        for wrong_x, wrong_y, message in (
            (None, y, r'net: x is a NoneType: expected an array of numbers \[n, 6, 6, 2\]'),
            (x, None, r'net: y is a NoneType: expected an array of numbers \[n, 3\]'),
            (x, y[:, :2], r'net: y has the shape \[2, 2\]: expected \[2, 3\]'),
            (x[:1], y, r'net: y has the shape \[2, 3\]: expected \[1, 3\]'),
            (x[0], y, r'net: layer 1 > full takes a batch \[n, 6, 6, 2\]'),
        ):
            with pytest.raises(ConfigError, match=message):
                check_layers(model, wrong_x, wrong_y)
