"""The book's experiments as data: which model, which configuration, which data set, which settings, what was published.

`python -m chapters list` shows them, `python -m chapters run NAME` runs one. The settings are the book's; a run may
change any of them. `published` are the accuracies on the test data and the seconds of training that the book's public
notebooks print; from chapter 7 on also those of a report on a course held with the book, and what the book's own code
reaches on the pictures that stand behind our runs (smaller than the originals, so harder).
"""

from chapters.experiments.classical import CLASSICAL
from chapters.experiments.convolution import CONVOLUTION
from chapters.experiments.errata import ERRATA
from chapters.experiments.experiment import Experiment, Published
from chapters.experiments.extended import EXTENDED, TUNED
from chapters.experiments.perceptrons import PERCEPTRONS
from chapters.experiments.regularisation import REGULARISATION
from chapters.experiments.transfer import TRANSFER

__all__ = ['EXPERIMENTS', 'Experiment', 'Published']

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (*PERCEPTRONS, *CONVOLUTION, *REGULARISATION, *EXTENDED, *TUNED, *CLASSICAL, *TRANSFER, *ERRATA)
}
