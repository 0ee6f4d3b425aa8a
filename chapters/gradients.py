"""Is a whole model's backward pass right? Every parameter's gradient beside finite differences."""

from mathlib.backend import to_device
from mathlib.gradcheck import check_gradient


def check_gradients(model, x, y, samples=20, show=True):
    """Check the gradients of all parameters of a model on one batch; returns a list of GradientChecks.

    model: made inside `with precision('float64'):`, where this must be called too. x, y: host or device arrays of one
    batch. samples: how many numbers of each parameter are checked. The parameters are left as they were.
    """
    x, y = to_device(x), to_device(y)
    model.compute_gradients(x, y)

    def loss():
        return model.forward_postproc(model.forward_neuralnet(x)[0], y)[0]

    return [
        check_gradient(loss, values, gradient, name, samples, show=show)
        for name, values, gradient in model.parameters.items()
    ]
