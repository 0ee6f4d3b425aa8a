"""The networks of chapter 9: every line of their dumps, from the tables of channels and sides in papers and book."""

import copy
import math
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest

from chapters import nets
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.structure import dump_lines, walk
from data import DummyDataset
from mathlib import rng
from mathlib.backend import to_device
from mathlib.errors import ConfigError

# Side of the pictures, classes, numbered layers, parameters, as the book prints them.
BOOK = {
    'inception_v3': (299, 200, 110, 32_401_768),
    'inception_flower': (96, 5, 48, 43_885),
    'vgg_19': (224, 1000, 24, 143_667_240),
    'plain_34': (224, 1000, 36, 21_616_232),
    'residual_34': (224, 1000, 39, 21_616_232),
    'bottleneck_152': (224, 1000, 157, 57_344_360),
    'plain_flower': (64, 5, 16, 173_637),
    'residual_flower': (64, 5, 18, 173_637),
    'bottleneck_flower': (64, 5, 24, 189_925),
}
WITHOUT_ARGUMENTS = ('inception_v3', 'vgg_19')


class Page:
    """A dump as it should be, written layer by layer; `shape` is that of the maps that go into the next one.

    Layers are words: '3x3 64', '3x3 64 32' where the side becomes 32, 'max 16', 'avg', 'full 10', 'dropout'.
    """

    def __init__(self, side):
        self.lines, self.depth, self.number, self.total, self.shape = [], 0, 0, 0, (side, side, 3)

    @contextmanager
    def inside(self, *containers):
        """Within containers, one in the other, each with a line of its own."""
        for name in containers:
            self.lines.append('  ' * self.depth + name)
            self.depth += 1
        yield
        self.depth -= len(containers)

    def steps(self, text):
        """Layers one after the other, or a fork into single layers: '3x3 8, 1x3 8 | 3x1 8'."""
        for step in text.split(', '):
            if ' | ' in step:
                self.parallel(*step.split(' | '))
            else:
                kind, *numbers = step.split()
                self.step(kind, *map(int, numbers))

    def step(self, kind, *numbers):
        """One numbered line."""
        inputs, side, weights = self.shape, self.shape[0], ''
        if kind[0].isdigit():
            chn, *sides = numbers
            side, weights, kind = sides[0] if sides else side, f'{kind}x{inputs[-1]}x{chn}', 'conv'
            self.shape = (side, side, chn)
        elif kind == 'full':
            (chn,) = numbers
            weights, self.shape = f'{math.prod(inputs)}x{chn}', (chn,)
        else:
            side = numbers[0] if numbers else side
            self.shape = (side, side, inputs[-1])
        if weights:
            count = math.prod(map(int, weights.split('x'))) + chn
            weights = f' pm:{weights}+{chn}={count}'
            self.total += count
        self.number += 1
        self.lines.append(f'{"  " * self.depth}{self.number}: {kind}, {list(inputs)}=>{list(self.shape)}{weights}')

    def parallel(self, *branches):
        """Branches whose channels are joined; one of several layers is a serial."""
        inputs, channels = self.shape, 0
        with self.inside('parallel'):
            for branch in branches:
                self.shape = inputs
                with self.inside(*['serial'] * (', ' in branch)):
                    self.steps(branch)
                channels += self.shape[-1]
        self.shape = (*self.shape[:-1], channels)

    def add(self, branch, shortcut=None):
        """A sum of a serial branch and the shortcut, a single layer if any; its shape is that of the branch."""
        inputs = self.shape
        with self.inside('add'):
            with self.inside('serial'):
                self.steps(branch)
            outputs, self.shape = self.shape, inputs
            if shortcut:
                self.steps(shortcut)
        self.shape = outputs


