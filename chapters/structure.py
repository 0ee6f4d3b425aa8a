"""The layers of a network as a tree, with the shapes that go in and out: what tables, dumps and pictures read.

`model.structure` is the list of the top-level layers, the output layer last. From chapter 9 on a layer may hold others,
which stand in its pm['placed'] in the order in which they were made.
"""

import math
from itertools import pairwise
from typing import NamedTuple

from chapters.config import Layer

# Layers whose parts all read the same input; in other containers each part reads what the one before it made.
SIDE_BY_SIDE = ('parallel', 'add')


class Placed(NamedTuple):
    """A layer in its network: its configuration, its parameters, and the shapes of one row that goes in and out."""

    layer: Layer
    pm: dict
    input_shape: tuple
    output_shape: tuple


def parts(placed):
    """The Placed layers inside a container: one for each turn of a loop; none inside a plain layer."""
    return placed.pm.get('placed', ())


def walk(structure):
    """Yield (number, depth, placed) for every layer, a container before its parts.

    number: counts the plain layers from 1, as the book's dump does; None for a container.
    """
    number = 0

    def visit(line, depth):
        nonlocal number
        for placed in line:
            if inside := parts(placed):
                yield None, depth, placed
                yield from visit(inside, depth + 1)
            else:
                number += 1
                yield number, depth, placed

    return visit(structure, 0)


def neighbours(structure):
    """Pairs of Placed layers, of which the second reads what the first makes, and nobody else does."""
    pairs = list(pairwise(structure))
    for _, _, placed in walk(structure):
        if placed.layer.type not in SIDE_BY_SIDE:
            pairs += pairwise(parts(placed))
    return pairs


def layers(structure):
    """The plain layers alone, in order: (number, placed)."""
    return [(number, placed) for number, _, placed in walk(structure) if number is not None]


def weights(pm):
    """The arrays that a layer itself learns, as a list; those of its parts are not among them."""
    arrays = []
    for key, value in pm.items():
        if key != 'state' and isinstance(value, dict):
            arrays += weights(value)
        elif hasattr(value, 'shape'):
            arrays.append(value)
    return arrays


def products_a_row(structure):
    """How many products one row takes on its way through a network's layers: each weight once for every place."""
    return sum(
        math.prod(placed.output_shape[:-1]) * math.prod(value.shape)
        for _, placed in layers(structure)
        for value in weights(placed.pm)
        if len(value.shape) > 1
    )


def first_learners(structure, frozen=frozenset()):
    """The ids of the pms of all layers that learn and that the input reaches unchanged by any layer that learns.

    Their G_x would be of no use to anybody. There are several where the input goes into branches. frozen: the ids of
    pms that are not to learn any more.
    """
    found = set()

    def passes(placed):
        """Whether the input may come out of this layer before anything was learned from it."""
        inside = parts(placed)
        if placed.layer.type in SIDE_BY_SIDE and inside:
            outcomes = [passes(part) for part in inside]
            untouched = all(outcomes)
        elif placed.layer.type == 'auxiliary':  # hands its input on, whatever its parts make of it
            all(map(passes, inside))
            untouched = True
        else:
            untouched = all(map(passes, inside))
        if untouched and _learns(placed.pm) and id(placed.pm) not in frozen:
            found.add(id(placed.pm))
            untouched = False
        return untouched

    # all() stops at the first layer that learns, below which nothing is first any more.
    all(map(passes, structure))
    return found


def learns(pm):
    """Whether a layer, or one inside it, learns anything."""
    return _learns(pm) or any(learns(inside.pm) for inside in pm.get('placed', ()))


def _learns(value):
    """Whether arrays that are learned stand in a layer's pm, at any depth, but for its parts' own."""
    if isinstance(value, dict):
        return any(_learns(inside) for key, inside in value.items() if key not in ('state', 'pms'))
    if isinstance(value, list):
        return any(map(_learns, value))
    return hasattr(value, 'shape')


def kept_arrays(structure):
    """The arrays that layers keep without learning them, such as the moving averages of batch normalisation."""

    def visit(pm):
        for key, value in pm.items():
            if key == 'state' and isinstance(value, dict):
                yield from (array for array in value.values() if hasattr(array, 'shape'))
            elif key != 'state' and isinstance(value, dict):
                yield from visit(value)

    return [array for _, _, placed in walk(structure) for array in visit(placed.pm)]


def dump_lines(model):
    """The book's structure dump (chapter 9): a line for each layer, two spaces a level, then the parameter count.

    As in the book, the count is that of kernels, weights and biases; scale and shift of batch normalisation are left
    out of it.
    """
    lines, total = [], 0
    for number, depth, (layer, pm, input_shape, output_shape) in walk(model.structure):
        indent = '  ' * depth
        if number is None:
            lines.append(f'{indent}{title(layer)}')
            continue
        arrays = weights(pm) if layer.type in ('conv', 'full') else []
        count = sum(math.prod(array.shape) for array in arrays)
        text = f' pm:{"+".join("x".join(map(str, array.shape)) for array in arrays)}={count}' if arrays else ''
        lines.append(f'{indent}{number}: {layer.type}, {list(input_shape)}=>{list(output_shape)}{text}')
        total += count
    return [*lines, f'Total parameter count: {total}']


def title(layer):
    """A container's name: its type, and for a macro also the macro's name."""
    return f'custom {layer["name"]}' if layer.type == 'custom' else layer.type
