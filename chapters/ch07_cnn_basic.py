"""Chapter 7: convolutional networks (합성곱 신경망), and layers of any type.

A full layer gives every pixel of a picture weights of its own. A convolution slides one small kernel over the whole
picture, so that it finds the same thing wherever it stands, and needs few weights; pooling makes the picture smaller.

A layer of type `conv` is three methods that stand next to each other: `alloc_conv_layer` makes its parameters,
`forward_conv_layer` computes y from x, `backprop_conv_layer` the gradients from G_y. A reader's own type, say
`scale`, is three such methods in a subclass; options that it checks go into `layer_options`.

Shapes: pictures [n, h, w, c], kernels k [kh, kw, c, o] with c channels that go in and o that come out.
"""

import math
import re
from itertools import pairwise

from chapters.ch06_adam import AdamModel
from chapters.config import Option, flag, located, one_of, padding, positive_int, positive_pair
from chapters.shared_steps import shared_steps
from chapters.structure import first_learners, layers, learns, products_a_row
from chapters.training import check_rows, enough_memory, refuse_misfit
from mathlib import backend, team
from mathlib.backend import to_device, to_host, xp
from mathlib.columns import LEAST_ROWS, arranged
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.errors import ConfigError
from mathlib.functions import ACTIVATIONS, activate, activate_grad
from mathlib.linear import product
from mathlib.planes import like
from mathlib.pool import avg_pool, avg_pool_dx, check_windows, max_pool, max_pool_dx
from mathlib.quoting import quoted
from mathlib.windows import windows

ACTFUNC = Option(one_of(*ACTIVATIONS), 'relu')
STRIDE = Option(positive_pair, (1, 1))
PADDING = Option(padding, 'SAME')
# A convolution works on at least so many windows at once, if there are as many.
AT_ONCE = LEAST_ROWS
# A pooling layer whose ksize is left out has windows side by side: as large as its stride.
POOLING = {'stride': STRIDE, 'ksize': Option(positive_pair, None), 'padding': PADDING}


