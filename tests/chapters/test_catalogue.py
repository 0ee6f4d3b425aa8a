"""The classical networks: shapes from the tables of their papers, counts of papers and libraries, names of weights."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from chapters import ch05_mlp_model, nets
from chapters.ch10_cnn_net import CnnNetModel
from chapters.nets import arithmetic, catalogue, squeezenet
from chapters.nets.catalogue import NETWORKS, make
from chapters.structure import layers, parts, walk, weights

FULL = '4096 1000'
VGG = '112x112x64 56x56x128 28x28x256 14x14x512 7x7x512'
V3 = '35x35x288 17x17x768 8x8x1280 8x8x2048 2048 1000'
# What comes out of the parts of each network, one after the other; a shape that stays is written once.
SHAPES = {
    'lenet_5': '28x28x6 14x14x6 10x10x16 5x5x16 120 84 10',
    'lenet_keras': '24x24x20 12x12x20 8x8x50 4x4x50 500 10',
    'alexnet': f'55x55x96 27x27x96 27x27x256 13x13x256 13x13x384 13x13x256 6x6x256 {FULL}',
    'alexnet_towers': f'55x55x96 27x27x96 27x27x256 13x13x256 13x13x384 13x13x256 6x6x256 {FULL}',
    'alexnet_owt': f'55x55x64 27x27x64 27x27x192 13x13x192 13x13x384 13x13x256 6x6x256 {FULL}',
    'vgg_16': f'{VGG} {FULL}',
    'vgg_19': f'{VGG} {FULL}',
    'nin': '54x54x96 27x27x96 27x27x256 13x13x256 13x13x384 6x6x384 6x6x1024 6x6x1000 1000',
    'nin_cifar': '32x32x192 32x32x160 32x32x96 16x16x96 16x16x192 8x8x192 8x8x10 10',
    'squeezenet': '13x13x512 15x15x1000 1000',
    'squeezenet_features': '13x13x512 512 1000',
    'googlenet': '112x112x64 56x56x64 56x56x192 28x28x192 28x28x256 28x28x480 14x14x480 14x14x512 14x14x528 14x14x832 '
    '7x7x832 7x7x1024 1024 1000',
    'inception_v2': f'147x147x64 73x73x64 71x71x80 35x35x192 {V3}',
    'inception_v3_bn': f'71x71x192 35x35x192 35x35x256 {V3}',
    'inception_v3_auxiliary': f'71x71x192 35x35x192 35x35x256 {V3}',
    'inception_v4': '35x35x384 17x17x1024 8x8x1536 1536 1000',
    'inception_resnet_v1': '71x71x192 35x35x256 17x17x896 8x8x1792 1792 1000',
    'inception_resnet_v2': '71x71x192 35x35x192 35x35x320 17x17x1088 8x8x2080 8x8x1536 1536 1000',
    'resnet_8': '32x32x16 16x16x32 8x8x64 64 10',
}
SHAPES['googlenet_bn'] = SHAPES['googlenet']
for depth in (18, 34):
    SHAPES[f'resnet_{depth}'] = '112x112x64 56x56x64 28x28x128 14x14x256 7x7x512 512 1000'
for depth in ('50', '101', '152', '50_paper', '101_paper', '152_paper'):
    SHAPES[f'resnet_{depth}'] = '112x112x64 56x56x64 56x56x256 28x28x512 14x14x1024 7x7x2048 2048 1000'
for depth in (20, 32, 44, 56, 110):
    SHAPES[f'resnet_{depth}'] = '32x32x16 16x16x32 8x8x64 64 10'
for depth in (20, 56, 110):
    SHAPES[f'preact_resnet_{depth}'] = '32x32x16 16x16x32 8x8x64 64 10'
for depth in (164, 1001):
    SHAPES[f'preact_resnet_{depth}'] = '32x32x16 32x32x64 16x16x128 8x8x256 256 10'


class Shapes(CnnNetModel):
    """A model whose weights take no memory: all of them are the same zero."""

    def alloc_param_pair(self, shape):
        return np.broadcast_to(np.zeros(()), shape), np.broadcast_to(np.zeros(()), shape[-1:])


@pytest.fixture(scope='module')
def built():
    """A function: name -> a network that can be looked at but not run, each built once."""
    models = {}

    def get(name):
        if name not in models:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ch05_mlp_model, 'ParameterStore', lambda tree: SimpleNamespace(count=0))
                patch.setattr(catalogue, 'CnnNetModel', Shapes)
                models[name] = make(name)
        return models[name]

    return get


def inside(model):
    """The parts of a network's macro: those of its serial."""
    network, _ = model.structure
    (line,) = parts(network)
    return parts(line)


