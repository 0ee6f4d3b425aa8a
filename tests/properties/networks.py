"""Hypothesis strategies for networks that fit together: each layer is drawn for the shape that comes in.

What comes out is plain data, as a reader writes it, in all the forms that are allowed: `networks` draws a Case.
"""

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel
from data import DummyDataset
from mathlib.errors import ConfigError
from mathlib.optimizers import OPTIMIZERS
from mathlib.pool import check_windows
from mathlib.windows import windows

# What hypothesis keeps for itself does not belong into the project's folder.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / 'bare-numpy-hypothesis')

# What each class knows, for rows of numbers and for pictures.
FLAT = {
    MlpModel: ('full',),
    AdamModel: ('full',),
    CnnBasicModel: ('full',),
    CnnRegModel: ('full', 'dropout', 'noise', 'batch_normal'),
}
FLAT[CnnExtModel] = (*FLAT[CnnRegModel], 'serial', 'parallel', 'add', 'loop', 'custom')
FLAT[CnnNetModel] = (*FLAT[CnnExtModel], 'activate', 'auxiliary')
WINDOWS = ('conv', 'max', 'avg')
PICTURES = {cls: (*kinds, *WINDOWS, 'conv') for cls, kinds in FLAT.items() if issubclass(cls, CnnBasicModel)}
PICTURES[CnnNetModel] += ('lrn', 'global_avg')
CONTAINERS = ('serial', 'parallel', 'add', 'loop', 'custom', 'auxiliary')
CLASSES = tuple(FLAT)
# Containers in containers, at most.
DEPTH = 3
ACTFUNCS = ('relu', 'sigmoid', 'tanh', 'none')


@dataclass(frozen=True)
class Case:
    """A model as a reader asks for it.

    mistake: what was done to a network that fits together, in words; '' for nothing. told: what the error must hold,
    where that can be said.
    """

    model_class: type
    mode: str
    input_shape: tuple
    outputs: int
    hconfigs: object
    options: dict
    macros: dict
    rows: int
    mistake: str = ''
    told: str = ''

    def dataset(self):
        """A data set of these shapes, without rows."""
        return DummyDataset('shapes', self.mode, self.input_shape, [self.outputs])


@contextmanager
def registered(macros):
    """Inside, these macros are registered beside those of the book; afterwards they are gone."""
    before = dict(CnnExtModel.macros)
    try:
        for name, config in macros.items():
            CnnExtModel.set_macro(name, config)
        yield
    finally:
        CnnExtModel.macros.clear()
        CnnExtModel.macros.update(before)


