"""Chapter 5: a perceptron with any number of hidden layers, as a class.

`Model` is what all models of the book can do from outside: train, test, show. `MlpModel` fills it for networks of
fully connected layers. Later chapters build on its methods; a reader may override any of them in a subclass.

Letters: x is what goes into something, y what comes out; G_y is the gradient of the loss by y; pm holds a layer's
parameters, aux what its backward pass needs; hconfig is a hidden layer's configuration (None for the output layer).
"""

import contextlib
import math
import time

import numpy as np

from chapters import finite
from chapters.config import Layer, Option, located, normalize, positive_int
from chapters.history import Epoch, History, Standing, StepLog, to_numbers
from chapters.limits import Room
from chapters.progress import steps
from chapters.structure import Placed, kept_arrays
from chapters.summary import summary_table
from chapters.training import check_count, check_model, check_training, diverged, enough_memory
from mathlib import backend, rng
from mathlib.backend import to_device, to_host, xp
from mathlib.errors import ConfigError
from mathlib.functions import relu, relu_derv
from mathlib.optimizers import GradientDescent
from mathlib.parameters import ParameterStore
from mathlib.schedules import learning_rates

# Validation and test data go through the network this many rows at a time, to bound the memory they take.
ROWS_AT_ONCE = 100


class Model:
    """What every model of the book offers; subclasses add how it is done."""

    def __init__(self, name, dataset):
        check_model(name, dataset)
        self.name = name
        self.dataset = dataset
        self.is_training = False
        self.rand_std = 0.030
        self.learning_rate = 0.001
        self.schedule = 'constant'
        self.scheduled = iter(())
        self.history = None
        self.standing = Standing()

    def __str__(self):
        return f'{self.name}/{self.dataset}'

    def exec_all(
        self,
        epoch_count=10,
        batch_size=10,
        learning_rate=0.001,
        report=0,
        show_cnt=3,
        *,
        checkpoint=None,
        every=1,
        resume=False,
    ):
        """Train, test, and show `show_cnt` estimates. report: print a line every so many epochs, 0 for none.

        checkpoint, every, resume: as for `train`. Returns the training's History.
        """
        self.train(epoch_count, batch_size, learning_rate, report, checkpoint=checkpoint, every=every, resume=resume)
        self.test()
        if show_cnt > 0:
            self.visualize(show_cnt)
        return self.history