class CnnBasicModel(AdamModel):
    """A network of `full`, `conv`, `max` and `avg` layers, trained with Adam unless `use_adam` is set to False.

    name, dataset: as for MlpModel. hconfigs: a list of layers, each the width of a full layer or [type, {options}],
    such as [['conv', {'ksize': 3, 'chn': 6}], ['max', {'stride': 2}], 10]. show_maps: whether `visualize` also shows
    the kernels, and what every layer makes of the pictures. Raises ConfigError, which names the layer, for a
    configuration that is not understood or does not fit the pictures.

    Layer methods may run in several threads at once, each with some rows of the batch: they keep nothing on self, and
    `update_param` is called by each of them.
    """

    use_adam = True
    shared_steps = None
    layer_options = {
        'full': {'width': Option(positive_int), 'actfunc': ACTFUNC},
        'conv': {
            'ksize': Option(positive_pair),
            'chn': Option(positive_int),
            'stride': STRIDE,
            'padding': PADDING,
            'actfunc': ACTFUNC,
        },
        'max': POOLING,
        'avg': POOLING,
    }

    def __init__(self, name, dataset, hconfigs, show_maps=False):
        try:
            self.show_maps = flag(show_maps)
        except ValueError as problem:
            raise ConfigError(f'{name}: show_maps is {quoted(show_maps)}: {problem}') from None
        super().__init__(name, dataset, hconfigs)

    def init_parameters(self, hconfigs):
        """As in chapter 5, for layers of any type."""
        super().init_parameters(hconfigs)
        self.products = products_a_row(self.structure)
        self.operations = sum(learns(placed.pm) for _, placed in layers(self.structure))
        self.first_pms = first_learners(self.structure)
        self.activated_later = set()
        self.activate_after_pooling()

    # Layers of any type

    def layer_types(self):
        """{type: its options} of every type of layer that this class or one above it has; None for any options."""
        types = {}
        for cls in reversed(type(self).__mro__):
            types |= vars(cls).get('layer_options', {})
        for name in dir(type(self)):
            if found := re.fullmatch('alloc_(.+)_layer', name):
                types.setdefault(found[1], None)
        for kind in types:
            methods = [f'{step}_{kind}_layer' for step in ('alloc', 'forward', 'backprop')]
            if missing := [method for method in methods if not hasattr(self, method)]:
                raise ConfigError(f'the layer type {kind!r} needs {", ".join(methods)}; there is no {missing[0]}')
        return types

    def layer_method(self, step, hconfig):
        """The method for one step ('alloc', 'forward', 'backprop') of a layer of this type."""
        return getattr(self, f'{step}_{hconfig.type}_layer')

    def alloc_layer_param(self, input_shape, hconfig):
        """A layer's parameters pm and its output shape; shapes are those of one row, without the batch."""
        with located(hconfig.path):
            pm, output_shape = self.layer_method('alloc', hconfig)(input_shape, hconfig)
            size = math.prod(output_shape) * backend.dtype.itemsize
            self.memory_room.take(size, f'what this layer makes of one row, {list(output_shape)},')
        return pm, output_shape

    def forward_layer(self, x, hconfig, pm):
        """A layer's output y, and what its backward pass needs. hconfig: None for the output layer."""
        hconfig = hconfig or self.output_layer
        try:
            return self.layer_method('forward', hconfig)(x, hconfig, pm)
        except ConfigError as problem:
            if str(problem).startswith(f'{self.name}: '):  # a layer inside this one has said where
                raise
            raise ConfigError(f'{self.name}: {hconfig.path}: {problem}') from None

    def backprop_layer(self, G_y, hconfig, pm, aux):
        """A layer's G_x; its parameters' gradients are handed in. None, for None, below the first layer that learns."""
        hconfig = hconfig or self.output_layer
        if G_y is None:
            if learns(pm):
                raise ConfigError(f'{self.name}: {hconfig.path}: the backprop method of the layer after it gave no G_x')
            return None
        try:
            return self.layer_method('backprop', hconfig)(G_y, hconfig, pm, aux)
        except ConfigError:
            raise
        except ValueError as problem:
            refuse_misfit(self, hconfig, pm, G_y, problem)
            raise

    def is_first(self, pm):
        """Whether these are the parameters of a layer that learns and that the input reaches before any other does."""
        return id(pm) in self.first_pms

    # A batch goes through the network in as many parts as there are members in the team: see mathlib.team

    def team_size(self, rows):
        """How many threads should share so many rows."""
        return team.size(rows, rows * self.products, self.parameters.count, self.operations)

    def train_epoch(self, epoch, epoch_count, batch_size, batch_count):
        """As in chapter 5; where threads would be slower than one, processes share the steps."""
        with shared_steps(self, batch_size, batch_count) as self.shared_steps:
            try:
                return super().train_epoch(epoch, epoch_count, batch_size, batch_count)
            finally:
                self.shared_steps = None

    def forward_neuralnet(self, x):
        """x [n, *input_shape] -> output [n, outputs], and what the backward pass needs, for each member of the team."""
        check_rows(self, x)
        x = x.astype(backend.dtype, copy=False)  # pixels may be whole numbers
        if self.shared_steps is not None and self.shared_steps.takes(x):
            return self.shared_steps.forward(x), self.shared_steps
        forward = super().forward_neuralnet
        members, each = self.team_size(len(x)), len(x) * self.products / max(1, self.operations)
        parts = team.run(members, lambda member: forward(x[member.part(len(x))]), each)
        outputs, aux_parts = zip(*parts, strict=True)
        return xp.concatenate(outputs), aux_parts

    def backprop_neuralnet(self, G_output, aux):
        """As in chapter 5; the gradients that the members hand in for their rows add up to those of the batch."""
        if aux is self.shared_steps:
            self.shared_steps.backward(G_output)
            return
        backprop, rows = super().backprop_neuralnet, len(G_output)
        each = rows * self.products / max(1, self.operations)
        team.run(len(aux), lambda member: backprop(G_output[member.part(rows)], aux[member.rank]), each)

    # full

    def alloc_full_layer(self, input_shape, hconfig):
        """w [inputs, width] and b [width], whatever the shape of the input: it will be flattened."""
        return super().alloc_layer_param(input_shape, hconfig)

    def forward_full_layer(self, x, hconfig, pm):
        """y = actfunc(x w + b). x [n, ...] -> y [n, width]."""
        flat = x.reshape(len(x), -1)
        y = activate(hconfig['actfunc'], product(flat, pm['w']) + pm['b'])
        return y, [flat, y, x.shape]

    def backprop_full_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, width] -> G_x [n, ...]; hands in G_w = x^T G and G_b, the sum of G, the gradient by x w + b."""
        flat, y, shape = aux
        G = activate_grad(hconfig['actfunc'], G_y, y)
        self.update_param(pm, 'w', xp.matmul(flat.T, G))
        self.update_param(pm, 'b', G.sum(axis=0))
        return self.backprop_input(G, pm, shape)

    # conv

    def alloc_conv_layer(self, input_shape, hconfig):
        """k [kh, kw, c, o] and b [o]; the places of the kernel on the picture are worked out once and kept."""
        places = self.alloc_windows(input_shape, hconfig)
        kernel, bias = self.alloc_param_pair(self.kernel_shape(input_shape, hconfig))
        pm = {'k': kernel, 'b': bias, 'state': {'windows': places, 'actfunc': hconfig['actfunc']}}
        return pm, (*places.output_sides, hconfig['chn'])

    def kernel_shape(self, input_shape, hconfig):
        """(kh, kw, c, o): a kernel reads every channel that comes in."""
        return *hconfig['ksize'], input_shape[2], hconfig['chn']

    def forward_conv_layer(self, x, hconfig, pm):
        """y = actfunc(x * k + b), where * slides the kernel over the picture. x [n, h, w, c] -> y [n, h', w', o]."""
        x = arranged(x, pm['state']['windows'])
        y = conv2d(x, pm['k'], pm['b'], pm['state']['windows'], pm['state']['actfunc'])
        return y, [x, y]

    def backprop_conv_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, h', w', o] -> G_x [n, h, w, c], None for the first layer that learns; hands in G_k and G_b."""
        x, y = aux
        places = pm['state']['windows']
        G = activate_grad(pm['state']['actfunc'], like(G_y, y), y)
        G_k, G_b = conv2d_dw(x, G, places)
        self.update_param(pm, 'k', G_k)
        self.update_param(pm, 'b', G_b)
        return None if self.is_first(pm) else conv2d_dx(G, pm['k'], places)

    # max

    def alloc_max_layer(self, input_shape, hconfig):
        """Nothing to learn, only the places of the windows."""
        places = self.alloc_windows(input_shape, hconfig)
        return {'state': {'windows': places, 'actfunc': 'none'}}, (*places.output_sides, input_shape[2])

    def forward_max_layer(self, x, hconfig, pm):
        """The largest pixel of every window, each channel for itself. x [n, h, w, c] -> y [n, h', w', c]."""
        largest, aux = max_pool(x, pm['state']['windows'])
        y = activate(pm['state']['actfunc'], largest)
        return y, [y, aux]

    def backprop_max_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, h', w', c] -> G_x [n, h, w, c]: each number goes to the pixel that was the largest."""
        y, aux_pool = aux
        G = activate_grad(pm['state']['actfunc'], G_y, y)
        return max_pool_dx(G, pm['state']['windows'], aux_pool)

    def activate_after_pooling(self):
        """Let max pooling that follows a convolution come before its activation: the same numbers, fewer to activate.

        All activation functions rise, so the largest of their outputs is the output of the largest. A reader's own conv
        or max layer is left alone.
        """
        places = [(step, kind) for step in ('forward', 'backprop') for kind in ('conv_', 'max_', '')]
        names = ['alloc_conv_layer', 'alloc_max_layer', *(f'{step}_{kind}layer' for step, kind in places)]
        if any(getattr(type(self), name) is not getattr(CnnBasicModel, name) for name in names):
            return
        for conv, pool in pairwise(self.structure):
            if (conv.layer.type, pool.layer.type) == ('conv', 'max'):
                conv.pm['state']['actfunc'], pool.pm['state']['actfunc'] = 'none', conv.layer['actfunc']
                self.activated_later.add(conv.layer.path)

    # avg

    def alloc_avg_layer(self, input_shape, hconfig):
        """Nothing to learn, only the places of the windows."""
        places = self.alloc_windows(input_shape, hconfig)
        return {'state': {'windows': places}}, (*places.output_sides, input_shape[2])

    def forward_avg_layer(self, x, hconfig, pm):
        """The mean over every window's real pixels, each channel for itself. x [n, h, w, c] -> y [n, h', w', c]."""
        return avg_pool(x, pm['state']['windows']), None

    def backprop_avg_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, h', w', c] -> G_x [n, h, w, c]: each number is shared by the pixels of its window."""
        return avg_pool_dx(G_y, pm['state']['windows'])

    # Pictures

    def alloc_windows(self, input_shape, hconfig):
        """The Windows of a layer on its input [h, w, c]; ConfigError if that is no picture, or nothing is left."""
        if len(input_shape) != 3:
            raise ConfigError(f'{hconfig.path}: {self.no_picture(input_shape)}')
        try:
            places = self.place_windows(input_shape[:2], hconfig['ksize'] or hconfig['stride'], hconfig)
            if hconfig.type != 'conv':
                check_windows(places)
                return places
            area = max(
                math.prod(places.padded_sides), math.prod(places.ksize) * min(AT_ONCE, math.prod(places.output_sides))
            )
            size = area * input_shape[2] * backend.dtype.itemsize
            self.memory_room.check(size, f'windows of {list(places.ksize)} with padding {hconfig["padding"]!r}')
            return places
        except ConfigError as problem:
            raise ConfigError(f'{hconfig.path}: {problem}') from None

    def place_windows(self, sides, ksize, hconfig):
        """The Windows of a layer on pictures of `sides` (height, width)."""
        return windows(sides, ksize, hconfig['stride'], hconfig['padding'])

    def no_picture(self, shape):
        """What a layer that slides over pictures says of an input of another shape, and how to get pictures."""
        what = f'expected pictures [height, width, channels], but what comes in has the shape {list(shape)}. '
        if tuple(shape) == tuple(self.dataset.input_shape):
            return what + (
                f'The rows of the dataset {self.dataset.name} have it: make the dataset with the shape of a picture, '
                f'as in FlowersDataset([96, 96], [96, 96, 3])'
            )
        return what + 'A full layer flattens: put the layers for pictures before the first full layer'

    def get_maps(self, x):
        """What every layer makes of inputs x [n, *input_shape]: a list of (the layer's path, host array [n, ...])."""
        x = to_device(x)
        check_rows(self, x)
        x = x.astype(backend.dtype, copy=False)
        maps = []
        with enough_memory(self, f'the maps of {len(x)} rows', 'their number'):
            for layer, pm, _, _ in self.structure:
                x, _ = self.forward_layer(x, layer, pm)
                late = layer.path in self.activated_later
                maps.append((layer.path, to_host(activate(layer['actfunc'], x) if late else x)))
        return maps

    def visualize_rows(self, x, y):
        """The estimates for x beside the answers y; with `show_maps` also the kernels, and the maps of each row."""
        super().visualize_rows(x, y)
        if self.show_maps:
            from chapters.maps import show_maps  # matplotlib is loaded only by those who draw

            show_maps(self, x)
