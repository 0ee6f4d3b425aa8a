"""The experiments of chapter 7: convolutional networks."""

from chapters.ch07_cnn_basic import CnnBasicModel
from chapters.experiments.experiment import BOOK, COURSE, OWN_CODE, Experiment, Published
from data import FlowersDataset, Office31Dataset


def _cnn(model, hconfigs, dataset_class, course, book, own_code=None, **settings):
    """The book's models of chapter 7. course, book: (accuracies, seconds) in print; own_code: accuracies."""
    published = [Published(*course, COURSE), Published(*book, BOOK)]
    if own_code:
        published.append(Published(own_code, source=OWN_CODE))
    return Experiment(
        f'ch07_{model}',
        CnnBasicModel,
        model,
        hconfigs,
        dataset_class,
        {'resolution': [96, 96], 'input_shape': [96, 96, 3]},
        report=2,
        published=tuple(published),
        **settings,
    )


def three_convs(**options):
    """The layers of flowers_model_4; options: of its three convolutions."""
    return [
        ['conv', {'ksize': 3, 'chn': 6, **options}],
        ['max', {'stride': 2}],
        ['conv', {'ksize': 3, 'chn': 12, **options}],
        ['max', {'stride': 2}],
        ['conv', {'ksize': 3, 'chn': 24, **options}],
        ['avg', {'stride': 3}],
    ]


_TWO_CONVS = [
    ['conv', {'ksize': 5, 'chn': 6}],
    ['max', {'stride': 4}],
    ['conv', {'ksize': 3, 'chn': 12}],
    ['avg', {'stride': 2}],
]
_PERCEPTRON = [['full', {'width': 30}], ['full', {'width': 10}]]

CONVOLUTION = [
    _cnn('flowers_model_1', [30, 10], FlowersDataset, ((0.311,), 160), ((0.233,), 91), (0.232,)),
    _cnn(
        'flowers_model_2',
        _PERCEPTRON,
        FlowersDataset,
        ((0.388,), 42),
        ((0.368,), 31),
        (0.420,),
        attributes={'use_adam': False},
    ),
    _cnn('flowers_model_3', _TWO_CONVS, FlowersDataset, ((0.563,), 817), ((0.518,), 693), (0.512,)),
    _cnn('flowers_model_4', three_convs(), FlowersDataset, ((0.649,), 692), ((0.636,), 486), (0.546,)),
    _cnn(
        'office31_model_1',
        three_convs(),
        Office31Dataset,
        ((0.874, 0.526), 704),
        ((0.896, 0.541), 465),
        (0.896, 0.542),
    ),
    _cnn(
        'office31_model_2',
        three_convs(actfunc='sigmoid'),
        Office31Dataset,
        ((0.693, 0.040), 752),
        ((0.693, 0.040), 559),
    ),
    _cnn(
        'office31_model_3',
        three_convs(actfunc='tanh'),
        Office31Dataset,
        ((0.776, 0.370), 807),
        ((0.717, 0.315), 572),
    ),
]
