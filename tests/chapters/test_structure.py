"""The layers as a tree: who is inside whom, in which order, and what is counted."""

import math

import pytest

from chapters import CnnBasicModel, CnnExtModel, MlpModel
from chapters.structure import (
    dump_lines,
    first_learners,
    kept_arrays,
    layers,
    learns,
    parts,
    products_a_row,
    walk,
    weights,
)
from data import DummyDataset


@pytest.fixture(autouse=True)
def own_macros(monkeypatch):
    """One macro, of the tests."""
    monkeypatch.setattr(CnnExtModel, 'macros', {'block': ['serial', conv(2), ['max', {'stride': 2}]]})


def conv(chn, **options):
    """A 3x3 convolution as it is written."""
    return ['conv', {'ksize': 3, 'chn': chn, **options}]


def build(*hconfigs, shape=(4, 6, 2), cls=CnnExtModel):
    """A model for three classes."""
    return cls('m', DummyDataset('pictures', 'select', shape, [3]), list(hconfigs))


BLOCK = ['custom', {'name': 'block'}]
NESTED = [
    ['parallel', ['add', {'actions': 'B'}, conv(2), conv(1)], ['loop', {'repeat': 2}, ['serial', conv(3)]]],
    BLOCK,
    7,
]


def test_parts_are_what_lies_inside():
    parallel, custom, full, output = build(*NESTED).structure
    assert [part.layer.type for part in parts(parallel)] == ['add', 'loop']
    add, loop = parts(parallel)
    assert [part.layer.path for part in parts(add)] == [
        'layer 1 > parallel > branch 1 > add > branch 1 > conv',
        'layer 1 > parallel > branch 1 > add > branch 2 > conv',
    ]
    # One for each turn, with parameters of its own.
    assert [part.input_shape for part in parts(loop)] == [(4, 6, 2), (4, 6, 3)]
    assert parts(loop)[0].layer is parts(loop)[1].layer
    assert parts(loop)[0].pm is not parts(loop)[1].pm
    (inside,) = parts(custom)
    assert (inside.layer.type, inside.input_shape, inside.output_shape) == ('serial', (4, 6, 5), (2, 3, 2))
    assert parts(full) == parts(output) == ()


def test_walking_goes_into_every_container():
    found = [(number, depth, placed.layer.type) for number, depth, placed in walk(build(*NESTED).structure)]
    assert found == [
        (None, 0, 'parallel'),
        (None, 1, 'add'),
        (1, 2, 'conv'),
        (2, 2, 'conv'),
        (None, 1, 'loop'),
        (None, 2, 'serial'),
        (3, 3, 'conv'),
        (None, 2, 'serial'),
        (4, 3, 'conv'),
        (None, 0, 'custom'),
        (None, 1, 'serial'),
        (5, 2, 'conv'),
        (6, 2, 'max'),
        (7, 0, 'full'),
        (8, 0, 'full'),
    ]


def test_plain_layers_alone_with_their_numbers():
    found = [(number, placed.layer.type) for number, placed in layers(build(*NESTED).structure)]
    assert found == [(n, 'conv') for n in (1, 2, 3, 4, 5)] + [(6, 'max'), (7, 'full'), (8, 'full')]


def test_weights_are_a_layers_own():
    model = build(['add', {'actions': 'B'}, conv(2, actions='LAB')], ['batch_normal'], ['max'])
    add, norm, pool, output = model.structure
    assert [array.shape for array in weights(add.pm)] == [(2,), (2,)]
    assert [array.shape for array in weights(parts(add)[0].pm)] == [(3, 3, 2, 2), (2,)]
    assert [array.shape for array in weights(norm.pm)] == [(2,), (2,)]
    assert weights(pool.pm) == []
    assert [array.shape for array in weights(output.pm)] == [(48, 3), (3,)]
    everything = [array for _, _, placed in walk(model.structure) for array in weights(placed.pm)]
    assert sum(math.prod(array.shape) for array in everything) == len(model.parameters)


def test_products_count_each_kernel_at_each_place():
    # On 4x6 pixels: kernels of 9 x 2 x 2, 9 x 2 x 1, 9 x 2 x 3 and 9 x 3 x 3, then 9 x 5 x 2; halved; and two products.
    kernels = 36 + 18 + 54 + 81 + 90
    assert products_a_row(build(*NESTED).structure) == 24 * kernels + 2 * 3 * 2 * 7 + 7 * 3
    assert products_a_row(build(conv(2, stride=[1, 2], actions='BLA')).structure) == 4 * 3 * 36 + 24 * 3


