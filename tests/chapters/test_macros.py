"""Macros: what they stand for, and how mistakes in them are told."""

import copy

import pytest

from chapters import CnnExtModel
from chapters.structure import walk
from data import DummyDataset
from mathlib.errors import ConfigError


@pytest.fixture(autouse=True)
def no_macros(monkeypatch):
    """No macros but those of the test."""
    monkeypatch.setattr(CnnExtModel, 'macros', {})


def build(hconfigs):
    """A model on small pictures."""
    return CnnExtModel('m', DummyDataset('pictures', 'select', (6, 6, 2), [3]), hconfigs)


def types(model):
    """The types of its layers, containers included, without the output layer."""
    return [placed.layer.type for _, _, placed in walk(model.structure)][:-1]


def refused(action):
    """The text of the ConfigError that action() raises."""
    with pytest.raises(ConfigError) as problem:
        action()
    return str(problem.value)


CONV = ['conv', {'ksize': 3, 'chn': '#chn'}]


def test_every_word_gets_its_value():
    CnnExtModel.set_macro('m', ['serial', CONV, ['loop', {'repeat': '#n'}, '#layer'], ['full', {'width': '#chn'}]])
    args = {'#chn': 8, '#n': 2, '#layer': ['max', {'stride': [2, 1]}]}
    expected = ['serial', ['conv', {'ksize': 3, 'chn': 8}], ['loop', {'repeat': 2}, ['max', {'stride': [2, 1]}]]]
    expected.append(['full', {'width': 8}])
    assert CnnExtModel.get_macro('m', args) == expected
    layer = build(['custom', {'name': 'm', 'args': args}]).layers[0]
    assert (layer.type, layer.path, layer.children[0].path) == (
        'custom',
        'layer 1 > custom m',
        'layer 1 > custom m > serial',
    )
    assert [part.type for part in layer.children[0].children] == ['conv', 'loop', 'full']


def test_a_macro_without_arguments_needs_none():
    CnnExtModel.set_macro('m', ('max', {'stride': 2}))
    assert CnnExtModel.get_macro('m') == CnnExtModel.get_macro('m', {}) == ['max', {'stride': 2}]
    assert types(build([['custom', {'name': 'm'}], ['custom', {'name': 'm', 'args': {}}]])) == 2 * ['custom', 'max']


def test_any_option_may_be_a_word_and_any_value_may_take_its_place():
    CnnExtModel.set_macro('m', ['any', {'a': '#a', 'b': ['#b', {'c': '#a'}]}, '#d'])
    args = {'#a': 'text', '#b': [1, 2], '#d': None}
    assert CnnExtModel.get_macro('m', args) == ['any', {'a': 'text', 'b': [[1, 2], {'c': 'text'}]}, None]


def test_two_signs_stand_for_the_word_itself():
    CnnExtModel.set_macro('m', ['x', {'a': '##chn', 'b': '#chn', 'c': '#', 'd': 'a#b', 'e': '###chn'}])
    assert CnnExtModel.get_macro('m', {'#chn': 4}) == [
        'x',
        {'a': '#chn', 'b': 4, 'c': '#', 'd': 'a#b', 'e': '##chn'},
    ]


def test_macros_in_macros_hand_their_values_on():
    CnnExtModel.set_macro('inner', ['serial', CONV, '#then'])
    CnnExtModel.set_macro(
        'outer', ['custom', {'name': 'inner', 'args': {'#chn': '#n', '#then': ['full', {'width': '#n'}]}}]
    )
    model = build(['custom', {'name': 'outer', 'args': {'#n': 5}}])
    assert types(model) == ['custom', 'custom', 'serial', 'conv', 'full']
    *_, conv, full = model.layers[0].children[0].children[0].children
    assert (conv['chn'], full['width']) == (5, 5)
    assert conv.path == 'layer 1 > custom outer > custom inner > serial > layer 1 > conv'


