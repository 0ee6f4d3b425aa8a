"""All parameters of a model in one flat vector, all gradients in another.

A layer keeps its parameters in a dict, `pm`; after packing, `pm['w']` is a view into the flat vector. The optimiser
is then a handful of vector operations whatever the network looks like, and saving a model is saving one array.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mathlib import backend, scratch, team
from mathlib.backend import xp
from mathlib.errors import BookError

# An optimiser goes through so many flat vectors at once: values, gradients and two running means.
VECTORS = 4


@dataclass(frozen=True)
class _Slot:
    """One parameter: its name, the dict that holds it, the view that stands there, and its part of the flat vector."""

    name: str
    pm: dict
    view: object
    part: slice


class ParameterStore:
    """Packs the arrays of nested layer dicts into `values` and gives every one a place in `gradients`.

    tree: dicts and lists, nested as deep as the network, with the parameters as arrays in them, for instance
        `{'hidden': [{'w': ..., 'b': ...}], 'output': {'w': ..., 'b': ...}}`. Every array is a parameter and will be
        replaced by a view; what a layer must keep but does not learn goes into a dict under the key 'state'.

    Attributes: `values` and `gradients`, xp vectors [count] of backend.dtype; `count`; `names`, such as 'hidden.0.w'.
    """

    def __init__(self, tree):
        places = list(_arrays(tree, ()))
        self.names = ['.'.join(path) for path, _, _ in places]
        self.count = sum(math.prod(pm[key].shape) for _, pm, key in places)
        self.values = xp.empty(self.count, dtype=backend.dtype)
        self._slots = {}
        start = 0
        for name, (_, pm, key) in zip(self.names, places, strict=True):
            start = self._pack(name, pm, key, start)
        self._ledgers = {0: _Ledger(self)}
        self.gradients = self._ledgers[0].gradients

    def _pack(self, name, pm, key, start):
        """Move pm[key] into the flat vector at `start`; returns where the next one starts."""
        shape = pm[key].shape
        part = slice(start, start + math.prod(shape))
        view = self.values[part].reshape(shape)
        view[...] = backend.to_device(pm[key])
        pm[key] = view
        # The slot holds pm itself as well: as long as it lives, no other dict can get its id.
        self._slots[id(pm), key] = _Slot(name, pm, view, part)
        return part.stop

    def slots(self):
        """Where every parameter lies, in the order in which they were packed."""
        return self._slots.values()

    def after(self, start):
        """What lies behind the first `start` numbers, as an optimiser takes it: the rest is not to move."""
        slots = [
            replace(slot, part=slice(slot.part.start - start, slot.part.stop - start))
            for slot in self.slots()
            if slot.part.start >= start
        ]
        return _Rest(self.values[start:], self.gradients[start:], slots)

    def __len__(self):
        """How many single numbers are learned."""
        return self.count

    def items(self):
        """(name, values, gradient) of every parameter, in the order in which they were packed; both are views."""
        for slot in self.slots():
            yield slot.name, slot.view, self._ledgers[0].views[slot.name]

    def are_finite(self):
        """Whether all values are finite numbers; on a GPU this waits for them."""
        return bool(xp.isfinite(self.values).all())

    def begin(self):
        """Start a backward pass: forget what one that was interrupted had filed."""
        for ledger in self._ledgers.values():
            ledger.filed.clear()

    def file(self, pm, key, gradient):
        """Keep the gradient of pm[key] for the next update; a second one in the same step is added to the first.

        Each member of a team files into a vector of its own. Raises BookError if pm[key] is not a parameter of this
        model (any more), or the gradient has another shape.
        """
        slot = self._slots.get((id(pm), key))
        if slot is None:
            raise BookError(
                f'{key!r} is not a parameter of this model: a layer learns the arrays that stood in its pm when its '
                f'alloc method returned ({", ".join(self.names) or "none"}).'
            )
        if pm[key] is not slot.view:
            raise BookError(
                f'{slot.name} is no longer the array that the model learns: write new values into it, '
                f'pm[{key!r}][...] = values, instead of putting another array in its place.'
            )
        if gradient.shape != slot.view.shape:
            raise BookError(
                f'the gradient of {slot.name} has shape {list(gradient.shape)}, but the parameter has '
                f'{list(slot.view.shape)}: check the backward pass of its layer.'
            )
        rank = team.member().rank
        if rank not in self._ledgers:
            self._ledgers[rank] = _Ledger(self)
        self._ledgers[rank].add(slot.name, gradient)

    def file_into(self, rank, gradients):
        """Let the member `rank` of a team file into this vector, which another process sees; None: as before."""
        if gradients is None:
            del self._ledgers[rank]
        else:
            self._ledgers[rank] = _Ledger(self, gradients)

    def complete_part(self, rank):
        """What `complete` does for one member, in that member's own process."""
        self._ledgers[rank].complete()

    def filed_apart(self, rank):
        """Note that the member `rank` has filed its gradients in another process."""
        self._ledgers[rank].filed.update(self.names)

    def complete(self):
        """End a backward pass: `gradients` is the sum of what all members filed, zero where nobody filed anything."""
        first, *others = [self._ledgers[rank] for rank in sorted(self._ledgers)]
        others = [ledger for ledger in others if ledger.filed]
        for ledger in (first, *others):
            ledger.complete()

        def add(part):
            for ledger in others:
                first.gradients[part] += ledger.gradients[part]

        if others:
            team.spread(scratch.blocks(self.count, VECTORS), add)


class _Rest:
    """Some of the parameters of a ParameterStore: views of its vectors, and where each lies in them."""

    def __init__(self, values, gradients, slots):
        self.values, self.gradients, self.count = values, gradients, len(values)
        self._slots = slots

    def slots(self):
        """Where every parameter lies, in the order in which they were packed."""
        return self._slots


class _Ledger:
    """The gradients that one member of a team files: a flat vector, and a view for each parameter."""

    def __init__(self, store, gradients=None):
        self.gradients = xp.zeros(store.count, dtype=store.values.dtype) if gradients is None else gradients
        self.views = {slot.name: self.gradients[slot.part].reshape(slot.view.shape) for slot in store.slots()}
        self.filed = set()

    def add(self, name, gradient):
        if name in self.filed:
            self.views[name] += gradient
        else:
            self.views[name][...] = gradient
            self.filed.add(name)

    def complete(self):
        if len(self.filed) < len(self.views):
            for name in self.views.keys() - self.filed:
                self.views[name][...] = 0
        self.filed.clear()


def _arrays(node, path):
    """Yield (path, dict or list, key) for every array in nested dicts and lists, but nothing below a key 'state'."""
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in entries:
        if key == 'state':
            continue
        if isinstance(value, (np.ndarray, xp.ndarray)):
            yield path + (str(key),), node, key
        elif isinstance(value, (dict, list)):
            yield from _arrays(value, path + (str(key),))
