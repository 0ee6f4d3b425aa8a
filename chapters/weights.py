"""Save a model to a file and load it again: `save`, `load`, `load_weights`.

A file is a .safetensors file, the format in which most of the world's weights are published: a header in JSON that
names each array with its type and its place, then the numbers. It holds all that the model has learned, the moving
averages of its batch normalisations, and in the header what the model is made of, so that `load` needs nothing else.
Macros are written out, so a macro that changes later does not change an old file. The same model gives the same bytes.
"""

import hashlib
from pathlib import Path

import numpy as np

from chapters.ch05_mlp_model import Model
from chapters.description import describe, find_class, find_dataset, made, read_description, to_json
from chapters.weightfiles import FLOATS, WeightsError, listed, opened
from chapters.wholefile import write_whole
from mathlib.backend import to_host, xp

SUFFIX = '.safetensors'
# The one key of the header's metadata: with several, their order in the file would be left to chance.
KEY = 'bare_numpy'


def save(model, path):
    """Write a model to `path`, which ends in .safetensors, whole or not at all; returns the Path.

    Saved are the parameters, under the names of model.parameters.names, and the moving averages of batch
    normalisations, such as 'hidden.0.bn.mavg'; the class, its arguments, the layers with all their options, the shapes
    of the dataset and the names of its answers; and a digest of all that. Not saved are the data, the state of the
    optimiser, and which layers are frozen.

    A class of your own must keep each argument of its __init__ in an attribute of that name. Raises WeightsError where
    it does not, where an option cannot be written as JSON, for numbers that are not finite, and for a path that cannot
    be written.
    """
    check_model(model)
    path = _target(path)
    arrays = {name: np.asarray(to_host(holder[key]), order='C') for name, holder, key in named_arrays(model)}
    if problems := _not_finite(arrays):
        raise WeightsError(f'{model.name} is not saved, for its parameters are spoilt: {problems}')
    described = describe(model)
    text = to_json({**described, 'sha256': digest(described, arrays)})
    try:
        write_whole(path, arrays, {KEY: text})
    except OSError as problem:
        raise WeightsError(f'{path} cannot be written: {problem}') from None
    return path


def load(path, model_class=None, dataset=None):
    """The model that `save` wrote to `path`.

    model_class: the class to make it with; left out, the class of that name in this book, so for a class of your own
    it must be given. dataset: rows of the same shapes, to train or test it on; left out, the model stands on a
    DummyDataset, which has none, and can be asked for outputs and estimates. The stream of random numbers stays where
    it is. Raises WeightsError, which names the file, for anything that does not fit.
    """
    with opened(path) as source:
        described, arrays = _sound(source)
        model_class = find_class(source.where, described, model_class)
        dataset = find_dataset(source.where, described['dataset'], dataset)
        model = made(source.where, model_class, described, dataset)
        write(source.where, arrays, _fitting(model, source))
    return model


def load_weights(model, path):
    """Put the numbers that `save` wrote to `path` into a model of the same layers; returns the model.

    Nothing but the numbers is taken from the file. Names and shapes of all arrays must be the model's own, or a
    WeightsError says which are not, and the model stays as it was. Float32 and float64 become the model's type. The
    optimiser starts anew: its running means were those of other numbers.
    """
    check_model(model)
    with opened(path) as source:
        _, arrays = _sound(source)
        write(source.where, arrays, _fitting(model, source))
    restart(model)
    return model


def named_arrays(model):
    """Yield (name, holder, key) of every array that a model has learned or keeps, holder[key] being the array.

    Names are those of model.parameters.names; an array that a layer keeps under 'state' is named as if it stood one
    level higher.
    """

    def visit(node, path):
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in entries:
            inside = path if key == 'state' else (*path, str(key))
            if isinstance(value, (np.ndarray, xp.ndarray)):
                yield '.'.join(inside), node, key
            elif isinstance(value, (dict, list)):
                yield from visit(value, inside)

    return visit({'hidden': model.pm_hiddens, 'output': model.pm_output}, ())


