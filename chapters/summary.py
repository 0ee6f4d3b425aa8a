"""A network as a table: each layer with the shapes that go in and come out, and how many numbers it learns."""

import math

HEAD = ('layer', 'type', 'actfunc', 'input => output', 'parameters', 'count')


def summary_table(model):
    """The table of a model's layers as text. Shapes are those of one row of data, without the batch."""
    layers = [*model.layers, model.output_layer]
    pms = [*model.pm_hiddens, model.pm_output]
    rows = [HEAD]
    shape = list(model.dataset.input_shape)
    for number, (layer, pm) in enumerate(zip(layers, pms, strict=True), 1):
        last = layer is model.output_layer
        pieces = [list(value.shape) for value in pm.values() if hasattr(value, 'shape')]
        count = sum(math.prod(piece) for piece in pieces)
        sizes = '+'.join('x'.join(map(str, piece)) for piece in pieces)
        name, actfunc = ('output', 'none') if last else (str(number), 'relu')
        rows.append((name, layer.type, actfunc, f'{shape} => {pieces[-1]}', sizes, str(count)))
        shape = pieces[-1]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return '\n'.join([f'Model {model}', *lines, f'Total parameter count: {model.parameters.count}'])
