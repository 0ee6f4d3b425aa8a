"""What a checkpoint holds: all that a training must know to go on to the same bit, as plain data and arrays.

There are two parts. What the training is (`identity`: model, data, settings) must be the same when it goes on, and
`differences` says in words where it is not. What the training has come to (`gather`: parameters, moving averages,
optimisers, the stream of random numbers, the order of the rows, the history) is put back by `restore`.
"""

import dis
import hashlib
import inspect
import json

import numpy as np

from chapters.description import describe, to_json
from chapters.history import History, StepLog
from chapters.structure import layers
from chapters.weightfiles import listed
from chapters.weights import named_arrays
from data import Dataset
from mathlib import backend, rng, settings
from mathlib.backend import to_host, xp
from mathlib.errors import BookError

# Words for what differs, where they are other than the names in the description.
WORDS = {
    'dtype': 'DTYPE',
    'after': 'the runs before it',
    'report': 'report (a validation draws random rows, so with another report the numbers would be others)',
    'kind': 'the kind of data',
    'digest': 'the digest of the data',
    'answers': 'the answers of the training rows (which depend on the seed that the rows were shuffled with)',
}
# What NumPy draws random numbers with.
GENERATORS = (np.random.Generator, np.random.RandomState)


class CheckpointError(BookError):
    """A training cannot be saved in a folder, or cannot go on from what is there."""


# What a training is


def identity(model, training):
    """What must be the same when a training goes on, as plain data. training: its settings."""
    dataset = model.dataset
    what = {
        'model': describe(model),
        'frozen': frozen_layers(model),
        'optimizers': {name: _settings(one) for name, one in optimizers(model).items()},
        'training': dict(training),
        'dtype': str(model.parameters.values.dtype),
        'data': {
            'dataset': str(dataset),
            'kind': dataset.kind,
            'digest': dataset.digest,
            'answers': hashlib.sha256(np.ascontiguousarray(dataset.tr_ys)).hexdigest()[:12],
        },
    }
    return json.loads(to_json(what))


def machine():
    """What may be another machine's when a training goes on, although the last digits then differ."""
    return {'backend': backend.name, 'workers': settings.workers if backend.name == 'numpy' else None}


def frozen_layers(model):
    """The paths of the layers that do not learn."""
    if not hasattr(model, 'is_frozen'):
        return []
    return [placed.layer.path for _, placed in layers(model.structure) if model.is_frozen(placed.pm)]


def optimizers(model):
    """{attribute: object} of all that a model moves its parameters with: what it keeps that has an `update`."""
    found = {}
    for name, value in vars(model).items():
        if callable(getattr(value, 'update', None)) and not isinstance(value, (dict, set, Dataset, type)):
            if not hasattr(value, '__dict__'):
                raise CheckpointError(
                    f'{model.name}: {name} keeps its state in __slots__, where a checkpoint cannot find it'
                )
            found[name] = value
    return found


def _settings(optimizer):
    """The class of an optimiser and what it was told: its arguments that are plain values."""
    told = {'class': type(optimizer).__name__}
    for name in inspect.signature(type(optimizer)).parameters:
        value = vars(optimizer).get(name)
        if isinstance(value, (bool, int, float, str)):
            told[name] = value
    return told


def differences(model, saved, own, done=0):
    """Where the identity of a checkpoint is not that of a model, in words; [] where they are equal. done: the epochs.

    More epochs than before are no difference, unless the learning rate depends on their number.
    """
    theirs, ours = saved['training'], own['training']
    more = theirs['epoch_count'] < ours['epoch_count']
    if both := saved.get('run') and own.get('run') and _unlike('', saved['run'], own['run']):
        return both
    found = []
    if ours['epoch_count'] < done:
        found.append(f'epoch_count: {done} epochs are done already, {ours["epoch_count"]} here')
    elif more and not _is_constant(model.schedule):
        found.append(
            f'epoch_count: {theirs["epoch_count"]} in the checkpoint, {ours["epoch_count"]} here; with the schedule '
            f'{model.schedule!r} the learning rates of the epochs that are done would have been others'
        )
    skipped = {'epoch_count'} if more or ours['epoch_count'] < done else set()
    found += _unlike('', theirs, ours, skipped)
    for name in dict.fromkeys([*saved['optimizers'], *own['optimizers']]):
        where = name if 'optimizer' in name else f'optimizer {name}'
        found += _unlike(f'{where} ', *(each['optimizers'].get(name, {}) for each in (saved, own)))
    found += _unlike('', saved['data'], own['data'])
    described, wanted = saved['model'], own['model']
    found += _unlike('', described, wanted, {'hconfigs', 'version'})
    found += _unlike_layers('the model', described['hconfigs'], wanted['hconfigs'], model.layers)
    return found + _unlike('', *({name: each[name] for name in ('frozen', 'dtype')} for each in (saved, own)))


