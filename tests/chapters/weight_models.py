"""Models of every class of the staircase, and how to look at all their arrays: for the tests of save and load."""

import numpy as np

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel
from chapters.errata import AddInPlace
from chapters.weights import named_arrays
from data import DummyDataset
from mathlib.backend import to_host

CONV = ['conv', {'ksize': 3, 'chn': 4}]
NORMED = ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA'}]
PLAIN = [CONV, ['max', {'stride': 2}], 5]
CASES = {
    MlpModel: [4, 3],
    AdamModel: [],
    CnnBasicModel: PLAIN,
    CnnRegModel: [CONV, ['batch_normal'], ['dropout', {'keep_prob': 0.5}], 5],
    CnnExtModel: [
        ['parallel', CONV, ['add', {'x': True}, ['loop', {'repeat': 2}, ['conv', {'ksize': 1, 'chn': 3}]]]],
        NORMED,
    ],
    CnnNetModel: [
        ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA', 'bias': False, 'padding': [[0, 1], [0, 1]]}],
        ['auxiliary', {'weight': 0.5}, ['global_avg'], ['full', {'width': 3}]],
        ['max', {'ksize': 3, 'stride': 2, 'padding': 0, 'ceil': True}],
        ['batch_normal', {'rescale': 'shift'}],
    ],
    AddInPlace: [['add', {'x': False}, CONV, CONV]],
}


def picture_set(mode='select'):
    return DummyDataset('shapes', mode, [6, 6, 3], [3])


def made(model_class=CnnNetModel, hconfigs=None, **options):
    """A model with arrays that are all different from those of a new one."""
    model = model_class('net', picture_set(), CASES[model_class] if hconfigs is None else hconfigs, **options)
    for n, (_, holder, key) in enumerate(named_arrays(model)):
        holder[key] += 0.25 + n / 64
    return model


def content(model):
    """All arrays of a model, host copies by name."""
    return {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}


def equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def outputs(model):
    x = np.random.RandomState(1).normal(size=(2, 6, 6, 3)).astype('float32')
    return to_host(model.get_output(x))
