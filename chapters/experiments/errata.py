"""The experiments of appendix A: nets of chapter 9 with the book's own gradients; with averages that keep up."""

from dataclasses import replace

from chapters.errata import BookExtModel
from chapters.experiments.experiment import COURSE, Published
from chapters.experiments.extended import EXTENDED

_BY_NAME = {experiment.model_name: experiment for experiment in EXTENDED}


def _book(model, **changes):
    """The experiment as the book's code runs it, with every one of its deviations; `changes` are of its Experiment."""
    note = "with the gradients of the book's own code (chapters/errata.py)"
    return replace(_BY_NAME[model], name=f'ch09_{model}_book', model_class=BookExtModel, note=note, **changes)


def _averages(model):
    """The experiment with right gradients as always, and moving averages that follow the training closely."""
    note = 'the moving averages of batch normalisation with exp_ratio 0.1 instead of 0.001'
    return replace(_BY_NAME[model], name=f'ch09_{model}_averages', model_args={'exp_ratio': 0.1}, note=note)


ERRATA = [
    # Four epochs show where it goes; the way back through the averages makes them slow. In print it was ten.
    _book('model_flower_LA', epoch_count=4, published=(Published((0.242,), source=COURSE),)),
    _book('residual_flower'),
    _book('bottleneck_flower'),
    _averages('residual_flower'),
    _averages('bottleneck_flower'),
]
