"""Side heads (chapter 12): second losses half-way up a deep network, after Szegedy 2014 (GoogLeNet).

A layer of type `auxiliary` hands its input on as it is. In training the layers inside it, and a full layer of its own
to the classes, make outputs whose loss, times a weight, is added to that of the network, so that the layers below are
told what to do by a short way too. In a test the side heads are not computed.
"""

from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.config import Layer
from chapters.structure import SIDE_BY_SIDE, learns
from mathlib.backend import xp
from mathlib.team import member


class SideHeads:
    """For a model with layers in layers: the layer type `auxiliary`, and its losses."""

    def init_parameters(self, hconfigs):
        """As in chapter 9. What members of a team keep for the loss stands under the head's pm and their rank."""
        self.side_heads, self.side_outputs, self.side_gradients = [], {}, {}
        super().init_parameters(hconfigs)

    def alloc_auxiliary_layer(self, input_shape, hconfig):
        """The parameters of the side head, with a full layer of its own to the classes; the input goes on unchanged."""
        last = Layer('full', CnnBasicModel.last_layer(self).options, path=f'{hconfig.path} > output layer')
        pm = self.alloc_parts(input_shape, (*hconfig.children, last))
        pm['state'] = {'weight': hconfig['weight']}
        self.side_heads.append(pm)
        return pm, input_shape

    def forward_auxiliary_layer(self, x, hconfig, pm):
        """y = x. In training the side head's outputs for this member's rows are kept for the loss."""
        if not self.is_training:
            return x, None
        line = [placed.layer for placed in pm['placed']]
        self.side_outputs[id(pm), member().rank], auxes = self.forward_line(x, line, pm['pms'])
        return x, auxes

    def backprop_auxiliary_layer(self, G_y, hconfig, pm, aux):
        """G_x = G_y and what comes back through the side head."""
        G = self.side_gradients[id(pm)]
        line = [placed.layer for placed in pm['placed']]
        G_side = self.backprop_line(G[member().part(len(G))], line, pm['pms'], aux)
        return None if G_side is None or G_y is None else G_y + G_side

    def backprop_layer(self, G_y, hconfig, pm, aux):
        """As in chapter 7; a side head learns even where nothing comes back on the main line."""
        if G_y is None and hconfig is not None and hconfig.children and learns(pm) and not self.is_frozen(pm):
            if hconfig.type not in SIDE_BY_SIDE:
                return self.layer_method('backprop', hconfig)(None, hconfig, pm, aux)
            for branch in zip(hconfig.children, pm['pms'], aux[0], strict=True):
                self.backprop_layer(None, *branch)
            return None
        return super().backprop_layer(G_y, hconfig, pm, aux)

    def forward_neuralnet(self, x):
        """As in chapter 8."""
        self.side_outputs.clear()
        return super().forward_neuralnet(x)

    def forward_postproc(self, output, y):
        """As in chapter 5, plus the losses of the side heads times their weights."""
        loss, aux = super().forward_postproc(output, y)
        auxes = []
        for pm in self.side_heads if self.side_outputs else ():
            ranks = sorted(rank for key, rank in self.side_outputs if key == id(pm))
            logits = xp.concatenate([self.side_outputs[id(pm), rank] for rank in ranks])
            side_loss, side_aux = self.dataset.forward_postproc(logits, y)
            loss = loss + pm['state']['weight'] * side_loss
            auxes.append((pm, side_aux))
        return loss, [aux, auxes]

    def backprop_postproc(self, G_loss, aux):
        """As in chapter 5; what the side heads get waits for them."""
        aux_main, auxes = aux
        for pm, side_aux in auxes:
            self.side_gradients[id(pm)] = self.dataset.backprop_postproc(G_loss * pm['state']['weight'], side_aux)
        return super().backprop_postproc(G_loss, aux_main)
