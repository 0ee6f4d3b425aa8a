"""Chapter 10: what the classical networks need, from LeNet-5 to Inception-ResNet.

Their papers place windows by padding that is counted out in pixels, normalise with a scale and a shift of their own,
leave biases out, split a convolution into groups, average over whole maps, and train with losses on side heads. Each
of these is a layer or an option here; the networks themselves are configurations, in chapters.nets.
"""

import math

from chapters.ch07_cnn_basic import ACTFUNC, POOLING
from chapters.ch08_cnn_reg import EPSILON, EXP_RATIO
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.config import Container, Layer, Option, flag, letters, number, one_of, positive_int
from chapters.frozen import Frozen
from chapters.side_heads import SideHeads
from chapters.structure import learns
from mathlib import lrn
from mathlib.backend import xp
from mathlib.branches import joined
from mathlib.columns import arranged
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.errors import ConfigError
from mathlib.functions import activate, activate_grad
from mathlib.losses import smoothed
from mathlib.norm import as_factor_and_term
from mathlib.optimizers import Adam, clip_gradients, optimizer
from mathlib.planes import like
from mathlib.pool import avg_pool, avg_pool_dx
from mathlib.quoting import quoted
from mathlib.windows import windows

RESCALE = one_of(True, False, 'shift')
# What a batch normalisation can be told; None stands for what the model was told.
NORM = {
    'rescale': Option(RESCALE, True),
    'epsilon': Option(EPSILON.check, None),
    'exp_ratio': Option(EXP_RATIO.check, None),
}
HEADS = ('full', 'none')


