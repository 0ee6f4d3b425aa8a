"""Records of runs and the report that is made of them."""

import dataclasses

import pytest

from chapters import AdamModel, CnnBasicModel, MlpModel, report, runs
from chapters.__main__ import changed, find, main, parser
from chapters.experiments import Experiment
from chapters.history import Epoch, History
from data import SteelDataset
from mathlib.errors import ConfigError


def history():
    """Three epochs, the last two of them with a validation accuracy."""
    epochs = [Epoch(n, 3 - n / 2, 0.2 * n, 0.1 * n if n > 1 else None, 1.0) for n in (1, 2, 3)]
    return History('m', 'd', {'epoch_count': 3}, epochs, 0.25)


def record(**changes):
    """A record as a run leaves it, with some of its fields changed."""
    return {
        'experiment': 'ch05_steel_model',
        'configuration': [4],
        'dataset': {'kind': 'sample', 'digest': 'a', 'rows': [40, 3, 17]},
        'seed': 1234,
        'changes': [],
        'published': [{'accuracy': [0.5], 'seconds': 6, 'source': 'the book'}],
        'stopped': None,
        'seconds': 12.0,
        'backend': {'backend': 'numpy', 'dtype': 'float32'},
        'history': history().as_dict(),
    } | changes


def test_a_line_of_the_report_by_hand():
    line = ('ch05_steel_model', '[4]', 'sample, 60 rows', '3', '1234', '25.0 %', '50.0 %', '4', '0.12')
    assert report.table_row([record()]) == line
    other = {'backend': 'cupy', 'dtype': 'float64'}
    row = report.table_row([record(stopped='interrupted', changes=['epochs3'], backend=other)])
    assert (row[0], row[3]) == ('ch05_steel_model (epochs3) (float64) (cupy)', '3 (stopped)')
    assert report.accuracy_text([0.1, 0.2, 0.6]) == '30.0 ± 30.0 %'


def test_several_published_results_are_told_apart_by_their_source():
    published = [
        {'accuracy': [0.874, 0.526], 'seconds': 12, 'source': 'course report'},
        {'accuracy': [0.896, 0.541], 'seconds': 6, 'source': 'the book'},
        {'accuracy': [0.9, 0.5], 'seconds': None, 'source': 'own'},
    ]
    row = report.table_row([record(published=published)])
    assert row[6] == '87.4+52.6 % (course report), 89.6+54.1 % (the book), 90.0+50.0 % (own)'
    assert row[8] == '0.24 (course report), 0.12 (the book)'
    assert report.table_row([record(published=[])])[6::2] == ('–', '–')


def test_layers_in_short():
    assert report.layers_text([30, 10]) == '[30, 10]'
    convs = [['conv', {'ksize': 3, 'chn': 6, 'actfunc': 'tanh'}], ['max', {'stride': 2}], 10, ['own']]
    assert report.layers_text(convs) == 'conv3x6 tanh, max2, full10, own'


@pytest.mark.parametrize(('name', 'usual'), [('ch07_flowers_model_1', True), ('ch07_flowers_model_2', False)])
def test_a_model_that_comes_with_adam_counts_as_changed_without(name, usual):
    for option, use_adam in (('--adam', True), ('--no-adam', False)):
        there, named = changed(find(name), parser().parse_args(['run', name, option]))
        assert named == ([] if use_adam == usual else [option.strip('-')])
        assert there.attributes.get('use_adam', CnnBasicModel.use_adam) == use_adam


def test_a_name_that_two_chapters_have_needs_its_chapter():
    assert find('flowers_model_5').name == 'ch05_flowers_model_5'
    with pytest.raises(ConfigError, match='Did you mean ch05_flowers_model_4 or ch07_flowers_model_4'):
        find('flowers_model_4')


def test_only_runs_that_differ_in_the_seed_share_a_line():
    others = [
        record(changes=['epochs3']),
        record(dataset={'kind': 'real', 'digest': 'b', 'rows': [1]}),
        record(backend={'backend': 'numpy', 'dtype': 'float64'}),
    ]
    groups = report.group([record(seed=1), record(), *others]).values()
    assert sorted([run['seed'] for run in group] for group in groups) == [[1234], [1234], [1234], [1234, 1]]


def test_a_records_file_is_named_by_all_that_is_not_the_books():
    other = {'backend': 'cupy', 'dtype': 'float64'}
    assert runs.file_name(record()) == 'ch05_steel_model-sample-seed1234.json'
    name = runs.file_name(record(changes=['epochs2'], backend=other))
    assert name == 'ch05_steel_model-sample-seed1234-epochs2-float64-cupy.json'


def test_equal_records_give_equal_curves():
    assert report.curve_svg(record()) == report.curve_svg(record())