def _is_constant(schedule):
    name, *rest = [schedule] if isinstance(schedule, str) else schedule
    return name == 'constant' and not any(options.get('warmup') for options in rest)


def _unlike(where, saved, own, skipped=()):
    """Where two dicts differ, in words."""
    found = []
    for name in dict.fromkeys([*saved, *own]):
        before, now = saved.get(name), own.get(name)
        if before == now or name in skipped:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            found += _unlike(f'{where}{name} ' if where or name == 'dataset' else '', before, now)
        else:
            found.append(f'{where}{WORDS.get(name, name)}: {_shown(before)} in the checkpoint, {_shown(now)} here')
    return found


def _unlike_layers(where, saved, own, placed):
    """Where two lists of layers, as plain data, differ. placed: the Layers of the second, for their paths."""
    found = []
    if len(saved) != len(own):
        found.append(f'{where}: {len(saved)} layers in the checkpoint, {len(own)} here')
    for before, now, layer in zip(saved, own, placed, strict=False):
        (kind, *inside), (own_kind, *own_inside) = before, now
        if kind != own_kind:
            found.append(f'{layer.path}: {kind} in the checkpoint, {own_kind} here')
            continue
        options, own_options = (
            part.pop(0) if part and isinstance(part[0], dict) else {} for part in (inside, own_inside)
        )
        found += _unlike(f'{layer.path}: ', options, own_options)
        found += _unlike_layers(layer.path, inside, own_inside, layer.children)
    return found


def _shown(value):
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return listed(value) or 'none'
    return str(value)


# What a training has come to


def gather(model, where):
    """(text, {name: host array}) of all that changes in a training. where: its Standing."""
    arrays = {'parameters': model.parameters.values}
    arrays |= {f'average.{name}': array for name, array in _averages(model).items()}
    kind, keys, position, has_gauss, gauss = rng.get_state()
    arrays |= {'random': keys, 'indices': model.dataset.indices}
    log = where.log if where.step else StepLog()
    arrays |= {'costs': np.array(log.costs, float), 'accuracies': np.array(log.accuracies, float)}
    moved = {}
    for name, optimizer in optimizers(model).items():
        state = {key: value for key, value in vars(optimizer).items() if not callable(value)}
        moved[name] = _packed(state, f'optimizer.{name}', arrays)
    reached = {
        'epoch': where.epoch,
        'step': where.step,
        'seconds': where.seconds(),
        'random': [kind, position, has_gauss, gauss],
        'optimizers': moved,
        'history': model.history.as_dict(),
        'attributes': _own(model, arrays)[0],
    }
    # Unlike an identity it may hold numbers that are not finite, such as the best of costs before the first one.
    return json.dumps(reached), {name: np.asarray(to_host(array), order='C') for name, array in arrays.items()}


def restore(model, where, text, arrays):
    """Put what `gather` gave back into a model, the stream of random numbers, and a Standing; all of it or nothing."""
    reached = json.loads(text)
    averages = _averages(model)
    targets = {'parameters': model.parameters.values} | {f'average.{name}': one for name, one in averages.items()}
    for name, target in targets.items():
        if name not in arrays or arrays[name].shape != target.shape or arrays[name].dtype != target.dtype:
            raise CheckpointError(f'{name} does not fit {model.name}: the checkpoint was made by another version')
    history = History.from_dict({**reached['history'], 'settings': model.history.settings})
    moved = {name: (one, _unpacked(reached['optimizers'][name], arrays)) for name, one in optimizers(model).items()}
    own = {name: _unpacked(value, arrays) for name, value in reached.get('attributes', {}).items()}
    kind, position, has_gauss, gauss = reached['random']
    log = StepLog(arrays['costs'].tolist(), arrays['accuracies'].tolist())
    for name, target in targets.items():
        target[...] = xp.asarray(arrays[name])
    for optimizer, state in moved.values():
        for key in [key for key, value in vars(optimizer).items() if key not in state and not callable(value)]:
            delattr(optimizer, key)
        vars(optimizer).update(state)
    for name, value in own.items():
        setattr(model, name, _renewed(vars(model).get(name), value))
    rng.set_state((kind, arrays['random'], position, has_gauss, gauss))
    model.dataset.indices = arrays['indices']
    model.history = history
    where.go_on(reached['epoch'], reached['step'], log, reached['seconds'])


