"""A network as a table: each layer with the shapes that go in and come out, and how many numbers it learns."""

import math

from chapters.structure import title, walk, weights

HEAD = ('layer', 'type', 'actfunc', 'input => output', 'parameters', 'count')
NONE = '-'


def summary_table(model):
    """The table of a model's layers as text. Shapes are those of one row of data, without the batch."""
    rows = [HEAD]
    for number, depth, (layer, pm, input_shape, output_shape) in walk(model.structure):
        pieces = [value.shape for value in weights(pm)]
        rows.append(
            (
                'output' if layer is model.output_layer else str(number or ''),
                '  ' * depth + title(layer),
                actfunc(layer),
                f'{list(input_shape)} => {list(output_shape)}',
                '+'.join('x'.join(map(str, piece)) for piece in pieces) or NONE,
                str(sum(math.prod(piece) for piece in pieces)),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return '\n'.join([f'Model {model}', *lines, f'Total parameter count: {model.parameters.count}'])


def actfunc(layer):
    """The name of a layer's activation function: a full layer of chapters 5 and 6 has no such option, only ReLU."""
    if 'A' not in layer.options.get('actions', 'A'):
        return NONE
    return layer.options.get('actfunc', 'relu' if layer.type == 'full' else NONE)
