"""The three losses of the book, each with its gradient beside it (chapters 1 to 3).

A loss is the mean over the batch, a 0-d xp array. Its gradient has the shape of `output` and contains the 1/n of
that mean. `output` are the numbers that leave the last layer: estimates for the squared error, logits for the two
cross-entropies. `y` are the answers, an xp array of the same shape. All stay finite for logits of +-1e4.
"""

import numpy as np

from mathlib.backend import xp
from mathlib.functions import sigmoid, softmax


def squared_error(output, y):
    """Mean of (output - y)**2 over all elements: the loss of a regression (chapter 1)."""
    return xp.square(output - y).mean()


def squared_error_grad(output, y):
    """d squared_error / d output = 2 (output - y) / size."""
    return (output - y) * (2 / output.size)


def sigmoid_cross_entropy(logits, y):
    """Mean of -y log p - (1 - y) log(1 - p) with p = sigmoid(logits), y 0 or 1: for a yes/no question (chapter 2).

    Written as max(x, 0) - x y + log(1 + exp(-|x|)), in which no exponential can overflow.
    """
    entropy = xp.maximum(logits, 0) - logits * y + xp.log1p(xp.exp(-xp.abs(logits)))
    return entropy.mean()


def sigmoid_cross_entropy_grad(logits, y):
    """d sigmoid_cross_entropy / d logits = (sigmoid(logits) - y) / size."""
    return (sigmoid(logits) - y) / logits.size


def softmax_cross_entropy(logits, y):
    """Mean over the rows of -sum(y log softmax(logits)), y one-hot [n, classes]: the loss of a choice (chapter 3)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    return (y * (log_sum - shifted)).sum(axis=1).mean()


def softmax_cross_entropy_grad(logits, y):
    """d softmax_cross_entropy / d logits = (softmax(logits) - y) / n, n the number of rows; rows of y sum to 1.

    Probabilities far below what rounding leaves of the others count as 0. A network that is sure of its answer would
    otherwise send numbers back that end as denormal ones, with which a processor computes several times slower.
    """
    probabilities = softmax(logits)
    probabilities *= probabilities > np.finfo(probabilities.dtype).eps ** 2
    return (probabilities - y) / logits.shape[0]


def smoothed(y, amount):
    """One-hot rows y [n, classes] as y (1 - amount) + amount / classes: label smoothing (Szegedy et al. 2015).

    Softmax cross-entropy takes them like any rows that sum to 1. With one-hot answers it is never satisfied: it drives
    the logit of the answer towards infinity. With these it is least at a finite distance, where the answer has the
    probability 1 - amount + amount / classes. amount: from 0 up to, but not including, 1; the paper's is 0.1.
    """
    return y * (1 - amount) + amount / y.shape[-1]
