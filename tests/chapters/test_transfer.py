"""Handing on what a network has learned: copies, features, prepared pictures, fewer of them."""

import numpy as np
import pytest

from chapters import CnnNetModel, transfer
from chapters.transfer import FeatureDataset, PreparedPictures, copy_matching, features, keep_per_class
from data import DummyDataset
from data.dataset import Dataset
from data.pictures import prepare
from data.rows import ImageRows
from mathlib import rng
from mathlib.backend import to_device, to_host
from mathlib.errors import ConfigError

SHAPE = (8, 8, 3)
TRUNK = [
    ['conv', {'ksize': 3, 'chn': 4, 'actions': 'LBA'}],
    ['max', {'stride': 2}],
    ['batch_normal'],
    ['conv', {'ksize': 3, 'chn': 5, 'bias': False}],
    ['global_avg'],
]


def build(hconfigs, classes, dataset=None, seed=1):
    rng.seed(seed)
    dataset = dataset or DummyDataset('pictures', 'select', SHAPE, [classes])
    model = CnnNetModel('m', dataset, hconfigs)
    model.parameters.values += to_device(np.random.RandomState(seed).normal(size=len(model.parameters)))
    for _, pm, *_ in model.structure:
        state = pm.get('bn', pm).get('state', {})
        if 'mavg' in state:
            state['mavg'] += 0.5
            state['mvar'] *= 2
    return model


class Pictures(Dataset):
    """40 pictures of two classes."""

    def __init__(self):
        super().__init__('pictures', 'select')
        draws = np.random.RandomState(0)
        self.target_names, self.digest, self.kind = ['dark', 'bright'], 'abc', 'real'
        ys = np.arange(40) % 2
        pixels = draws.randint(0, 128, (40, *SHAPE)).astype(np.uint8) + 127 * ys[:, None, None, None].astype(np.uint8)
        rng.seed(3)
        self.shuffle_data(ImageRows(pixels, np.arange(40), SHAPE), np.eye(2)[ys])


def test_all_but_the_new_layers_is_copied():
    source, target = build(TRUNK, 10), build([*TRUNK, ['batch_normal'], 7], 2, seed=2)
    new = copy_matching(source, target)
    assert new == ['layer 6 > batch_normal', 'layer 7 > full', 'output layer']
    x = to_device(np.random.RandomState(0).normal(size=(3, *SHAPE)))
    assert np.array_equal(features(source, x), features_up_to(target, x, 5))
    with pytest.raises(ConfigError, match='m has nothing in common with m: their first layers with parameters differ'):
        copy_matching(source, build([['conv', {'ksize': 5, 'chn': 4}]], 2))


def features_up_to(model, x, count):
    """What the first layers make of x."""
    x = x.astype(model.parameters.values.dtype)
    for layer, pm, *_ in model.structure[:count]:
        x, _ = model.forward_layer(x, layer, pm)
    return to_host(x)


def test_features_are_what_the_output_layer_sees():
    pictures, trunk = Pictures(), build(TRUNK, 10)
    found = FeatureDataset(trunk, pictures, progress=False)
    assert (found.mode, found.target_names, found.digest, found.kind) == ('select', ['dark', 'bright'], 'abc', 'real')
    assert (found.input_shape, found.output_shape) == ((5,), (2,))
    assert np.array_equal(found.te_ys, pictures.te_ys)
    last = trunk.structure[-1].pm
    outputs = found.te_xs @ to_host(last['w']) + to_host(last['b'])
    assert np.abs(outputs - to_host(trunk.get_output(pictures.te_xs))).max() < 1e-4
    halved = FeatureDataset(trunk, pictures, lambda rows: rows / 2, progress=False)
    assert np.abs(halved.te_xs - features(trunk, pictures.te_xs[:] / 2)).max() < 1e-5
    with pytest.raises(ConfigError, match=r'takes a batch \[n, 8, 8, 3\]'):
        features(trunk, np.zeros((2, 4, 4, 3)))


def test_prepared_pictures_are_made_ready_when_drawn():
    pictures = Pictures()
    ready = PreparedPictures(pictures, 'cifar_raw')
    assert ready.input_shape == (32, 32, 3)
    assert np.array_equal(ready.te_xs[1:3], prepare('cifar_raw', pictures.te_xs[1:3].astype(np.uint8)))
    ready.shuffle_train_data(10)
    x, y = ready.get_train_data(5, 1)
    rows = ready.indices[5:10]
    assert np.array_equal(x, prepare('cifar_raw', pictures.tr_xs[rows].astype(np.uint8)))
    assert np.array_equal(y, pictures.tr_ys[rows])
    pictures.augment = lambda x: x[:, ::-1]
    turned = PreparedPictures(pictures, 'cifar_raw')
    assert np.array_equal(turned.tr_xs[:4], prepare('cifar_raw', pictures.tr_xs[:4][:, ::-1].astype(np.uint8)))
    assert np.array_equal(turned.te_xs[:4], ready.te_xs[:4])


def test_a_few_pictures_of_each_class():
    pictures = Pictures()
    before_xs, before_ys = pictures.tr_xs[:], pictures.tr_ys
    keep_per_class(pictures, 3)
    assert pictures.tr_ys.sum(axis=0).tolist() == [3, 3]
    first = np.sort(np.concatenate([np.flatnonzero(before_ys[:, n])[:3] for n in (0, 1)]))
    assert np.array_equal(pictures.tr_xs[:], before_xs[first])
    assert pictures.train_count == 6
    with pytest.raises(ConfigError, match='4 training pictures a class asked for, dark has 3'):
        keep_per_class(pictures, 4)


def test_a_side_head_above_frozen_layers_still_learns():
    side = ['auxiliary', ['global_avg']]
    model = build([TRUNK[0], side, ['max', {'stride': 2}], TRUNK[3], ['global_avg']], 2, Pictures())
    model.freeze(1)
    before = {name: to_host(values).copy() for name, values, _ in model.parameters.items()}
    model.train(1, 10, 0.01)
    moved = [name for name, values, _ in model.parameters.items() if (to_host(values) != before[name]).any()]
    assert moved == ['hidden.1.pms.1.w', 'hidden.1.pms.1.b', 'hidden.3.k', 'output.w', 'output.b']


def test_a_head_is_trained_alone_and_then_with_the_layers_below(monkeypatch):
    """The head that was trained on features is the end of the model, which begins as the trunk does."""
    trunk = build(TRUNK, 10)
    monkeypatch.setattr(transfer, 'pretrained', lambda name: trunk)
    heads = []
    monkeypatch.setattr(
        transfer, 'CnnNetModel', lambda *args, **options: heads.append(CnnNetModel(*args, **options)) or heads[-1]
    )
    rng.seed(1)
    layers = [['serial', *TRUNK], ['batch_normal', {'rescale': False}]]
    model = transfer.FineTunedModel('m', Pictures(), layers, start='trunk', up_to='layer 1 > serial', head_epochs=3)
    (head,) = heads
    assert head.history.settings['epoch_count'] == 3
    x = Pictures().te_xs[:]
    inputs = features(trunk, x)
    assert np.abs(to_host(head.get_output(inputs)) - to_host(model.get_output(x))).max() < 1e-4
    assert model.frozen_count == model.parameters.count - head.parameters.count
