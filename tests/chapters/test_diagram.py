"""The drawn picture of a network."""

from collections import Counter
from itertools import combinations

import pytest

from chapters import CnnBasicModel
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.ch10_cnn_net import CnnNetModel
from chapters.diagram import plot_structure
from chapters.diagram_layout import Frame, Plain, Row, Split, arranged, in_line
from chapters.nets.catalogue import make
from data import DummyDataset
from mathlib import settings
from mathlib.errors import ConfigError

MODULE = [
    'parallel',
    ['conv', {'ksize': 1, 'chn': 4}],
    ['serial', ['conv', {'ksize': 3, 'chn': 6}], ['conv', {'ksize': [1, 7], 'chn': 6, 'actions': 'LAB'}]],
    ['max', {'ksize': 3, 'stride': 1}],
]
RESIDUAL = ['add', {'actions': 'BA'}, ['conv', {'ksize': 3, 'chn': 8, 'actfunc': 'none'}]]
HALVING = ['add', {'x': False}, ['conv', {'ksize': 3, 'chn': 16, 'stride': 2}], ['avg', {'stride': 2}]]


def model(*hconfigs, shape=(16, 16, 8), kind=CnnExtModel):
    """A model on pictures of that shape."""
    return kind('m', DummyDataset('d', 'select', shape, [4]), list(hconfigs))


def texts(figure):
    """{text: how often it stands in the picture}, lines joined by a space."""
    found = Counter(text.get_text().replace('\n', ' ') for text in figure.axes[0].texts)
    del found['']  # arrows
    return dict(found)


def shortcuts(figure):
    """The paths of the lines that go around a block."""
    return [path for lines in figure.axes[0].collections if lines.get_gid() == 'shortcut' for path in lines.get_paths()]


def chain(count, text='a'):
    """That many equal boxes in a row."""
    return Row((Plain(text, 'conv'),) * count)


def test_every_layer_and_every_change_of_shape_is_written_once():
    layers = [
        ['conv', {'ksize': 3, 'chn': 12}],
        ['conv', {'ksize': [5, 3], 'chn': 12, 'stride': 2, 'padding': 'VALID', 'actfunc': 'tanh'}],
        ['conv', {'ksize': 3, 'chn': 12, 'padding': 1}],
        ['max', {'stride': [2, 1]}],
        ['avg', {'ksize': 3, 'stride': 1}],
        ['dropout', {'keep_prob': 0.7}],
        ['noise', {'std': 0.1}],
        ['batch_normal'],
        ['full', {'width': 10, 'actfunc': 'sigmoid'}],
    ]
    assert texts(plot_structure(model(*layers))) == {
        'input': 1,
        '16x16x8': 1,
        'conv 3x3, 12': 1,
        '16x16x12': 1,
        'conv 5x3, 12 /2 VALID tanh': 1,
        '6x7x12': 1,
        'conv 3x3, 12 pad 1': 1,
        'max 2x1 /2x1': 1,
        '3x7x12': 1,
        'avg 3x3': 1,
        'dropout 0.7': 1,
        'noise': 1,
        'batch_normal': 1,
        'full 10 sigmoid': 1,
        '10': 1,
        'full 4': 1,
    }


@pytest.mark.parametrize('hconfigs', [[], [30], [30, 10]])
def test_full_layers_alone(hconfigs):
    drawn = texts(plot_structure(model(*hconfigs, shape=(27,), kind=CnnBasicModel)))
    assert drawn == {'input': 1, '27': 1, 'full 4': 1} | {f'full {n}': 1 for n in hconfigs} | {
        f'{n}': 1 for n in hconfigs
    }


def test_branches_meet_in_a_concat_with_their_channels():
    drawn = texts(plot_structure(model(MODULE)))
    assert drawn['concat 4+6+8'] == 1
    assert drawn['conv 1x7, 6 LAB'] == drawn['16x16x18'] == drawn['16x16x4'] == drawn['16x16x6'] == 1


def test_the_input_goes_around_a_sum():
    figure = plot_structure(model(RESIDUAL))
    assert texts(figure)['+ BA'] == 1
    assert 'tiled' not in texts(figure)
    (shortcut,) = shortcuts(figure)
    box = next(text for text in figure.axes[0].texts if text.get_text().startswith('conv'))
    plus = next(text for text in figure.axes[0].texts if text.get_text() == '+ BA')
    left = box.get_position()[0]
    xs, ys = shortcut.vertices.T
    assert xs[0] == pytest.approx(left)
    assert xs[1] == xs[2] > left + 0.4
    assert ys[0] < box.get_position()[1] < ys[3]
    assert ys[3] == pytest.approx(plus.get_position()[1])