class Grower:
    """Draws layers for one class of models, and keeps the macros that they are made of."""

    def __init__(self, draw, model_class):
        self.draw, self.model_class, self.macros = draw, model_class, {}

    def one_of(self, *values):
        """One of these values."""
        return self.draw(st.sampled_from(values))

    def chance(self, share=2):
        """True in one of `share` cases."""
        return self.one_of(*[False] * (share - 1), True)

    def line(self, shape, least, most, depth=0, keep=False):
        """From `least` to `most` layers, one after the other, and the shape that comes out."""
        layers = []
        for _ in range(self.one_of(*range(least, most + 1))):
            layer, shape = self.layer(shape, depth, keep)
            layers.append(layer)
        return layers, shape

    def layer(self, shape, depth=0, keep=False):
        """A layer and the shape that comes out; keep: whether height and width must stay as they are."""
        kinds = (PICTURES if len(shape) == 3 else FLAT)[self.model_class]
        flattens = ('full', 'global_avg') if keep and len(shape) == 3 else ()
        rare = ('full', 'global_avg') if not self.chance(4) and len(shape) == 3 else ()
        kinds = [kind for kind in kinds if kind not in (*flattens, *rare) and (depth < DEPTH or kind not in CONTAINERS)]
        kind = self.one_of(*kinds)
        if kind in CONTAINERS:
            return getattr(self, kind)(shape, depth + 1, keep)
        options, shape = self.window(kind, shape, keep) if kind in WINDOWS else self.plain(kind, shape)
        if kind == 'full' and set(options) == {'width'} and self.chance():
            return options['width'], shape
        return [kind, options] if options or self.chance() else [kind], shape

    def some(self, **choices):
        """Some of these options, each with one of its values."""
        return {option: self.one_of(*values) for option, values in choices.items() if self.chance()}

    def plain(self, kind, shape):
        """The options of a layer that has no windows and holds no layers, and the shape that comes out."""
        net = self.model_class is CnnNetModel
        if kind == 'full':
            width = self.one_of(1, 2, 3, 5, 8)
            known = issubclass(self.model_class, CnnBasicModel)
            return {'width': width, **(self.some(actfunc=ACTFUNCS) if known else {})}, (width,)
        if kind == 'dropout':
            return {'keep_prob': self.one_of(0.3, 0.5, 0.9, 1, 1.0)}, shape
        if kind == 'noise':
            return self.some(type=['normal'], mean=[0, 0.5, -1], std=[0, 0.1, 1.0], ratio=[0, 0.5, 1]), shape
        if kind == 'batch_normal':
            rescale = (True, False, 'shift') if net else (True, False)
            return self.some(rescale=rescale, epsilon=[1e-5, 1e-3], exp_ratio=[0.001, 0.1, 1]), shape
        if kind == 'lrn':
            return self.some(size=[1, 2, 3, 5, 9], alpha=[0, 1e-4, 1], beta=[0.5, 0.75, 1, 2], k=[1, 2.0]), shape
        if kind == 'global_avg':
            return {}, shape[2:]
        return self.some(actfunc=ACTFUNCS), shape

    # Layers with windows

    def pair(self, *values):
        """A number for both sides, or two of them, as a list or a tuple."""
        form = self.one_of(None, None, list, tuple)
        return form([self.one_of(*values), self.one_of(*values)]) if form else self.one_of(*values)

    def window(self, kind, shape, keep):
        """The options of a conv, max or avg layer, and the shape that comes out."""
        ksize, stride = self.pair(1, 2, 3, 3, 4, 11), 1 if keep else self.pair(1, 1, 2, 3)
        padding = 'SAME' if keep else self.padding()
        if kind != 'conv' and self.chance(3):
            ksize = stride
        ceil = self.model_class is CnnNetModel and kind != 'conv' and not keep and self.chance(4)
        sides = self.sides(kind, shape[:2], ksize, stride, padding, ceil)
        if sides is None:
            stride, padding, sides, ceil = 1, 'SAME', shape[:2], False
        options = {'ksize': ksize, 'stride': stride, 'padding': padding}
        spare = {'stride': 1, 'padding': 'SAME', **({'ksize': stride} if kind != 'conv' else {})}
        options = {key: value for key, value in options.items() if value != spare.get(key) or self.chance()}
        if kind != 'conv':
            if self.model_class is CnnNetModel:
                options |= {'ceil': True} if ceil else {}
                options |= self.some(count_outside=[True, False]) if kind == 'avg' else {}
            return options, (*sides, shape[2])
        options['chn'] = chn = self.one_of(1, 2, 3, 4, 6)
        options |= self.some(actfunc=ACTFUNCS)
        if issubclass(self.model_class, CnnExtModel) and self.chance():
            options['actions'] = self.one_of('L', 'LA', 'LBA', 'LAB', 'BAL', 'ALB', 'LB', 'AL')
        if self.model_class is CnnNetModel:
            fits = [each for each in (1, 2, 3) if shape[2] % each == chn % each == 0]
            options |= self.some(bias=[True, False], groups=fits, rescale=[True, False, 'shift'])
            options |= self.some(epsilon=[1e-5, 1e-3], exp_ratio=[0.1, 1.0])
        return options, (*sides, chn)

    def padding(self):
        """In any form."""
        if self.chance():
            return self.one_of('SAME', 'VALID')
        if self.chance() or self.model_class is not CnnNetModel:
            return self.one_of('SAME', 0, 1, 2)
        return [[self.one_of(0, 1, 2), self.one_of(0, 1)], (self.one_of(0, 1), self.one_of(0, 1, 3))]

    def sides(self, kind, sides, ksize, stride, padding, ceil):
        """The sides of what comes out; None where nothing does."""
        try:
            places = windows(sides, ksize, stride, padding, ceil)
            if kind != 'conv':
                check_windows(places)
            return places.output_sides
        except ConfigError:
            return None

    # Layers that hold layers

    def serial(self, shape, depth, keep):
        layers, shape = self.line(shape, 1, 3, depth, keep)
        return ['serial', *self.braces(), *layers], shape

    def braces(self):
        """Options that are all left out, with their braces or without."""
        return self.one_of([], [{}])

    def parallel(self, shape, depth, keep):
        """Branches that keep the sides, or that all make them smaller by the same stride."""
        stride = self.one_of(1, 1, 2) if not keep and len(shape) == 3 and min(shape[:2]) > 1 else 1
        branches, channels, made = [], 0, shape
        for _ in range(self.one_of(1, 2, 3)):
            if stride == 1:
                branch, made = self.layer(shape, depth, keep=True)
            else:
                kind = self.one_of(*WINDOWS)
                branch = [kind, {'stride': stride, **({'ksize': 3, 'chn': 2} if kind == 'conv' else {})}]
                made = (*(side // stride for side in shape[:2]), 2 if kind == 'conv' else shape[2])
            branches.append(branch)
            channels += made[-1]
        return ['parallel', *self.braces(), *branches], (*made[:-1], channels)

    def add(self, shape, depth, keep):
        """Branches with as many channels as the first, or with a divisor of them."""
        x = self.one_of(True, True, False)
        count = shape[-1] * self.one_of(1, 2) if x else self.one_of(2, 4, 6)
        counts = [count, *(self.one_of(*[n for n in range(1, count + 1) if count % n == 0]) for _ in range(2))]
        branches = [self.ending(shape, channels, depth) for channels in counts[: self.one_of(1, 1, 2, 3)]]
        options = {} if x and self.chance() else {'x': x}
        options |= self.some(actions=['', 'A', 'B', 'BA', 'AB'], actfunc=ACTFUNCS)
        if self.model_class is CnnNetModel:
            options |= self.some(scale=[0.17, 1, 1.0, 2], fill=['tile', 'zero'])
        return ['add', *([options] if options else self.braces()), *branches], (*shape[:-1], count)

    def ending(self, shape, channels, depth):
        """A branch that keeps the sides and ends with so many channels."""
        before, _ = self.line(shape, 0, 1, depth, keep=True)
        last = ['conv', {'ksize': 1, 'chn': channels}] if len(shape) == 3 else ['full', {'width': channels}]
        return ['serial', *before, last] if before else last

    def loop(self, shape, depth, keep):
        """One layer again and again; where it does not fit to itself, once."""
        layer, once = self.layer(shape, depth, keep=True)
        repeat = self.one_of(1, 2, 3)
        config = ['loop', {'repeat': repeat}, layer]
        made = self.made(shape, config) if repeat > 1 else once
        if made is not None and prod(made) <= 600:
            return config, made
        return ['loop', *self.braces(), layer], once

    def made(self, shape, layer):
        """The shape that a layer makes, None where it does not fit."""
        try:
            with registered(self.macros):
                model = self.model_class('shape', DummyDataset('shapes', 'select', shape, [2]), [layer])
                return model.structure[0].output_shape
        except ConfigError:
            return None

    def custom(self, shape, depth, keep):
        """A macro, with words in the place of some values."""
        layer, shape = self.layer(shape, depth, keep)
        layer = ['full', {'width': layer}] if isinstance(layer, int) else layer
        args = {}
        for holder, key in list(values_in(layer))[: self.one_of(0, 1, 2)]:
            word = f'#{len(args)}'
            args[word], holder[key] = holder[key], word
        name = f'part {len(self.macros)}'
        self.macros[name] = layer
        return ['custom', {'name': name, 'args': args} if args or self.chance() else {'name': name}], shape

    def auxiliary(self, shape, depth, keep):
        """A side head; what comes in goes on."""
        layers, _ = self.line(shape, 1, 2, depth)
        return ['auxiliary', *([{'weight': 0.5}] if self.chance() else []), *layers], shape


def values_in(layer):
    """(dict, key) of every option of a layer and of those inside it, but for the names of macros."""
    for part in layer[1:]:
        if isinstance(part, dict):
            yield from ((part, key) for key in part if key not in ('name', 'args'))
            yield from ((part['args'], key) for key in part.get('args', ()))
        elif isinstance(part, list):
            yield from values_in(part)


@st.composite
def networks(draw, model_class=None):
    """A Case that fits together, of this class or of any."""
    model_class = model_class or draw(st.sampled_from([*CLASSES, CnnExtModel, CnnNetModel, CnnNetModel]))
    grow = Grower(draw, model_class)
    pictures = issubclass(model_class, CnnBasicModel) and not grow.chance(6)
    sides = (1, 2, 5, 6, 7, 8, 9)
    shape = (grow.one_of(*sides), grow.one_of(*sides), grow.one_of(1, 2, 3, 4)) if pictures else (grow.one_of(1, 4, 7),)
    mode = grow.one_of('select', 'select', 'regression', 'binary')
    outputs = grow.one_of(2, 3, 4) if mode == 'select' else 1
    options = _options(grow, mode)
    hconfigs, last = grow.line(shape, 0, 4)
    if options.get('head') == 'none':
        hconfigs.append(['full', {'width': outputs, 'actfunc': 'none'}])
    if len(hconfigs) == 1 and grow.chance(3):
        (hconfigs,) = hconfigs
    elif grow.chance(4):
        hconfigs = tuple(hconfigs)
    return Case(model_class, mode, shape, outputs, hconfigs, options, grow.macros, grow.one_of(1, 2, 3, 5))


def _options(grow, mode):
    """Some of the arguments of a model beside its layers."""
    options = {}
    if issubclass(grow.model_class, CnnRegModel):
        options |= grow.some(show_maps=[False, True], l2_decay=[0, 0.001, 0.1], l1_decay=[0, 1e-5])
    if issubclass(grow.model_class, CnnExtModel):
        options |= grow.some(weight_init=['normal', 'he', 'glorot'], exp_ratio=[0.001, 0.1], epsilon=[1e-5, 1e-3])
    if grow.model_class is CnnNetModel:
        optimizers = [*OPTIMIZERS, ['momentum', {'nesterov': True}], ['rmsprop', {'form': 'tensorflow'}]]
        options |= grow.some(head=['full', 'none'], optimizer=optimizers, clip_norm=[None, 0.1, 10])
        options |= grow.some(label_smoothing=[0, 0.1]) if mode == 'select' else {}
    return options
