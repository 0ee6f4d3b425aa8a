"""Weights in the form in which they are published: other names, full layers as convolutions, other networks."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from chapters import CnnNetModel, import_weights, pretrained
from chapters.__main__ import main
from chapters.classify import classify
from chapters.layouts import find_slots
from chapters.nets.catalogue import NETWORKS, make
from chapters.weightfiles import WeightsError
from chapters.weights import named_arrays
from data import DummyDataset
from data.fetch.weights import WEIGHTS
from mathlib import settings
from mathlib.backend import to_host
from mathlib.errors import ConfigError

POOL = ['max', {'ksize': 2, 'stride': 2}]
WORDS = {'kernel': 'weight', 'scale': 'weight', 'shift': 'bias', 'mavg': 'running_mean', 'mvar': 'running_var'}


def conv(chn):
    return ['conv', {'ksize': 3, 'chn': chn}]


# As many layers of each kind as in the network of that name, and few channels.
NARROW = {
    'alexnet_owt': [*map(conv, (2, 2, 3, 3, 2)), POOL, ['full', {'width': 5}], ['full', {'width': 4}]],
    'vgg_16': [*map(conv, [2] * 13), POOL, ['full', {'width': 5}], ['full', {'width': 4}]],
}


def narrow(name, **_):
    return CnnNetModel(name, DummyDataset('shapes', 'select', [6, 4, 3], [3]), NARROW[name])


def as_torchvision(model, whole=False):
    """The arrays of a model as PyTorch has them. whole: full layers as convolutions over the whole of their maps."""
    arrays = {}
    for slot in find_slots(model, NETWORKS[model.name].published()):
        array = np.array(to_host(slot.array))
        if slot.role == 'kernel' and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif slot.role == 'kernel':
            *sides, channels = slot.places
            array = array.reshape(*(sides or (1, 1)), channels, -1).transpose(3, 2, 0, 1)
            array = array if whole else array.reshape(len(array), -1)
        arrays[f'{slot.prefix}.{WORDS.get(slot.role, slot.role)}'] = np.ascontiguousarray(array)
    return arrays


def as_fetched(arrays, folder):
    """Arrays under the names of the file that `python -m data fetch weights` brings."""
    there = {
        f'{theirs}.{word}': f'{their}.{word}'
        for their, theirs in WEIGHTS[folder].renamed
        for word in ('weight', 'bias')
    }
    return {there.get(name, name): array for name, array in arrays.items()}


def content(model):
    return {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}


def same(one, other):
    """Whether two models hold the same numbers."""
    other = content(other)
    return all(np.array_equal(array, other[name]) for name, array in content(one).items())


@pytest.mark.parametrize('whole', [False, True])
@pytest.mark.parametrize('fetched', [False, True])
@pytest.mark.parametrize(('folder', 'name'), [('alexnet', 'alexnet_owt'), ('vgg16', 'vgg_16')])
def test_names_of_both_kinds_and_full_layers_of_both_shapes(folder, name, fetched, whole):
    first, second = narrow(name), narrow(name)
    theirs = as_torchvision(first, whole)
    report = import_weights(second, as_fetched(theirs, folder) if fetched else theirs)
    assert same(first, second)
    assert len(report.rows) == len(theirs)
    assert second.prepare == 'imagenet'


def test_the_shapes_of_the_published_full_layers():
    """[4096, 512, 7, 7] and [4096, 4096, 1, 1], in small; the head is an array of two axes."""
    model = narrow('vgg_16')
    theirs = as_fetched(as_torchvision(model, whole=True), 'vgg16')
    assert theirs['pre_logits.fc1.weight'].shape == (5, 2, 3, 2)
    assert theirs['pre_logits.fc2.weight'].shape == (4, 5, 1, 1)
    theirs['head.fc.weight'] = theirs['head.fc.weight'].reshape(3, 4)
    other = narrow('vgg_16')
    import_weights(other, theirs)
    assert same(model, other)
    fc1 = to_host(other.pm_hiddens[14]['w'])
    assert fc1[(2 * 2 + 1) * 2 + 1, 4] == theirs['pre_logits.fc1.weight'][4, 1, 2, 1]


@pytest.mark.parametrize('shape', [(5, 2, 2, 3), (5, 12, 1, 1), (5, 3, 2, 2), (5, 2, 6)])
def test_a_convolution_over_other_maps_is_refused(shape):
    model = narrow('vgg_16')
    theirs = as_torchvision(model) | {'classifier.0.weight': np.ones(shape, 'float32')}
    before = content(model)
    with pytest.raises(WeightsError, match=r'classifier.0.weight is \[5, .*\], but .* takes \[5, 12\]'):
        import_weights(model, theirs)
    assert all(np.array_equal(array, before[name]) for name, array in content(model).items())


def test_a_layer_under_both_names_is_refused():
    theirs = as_torchvision(narrow('vgg_16'))
    with pytest.raises(WeightsError, match='no place for: head.fc.bias'):
        import_weights(narrow('vgg_16'), {**theirs, 'head.fc.bias': np.ones(3, 'float32')})


def test_other_names_are_only_known_where_the_names_are_those_of_the_catalogue():
    model = narrow('vgg_16')
    theirs = as_fetched(as_torchvision(model), 'vgg16')
    with pytest.raises(WeightsError, match=r'no classifier.0.weight'):
        import_weights(model, theirs, names=NETWORKS['vgg_16'].published())


def test_pretrained_takes_the_fetched_file(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'data_dir', tmp_path)
    monkeypatch.setattr(pretrained, 'make', narrow)
    for folder, name in (('alexnet', 'alexnet_owt'), ('vgg16', 'vgg_16')):
        place = tmp_path / 'weights' / folder / 'model.safetensors'
        place.parent.mkdir(parents=True)
        model = narrow(name)
        save_file(as_fetched(as_torchvision(model, whole=folder == 'vgg16'), folder), place)
        loaded = pretrained.pretrained(name)
        assert same(loaded, model)
        assert loaded.prepare == 'imagenet'
    with pytest.raises(ConfigError, match='lenet_5: no published weights are known here'):
        pretrained.pretrained('lenet_5')


def test_every_fetched_network_has_a_place_in_the_catalogue():
    for folder, published in WEIGHTS.items():
        names = {name for pair in NETWORKS[published.network].published() for name in pair}
        assert {theirs for _, theirs in published.renamed} <= names
        assert pretrained.FILES[published.network] == (folder, 'model.safetensors')
        assert NETWORKS[published.network].prepare


def test_the_fetched_googlenet_classifies_pictures_from_minus_one_to_one(tmp_path, capsys):
    model = make('googlenet_bn')
    save_file(as_fetched(as_torchvision(model), 'googlenet'), tmp_path / 'model.safetensors')
    pixels = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'photo.png')
    command = ['--net', 'googlenet_bn', '--weights', str(tmp_path / 'model.safetensors'), '--top', '1']
    assert main(['classify', str(tmp_path / 'photo.png'), *command]) == 0
    ((name, share),) = classify(model, pixels[16:240, 16:240] / np.float32(127.5) - 1, top=1)
    assert capsys.readouterr().out.splitlines()[1] == f'  {100 * share:5.1f} %  {name}'


def test_weights_of_keras_want_other_pictures():
    """Keras has VGG-16 as its authors published it in Caffe."""
    model = narrow('vgg_16')
    theirs = {}
    for slot in find_slots(model, NETWORKS['vgg_16'].keras()):
        theirs[f'{slot.prefix}/{slot.role}'] = np.array(to_host(slot.array))
    import_weights(model, theirs)
    assert model.prepare == 'vgg_caffe'


# ---- weights of another network


def test_another_network_is_told_by_its_name_and_its_first_differences():
    model = make('resnet_20')
    with pytest.raises(WeightsError, match='does not fit resnet_20, which is as it was') as problem:
        import_weights(model, as_torchvision(make('resnet_18')))
    told = str(problem.value).splitlines()[1:]
    assert told[0].startswith('  this is another network: ')
    assert told[0].endswith(' arrays of resnet_20 are in it, in the right shape; its names are those of resnet_18')
    assert told[1] == '  the first differences:'
    assert told[2] == '    conv1.weight is [64, 3, 7, 7], but 1: conv kernel takes [16, 3, 3, 3]'
    assert len(told) == 6
    assert told[5].startswith('    and ')


def test_a_network_that_begins_like_another_is_told():
    with pytest.raises(WeightsError, match='its names are those of resnet_32') as problem:
        import_weights(make('resnet_20'), as_torchvision(make('resnet_32')))
    told = str(problem.value).splitlines()
    assert told[1].startswith('  this is another network: 97 of the 97 arrays of resnet_20 are in it')
    assert told[3] == '    layer1.3.conv1.weight has no place in the model'
    assert len(told) == 8


def test_the_names_of_a_file_in_another_layout_are_told():
    with pytest.raises(WeightsError, match="it knows layout='keras'; the names in the dict .* are those of resnet_20$"):
        import_weights(make('resnet_8'), as_torchvision(make('resnet_20')))


def test_an_optimiser_starts_anew_with_other_numbers():
    model = narrow('vgg_16')
    model.parameters.begin()
    model.parameters.complete()
    model.adam.update(model.parameters, 0.001)
    assert model.adam.step == 1
    import_weights(model, as_torchvision(narrow('vgg_16')))
    assert (model.adam.step, model.adam.s, model.adam.t) == (0, None, None)
