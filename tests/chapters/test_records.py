"""Confusion matrices, pictures, the command line, records of runs and their report."""

import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from chapters import MlpModel, confusion_matrix, report, runs
from chapters.__main__ import main
from chapters.confusion import ConfusionMatrix
from chapters.experiments import EXPERIMENTS
from chapters.figures import plot_history
from chapters.history import Epoch, History
from mathlib.backend import to_device
from mathlib.errors import ConfigError


def fixed(model, logits):
    """The model with an output that does not depend on the input."""
    model.get_output = lambda x: to_device(np.asarray(logits, dtype=float))
    return model


def test_a_confusion_matrix_counts_true_by_chosen(dataset):
    tiny = dataset()
    tiny.te_xs, tiny.te_ys = np.zeros((4, 5)), np.eye(3)[[0, 0, 1, 2]]
    matrix = confusion_matrix(fixed(MlpModel('m', tiny, []), np.eye(3)[[0, 2, 1, 1]]))
    assert matrix.counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert (matrix.accuracy, matrix.largest_class) == (0.5, 0.5)
    assert str(matrix).splitlines() == [
        'true | chosen',
        '   a |   1   0   1',
        '   b |   0   1   0',
        '   c |   0   1   0',
    ]


def test_a_yes_no_answer_has_two_classes(dataset):
    tiny = dataset('binary')
    tiny.te_xs, tiny.te_ys, tiny.target_names = np.zeros((3, 5)), np.array([[0.0], [1.0], [1.0]]), ['no', 'yes']
    matrix = confusion_matrix(fixed(MlpModel('m', tiny, []), [[-1.0], [2.0], [-0.5]]))
    assert matrix.counts.tolist() == [[1, 0], [1, 1]]


def test_two_answers_have_a_matrix_each(dataset):
    model = MlpModel('m', dataset(), [])
    both = model.dataset
    both.mode, both.cnts, both.target_names = 'dual_select', [2], [['x', 'y'], ['a', 'b', 'c']]
    both.te_xs, both.te_ys = np.zeros((2, 5)), np.array([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 1]])
    fixed(model, [[0, 1, 0, 2, 1], [0, 1, 5, 0, 1]])
    assert confusion_matrix(model).counts.tolist() == [[0, 1], [0, 1]]
    assert confusion_matrix(model, answer=1).counts.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]


def test_a_regression_has_no_confusion_matrix(dataset):
    with pytest.raises(ConfigError, match='m: tiny is a regression; a confusion matrix needs classes'):
        confusion_matrix(MlpModel('m', dataset('regression'), []))


def history(two=False):
    """Three epochs, the last two of them with a validation accuracy; one answer or two."""
    value = (lambda a: [a, a / 2]) if two else (lambda a: a)
    epochs = [Epoch(n, 3 - n / 2, value(0.2 * n), value(0.1 * n) if n > 1 else None, 1.0) for n in (1, 2, 3)]
    return History('m', 'd', {'epoch_count': 3}, epochs, value(0.25))


def test_a_picture_shows_what_was_recorded():
    cost, accuracy = plot_history(history()).axes
    assert cost.lines[0].get_xydata().tolist() == [[1, 2.5], [2, 2.0], [3, 1.5]]
    lines = {line.get_label(): line.get_xydata() for line in accuracy.lines}
    assert lines['training'] == pytest.approx(np.array([[1, 0.2], [2, 0.4], [3, 0.6]]))
    assert lines['validation'] == pytest.approx(np.array([[2, 0.2], [3, 0.3]]))
    assert 'test 0.250' in lines


def test_two_answers_have_two_curves_each():
    labels = [line.get_label() for line in plot_history(history(two=True)).axes[1].lines]
    assert labels[:3] == ['training (domain)', 'validation (domain)', 'test (domain) 0.250']
    assert labels[3:] == ['training (object)', 'validation (object)', 'test (object) 0.125']


def test_list_names_every_experiment(capsys):
    assert main(['list']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)


def test_a_run_is_stored_and_reported(tmp_path, capsys):
    options = ['--epochs', '2', '--report', '1', '--results', str(tmp_path)]
    assert main(['run', 'ch05_abalone_model', 'steel_model', *options]) == 0
    out = capsys.readouterr().out
    assert '    Epoch 2: cost=' in out
    files = sorted(path.name for path in tmp_path.iterdir())
    backend = '' if runs.backend.name == 'numpy' else '-cupy'
    assert files == [
        f'ch05_abalone_model-sample-seed1234-epochs2-report1{backend}.json',
        f'ch05_steel_model-sample-seed1234-epochs2-report1{backend}.json',
    ]
    first, second = (json.loads((tmp_path / name).read_text()) for name in files)
    assert (first['after'], second['after']) == ([], ['ch05_abalone_model'])
    assert [epoch['number'] for epoch in first['history']['epochs']] == [1, 2]
    assert f'{first["history"]["test_accuracy"]:5.3f}' in out
    assert first['published'] == [{'accuracy': [0.727], 'seconds': None, 'source': "the book's public notebook"}]

    assert main(['report', '--results', str(tmp_path), '--out', str(tmp_path / 'report')]) == 0
    table = (tmp_path / 'report' / 'report.md').read_text()
    assert re.search(
        r'\| ch05_abalone_model \(epochs2\) \(report1\)(?: \(cupy\))? \| \[\] \| sample, [\d,]+ rows \| 2 \| 1234 \|',
        table,
    )
    assert '72.7 %' in table
    page = (tmp_path / 'report' / 'report.html').read_text()
    assert page.count('<svg') == 2
    ElementTree.parse(next((tmp_path / 'report').glob('*.svg')))


