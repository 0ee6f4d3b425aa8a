"""Pictures of what a convolutional network has learned, and of what it makes of a picture (chapter 7)."""

import matplotlib.pyplot as plt
import numpy as np

from chapters.structure import layers
from data.show import figure_labels, show_figure
from mathlib.backend import to_host
from mathlib.errors import ConfigError

# Maps in a line, and the most of one layer: deep layers have hundreds of channels.
COLUMNS, MOST_MAPS = 12, 36
CELL, PIXELS = 0.85, 96  # a small picture's side in inches, and about how many pixels it is drawn with
# Above this many kernels of one channel each, a layer is shown by the strength of each alone.
MOST_KERNELS = 600
# What a channel without any difference is filled with: nearly, but not quite, the white around it.
FLAT = (0.96, 0.96, 0.96)


def show_maps(model, x):
    """Show the kernels of every conv layer, then for each row of x [n, h, w, c] what every layer makes of it."""
    for number, placed in layers(model.structure):
        if placed.layer.type == 'conv':
            show_figure(lambda number=number: plot_kernels(model, number))
    if any(len(placed.output_shape) == 3 for _, placed in layers(model.structure)):
        for row in x:
            show_figure(lambda row=row: plot_maps(model, row))


def plot_kernels(model, layer):
    """The kernels of one conv layer; returns the figure.

    layer: its number, counted from 1 as in `model.summary()`. Kernels that look at a colour picture are shown in
    colour: grey is 0, and a colour is what the kernel looks for. Others are shown channel by channel, red for weights
    above 0 and blue for those below; of a layer with too many, the root of the mean square of each. Within a figure
    all have one scale. Raises ConfigError if there is no such layer, or it is no convolution.
    """
    placed = _conv(model, layer)
    kernel = to_host(placed.pm['k'])
    labels, font = figure_labels('layer', 'kernels', 'strength of the kernels', 'from channel', 'to channel')
    title = f'{_local(placed.layer.path, labels)}: {"x".join(map(str, kernel.shape))}'
    with plt.rc_context({'font.family': [font, 'sans-serif'], 'font.size': 8}):
        if layer == 1 and kernel.shape[2] in (1, 3):
            return _draw_colours(kernel, f'{title}, {labels["kernels"]}')
        if kernel.shape[2] * kernel.shape[3] <= MOST_KERNELS:
            return _draw_table(kernel, f'{title}, {labels["kernels"]}', labels)
        return _draw_strengths(kernel, f'{title}, {labels["strength of the kernels"]}', labels)


def plot_maps(model, x):
    """What every layer makes of one picture x [h, w, c], as long as it still is one; returns the figure.

    A block of small pictures a layer, one a channel, each on its own scale from black (its smallest number) to white;
    a channel that is the same everywhere is an empty field, and the title counts these. Above them stands the picture
    itself, with its channels. Raises ConfigError for an x of another shape, and for a model without such layers.
    """
    maps = [(path, values[0]) for path, values in model.get_maps(np.asarray(x)[None]) if values.ndim == 4]
    if not maps:
        raise ConfigError(f'{model.name}: no layer makes maps [height, width, channels]: it has full layers only')
    labels, font = figure_labels('layer', 'input', 'first', 'flat')
    x = np.asarray(x)
    picture = [_picture(x)] if x.shape[2] == 3 else []
    blocks = [(labels['input'], x, picture + _cells(x))]
    blocks += [(_local(path, labels), values, _cells(values)) for path, values in maps]
    heights = [_lines(cells) for _, _, cells in blocks]
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        size = (COLUMNS * CELL, sum(heights) * CELL + 0.26 * len(blocks))
        figure, axes = plt.subplots(len(blocks), 1, figsize=size, height_ratios=heights, layout='constrained')
        for axis, (name, values, cells) in zip(axes, blocks, strict=True):
            axis.imshow(_mosaic(cells), interpolation='nearest')
            axis.set_title(_map_title(name, values, labels), loc='left', fontsize=8, pad=3)
            axis.axis('off')
    return figure


def _conv(model, number):
    """The Placed conv layer of that number; ConfigError if there is none."""
    convs = {n: placed for n, placed in layers(model.structure) if placed.layer.type == 'conv'}
    if number not in convs:
        known = f'the numbers of its conv layers are {list(convs)}' if convs else 'it has no conv layer'
        raise ConfigError(f'{model.name}: layer {number!r} is no convolution: {known}')
    return convs[number]


def _local(path, labels):
    """A layer's path in the figure's language."""
    return path.replace('layer', labels['layer'])


