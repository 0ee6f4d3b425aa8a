"""What the record of a run must hold, so that a report can be made of it: `check`.

A record is a file that anybody may have written or changed, so it is looked at once, where it is read, and those who
use it need not.
"""

import math

# What stands where in a record: a kind of value, a dict of such, a list of one, or with MAYBE beside it, perhaps null.
TEXT, WHOLE, NUMBER = 'a text', 'a whole number', 'a number'
MAYBE = 'or null'
ACCURACY = 'a number or a list of numbers'
LAYERS = 'layers'
SHAPE = {
    'experiment': TEXT,
    'configuration': LAYERS,
    'dataset': {'kind': TEXT, 'digest': TEXT, 'rows': [WHOLE]},
    'seed': WHOLE,
    'changes': [TEXT],
    'published': [{'accuracy': [NUMBER], 'seconds': (NUMBER, MAYBE), 'source': TEXT}],
    'history': {
        'model': TEXT,
        'dataset': TEXT,
        'settings': {'epoch_count': WHOLE},
        'epochs': [
            {
                'number': WHOLE,
                'cost': NUMBER,
                'train_accuracy': ACCURACY,
                'validation_accuracy': (ACCURACY, MAYBE),
                'seconds': NUMBER,
            }
        ],
        'test_accuracy': (ACCURACY, MAYBE),
    },
    'stopped': (TEXT, MAYBE),
    'seconds': NUMBER,
    'backend': {'backend': TEXT, 'dtype': TEXT},
}


def check(record):
    """Raise ValueError, which says where, for what is no record of a run."""
    _check(record, SHAPE, 'the record')
    if record['history']['settings']['epoch_count'] < 1:
        raise ValueError('history.settings.epoch_count should be at least 1')


def _check(value, shape, where):
    if isinstance(shape, tuple):
        if value is not None:
            _check(value, shape[0], where)
    elif isinstance(shape, dict):
        _demand(isinstance(value, dict), where, 'an object', value)
        for key, inner in shape.items():
            place = key if where == 'the record' else f'{where}.{key}'
            if key not in value:
                raise ValueError(f'it has no {place}')
            _check(value[key], inner, place)
    elif isinstance(shape, list):
        _demand(isinstance(value, list), where, 'a list', value)
        for number, one in enumerate(value):
            _check(one, shape[0], f'{where}[{number}]')
    else:
        _demand(KINDS[shape](value), where, shape, value)


def _demand(right, where, expected, value):
    if not right:
        raise ValueError(f'{where} should be {expected}, but is {str(value)[:60]!r}')


def _is_text(value):
    return isinstance(value, str) and all(not 0xD800 <= ord(letter) < 0xE000 for letter in value)


def _is_number(value):
    # A number beyond 1e300 would overflow in the first sum.
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e300


def _is_whole(value):
    return type(value) is int and abs(value) < 2**63


def _is_accuracy(value):
    return _is_number(value) or (isinstance(value, list) and value != [] and all(map(_is_number, value)))


def _are_layers(value):
    """Widths, or lists of a type and options; layers may lie within layers."""
    if value and isinstance(value, list) and isinstance(value[0], str):
        value = [value]
    return isinstance(value, list) and all(type(layer) is int or _is_layer(layer) for layer in value)


def _is_layer(layer):
    if not (isinstance(layer, list) and layer and _is_text(layer[0])):
        return False
    options = layer[1] if len(layer) > 1 else {}
    if layer[0] == 'custom':
        return isinstance(options, dict) and _is_text(options.get('name')) and isinstance(options.get('args', {}), dict)
    return isinstance(options, dict)


KINDS = {TEXT: _is_text, WHOLE: _is_whole, NUMBER: _is_number, ACCURACY: _is_accuracy, LAYERS: _are_layers}