def test_a_word_with_two_signs_reaches_the_macro_inside_as_it_is():
    CnnExtModel.set_macro('mark', ['x', {'word': '#text'}])
    CnnExtModel.set_macro('outer', ['custom', {'name': 'mark', 'args': {'#text': '##n'}}])
    _, inner = CnnExtModel.get_macro('outer')
    assert inner == {'name': 'mark', 'args': {'#text': '#n'}}
    assert CnnExtModel.get_macro(**inner) == ['x', {'word': '#n'}]


def test_one_macro_may_stand_in_many_places():
    CnnExtModel.set_macro('small', ['conv', {'ksize': 1, 'chn': '#chn'}])
    small = [['custom', {'name': 'small', 'args': {'#chn': chn}}] for chn in (1, 2)]
    CnnExtModel.set_macro('both', ['parallel', *small])
    model = build([*small, ['custom', {'name': 'both'}], ['custom', {'name': 'both'}]])
    assert model.structure[-2].output_shape == (6, 6, 3)
    assert types(model).count('conv') == 6


def test_a_new_macro_of_the_same_name_is_for_new_models():
    CnnExtModel.set_macro('m', ['full', {'width': 3}])
    old = build(['custom', {'name': 'm'}])
    CnnExtModel.set_macro('m', ['full', {'width': 7}])
    new = build(['custom', {'name': 'm'}])
    assert [model.structure[0].output_shape for model in (old, new)] == [(3,), (7,)]


def test_neither_what_was_given_nor_what_is_kept_is_ever_changed():
    config = ['serial', copy.deepcopy(CONV), '#layer']
    before = copy.deepcopy(config)
    CnnExtModel.set_macro('m', config)
    args = {'#chn': 4, '#layer': ['full', {'width': 3}]}
    first = CnnExtModel.get_macro('m', args)
    first[1][1]['chn'], first[2][1]['width'] = 99, 99
    build(['custom', {'name': 'm', 'args': args}])
    assert args == {'#chn': 4, '#layer': ['full', {'width': 3}]}
    assert config == CnnExtModel.macros['m'] == before
    config[1][1]['chn'] = 77
    assert CnnExtModel.get_macro('m', args) == ['serial', ['conv', {'ksize': 3, 'chn': 4}], ['full', {'width': 3}]]


# Mistakes


@pytest.mark.parametrize('name', ['', None, 3, ['m'], 'a > b'])
def test_a_name_is_a_word(name):
    told = f"the name of a macro is {name!r}: expected a word, without the ' > ' of a layer's path"
    assert refused(lambda: CnnExtModel.set_macro(name, CONV)) == told


def test_a_name_may_have_spaces():
    CnnExtModel.set_macro('my own block', ['serial', ['custom', {'name': 'my own'}]])
    CnnExtModel.set_macro('my own', ['full', {'width': 3}])
    assert types(build(['custom', {'name': 'my own block'}])) == ['custom', 'serial', 'custom', 'full']
    CnnExtModel.set_macro('my own', ['custom', {'name': 'my own block'}])
    told = refused(lambda: build(['custom', {'name': 'my own'}]))
    assert told.endswith("the macro 'my own' uses itself (my own > my own block > my own), so it would never end")


@pytest.mark.parametrize('config', [[], 30, 'conv', None, {'conv': {}}, [CONV, CONV], [30]])
def test_a_macro_is_one_layer(config):
    assert refused(lambda: CnnExtModel.set_macro('m', config)) == (
        f"macro 'm' is {config!r}: expected the configuration of one layer, such as ['conv', {{...}}]; several layers, "
        f"one after the other, stand in ['serial', [...], [...]]"
    )
    assert CnnExtModel.macros == {}


def test_an_unknown_macro_is_told_with_the_nearest():
    config = ['serial', ['custom', {'name': 'incepton'}]]
    place = 'm: layer 1 > serial > layer 1 > custom incepton'
    makes = 'CnnExtModel.set_macro(name, config) makes one'
    assert refused(lambda: build(config)) == f"{place}: there is no macro 'incepton': {makes}; known: none"
    for name in ('inception', 'other'):
        CnnExtModel.set_macro(name, CONV)
    told = f"there is no macro 'incepton': did you mean 'inception'? {makes}; known: inception, other"
    assert refused(lambda: build(config)) == f'{place}: {told}'
    assert refused(lambda: CnnExtModel.get_macro('incepton', {})) == f'custom incepton: {told}'