def test_a_sum_without_the_input_has_no_shortcut_and_says_which_branch_is_tiled():
    figure = plot_structure(model(HALVING))
    assert shortcuts(figure) == []
    drawn = texts(figure)
    assert (drawn['+'], drawn['tiled'], drawn['8x8x8'], drawn['8x8x16']) == (1, 1, 1, 1)


def test_a_shortcut_whose_channels_are_repeated_says_so():
    widening = ['add', ['conv', {'ksize': 3, 'chn': 16}]]
    figure = plot_structure(model(widening))
    assert texts(figure)['tiled'] == len(shortcuts(figure)) == 1


def test_turns_of_a_loop_are_folded_if_they_are_equal():
    net = model(['conv', {'ksize': 3, 'chn': 8}], ['loop', {'repeat': 35}, RESIDUAL])
    folded, unfolded = texts(plot_structure(net)), texts(plot_structure(net, fold=False))
    assert (folded['× 35'], folded['+ BA'], folded['conv 3x3, 8 none']) == (1, 1, 1)
    assert '× 35' not in unfolded
    assert (unfolded['+ BA'], unfolded['conv 3x3, 8 none'], unfolded['conv 3x3, 8']) == (35, 35, 1)
    assert len(shortcuts(plot_structure(net, fold=False))) == 35


def test_the_first_turn_stands_alone_where_its_shapes_differ():
    drawn = texts(plot_structure(model(['loop', {'repeat': 5}, ['conv', {'ksize': 3, 'chn': 9}]])))
    assert (drawn['conv 3x3, 9'], drawn['× 4']) == (2, 1)


def test_equal_neighbours_are_folded_and_neighbours_with_other_options_are_not():
    noises = [['serial', ['noise', {'std': std}], ['max', {'ksize': 3, 'stride': 1}]] for std in (1, 1, 1, 2)]
    drawn = texts(plot_structure(model(*noises)))
    assert (drawn['noise'], drawn['× 3']) == (2, 1)


def test_outermost_macros_have_a_frame_with_their_name(monkeypatch):
    monkeypatch.setattr(CnnExtModel, 'macros', dict(CnnExtModel.macros))
    CnnExtModel.set_macro('inner', MODULE)
    CnnExtModel.set_macro('outer', ['serial', ['custom', {'name': 'inner'}], ['custom', {'name': 'inner'}]])
    CnnExtModel.set_macro('single', ['conv', {'ksize': 3, 'chn': 5}])
    CnnExtModel.set_macro('net', ['serial', ['custom', {'name': 'outer'}], ['custom', {'name': 'single'}]])
    drawn = texts(plot_structure(model(['custom', {'name': 'net'}])))
    assert drawn['outer'] == 1
    assert drawn.keys().isdisjoint({'net', 'inner', 'single'})


def test_a_type_of_the_readers_own_is_drawn_by_its_name():
    class OwnModel(CnnExtModel):
        layer_options = {'max': None}

        def alloc_scale_layer(self, input_shape, hconfig):
            return {}, input_shape

        forward_scale_layer = backprop_scale_layer = alloc_max_layer = alloc_scale_layer

    drawn = texts(plot_structure(model(['scale', {'$by': object()}], ['max', {'size': 3}], kind=OwnModel)))
    assert drawn == {'input': 1, '16x16x8': 1, 'scale': 1, 'max': 1, 'full 4': 1}


@pytest.mark.parametrize('lang', ['en', 'ko'])
def test_texts_are_large_enough_and_cross_neither_each_other_nor_a_box(monkeypatch, lang):
    monkeypatch.setattr(settings, 'book_lang', lang)
    nested = ['loop', {'repeat': 2}, ['add', ['serial', MODULE, ['conv', {'ksize': 1, 'chn': 8}]], MODULE[3]]]
    inside = ['parallel', ['add', {'x': False}, MODULE[1], MODULE[1]], MODULE, RESIDUAL]
    halving = ['add', {'x': False}, ['conv', {'ksize': 3, 'chn': 60, 'stride': 2}], ['avg', {'stride': 2}]]
    figure = plot_structure(model(nested, inside, halving), fold=False)
    figure.canvas.draw()
    written = [text for text in figure.axes[0].texts if text.get_text()]
    assert min(text.get_fontsize() for text in written) >= 6
    places = [text.get_window_extent().shrunk(0.98, 0.9) for text in written]
    assert not [pair for pair in combinations(places, 2) if pair[0].overlaps(pair[1])]
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches]
    for place in places:
        assert figure.bbox.contains(place.x0, place.y0)
        assert figure.bbox.contains(place.x1, place.y1)
        for box in boxes:
            inside = box.contains(place.x0, place.y0) and box.contains(place.x1, place.y1)
            assert inside or not box.overlaps(place)


