"""What a network costs and what it sees: parameters, products and receptive fields, layer by layer.

All functions take `model.structure`. One row of data is counted. What a side head learns is counted, but nothing of
what it computes: it does so in training only.
"""

import math
from typing import NamedTuple

from chapters.structure import SIDE_BY_SIDE, Placed, layers, parts, walk, weights

WEIGHTED = ('conv', 'full')


class Cost(NamedTuple):
    """One plain layer: its number in the dump, itself, how many numbers it learns, how many products a row takes."""

    number: int
    placed: Placed
    parameters: int
    products: int


class Seen(NamedTuple):
    """What one number of a layer's output reads of the picture.

    path: of the layer. size: how many pixels, down or across, whichever is more. jump: how many pixels lie between
    what two neighbours read; 0 where there are no neighbours any more.
    """

    path: str
    size: int
    jump: int


class Totals(NamedTuple):
    """A whole network: its convolutions and full layers, all that it learns, the products of one row."""

    layers: int
    parameters: int
    products: int


def costs(structure):
    """The Cost of every plain layer, in the order of the dump."""
    rows, head = [], None
    for number, depth, placed in walk(structure):
        if head is not None and depth <= head:
            head = None
        if number is None:
            if placed.layer.type == 'auxiliary':
                head = depth
            continue
        arrays = weights(placed.pm)
        rows.append(Cost(number, placed, count(arrays), products(placed, arrays) if head is None else 0))
    return rows


def count(arrays):
    """How many numbers there are in all arrays."""
    return sum(math.prod(array.shape) for array in arrays)


def products(placed, arrays):
    """Each weight of a kernel or a full layer is used once for every place of the output."""
    places = math.prod(placed.output_shape[:-1])
    return places * count(array for array in arrays if len(array.shape) > 1)


def totals(structure):
    """The Totals of a network."""
    rows = costs(structure)
    weighted = sum(placed.layer.type in WEIGHTED for _, placed in layers(structure))
    return Totals(weighted, sum(row.parameters for row in rows), sum(row.products for row in rows))


def depth(structure):
    """How many convolutions and full layers lie on the longest way from the input to the output."""

    def deepest(placed):
        if placed.layer.type == 'auxiliary':
            return 0
        if placed.layer.type in SIDE_BY_SIDE:
            return max(map(deepest, parts(placed)))
        return sum(map(deepest, parts(placed))) + (placed.layer.type in WEIGHTED)

    return sum(map(deepest, structure))


def receptive_field(structure):
    """A Seen for every plain layer on the way from the input to the output that sees most.

    A window of k pixels at a jump of j sees (k - 1) j pixels more than what it reads, and a stride of s makes the jump
    s times as large (Araujo 2019). Of branches side by side the one that has seen most by its end is taken. Pixels
    beyond the edges of the picture are counted like the others. A global average or a full layer sees all.
    """
    # Down and across: how much is seen so far, and the jump.
    view, seen = ((1, 1), (1, 1)), []
    for placed in structure:
        steps, view = _way(placed, view)
        seen += steps
    return seen


def _way(placed, view):
    """(the Seen of the layers on the way through a layer, the view behind it)."""
    if placed.layer.type == 'auxiliary':
        return [], view
    if placed.layer.type in SIDE_BY_SIDE:
        return max((_way(part, view) for part in parts(placed)), key=lambda way: max(way[1][0]))
    steps = []
    for part in parts(placed):
        inside, view = _way(part, view)
        steps += inside
    if not parts(placed):
        view = _wider(placed, view)
        steps = [Seen(placed.layer.path, max(view[0]), max(view[1]))]
    return steps, view


def _wider(placed, view):
    """The view behind a plain layer."""
    sizes, jumps = view
    windows = placed.pm.get('state', {}).get('windows')
    if windows is not None:
        kernels, steps = windows.ksize, (windows.rows.step, windows.columns.step)
    elif len(placed.input_shape) == 3 and len(placed.output_shape) == 1:
        kernels, steps = placed.input_shape[:2], (0, 0)
    else:
        return view
    sizes = tuple(size + (kernel - 1) * jump for size, kernel, jump in zip(sizes, kernels, jumps, strict=True))
    return sizes, tuple(jump * step for jump, step in zip(jumps, steps, strict=True))
