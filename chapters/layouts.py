"""What published weights look like: the words and the order of axes of the libraries that they come from.

Libraries call the same arrays by other names and keep their axes in another order:

============  ======================  ===================================  ==========================
              ours                    'torchvision'                        'keras'
============  ======================  ===================================  ==========================
kernel        k [kh, kw, c, o]        weight [o, c, kh, kw]                kernel [kh, kw, c, o]
full layer    w [inputs, width]       weight [width, inputs]               kernel [inputs, width]
                                      or [width, c, h, w]
after maps    inputs in order h, w, c inputs in order c, h, w              inputs in order h, w, c
bias          b                       bias                                 bias
batch norm    scale, shift            weight, bias                         gamma, beta
              mavg, mvar              running_mean, running_var            moving_mean, moving_variance
============  ======================  ===================================  ==========================
"""

import re
from dataclasses import dataclass

from chapters.structure import layers, parts
from chapters.weightfiles import WeightsError, listed
from chapters.weights import named_arrays

# What an array is for: its key in our pm, then its name in the two layouts.
LAYOUTS = {
    'torchvision': {
        'kernel': 'weight',
        'bias': 'bias',
        'scale': 'weight',
        'shift': 'bias',
        'mavg': 'running_mean',
        'mvar': 'running_var',
    },
    'keras': {
        'kernel': 'kernel',
        'bias': 'bias',
        'scale': 'gamma',
        'shift': 'beta',
        'mavg': 'moving_mean',
        'mvar': 'moving_variance',
    },
}


@dataclass(frozen=True, eq=False)
class Slot:
    """An array of the model and where it comes from.

    name: in named_arrays; ours: for readers; prefix: the layer's name in the source, None for none; places: of a full
    layer, the shape of its input.
    """

    name: str
    ours: str
    role: str
    array: object
    prefix: str | None
    places: tuple = ()


def look_of(names):
    """The layout whose words stand at the end of the names of a source; 'torchvision' if they are of neither."""
    return 'keras' if speaks('keras', names) else 'torchvision'


def speaks(layout, names):
    """Whether words of this layout, and of no other, stand at the end of some names."""
    own = {LAYOUTS[layout]['kernel'], LAYOUTS[layout]['mavg']}
    return any(word in own for _, word in index(names))


def find_slots(model, names):
    """A Slot for every array of a model, in the order of the layers. Raises WeightsError if the names are too many."""
    known = {(id(holder), key): name for name, holder, key in named_arrays(model)}
    numbers = {id(placed.pm): number for number, placed in layers(model.structure)}
    learners = [placed for placed in _learners(model.structure) if _arrays(placed)]
    if len(names) != len(learners):
        raise WeightsError(
            f'{model.name} has {len(learners)} layers with parameters, but there are names for {len(names)}; its '
            f'layers are {listed(placed.layer.path for placed in learners)}'
        )
    slots = []
    for placed, pair in zip(learners, names, strict=True):
        main, norm = _checked(pair)
        # A batch normalisation that stands alone has one name, wherever in the pair.
        norm = norm or (main if 'mavg' in placed.pm.get('state', {}) else None)
        for role, holder, key in _arrays(placed):
            prefix = main if role in ('kernel', 'bias') else norm
            if prefix is None and (main or norm):
                raise WeightsError(
                    f'{model.name}: {placed.layer.path} has an array for the {role}, but its names {pair!r} do not say '
                    f'what it is called'
                )
            places = placed.input_shape if placed.layer.type == 'full' else ()
            ours = f'{numbers.get(id(placed.pm), "-")}: {placed.layer.type} {role}'
            slots.append(Slot(known[id(holder), key], ours, role, holder[key], prefix, places))
    if strange := set(known.values()) - {slot.name for slot in slots}:
        raise WeightsError(
            f'{model.name} has {listed(sorted(strange))} in layers that libraries do not have: expected conv, full and '
            f'batch normalisation'
        )
    given = [main for main, _ in names if main is not None]
    if twice := sorted({main for main in given if given.count(main) > 1}):
        raise WeightsError(f'{model.name}: several layers have the name {listed(twice)}')
    return slots


def _checked(pair):
    """The two names of a layer, each a text or None."""
    if isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(one, (str, type(None))) for one in pair):
        return pair
    raise WeightsError(f"the names of a layer are {pair!r}: expected a pair, ('conv1', 'bn1') or ('fc', None)")


def _learners(structure):
    """The layers that may have arrays of their own, in order; what a container has comes after its parts."""
    for placed in structure:
        yield from _learners(parts(placed))
        yield placed


def _arrays(placed):
    """(role, holder, key) of the arrays of one layer, without those of its parts."""
    pm = placed.pm
    found = [('kernel', pm, key) for key in ('k', 'w')] + [('bias', pm, 'b')]
    for norm in (pm, pm.get('bn', {})):
        found += [(key, norm, key) for key in ('scale', 'shift')]
        found += [(key, norm.get('state', {}), key) for key in ('mavg', 'mvar')]
    return [(role, holder, key) for role, holder, key in found if hasattr(holder.get(key), 'shape')]


def index(names):
    """{(name of the layer, last word): name of the array}, whether a dot or a slash stands between the two.

    In Keras' files a name may end in ':0', and begin with the name of the layer twice.
    """
    index = {}
    for name in names:
        if split := re.fullmatch(r'(.+)[./]([^./]+?)(?::0)?', name):
            prefix, word = split.groups()
            half, slash, again = prefix.rpartition('/')
            index.setdefault((half if slash and half == again else prefix, word), name)
    return index


def arranged(array, slot, layout):
    """A published array in our order of axes."""
    if layout == 'keras' or slot.role != 'kernel':
        return array
    if slot.array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    array = array.reshape(len(array), -1)
    if len(slot.places) == 3:
        height, width, channels = slot.places
        array = array.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
        return array.reshape(height * width * channels, -1)
    return array.T


def expected(slot, layout):
    """The shape that an array has in the source."""
    shape = tuple(slot.array.shape)
    if layout == 'keras' or slot.role != 'kernel':
        return shape
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape[::-1]


def fits(shape, slot, layout):
    """Whether an array of this shape can be what the slot takes: of the shape expected or, for a full layer of the
    layout 'torchvision', [width, c, h, w], a convolution over the whole of its maps."""
    whole = None
    if layout == 'torchvision' and slot.role == 'kernel' and len(slot.places) in (1, 3):
        *sides, channels = slot.places
        whole = (slot.array.shape[-1], channels, *(sides or (1, 1)))
    return shape in (expected(slot, layout), whole)
