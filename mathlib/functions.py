"""Activation functions and softmax, each with its derivative beside it (chapters 1 to 5).

All take and return xp arrays of any shape and keep their float type. A derivative is written in terms of the
function's own result y, which the forward pass has at hand. None of them overflows for inputs of +-1e4.
"""

from mathlib.backend import fused, xp


def relu(x):
    """max(x, 0), element by element."""
    return xp.maximum(x, 0)


def relu_derv(y):
    """d relu / dx where y = relu(x): 1 where y is positive, else 0 (at 0 the derivative is taken as 0)."""
    return (y > 0).astype(y.dtype)


def sigmoid(x):
    """1 / (1 + exp(-x)), computed so that the exponential is never of a positive number."""
    shrunk = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + shrunk), shrunk / (1 + shrunk))


def sigmoid_derv(y):
    """d sigmoid / dx where y = sigmoid(x)."""
    return y * (1 - y)


def tanh(x):
    """The hyperbolic tangent."""
    return xp.tanh(x)


def tanh_derv(y):
    """d tanh / dx where y = tanh(x)."""
    return (1 - y) * (1 + y)


def softmax(x):
    """exp(x) divided by its sum along the last axis: [n, classes] logits become [n, classes] probabilities.

    The largest logit of each row is subtracted first, which changes nothing but keeps exp from overflowing.
    """
    exp = xp.exp(x - x.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


# actfunc: (the function of x, the gradient by x from G_y and y)
_ACTIVATIONS = {
    'relu': (relu, fused(lambda G_y, y: G_y * (y > 0))),
    'sigmoid': (sigmoid, fused(lambda G_y, y: G_y * sigmoid_derv(y))),
    'tanh': (tanh, fused(lambda G_y, y: G_y * tanh_derv(y))),
    'none': (lambda x: x, lambda G_y, y: G_y),
}
ACTIVATIONS = tuple(_ACTIVATIONS)


def activate(actfunc, x):
    """y = the activation function named `actfunc` (one of ACTIVATIONS) of x."""
    return _ACTIVATIONS[actfunc][0](x)


def activate_inplace(actfunc, x):
    """The same, written over x: for the blocks of a convolution, while they are still in the cache."""
    if actfunc == 'relu':
        xp.maximum(x, 0, out=x)
    elif actfunc != 'none':
        x[...] = activate(actfunc, x)


def activate_grad(actfunc, G_y, y):
    """G_x of `activate`: G_y times the derivative, which is written in terms of y = activate(actfunc, x)."""
    return _ACTIVATIONS[actfunc][1](G_y, y)


def finish(actfunc, Y, b=None, factor=None):
    """Y = actfunc(Y * factor + b), written over Y [..., o]; b and factor (o,), or None for 0 and 1."""
    if factor is not None:
        Y *= factor
    if b is not None:
        Y += b
    activate_inplace(actfunc, Y)
