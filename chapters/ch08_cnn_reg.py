"""Chapter 8: regularisation (정규화), against learning the training data by heart.

A network that knows its training data better than new data overfits (과적합). Four remedies: weight decay keeps the
weights small, dropout and noise make every step see something a little different, and batch normalisation keeps the
numbers inside the network at one scale, which also lets it learn faster.
"""

import numpy as np

from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.config import Option, flag, number, one_of
from mathlib import backend, rng
from mathlib.backend import to_device, to_host, xp
from mathlib.errors import ConfigError
from mathlib.norm import batch_norm, batch_norm_dx, normalize
from mathlib.quoting import quoted
from mathlib.team import member

# A weight this close to zero is as good as none.
NEAR_ZERO = 1e-5
# The book's batch normalisation: what is added to a variance, and how far the moving averages go in a step.
EPSILON = Option(number(above=0), 1e-10)
EXP_RATIO = Option(number(above=0, most=1), 0.001)
DECAY = number(least=0)
# How often the members of a team meet for one batch normalisation, forward and back.
MEETINGS = 2
# A number no batch has as many rows as: the stream of what is drawn once for a whole batch.
WHOLE_BATCH = 2**62


class CnnRegModel(CnnBasicModel):
    """CnnBasicModel with layers of type `dropout`, `noise` and `batch_normal`, and with weight decay.

    name, dataset, hconfigs, show_maps: as for CnnBasicModel. l2_decay, l1_decay: how strongly the squares and the
    absolute values of all weights (not of biases) count in the cost; 0 for not at all.
    """

    layer_options = {
        'dropout': {'keep_prob': Option(number(above=0, most=1))},
        'noise': {
            'type': Option(one_of('normal'), 'normal'),
            'mean': Option(number(), 0.0),
            'std': Option(number(least=0), 1.0),
            'ratio': Option(number(least=0, most=1), 1.0),
        },
        'batch_normal': {
            'rescale': Option(flag, True),
            'epsilon': EPSILON,
            'exp_ratio': EXP_RATIO,
        },
    }

    def __init__(self, name, dataset, hconfigs, show_maps=False, l2_decay=0, l1_decay=0):
        for option, value in (('l2_decay', l2_decay), ('l1_decay', l1_decay)):
            try:
                setattr(self, option, DECAY(value))
            except ValueError as problem:
                raise ConfigError(f'{name}: {option} is {quoted(value)}: {problem}') from None
        super().__init__(name, dataset, hconfigs, show_maps)

    def exec_all(
        self,
        epoch_count=10,
        batch_size=10,
        learning_rate=0.001,
        report=0,
        show_cnt=3,
        show_params=False,
        **checkpoints,
    ):
        """As in chapter 5; show_params: whether to show at the end how the weights are distributed."""
        history = super().exec_all(epoch_count, batch_size, learning_rate, report, show_cnt, **checkpoints)
        if show_params:
            self.show_param_dist()
        return history

    # What is drawn at random, and statistics of the batch, must not depend on which thread has which rows

    def init_parameters(self, hconfigs):
        """As in chapter 7; every layer that draws at random gets a number."""
        self.random_layers = self.normalisations = 0
        self.random_key = None
        super().init_parameters(hconfigs)
        self.operations += MEETINGS * self.normalisations

    def forward_neuralnet(self, x):
        """As in chapter 7; in training, one key is drawn for all that layers draw at random in this step."""
        self.batch_rows = len(x)
        if self.is_training and self.random_layers:
            self.random_key = self.new_random_key()
        return super().forward_neuralnet(x)

    def new_random_key(self):
        """The key of all that layers draw in one step, from the book's stream."""
        return rng.draw_key()

    def random_state(self):
        """What a layer that draws at random keeps: its number, from 0."""
        self.random_layers += 1
        return {'layer': self.random_layers - 1}

    def random_rows(self, pm, x, fill):
        """An array like x, this member's rows of the batch; fill(generator, row) draws each of them in place.

        A picture is drawn channel by channel, the order in which maps of few channels lie in memory. On a GPU the
        numbers are drawn on the host too, so that both backends draw the same.
        """
        shape = (x.shape[3], *x.shape[1:3]) if x.ndim == 4 else x.shape[1:]
        drawn = np.empty((len(x), *shape), backend.dtype)
        start = member().part(self.batch_rows).start
        rows = range(start, start + len(x))
        for generator, row in zip(rng.row_streams(self.random_key, pm['state']['layer'], rows), drawn, strict=True):
            fill(generator, row)
        drawn = to_device(drawn)
        return drawn.transpose(0, 2, 3, 1) if x.ndim == 4 else drawn

    # dropout

    def alloc_dropout_layer(self, input_shape, hconfig):
        """Nothing to learn."""
        return {'state': self.random_state()}, input_shape

    def forward_dropout_layer(self, x, hconfig, pm):
        """In training each number is set to 0, or kept with the probability keep_prob and divided by it: see Srivastava
        2014. So on the average y is x, and in a test y is x."""
        if not self.is_training:
            return x, None
        keep_prob = hconfig['keep_prob']

        def fill(generator, row):
            generator.random(out=row, dtype=row.dtype)
            np.less(row, keep_prob, out=row)
            row /= keep_prob

        mask = self.random_rows(pm, x, fill)
        return xp.multiply(x, mask, out=xp.empty_like(x)), mask

    def backprop_dropout_layer(self, G_y, hconfig, pm, aux):
        """G_x = G_y times the mask: what was set to 0 has no influence."""
        return xp.multiply(G_y, aux, out=xp.empty_like(G_y))

    # noise

    def alloc_noise_layer(self, input_shape, hconfig):
        """Nothing to learn."""
        return {'state': self.random_state()}, input_shape

    def forward_noise_layer(self, x, hconfig, pm):
        """In training, y = x + normal(mean, std); ratio: the share of the steps that have noise at all."""
        if not self.is_training:
            return x, None
        (whole,) = (stream.random() for stream in rng.row_streams(self.random_key, pm['state']['layer'], [WHOLE_BATCH]))
        if whole >= hconfig['ratio']:
            return x, None

        def fill(generator, row):
            generator.standard_normal(out=row, dtype=row.dtype)
            row *= hconfig['std']
            row += hconfig['mean']

        return xp.add(x, self.random_rows(pm, x, fill), out=xp.empty_like(x)), None

    def backprop_noise_layer(self, G_y, hconfig, pm, aux):
        """G_x = G_y: the noise was added."""
        return G_y

    # batch_normal

    def alloc_batch_normal_layer(self, input_shape, hconfig):
        """scale and shift [c] to learn, if rescale; mavg and mvar [c], the moving averages of mean and variance."""
        self.normalisations += 1
        channels = input_shape[-1]
        pm = {'scale': np.ones(channels), 'shift': np.zeros(channels)} if hconfig['rescale'] else {}
        pm['state'] = {'mavg': to_device(np.zeros(channels)), 'mvar': to_device(np.ones(channels))}
        return pm, input_shape

    def forward_batch_normal_layer(self, x, hconfig, pm):
        """y = (x - mean) / sqrt(variance + epsilon) * scale + shift, channel by channel (Ioffe and Szegedy 2015).

        In training mean and variance are those of the batch, and the moving averages go a step of exp_ratio towards
        them; in a test they are the moving averages. x [n, h, w, c] or [n, c] -> y.
        """
        state, epsilon = pm['state'], hconfig['epsilon']
        scale, shift = pm.get('scale'), pm.get('shift')
        if not self.is_training:
            return normalize(x, state['mavg'], state['mvar'], epsilon, scale, shift), None
        y, aux, mean, variance = batch_norm(x, epsilon, scale, shift)
        if member().rank == 0:
            state['mavg'] += hconfig['exp_ratio'] * (mean - state['mavg'])
            state['mvar'] += hconfig['exp_ratio'] * (variance - state['mvar'])
        return y, aux

    def backprop_batch_normal_layer(self, G_y, hconfig, pm, aux):
        """G_y -> G_x, through mean and variance as well, for they depend on x; hands in G_scale and G_shift."""
        G_x, G_scale, G_shift = batch_norm_dx(G_y, aux, wanted=not self.is_first(pm))
        for key, gradient in (('scale', G_scale), ('shift', G_shift)):
            if key in pm:
                self.update_param(pm, key, gradient)
        return G_x

    # Weight decay (가중치 감쇠)

    def forward_extra_cost(self, y):
        """l2_decay / 2 times the sum of all squared weights, plus l1_decay times that of their absolute values."""
        if not self.l2_decay and not self.l1_decay:
            return 0, None
        cost = 0
        for weights in self.decaying():
            flat = weights.ravel()
            cost = cost + self.l2_decay / 2 * xp.dot(flat, flat) + self.l1_decay * xp.abs(flat).sum()
        return cost, None

    def extra_gradients(self):
        """The gradient of the extra cost by all parameters, a flat vector; None where there is no decay."""
        if not self.l2_decay and not self.l1_decay:
            return None
        gradients = xp.zeros_like(self.parameters.values)
        for slot in self.parameters.slots():
            if is_weight(slot.name):
                values = self.parameters.values[slot.part]
                gradients[slot.part] = self.l2_decay * values + self.l1_decay * xp.sign(values)
        return gradients

    def apply_gradients(self):
        """One step of the optimiser, and beside it one of the decay.

        As in the book, the decay does not go through Adam, which would divide it by the size of the gradients: it is
        what Loshchilov and Hutter 2017 call decoupled.
        """
        decay = self.extra_gradients()
        super().apply_gradients()
        if decay is not None:
            self.parameters.values -= self.learning_rate * decay

    def decaying(self):
        """The arrays that decay: all weights and kernels, those of layers inside others included."""
        return [values for name, values, _ in self.parameters.items() if is_weight(name)]

    # The weights as a picture

    def collect_params(self):
        """All weights and kernels of the network in one host vector."""
        return np.concatenate([to_host(values).ravel() for values in self.decaying()])

    def show_param_dist(self):
        """Show how the weights are distributed, and print how many are as good as zero."""
        from chapters.figures import plot_parameters  # matplotlib is loaded only by those who draw
        from data.show import show_figure

        values = self.collect_params()
        show_figure(lambda: plot_parameters(values, self.name))
        near = int((np.abs(values) <= NEAR_ZERO).sum())
        print(f'Near 0 parameters = {100 * near / len(values):4.1f}%({near}/{len(values)})')


def is_weight(name):
    """Whether a parameter of that name is a weight or a kernel, rather than a bias, a scale or a shift."""
    return name.rsplit('.', 1)[-1] in ('w', 'k')
