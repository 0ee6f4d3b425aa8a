"""A picture of a network, drawn from its configuration: `plot_structure(model)`.

A box is a layer, an edge carries what one row has become, and its shape stands beside it wherever it changes. Branches
stand side by side and meet in a `concat` or a `+`; what repeats is drawn once, with its number. A side head
stands beside the line, to which nothing comes back from it, and ends in the weight of its loss.
"""

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyBboxPatch

from chapters.diagram_layout import FONT, Frame, Plain, Side, Split, arranged, in_line
from chapters.structure import parts
from chapters.weights import check_model
from data.show import figure_labels
from mathlib.errors import ConfigError

# Fills that stay apart for readers who do not see all colours, and in grey (the hues of Okabe and Ito, lightened).
FILLS = {'conv': '#A9D3F0', 'max': '#F9D58C', 'avg': '#FBE6B8', 'full': '#DDB3CC', 'other': '#E4E4E4'}
LINES = {'edge': ('#444444', 0.8), 'shortcut': ('#D55E00', 1.2), 'column': ('#AAAAAA', 1.0)}
# Letters may shrink to 6 points in a large picture, and grow in a small one.
SMALLEST, LARGEST = 6 / FONT, 1.5
# A label longer than this goes on in a second line.
LONG = 17


def plot_structure(model, fold=True):
    """Draw the network of a model; returns the matplotlib figure.

    fold: draw equal blocks that follow one another (the turns of a loop, mostly) once, with their number. False: draw
    every layer of the network. Very tall networks go on in columns side by side. Raises ConfigError for what is no
    model.
    """
    check_model(model, ConfigError)
    labels, font = figure_labels('input', also='×' + ''.join(_names(model.structure)))
    blocks = [Plain(labels['input'], 'input', _shape(model.structure[0].input_shape))]
    blocks += [_block(placed, fold) for placed in _network(model.structure[:-1])]
    blocks.append(Plain(_label(model.structure[-1].layer), 'output'))
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        return _draw(arranged(in_line(blocks, fold)), font)


def _network(structure):
    """The layers of a network without its macro's own frame, where the network is one macro."""
    while len(structure) == 1 and structure[0].layer.type in ('custom', 'serial'):
        structure = parts(structure[0])
    return structure


def _names(structure):
    """The names of all types and macros, for a font that has their letters."""
    for placed in structure:
        yield placed.layer.type
        if placed.layer.type == 'custom':
            yield str(placed.layer['name'])
        yield from _names(parts(placed))


def _block(placed, fold):
    """The block of a layer, with all that is in it."""
    layer, kind, inside = placed.layer, placed.layer.type, parts(placed)
    changed = _shape(placed.output_shape) if placed.output_shape != placed.input_shape else ''
    if not inside:
        key = f'{kind} {dict(layer.options)!r} {placed.input_shape} {placed.output_shape}'
        return Plain(_label(layer), kind if kind in FILLS else 'other', changed, key)
    blocks = [_block(part, fold) for part in inside]
    if kind == 'custom':
        return Frame(in_line(blocks, fold), str(layer['name']))
    if kind == 'parallel':
        channels = [part.output_shape[-1] for part in inside]
        return Split(tuple(blocks), 'concat', f'concat {"+".join(map(str, channels))}', changed)
    if kind == 'add':
        width = placed.output_shape[-1]
        tiled = tuple(part.output_shape[-1] < width for part in inside)
        shortcut = placed.input_shape[-1] < width if layer['x'] else None
        scale = layer.options.get('scale', 1)
        steps = _words('+', '' if scale == 1 else f'{scale:g}×', _steps(layer, ''))
        word = 'zeros' if layer.options.get('fill') == 'zero' else 'tiled'
        return Split(tuple(blocks), 'sum', steps, '', tiled, shortcut, word)
    if kind == 'auxiliary':
        outputs = Plain(_label(inside[-1].layer), 'output', f'loss × {layer["weight"]:g}')
        return Side(in_line([*blocks[:-1], outputs], fold))
    return in_line(blocks, fold)


def _shape(shape):
    """[28, 28, 192] as '28x28x192'."""
    return 'x'.join(map(str, shape))


def _label(layer):
    """A plain layer in few words. A reader's own type is its name, as is one whose options are not the book's."""
    options = layer.options
    if layer.type == 'full' and 'width' in options:
        linear = layer.path.endswith('output layer')
        return _words(f'full {options["width"]}', '' if linear else _activation(layer))
    if layer.type == 'conv' and {'ksize', 'chn'} <= options.keys():
        title = f'conv {_pair(options["ksize"])}, {options["chn"]}'
        return _words(title + _stride(layer), _padding(layer), _steps(layer, 'LA'))
    if layer.type in ('max', 'avg') and 'stride' in options:
        return _words(
            f'{layer.type} {_pair(options.get("ksize") or options["stride"])}{_stride(layer)}', _padding(layer)
        )
    if layer.type == 'dropout' and 'keep_prob' in options:
        return f'dropout {options["keep_prob"]}'
    return layer.type


