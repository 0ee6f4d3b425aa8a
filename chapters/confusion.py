"""Which answers a model mixes up: a confusion matrix."""

from dataclasses import dataclass

import numpy as np

from mathlib.backend import to_host
from mathlib.errors import ConfigError


@dataclass(frozen=True)
class ConfusionMatrix:
    """counts [classes, classes]: row, the true class; column, the class that the model chose. names: of the classes."""

    counts: np.ndarray
    names: list

    def __str__(self):
        width = max(4, *map(len, self.names))
        digits = max(len(str(self.counts.max())), 3)
        lines = [f'{"true":>{width}} | chosen']
        for name, row in zip(self.names, self.counts, strict=True):
            lines.append(f'{name:>{width}} | ' + ' '.join(f'{count:{digits}d}' for count in row))
        return '\n'.join(lines)

    @property
    def accuracy(self):
        """The share of rows on the diagonal."""
        return np.trace(self.counts) / self.counts.sum()

    @property
    def largest_class(self):
        """The share of the most frequent true class: the accuracy of always choosing that one."""
        return self.counts.sum(axis=1).max() / self.counts.sum()

    def plot(self):
        """Draw the matrix; returns the matplotlib figure."""
        from chapters.figures import plot_confusion  # matplotlib is loaded only by those who draw

        return plot_confusion(self)


def confusion_matrix(model, answer=0):
    """The ConfusionMatrix of a model on its test data.

    answer: which of two answers to look at, for a dataset of mode 'dual_select' (0 the domain, 1 the object).
    Raises ConfigError for a regression, which has no classes.
    """
    dataset = model.dataset
    if dataset.mode == 'regression':
        raise ConfigError(f'{model.name}: {dataset.name} is a regression; a confusion matrix needs classes')
    x, y = dataset.get_test_data()
    logits, answers, names = to_host(model.get_output(x)), np.asarray(y), dataset.answer_names()
    if dataset.mode == 'dual_select':
        if answer not in (0, 1):
            raise ConfigError(f'{model.name}: answer is {answer!r}: expected 0 or 1, the first or the second choice')
        part = np.split(np.arange(answers.shape[1]), dataset.cnts)[answer]
        logits, answers, names = logits[:, part], answers[:, part], names[answer]
    chosen = (logits > 0)[:, 0].astype(int) if dataset.mode == 'binary' else logits.argmax(axis=1)
    true = answers[:, 0].astype(int) if dataset.mode == 'binary' else answers.argmax(axis=1)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (true, chosen), 1)
    return ConfusionMatrix(counts, list(names))