def not_held(model):
    """What a class of the reader's keeps that no checkpoint can hold, such as ['net.helper, a lock']."""
    return _own(model, {})[1]


def _own(model, arrays):
    """The attributes that a class of the reader's has set: as plain data, and in words those that cannot be held."""
    book = [one for one in type(model).__mro__ if one.__module__.startswith('chapters.')]
    if type(model) in book:
        return {}, []
    functions = [each for one in book for each in vars(one).values() if inspect.isfunction(each)]
    apart = {step.argval for each in functions for step in dis.get_instructions(each) if step.opname == 'STORE_ATTR'}
    # Numbers such as l2_decay may be the reader's to change; these two a training sets itself.
    numbers = {name for name, value in vars(model).items() if isinstance(value, (bool, int, float))}
    apart -= numbers - {'learning_rate', 'is_training'}
    apart |= set(optimizers(model))
    held, lacking = {}, []
    for name, value in vars(model).items():
        if name in apart or inspect.isroutine(value) or inspect.isclass(value) or value is model.dataset:
            continue
        inside = {}
        try:
            held[name] = _packed(value, f'attribute.{name}', inside)
        except CheckpointError:
            lacking.append(f'{model.name}.{name}, a {type(value).__name__}')
        else:
            arrays.update(inside)
    return held, lacking


def _renewed(old, new):
    """`new`, where it can be in the place of `old`: others may hold that too."""
    if isinstance(new, GENERATORS) and type(old) is type(new) and _source(old)['kind'] == _source(new)['kind']:
        _put_state(old, _source(new)['state'])
        return old
    if isinstance(old, np.ndarray | xp.ndarray) and isinstance(new, type(old)):
        if old.shape == new.shape and old.dtype == new.dtype and getattr(old.flags, 'writeable', True):
            old[...] = new
            return old
    elif isinstance(old, dict) and isinstance(new, dict):
        fresh = {key: _renewed(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(fresh)
        return old
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = [_renewed(old[n] if n < len(old) else None, value) for n, value in enumerate(new)]
        return old
    return new


def _source(generator):
    """The kind of a generator of random numbers and where its stream stands."""
    if isinstance(generator, np.random.Generator):
        state = generator.bit_generator.state
    else:
        state = generator.get_state(legacy=False)
    return {'kind': state['bit_generator'], 'state': state}


def _put_state(generator, state):
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def _averages(model):
    """{name: array} of what a model keeps beside its parameters."""
    learned = set(model.parameters.names)
    return {name: holder[key] for name, holder, key in named_arrays(model) if name not in learned}


def _packed(value, name, arrays):
    """A value as plain data; the arrays in it go into `arrays`, and their names stand in their places."""
    if value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic):
        return value
    if isinstance(value, (np.ndarray, np.generic, xp.ndarray)):
        arrays[name] = np.asarray(value) if isinstance(value, np.generic) else value
        return {'array': name, 'is': 'number' if isinstance(value, np.generic) else _place(value)}
    if isinstance(value, (list, tuple)):
        items = [_packed(each, f'{name}.{n}', arrays) for n, each in enumerate(value)]
        return {'items': items, 'is': type(value).__name__ if type(value) is tuple else 'list'}
    if isinstance(value, dict) and all(isinstance(key, (str, int)) for key in value):
        return {'pairs': [[key, _packed(each, f'{name}.{key}', arrays)] for key, each in value.items()]}
    if isinstance(value, GENERATORS):
        source = _source(value)
        state = _packed(source['state'], name, arrays)
        return {'generator': type(value).__name__, 'kind': source['kind'], 'state': state}
    raise CheckpointError(
        f'{name} is a {type(value).__name__}, which no checkpoint can hold: an optimiser keeps its state in numbers, '
        f'words, arrays, and lists and dicts of these'
    )


def _place(array):
    return 'host' if isinstance(array, np.ndarray) and backend.name != 'numpy' else 'device'


def _unpacked(value, arrays):
    """The value that `_packed` took apart."""
    if not isinstance(value, dict):
        return value
    if 'array' in value:
        array = arrays[value['array']]
        return {'number': lambda: array[()], 'host': lambda: array, 'device': lambda: xp.asarray(array)}[value['is']]()
    if 'items' in value:
        items = [_unpacked(each, arrays) for each in value['items']]
        return tuple(items) if value['is'] == 'tuple' else items
    if 'generator' in value:
        bits = getattr(np.random, value['kind'])()
        made = np.random.Generator(bits) if value['generator'] == 'Generator' else np.random.RandomState(bits)
        _put_state(made, _unpacked(value['state'], arrays))
        return made
    return {key: _unpacked(each, arrays) for key, each in value['pairs']}