def test_a_macro_that_uses_itself():
    CnnExtModel.set_macro('a', ['serial', ['custom', {'name': 'a'}]])
    assert refused(lambda: build(['custom', {'name': 'a'}])) == (
        "m: layer 1 > custom a > serial > layer 1 > custom a: the macro 'a' uses itself (a > a), so it would never end"
    )


def test_macros_that_use_each_other_are_told_as_a_circle():
    for name, other in (('first', 'a'), ('a', 'b'), ('b', 'c'), ('c', 'a')):
        CnnExtModel.set_macro(name, ['add', 3, ['custom', {'name': other}]])
    told = refused(lambda: build([5, ['custom', {'name': 'first'}]]))
    assert told.startswith('m: layer 2 > custom first > add > branch 2 > custom a > add > branch 2 > custom b > ')
    assert told.endswith("custom a: the macro 'a' uses itself (a > b > c > a), so it would never end")


def test_missing_arguments():
    CnnExtModel.set_macro('m', ['serial', CONV, ['full', {'width': '#width'}]])
    place = "m: layer 1 > custom m: the macro 'm' needs"
    give = "give it in 'args'"
    assert refused(lambda: build(['custom', {'name': 'm'}])) == f'{place} #chn, #width: {give}'
    one = ['custom', {'name': 'm', 'args': {'#width': 3}}]
    assert refused(lambda: build(one)) == f'{place} #chn: {give}; given are #width'
    # A slip in the word is a missing argument, and what was given stands beside it.
    slip = ['custom', {'name': 'm', 'args': {'#width': 3, '#chnn': 4}}]
    assert refused(lambda: build(slip)) == f'{place} #chn: {give}; given are #chnn, #width'


def test_arguments_that_nothing_asks_for():
    CnnExtModel.set_macro('m', CONV)
    CnnExtModel.set_macro('n', ['max', {'stride': 2}])
    place = 'm: layer 1 > custom'
    args = {'#chn': 3, '#b': 1, '#a': 2}
    assert refused(lambda: build(['custom', {'name': 'm', 'args': args}])) == (
        f"{place} m: the macro 'm' has no use for #a, #b: it takes #chn"
    )
    assert refused(lambda: build(['custom', {'name': 'n', 'args': {'#chn': 3}}])) == (
        f"{place} n: the macro 'n' has no use for #chn: it takes none"
    )


@pytest.mark.parametrize('args', [{'chn': 3}, [('#chn', 3)], '#chn', {3: 3}, 7])
def test_arguments_are_words_with_their_sign(args):
    CnnExtModel.set_macro('m', CONV)
    told = f"'args' is {args!r}: expected a dict of words that begin with '#', such as {{'#chn': 32}}"
    assert refused(lambda: build(['custom', {'name': 'm', 'args': args}])) == f'm: layer 1 > custom: {told}'
    assert refused(lambda: CnnExtModel.get_macro('m', args)) == f'custom m: {told}'


def test_a_mistake_inside_a_macro_is_told_where_it_is_used():
    CnnExtModel.set_macro('m', ['serial', ['conv', {'ksize': 3, 'chn': '#chn'}], ['cnov']])
    place = 'm: layer 1 > custom m > serial > layer'
    assert refused(lambda: build(['custom', {'name': 'm', 'args': {'#chn': 0}}])) == (
        f"{place} 1 > conv: 'chn' is 0: expected a whole number above 0"
    )
    told = refused(lambda: build(['custom', {'name': 'm', 'args': {'#chn': 3}}]))
    assert told.startswith(f"{place} 2: the layer type 'cnov' is not known; did you mean 'conv'?")


def test_a_word_outside_of_a_macro_is_no_value():
    assert refused(lambda: build([CONV])) == "m: layer 1 > conv: 'chn' is '#chn': expected a whole number above 0"
