"""Pictures of trainings: learning curves and confusion matrices."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from data.show import figure_labels

TRAIN, VALIDATION = '#33658a', '#f26419'
HISTORY_WORDS = ('epoch', 'training cost', 'accuracy', 'training', 'validation', 'test', 'domain', 'object')


def plot_history(history, title=None):
    """Cost on the left, accuracies on the right, over the epochs; returns the figure.

    history: a History. Two accuracies (domain and object) give two curves each.
    """
    labels, font = figure_labels(*HISTORY_WORDS)
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout='constrained')
        epochs = [epoch.number for epoch in history.epochs]
        left.plot(epochs, history.costs, color=TRAIN, marker='o', markersize=3)
        left.set(xlabel=labels['epoch'], ylabel=labels['training cost'], ylim=(0, None))
        if epochs:
            _accuracies(right, epochs, history, labels)
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.spines[['top', 'right']].set_visible(False)
        figure.suptitle(title or history.model)
    return figure


def _accuracies(axes, epochs, history, labels):
    """Training and validation accuracies, and the test accuracy as a line at its height."""
    one = np.ndim(history.train_accuracies[0]) == 0
    parts = ('',) if one else (f' ({labels["domain"]})', f' ({labels["object"]})')
    test = np.atleast_1d(history.test_accuracy) if history.test_accuracy is not None else ()
    reported = [epoch for epoch in history.epochs if epoch.validation_accuracy is not None]
    for n, part in enumerate(parts):
        style = dict(linestyle='-' if n == 0 else '--')
        train = [np.atleast_1d(accuracy)[n] for accuracy in history.train_accuracies]
        axes.plot(epochs, train, color=TRAIN, label=labels['training'] + part, **style)
        if reported:
            values = [np.atleast_1d(epoch.validation_accuracy)[n] for epoch in reported]
            numbers = [epoch.number for epoch in reported]
            axes.plot(numbers, values, color=VALIDATION, marker='o', label=labels['validation'] + part, **style)
        if len(test):
            label = f'{labels["test"]}{part} {test[n]:.3f}'
            axes.axhline(test[n], color='grey', linewidth=1, label=label, linestyle=':')
    axes.set(xlabel=labels['epoch'], ylabel=labels['accuracy'], ylim=(0, 1))
    axes.legend(fontsize=8, frameon=False)


def plot_parameters(values, title):
    """How a network's weights are distributed, with mean and spread; returns the figure.

    values: a host vector.
    """
    labels, font = figure_labels('weight', 'density', 'mean', 'standard deviation')
    mean, std = float(values.mean()), float(values.std())
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        figure, axes = plt.subplots(figsize=(5.5, 3), layout='constrained')
        reach = max(float(np.quantile(np.abs(values), 0.999)), 1e-12)
        axes.hist(values, 100, range=(-reach, reach), density=True, color=TRAIN, alpha=0.75)
        axes.set(xlabel=labels['weight'], ylabel=labels['density'], title=title)
        told = f'{labels["mean"]} {mean:.3f}\n{labels["standard deviation"]} {std:.3f}'
        axes.text(0.97, 0.95, told, transform=axes.transAxes, ha='right', va='top', fontsize=9)
        axes.spines[['top', 'right']].set_visible(False)
    return figure


def plot_confusion(matrix):
    """A ConfusionMatrix as a picture, each row as shares of its true class; returns the figure."""
    labels, font = figure_labels('chosen', 'true', 'accuracy', 'largest class', also=''.join(matrix.names))
    shares = matrix.counts / np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    side = max(3.2, 0.32 * len(matrix.names) + 1.5)
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        figure, axes = plt.subplots(figsize=(side + 0.6, side), layout='constrained')
        axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        ticks = range(len(matrix.names))
        axes.set_xticks(ticks, matrix.names, rotation=45, ha='right', fontsize=8)
        axes.set_yticks(ticks, matrix.names, fontsize=8)
        axes.set(xlabel=labels['chosen'], ylabel=labels['true'])
        if len(matrix.names) <= 12:
            for (row, column), count in np.ndenumerate(matrix.counts):
                color = 'white' if shares[row, column] > 0.5 else 'black'
                axes.text(column, row, count, ha='center', va='center', color=color)
        largest = f'{labels["largest class"]} {matrix.largest_class:.3f}'
        axes.set_title(f'{labels["accuracy"]} {matrix.accuracy:.3f}, {largest}', fontsize=9)
    return figure