class CnnNetModel(SideHeads, Frozen, CnnExtModel):
    """CnnExtModel with the layers and the training of the classical networks.

    name, dataset, hconfigs, show_maps, l2_decay, l1_decay, dump_structure, weight_init: as for CnnExtModel. exp_ratio,
    epsilon: of all batch normalisations that do not name their own. head: 'full' for a linear output layer as in all
    chapters, 'none' where the configuration itself ends with the outputs, [classes] a row. optimizer: a name or
    [name, {options}], see mathlib.optimizers; how its rate falls is the attribute `schedule`, see mathlib.schedules.
    label_smoothing: the share of every answer that is spread evenly over all
    classes (Szegedy 2015). clip_norm: how long the vector of all gradients may be, None for any length.
    """

    layer_options = {
        'conv': {
            **CnnExtModel.layer_options['conv'],
            'bias': Option(flag, True),
            'groups': Option(positive_int, 1),
            **NORM,
        },
        'max': {**POOLING, 'ceil': Option(flag, False)},
        'avg': {**POOLING, 'ceil': Option(flag, False), 'count_outside': Option(flag, False)},
        'batch_normal': NORM,
        'lrn': {
            'size': Option(positive_int, 5),
            # With these bounds (k + alpha * sum)^beta stays a float32 number.
            'alpha': Option(number(least=0, most=1000), 1e-4),
            'beta': Option(number(above=0, most=4), 0.75),
            'k': Option(number(least=0.001, most=1000), 2.0),
        },
        'global_avg': {},
        'activate': {'actfunc': ACTFUNC},
        'add': {
            'x': Option(flag, True),
            'actions': Option(letters('AB'), ''),
            'actfunc': ACTFUNC,
            'scale': Option(number(above=0), 1.0),
            'fill': Option(one_of('tile', 'zero'), 'tile'),
        },
        'auxiliary': {'weight': Option(number(above=0), 0.3)},
        'outputs': {},
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
        weight_init='he',
        exp_ratio=0.1,
        epsilon=1e-5,
        head='full',
        optimizer='adam',
        label_smoothing=0,
        clip_norm=None,
    ):
        checks = (
            ('head', head, one_of(*HEADS)),
            ('label_smoothing', label_smoothing, number(least=0, most=1)),
            ('clip_norm', clip_norm, lambda value: None if value is None else number(above=0)(value)),
        )
        for option, value, check in checks:
            try:
                setattr(self, option, check(value))
            except ValueError as problem:
                raise ConfigError(f'{name}: {option} is {quoted(value)}: {problem}') from None
        if label_smoothing and getattr(dataset, 'mode', None) != 'select':
            raise ConfigError(f'{name}: label_smoothing needs a dataset with one answer out of many (select)')
        super().__init__(
            name,
            dataset,
            hconfigs,
            show_maps,
            l2_decay,
            l1_decay,
            dump_structure,
            weight_init=weight_init,
            exp_ratio=exp_ratio,
            epsilon=epsilon,
        )
        self.set_optimizer(optimizer)

    def set_optimizer(self, spec):
        """Train with another optimiser from now on: a name or [name, {options}]. ConfigError if it is not known."""
        try:
            made = optimizer(spec)
        except ConfigError as problem:
            raise ConfigError(f'{self.name}: {problem}') from None
        self.optimizer_spec = spec
        # The switch of chapter 6 goes on working: with Adam off, the parameters move by plain gradient descent.
        self.use_adam = isinstance(made, Adam)
        if self.use_adam:
            self.adam = made
        else:
            self.optimizer = made

    def containers(self):
        """As in chapter 9, and side heads."""
        return {**super().containers(), 'auxiliary': Container('layer')}

    # The output layer

    def last_layer(self):
        """As in chapter 5, or a layer that only hands on what the configuration gives."""
        return super().last_layer() if self.head == 'full' else Layer('outputs', path='output layer')

    def alloc_outputs_layer(self, input_shape, hconfig):
        """Nothing to learn; what comes in must be what the dataset asks for."""
        expected = math.prod(self.dataset.output_shape)
        if tuple(input_shape) != (expected,):
            raise ConfigError(
                f"{hconfig.path}: with head='none' the configuration must end with the {expected} outputs that "
                f'{self.dataset.name} asks for, [{expected}] a row, but it gives {list(input_shape)}'
            )
        return {}, tuple(input_shape)

    def forward_outputs_layer(self, x, hconfig, pm):
        """y = x."""
        return x, None

    def backprop_outputs_layer(self, G_y, hconfig, pm, aux):
        """G_x = G_y."""
        return G_y

    def forward_layer(self, x, hconfig, pm):
        """As in chapter 9; in a test nothing is kept for a way back, so the maps of a deep network do not pile up."""
        y, aux = super().forward_layer(x, hconfig, pm)
        return y, aux if self.is_training else None

    # conv: groups, biases left out

    def kernel_shape(self, input_shape, hconfig):
        """(kh, kw, c / groups, o): the kernels of a group read the channels of that group alone."""
        channels, groups = input_shape[2], hconfig['groups']
        if channels % groups or hconfig['chn'] % groups:
            raise ConfigError(
                f'{hconfig.path}: {groups} groups must divide the {channels} channels that come in and the '
                f'{hconfig["chn"]} that go out'
            )
        return *hconfig['ksize'], channels // groups, hconfig['chn']

    def place_windows(self, sides, ksize, hconfig):
        """As in chapter 7; with `ceil` a last window may reach out of the picture."""
        return windows(sides, ksize, hconfig['stride'], hconfig['padding'], hconfig.options.get('ceil', False))

    def alloc_conv_layer(self, input_shape, hconfig):
        """As in chapter 9, with the biases left out if `bias` is False."""
        pm, output_shape = super().alloc_conv_layer(input_shape, hconfig)
        if not hconfig['bias']:
            del pm['b']
        return pm, output_shape

    def forward_conv_layer(self, x, hconfig, pm):
        """As in chapter 9. In a test a normalisation right behind the convolution is a factor and a term, known before,
        and computed with it."""
        actions = pm['state']['actions']
        if self.is_training or not actions.startswith('LB'):
            return super().forward_conv_layer(x, hconfig, pm)
        norm, state = pm['bn'], pm['bn']['state']
        numbers = state['mavg'], state['mvar'], state['hconfig']['epsilon'], norm.get('scale'), norm.get('shift')
        factor, term = as_factor_and_term(*numbers)
        actfunc = hconfig['actfunc'] if actions == 'LBA' else 'none'
        own = {'b': pm['b'] * factor + term if 'b' in pm else term, 'actfunc': actfunc, 'factor': factor}
        return self.convolved(x, hconfig, pm, **own)[0], None

    def forward_convolution(self, x, hconfig, pm):
        """Each group on its own channels, one after the other; their outputs side by side."""
        return self.convolved(x, hconfig, pm, pm.get('b'), pm['state']['actfunc'])

    def convolved(self, x, hconfig, pm, b, actfunc, factor=None):
        """y = actfunc((x * k) factor + b), and what the way back needs."""
        places = pm['state']['windows']
        xs = [arranged(x[..., part], places) for part in _parts(x.shape[3], hconfig['groups'])]
        ys = []
        for x_part, part in zip(xs, _parts(hconfig['chn'], hconfig['groups']), strict=True):
            bias, times = (None if each is None else each[part] for each in (b, factor))
            ys.append(conv2d(x_part, pm['k'][..., part], bias, places, actfunc, times))
        y = ys[0] if len(ys) == 1 else joined(ys)
        return y, [xs, y]

    def backprop_convolution(self, G_y, hconfig, pm, aux):
        """The same for G_y: each group's part of G_k, G_b and G_x."""
        xs, y = aux
        places, own = pm['state']['windows'], _parts(hconfig['chn'], hconfig['groups'])
        G = activate_grad(pm['state']['actfunc'], like(G_y, y), y)
        if not self.is_frozen(pm):
            G_ks, G_bs = zip(
                *(conv2d_dw(x, G[..., part], places) for x, part in zip(xs, own, strict=True)), strict=True
            )
            self.update_param(pm, 'k', xp.concatenate(G_ks, axis=-1))
            if 'b' in pm:
                self.update_param(pm, 'b', xp.concatenate(G_bs))
        # A normalisation before the convolution may learn too, even if nothing before this layer does.
        if self.is_first(pm) and not (actions_before(pm) and learns(pm.get('bn', {}))):
            return None
        G_xs = [conv2d_dx(G[..., part], pm['k'][..., part], places) for part in own]
        return G_xs[0] if len(G_xs) == 1 else joined(G_xs)

    # batch normalisation: a shift alone, numbers of the model

    def alloc_action_norm(self, shape, hconfig, rescale):
        """As in chapter 9, with the options of the layer that it belongs to, where it has them."""
        options = {name: hconfig.options.get(name, option.default) for name, option in NORM.items()}
        return self.alloc_batch_normal_layer(shape, Layer('batch_normal', options, path=hconfig.path))[0]

    def alloc_batch_normal_layer(self, input_shape, hconfig):
        """As in chapter 8; rescale 'shift' learns the shift alone. What holds instead of None stands in its state."""
        own = {name: getattr(self, name) for name in ('epsilon', 'exp_ratio') if hconfig[name] is None}
        pm, output_shape = super().alloc_batch_normal_layer(input_shape, hconfig)
        if hconfig['rescale'] == 'shift':
            del pm['scale']
        pm['state']['hconfig'] = Layer('batch_normal', {**hconfig.options, **own}, path=hconfig.path)
        return pm, output_shape

    def forward_batch_normal_layer(self, x, hconfig, pm):
        """As in chapter 8."""
        return super().forward_batch_normal_layer(x, pm['state']['hconfig'], pm)

    # avg: places outside may count

    def forward_avg_layer(self, x, hconfig, pm):
        """As in chapter 7; with `count_outside` places outside of the picture count as zeros."""
        if hconfig['count_outside']:
            return avg_pool(x, pm['state']['windows'], _around(hconfig['padding'])), None
        return super().forward_avg_layer(x, hconfig, pm)

    def backprop_avg_layer(self, G_y, hconfig, pm, aux):
        """The same way back."""
        if hconfig['count_outside']:
            return avg_pool_dx(G_y, pm['state']['windows'], _around(hconfig['padding']))
        return super().backprop_avg_layer(G_y, hconfig, pm, aux)

    # lrn

    def alloc_lrn_layer(self, input_shape, hconfig):
        """Nothing to learn."""
        if len(input_shape) != 3:
            raise ConfigError(f'{hconfig.path}: {self.no_picture(input_shape)}')
        return {}, input_shape

    def forward_lrn_layer(self, x, hconfig, pm):
        """Local response normalisation: each number divided by what its neighbours in other channels amount to."""
        # Of all the channels around one there are no more than twice as many as there are.
        size = min(hconfig['size'], 2 * x.shape[3] + 1)
        return lrn.lrn(x, size, hconfig['alpha'], hconfig['beta'], hconfig['k'])

    def backprop_lrn_layer(self, G_y, hconfig, pm, aux):
        """The same way back."""
        return lrn.lrn_dx(G_y, aux)

    # global_avg

    def alloc_global_avg_layer(self, input_shape, hconfig):
        """Nothing to learn. [h, w, c] -> [c], whatever the sides (Lin 2013)."""
        if len(input_shape) != 3:
            raise ConfigError(f'{hconfig.path}: {self.no_picture(input_shape)}')
        return {}, input_shape[2:]

    def forward_global_avg_layer(self, x, hconfig, pm):
        """y = the mean of every map. x [n, h, w, c] -> y [n, c]."""
        return x.mean(axis=(1, 2)), x.shape

    def backprop_global_avg_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, c] -> G_x [n, h, w, c]: every pixel has an equal share."""
        share = 1 / (aux[1] * aux[2])
        return xp.broadcast_to((G_y * share)[:, None, None], aux)

    # activate

    def alloc_activate_layer(self, input_shape, hconfig):
        """Nothing to learn."""
        return {}, input_shape

    def forward_activate_layer(self, x, hconfig, pm):
        """y = actfunc(x), of any shape."""
        y = activate(hconfig['actfunc'], x)
        return y, y

    def backprop_activate_layer(self, G_y, hconfig, pm, aux):
        """G_x = G_y times the slope, which y tells."""
        return activate_grad(hconfig['actfunc'], G_y, aux)

    # add: branches scaled down, channels that are missing taken as zero

    def add_up(self, ys, hconfig):
        """The sum of the branches times `scale`, and of x; missing channels are repeated, or zero with 'zero'."""
        count = len(hconfig.children)
        if hconfig['scale'] != 1:
            ys = [y * hconfig['scale'] for y in ys[:count]] + list(ys[count:])
        if hconfig['fill'] == 'tile':
            return super().add_up(ys, hconfig)
        total = ys[0].copy(order='K')
        for y in ys[1:]:
            total[..., : y.shape[-1]] += y
        return total

    def hand_out(self, G_sum, channels, hconfig):
        """The gradients by the summands."""
        if hconfig['fill'] == 'tile':
            Gs = super().hand_out(G_sum, channels, hconfig)
        else:
            Gs = [G_sum[..., :each] for each in channels]
        if hconfig['scale'] == 1:
            return Gs
        count = len(hconfig.children)
        return [G * hconfig['scale'] for G in Gs[:count]] + Gs[count:]

    # Loss and update

    def forward_postproc(self, output, y):
        """As in chapter 5, with the losses of the side heads, for smoothed answers."""
        if self.label_smoothing:
            y = smoothed(y, self.label_smoothing)
        return super().forward_postproc(output, y)

    def apply_gradients(self):
        """As in chapter 8, with gradients that are not too long."""
        if self.clip_norm is not None:
            clip_gradients(self.parameters, self.clip_norm)
        super().apply_gradients()


def actions_before(pm):
    """The actions of a conv layer that come before the convolution itself."""
    return pm['state']['actions'].partition('L')[0]


def _around(padding):
    """The places that count as zeros: those of the padding, none that a last window reaches beyond it with `ceil`."""
    if isinstance(padding, str):
        return True
    return ((padding, padding),) * 2 if isinstance(padding, int) else padding


def _parts(channels, groups):
    """The channels of each group, as slices."""
    each = channels // groups
    return [slice(start, start + each) for start in range(0, channels, each)]
