"""The staircase: each chapter imports the one below and adds only what it teaches.

=================  ==============================================================
ch04_mlp           perceptrons as plain functions
ch05_mlp_model     MlpModel, the same as a class
ch06_adam          AdamModel, trained with Adam
ch07_stages        one convolution written three times, from loops to a matrix product
ch07_textbook      a whole network trained in that way, to compare with
ch07_cnn_basic     CnnBasicModel, with convolution and pooling layers
ch08_cnn_reg       CnnRegModel, with weight decay, dropout, noise and batch normalisation
ch09_cnn_ext       CnnExtModel, with branches, shortcuts, loops and macros
ch10_cnn_net       CnnNetModel, with what the classical networks need
nets               the book's networks, and the classical ones, as macros; nets.catalogue makes a model of one
errata             what the book's own code does otherwise, as subclasses
=================  ==============================================================

Beside the staircase stand config, macros and limits (checking configurations, and the memory that they ask for),
structure (the layers as a tree), training (checking settings), shared_steps (steps done by several processes), finite
(where NaN and infinity come from), history, progress, summary, gradients and check (gradients beside finite
differences), confusion, figures, maps, diagram (plot_structure), side_heads and frozen (parts of CnnNetModel), weights
(saving and loading, with description and weightfiles), published (weights of others, with layouts and misfits) and
pretrained (networks that have them), checkpoints (trainings that go on after a kill, with checkpoint_state and
checkpoint_files; wholefile writes these and those of save), transfer, classify (photos), and the command line with its
experiments, runs, records and report.
"""

from chapters import nets
from chapters.ch05_mlp_model import MlpModel, Model
from chapters.ch06_adam import AdamModel
from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.ch08_cnn_reg import CnnRegModel
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.ch10_cnn_net import CnnNetModel
from chapters.confusion import confusion_matrix
from chapters.gradients import check_gradients
from chapters.history import History
from chapters.published import import_weights
from chapters.weights import load, load_weights, save

__all__ = [
    'AdamModel',
    'CnnBasicModel',
    'CnnExtModel',
    'CnnNetModel',
    'CnnRegModel',
    'History',
    'MlpModel',
    'Model',
    'check_gradients',
    'confusion_matrix',
    'import_weights',
    'load',
    'load_weights',
    'nets',
    'save',
]
