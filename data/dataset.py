"""`Dataset`: what a model asks of its data (chapter 5).

A data set holds three groups of rows (training tr_, validation va_, test te_; inputs _xs, answers _ys), hands them out
in batches, and knows what its answers mean: which loss belongs to them, how accuracy is counted, how an estimate is
printed. The models know none of this, so one model class serves every set.

==============  =========================  =======================  ==================================
mode            answer                     loss                     accuracy
==============  =========================  =======================  ==================================
regression      numbers [n, k]             mean squared error       1 - sqrt(mean squared error) / mean(y)
binary          0 or 1 [n, 1]              sigmoid cross entropy    share of rows where (logit > 0) = y
select          one of k, one-hot [n, k]   softmax cross entropy    share of rows where argmax is right
dual_select     two choices [n, k1 + k2]   sum of the two           a share for each (office31.py)
==============  =========================  =======================  ==================================
"""

import numpy as np

from data import show
from data.errors import DataError
from data.rows import subset
from mathlib import functions, losses, rng
from mathlib.backend import xp

MODES = ('regression', 'binary', 'select', 'dual_select')

# mode: (loss, its gradient by the output, what the output estimates)
_POSTPROC = {
    'regression': (losses.squared_error, losses.squared_error_grad, lambda output: output),
    'binary': (losses.sigmoid_cross_entropy, losses.sigmoid_cross_entropy_grad, functions.sigmoid),
    'select': (losses.softmax_cross_entropy, losses.softmax_cross_entropy_grad, functions.softmax),
}