def interrupted(*_):
    raise KeyboardInterrupt


def test_an_interrupted_training_is_stored(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MlpModel, 'train_step', interrupted)
    assert main(['run', 'steel_model', '--results', str(tmp_path)]) == 130
    assert 'error: interrupted' in capsys.readouterr().err
    (kept,) = runs.load(tmp_path)
    assert (kept['stopped'], kept['history']['epochs']) == ('interrupted', [])


def test_an_interruption_before_the_training(monkeypatch, capsys):
    monkeypatch.setattr(runs, 'prepare', interrupted)
    assert main(['run', 'steel_model']) == 130
    assert capsys.readouterr().err == 'interrupted\n'


@pytest.mark.parametrize(
    ('options', 'changes', 'use_adam'),
    [
        ([], [], True),
        (['--adam', '--epochs', '50'], [], True),
        (['--no-adam', '--batch-size', '20'], ['batch-size20', 'no-adam'], False),
    ],
)
def test_only_what_is_not_the_books_counts_as_changed(options, changes, use_adam):
    experiment = find('ch06_office31_model_3')
    there, named = changed(experiment, parser().parse_args(['run', experiment.name, *options]))
    assert (named, there.attributes) == (changes, {'use_adam': use_adam})


def test_a_data_set_is_made_once_for_experiments_in_a_row(tmp_path, monkeypatch):
    made, honest = [], SteelDataset.__init__
    monkeypatch.setattr(SteelDataset, '__init__', lambda self: made.append(self) or honest(self))
    assert main(['run', 'steel_model', 'steel_model', '--epochs', '1', '--results', str(tmp_path)]) == 0
    assert len(made) == 1


@pytest.mark.parametrize('attributes', [{}, {'use_adam': True}])
def test_attributes_reach_the_model(dataset, attributes):
    experiment = Experiment('ch06_x', AdamModel, 'x', [], SteelDataset, epoch_count=1, attributes=attributes)
    _, model = runs.run_experiment(experiment, dataset(), 1234)
    assert model.use_adam == bool(attributes)


def test_experiments_that_want_other_data_do_not_share_it(tmp_path, monkeypatch):
    made = []

    def small(rows):
        made.append(rows)
        return SteelDataset()

    first = Experiment('ch05_a', MlpModel, 'a', [], small, {'rows': 1}, epoch_count=1, shows=())
    second = dataclasses.replace(first, name='ch05_b', dataset_args={'rows': 2})
    monkeypatch.setattr('chapters.__main__.EXPERIMENTS', {'ch05_a': first, 'ch05_b': second})
    assert main(['run', 'ch05_a', 'ch05_a', 'ch05_b', '--results', str(tmp_path)]) == 0
    assert made == [1, 2]


def test_estimates_are_shown_after_the_record_is_safe(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(MlpModel, 'visualize', lambda model, count: shown.append((count, len(runs.load(tmp_path)))))
    assert main(['run', 'pulsar_model', '--epochs', '1', '--results', str(tmp_path)]) == 0
    assert shown == [(3, 1), (5, 1)]


def test_a_run_that_broke_off_replaces_no_whole_one(tmp_path):
    whole, broken = record(), record(stopped='interrupted')
    assert runs.save(whole, tmp_path) != runs.save(broken, tmp_path)
    assert len(report.group(runs.load(tmp_path))) == 2


def test_a_run_without_a_whole_epoch_does_not_stop_the_report(tmp_path):
    nothing = record(stopped='interrupted')
    nothing['history'] = History('m', 'd', {'epoch_count': 3}).as_dict()
    runs.save(nothing, tmp_path)
    assert main(['report', '--results', str(tmp_path), '--out', str(tmp_path / 'report')]) == 0
    assert '| 0 (stopped) |' in (tmp_path / 'report' / 'report.md').read_text()


def test_of_two_runs_with_one_seed_the_later_counts():
    ((run,),) = report.group([record(seconds=1.0), record(seconds=2.0)]).values()
    assert run['seconds'] == 2.0


def test_a_report_that_cannot_be_written_is_one_line(tmp_path, capsys):
    runs.save(record(), tmp_path)
    (tmp_path / 'file').write_text('')
    assert main(['report', '--results', str(tmp_path), '--out', str(tmp_path / 'file')]) == 1
    assert capsys.readouterr().err.endswith('choose another folder with --out\n')


def test_a_record_that_lacks_something_is_named(tmp_path, capsys):
    (tmp_path / 'ch05_x.json').write_text('{"history": {"model": "m", "dataset": "d", "epochs": []}}')
    assert main(['report', '--results', str(tmp_path)]) == 1
    assert 'is not a record of a run (ValueError: it has no experiment): remove it' in capsys.readouterr().err