def written(shapes):
    """Shapes in the form of SHAPES."""
    words = ['x'.join(map(str, shape)) for shape in shapes]
    return ' '.join(word for n, word in enumerate(words) if n == 0 or word != words[n - 1])


def learners(model):
    """The Placed layers that have parameters, in order."""
    return [placed for _, placed in layers(model.structure) if weights(placed.pm)]


def plain(model, kind):
    """All Layers of one type, in order."""
    return [placed.layer for _, _, placed in walk(model.structure) if placed.layer.type == kind]


def test_every_network_has_its_shapes_here():
    assert SHAPES.keys() == NETWORKS.keys()


@pytest.mark.parametrize('name', NETWORKS)
def test_the_shapes_are_those_of_the_paper(built, name):
    model = built(name)
    assert model.dataset.input_shape == NETWORKS[name].input_shape
    shapes = [placed.output_shape for placed in inside(model)]
    assert written([*shapes, model.structure[-1].output_shape]) == SHAPES[name]


# Where the paper or libraries give all digits, these stand in the catalogue; else what is known of them.
# The paper and its successors speak of less than 25 million and of about the cost of Inception-v3.
ROUNDED = {'inception_v2': (20e6, 25e6), 'inception_resnet_v1': (20e6, 25e6)}


@pytest.mark.parametrize('name', NETWORKS)
def test_the_count_of_parameters(built, name):
    counted, stated = arithmetic.totals(built(name).structure).parameters, NETWORKS[name].parameters
    if stated is None:
        least, most = ROUNDED[name]
        assert least < counted < most
    else:
        assert counted == stated


@pytest.mark.parametrize('name, heads', [('googlenet', 6_998_552), ('googlenet_bn', 6_624_904)])
def test_a_googlenet_without_its_heads(built, name, heads):
    rows = [placed for _, _, placed in walk(built(name).structure) if placed.layer.type == 'auxiliary']
    learned = sum(arithmetic.totals(parts(row)).parameters for row in rows)
    assert NETWORKS[name].parameters - learned == heads
    assert [row.layer['weight'] for row in rows] == [0.3, 0.3]
    shapes = [[part.output_shape for part in parts(row)] for row in rows]
    assert shapes == [[(4, 4, channels), (4, 4, 128), (1024,), (1024,), (1000,)] for channels in (512, 528)]


def test_the_head_of_inception_v3(built):
    model = built('inception_v3_auxiliary')
    (row,) = [placed for _, _, placed in walk(model.structure) if placed.layer.type == 'auxiliary']
    assert [part.output_shape for part in parts(row)] == [(5, 5, 768), (5, 5, 128), (1, 1, 768), (768,), (1000,)]
    assert arithmetic.totals(parts(row)).parameters == 98_560 + 2_459_136 + 769_000


@pytest.mark.parametrize('name', [name for name in NETWORKS if name not in ('lenet_5', 'inception_v2')])
def test_the_longest_way_has_as_many_layers_as_the_name_says(built, name):
    counted = NETWORKS[name].layers
    if counted is not None:
        assert arithmetic.depth(built(name).structure) == counted


@pytest.mark.parametrize('name, layers_in_all', [('lenet_5', 5), ('inception_v2', 46), ('inception_v3_bn', 48)])
def test_the_longest_way_where_the_paper_counts_otherwise_or_not(built, name, layers_in_all):
    assert arithmetic.depth(built(name).structure) == layers_in_all


# Names of weights