class MlpModel(Model):
    """A multilayer perceptron (다층 퍼셉트론): full layers with ReLU, then a linear output layer.

    name: a word for the log lines. dataset: a data.Dataset. hconfigs: the widths of the hidden layers, such as
    [30, 10]; [] for none. Raises ConfigError if the configuration is not understood.
    """

    layer_options = {'full': {'width': Option(positive_int)}}

    def __init__(self, name, dataset, hconfigs):
        super().__init__(name, dataset)
        self.optimizer = GradientDescent()
        self.init_parameters(hconfigs)

    def summary(self):
        """Print the layers with their shapes and parameter counts."""
        print(summary_table(self))

    # Parameters

    def init_parameters(self, hconfigs):
        """Check the configuration and allocate the layers in order, the output layer last."""
        self.hconfigs = hconfigs
        self.memory_room = Room()
        self.output_layer = self.last_layer()
        self.structure = []
        shape = self.dataset.input_shape
        try:
            self.layers = self.normalized(hconfigs)
            for layer in (*self.layers, self.output_layer):
                pm, output_shape = self.alloc_layer_param(shape, layer)
                self.structure.append(Placed(layer, pm, shape, output_shape))
                shape = output_shape
        except ConfigError as problem:
            raise ConfigError(f'{self.name}: {problem}') from None
        *self.pm_hiddens, self.pm_output = [placed.pm for placed in self.structure]
        self.parameters = ParameterStore({'hidden': self.pm_hiddens, 'output': self.pm_output})
        self.kept_arrays = kept_arrays(self.structure)

    def last_layer(self):
        """The layer that makes the outputs that the dataset asks for: a full layer without ReLU."""
        width = math.prod(self.dataset.output_shape)
        return Layer('full', {'width': width, 'actfunc': 'none'}, path='output layer')

    def normalized(self, hconfigs):
        """The configuration of the hidden layers, checked: a tuple of Layers."""
        return normalize(hconfigs, self.layer_types())

    def layer_types(self):
        """The layers that this model knows: {type: {option: Option}}."""
        return self.layer_options

    def alloc_layer_param(self, input_shape, hconfig):
        """The parameters of one full layer: pm with w [inputs, width] and b [width]; and its output shape, (width,)."""
        with located(hconfig.path):
            weight, bias = self.alloc_param_pair((math.prod(input_shape), hconfig['width']))
        return {'w': weight, 'b': bias}, (hconfig['width'],)

    def alloc_param_pair(self, shape):
        """Normally distributed weights of `shape`, and a bias of zeros, one for each of its last axis."""
        # Drawn as float64; then the number itself and its gradient.
        size = math.prod(shape) * (8 + 2 * backend.dtype.itemsize)
        self.memory_room.take(size, f'weights of shape {list(shape)}, with their gradients,')
        try:
            return rng.normal(0, self.weight_std(shape), shape), np.zeros(shape[-1])
        except MemoryError:
            raise ConfigError(
                f'weights of shape {list(shape)} are {8 * math.prod(shape) / 1e6:,.0f} MB while they are '
                f'drawn, more than there is memory for: take narrower layers, or smaller pictures'
            ) from None

    def weight_std(self, shape):
        """The standard deviation of new weights of this shape: `rand_std`, whatever the shape."""
        return self.rand_std

    # Training

    def train(
        self,
        epoch_count=10,
        batch_size=10,
        learning_rate=0.001,
        report=0,
        *,
        checkpoint=None,
        every=1,
        resume=False,
    ):
        """Train on the training data; returns a History, which also stands in self.history.

        checkpoint: a folder in which all that the training needs to go on is kept, see chapters.checkpoints; None for
        none. every: how many epochs lie between two checkpoints, such as 0.25. resume: go on from the last one, to the
        same bit as if the training had never stopped. Attributes of a class of your own are saved if they are numbers,
        words, arrays, lists or dicts of these, or NumPy's generators; a line names those that are not.

        Raises ConfigError for settings that cannot work, and TrainingError as soon as the cost, a gradient or a
        parameter is no longer a finite number: it names the step and the layer, and the History is kept. With
        checkpoints also CheckpointError, and, after Ctrl-C, TrainingInterrupted once the step is finished and saved.
        """
        batch_count = check_training(self, epoch_count, batch_size, learning_rate, report)
        epoch_count, batch_size, report = int(epoch_count), int(batch_size), int(report)
        self.learning_rate = learning_rate = float(learning_rate)
        self.scheduled = learning_rates(self.schedule, learning_rate, epoch_count * batch_count)
        settings = dict(epoch_count=epoch_count, batch_size=batch_size, learning_rate=learning_rate, report=report)
        self.history = History(self.name, str(self.dataset), settings)
        with self.kept(checkpoint, every, resume, settings, batch_count) as where:
            if report > 0:
                print(f'Model {self.name} train started:')
            for epoch in range(where.epoch, epoch_count + 1):
                where.begin_epoch()
                with (
                    enough_memory(self, f'a training step of {batch_size} rows', 'batch_size'),
                    finite.placed_in(self, epoch, batch_size),
                ):
                    costs, accs = self.train_epoch(epoch, epoch_count, batch_size, batch_count)
                acc = self.validate() if report > 0 and epoch % report == 0 else None
                now = time.monotonic()
                mean_acc = np.mean(accs, axis=0).tolist()
                seconds = round(now - where.began, 3)
                self.history.epochs.append(Epoch(epoch, float(np.mean(costs)), mean_acc, acc, seconds))
                if acc is not None:
                    self.dataset.train_prt_result(
                        epoch, costs, accs, acc, int(now - where.last), int(now - where.start)
                    )
                    where.last = now
                where.end_epoch()
        print(f'Model {self.name} train ended in {int(time.monotonic() - where.start)} secs:')
        return self.history

    def kept(self, checkpoint, every, resume, settings, batch_count):
        """A context for a training, which is saved in the folder `checkpoint`, if there is one; gives its Standing."""
        if checkpoint is None:
            if resume:
                raise ConfigError(f'{self.name}: resume=True needs the folder to go on from, checkpoint=...')
            self.standing = Standing()
            return contextlib.nullcontext(self.standing)
        from chapters.checkpoints import Checkpoints  # it knows the classes of all chapters

        return Checkpoints(self, checkpoint, every, resume, settings, batch_count)

    def train_epoch(self, epoch, epoch_count, batch_size, batch_count):
        """One pass over the shuffled training data, or the rest of one; returns costs and accuracies of its steps."""
        where = self.standing
        if where.step == 0:
            where.log = StepLog()
            self.dataset.shuffle_train_data(batch_size * batch_count)
        for n in steps(batch_count, f'    Epoch {epoch}/{epoch_count}'):
            if n < where.step:
                continue
            x, y = self.dataset.get_train_data(batch_size, n)
            self.learning_rate = next(self.scheduled, self.learning_rate)
            with backend.quiet():
                cost, accuracy = self.train_step(to_device(x), to_device(y))
            if not where.log.add(cost, accuracy):
                raise diverged(self, finite.late(self), f'in epoch {epoch}, step {where.log.steps + 1}')
            where.end_step(n + 1)
        log, where.step = where.log, 0
        if not log.fetch():
            raise diverged(self, finite.late(self), f'in epoch {epoch}, step {log.steps + 1}')
        if not self.parameters.are_finite():
            raise diverged(self, finite.spoilt(self), f'after epoch {epoch}, step {log.steps}')
        return log.costs, log.accuracies

    def train_step(self, x, y):
        """Forward, loss, backward, update on one batch of device arrays; returns loss and accuracy, device arrays.

        Raises TrainingError, before any parameter is moved, where the cost or a gradient is not finite.
        """
        averages = finite.averages(self)
        loss, output = self.compute_gradients(x, y)
        loss = finite.checked(self, x, y, loss, averages)
        accuracy = self.eval_accuracy(x, y, output)
        self.apply_gradients()
        return loss, accuracy

    def compute_gradients(self, x, y):
        """Forward, loss, backward: fills self.parameters.gradients; returns loss and output, device arrays."""
        self.is_training = True
        self.parameters.begin()
        try:
            output, aux_nn = self.forward_neuralnet(x)
            loss, aux_pp = self.forward_postproc(output, y)
            G_output = self.backprop_postproc(1.0, aux_pp)
            self.backprop_neuralnet(G_output, aux_nn)
            self.parameters.complete()
        finally:
            self.is_training = False
        return loss, output

    def update_param(self, pm, key, gradient):
        """Hand in the gradient of pm[key]. It is applied together with all others at the end of the step."""
        self.parameters.file(pm, key, gradient)

    def apply_gradients(self):
        """Move all parameters by one step of the optimiser."""
        self.optimizer.update(self.parameters, self.learning_rate)

    # Test and estimates

    def validate(self):
        """The accuracy on up to 100 validation rows, drawn anew each time: a float, or two.

        Raises TrainingError where answers or outputs are not finite.
        """
        x, y = self.dataset.get_validate_data(100)
        with backend.quiet(), finite.outputs_looked_at(self, 'the validation data that were drawn', y):
            return to_numbers(self.eval_accuracy(x, y))

    def test(self):
        """The accuracy on the test data, printed and returned: a float, or two. Raises TrainingError as `validate`."""
        start = time.monotonic()
        x, y = self.dataset.get_test_data()
        with backend.quiet(), finite.outputs_looked_at(self, 'the test data', y):
            accuracy = to_numbers(self.eval_accuracy(x, y))
        self.dataset.test_prt_result(self.name, accuracy, int(time.monotonic() - start))
        if self.history is not None:
            self.history.test_accuracy = accuracy
        return accuracy

    def visualize(self, num):
        """Show the estimates for `num` rows that the training has not seen beside the answers."""
        check_count(self.name, 'the number of rows to visualize', num, 1)
        print(f'Model {self.name} Visualization')
        self.visualize_rows(*self.dataset.get_visualize_data(num))

    def visualize_rows(self, x, y):
        """Show the estimates for inputs x beside the answers y, host arrays."""
        self.dataset.visualize(x, to_host(self.get_estimate(x)), y)

    def eval_accuracy(self, x, y, output=None):
        """The dataset's accuracy for inputs x and answers y (host or device), as a device array."""
        if output is None:
            output = self.get_output(x)
        return self.dataset.eval_accuracy(x, to_device(y), output)

    def get_estimate(self, x):
        """What the model thinks of inputs x: values, probabilities or distributions, one row each.

        Raises TrainingError where outputs are not finite.
        """
        with finite.outputs_looked_at(self, 'what is to be estimated'):
            return self.dataset.get_estimate(self.get_output(x))

    def get_output(self, x):
        """The network's output for any number of inputs x [n, *input_shape]; returns a device array [n, outputs]."""
        starts = range(0, max(len(x), 1), ROWS_AT_ONCE)
        rows = min(len(x), ROWS_AT_ONCE)
        with enough_memory(self, f'computing the outputs of {rows} rows', 'chapters.ch05_mlp_model.ROWS_AT_ONCE'):
            parts = [self.forward_neuralnet(to_device(x[start : start + ROWS_AT_ONCE]))[0] for start in starts]
            return xp.concatenate(parts)

    # Forward and backward through the network

    def forward_neuralnet(self, x):
        """x [n, *input_shape] -> output [n, outputs], and what the backward pass needs."""
        hidden, aux_layers = x, []
        for layer, pm in zip(self.layers, self.pm_hiddens, strict=True):
            hidden, aux = self.forward_layer(hidden, layer, pm)
            aux_layers.append(aux)
        output, aux_out = self.forward_layer(hidden, None, self.pm_output)
        return output, [aux_out, aux_layers]

    def backprop_neuralnet(self, G_output, aux):
        """G_output [n, outputs]: files the gradients of all parameters. Returns None, as the first layer has no G_x."""
        aux_out, aux_layers = aux
        G_hidden = self.backprop_layer(G_output, None, self.pm_output, aux_out)
        for layer, pm, aux_layer in reversed(list(zip(self.layers, self.pm_hiddens, aux_layers, strict=True))):
            G_hidden = self.backprop_layer(G_hidden, layer, pm, aux_layer)
        return G_hidden

    def forward_layer(self, x, hconfig, pm):
        """One full layer: y = relu(x w + b), without the relu for the output layer. x [n, ...] -> y [n, width]."""
        flat = x.reshape(len(x), -1)
        y = xp.matmul(flat, pm['w']) + pm['b']
        if hconfig is not None:
            y = relu(y)
        return y, [x, y]

    def backprop_layer(self, G_y, hconfig, pm, aux):
        """G_y [n, width] -> G_x [n, ...], None for the first layer; hands in G_w = x^T G_y and G_b, G_y summed up."""
        x, y = aux
        if hconfig is not None:
            G_y = G_y * relu_derv(y)
        self.update_param(pm, 'w', xp.matmul(x.reshape(len(x), -1).T, G_y))
        self.update_param(pm, 'b', G_y.sum(axis=0))
        return self.backprop_input(G_y, pm, x.shape)

    def backprop_input(self, G_y, pm, shape):
        """G_x = G_y w^T in the shape of x. The first layer's is None: nothing comes before it that could use it."""
        if self.is_first(pm):
            return None
        return xp.matmul(G_y, pm['w'].T).reshape(shape)

    def is_first(self, pm):
        """Whether these are the parameters of the layer that the input reaches first."""
        return pm is (self.pm_hiddens[0] if self.pm_hiddens else self.pm_output)

    # Loss

    def forward_postproc(self, output, y):
        """The dataset's loss, plus what `forward_extra_cost` adds."""
        loss, aux_loss = self.dataset.forward_postproc(output, y)
        extra, aux_extra = self.forward_extra_cost(y)
        return loss + extra, [aux_loss, aux_extra]

    def forward_extra_cost(self, y):
        """A cost beside the data's, for later chapters (weight decay): none here."""
        return 0, None

    def backprop_postproc(self, G_loss, aux):
        """G_loss (1.0) -> G_output [n, outputs]."""
        aux_loss, aux_extra = aux
        self.backprop_extra_cost(G_loss, aux_extra)
        return self.dataset.backprop_postproc(G_loss, aux_loss)

    def backprop_extra_cost(self, G_loss, aux):
        """The backward pass of `forward_extra_cost`: nothing to do here."""

    def extra_gradients(self):
        """The gradient of the extra cost by all parameters where it stays apart from the others: none here."""
