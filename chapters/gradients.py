"""Is a whole model's backward pass right? Every parameter's gradient beside finite differences."""

import contextlib

from chapters.structure import kept_arrays
from mathlib import rng
from mathlib.backend import to_device
from mathlib.gradcheck import check_gradient


def check_gradients(model, x, y, samples=20, show=True):
    """Check the gradients of all parameters of a model on one batch; returns a list of GradientChecks.

    model: made inside `with precision('float64'):`, where this must be called too. x, y: host or device arrays of one
    batch. samples: how many numbers of each parameter are checked. The parameters are left as they were. A ReLU near
    its kink can make a right gradient look wrong; chapters.check.check_layers tells the two apart.
    """
    with loss_of(model, x, y) as loss:
        return [
            check_gradient(loss, values, gradient, name, samples, show=show)
            for name, values, gradient in model.parameters.items()
        ]


@contextlib.contextmanager
def loss_of(model, x, y):
    """A function of nothing that gives the loss of a training step on a batch, for the parameters as they are.

    The gradients of that loss, with the parameters as they were at first, stand in model.parameters. Moving averages
    are put back at the end.
    """
    x, y = to_device(x), to_device(y)
    before = rng.get_state()
    averages = [(place, place.copy()) for place in kept_arrays(model.structure)]
    model.compute_gradients(x, y)
    extra = model.extra_gradients()
    if extra is not None:
        model.parameters.gradients += extra

    def loss():
        # With the same numbers drawn, and with the statistics of this batch, as in the step whose gradients these are.
        rng.set_state(before)
        model.is_training = True
        try:
            return model.forward_postproc(model.forward_neuralnet(x)[0], y)[0]
        finally:
            model.is_training = False

    try:
        yield loss
    finally:
        for place, values in averages:
            place[...] = values