@pytest.mark.parametrize('kind', ['published', 'keras'])
@pytest.mark.parametrize('name', NETWORKS)
def test_there_is_a_pair_of_names_for_each_layer(built, name, kind):
    names = getattr(NETWORKS[name], kind)
    if names is None:
        return
    pairs, placed = names(), learners(built(name))
    assert len(pairs) == len(placed)
    assert [norm is not None for _, norm in pairs] == ['bn' in each.pm for each in placed]
    used = [word for pair in pairs for word in pair if word is not None]
    assert len(set(used)) == len(used)


@pytest.mark.parametrize(
    'name, kind, place, pair, kernel',
    [
        ('alexnet_owt', 'published', 4, ('features.10', None), (3, 3, 256, 256)),
        ('vgg_16', 'published', 12, ('features.28', None), (3, 3, 512, 512)),
        ('vgg_16', 'published', -1, ('classifier.6', None), (4096, 1000)),
        ('vgg_19', 'keras', 15, ('block5_conv4', None), (3, 3, 512, 512)),
        ('googlenet', 'published', 3, ('inception_3a/1x1', None), (1, 1, 192, 64)),
        ('googlenet_bn', 'published', 7, ('inception3a.branch3.1.conv', 'inception3a.branch3.1.bn'), (3, 3, 16, 32)),
        ('googlenet_bn', 'published', 21, ('aux1.conv.conv', 'aux1.conv.bn'), (1, 1, 512, 128)),
        ('inception_v3_bn', 'published', 4, ('Conv2d_4a_3x3.conv', 'Conv2d_4a_3x3.bn'), (3, 3, 80, 192)),
        (
            'inception_v3_bn',
            'published',
            32,
            ('Mixed_6b.branch7x7_2.conv', 'Mixed_6b.branch7x7_2.bn'),
            (1, 7, 128, 128),
        ),
        ('inception_v3_bn', 'keras', 32, ('conv2d_32', 'batch_normalization_32'), (1, 7, 128, 128)),
        ('inception_v3_auxiliary', 'published', 72, ('AuxLogits.fc', None), (768, 1000)),
        ('inception_v4', 'published', 3, ('features.3.conv.conv', 'features.3.conv.bn'), (3, 3, 64, 96)),
        ('inception_resnet_v2', 'keras', 18, ('block35_1_conv', None), (1, 1, 128, 320)),
        ('inception_resnet_v2', 'keras', 19, ('conv2d_18', 'batch_normalization_18'), (1, 1, 320, 32)),
        ('inception_resnet_v2', 'keras', -2, ('conv_7b', 'conv_7b_bn'), (1, 1, 2080, 1536)),
        ('resnet_18', 'published', 7, ('layer2.0.downsample.0', 'layer2.0.downsample.1'), (1, 1, 64, 128)),
        ('resnet_50', 'published', 4, ('layer1.0.downsample.0', 'layer1.0.downsample.1'), (1, 1, 64, 256)),
        ('resnet_50', 'published', -1, ('fc', None), (2048, 1000)),
        ('resnet_8', 'keras', 5, ('conv2d_5', None), (1, 1, 16, 32)),
        ('resnet_8', 'keras', 6, ('conv2d_6', 'batch_normalization_5'), (3, 3, 32, 64)),
        ('squeezenet', 'published', 3, ('fire2/conv3x3_2', None), (3, 3, 16, 64)),
        ('squeezenet_features', 'published', -1, (None, None), (512, 1000)),
    ],
)
def test_a_name_belongs_to_its_kernel(built, name, kind, place, pair, kernel):
    pm = learners(built(name))[place].pm
    assert getattr(NETWORKS[name], kind)()[place] == pair
    assert pm['k' if 'k' in pm else 'w'].shape == kernel


def test_squeezenet_under_the_names_of_torchvision(built):
    names = squeezenet.torchvision_names()
    assert len(names) == len(learners(built('squeezenet'))) == 26
    assert names[1:4] == [(f'features.3.{part}', None) for part in ('squeeze', 'expand1x1', 'expand3x3')]


# What shapes and counts do not show


def windows_of(model):
    """(type, kernel, step, start) down of every layer with windows, in order."""
    found = [(placed.layer.type, placed.pm.get('state', {}).get('windows')) for _, placed in layers(model.structure)]
    return [(kind, each.rows.kernel, each.rows.step, each.rows.start) for kind, each in found if each is not None]


