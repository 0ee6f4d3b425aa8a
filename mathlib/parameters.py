"""All parameters of a model in one flat vector, all gradients in another.

A layer keeps its parameters in a dict, `pm`; after packing, `pm['w']` is a view into the flat vector. The optimiser
is then a handful of vector operations whatever the network looks like, and saving a model is saving one array.
"""

import math

import numpy as np

from mathlib import backend
from mathlib.backend import xp
from mathlib.errors import BookError


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
        self.gradients = xp.zeros(self.count, dtype=backend.dtype)
        self._slots = {}
        self._filed = set()
        start = 0
        for name, (_, pm, key) in zip(self.names, places, strict=True):
            start = self._pack(name, pm, key, start)

    def _pack(self, name, pm, key, start):
        """Move pm[key] into the flat vector at `start`; returns where the next one starts."""
        shape = pm[key].shape
        part = slice(start, start + math.prod(shape))
        view = self.values[part].reshape(shape)
        view[...] = backend.to_device(pm[key])
        pm[key] = view
        # The slot holds pm itself as well: as long as it lives, no other dict can get its id.
        self._slots[id(pm), key] = (name, pm, view, self.gradients[part].reshape(shape))
        return part.stop

    def __len__(self):
        """How many single numbers are learned."""
        return self.count

    def items(self):
        """(name, values, gradient) of every parameter, in the order in which they were packed; both are views."""
        for name, _, view, gradient in self._slots.values():
            yield name, view, gradient

    def are_finite(self):
        """Whether all values are finite numbers; on a GPU this waits for them."""
        return bool(xp.isfinite(self.values).all())

    def begin(self):
        """Start a backward pass: forget what one that was interrupted had filed."""
        self._filed.clear()

    def file(self, pm, key, gradient):
        """Keep the gradient of pm[key] for the next update; a second one in the same step is added to the first.

        Raises BookError if pm[key] is not a parameter of this model (any more), or the gradient has another shape.
        """
        slot = self._slots.get((id(pm), key))
        if slot is None:
            raise BookError(
                f'{key!r} is not a parameter of this model: a layer learns the arrays that stood in its pm when its '
                f'alloc method returned ({", ".join(self.names) or "none"}).'
            )
        name, _, view, kept = slot
        if pm[key] is not view:
            raise BookError(
                f'{name} is no longer the array that the model learns: write new values into it, '
                f'pm[{key!r}][...] = values, instead of putting another array in its place.'
            )
        if gradient.shape != kept.shape:
            raise BookError(
                f'the gradient of {name} has shape {list(gradient.shape)}, but the parameter has {list(kept.shape)}: '
                f'check the backward pass of its layer.'
            )
        if name in self._filed:
            kept += gradient
        else:
            kept[...] = gradient
            self._filed.add(name)

    def complete(self):
        """End a backward pass: parameters for which no gradient was filed get a gradient of zero."""
        if len(self._filed) < len(self._slots):
            for name, _, _, kept in self._slots.values():
                if name not in self._filed:
                    kept[...] = 0
        self._filed.clear()


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
