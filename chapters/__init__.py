"""The staircase: each chapter imports the one below and adds only what it teaches.

=================  ==============================================================
ch04_mlp           perceptrons as plain functions
ch05_mlp_model     MlpModel, the same as a class
ch06_adam          AdamModel, trained with Adam
ch07_stages        one convolution written three times, from loops to a matrix product
ch07_textbook      a whole network trained in that way, to compare with
ch07_cnn_basic     CnnBasicModel, with convolution and pooling layers
=================  ==============================================================

Beside the staircase stand config (checking configurations), training (checking settings), history, progress, summary,
gradients, confusion, figures, maps, and the command line with its experiments, runs and report.
"""

from chapters.ch05_mlp_model import MlpModel, Model
from chapters.ch06_adam import AdamModel
from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.confusion import confusion_matrix
from chapters.gradients import check_gradients
from chapters.history import History

__all__ = ['AdamModel', 'CnnBasicModel', 'History', 'MlpModel', 'Model', 'check_gradients', 'confusion_matrix']