@pytest.mark.parametrize(
    'name, first',
    [
        ('alexnet', [('conv', 11, 4, 0), ('max', 3, 2, 0), ('conv', 5, 1, -2)]),
        ('alexnet_owt', [('conv', 11, 4, -2), ('max', 3, 2, 0), ('conv', 5, 1, -2)]),
        ('googlenet', [('conv', 7, 2, -3), ('max', 3, 2, 0), ('conv', 1, 1, 0), ('conv', 3, 1, -1)]),
        ('inception_v3_bn', [('conv', 3, 2, 0), ('conv', 3, 1, 0), ('conv', 3, 1, -1), ('max', 3, 2, 0)]),
        ('resnet_50', [('conv', 7, 2, -3), ('max', 3, 2, -1), ('conv', 1, 1, 0)]),
        ('squeezenet', [('conv', 7, 2, 0), ('max', 3, 2, 0), ('conv', 1, 1, 0)]),
        ('vgg_16', [('conv', 3, 1, -1), ('conv', 3, 1, -1), ('max', 2, 2, 0)]),
    ],
)
def test_windows_of_the_stem(built, name, first):
    assert windows_of(built(name))[: len(first)] == first


def test_where_a_bottleneck_halves_the_sides(built):
    strides = {
        name: [row[1:3] for row in windows_of(built(name)) if row[0] == 'conv' and row[2] == 2]
        for name in ('resnet_50', 'resnet_50_paper')
    }
    assert strides['resnet_50'] == [(7, 2), *[(3, 2), (1, 2)] * 3]
    assert strides['resnet_50_paper'] == [(7, 2), *[(1, 2), (1, 2)] * 3]


def test_resnet_8_pads_below_and_on_the_right(built):
    model = built('resnet_8')
    assert [row for row in windows_of(model) if row[2] == 2] == [('conv', 3, 2, 0), ('conv', 1, 2, 0)] * 2
    assert all('b' in placed.pm for placed in learners(model))


@pytest.mark.parametrize(
    'name, actions',
    [
        ('alexnet', {'LA'}),
        ('googlenet', {'LA'}),
        ('googlenet_bn', {'LBA'}),
        ('inception_v3_bn', {'LBA'}),
        ('inception_resnet_v2', {'LBA', 'L'}),
        ('resnet_50', {'LBA', 'LB'}),
        ('resnet_20', {'LBA', 'LB'}),
        ('preact_resnet_20', {'BAL', 'L'}),
        ('preact_resnet_164', {'BAL', 'L'}),
    ],
)
def test_the_order_of_actions(built, name, actions):
    convs = plain(built(name), 'conv')
    assert {layer['actions'] for layer in convs} == actions
    assert all(layer['bias'] for layer in convs) == (actions == {'LA'})


@pytest.mark.parametrize('name, learned', [('inception_v3_bn', {'shift'}), ('inception_v4', {'scale', 'shift'})])
def test_what_a_normalisation_learns(built, name, learned):
    norms = [placed.pm['bn'] for placed in learners(built(name)) if 'bn' in placed.pm]
    assert {frozenset(norm.keys() - {'state'}) for norm in norms} == {frozenset(learned)}
    assert {norm['state']['hconfig']['epsilon'] for norm in norms} == {1e-3}


@pytest.mark.parametrize('name, counted', [('inception_v3_bn', False), ('inception_v3_auxiliary', True)])
def test_averages_in_the_modules(built, name, counted):
    averages = [layer for layer in plain(built(name), 'avg') if layer['stride'] == (1, 1)]
    assert [(layer['ksize'], layer['padding'], layer['count_outside']) for layer in averages] == [
        ((3, 3), 1, counted)
    ] * 9


@pytest.mark.parametrize(
    'name, kept',
    [
        ('alexnet', [0.5, 0.5]),
        ('alexnet_owt', [0.5, 0.5]),
        ('vgg_16', [0.5, 0.5]),
        ('googlenet', [0.3, 0.3, 0.6]),
        ('googlenet_bn', [0.3, 0.3, 0.8]),
        ('inception_v4', [0.8]),
        ('squeezenet', [0.5]),
    ],
)
def test_dropout(built, name, kept):
    assert [layer['keep_prob'] for layer in plain(built(name), 'dropout')] == kept


