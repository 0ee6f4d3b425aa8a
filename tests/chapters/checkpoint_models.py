"""Small trainings of every kind, and what they come to: for the tests of checkpoints, and the kills in tests/stress."""

import json

import numpy as np

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel
from chapters.errata import AddInPlace, BatchNormConstants
from chapters.weights import named_arrays
from data import Dataset, DualSelectDataset
from data.augment import augmentation
from mathlib import rng
from mathlib.backend import to_host, xp

SEED = 4
ROWS = 60  # 40 of them for training: 4 steps of 10 rows
BATCH = 10
CONV = ['conv', {'ksize': 3, 'chn': 4}]
CONV_3 = ['conv', {'ksize': 3, 'chn': 3}]
NORMED = ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA'}]
DROPOUT = ['dropout', {'keep_prob': 0.5}]
NOISE = ['noise', {'std': 0.1, 'ratio': 0.7}]
SIDE = [NORMED, ['auxiliary', {'weight': 0.5}, ['global_avg']], ['max', {'stride': 2}]]


class Sign:
    """An optimiser of a reader's own: each parameter moves by the sign of a mean of its gradients."""

    def __init__(self, keep=0.5):
        self.keep = keep
        self.means, self.best, self.seen = {}, float('inf'), []
        self.count = np.int64(0)

    def update(self, parameters, learning_rate):
        before = self.means.get('mean', xp.zeros_like(parameters.values))
        self.means['mean'] = self.keep * before + parameters.gradients
        self.count += 1
        self.seen = [int(self.count), (0.5, 'steps')]
        parameters.values -= learning_rate * xp.sign(self.means['mean'])


def pictures(augment=None, dual=False, rows=ROWS):
    """A set of pictures [6, 6, 3] with numbers 0..255, of three kinds, or of 2 and 3."""
    draws = np.random.RandomState(7)
    xs = draws.randint(0, 256, (rows, 6, 6, 3)).astype('float32')
    ys = np.eye(3)[draws.randint(0, 3, rows)]
    if dual:
        dataset, ys = DualSelectDataset('both', [2]), np.concatenate([np.eye(2)[np.arange(rows) % 2], ys], axis=1)
    else:
        dataset = Dataset('pictures', 'select')
    dataset.shuffle_data(xs, ys)
    dataset.augment = augmentation(augment) if augment else None
    return dataset


def _net(model_class, hconfigs, mover=None, schedule='constant', freeze=None, augment=None, dual=False, **options):
    def make(rows=ROWS):
        rng.seed(SEED)
        model = model_class('net', pictures(augment, dual, rows), hconfigs, **options)
        model.schedule = schedule
        if mover is not None:
            model.optimizer = mover()
        if freeze is not None:
            model.freeze(freeze)
        return model

    return make


CASES = {
    'mlp': _net(MlpModel, [6, 4]),
    'own optimiser': _net(MlpModel, [6], mover=Sign),
    'adam': _net(AdamModel, [6]),
    'convolution': _net(CnnBasicModel, [CONV, ['max', {'stride': 2}], 5], dual=True),
    'regularised': _net(CnnRegModel, [CONV, ['batch_normal'], NOISE, DROPOUT, 5], l2_decay=0.01, l1_decay=0.001),
    'branches': _net(CnnExtModel, [['parallel', CONV, ['add', {'x': True}, ['loop', {'repeat': 2}, CONV_3]]], NORMED]),
    'augmented': _net(CnnNetModel, [NORMED, DROPOUT], augment=['mirror', 'zoom', 'rotate']),
    'side head': _net(CnnNetModel, SIDE, clip_norm=0.5, label_smoothing=0.1, schedule=['cosine', {'warmup': 0.2}]),
    'sgd': _net(CnnNetModel, [NORMED], optimizer='sgd', schedule=['step', {'at': [0.3, 0.6]}]),
    'momentum': _net(CnnNetModel, [NORMED], optimizer=['momentum', {'nesterov': True}], schedule='linear'),
    'rmsprop': _net(CnnNetModel, [NORMED], optimizer=['rmsprop', {'momentum': 0.9, 'form': 'tensorflow'}]),
    'frozen': _net(CnnNetModel, [NORMED, CONV, 5], freeze=1),
    'in place': _net(AddInPlace, [['add', {'x': False}, CONV, CONV]]),
    'constants': _net(BatchNormConstants, [NORMED]),
}


def train(model, epochs=3, **checkpoints):
    """Train as all these trainings are trained: with a validation, which draws random numbers, after every epoch."""
    return model.train(epochs, BATCH, 0.01, 1, **checkpoints)


def outcome(model):
    """All that a training has come to, as a dict of host arrays and text that can be compared."""
    history = model.history.as_dict()
    for epoch in history['epochs']:
        del epoch['seconds']
    kind, keys, *rest = rng.get_state()
    arrays = {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}
    return arrays | {'random': keys.copy(), 'rest': json.dumps([kind, *rest, model.learning_rate, history])}


def same(first, second):
    """Whether two outcomes are the same to the last bit."""
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
