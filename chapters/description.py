"""What a model is made of, as plain data that JSON can hold, and a model made of it again: for `save` and `load`."""

import inspect
import json

import numpy as np

from chapters import errata
from chapters.ch05_mlp_model import MlpModel, Model
from chapters.ch06_adam import AdamModel
from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.ch08_cnn_reg import CnnRegModel
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.ch10_cnn_net import CnnNetModel
from chapters.weightfiles import WeightsError
from data import Dataset, DummyDataset
from data.errors import shortened
from data.office31 import DualSelectDataset
from mathlib import rng

VERSION = 1
# What a description must hold, and of which type.
PARTS = {'class': str, 'name': str, 'hconfigs': list, 'options': dict, 'settings': dict, 'dataset': dict}
STAIRCASE = (MlpModel, AdamModel, CnnBasicModel, CnnRegModel, CnnExtModel, CnnNetModel)
CLASSES = {
    one.__name__: one
    for one in (*STAIRCASE, *vars(errata).values())
    if inspect.isclass(one) and issubclass(one, MlpModel)
}
# Arguments of a model that are written down elsewhere, or that only print.
APART = ('name', 'dataset', 'hconfigs', 'dump_structure')
# What a training or a classification asks of a model beside its arguments, as far as it can be written down.
SETTINGS = ('use_adam', 'schedule', 'rand_std', 'prepare')


class DualDummyDataset(DummyDataset, DualSelectDataset):
    """A DummyDataset whose answer is two choices; in the place of a mode it gets `cnts`, see DualSelectDataset."""