def test_normalisation_across_channels(built):
    found = {name: [dict(layer.options) for layer in plain(built(name), 'lrn')] for name in ('alexnet', 'googlenet')}
    assert found['alexnet'] == [{'size': 5, 'alpha': 1e-4, 'beta': 0.75, 'k': 2.0}] * 2
    assert found['googlenet'] == [{'size': 5, 'alpha': 2e-5, 'beta': 0.75, 'k': 1.0}] * 2


def test_residual_scaling(built):
    sums = plain(built('inception_resnet_v2'), 'add')
    assert [layer['scale'] for layer in sums] == [0.17] * 10 + [0.1] * 20 + [0.2] * 9 + [1.0]
    assert [layer['actions'] for layer in sums] == ['A'] * 39 + ['']


def test_groups_of_the_two_towers(built):
    assert [layer['groups'] for layer in plain(built('alexnet_towers'), 'conv')] == [1, 2, 1, 2, 2]


def test_no_two_families_have_a_macro_of_the_same_name():
    families = dict.fromkeys((*nets.BOOK, *nets.CLASSICAL))
    assert sum(len(family.MACROS) for family in families) == len(nets.MACROS)
    assert nets.MACROS.keys() >= NETWORKS.keys()


# Arithmetic


def test_the_receptive_fields_of_vgg_16(built):
    seen = [each for each in arithmetic.receptive_field(built('vgg_16').structure) if 'dropout' not in each.path]
    sizes = [3, 5, 6, 10, 14, 16, 24, 32, 40, 44, 60, 76, 92, 100, 132, 164, 196, 212]
    assert [each.size for each in seen] == [*sizes, *[212 + 6 * 32] * 3]
    assert [each.jump for each in seen] == [1, 1, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16, 32, 0, 0, 0]


@pytest.mark.parametrize(
    'name, size, jump',
    [
        ('alexnet_owt', 195, 32),
        ('resnet_50_paper', 483, 32),
        ('resnet_101_paper', 1027, 32),
        ('resnet_152_paper', 1507, 32),
        ('inception_v3_bn', 1311, 32),
        ('inception_resnet_v2', 3039, 32),
    ],
)
def test_the_receptive_field_of_the_last_maps(built, name, size, jump):
    """The sizes that Araujo, Norris and Sim 2019 give for these networks."""
    seen = [each for each in arithmetic.receptive_field(built(name).structure) if each.jump]
    assert seen[-1][1:] == (size, jump)


@pytest.mark.parametrize(
    'name, products',
    [
        ('alexnet_owt', 0.714),
        ('vgg_16', 15.470),
        ('vgg_19', 19.632),
        ('googlenet_bn', 1.498),
        ('inception_v3_auxiliary', 5.713),
        ('resnet_18', 1.814),
        ('resnet_34', 3.664),
        ('resnet_50', 4.089),
        ('resnet_101', 7.801),
        ('resnet_152', 11.514),
    ],
)
def test_products_of_one_picture_without_the_heads(built, name, products):
    """Thousand millions of products, as torchvision states them for its models."""
    assert round(arithmetic.totals(built(name).structure).products / 1e9, 3) == products


def test_totals_count_heads_and_shortcuts(built):
    assert arithmetic.totals(built('googlenet').structure)[:2] == (64, 13_378_280)
    assert arithmetic.totals(built('resnet_18').structure)[:2] == (21, 11_689_512)


def test_the_costs_of_each_layer(built):
    rows = arithmetic.costs(built('lenet_5').structure)
    found = [(row.number, row.placed.layer.type, row.parameters, row.products) for row in rows]
    assert found == [
        (1, 'conv', 156, 28 * 28 * 150),
        (2, 'avg', 0, 0),
        (3, 'conv', 2416, 10 * 10 * 2400),
        (4, 'avg', 0, 0),
        (5, 'full', 48_120, 48_000),
        (6, 'full', 10_164, 10_080),
        (7, 'full', 850, 840),
    ]
    assert sum(math.prod(array.shape) for row in rows for array in weights(row.placed.pm)) == 61_706
