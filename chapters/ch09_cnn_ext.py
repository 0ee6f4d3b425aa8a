"""Chapter 9: networks with branches, shortcuts and repeated parts, built from a configuration.

Inception (Szegedy 2014) lets several convolutions look at the same maps, `parallel`; residual networks (He 2015) let
the input of a block go around it, `add`. `serial` and `loop` make one layer of many, and a macro, `custom`, gives a
part of a network a name. All of them are layers that hold layers: their pm holds the pms of their parts, and forward
and backward go through the parts by the same two methods as through the network itself.
"""

import math

from chapters.ch07_cnn_basic import ACTFUNC, CnnBasicModel
from chapters.ch08_cnn_reg import EPSILON, EXP_RATIO, CnnRegModel
from chapters.config import Container, Layer, Option, flag, letters, normalize, one_of, positive_int, word
from chapters.macros import check_args, check_macro, expand
from chapters.structure import Placed, dump_lines, neighbours
from mathlib.backend import to_host
from mathlib.branches import joined, summed, summed_tiled, untiled
from mathlib.errors import ConfigError
from mathlib.functions import activate, activate_grad
from mathlib.pool import avg_pool, avg_pool_dx
from mathlib.quoting import quoted

# How large new weights are: from the book's standard deviation and the numbers of inputs and outputs of a unit.
WEIGHT_STD = {
    'normal': lambda rand_std, inputs, outputs: rand_std,
    'he': lambda rand_std, inputs, outputs: math.sqrt(2 / inputs),
    'glorot': lambda rand_std, inputs, outputs: math.sqrt(2 / (inputs + outputs)),
}