def _words(title, *more):
    """A label in one line, or in two if it is long."""
    more = ' '.join(filter(None, more))
    return f'{title}{" " if len(title) + len(more) < LONG else chr(10)}{more}' if more else title


def _pair(value):
    """(3, 3) or 3 as '3x3'."""
    return 'x'.join(map(str, value if isinstance(value, (list, tuple)) else (value, value)))


def _stride(layer):
    """' /2' for a stride of 2 both ways, '' for 1."""
    stride = _pair(layer.options.get('stride', 1))
    down, _, across = stride.partition('x')
    return '' if stride == '1x1' else f' /{down}' if down == across else f' /{stride}'


def _padding(layer):
    """'VALID' or the pixels around the picture; '' for 'SAME'."""
    padding = layer.options.get('padding', 'SAME')
    if isinstance(padding, str):
        return '' if padding == 'SAME' else padding
    sides = {count for pair in padding for count in pair} if isinstance(padding, tuple) else {padding}
    return f'pad {sides.pop()}' if len(sides) == 1 else 'pad ' + ' '.join(f'{a},{b}' for a, b in padding)


def _steps(layer, usual):
    """The actions if they are not the usual ones, and the activation function if it is not ReLU."""
    actions = str(layer.options.get('actions', usual))
    return ' '.join(filter(None, [actions if actions != usual else '', _activation(layer) if 'A' in actions else '']))


def _activation(layer):
    """The activation function, '' for ReLU."""
    name = str(layer.options.get('actfunc', 'relu'))
    return '' if name == 'relu' else name


def _draw(drawing, font):
    """The figure of a Drawing, as large as its letters ask for."""
    scale = min(max(min(14 / drawing.width, 10 / drawing.height), SMALLEST), LARGEST)
    figure = plt.figure(figsize=(scale * drawing.width, scale * drawing.height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axis.axis('off')
    known = font_manager.get_font(font_manager.findfont(font)).get_charmap()
    for mark in drawing.marks:
        text = ''.join(letter if ord(letter) in known or letter == '\n' else '?' for letter in mark.text)
        _draw_mark(axis, mark._replace(text=text), scale * FONT)
    for kind, (colour, width) in LINES.items():
        lines = [line for line in drawing.lines if line.kind == kind]
        points = [line.points for line in lines]
        axis.add_collection(LineCollection(points, colors=colour, linewidths=width, zorder=1, gid=kind))
        for line in lines:
            if line.arrow:
                style = dict(arrowstyle='-|>', color=colour, linewidth=width, mutation_scale=scale * 6)
                before, end = _just_before(line), line.points[-1]
                axis.annotate('', end, before, arrowprops=style | dict(shrinkA=0, shrinkB=0), zorder=1)
    return figure


def _just_before(line):
    """A point on the last stretch of a line, where its arrowhead begins."""
    (x0, y0), (x1, y1) = line.points[-2:]
    length = max(abs(x1 - x0), abs(y1 - y0))
    return x1 - (x1 - x0) * 0.08 / length, y1 - (y1 - y0) * 0.08 / length


def _draw_mark(axis, mark, size):
    """A box with its text, a frame, or a text alone."""
    left, top, right, bottom, text, kind = mark
    if kind in ('shape', 'name', 'count'):
        style = {'shape': dict(color='#333333'), 'name': dict(color='#777777'), 'count': dict(weight='bold')}[kind]
        axis.text(left, (top + bottom) / 2, text, va='center_baseline', fontsize=size, parse_math=False, **style)
        return
    if kind == 'frame':
        style = dict(facecolor='#F7F7F5', edgecolor='#BBBBBB', linewidth=0.8, zorder=0)
    else:
        fill = FILLS.get('full' if kind == 'output' else kind, 'white')
        style = dict(facecolor=fill, edgecolor='#333333', linewidth=1.6 if kind == 'output' else 0.7, zorder=2)
    rounding = 0.06 if kind in ('frame', 'input', 'sum') else 0.02
    axis.add_patch(
        FancyBboxPatch(
            (left, top), right - left, bottom - top, boxstyle=f'round,pad=0,rounding_size={rounding}', **style
        )
    )
    if text:
        middle = (left + right) / 2, (top + bottom) / 2
        axis.text(*middle, text, ha='center', va='center', fontsize=size, linespacing=1.1, parse_math=False, zorder=3)
