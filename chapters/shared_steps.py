"""A training step shared by processes, for networks whose operations are too short for threads: see mathlib.crew."""

import contextlib
import math

from chapters.ch05_mlp_model import MlpModel
from mathlib import backend, crew

# What a model of the book sets before each step and its layers read during it.
STATE = ('is_training', 'batch_rows', 'random_key')


@contextlib.contextmanager
def shared_steps(model, rows, steps):
    """SharedSteps for a model's next `steps` training steps with `rows` rows each, or None where one process does."""
    shared = None
    if (members := crew_size(model, rows, steps)) > 1:
        # Where the system has no room for another process, this one does it all; the last digits may then differ.
        with contextlib.suppress(OSError):
            shared = SharedSteps(model, rows, members)
    try:
        yield shared
    finally:
        if shared is not None:
            shared.close()


def crew_size(model, rows, steps):
    """How many processes should share a step. A reader's own class has one: it may keep things that a copy lacks."""
    own = any(not cls.__module__.startswith('chapters.') for cls in type(model).__mro__ if cls is not object)
    if own or getattr(model, 'side_heads', ()) or model.team_size(rows) > 1:
        return 1
    return crew.size(rows, rows * model.products, model.parameters.count, steps)


class SharedSteps:
    """The forward and the backward pass of a model's training steps, done by several processes.

    Every process has all layers, and takes some rows of the batch through them. The loss, the optimiser and the moving
    averages are left to the process that asked.
    """

    def __init__(self, model, rows, members):
        self.model, self.rows, self.ranks = model, rows, range(1, members)
        kind, outputs = backend.dtype, (rows, math.prod(model.dataset.output_shape))
        self.x = crew.shared((rows, *model.dataset.input_shape), kind)
        self.output, self.G_output = crew.shared(outputs, kind), crew.shared(outputs, kind)
        self.values = crew.shared((model.parameters.count,), kind)
        self.aux = None
        for rank in self.ranks:
            model.parameters.file_into(rank, crew.shared((model.parameters.count,), kind))
        try:
            self.crew = crew.Crew(members, self.work)
        except OSError:
            self.forget()
            raise

    def takes(self, x):
        """Whether this is a batch of a training step."""
        return self.model.is_training and len(x) == self.rows

    def forward(self, x):
        """x [n, *input_shape] -> output [n, outputs]; what the way back needs stays where it is."""
        self.x[...] = x
        self.values[...] = self.model.parameters.values
        state = {name: getattr(self.model, name) for name in STATE if hasattr(self.model, name)}
        self.crew.run({'step': 'forward', 'state': state})
        return self.output.copy()

    def backward(self, G_output):
        """G_output [n, outputs]: files the gradients of all parameters."""
        self.G_output[...] = G_output
        self.crew.run({'step': 'backward'})
        for rank in self.ranks:
            self.model.parameters.filed_apart(rank)

    def work(self, member, order):
        """One pass with this member's rows."""
        model, part = self.model, member.part(self.rows)
        with backend.quiet():
            if order['step'] == 'forward':
                if member.rank:
                    vars(model).update(order['state'])
                    model.parameters.values[...] = self.values
                self.output[part], self.aux = MlpModel.forward_neuralnet(model, self.x[part])
            else:
                MlpModel.backprop_neuralnet(model, self.G_output[part], self.aux)
                if member.rank:
                    model.parameters.complete_part(member.rank)

    def close(self):
        """End the other processes."""
        self.crew.close()
        self.forget()

    def forget(self):
        """Let all members file where they did before."""
        for rank in self.ranks:
            self.model.parameters.file_into(rank, None)