def _map_title(name, values, labels):
    """'layer 1 > conv  [96, 96, 6]', and how many channels are shown if not all, and how many are flat."""
    parts = [f'{name}  {list(values.shape)}']
    if values.shape[2] > MOST_MAPS:
        parts.append(f'{labels["first"]} {MOST_MAPS}')
    if flat := int((np.ptp(values, axis=(0, 1)) == 0).sum()):
        parts.append(f'{labels["flat"]}: {flat}')
    return ', '.join(parts)


def _picture(values):
    """A colour picture with values 0..255 (or any others) as an array 0..1."""
    low, high = min(0, values.min()), max(255, values.max())
    return (values - low) / (high - low)


def _cells(values):
    """The channels of [h, w, c], or the first MOST_MAPS of them, each as a grey picture [h, w, 3]."""
    return [_grey(values[..., channel]) for channel in range(min(values.shape[2], MOST_MAPS))]


def _grey(values):
    """One channel [h, w] as grey [h, w, 3], from 0 for its smallest number to 1 for its largest; a flat one empty."""
    low, spread = values.min(), np.ptp(values)
    if spread == 0:
        return np.broadcast_to(FLAT, (*values.shape, 3))
    return np.repeat(((values - low) / spread)[..., None], 3, axis=2)


def _lines(cells):
    """How many lines of COLUMNS the cells fill."""
    return -(-len(cells) // COLUMNS)


def _mosaic(cells):
    """Cells [h, w, 3] side by side in lines of COLUMNS, with a white gap; the last line is filled up with white."""
    zoom = max(1, PIXELS // max(cells[0].shape[:2]))
    height, width = (zoom * side for side in cells[0].shape[:2])
    gap = max(1, max(height, width) // 24)
    sheet = np.ones((_lines(cells) * (height + gap), COLUMNS * (width + gap), 3))
    for number, cell in enumerate(cells):
        row, column = divmod(number, COLUMNS)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = cell.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return sheet


def _draw_colours(kernel, title):
    """Kernels [kh, kw, 3 or 1, o] side by side."""
    count = kernel.shape[3]
    columns = min(count, COLUMNS)
    lines = -(-count // columns)
    scaled = np.clip(0.5 + 0.2 * kernel / max(kernel.std(), 1e-12), 0, 1)
    size = (max(columns * CELL, 3), lines * (CELL + 0.2) + 0.3)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout='constrained')
    for axis in axes.flat:
        axis.axis('off')
    for number, axis in zip(range(count), axes.flat, strict=False):
        axis.imshow(scaled[..., number], cmap='gray', vmin=0, vmax=1)
        axis.set_title(str(number + 1), pad=2, fontsize=7)
    figure.suptitle(title)
    return figure


def _draw_table(kernel, title, labels):
    """Kernels [kh, kw, c, o] as a table: a row for each channel that goes in, a column for each that comes out."""
    kh, kw, c, o = kernel.shape
    sheet = np.full((c, kh + 1, o, kw + 1), np.nan)
    sheet[:, :kh, :, :kw] = kernel.transpose(2, 0, 3, 1)
    sheet = sheet.reshape(c * (kh + 1), o * (kw + 1))[:-1, :-1]
    cell = min(0.4, 10 / max(c, o))
    figure, axis = plt.subplots(figsize=(max(o * cell + 1.3, 3), c * cell + 0.9), layout='constrained')
    largest = np.abs(kernel).max()
    image = axis.imshow(sheet, cmap='RdBu_r', vmin=-largest, vmax=largest, interpolation='nearest')
    axis.set_xticks(np.arange(o) * (kw + 1) + (kw - 1) / 2, np.arange(1, o + 1))
    axis.set_yticks(np.arange(c) * (kh + 1) + (kh - 1) / 2, np.arange(1, c + 1))
    return _finish(figure, axis, image, title, labels)


def _draw_strengths(kernel, title, labels):
    """One number for each kernel of [kh, kw, c, o]: the root of the mean of its squares."""
    figure, axis = plt.subplots(figsize=(6, 5), layout='constrained')
    strength = np.sqrt(np.square(kernel).mean(axis=(0, 1)))
    image = axis.imshow(strength, cmap='viridis', vmin=0, interpolation='nearest', aspect='auto')
    return _finish(figure, axis, image, title, labels)


def _finish(figure, axis, image, title, labels):
    """Title, names of the axes and a scale for a table of kernels."""
    axis.tick_params(length=0, labelsize=7)
    axis.spines[:].set_visible(False)
    axis.set(xlabel=labels['to channel'], ylabel=labels['from channel'], title=title)
    figure.colorbar(image, ax=axis, shrink=0.8, pad=0.02)
    return figure