@pytest.mark.parametrize(
    ('layer', 'expected'), [(['max'], False), (conv(1), True), (['batch_normal'], True), (BLOCK, True)]
)
def test_a_container_learns_if_anything_inside_does(layer, expected):
    for nested in (layer, ['serial', ['avg'], layer], ['loop', ['parallel', ['serial', layer]]]):
        assert learns(build(nested).structure[0].pm) == expected
    assert not learns(build(['batch_normal', {'rescale': False}]).structure[0].pm)
    assert learns(build(['add', {'actions': 'B'}, ['max']]).structure[0].pm)


def firsts(*hconfigs):
    """The paths of the layers that the input reaches before any other that learns."""
    model = build(*hconfigs)
    found = first_learners(model.structure)
    assert model.first_pms == found
    return [placed.layer.path.split(' > ', 1)[-1] for _, _, placed in walk(model.structure) if id(placed.pm) in found]


@pytest.mark.parametrize(
    ('hconfigs', 'expected'),
    [
        ([], ['output layer']),
        ([['max'], ['batch_normal', {'rescale': False}]], ['output layer']),
        ([['avg'], conv(1), conv(1)], ['conv']),
        ([['batch_normal'], conv(1)], ['batch_normal']),
        (
            [['parallel', conv(1), ['serial', ['max'], conv(1), conv(1)]], conv(1)],
            ['parallel > branch 1 > conv', 'parallel > branch 2 > serial > layer 2 > conv'],
        ),
        ([['parallel', ['max'], conv(1)], conv(1)], ['parallel > branch 2 > conv']),
        ([['parallel', ['max'], ['avg']], conv(1)], ['conv']),
        ([['add', {'x': False}, conv(1), conv(1)], conv(1)], ['add > branch 1 > conv', 'add > branch 2 > conv']),
        ([['add', {'actions': 'B'}, ['max']], conv(1)], ['add']),
        ([['loop', {'repeat': 2}, conv(2)], conv(1)], ['loop > conv']),
        ([BLOCK, conv(1)], ['custom block > serial > layer 1 > conv']),
    ],
)
def test_the_first_layers_that_learn(hconfigs, expected):
    assert firsts(*hconfigs) == expected


def test_what_is_kept_without_being_learned():
    net = [conv(2, actions='LB'), ['loop', {'repeat': 2}, ['add', {'actions': 'BA'}, ['batch_normal']]], ['max']]
    model = build(*net)
    found = kept_arrays(model.structure)
    assert [array.shape for array in found] == 10 * [(2,)]
    assert sum(float(array.sum()) for array in found) == 10
    assert len({id(array) for array in found}) == 10
    first = model.pm_hiddens[0]['bn']['state']
    assert {id(first['mavg']), id(first['mvar'])} <= {id(array) for array in found}
    assert kept_arrays(build(conv(2), ['max'], 5).structure) == []


def test_models_of_earlier_chapters_have_a_structure_too():
    model = build(30, 10, shape=(7,), cls=MlpModel)
    assert dump_lines(model) == [
        '1: full, [7]=>[30] pm:7x30+30=240',
        '2: full, [30]=>[10] pm:30x10+10=310',
        '3: full, [10]=>[3] pm:10x3+3=33',
        'Total parameter count: 583',
    ]
    assert [depth for _, depth, _ in walk(build(conv(2), cls=CnnBasicModel).structure)] == [0, 0]


def test_the_dump_counts_kernels_weights_and_biases_alone():
    lines = dump_lines(build(['add', {'actions': 'B'}, ['serial', conv(2, actions='BLA')]], ['batch_normal'], BLOCK))
    assert lines == [
        'add',
        '  serial',
        '    1: conv, [4, 6, 2]=>[4, 6, 2] pm:3x3x2x2+2=38',
        '2: batch_normal, [4, 6, 2]=>[4, 6, 2]',
        'custom block',
        '  serial',
        '    3: conv, [4, 6, 2]=>[4, 6, 2] pm:3x3x2x2+2=38',
        '    4: max, [4, 6, 2]=>[2, 3, 2]',
        '5: full, [2, 3, 2]=>[3] pm:12x3+3=39',
        'Total parameter count: 115',
    ]