def to_json(value):
    """A value as JSON; equal values give the same text."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def describe(model):
    """What a model is made of, as plain data: all that `made` needs. Raises WeightsError for what cannot be written."""
    dataset, types = model.dataset, model.layer_types()
    names = dataset.target_names
    settings = {name: getattr(model, name) for name in SETTINGS if hasattr(model, name)}
    described = {
        'version': VERSION,
        'class': type(model).__name__,
        'name': model.name,
        'hconfigs': [_written(layer, types) for layer in model.layers],
        'options': {option: _value(model, option) for option in _arguments(type(model))},
        # A schedule may be a function of the reader's own.
        'settings': {name: value for name, value in settings.items() if not callable(value)},
        'dataset': {
            'name': dataset.name,
            'mode': dataset.mode,
            'input_shape': list(dataset.input_shape),
            'output_shape': list(dataset.output_shape),
            'target_names': list(names) if names is not None else None,
            'cnts': list(dataset.cnts) if dataset.mode == 'dual_select' else None,
        },
    }
    for part, value in described.items():
        try:
            to_json(value)
        except (TypeError, ValueError, RecursionError) as problem:
            raise WeightsError(
                f'{model.name} cannot be saved: its {part} cannot be written as JSON: {problem}'
            ) from None
    return described


def read_description(where, text):
    """The description in a file, from its JSON. where: the file, for the WeightsError if it is none."""
    try:
        described = json.loads(text)
        to_json(described)  # which numbers that are not finite are not
    except (ValueError, RecursionError) as problem:
        raise WeightsError(f'{where}: the description of the model is damaged ({problem})') from None
    version = described.get('version') if isinstance(described, dict) else None
    if version != VERSION:
        raise WeightsError(
            f'{where} has the format {shortened(repr(version))}, but this version of the book reads {VERSION}'
        )
    for part, kind in PARTS.items():
        if not isinstance(described.get(part), kind):
            raise WeightsError(f'{where}: the description of the model has no sound {part!r}')
    return described


def find_class(where, described, given):
    """The class to make a model with: the one given, if it takes what was saved, or the class of this book that has the
    name."""
    name = described['class']
    if given is not None:
        if not (inspect.isclass(given) and issubclass(given, Model)):
            raise WeightsError(
                f'{where}: model_class is {given!r}: expected a class such as {name}, or None for the class that was '
                f'saved; a dataset is given as load(path, dataset=...)'
            )
        if strange := [option for option in described['options'] if option not in _arguments(given)]:
            raise WeightsError(
                f'{where} was saved from a {name}; no {given.__name__} can be made of it, which knows no '
                f'{shortened(", ".join(strange))}: leave model_class out, or give {name}'
            )
        return given
    if name not in CLASSES:
        name = shortened(name)
        raise WeightsError(
            f'{where} was saved from a {name}, which is no class of this book: name the class itself, '
            f'load(path, model_class={name})'
        )
    return CLASSES[name]


def find_dataset(where, saved, given):
    """The dataset to stand a model on: the one given, if its shapes are those that were saved, or a dummy."""
    shapes = [saved.get('input_shape'), saved.get('output_shape')]
    if given is not None:
        if not isinstance(given, Dataset):
            raise WeightsError(f'{where}: the dataset is {given!r}: expected a Dataset, or None for a dummy')
        own = [list(shape or ()) for shape in (given.input_shape, given.output_shape)]
        if own != shapes:
            raise WeightsError(
                f'{where}: the model takes {shapes[0]} and gives {shapes[1]}, but in the dataset {given.name} a row is '
                f'{own[0]} and its answer {own[1]}'
            )
        return given
    try:
        if saved['mode'] == 'dual_select':
            dataset = DualDummyDataset(saved['name'], saved['cnts'], *shapes)
        else:
            dataset = DummyDataset(saved['name'], saved['mode'], *shapes)
    # What stands in a file may be anything.
    except Exception as problem:
        raise WeightsError(
            f'{where}: its dataset is {shortened(saved)} ({type(problem).__name__}: {problem})'
        ) from problem
    dataset.target_names = saved.get('target_names')
    return dataset


def made(where, model_class, described, dataset):
    """The model of a description, its parameters not yet what they were. The stream of random numbers stays."""
    state = rng.get_state()
    try:
        model = model_class.__new__(model_class)
        # Drawing weights that are written over at once would take ten times as long as reading them.
        if model_class.alloc_param_pair is MlpModel.alloc_param_pair:
            model.alloc_param_pair = lambda shape: (np.zeros(shape), np.zeros(shape[-1]))
        model.__init__(described['name'], dataset, described['hconfigs'], **described['options'])
        vars(model).pop('alloc_param_pair', None)
    # The class may be a reader's, and the arguments come from a file: anything may go wrong, and means the same.
    except Exception as problem:
        name, said = getattr(model_class, '__name__', repr(model_class)), shortened(problem, 2000)
        raise WeightsError(
            f'{where}: no {name} can be made of what the file says ({type(problem).__name__}: {said})'
        ) from problem
    finally:
        rng.set_state(state)
    for name in SETTINGS:
        if name in described['settings']:
            setattr(model, name, described['settings'][name])
    return model


def _written(layer, types):
    """A Layer as plain data. In the place of a macro stands `serial`, which holds the same parameters."""
    children = [_written(child, types) for child in layer.children]
    if layer.type == 'custom':
        return ['serial', *children]
    # Where an option is None it was left out: no check takes None for an answer.
    options = {name: value for name, value in layer.options.items() if value is not None or types[layer.type] is None}
    return [layer.type, options, *children]


def _arguments(model_class):
    """The names of all arguments that a class takes, those that it hands on to the class above by **kwargs included."""
    names = []
    for one in model_class.__mro__:
        if '__init__' not in vars(one):
            continue
        _, *kinds = inspect.signature(one.__init__).parameters.values()
        names += [each.name for each in kinds if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        if all(each.kind is not each.VAR_KEYWORD for each in kinds):
            break
    return [name for name in dict.fromkeys(names) if name not in APART]


def _value(model, option):
    """What a model was told for an argument. Where the attribute holds what was made of it, NAME_spec has the words."""
    for attribute in (f'{option}_spec', option):
        if hasattr(model, attribute):
            return getattr(model, attribute)
    raise WeightsError(
        f'{model.name} cannot be saved: {type(model).__name__} takes the argument {option!r}, but keeps it in no '
        f'attribute of that name: write self.{option} = {option} in its __init__'
    )
