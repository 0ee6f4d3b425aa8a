"""Hypothesis strategies for mistakes: a network that fits together, and one thing done to it."""

import copy
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from chapters import CnnExtModel
from tests.properties.networks import CONTAINERS, networks

WORDS = {'parallel': 'branch', 'add': 'branch', 'serial': 'layer', 'auxiliary': 'layer'}
# Lists as deep as this, and numbers as large, are made on purpose.
DEPTHS = (3, 12, 45, 300, 20_000)


class Unprintable:
    """Something whose repr fails."""

    def __repr__(self):
        raise RuntimeError('no repr')


def itself():
    """A list that holds itself."""
    ring = []
    ring.append(ring)
    return ring


def deep(depth, inner=1):
    """Lists in lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


def doubled(times):
    """A list of 2**times parts that takes hardly any memory."""
    term = [3]
    for _ in range(times):
        term = [term, term]
    return term


def many():
    """All kinds of values that are not what an option asks for; some are, for some."""
    numbers = [0, -1, 1, 2, 7, 100, 10**4, 10**6, 10**9, 10**12, 2**31 - 1, 2**31, 2**63, 2**64, 10**400, 10**5000]
    numbers += [-(10**400), 0.5, 1.0, 1.5, -0.0, 1e-12, 1e-300, 1e6, 1e30, 1e300, float('nan'), float('inf')]
    others = [None, True, False, 3 + 4j, Fraction(1, 3), Fraction(10**400), Decimal(3), Decimal('nan')]
    arrays = [
        np.int64(3),
        np.float32(0.5),
        np.float32('nan'),
        np.True_,
        np.array([1, 2]),
        np.array(3),
        np.zeros((2, 2)),
    ]
    texts = ['', 'relu', 'rleu', 'SAME', 'same', '#x', '#', '##x', 'LA', 'AL', 'LL', 'x' * 5000, '\ud800', b'x']
    lists = [
        [],
        [3],
        [3, 3],
        (3, 0),
        [3, 3, 3],
        [[1, 1], [0, 2]],
        [[1], 2],
        [[10**9, 0], [0, 0]],
        {},
        {'#x': 3},
        {3: 4},
    ]
    odd = [object(), Unprintable(), print, range(3), {1}, (n for n in ()), itself(), deep(20_000), doubled(40)]
    return [*numbers, *others, *arrays, *texts, *lists, *odd]


def layers_of(hconfigs):
    """(holder, key, place) of every layer outside of macros, holder[key] being the layer and `place` where it is."""

    def visit(holder, keys, places):
        for key, place in zip(keys, places, strict=True):
            yield holder, key, place
            layer = holder[key]
            if not isinstance(layer, list) or layer[0] not in WORDS and layer[0] != 'loop':
                continue
            path, first = f'{place} > {layer[0]}', 2 if len(layer) > 1 and isinstance(layer[1], dict) else 1
            inside = range(first, len(layer))
            word = WORDS.get(layer[0])
            yield from visit(
                layer, inside, [f'{path} > {word} {n}' for n, _ in enumerate(inside, 1)] if word else [path]
            )

    yield from visit(hconfigs, range(len(hconfigs)), [f'layer {n}' for n, _ in enumerate(hconfigs, 1)])


@st.composite
def mistaken(draw):
    """A Case with one mistake, or with something odd that may yet be right."""
    case = draw(networks())
    given = case.hconfigs
    listed = [given] if isinstance(given, int) or given and isinstance(given[0], str) else list(given)
    case = replace(case, hconfigs=copy.deepcopy(listed), options=dict(case.options))
    kinds = [in_options, in_options, in_layers, in_layers, in_numbers, in_numbers]
    if not listed:
        kinds = [whole]
    kinds += [whole, in_arguments]
    if issubclass(case.model_class, CnnExtModel):
        kinds += [in_macros]
    return draw(st.sampled_from(kinds))(draw, case)


def one_of(draw, values):
    """One of these values, by its index, for what is in them may be no friend of hypothesis."""
    return values[draw(st.integers(0, len(values) - 1))]


def whole(draw, case):
    """Something else in the place of the list of layers."""
    odd = [*many(), iter([3]), np.array([3, 4]), [[[3]]], {'full': 3}, [[], 3], [None], [{}], 'conv', ['conv', 3]]
    return replace(case, hconfigs=one_of(draw, odd), mistake='another configuration')


def in_arguments(draw, case):
    """A value for an argument of the model."""
    if not (known := [name for name in _arguments(case.model_class) if name not in ('name', 'dataset', 'hconfigs')]):
        return whole(draw, case)
    values = [
        *many(),
        'adamm',
        ['adam'],
        ['adam', {'ro_3': 1}],
        ['sgd', 3],
        ['adam', {'epsilon': 10**400}],
        ['sgd', doubled(40)],
        'none',
        'full',
        'hee',
        [3, {}],
        ['adam', {}, 1],
    ]
    name = one_of(draw, known)
    return replace(case, options={**case.options, name: one_of(draw, values)}, mistake=f'the argument {name}')


def _arguments(model_class):
    code = model_class.__init__.__code__
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]


def in_options(draw, case):
    """An option of a layer with another name, without a value, or with a value of another kind."""
    holder, key, place = one_of(draw, list(layers_of(case.hconfigs)))
    layer = holder[key] if isinstance(holder[key], list) else ['full', {'width': holder[key]}]
    holder[key] = layer
    path = f'{place} > {layer[0]}'
    if layer[0] == 'custom':
        path += f' {layer[1]["name"]}'
    if len(layer) == 1 or not isinstance(layer[1], dict):
        layer.insert(1, {})
    options = layer[1]
    kind = one_of(draw, ['name', 'name', 'value', 'value', 'value', 'none', 'lacking'])
    if kind == 'name':
        name = one_of(draw, ['kszie', 'chnn', '', 'x y', 3, None, (1, 2), 'x' * 5000, ('a',) * 1000, True, 1.5])
        options[name] = one_of(draw, [3, None, 'SAME'])
        path = path.rsplit(f' {layer[1].get("name")}', 1)[0] if layer[0] == 'custom' else path
        return replace(case, mistake='an option that does not exist', told=f'net: {path}: the option ')
    names = [name for name in _options(case, layer[0]) if name not in ('args', 'name')]
    if kind == 'lacking':
        needed = [name for name in ('width', 'ksize', 'chn', 'keep_prob', 'name') if name in options]
        if layer[0] in ('conv', 'full', 'dropout', 'custom') and needed:
            name = one_of(draw, needed)
            del options[name]
            path = f'{place} > {layer[0]}'
            return replace(case, mistake='an option left out', told=f'net: {path}: {name!r} is missing')
    if not names:
        return in_layers(draw, case)
    options[one_of(draw, names)] = None if kind == 'none' else one_of(draw, many())
    return replace(case, mistake='the value of an option')


def _options(case, kind):
    """The options of a layer type in the class of a case."""
    found = {}
    for cls in reversed(case.model_class.__mro__):
        found |= vars(cls).get('layer_options', {}).get(kind, {})
    return sorted(found)


def in_numbers(draw, case):
    """A number that is far too large, or just large."""
    sized = []
    for holder, key, _ in layers_of(case.hconfigs):
        layer = holder[key]
        if isinstance(layer, int):
            sized.append((holder, key))
        elif len(layer) > 1 and isinstance(layer[1], dict):
            counts = ('width', 'chn', 'ksize', 'stride', 'padding', 'repeat', 'size', 'groups')
            sized += [(layer[1], name) for name in _options(case, layer[0]) if name in counts]
    if not sized:
        return whole(draw, case)
    holder, key = one_of(draw, sized)
    numbers = [12, 50, 333, 2000, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9, 2**31 - 1, 2**31, 10**15, 10**30, 10**5000]
    number = one_of(draw, numbers)
    if key in ('ksize', 'stride'):
        number = one_of(draw, [number, [number, 1], (2, number)])
    elif key == 'padding':
        number = one_of(draw, [number, [[number, 0], [0, 0]], [[0, number], [number, 1]]])
    holder[key] = number
    return replace(case, mistake='a large number')


def in_layers(draw, case):
    """A layer in too many brackets, with too many parts or too few, or something else in its place."""
    holder, key, place = one_of(draw, list(layers_of(case.hconfigs)))
    layer = holder[key]
    changes = ['else', 'brackets', 'type', 'deep']
    if isinstance(layer, list):
        changes += ['options', 'childless'] if layer[0] in WORDS else []
        changes += ['children'] if layer[0] not in CONTAINERS else []
    change = one_of(draw, changes)
    told = ''
    if change == 'else':
        odd = [[[]], ['conv', 3], ['full', None], [None], ['full', {}, {}], 'full', ['max', ['conv']], [3, 4], ['']]
        odd += [
            ['serial'],
            ['add', {}],
            ['loop', {'repeat': 3}],
            ['loop', 3, 4],
            ['loop', {'repeat': 10**9}, 3],
            ['custom'],
        ]
        odd += [
            ['full', {'width': 3}, 4],
            [b'full', {}],
            ['x' * 5000],
            ['serial', 3, [None]],
            ['custom', {'name': 'no'}],
        ]
        holder[key] = one_of(draw, [*odd, *many()])
    elif change == 'brackets':
        holder[key] = [layer]
        told = f'net: {place} is '
    elif change == 'type':
        holder[key] = [
            one_of(draw, ['cnov', '', 'Conv', 'full ', '#x', 'x' * 5000]),
            *(layer[1:] if isinstance(layer, list) else []),
        ]
        told = f'net: {place}: the layer type '
    elif change == 'deep':
        wrapper = one_of(draw, ['serial', 'loop', 'parallel', 'add', 'auxiliary'])
        for _ in range(one_of(draw, DEPTHS)):
            layer = [wrapper, layer]
        holder[key] = layer
    elif change == 'options':
        layer.append({})
    elif change == 'childless':
        del layer[2 if len(layer) > 1 and isinstance(layer[1], dict) else 1 :]
        told = f"net: {place} > {layer[0]}: a '{layer[0]}' layer takes at least one "
    else:
        holder[key] = [*layer, ['full', {'width': 3}]]
        told = f"net: {place} > {layer[0]}: a '{layer[0]}' layer takes options only"
    return replace(case, mistake=f'a layer: {change}', told=told)


def in_macros(draw, case):
    """Macros that use themselves or each other, that grow, that want other args than they get, or that are none."""
    change = one_of(
        draw, ['none', 'itself', 'circle', 'growing', 'many', 'lacking', 'unused', 'args', 'unknown', 'depth']
    )
    use, macros, told = {'name': 'odd'}, {}, 'net: layer 1 > custom'
    if change == 'none':
        macros['odd'] = one_of(draw, [*many(), [], ['full', itself()], ['serial', doubled(40)], deep(20_000, 'full')])
        if isinstance(macros['odd'], (list, tuple)) and macros['odd'][:1] == ['full']:
            told = ''
        told = '#macro'
    elif change == 'itself':
        macros['odd'] = ['serial', 3, ['custom', {'name': 'odd'}]]
    elif change == 'circle':
        macros |= {'odd': ['custom', {'name': 'b'}], 'b': ['loop', ['custom', {'name': 'odd'}]]}
    elif change == 'growing':
        for n in range(40):
            inside = {'name': f'm{n + 1}', 'args': {'#x': ['serial', '#x', '#x']}}
            macros[f'm{n}'] = ['custom', inside] if n < 39 else '#x' and ['serial', '#x']
        use = {'name': 'm0', 'args': {'#x': ['full', {'width': 1}]}}
    elif change == 'many':
        for n in range(35):
            again = ['custom', {'name': f'm{n + 1}'}]
            macros[f'm{n}'] = ['serial', again, again] if n < 34 else ['full', {'width': 1}]
        use = {'name': 'm0'}
    elif change == 'depth':
        for n in range(60):
            macros[f'm{n}'] = ['custom', {'name': f'm{n + 1}'}] if n < 59 else ['full', {'width': 1}]
        use = {'name': 'm0'}
    else:
        macros['odd'] = ['full', {'width': '#width'}]
        args = {
            'lacking': [{}, {'#b': 3}],
            'unused': [{'#width': 3, '#b': 3}],
            'unknown': [{'#width': 3}],
            'args': many(),
        }[change]
        use = {'name': 'odds' if change == 'unknown' else 'odd', 'args': one_of(draw, args)}
        if change == 'args':
            value = use['args']
            use['args'], told = one_of(draw, [(value, told), ({'#width': value}, '')])
    case = replace(case, hconfigs=[['custom', use], *case.hconfigs], macros={**macros, **case.macros})
    return replace(case, mistake=f'a macro: {change}', told=told)
