"""Layers that do not learn any more: the first step of transfer learning (전이 학습).

What the lower layers of a network have learned on a million photos, edges, textures and parts, serves other photos as
well. With few pictures of one's own it is better left as it is: only the layers above learn.
"""

from numbers import Integral

from chapters.structure import first_learners, layers, learns, parts, walk
from mathlib.backend import xp
from mathlib.errors import ConfigError
from mathlib.norm import normalize


class Frozen:
    """For a model with layers of any type: `freeze`, and what it means on the way back."""

    frozen = frozenset()
    frozen_count = 0

    def freeze(self, up_to):
        """The layers up to this one keep their parameters in all trainings from now on; 0 lets all learn again.

        up_to: the number of a layer in the structure dump, or its path. Batch normalisations among them use their
        moving averages, which stay as they are, as in a test. The way back ends above them, so a step is faster. What
        the optimiser had gathered is forgotten. Returns how many parameters still learn. Raises ConfigError for a layer
        that does not exist, or where nothing would be left to learn.
        """
        last = self.layer_number(up_to)
        frozen = set()

        def visit(placed):
            inside = parts(placed)
            outcomes = [visit(part) for part in inside]
            kept = all(outcomes) if inside else numbers[id(placed.pm)] <= last
            if kept:
                frozen.update(id(pm) for pm in (placed.pm, placed.pm.get('bn')) if pm is not None)
            return kept

        numbers = {id(placed.pm): number for number, placed in layers(self.structure)}
        for placed in self.structure:
            visit(placed)
        count = sum(slot.part.stop - slot.part.start for slot in self.parameters.slots() if id(slot.pm) in frozen)
        if count == self.parameters.count and last:
            raise ConfigError(f'{self.name}: with all layers up to {up_to!r} frozen there is nothing left to learn')
        self.frozen, self.frozen_count = frozenset(frozen), count
        self.first_pms = first_learners(self.structure, self.frozen)
        use_adam = self.use_adam
        self.set_optimizer(self.optimizer_spec)
        self.use_adam = use_adam
        return self.parameters.count - count

    def layer_number(self, up_to):
        """The number of the last plain layer that belongs to `up_to`, a number or a path."""
        numbered = layers(self.structure)
        if isinstance(up_to, Integral) and not isinstance(up_to, bool) and 0 <= up_to <= len(numbered):
            return int(up_to)
        numbers = iter(range(1, len(numbered) + 1))
        last, inside = 0, None
        for number, depth, placed in walk(self.structure):
            if inside is not None and depth <= inside:
                return last
            last = last if number is None else next(numbers)
            if inside is None and placed.layer.path == up_to:
                inside = depth
        if inside is not None:
            return last
        raise ConfigError(
            f'{self.name}: there is no layer {up_to!r} to freeze up to: the structure dump counts them from 1 to '
            f'{len(numbered)}; expected such a number, 0 to let all learn, or a path such as '
            f'{numbered[0][1].layer.path!r}'
        )

    def is_frozen(self, pm):
        """Whether the layer with these parameters does not learn."""
        return id(pm) in self.frozen

    def update_param(self, pm, key, gradient):
        """As in chapter 5; gradients of frozen layers are dropped."""
        if not self.is_frozen(pm):
            super().update_param(pm, key, gradient)

    def apply_gradients(self):
        """As in chapter 8, for the parameters that learn: they are the last ones, as the first layers are frozen."""
        whole = self.parameters
        if self.frozen_count:
            self.parameters = whole.after(self.frozen_count)
        try:
            super().apply_gradients()
        finally:
            self.parameters = whole

    def backprop_layer(self, G_y, hconfig, pm, aux):
        """As in chapter 7; nothing goes back into layers below the first one that learns."""
        if G_y is None and (self.is_frozen(pm) or not learns(pm)):
            return None
        return super().backprop_layer(G_y, hconfig, pm, aux)

    def forward_batch_normal_layer(self, x, hconfig, pm):
        """As in chapter 8; a frozen one works as in a test."""
        if not self.is_frozen(pm):
            return super().forward_batch_normal_layer(x, hconfig, pm)
        state = pm['state']
        return normalize(x, state['mavg'], state['mvar'], hconfig['epsilon'], pm.get('scale'), pm.get('shift')), None

    def backprop_batch_normal_layer(self, G_y, hconfig, pm, aux):
        """The same way back: with fixed averages each channel is only multiplied by a number."""
        if not self.is_frozen(pm):
            return super().backprop_batch_normal_layer(G_y, hconfig, pm, aux)
        factor = 1 / xp.sqrt(pm['state']['mvar'] + pm['state']['hconfig']['epsilon'])
        return G_y * (factor * pm['scale'] if 'scale' in pm else factor)