def inception_v3(page):
    fork = '1x3 384 | 3x1 384'
    with page.inside('custom v3_preproc', 'serial'):
        page.steps('3x3 32 148, 3x3 32 146, 3x3 64, max 72, 1x1 80, 3x3 192 70, max 34')
    for n in (32, 64, 64):
        with page.inside('custom v3_inception1'):
            page.parallel('1x1 64', '1x1 48, 5x5 64', '1x1 64, 3x3 96, 3x3 96', f'avg, 1x1 {n}')
    with page.inside('custom v3_resize1'):
        page.parallel('3x3 384 17', '1x1 64, 3x3 96, 3x3 96 17', 'max 17')
    for n in (128, 160, 160, 192):
        with page.inside('custom v3_inception2'):
            once, twice = f'1x1 {n}, 1x7 {n}, 7x1 192', f'1x1 {n}, 7x1 {n}, 1x7 {n}, 7x1 {n}, 1x7 192'
            page.parallel('1x1 192', once, twice, 'avg, 1x1 192')
    with page.inside('custom v3_resize2'):
        page.parallel('1x1 192, 3x3 320 8', '1x1 192, 1x7 192, 7x1 192, 3x3 192 8', 'max 8')
    for _ in range(2):
        with page.inside('custom v3_inception3'):
            page.parallel('1x1 320', f'3x3 384, {fork}', f'1x1 448, 3x3 384, {fork}', 'avg, 1x1 192')
    with page.inside('custom v3_postproc', 'serial'):
        page.steps('avg 1, dropout')


def inception_flower(page):
    fork = '1x3 8 | 3x1 8'
    with page.inside('custom flower_preproc', 'serial'):
        page.steps('3x3 6 48')
    for modules, side in ((1, 24), (1, 12), (2, 6), (2, None)):
        with page.inside(f'custom flower_inception{modules}'):
            if modules == 1:
                page.parallel('1x1 4', '3x3 6', '3x3 6, 3x3 6', 'avg, 1x1 4')
            else:
                page.parallel('1x1 8', f'3x3 8, {fork}', f'1x1 8, 3x3 8, {fork}', 'avg, 1x1 8')
        if side:
            with page.inside('custom flower_resize'):
                page.parallel(f'3x3 12 {side}', f'3x3 12, 3x3 12 {side}', f'avg {side}')
    with page.inside('custom flower_postproc', 'serial'):
        page.steps('avg 1, dropout')


def vgg_19(page):
    for convs, chn, side in ((2, 64, 112), (2, 128, 56), (4, 256, 28), (4, 512, 14), (4, 512, 7)):
        with page.inside('custom p24', 'serial'):
            with page.inside('loop'):
                page.steps(', '.join([f'3x3 {chn}'] * convs))
            page.steps(f'max {side}')
    with page.inside('loop'):
        page.steps('full 4096, full 4096')


def plain(page, stem, first, groups):
    """first: how many convs follow the stem; groups: (convs, channels, side) of each group whose first conv halves."""
    page.steps(stem)
    with page.inside('loop'):
        page.steps(', '.join([f'3x3 {page.shape[-1]}'] * first))
    for convs, chn, side in groups:
        with page.inside('custom pn', 'serial'):
            page.steps(f'3x3 {chn} {side}')
            with page.inside('loop'):
                page.steps(', '.join([f'3x3 {chn}'] * (convs - 1)))
    page.steps('avg 1')


def blocks(page, stem, letter, layers, groups):
    """letter: of the macros' names. layers: of a block, with {n}, {n4} and, after the strided one, {side}.

    groups: (blocks, n, side), the first of which keeps the side that it finds.
    """
    page.steps(stem)
    for count, n, side in groups:
        half = page.shape[0] != side
        with page.inside(f'custom {letter}{"half" if half else "full"}', 'serial'):
            if half:
                with page.inside(f'custom {letter}h'):
                    page.add(layers.format(n=n, n4=4 * n, side=side), f'avg {side}')
            with page.inside('loop'):
                for _ in range(count - half):
                    with page.inside(f'custom {letter}f'):
                        page.add(layers.format(n=n, n4=4 * n, side=side))
    page.steps('avg 1')


TWO, BOTTLENECK = '3x3 {n} {side}, 3x3 {n}', '1x1 {n} {side}, 3x3 {n}, 1x1 {n4}'
LARGE, SMALL = '7x7 64 112, max 56', '7x7 16 32, max 16'
WRITERS = {
    'inception_v3': inception_v3,
    'inception_flower': inception_flower,
    'vgg_19': vgg_19,
    'plain_34': lambda page: plain(page, LARGE, 6, [(8, 128, 28), (12, 256, 14), (6, 512, 7)]),
    'residual_34': lambda page: blocks(page, LARGE, 'r', TWO, [(3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)]),
    'bottleneck_152': lambda page: blocks(
        page, LARGE, 'b', BOTTLENECK, [(3, 64, 56), (8, 128, 28), (36, 256, 14), (3, 512, 7)]
    ),
    'plain_flower': lambda page: plain(page, SMALL, 4, [(4, 32, 8), (4, 64, 4)]),
    'residual_flower': lambda page: blocks(page, SMALL, 'r', TWO, [(2, 16, 16), (2, 32, 8), (2, 64, 4)]),
    'bottleneck_flower': lambda page: blocks(page, SMALL, 'b', BOTTLENECK, [(1, 16, 16), (3, 32, 8), (2, 64, 4)]),
}


