"""Models of the classical networks that run: what their blocks do, and how `make` makes them."""

import numpy as np
import pytest

from chapters.ch10_cnn_net import CnnNetModel
from chapters.nets import arithmetic, catalogue
from chapters.nets.catalogue import NETWORKS, make
from chapters.structure import layers
from data import DummyDataset
from mathlib import rng
from mathlib.backend import to_device, to_host
from mathlib.errors import ConfigError


def small(hconfigs, shape, outputs, **options):
    """A model of a few layers that can run."""
    rng.seed(1234)
    return CnnNetModel('small', DummyDataset('pictures', 'select', shape, [outputs]), hconfigs, **options)


# Blocks that run


def test_a_shortcut_without_weights_takes_every_second_pixel_and_zeros():
    model = small(
        [['custom', {'name': 'res_two_halved', 'args': {'#n': 6}}], ['global_avg']], [8, 8, 3], 6, head='none'
    )
    model.parameters.values[...] = 0
    x = np.random.RandomState(5).normal(size=(2, 8, 8, 3)).astype(model.parameters.values.dtype)
    y, _ = model.forward_neuralnet(to_device(x))
    expected = np.maximum(x[:, ::2, ::2], 0).mean(axis=(1, 2))
    np.testing.assert_allclose(to_host(y), np.concatenate([expected, np.zeros((2, 3))], axis=1), rtol=1e-5)


def test_a_module_is_scaled_before_it_is_added():
    args = {'#a': 4, '#b': 4, '#chn': 3, '#rescale': True}
    model = small([['custom', {'name': 'ires_35', 'args': args}], ['global_avg']], [5, 5, 3], 3, head='none')
    model.parameters.values[...] = 0
    layers(model.structure)[-3][1].pm['b'][...] = 2
    x = np.random.RandomState(5).normal(size=(2, 5, 5, 3)).astype(model.parameters.values.dtype)
    y, _ = model.forward_neuralnet(to_device(x))
    np.testing.assert_allclose(to_host(y), np.maximum(x + 0.17 * 2, 0).mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize('name', ['lenet_5', 'lenet_keras', 'nin_cifar', 'resnet_20', 'preact_resnet_20'])
def test_every_parameter_has_a_part_in_the_answer(name):
    rng.seed(1234)
    model = make(name)
    assert model.parameters.count == NETWORKS[name].parameters
    pictures = np.random.RandomState(3).normal(size=(2, *NETWORKS[name].input_shape))
    loss, output = model.compute_gradients(to_device(pictures), to_device(np.eye(10)[[3, 7]]))
    assert output.shape == (2, 10)
    assert np.isfinite(float(loss))
    assert [name for name, _, gradient in model.parameters.items() if not float(abs(gradient).max()) > 0] == []


# Making models


def test_for_a_dataset_of_other_classes():
    dataset = DummyDataset('mine', 'select', [32, 32, 3], [7])
    assert make('nin_cifar', dataset).structure[-1].output_shape == (7,)
    assert make('nin_cifar', classes=4).structure[-1].output_shape == (4,)
    model = make('resnet_20', DummyDataset('mine', 'select', [48, 40, 3], [7]))
    assert model.structure[-1].pm['w'].shape == (64, 7)
    assert NETWORKS['nin_cifar'].hconfigs == ['custom', {'name': 'nin_cifar', 'args': {'#classes': 10}}]


def test_options_and_arguments():
    model = make('resnet_8', epsilon=0.5, label_smoothing=0.1)
    assert (model.epsilon, model.label_smoothing) == (0.5, 0.1)
    assert make('resnet_8').epsilon == 1e-3
    hconfigs = catalogue.hconfigs_of(NETWORKS['inception_v3_bn'], 1000, {'#rescale': True})
    assert hconfigs == ['custom', {'name': 'inception_v3_bn', 'args': {'#rescale': True, '#outside': False}}]


@pytest.mark.parametrize(
    'call, words',
    [
        (lambda: make('resnet-50'), "no network 'resnet-50'.*did you mean 'resnet_50'"),
        (lambda: make('resnet_20', optimiser='sgd'), "no option 'optimiser'; did you mean 'optimizer'"),
        (lambda: make('resnet_20', zzz=1), "no option 'zzz': expected show_maps, .*clip_norm"),
        (lambda: make('nin_cifar', DummyDataset('mine', 'select', [32, 32, 3], [7]), 8), 'classes is 8.*mine has 7'),
        (lambda: make('resnet_20', classes=0), 'classes is 0: expected a whole number above 0'),
        (lambda: make('resnet_20', args={'#n': 3}), 'no use for #n'),
        (lambda: make('nin', DummyDataset('mine', 'select', [28, 28, 1], [10])), 'nin'),
    ],
)
def test_mistakes_are_told(call, words):
    with pytest.raises(ConfigError, match=words):
        call()


def test_a_way_of_7_by_1_and_1_by_7_sees_as_much_as_7_by_7():
    line = [['conv', {'ksize': [1, 7], 'chn': 2, 'padding': 0}], ['conv', {'ksize': [7, 1], 'chn': 2, 'padding': 0}]]
    seen = arithmetic.receptive_field(small(line, [9, 9, 1], 3).structure)
    assert [each[1:] for each in seen] == [(7, 1), (7, 1), (9, 0)]