@pytest.mark.parametrize(('name', 'layers'), [('inception_flower', 48), ('bottleneck_flower', 24)])
def test_boxes_of_the_books_networks_do_not_overlap(name, layers):
    net = model(['custom', {'name': name, 'args': {'#act': 'LAB'}}], shape=(96, 96, 3))
    figure = plot_structure(net, fold=False)
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches if patch.get_zorder() == 2]
    drawn = texts(figure)
    assert (
        sum(count for text, count in drawn.items() if text.split()[0] in ('conv', 'max', 'avg', 'dropout', 'full'))
        == layers
    )
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert figure.get_figwidth() <= 14


def test_a_tall_network_goes_on_in_the_next_column():
    drawing = arranged(chain(100))
    tops = Counter(round(mark.top, 3) for mark in drawing.marks)
    assert len(drawing.marks) == 100
    places = [(mark.left, mark.top) for mark in drawing.marks]
    assert places == sorted(places)
    assert max(tops.values()) == len({mark.left for mark in drawing.marks}) > 2
    assert drawing.height < 10
    ways = [line for line in drawing.lines if line.kind == 'column']
    assert len(ways) == max(tops.values()) - 1
    assert all(line.arrow for line in ways)


def test_a_macro_taller_than_a_column_loses_its_frame_and_those_in_it_keep_theirs():
    inner = Frame(chain(10), 'inner')
    drawing = arranged(Row((Plain('input', 'input'), Frame(Row((inner, *chain(60).blocks)), 'outer'))))
    names = [mark.text for mark in drawing.marks if mark.kind == 'name']
    assert names == ['inner']


def test_a_block_is_entered_and_left_on_its_spine():
    split = Split((chain(3), chain(1, 'a wide box')), 'sum', '+', shortcut=True)
    drawing = arranged(split)
    spine = drawing.lines[0].points[0][0]
    plus = drawing.marks[-1]
    assert (plus.text, (plus.left + plus.right) / 2) == ('+', pytest.approx(spine))
    assert min(mark.left for mark in drawing.marks) >= spine - split.left - 1e-9
    assert max(mark.right for mark in drawing.marks) <= spine + split.right + 1e-9
    assert plus.bottom == pytest.approx(drawing.marks[0].top - 0.21 + split.height)


def test_two_small_boxes_are_not_folded():
    assert in_line(chain(2).blocks, fold=True) == chain(2)
    assert in_line(chain(3).blocks, fold=True) == Frame(chain(3).blocks[0], count=3)


def test_a_side_head_stands_beside_the_line_and_a_scaled_sum_says_so():
    side = ['auxiliary', {'weight': 0.3}, ['global_avg'], ['full', {'width': 6}]]
    scaled = ['add', {'scale': 0.17}, ['conv', {'ksize': 1, 'chn': 8}]]
    figure = plot_structure(model(side, scaled, kind=CnnNetModel))
    drawn = texts(figure)
    assert (drawn['full 6'], drawn['full 4'], drawn['loss × 0.3'], drawn['+ 0.17×']) == (1, 2, 1, 1)
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert places['full 6'][0] > places['input'][0] + 0.2
    # The line goes on beside the head, from above it to below it, with the shape that it had.
    heights = places['global_avg'][1], places['loss × 0.3'][1]
    lines = [path.vertices for lines in figure.axes[0].collections for path in lines.get_paths()]
    straight = [line for line in lines if (line[:, 0] == line[0, 0]).all() and line[0, 0] == places['input'][0]]
    assert any(line[0, 1] < heights[0] < heights[1] < line[-1, 1] for line in straight)
    assert drawn['16x16x8'] == 1


def test_a_shortcut_says_what_stands_for_the_channels_that_are_missing():
    assert texts(plot_structure(make('resnet_20')))['zeros'] == 2


def test_a_name_in_the_place_of_a_model():
    with pytest.raises(ConfigError, match=r"'resnet_50' is no model, but a name: make\('resnet_50'\)"):
        plot_structure('resnet_50')
    with pytest.raises(ConfigError, match='5 is no model'):
        plot_structure(5)