def expected_lines(name):
    """The whole dump of a network on the book's pictures."""
    side, classes, _, _ = BOOK[name]
    page = Page(side)
    with page.inside(f'custom {name}', 'serial'):
        WRITERS[name](page)
    page.steps(f'full {classes}')
    return [*page.lines, f'Total parameter count: {page.total}']


def build(config, side, classes):
    """A model on pictures of that side."""
    rng.seed(1234)
    return CnnExtModel('net', DummyDataset('pictures', 'select', [side, side, 3], [classes]), config)


def of_book(name):
    """A network of the book as a layer, with the actions 'LAB' where it takes any."""
    return ['custom', {'name': name} if name in WITHOUT_ARGUMENTS else {'name': name, 'args': {'#act': 'LAB'}}]


@pytest.fixture(scope='module')
def built():
    """A function: name -> (dump lines, Layers in the order of the dump), each network built once and not kept."""
    seen = {}

    def get(name):
        if name not in seen:
            side, classes, _, _ = BOOK[name]
            model = build(of_book(name), side, classes)
            seen[name] = dump_lines(model), [placed.layer for _, _, placed in walk(model.structure)]
        return seen[name]

    return get


@pytest.mark.parametrize('name', BOOK)
def test_the_dump_is_that_of_the_book(built, name):
    lines, _ = built(name)
    _, _, layers, parameters = BOOK[name]
    assert lines == expected_lines(name)
    assert lines[-1] == f'Total parameter count: {parameters}'
    assert lines[-2].startswith(f'{layers}: full, ')


@pytest.mark.parametrize(
    'name, parameters', [('plain_flower', 173_702), ('residual_flower', 173_702), ('bottleneck_flower', 190_182)]
)
def test_a_sixth_class_adds_one_column_of_weights(name, parameters):
    assert dump_lines(build(of_book(name), 64, 6))[-1] == f'Total parameter count: {parameters}'


# What a dump does not show.


@pytest.mark.parametrize(
    'name, pools',
    [
        ('inception_v3', {('max', 3, 2): 4, ('avg', 3, 1): 9, ('avg', 8, 8): 1}),
        ('inception_flower', {('avg', 3, 1): 4, ('avg', 3, 2): 3, ('avg', 6, 6): 1}),
        ('vgg_19', {('max', 2, 2): 5}),
        ('plain_34', {('max', 2, 2): 1, ('avg', 7, 7): 1}),
        ('residual_34', {('max', 2, 2): 1, ('avg', 2, 2): 3, ('avg', 7, 7): 1}),
        ('bottleneck_152', {('max', 3, 2): 1, ('avg', 2, 2): 3, ('avg', 7, 7): 1}),
        ('plain_flower', {('max', 2, 2): 1, ('avg', 4, 4): 1}),
        ('residual_flower', {('max', 2, 2): 1, ('avg', 2, 2): 2, ('avg', 4, 4): 1}),
        ('bottleneck_flower', {('max', 3, 2): 1, ('avg', 2, 2): 2, ('avg', 4, 4): 1}),
    ],
)
def test_windows_of_the_pools(built, name, pools):
    _, layers = built(name)
    found = Counter((layer.type, layer['ksize'], layer['stride']) for layer in layers if layer.type in ('max', 'avg'))
    assert found == {(kind, (ksize, ksize), (stride, stride)): count for (kind, ksize, stride), count in pools.items()}


@pytest.mark.parametrize('name', [name for name in BOOK if name not in WITHOUT_ARGUMENTS])
def test_every_convolution_takes_the_actions_given(built, name):
    _, layers = built(name)
    assert {layer['actions'] for layer in layers if layer.type == 'conv'} == {'LAB'}