class CnnExtModel(CnnRegModel):
    """CnnRegModel with layers that hold layers: `parallel`, `serial`, `add`, `loop`, `custom`; and `actions` of a conv.

    name, dataset, hconfigs, show_maps, l2_decay, l1_decay: as for CnnRegModel. dump_structure: whether to print all
    layers, with their shapes and parameter counts. weight_init: 'normal', the book's standard deviation of 0.030 for
    every layer; 'he' (He 2015) or 'glorot' (Glorot and Bengio 2010), which keep the signal alive through many layers.
    exp_ratio, epsilon: of the batch normalisations that a 'B' in `actions` stands for.
    """

    macros = {}
    reserved = ()
    layer_options = {
        'conv': {**CnnBasicModel.layer_options['conv'], 'actions': Option(letters('LAB', needed='L'), 'LA')},
        'parallel': {},
        'serial': {},
        'add': {'x': Option(flag, True), 'actions': Option(letters('AB'), ''), 'actfunc': ACTFUNC},
        'loop': {'repeat': Option(positive_int, 1)},
        'custom': {'name': Option(word), 'args': Option(check_args, {})},
    }

    def __init__(
        self,
        name,
        dataset,
        hconfigs,
        show_maps=False,
        l2_decay=0,
        l1_decay=0,
        dump_structure=False,
        *,
        weight_init='normal',
        exp_ratio=EXP_RATIO.default,
        epsilon=EPSILON.default,
    ):
        checks = (
            ('weight_init', weight_init, one_of(*WEIGHT_STD)),
            ('exp_ratio', exp_ratio, EXP_RATIO.check),
            ('epsilon', epsilon, EPSILON.check),
            ('dump_structure', dump_structure, flag),
        )
        for option, value, check in checks:
            try:
                setattr(self, option, check(value))
            except ValueError as problem:
                raise ConfigError(f'{name}: {option} is {quoted(value)}: {problem}') from None
        super().__init__(name, dataset, hconfigs, show_maps, l2_decay, l1_decay)
        if dump_structure:
            print('\n'.join(dump_lines(self)))

    # Macros

    @staticmethod
    def set_macro(name, config):
        """Give a layer's configuration a name, under which ['custom', {'name': name, 'args': {...}}] stands for it.

        config may hold words such as '#chn', for which `args` gives values. A macro of that name is replaced, for
        models that are made from now on. Raises ConfigError for a config that is not one layer, and for the name of a
        macro that the book's networks are made of.
        """
        if name in CnnExtModel.reserved:
            raise ConfigError(f'macro {name!r}: networks of the book are made of it, so give yours another name')
        CnnExtModel.macros[name] = check_macro(name, config)

    @staticmethod
    def get_macro(name, args=None):
        """The configuration that a macro stands for with these args. Raises ConfigError where they do not fit."""
        try:
            check_args(args or {})
        except ValueError as problem:
            raise ConfigError(f"custom {name}: 'args' is {args!r}: {problem}") from None
        return expand(CnnExtModel.macros, name, args or {}, f'custom {name}')

    def normalized(self, hconfigs):
        """As in chapter 5, with layers inside layers and the macros filled in."""
        return normalize(hconfigs, self.layer_types(), self.containers())

    def containers(self):
        """The layer types that hold layers: {type: Container}."""
        return {
            'parallel': Container('branch'),
            'serial': Container('layer'),
            'add': Container('branch'),
            'loop': Container('layer', most=1, turns='repeat'),
            'custom': Container(
                'layer', 1, lambda options, path: expand(self.macros, options['name'], options['args'], path)
            ),
        }

    # Parts of layers

    def weight_std(self, shape):
        """The standard deviation of new weights [..., inputs, outputs] by `weight_init`."""
        *window, inputs, outputs = shape
        area = math.prod(window)
        return WEIGHT_STD[self.weight_init](self.rand_std, area * inputs, area * outputs)

    def alloc_parts(self, shapes, hconfigs):
        """The parameters of the layers inside a container, and their output shapes, both in order.

        shapes: what goes into each, or a single shape for layers of which each takes what the one before it gives.
        """
        placed = []
        for n, hconfig in enumerate(hconfigs):
            input_shape = shapes[n] if isinstance(shapes, list) else placed[-1].output_shape if placed else shapes
            pm, output_shape = self.alloc_layer_param(input_shape, hconfig)
            placed.append(Placed(hconfig, pm, input_shape, output_shape))
        return {'pms': [each.pm for each in placed], 'placed': tuple(placed)}

    # parallel

    def alloc_parallel_layer(self, input_shape, hconfig):
        """The parameters of every branch; the output has the channels of all of them."""
        pm = self.alloc_parts([input_shape] * len(hconfig.children), hconfig.children)
        first, *others = shapes = [branch.output_shape for branch in pm['placed']]
        for n, shape in enumerate(others, 2):
            if shape[:-1] != first[:-1]:
                raise ConfigError(
                    f'{hconfig.path}: the branches must give maps of the same size, to be joined: branch 1 gives '
                    f'{list(first)}, but branch {n} gives {list(shape)}'
                )
        return pm, (*first[:-1], sum(shape[-1] for shape in shapes))

    def forward_parallel_layer(self, x, hconfig, pm):
        """The outputs of all branches, one channel after the other. x [n, h, w, c] -> y [n, h', w', c1 + c2 + ...]."""
        results = [self.forward_layer(x, *branch) for branch in zip(hconfig.children, pm['pms'], strict=True)]
        ys, auxes = zip(*results, strict=True)
        return joined(ys), [auxes, [y.shape[-1] for y in ys]]

    def backprop_parallel_layer(self, G_y, hconfig, pm, aux):
        """Every branch gets the channels of G_y that it made, and no others; G_x is the sum of what they give back."""
        G_xs, start = [], 0
        for child, branch, aux_branch, channels in zip(hconfig.children, pm['pms'], *aux, strict=True):
            G_xs.append(self.backprop_layer(G_y[..., start : start + channels], child, branch, aux_branch))
            start += channels
        return summed(G_xs)

    # serial

    def alloc_serial_layer(self, input_shape, hconfig):
        """The parameters of every layer, one after the other."""
        pm = self.alloc_parts(input_shape, hconfig.children)
        return pm, pm['placed'][-1].output_shape

    def forward_serial_layer(self, x, hconfig, pm):
        """Each layer takes what the one before it gives."""
        return self.forward_line(x, hconfig.children, pm['pms'])

    def backprop_serial_layer(self, G_y, hconfig, pm, aux):
        """The same way back."""
        return self.backprop_line(G_y, hconfig.children, pm['pms'], aux)

    def forward_line(self, x, hconfigs, pms):
        """Layers one after the other: y, and what each of them needs for its backward pass."""
        auxes = []
        for hconfig, pm in zip(hconfigs, pms, strict=True):
            x, aux = self.forward_layer(x, hconfig, pm)
            auxes.append(aux)
        return x, auxes

    def backprop_line(self, G_y, hconfigs, pms, auxes):
        """Layers one after the other, the last one first: G_x."""
        for layer in reversed(list(zip(hconfigs, pms, auxes, strict=True))):
            G_y = self.backprop_layer(G_y, *layer)
        return G_y

    # loop

    def alloc_loop_layer(self, input_shape, hconfig):
        """The parameters of every turn: the same layer again and again, each time with its own."""
        pm = self.alloc_parts(input_shape, hconfig.children * hconfig['repeat'])
        return pm, pm['placed'][-1].output_shape

    def forward_loop_layer(self, x, hconfig, pm):
        """One turn after the other."""
        return self.forward_line(x, hconfig.children * hconfig['repeat'], pm['pms'])

    def backprop_loop_layer(self, G_y, hconfig, pm, aux):
        """The last turn first."""
        return self.backprop_line(G_y, hconfig.children * hconfig['repeat'], pm['pms'], aux)

    # custom

    def alloc_custom_layer(self, input_shape, hconfig):
        """The parameters of the layer that the macro stands for."""
        return self.alloc_serial_layer(input_shape, hconfig)

    def forward_custom_layer(self, x, hconfig, pm):
        """What the layer that the macro stands for does."""
        return self.forward_serial_layer(x, hconfig, pm)

    def backprop_custom_layer(self, G_y, hconfig, pm, aux):
        """The same way back."""
        return self.backprop_serial_layer(G_y, hconfig, pm, aux)

    # add

    def alloc_add_layer(self, input_shape, hconfig):
        """The parameters of every branch; a 'B' among the actions has a scale and a shift of its own."""
        pm = self.alloc_parts([input_shape] * len(hconfig.children), hconfig.children)
        first, *others = [branch.output_shape for branch in pm['placed']]
        summands = [(f'branch {n}', shape) for n, shape in enumerate(others, 2)]
        summands += [('the input', tuple(input_shape))] if hconfig['x'] else []
        for what, shape in summands:
            if shape[:-1] != first[:-1] or first[-1] % shape[-1]:
                raise ConfigError(
                    f'{hconfig.path}: {what}, {list(shape)}, cannot be added to branch 1, {list(first)}: expected maps '
                    f'of the same size, with as many channels or with a number of them that divides {first[-1]}'
                    + ("; leave the input out with 'x': False" if what == 'the input' else '')
                )
        if 'B' in hconfig['actions']:
            pm['bn'] = self.alloc_action_norm(first, hconfig, rescale=True)
        return pm, first

    def forward_add_layer(self, x, hconfig, pm):
        """The sum of the branches, and of x itself: what has fewer channels than the first branch is repeated."""
        results = [self.forward_layer(x, *branch) for branch in zip(hconfig.children, pm['pms'], strict=True)]
        ys, auxes = zip(*results, strict=True)
        ys = [*ys, x] if hconfig['x'] else ys
        y, aux_actions = self.forward_actions(self.add_up(ys, hconfig), hconfig['actions'], hconfig, pm)
        return y, [auxes, aux_actions, [each.shape[-1] for each in ys]]

    def backprop_add_layer(self, G_y, hconfig, pm, aux):
        """Every summand gets the whole of G_y; one whose channels were repeated, the sum over the repetitions."""
        auxes, aux_actions, channels = aux
        G_sum = self.backprop_actions(G_y, hconfig['actions'], hconfig, pm, aux_actions)
        Gs = self.hand_out(G_sum, channels, hconfig)
        # The last one, where there is one more than branches, is that of x itself.
        branches = zip(Gs, hconfig.children, pm['pms'], auxes, strict=False)
        return summed([*(self.backprop_layer(*branch) for branch in branches), *Gs[len(auxes) :]])

    def add_up(self, ys, hconfig):
        """The sum of what the branches gave, and of x itself, the last one, if it is added."""
        return summed_tiled(ys)

    def hand_out(self, G_sum, channels, hconfig):
        """The gradients by the summands, which had so many channels."""
        return [untiled(G_sum, count) for count in channels]

    # conv: a convolution L, its activation A and a batch normalisation B, in the order of `actions`

    def alloc_conv_layer(self, input_shape, hconfig):
        """As in chapter 7; a 'B' among the actions has neither scale nor shift."""
        pm, output_shape = super().alloc_conv_layer(input_shape, hconfig)
        actions = hconfig['actions']
        if 'B' in actions:
            before = actions.index('B') < actions.index('L')
            pm['bn'] = self.alloc_action_norm(input_shape if before else output_shape, hconfig, rescale=False)
        # An activation right after the convolution is computed with it, block by block.
        if 'LA' not in actions:
            pm['state']['actfunc'] = 'none'
        pm['state']['actions'] = actions.replace('LA', 'L')
        return pm, output_shape

    def forward_conv_layer(self, x, hconfig, pm):
        """What `actions` says. x [n, h, w, c] -> y [n, h', w', o]."""
        return self.forward_actions(x, pm['state']['actions'], hconfig, pm)

    def backprop_conv_layer(self, G_y, hconfig, pm, aux):
        """The actions the other way round."""
        return self.backprop_actions(G_y, pm['state']['actions'], hconfig, pm, aux)

    # avg

    def average_later(self):
        """Let averages at a stride of 1 come after the 1x1 convolution behind them, if that leaves fewer channels.

        One adds up pixels, the other channels, so their order makes no difference; nor to the bias, for a mean of equal
        numbers is that number. A reader's own conv or avg layer is left alone.
        """
        names = [f'{step}_{kind}_layer' for step in ('alloc', 'forward', 'backprop') for kind in ('conv', 'avg')]
        if any(not getattr(type(self), name).__module__.startswith('chapters.ch') for name in names):
            return
        for avg, conv in neighbours(self.structure):
            if (avg.layer.type, conv.layer.type) != ('avg', 'conv') or avg.input_shape != avg.output_shape:
                continue
            single = conv.layer['ksize'] == conv.layer['stride'] == (1, 1) and not avg.layer.options.get(
                'count_outside'
            )
            if single and conv.layer['actions'][0] == 'L' and conv.output_shape[2] < conv.input_shape[2]:
                avg.pm['state']['later'] = True
                conv.pm['state']['actfunc'] = 'none'
                conv.pm['state']['actions'] = 'LP' + conv.layer['actions'][1:]
                conv.pm['state']['pooled'] = avg.pm['state']['windows']

    def forward_avg_layer(self, x, hconfig, pm):
        """As in chapter 7, unless the convolution behind this layer averages."""
        return (x, None) if 'later' in pm['state'] else super().forward_avg_layer(x, hconfig, pm)

    def backprop_avg_layer(self, G_y, hconfig, pm, aux):
        """The same way back."""
        return G_y if 'later' in pm['state'] else super().backprop_avg_layer(G_y, hconfig, pm, aux)

    def forward_convolution(self, x, hconfig, pm):
        """The convolution alone, with an activation right behind it: chapter 7's conv layer."""
        return super().forward_conv_layer(x, hconfig, pm)

    def backprop_convolution(self, G_y, hconfig, pm, aux):
        """The same way back."""
        return super().backprop_conv_layer(G_y, hconfig, pm, aux)

    # Actions of conv and add

    def alloc_action_norm(self, shape, hconfig, rescale):
        """The pm of the batch normalisation that a 'B' stands for; its options stand in its state."""
        options = {'rescale': rescale, 'epsilon': self.epsilon, 'exp_ratio': self.exp_ratio}
        layer = Layer('batch_normal', options, path=hconfig.path)
        pm, _ = self.alloc_batch_normal_layer(shape, layer)
        pm['state']['hconfig'] = layer
        return pm

    def forward_actions(self, x, actions, hconfig, pm):
        """One action after the other: y, and what each needs for its backward pass."""
        auxes = []
        for action in actions:
            if action == 'L':
                x, aux = self.forward_convolution(x, hconfig, pm)
            elif action == 'A':
                x = aux = activate(hconfig['actfunc'], x)
            elif action == 'P':
                x, aux = avg_pool(x, pm['state']['pooled']), None
            else:
                x, aux = self.forward_batch_normal_layer(x, pm['bn']['state']['hconfig'], pm['bn'])
            auxes.append(aux)
        return x, auxes

    def backprop_actions(self, G_y, actions, hconfig, pm, auxes):
        """The last action first: G_x, or None where an action before needs none."""
        for action, aux in reversed(list(zip(actions, auxes, strict=True))):
            if G_y is None:
                return None
            if action == 'L':
                G_y = self.backprop_convolution(G_y, hconfig, pm, aux)
            elif action == 'A':
                G_y = activate_grad(hconfig['actfunc'], G_y, aux)
            elif action == 'P':
                G_y = avg_pool_dx(G_y, pm['state']['pooled'])
            else:
                G_y = self.backprop_batch_normal_layer(G_y, pm['bn']['state']['hconfig'], pm['bn'], aux)
        return G_y

    # Maps of the layers inside layers

    def init_parameters(self, hconfigs):
        """As in chapter 8."""
        self.recorded = None
        super().init_parameters(hconfigs)
        self.average_later()

    def forward_layer(self, x, hconfig, pm):
        """As in chapter 7; while `get_maps` looks on, what comes out of every plain layer is kept."""
        y, aux = super().forward_layer(x, hconfig, pm)
        if self.recorded is not None and not (hconfig and hconfig.children):
            late = 'later' in pm.get('state', ())
            shown = avg_pool(y, pm['state']['windows']) if late else y
            self.recorded.append(((hconfig or self.output_layer).path, to_host(shown)))
        return y, aux

    def get_maps(self, x):
        """What every plain layer makes of inputs x [n, *input_shape]: a list of (the layer's path, host array)."""
        self.recorded = []
        try:
            super().get_maps(x)
            return self.recorded
        finally:
            self.recorded = None
