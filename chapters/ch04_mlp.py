"""Chapter 4: multilayer perceptrons (다층 퍼셉트론) as plain functions.

First one hidden layer, written out; then a list of hidden layers, in a loop. Everything that a function needs comes in
as an argument: x is a batch [n, inputs], pm a layer's parameters, aux what the backward pass needs, G_output the
gradient of the loss by the output. A hidden layer is relu(x w + b), the output layer x w + b.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from chapters.training import check_count
from data import AbaloneDataset, PulsarDataset, SteelDataset
from mathlib import backend, losses, rng
from mathlib.backend import scalar, to_device, xp
from mathlib.errors import ConfigError
from mathlib.functions import relu, relu_derv

RND_STD = 0.0030
LEARNING_RATE = 0.001


def alloc_param_pair(shape):
    """The parameters of one layer: w [inputs, outputs] from normal(0, RND_STD), b [outputs] of zeros."""
    return {'w': to_device(rng.normal(0, RND_STD, shape)), 'b': to_device(np.zeros(shape[-1]))}


def move(pm, G_w, G_b, learning_rate):
    """One step of gradient descent for one layer."""
    pm['w'] -= learning_rate * G_w
    pm['b'] -= learning_rate * G_b


# One hidden layer


def init_model_hidden1(input_cnt, hidden_cnt, output_cnt):
    """Parameters of the hidden layer and of the output layer."""
    return alloc_param_pair([input_cnt, hidden_cnt]), alloc_param_pair([hidden_cnt, output_cnt])


def forward_neuralnet_hidden1(x, pm_hidden, pm_output):
    """x [n, inputs] -> output [n, outputs], and aux for the way back: x and the hidden layer's [n, hidden]."""
    hidden = relu(xp.matmul(x, pm_hidden['w']) + pm_hidden['b'])
    output = xp.matmul(hidden, pm_output['w']) + pm_output['b']
    return output, [x, hidden]


def backprop_neuralnet_hidden1(G_output, aux, pm_hidden, pm_output, learning_rate=LEARNING_RATE):
    """G_output [n, outputs] -> both layers moved one step."""
    x, hidden = aux
    G_w_out = xp.matmul(hidden.T, G_output)
    G_b_out = G_output.sum(axis=0)
    G_hidden = xp.matmul(G_output, pm_output['w'].T)

    G_hidden = G_hidden * relu_derv(hidden)
    G_w_hid = xp.matmul(x.T, G_hidden)
    G_b_hid = G_hidden.sum(axis=0)

    move(pm_output, G_w_out, G_b_out, learning_rate)
    move(pm_hidden, G_w_hid, G_b_hid, learning_rate)


# Any number of hidden layers


def init_model_hiddens(input_cnt, hidden_config, output_cnt):
    """Parameters of the hidden layers, a list, and of the output layer. hidden_config: the widths, such as [12, 6]."""
    widths = [input_cnt, *hidden_config]
    pm_hiddens = [alloc_param_pair(pair) for pair in zip(widths[:-1], widths[1:], strict=True)]
    return pm_hiddens, alloc_param_pair([widths[-1], output_cnt])


def forward_neuralnet_hiddens(x, pm_hiddens, pm_output):
    """x [n, inputs] -> output [n, outputs], and aux: the input of every layer."""
    hiddens = [x]
    for pm in pm_hiddens:
        hiddens.append(relu(xp.matmul(hiddens[-1], pm['w']) + pm['b']))
    output = xp.matmul(hiddens[-1], pm_output['w']) + pm_output['b']
    return output, hiddens


def backprop_neuralnet_hiddens(G_output, aux, pm_hiddens, pm_output, learning_rate=LEARNING_RATE):
    """G_output [n, outputs] -> all layers moved one step, the last one first."""
    hiddens = aux
    G_w_out = xp.matmul(hiddens[-1].T, G_output)
    G_b_out = G_output.sum(axis=0)
    G_hidden = xp.matmul(G_output, pm_output['w'].T)
    move(pm_output, G_w_out, G_b_out, learning_rate)

    for n in reversed(range(len(pm_hiddens))):
        G_hidden = G_hidden * relu_derv(hiddens[n + 1])
        G_w = xp.matmul(hiddens[n].T, G_hidden)
        G_b = G_hidden.sum(axis=0)
        G_hidden = xp.matmul(G_hidden, pm_hiddens[n]['w'].T)
        move(pm_hiddens[n], G_w, G_b, learning_rate)