def digest(described, arrays):
    """The SHA-256 of a description and of named host arrays, in hexadecimal digits."""
    sums = hashlib.sha256(to_json(described).encode())
    for name, array in sorted(arrays.items()):
        sums.update(f'{name} {array.dtype.name} {array.shape}'.encode())
        sums.update(array.reshape(-1).view(np.uint8))
    return sums.hexdigest()


def write(where, values, targets):
    """Write host arrays {name: array} over the arrays {name: array} of a model, all of them or, on an error, none.

    where: the source, for the error. Raises WeightsError for numbers that are not finite, in their own type or in the
    model's.
    """
    with np.errstate(over='ignore'):
        ready = {name: array.astype(targets[name].dtype, copy=False) for name, array in values.items()}
    if problems := _not_finite(ready):
        raise WeightsError(f'{where}: {problems}')
    for name, array in ready.items():
        target = targets[name]
        target[...] = xp.asarray(array) if isinstance(target, xp.ndarray) else array


def restart(model):
    """Have the optimisers of a model begin anew, for it has got other numbers. A reader's own need a method `reset`."""
    for optimizer in (model.optimizer, getattr(model, 'adam', None)):
        if hasattr(optimizer, 'reset'):
            optimizer.reset()


def check_model(model, error=WeightsError):
    """Raise an error for what is no model."""
    if isinstance(model, str):
        raise error(
            f'{model!r} is no model, but a name: make({model!r}) of chapters.nets.catalogue makes the network, and '
            f'pretrained({model!r}) of chapters.pretrained the network with published weights'
        )
    if not isinstance(model, Model):
        raise error(f'{model!r} is no model, such as MlpModel(name, dataset, hconfigs)')


def _not_finite(arrays):
    """Which arrays hold numbers that are not finite, in words; '' if none does."""
    counts = {name: int(array.size - np.isfinite(array).sum()) for name, array in arrays.items()}
    return listed(
        f'{name}: {count} of {arrays[name].size} numbers are not finite (NaN or infinite)'
        for name, count in counts.items()
        if count
    )


def _sound(source):
    """(description, {name: array}) of a file that `save` wrote and that nobody has changed since."""
    if KEY not in source.metadata:
        raise WeightsError(
            f'{source.where} was not written by save(model, path): it does not say what its model is made of. For '
            f'published weights there is import_weights(model, path), and --net NAME on the command line'
        )
    described = read_description(source.where, source.metadata[KEY])
    if wrong := [f'{name} is {kind}' for name, (_, kind) in source.arrays.items() if kind not in FLOATS]:
        raise WeightsError(f'{source.where}: expected {" or ".join(FLOATS)}, but {listed(wrong)}')
    arrays = {name: source.read(name) for name in source.arrays}
    if described.pop('sha256', None) != digest(described, arrays):
        raise WeightsError(f'{source.where} has changed since it was saved: content and digest do not agree')
    return described, arrays


def _fitting(model, source):
    """{name: the model's array} for every array of a source, which must be those of the model, in name and shape."""
    own = {name: holder[key] for name, holder, key in named_arrays(model)}
    lacking = (f'{name} {list(array.shape)}' for name, array in own.items() if name not in source.arrays)
    unknown = (f'{name} {list(source.shape(name))}' for name in source.arrays if name not in own)
    unlike = (
        f'{name} is {list(source.shape(name))} in the file, {list(array.shape)} in the model'
        for name, array in own.items()
        if name in source.arrays and source.shape(name) != tuple(array.shape)
    )
    told = (('the file has no ', listed(lacking)), ('the model has no ', listed(unknown)), ('', listed(unlike, '; ')))
    if problems := [begin + text for begin, text in told if text]:
        raise WeightsError(f'{source.where} is of another network than {model.name}: {"; ".join(problems)}')
    return own


def _target(path):
    """The Path to write to, behind any link."""
    try:
        path = Path(path).expanduser().resolve()
    except (TypeError, ValueError, OSError, RuntimeError) as problem:
        raise WeightsError(f'{path!r} is no path to save to: {problem}') from None
    if path.suffix != SUFFIX:
        raise WeightsError(f'{path}: the name of a file of weights ends in {SUFFIX}')
    if path.is_dir():
        raise WeightsError(f'{path} is a folder')
    if not path.parent.is_dir():
        raise WeightsError(f'{path.parent} is no folder: make it first')
    return path
