"""Run an experiment and keep its record: settings, data, machine, history, seconds, as one JSON file."""

import dataclasses
import datetime
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from chapters.history import History
from chapters.records import check
from mathlib import backend, runtime, settings
from mathlib.errors import BookError, TrainingError

STORED = settings.ROOT / 'book' / 'results'
OWN = settings.ROOT / 'results'
# What a record says of a run that was broken off from outside, and the exit status of the command.
INTERRUPTED, TERMINATED, HUNG_UP = 'interrupted', 'terminated', 'hung up'
STATUSES = {INTERRUPTED: 130, TERMINATED: 143, HUNG_UP: 129}
SIGNALS = {'SIGTERM': TERMINATED, 'SIGHUP': HUNG_UP}


class RunError(BookError):
    """A run's record cannot be written or read."""


def run_experiment(experiment, dataset, seed, after=(), changes=(), **checkpoints):
    """Train and test one experiment; returns its record, a dict that JSON can hold, and the model.

    experiment: an Experiment, with the settings to use. dataset: its data set. seed: of the random numbers, for the
    record. after: names of the experiments that used the same stream of random numbers before. changes: names of the
    settings that are not the book's. checkpoints: what `train` is told of them: checkpoint, every, resume. A training
    that breaks off (the cost is no longer finite, or Ctrl-C) leaves a record with 'stopped' and the epochs until then.
    """
    model = experiment.model_class(experiment.model_name, dataset, experiment.hconfigs, **experiment.model_args)
    for attribute, value in experiment.attributes.items():
        setattr(model, attribute, value)
    start, stopped = time.monotonic(), None
    try:
        told = experiment.epoch_count, experiment.batch_size, experiment.learning_rate, experiment.report
        model.train(*told, **checkpoints)
        seconds = time.monotonic() - start
        model.test()
    except (TrainingError, KeyboardInterrupt) as problem:
        seconds = time.monotonic() - start
        stopped = str(problem)
        if isinstance(problem, KeyboardInterrupt):
            number = getattr(problem, 'signal', None)
            stopped = SIGNALS.get(signal.Signals(number).name if number else None, INTERRUPTED)
            if getattr(problem, 'unsaved', False):
                print(problem, file=sys.stderr)
    if checkpoints.get('resume') and model.history:
        # What was trained before this process counts as well.
        seconds = max(seconds, sum(epoch.seconds for epoch in model.history.epochs))
    peak = runtime.peak_memory_mb()
    record = {
        'experiment': experiment.name,
        'configuration': experiment.hconfigs,
        'model': experiment.model_class.__name__,
        'model_args': experiment.model_args,
        'attributes': experiment.attributes,
        'dataset_args': experiment.dataset_args,
        'dataset': describe_dataset(dataset),
        'seed': seed,
        'after': list(after),
        'changes': list(changes),
        'published': [dataclasses.asdict(published) for published in experiment.published],
        'note': experiment.note,
        'history': model.history.as_dict() if model.history else None,
        'stopped': stopped,
        'seconds': round(seconds, 2),
        'peak_memory_mb': peak and round(peak),
        'parameters': model.parameters.count,
        'machine': runtime.describe(),
        'backend': backend.describe(),
        'finished': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC'),
    }
    return record, model


def describe_dataset(dataset):
    """What a record says of a data set: which files (by digest), real or sample, the split, what was left out."""
    return {
        'name': str(dataset),
        'class': type(dataset).__name__,
        'kind': dataset.kind,
        'digest': dataset.digest,
        'rows': [len(dataset.tr_xs), len(dataset.va_xs), len(dataset.te_xs)],
        'input_shape': list(dataset.input_shape),
        'left_out': len(dataset.skipped),
    }


def file_name(record):
    """The name of a record's file: equal settings give the same one, so that a second run replaces the first.

    A run that broke off has a name of its own and replaces no whole one.
    """
    parts = [record['experiment'], record['dataset']['kind'], f'seed{record["seed"]}', *record['changes']]
    if record['backend']['dtype'] != 'float32':
        parts.append(record['backend']['dtype'])
    if record['backend']['backend'] != 'numpy':
        parts.append(record['backend']['backend'])
    if record['stopped']:
        parts.append('stopped')
    return '-'.join(parts) + '.json'


def prepare(folder, option='results'):
    """Make a folder and be sure that a file can be written there, before hours are spent on one; returns its Path.

    option: the command-line option that names another folder. Raises RunError.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise RunError(f'{folder} cannot be written to ({problem}): choose another folder with --{option}') from None
    return folder


def save(record, folder):
    """Write a record into the folder, whole or not at all; returns the path."""
    path = Path(folder) / file_name(record)
    _write(path, json.dumps(record, indent=1, ensure_ascii=False) + '\n')
    return path


def forget_stopped(record, folder):
    """Remove the record of the time when this run had broken off: it went on, and this record holds all of it."""
    (Path(folder) / file_name({**record, 'stopped': INTERRUPTED})).unlink(missing_ok=True)


def _write(path, text):
    try:
        part = path.with_suffix(f'.{os.getpid()}.part')
        part.write_text(text, encoding='utf-8')
        part.replace(path)
    except OSError as problem:
        raise RunError(f'{path} cannot be written: {problem}. It would have been:\n{text}') from None


def load(folder):
    """All records in a folder, sorted by file name, each with its 'path'; an empty list if there is no such folder.

    Raises RunError, naming the file, for a JSON file that is no record of a run.
    """
    records = []
    for path in sorted(Path(folder).glob('ch*.json')):
        try:
            record = json.loads(path.read_text(encoding='utf-8'))
            check(record)
            History.from_dict(record['history'])
        except (OSError, ValueError, TypeError, RecursionError) as problem:
            raise RunError(
                f'{path} is not a record of a run ({type(problem).__name__}: {problem}): remove it'
            ) from None
        records.append({**record, 'path': path})
    return records
