"""Appendix: what the book's own code does otherwise, one mistake a class, to be measured beside what is right.

Checked against finite differences, the book's backward pass is wrong in four places of chapters 8 and 9, and the cost
that it reports in a fifth. Each class below is CnnExtModel with one of these mistakes and nothing else changed;
BookExtModel has them all. The networks of chapter 8 are configurations of CnnExtModel too.

=====================  =================================================  ==========================
ParallelFirstSlice     parallel: which slice of G_y a branch gets         gradients
AvgWrongAxis           avg with overlapping windows: whose gradient       gradients
AddInPlace             add: the ReLU derivative below the sum             gradients
BatchNormConstants     batch normalisation: mean and variance             gradients, and how it learns
DecayCostUnscaled      weight decay: the cost reported                    nothing but what is printed
=====================  =================================================  ==========================

Two more deviations need no class. Chapter 6 means to compare Adam, but switches it on for the model that has been
trained already, `office31_model_2` in place of the new one; `ch06_office31_model_3`, one of the experiments, is the
comparison that was meant. And with an exp_ratio of 0.001, the book's setting and the default here, the moving averages
of batch normalisation lag a thousand steps and more behind the training, so that a test normalises with other numbers
than the training did, and an epsilon of 1e-10 lets it multiply a channel that hardly varies by up to 100,000: other
settings are other arguments of CnnExtModel.

BookExtModel leaves out two things. One is no mistake: in a convolution with a stride the book computes every pixel,
normalises over all of them and drops most at the end, while here only the pixels that are kept are ever computed, and
mean and variance are theirs. The other is met in no network of the book: an `add` with the actions 'AB' takes the ReLU
derivative where the normalised sum is above 0.
"""

from itertools import product

import numpy as np

from chapters.ch09_cnn_ext import CnnExtModel
from mathlib.backend import to_device, xp
from mathlib.branches import summed, summed_tiled
from mathlib.norm import batch_norm_dx
from mathlib.windows import windows


class ParallelFirstSlice(CnnExtModel):
    """Chapter 9's `parallel`, where on the way back every branch gets the slice that belongs to the first one.

    The outputs of the branches lie one after the other in y, so the slice of G_y that is a branch's own begins where
    the one before it ends. In the book the beginning is never moved on: a branch with c channels gets the first c.
    All branches but the first learn what the first should have learned, and G_x, the sum of what they give back, is
    wrong for everything below. Where branches have equally many channels, they all are pushed in one direction.
    """

    def backprop_parallel_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, h', w', c1 + c2 + ...] -> G_x; of its channels only the first max(c1, c2, ...) are ever read."""
        auxes, channels = aux
        branches = zip(channels, hconfig.children, pm['pms'], auxes, strict=True)
        return summed([self.backprop_layer(G_y[..., :count], *branch) for count, *branch in branches])


class AvgWrongAxis(CnnExtModel):
    """Chapter 9's `avg`, where on the way back windows get gradients of other windows, channels and pictures.

    Each window should hand its gradient, divided by the number of its pixels, to all of its kh * kw pixels: a
    column [windows, 1] repeated along the second axis. The book repeats the whole list of windows, kh * kw times one
    after the other, and then reads it as [windows, kh * kw]: pixel j of window i gets the gradient of window
    (i * kh * kw + j) mod the number of windows, counted through the batch pixel by pixel, channel by channel, picture
    by picture. The numbers have the right size but go to the wrong places: all that lies below is told what was meant
    for others.

    It concerns windows that overlap or leave pixels over, and VALID padding. Windows side by side, as those of the
    last average of a network, take another way in the book, which is right.
    """

    def team_size(self, rows):
        """1: the pictures of a batch are mixed, so no member of a team could work on its own."""
        return 1

    def backprop_avg_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, h', w', c] -> G_x [n, h, w, c], by way of a window for every pixel of x."""
        kept = pm['state']['windows']
        side_by_side = kept.rows.covered and kept.columns.covered
        if side_by_side or hconfig['padding'] not in ('SAME', 'VALID'):  # other paddings the book does not have
            return super().backprop_avg_layer(G_y, hconfig, pm, aux)
        n, c, (h, w), (kh, kw) = len(G_y), G_y.shape[3], kept.input_sides, kept.ksize
        G_sums = xp.zeros((n, c, h, w), dtype=G_y.dtype)
        counts = to_device(np.outer(kept.rows.seen, kept.columns.seen).astype(float))
        G_sums[:, :, _centres(kept.rows), _centres(kept.columns)] = G_y.transpose(0, 3, 1, 2) / counts
        repeated = xp.tile(G_sums.reshape(-1), kh * kw).reshape(n, c, h, w, kh, kw)
        G_x = xp.zeros_like(G_sums)
        every = windows((h, w), (kh, kw))
        for i, j in product(range(kh), range(kw)):
            down, pixels_down = every.rows.reach(i)
            across, pixels_across = every.columns.reach(j)
            G_x[:, :, pixels_down, pixels_across] += repeated[:, :, down, across, i, j]
        return xp.ascontiguousarray(G_x.transpose(0, 2, 3, 1))


