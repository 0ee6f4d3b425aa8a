"""The experiments of chapter 8: weight decay on a perceptron; dropout, noise and batch normalisation in a small CNN."""

from chapters.ch08_cnn_reg import CnnRegModel
from chapters.experiments.experiment import Experiment, Published
from data import FlowersDataset, Office31Dataset

_PICTURES = {'resolution': [96, 96], 'input_shape': [96, 96, 3]}
_DROPOUT, _BATCH_NORMAL = ['dropout', {'keep_prob': 0.6}], ['batch_normal']
_NOISE = ['noise', {'type': 'normal', 'mean': 0, 'std': 0.01}]


def _blocks(before=(), after=()):
    """Three convolutions, each with its pooling; `before` and `after` are layers around each of the three."""
    layers = []
    for chn, pooling in ((6, ['max', {'stride': 2}]), (12, ['max', {'stride': 2}]), (24, ['avg', {'stride': 3}])):
        layers += [*before, ['conv', {'ksize': 3, 'chn': chn}], pooling, *after]
    return layers


# The book's cnn1 to cnn4.
_LAYERS = [_blocks(), _blocks(after=[_DROPOUT]), _blocks(before=[_NOISE]), _blocks(before=[_BATCH_NORMAL])]


def _perceptron(number, seconds, **model_args):
    """A perceptron on the flowers, with or without weight decay."""
    return Experiment(
        f'ch08_flowers_model_{number}',
        CnnRegModel,
        f'flowers_model_{number}',
        [30, 10],
        FlowersDataset,
        _PICTURES,
        report=2,
        model_args=model_args,
        published=(Published((0.233,), seconds),),
    )


def _cnn(subject, number, dataset_class, accuracy, seconds):
    """The book's cnn1, cnn2, cnn3 or cnn4 on flowers or on office objects."""
    return Experiment(
        f'ch08_{subject}_cnn_{number}',
        CnnRegModel,
        f'{subject}_cnn_{number}',
        _LAYERS[number - 1],
        dataset_class,
        _PICTURES,
        report=2,
        published=(Published(accuracy, seconds),),
    )


REGULARISATION = [
    _perceptron(1, 81),
    _perceptron(2, 567, l2_decay=0.1),
    _perceptron(3, 585, l1_decay=0.01),
    _cnn('flowers', 1, FlowersDataset, (0.633,), 777),
    _cnn('flowers', 2, FlowersDataset, (0.557,), 823),
    _cnn('flowers', 3, FlowersDataset, (0.613,), 890),
    _cnn('flowers', 4, FlowersDataset, (0.530,), 688),
    _cnn('office31', 1, Office31Dataset, (0.874, 0.558), 525),
    _cnn('office31', 2, Office31Dataset, (0.797, 0.530), 550),
    _cnn('office31', 3, Office31Dataset, (0.906, 0.541), 607),
    _cnn('office31', 4, Office31Dataset, (0.894, 0.390), 595),
]