def test_the_same_command_gives_the_same_numbers(tmp_path):
    def numbers():
        main(['run', 'ch05_steel_model', '--epochs', '1', '--seed', '7', '--results', str(tmp_path)])
        (path,) = tmp_path.glob('*.json')
        record = json.loads(path.read_text())['history']
        return [(epoch['cost'], epoch['train_accuracy']) for epoch in record['epochs']], record['test_accuracy']

    assert numbers() == numbers()


def test_seeds_share_a_line_with_mean_and_spread(tmp_path):
    for seed in ('1', '2'):
        assert (
            main(['run', 'ch05_pulsar_select_model', '--epochs', '1', '--seed', seed, '--results', str(tmp_path)]) == 0
        )
    records = runs.load(tmp_path)
    first, second = (100 * record['history']['test_accuracy'] for record in records)
    (row,) = [report.table_row(group) for group in report.group(records).values()]
    assert row[4] == '1, 2'
    assert row[5] == f'{(first + second) / 2:.1f} ± {abs(first - second) / 2:.1f} %'


def test_adam_can_be_switched_where_there_is_one(tmp_path, capsys):
    assert main(['run', 'ch05_steel_model', '--adam', '--results', str(tmp_path)]) == 1
    assert 'error: ch05_steel_model trains a MlpModel, which has no Adam' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['run', 'steel_modl'], "error: there is no experiment 'steel_modl'. Did you mean ch05_steel_model"),
        (['run', 'steel_model', '--seed', '-1'], 'error: --seed is -1: expected a whole number from 0 to 4294967295'),
        (['run', 'steel_model', '--batch-size', '100000'], 'error: steel_model: batch_size is 100000, but steel has'),
        (['report', '--results', 'no-such-folder'], 'error: there is no record of a run in no-such-folder'),
    ],
)
def test_a_mistake_is_one_line(arguments, message, tmp_path, capsys):
    if arguments[0] == 'run':
        arguments = [*arguments, '--results', str(tmp_path)]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count('\n') == 1


def test_a_training_that_breaks_off_leaves_its_history(tmp_path, capsys):
    assert main(['run', 'abalone_model', '--learning-rate', '1e6', '--results', str(tmp_path)]) == 1
    (record,) = runs.load(tmp_path)
    assert record['stopped'].startswith('abalone_model: the cost is no longer a finite number in epoch 1')
    assert record['history']['epochs'] == []
    assert 'error: abalone_model: the cost is no longer' in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_found_before_the_training(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert main(['run', 'steel_model', '--results', str(tmp_path / 'file')]) == 1
    captured = capsys.readouterr()
    assert 'choose another folder with --results' in captured.err
    assert captured.out == ''


def test_a_damaged_record_is_named(tmp_path, capsys):
    (tmp_path / 'ch05_x.json').write_text('{"history": 3')
    assert main(['report', '--results', str(tmp_path)]) == 1
    assert f'error: {tmp_path / "ch05_x.json"} is not a record of a run' in capsys.readouterr().err


def test_a_yes_begins_at_zero(dataset):
    tiny = dataset('binary')
    tiny.te_xs, tiny.te_ys, tiny.target_names = np.zeros((2, 5)), np.array([[0.0], [1.0]]), ['no', 'yes']
    assert confusion_matrix(fixed(MlpModel('m', tiny, []), [[-0.1], [0.1]])).counts.tolist() == [[1, 0], [0, 1]]


def test_a_confusion_matrix_reads_by_rows():
    matrix = ConfusionMatrix(np.array([[1, 2], [0, 3]]), ['a', 'sunflower'])
    assert (matrix.accuracy, matrix.largest_class) == (4 / 6, 0.5)
    assert str(matrix).splitlines() == ['     true | chosen', '        a |   1   2', 'sunflower |   0   3']
    axes = matrix.plot().axes[0]
    assert axes.images[0].get_array().tolist() == [pytest.approx([1 / 3, 2 / 3]), [0, 1]]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): '1', (1, 0): '2', (0, 1): '0', (1, 1): '3'}


def test_classes_without_names_are_numbered(dataset):
    tiny = dataset()
    tiny.te_xs, tiny.te_ys, tiny.target_names = np.zeros((2, 5)), np.eye(3)[[0, 2]], None
    assert confusion_matrix(fixed(MlpModel('m', tiny, []), np.eye(3)[[0, 1]])).names == ['0', '1', '2']