# The three problems of chapters 1 to 3


@dataclass(frozen=True)
class Problem:
    """Inputs x and answers y (host arrays), and what belongs to their kind of answer."""

    name: str
    x: np.ndarray
    y: np.ndarray
    loss: callable
    loss_grad: callable
    accuracy: callable


def regression_accuracy(output, y):
    """1 minus the mean relative error."""
    return 1 - xp.abs((output - y) / y).mean()


def binary_accuracy(output, y):
    """The share of rows where the logit's sign says what y says."""
    return ((output > 0) == (y > 0.5)).mean()


def select_accuracy(output, y):
    """The share of rows where the largest logit is the right one."""
    return (output.argmax(axis=1) == y.argmax(axis=1)).mean()


def abalone():
    """How old is this sea snail? 10 inputs, one number."""
    x, y = AbaloneDataset.read()
    return Problem('abalone', x, y, losses.squared_error, losses.squared_error_grad, regression_accuracy)


def pulsar():
    """Is this star a pulsar? 8 inputs, yes or no."""
    x, y = PulsarDataset.read()
    return Problem('pulsar', x, y, losses.sigmoid_cross_entropy, losses.sigmoid_cross_entropy_grad, binary_accuracy)


def steel():
    """What is wrong with this steel plate? 27 inputs, one of 7 faults."""
    x, y = SteelDataset.read()
    return Problem('steel', x, y, losses.softmax_cross_entropy, losses.softmax_cross_entropy_grad, select_accuracy)


# Training


def train_and_test(problem, hidden, epoch_count=10, mb_size=10, report=1, learning_rate=LEARNING_RATE):
    """Train a perceptron on a Problem, test it, and return the final accuracy, a float.

    hidden: an int for one hidden layer of that width, or a list of widths, [] for none. report: a line every so many
    epochs. As in the book, four fifths of the shuffled rows are trained on, the rest tests. Raises ConfigError if there
    are not mb_size rows to train on.
    """
    check_count(problem.name, 'mb_size', mb_size, 1)
    pms, forward, backprop = build(problem, hidden)
    order = np.arange(len(problem.x))
    rng.shuffle(order)
    steps = int(len(order) * 0.8) // mb_size
    if steps == 0:
        raise ConfigError(
            f'{problem.name}: a batch of {mb_size} is larger than the {int(len(order) * 0.8)} training rows'
        )
    train, test = order[: steps * mb_size], order[steps * mb_size :]
    for epoch in range(1, epoch_count + 1):
        rng.shuffle(train)
        with backend.quiet():
            results = [
                run_train(problem, rows, pms, forward, backprop, learning_rate) for rows in np.split(train, steps)
            ]
        if report > 0 and epoch % report == 0:
            loss, accuracy = np.mean(results, axis=0)
            tested = run_test(problem, test, pms, forward)
            print(f'Epoch {epoch}: loss={loss:5.3f}, accuracy={accuracy:5.3f}/{tested:5.3f}')
    final = run_test(problem, test, pms, forward)
    print(f'\nFinal Test: final accuracy = {final:5.3f}')
    return final


def build(problem, hidden):
    """Parameters, forward and backprop function for one hidden layer (an int) or a list of them."""
    inputs, outputs = problem.x.shape[1], problem.y.shape[1]
    if isinstance(hidden, Integral):
        print('A multilayer perceptron with one hidden layer is at work.')
        return init_model_hidden1(inputs, hidden, outputs), forward_neuralnet_hidden1, backprop_neuralnet_hidden1
    print(f'A multilayer perceptron with {len(hidden)} hidden layers is at work.')
    return init_model_hiddens(inputs, hidden, outputs), forward_neuralnet_hiddens, backprop_neuralnet_hiddens


def run_train(problem, rows, pms, forward, backprop, learning_rate):
    """One step on the given rows; returns loss and accuracy before it, as floats."""
    x, y = to_device(problem.x[rows]), to_device(problem.y[rows])
    output, aux = forward(x, *pms)
    loss, accuracy = problem.loss(output, y), problem.accuracy(output, y)
    backprop(problem.loss_grad(output, y), aux, *pms, learning_rate)
    return scalar(loss), scalar(accuracy)


def run_test(problem, rows, pms, forward):
    """The accuracy on the given rows, a float."""
    with backend.quiet():
        output, _ = forward(to_device(problem.x[rows]), *pms)
        return scalar(problem.accuracy(output, to_device(problem.y[rows])))