class Dataset:
    """Rows of inputs and answers, split into training, validation and test.

    A subclass fills the rows, most simply with `shuffle_data(xs, ys)`, and may override `visualize`.

    Attributes: name; mode (one of MODES); tr_xs, tr_ys, va_xs, va_ys, te_xs, te_ys (host arrays, or ImageRows for
    pictures); input_shape and output_shape of one row (tuples); target_names (for a choice, the names of its
    answers); digest (12 hexadecimal digits of the content of the source files) and kind ('real' or 'sample'), for
    the record of a run; skipped (a list of (file, reason) for what had to be left out); augment (None, or a function
    that changes each batch of training inputs a little, see data/augment.py).
    """

    def __init__(self, name, mode):
        if mode not in MODES:
            raise DataError(f'{name}: the mode {mode!r} is not known; expected one of {", ".join(MODES)}.')
        self.name = name
        self.mode = mode
        self.digest = ''
        self.kind = 'own'
        self.target_names = None
        self.skipped = []
        self.augment = None
        self.indices = np.arange(0)
        self.tr_xs = self.tr_ys = self.va_xs = self.va_ys = self.te_xs = self.te_ys = np.zeros(0)
        self.input_shape = self.output_shape = None

    def __str__(self):
        return f'{self.name}({self.mode}, {len(self.tr_xs)}+{len(self.te_xs)}+{len(self.va_xs)})'

    @property
    def train_count(self):
        """Number of training rows."""
        return len(self.tr_xs)

    # ---- rows -------------------------------------------------------------------------------------------------

    def shuffle_data(self, xs, ys, tr_ratio=0.8, va_ratio=0.05):
        """Split n rows at random, as the book does, and take them as this set's rows.

        xs [n, *input_shape] and ys [n, *output_shape] are host arrays (xs may be ImageRows). One shuffle of 0..n-1;
        along it the first int(n * tr_ratio / 10) * 10 rows are for training, the next int(n * va_ratio) for
        validation, the rest for the test. Returns the three index arrays. Raises DataError where n is too small for
        a training and a validation row.
        """
        count = len(xs)
        if len(ys) != count:
            raise DataError(f'{self.name}: {count} inputs but {len(ys)} answers; there must be one answer an input.')
        tr_end = int(count * tr_ratio / 10) * 10
        va_end = tr_end + int(count * va_ratio)
        if tr_end == 0 or (va_end == tr_end and va_ratio > 0):
            raise DataError(
                f'{self.name}: {count} rows are too few to split: training gets {tr_end}, validation '
                f'{va_end - tr_end}. With the usual shares a set needs at least 20 rows.'
            )
        xs, ys = _floating(xs), _floating(ys)
        indices = np.arange(count)
        rng.shuffle(indices)
        parts = np.split(indices, [tr_end, va_end])
        self.tr_xs, self.va_xs, self.te_xs = (subset(xs, part) for part in parts)
        self.tr_ys, self.va_ys, self.te_ys = (ys[part] for part in parts)
        self.input_shape = tuple(xs.shape[1:])
        self.output_shape = tuple(ys.shape[1:])
        return parts

    def shuffle_train_data(self, size):
        """Start an epoch: put the first `size` training rows into a new random order."""
        if size > self.train_count:
            raise DataError(
                f'{self.name}: {size} training rows asked for, but there are {self.train_count}. '
                f'Make batch size times number of batches smaller.'
            )
        self.indices = np.arange(size)
        rng.shuffle(self.indices)

    def get_train_data(self, batch_size, nth):
        """Batch `nth` (from 0) of the epoch: host arrays x [batch_size, *input_shape], y [batch_size, *output_shape].

        Raises DataError past the end of the epoch, so also for a batch larger than the training set.
        """
        begin, end = nth * batch_size, (nth + 1) * batch_size
        if end > len(self.indices):
            raise DataError(
                f'{self.name}: batch {nth} of {batch_size} rows would end at row {end}, but this epoch has '
                f'{len(self.indices)} rows of {self.train_count} in training. Take a smaller batch size '
                f'(and call shuffle_train_data before each epoch).'
            )
        rows = self.indices[begin:end]
        xs = self.tr_xs[rows]
        return xs if self.augment is None else self.augment(xs), self.tr_ys[rows]

    def get_test_data(self):
        """All test rows: te_xs (ImageRows for pictures, to be drawn in pieces), te_ys."""
        return self.te_xs, self.te_ys

    def get_validate_data(self, count):
        """`count` validation rows (or all, where there are fewer), drawn anew at every call: host arrays x, y."""
        order = np.arange(len(self.va_xs))
        rng.shuffle(order)
        return self.va_xs[order[:count]], self.va_ys[order[:count]]

    def get_visualize_data(self, count):
        """`count` rows to look at: drawn as for the validation."""
        return self.get_validate_data(count)

    # ---- what an output means (on device arrays) --------------------------------------------------------------

    def _postproc(self, mode):
        mode = mode or self.mode
        if mode not in _POSTPROC:
            raise DataError(
                f'{self.name}: a Dataset has no loss for the mode {mode!r}; it has one for {", ".join(_POSTPROC)}. '
                f'For two choices at once derive from DualSelectDataset.'
            )
        return _POSTPROC[mode]

    def forward_postproc(self, output, y, mode=None):
        """The loss of a batch (0-d device array) and aux. output, y: device arrays [n, *output_shape]."""
        loss, _, _ = self._postproc(mode)
        return loss(output, y), (output, y, mode)

    def backprop_postproc(self, G_loss, aux, mode=None):
        """G_output, the gradient of the loss by the output, [n, *output_shape]; G_loss is 1 where the loss is all."""
        output, y, mode_before = aux
        _, gradient, _ = self._postproc(mode or mode_before)
        return gradient(output, y) * G_loss

    def eval_accuracy(self, x, y, output, mode=None):
        """The accuracy of a batch (0-d device array). y, output: device arrays [n, *output_shape]; x is not used."""
        mode = mode or self.mode
        self._postproc(mode)
        if mode == 'regression':
            return 1 - xp.sqrt(losses.squared_error(output, y)) / y.mean()
        if mode == 'binary':
            guess, truth = output > 0, y > 0.5
        else:
            guess, truth = xp.argmax(output, axis=1), xp.argmax(y, axis=1)
        return (guess == truth).astype(output.dtype).mean()

    def get_estimate(self, output, mode=None):
        """What the output says: the number itself, a probability, or a distribution (device array, shape of output)."""
        _, _, estimate = self._postproc(mode)
        return estimate(output)

    def answer_names(self):
        """The names of the answers of a choice: target_names, or 'no' and 'yes', or numbers."""
        if self.target_names is not None:
            return self.target_names
        return ['no', 'yes'] if self.mode == 'binary' else [str(n) for n in range(self.output_shape[0])]

    # ---- reports ----------------------------------------------------------------------------------------------

    def train_prt_result(self, epoch, costs, accs, acc, time1, time2):
        """Print an epoch's line. costs, accs: one number a step; acc: validation accuracy; times in whole seconds."""
        print(
            f'    Epoch {epoch}: cost={np.mean(costs):5.3f}, accuracy={np.mean(accs):5.3f}/{acc:5.3f} '
            f'({time1}/{time2} secs)'
        )

    def test_prt_result(self, name, acc, time):
        """Print the line of a test, and an empty line after it."""
        print(f'Model {name} test report: accuracy = {acc:5.3f}, ({time} secs)\n')

    def visualize(self, xs, estimates, answers):
        """Print rows beside their estimates (from get_estimate) and answers: host arrays [n, ...].

        The lines are those of the book's tables; classes without target_names are numbered. A subclass may show more.
        """
        if self.mode == 'regression':
            show.print_regression(xs, estimates, answers)
        elif self.mode == 'binary':
            show.print_binary(xs, estimates, answers, self.answer_names())
        else:
            show.print_select(estimates, answers, self.answer_names())


def _floating(array):
    """Whole numbers and truth values as float32: mixed with float32 they would make everything float64."""
    return array.astype('float32') if isinstance(array, np.ndarray) and array.dtype.kind in 'iub' else array
