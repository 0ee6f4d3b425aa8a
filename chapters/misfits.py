"""Why published weights do not fit a model, in lines for readers; see chapters/published.py.

A file with a few wrong arrays is told array by array. Where most of them differ it is another network, and a list of
them all would help nobody: then its first differences are told, and whose names it has.
"""

import difflib

from chapters.layouts import LAYOUTS, expected, fits, index, speaks
from chapters.nets.catalogue import NETWORKS
from chapters.weightfiles import FLOATS, listed
from chapters.weights import KEY
from data.fetch.weights import WEIGHTS

# {network: {name of a layer in torchvision: what the file that `python -m data fetch weights` brings calls it}}
OTHER_NAMES = {
    published.network: {theirs: there for there, theirs in published.renamed}
    for published in WEIGHTS.values()
    if published.renamed
}
# How many differences from another network are told.
TOLD = 3
# A file with less than this share of a model's arrays is of another network.
MOST = 0.5
IGNORE = 'if they are not wanted, name their beginnings in ignore=[...]'
# role: (where the model has it and the file has not, the other way round)
ADVICE = {
    'bias': (
        "the model has biases, the file none: make the convolutions with 'bias': False",
        "the file has biases, the model none: make the convolutions with 'bias': True",
    ),
    'scale': (
        "the model has batch-norm scales, the file none: make it with 'rescale': 'shift'",
        "the file has batch-norm scales, the model none: make it with 'rescale': True",
    ),
    'shift': (
        "the model has batch-norm shifts, the file none: make it with 'rescale': False",
        "the file has batch-norm shifts, the model none: make it with 'rescale': True",
    ),
}


def misfits(model, arrays, used, over, layout):
    """Everything that keeps a Source from fitting a model, a line each; [] if it fits.

    used: {Slot: its name in the source, None if it has none}; over: the names that the model has no place for.
    """
    missing, wrong, lines = [], [], []
    for slot, name in used.items():
        if name is None:
            missing.append(slot)
            word = LAYOUTS[layout][slot.role]
            lines.append(f'it has no {slot.prefix}.{word} for {slot.ours} {list(slot.array.shape)}')
            continue
        shape, kind = arrays.arrays[name]
        if kind not in FLOATS:
            lines.append(f'{name} is of type {kind}: expected {", ".join(FLOATS)}')
        if not fits(shape, slot, layout):
            wrong.append(slot)
            lines.append(f'{name} is {list(shape)}, but {slot.ours} takes {list(expected(slot, layout))}')
    if not (lines or over):
        return []
    if KEY in arrays.metadata:
        return ['it was written by save(model, path): load(path) makes its model, without a network being named']
    if reason := _other_names(missing, over, layout):
        return [*lines[:TOLD], reason]
    there = len(used) - len(missing) - len(wrong)
    known = networks_called_so(arrays.arrays, layout) if over or missing else []
    if there < MOST * len(used) or (known and model.name in NETWORKS and model.name not in known):
        return _another(model, lines, over, f'{there} of the {len(used)} arrays', known)
    told = [listed(lines, '\n  ')] if lines else []
    if over:
        told.append(f'it has {len(over)} arrays that the model has no place for: {listed(over)}; {IGNORE}')
    if wrong and not missing and all(slot.name.startswith('output.') for slot in wrong):
        told.append(
            f'only the output layer is of another width: give the file to a {model.name} of its own width, and '
            f'chapters.transfer.copy_matching hands on all but the last layer'
        )
    return told + _advice(used, missing, over, layout)


def _another(model, lines, over, there, known):
    """What is told of another network."""
    whose = f'; its names are those of {" or ".join(known)}' if known else ''
    told = [f'this is another network: {there} of {model.name} are in it, in the right shape{whose}']
    differences = lines[:TOLD] + [f'{name} has no place in the model' for name in over[: TOLD - len(lines[:TOLD])]]
    more = len(lines) + len(over) - len(differences)
    told.append('the first differences:' if more else 'the differences:')
    told += [f'  {line}' for line in differences] + ([f'  and {more} more'] if more else [])
    return told if lines else [*told, IGNORE]


def networks_called_so(names, layout):
    """The names of the networks in the catalogue whose layers a library calls just as those of these arrays."""
    layers = {prefix for prefix, _ in index(names)}
    found = []
    for network in NETWORKS.values():
        function = network.keras if layout == 'keras' else network.published
        if function is not None:
            own = {name for pair in function() for name in pair if name is not None}
            other = OTHER_NAMES.get(network.name, {})
            if layers in (own, {other.get(name, name) for name in own}):
                found.append(network.name)
    return found


def _other_names(missing, over, layout):
    """Where the names are those of the other layout, or all have one more word before them: a line; else None."""
    if not missing:
        return None
    for other in LAYOUTS:
        if other != layout and speaks(other, over):
            return f'its names look like those of layout={other!r}'
    wanted = [f'{slot.prefix}.{LAYOUTS[layout][slot.role]}' for slot in missing]
    for name in over:
        word = name.removesuffix(wanted[0])
        if word != name and word.endswith(('.', '/')) and {word + each for each in wanted} <= set(over):
            return (
                f'its names begin with {word!r}, {name} for {wanted[0]}: give it as a dict with names '
                f'without that, {{name.removeprefix({word!r}): array, ...}}'
            )
    return None


def _advice(used, missing, over, layout):
    """What may be the reason, a line each."""
    words = LAYOUTS[layout]
    norms = {slot.prefix for slot in used if slot.role in ('mavg', 'mvar')}
    lines = []
    for role, (ours, theirs) in ADVICE.items():
        in_norm = role != 'bias'
        prefixes = {slot.prefix for slot in used if (slot.prefix in norms) == in_norm}
        mine = {slot.prefix for slot in used if slot.role == role}
        left = {f'{prefix}{mark}{words[role]}' for prefix in prefixes - mine for mark in './'}
        if mine and mine <= {slot.prefix for slot in missing if slot.role == role} and len(missing) < len(used):
            lines.append(ours)
        if left & set(over):
            lines.append(theirs)
    for slot in missing[:1]:
        wanted = f'{slot.prefix}.{words[slot.role]}'
        alike = [name for name in over if name.endswith(words[slot.role])]
        lines += [f'instead of {wanted}, is it {near}?' for near in difflib.get_close_matches(wanted, alike, 1, 0.7)]
    return lines