@pytest.mark.parametrize('name', WITHOUT_ARGUMENTS)
def test_without_actions_a_convolution_is_followed_by_its_activation(built, name):
    _, layers = built(name)
    assert {layer['actions'] for layer in layers if layer.type == 'conv'} == {'LA'}


@pytest.mark.parametrize(
    'name, blocks, halves',
    [('residual_34', 13, 3), ('bottleneck_152', 47, 3), ('residual_flower', 4, 2), ('bottleneck_flower', 4, 2)],
)
def test_a_block_adds_its_input_unless_it_halves_the_sides(built, name, blocks, halves):
    _, layers = built(name)
    assert Counter(layer['x'] for layer in layers if layer.type == 'add') == {True: blocks, False: halves}


@pytest.mark.parametrize('name', ['inception_v3', 'inception_flower'])
def test_dropout_keeps_seven_of_ten(built, name):
    _, layers = built(name)
    assert [layer['keep_prob'] for layer in layers if layer.type == 'dropout'] == [0.7]


@pytest.mark.parametrize('name', [name for name in BOOK if name.endswith('_flower')])
def test_every_parameter_has_a_part_in_the_answer(name):
    side, classes, _, _ = BOOK[name]
    model = build(of_book(name), side, classes)
    pictures = np.random.RandomState(3).normal(size=(4, side, side, 3))
    loss, output = model.compute_gradients(to_device(pictures), to_device(np.eye(classes)[[0, 1, 2, 3]]))
    assert output.shape == (4, classes)
    assert float(loss) == pytest.approx(np.log(classes), rel=0.5)
    assert [name for name, _, gradient in model.parameters.items() if not float(abs(gradient).max()) > 0] == []


# Macros as data


def test_a_network_stands_inside_a_macro_of_the_reader(monkeypatch):
    monkeypatch.setattr(CnnExtModel, 'macros', dict(CnnExtModel.macros))
    inner = ['custom', {'name': 'residual_flower', 'args': {'#act': '#how'}}]
    CnnExtModel.set_macro('mine', ['serial', inner, ['full', {'width': '#width'}]])
    model = build(['custom', {'name': 'mine', 'args': {'#how': 'AL', '#width': 12}}], 64, 5)
    page = Page(64)
    with page.inside('custom mine', 'serial'):
        with page.inside('custom residual_flower', 'serial'):
            WRITERS['residual_flower'](page)
        page.steps('full 12')
    page.steps('full 5')
    assert dump_lines(model) == [*page.lines, f'Total parameter count: {page.total}']
    layers = [placed.layer for _, _, placed in walk(model.structure)]
    assert {layer['actions'] for layer in layers if layer.type == 'conv'} == {'AL'}


def test_registering_and_using_a_macro_leave_the_data_as_they_are(monkeypatch):
    monkeypatch.setattr(CnnExtModel, 'macros', {})
    monkeypatch.setattr(CnnExtModel, 'reserved', ())
    before = copy.deepcopy(nets.MACROS)
    for name, config in nets.MACROS.items():
        CnnExtModel.set_macro(name, config)
    build(of_book('bottleneck_flower'), 64, 5)
    args = {'#cnt1': 3, '#n': 8, '#act': 'LA'}
    CnnExtModel.get_macro('pn', args)[1][1]['chn'] = 99
    assert before == nets.MACROS
    assert CnnExtModel.get_macro('pn', args) == [
        'serial',
        ['conv', {'ksize': 3, 'chn': 8, 'actions': 'LA', 'stride': 2}],
        ['loop', {'repeat': 3}, ['conv', {'ksize': 3, 'chn': 8, 'actions': 'LA'}]],
    ]


def test_importing_the_package_registers_every_macro():
    assert nets.MACROS.keys() <= CnnExtModel.macros.keys()
    assert BOOK.keys() <= nets.MACROS.keys()


@pytest.mark.parametrize('name', ['residual_34', 'rf', 'fire', 'resnet_20'])
def test_the_macros_of_the_networks_cannot_be_replaced(name):
    with pytest.raises(ConfigError, match=f"macro '{name}': networks of the book are made of it"):
        CnnExtModel.set_macro(name, ['max', {'stride': 2}])
    assert CnnExtModel.macros[name] == nets.MACROS[name]
