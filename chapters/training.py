"""The settings of a training, checked before it starts, and what is said when one breaks off."""

import contextlib
from numbers import Integral

from chapters.structure import walk
from data import Dataset
from mathlib.choices import POSITIVE
from mathlib.errors import ConfigError, TrainingError
from mathlib.quoting import quoted


def check_model(name, dataset):
    """Raise ConfigError for a model's name that is no text, or a dataset that is none or has no rows yet."""
    if not isinstance(name, str):
        raise ConfigError(f'the name of a model is {name!r}: expected a word, as in MlpModel(name, dataset, hconfigs)')
    if not isinstance(dataset, Dataset):
        raise ConfigError(f'{name}: the dataset is {dataset!r}: expected a Dataset, such as FlowersDataset()')
    if dataset.input_shape is None or dataset.output_shape is None:
        raise ConfigError(f'{name}: the dataset {dataset.name} has no rows yet: it must call shuffle_data(xs, ys)')


def check_count(name, what, value, least):
    """Raise ConfigError, beginning with `name`, for a value that is no whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f'{name}: {what} is {value!r}: expected a whole number of at least {least}')


def check_training(model, epoch_count, batch_size, learning_rate, report):
    """The number of whole batches in an epoch. Raises ConfigError for a setting that cannot work."""
    check_count(model.name, 'epoch_count', epoch_count, 1)
    check_count(model.name, 'batch_size', batch_size, 1)
    check_count(model.name, 'report', report, 0)
    if not POSITIVE.fits(learning_rate):
        raise ConfigError(
            f'{model.name}: learning_rate is {quoted(learning_rate)}: expected a number above 0, such as 0.001'
        )
    train_count = model.dataset.train_count
    if train_count == 0:
        raise ConfigError(f'{model.name}: {model.dataset.name} has no rows to train on: make the model with a dataset')
    if batch_size > train_count:
        raise ConfigError(
            f'{model.name}: batch_size is {batch_size}, but {model.dataset.name} has {train_count} training rows: '
            f'take a batch of at most {train_count}'
        )
    return train_count // batch_size


def check_rows(model, x):
    """Raise ConfigError for inputs x that are no batch [n, *input_shape] of the model's dataset."""
    expected = list(model.dataset.input_shape)
    if len(x) == 0:
        raise ConfigError(f'{model.name}: a batch of no rows: expected at least one')
    if list(x.shape[1:]) == expected:
        return
    batch = ', '.join(map(str, ['n', *expected]))
    hint = '; one row alone is a batch of one, x[None]' if x.ndim == len(expected) else ''
    first = model.structure[0].layer.path
    raise ConfigError(f'{model.name}: {first} takes a batch [{batch}], but what came is {list(x.shape)}{hint}')


def refuse_misfit(model, hconfig, pm, G_y, problem):
    """Raise ConfigError if the ValueError in a layer's backprop method came of a G_y that has not the shape of its y.

    Otherwise the problem gets a note that names the layer.
    """
    shape = next((list(placed.output_shape) for _, _, placed in walk(model.structure) if placed.pm is pm), None)
    came = list(G_y.shape[1:])
    if shape is not None and came != shape:
        raise ConfigError(
            f'{model.name}: {hconfig.path} makes rows of shape {shape}, but the gradient that comes back to it has '
            f'rows of shape {came}: look at the G_x that the backprop method of the layer after it gives'
        ) from problem
    if not hasattr(problem, '__notes__'):
        problem.add_note(f'This was in the backprop method of {hconfig.path} in {model.name}.')


def diverged(model, finding, when='in this step'):
    """The TrainingError for a number that is not finite; it carries the history up to this epoch.

    finding: a chapters.finite.Finding. when: such as 'in epoch 1, step 3', both counted from 1.
    """
    parameters = 'but the parameters are spoilt' if finding.moved else 'and the parameters are those before this step'
    kept = f'{_kept(model)}, ' if model.history is not None else ''
    advice = finding.remedy or (
        f'The usual cause is a learning rate too high for this data: it was {model.learning_rate:g}, try '
        f'{model.learning_rate / 10:g}; inputs with very large values call for a lower one still.'
    )
    return TrainingError(
        f'{model.name}: {finding.what} is no longer a finite number {when}: {finding.where}. The training stopped '
        f'there; {kept}{parameters}. {advice}',
        history=model.history,
    )


@contextlib.contextmanager
def enough_memory(model, doing, setting):
    """Inside, an array for which there is no memory becomes a TrainingError, which carries the history.

    doing: what needed it, with its number of rows; setting: the name of what makes that number smaller. CuPy's
    OutOfMemoryError is a MemoryError too, and both say how much was asked for.
    """
    try:
        yield
    except MemoryError as problem:
        asked = str(problem).strip() or 'Python does not say how much was asked for'
        kept = f'; {_kept(model)}' if model.history is not None else ''
        raise TrainingError(
            f'{model.name}: not enough memory for {doing}: {asked}. Make {setting} smaller, or the pictures (the '
            f'resolution of the dataset), or the layers{kept}.',
            history=model.history,
        ) from None


def _kept(model):
    """Where the history of a training that broke off is."""
    return f'its history ({len(model.history.epochs)} whole epochs) is kept in model.history'