class AddInPlace(CnnExtModel):
    """Chapter 9's `add`, where the sum is written over the output of the first branch.

    A convolution that ends with its activation, 'LA' or 'LBA', keeps its output y for the way back, because the ReLU
    derivative is 1 where y > 0. In the book the other summands are added into that very array, so the derivative is
    taken where the *sum* is above 0: gradients pass through units that gave 0, wherever the shortcut is not 0 as well.
    The kernel and bias of that convolution are wrong, and with them everything below it; for sigmoid and tanh too,
    whose derivatives are computed from y.

    Where the first branch ends otherwise nothing happens, here as in the book: after 'LAB' what is overwritten is the
    normalised map, which the book's way back (see BatchNormConstants) does not read unless there is a scale; there the
    output is an array of its own. Max pooling keeps places, not numbers.
    """

    def forward_add_layer(self, x, hconfig, pm):
        """As in CnnExtModel, the same y; but what the first branch keeps as its output is the sum."""
        results = [self.forward_layer(x, *branch) for branch in zip(hconfig.children, pm['pms'], strict=True)]
        ys, auxes = zip(*results, strict=True)
        ys = [*ys, x] if hconfig['x'] else ys
        total = summed_tiled(ys)
        if ys[0] is not x:  # as after dropout in a test: x is not ours to overwrite
            ys[0][...] = total
            total = ys[0]
        y, aux_actions = self.forward_actions(total, hconfig['actions'], hconfig, pm)
        return y, [auxes, aux_actions, [each.shape[-1] for each in ys]]

    def forward_max_layer(self, x, hconfig, pm):
        """As in CnnExtModel, but with a copy to hand out: our max pooling needs its output on the way back."""
        y, aux = super().forward_max_layer(x, hconfig, pm)
        return y.copy(order='K'), aux


class BatchNormConstants(CnnExtModel):
    """Chapter 8's batch normalisation, where mean and variance are constants on the way back.

    They are computed from x, so a pixel of x moves all pixels of its channel (see mathlib.norm). In the book
    G_x = G_y * scale / sqrt(variance + epsilon) and no more. Moving or stretching a whole channel of x changes nothing
    in y, but by this G_x it does. So a bias right before the normalisation, whose gradient is 0, is moved in every
    step, and everything below is pushed in directions that lead nowhere.

    Besides, scale and shift, whose gradients are right, move by plain gradient descent although all other parameters
    move by Adam, and at once; nothing reads them between then and the end of the step, when they move here.
    """

    def backprop_batch_normal_layer(self, G_y, hconfig, pm, aux):
        """G_y -> G_x = G_y * scale / sqrt(variance + epsilon); hands in G_scale and G_shift, which are right."""
        _, G_scale, G_shift = batch_norm_dx(G_y, aux, wanted=False)
        if 'scale' in pm:
            self.update_param(pm, 'scale', G_scale)
            self.update_param(pm, 'shift', G_shift)
        _, _, _, _, _, factor, _, _ = aux
        return G_y * factor

    def apply_gradients(self):
        """One step of the optimiser, but of gradient descent for every scale and shift."""
        moved = [
            (values, values - self.learning_rate * gradient)
            for name, values, gradient in self.parameters.items()
            if name.rsplit('.', 1)[-1] in ('scale', 'shift')
        ]
        super().apply_gradients()
        for values, after in moved:
            values[...] = after


class DecayCostUnscaled(CnnExtModel):
    """Chapter 8's weight decay, where the cost that is reported counts the weights without the decay rates.

    It is half the sum of the squares and the sum of the absolute values themselves, each if its rate is not 0; and only
    of layers that stand in no other layer, for the book does not look for weights inside branches and loops. What the
    weights learn is right, for the decay is put into the step and not derived from this cost; but costs printed with
    decay cannot be compared with those without it, nor with those of another rate.
    """

    def forward_extra_cost(self, y):
        """Half the sum of the squares of all weights, and the sum of their absolute values, of top-level layers."""
        weights = [placed.pm[key].ravel() for placed in self.structure for key in ('w', 'k') if key in placed.pm]
        cost = 0
        if self.l2_decay:
            cost = cost + sum(xp.dot(flat, flat) for flat in weights) / 2
        if self.l1_decay:
            cost = cost + sum(xp.abs(flat).sum() for flat in weights)
        return cost, None


class BookExtModel(ParallelFirstSlice, AvgWrongAxis, AddInPlace, BatchNormConstants, DecayCostUnscaled):
    """CnnExtModel with all five mistakes: a training behaves as one with the book's own code.

    For the two exceptions, see the module's docstring. It does not share its steps among threads (see AvgWrongAxis).
    """


def _centres(axis):
    """The pixels on which windows of one for every pixel would stand, for those windows that an Axis keeps: a slice."""
    first = axis.start + (axis.kernel - 1) // 2
    return slice(first, first + (axis.count - 1) * axis.step + 1, axis.step)
