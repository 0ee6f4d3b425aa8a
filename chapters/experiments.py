"""The book's experiments as data: which model, which configuration, which data set, which settings, what was published.

`python -m chapters list` shows them, `python -m chapters run NAME` runs one. The settings are the book's; a run may
change any of them. `published` are the accuracies on the test data and the seconds of training that the book's public
notebooks print; from chapter 7 on also those of a report on a course held with the book, and what the book's own code
reaches on the pictures that stand behind our runs (smaller than the originals, so harder).
"""

from dataclasses import dataclass, field

from chapters.ch05_mlp_model import MlpModel
from chapters.ch06_adam import AdamModel
from chapters.ch07_cnn_basic import CnnBasicModel
from data import AbaloneDataset, FlowersDataset, Office31Dataset, PulsarDataset, PulsarSelectDataset, SteelDataset

NOTEBOOK = "the book's public notebook"
BOOK, COURSE = 'the book', 'course report'
# One run with the book's seed; the flowers models of chapter 7 in the order 4, 1, 2, 3 on one stream of random numbers.
OWN_CODE = "the book's code on these pictures"


@dataclass(frozen=True)
class Published:
    """A published result: test accuracy (two for two answers), seconds of training, and where it stands."""

    accuracy: tuple
    seconds: int | None = None
    source: str = NOTEBOOK


@dataclass(frozen=True)
class Experiment:
    """One experiment. `model_name` is what the book calls the model; `name` is unique across chapters.

    attributes: set on the model before training, such as use_adam. shows: how many estimates are shown after the
    test, once for each number; the draws belong to the book's stream of random numbers.
    """

    name: str
    model_class: type
    model_name: str
    hconfigs: list
    dataset_class: type
    dataset_args: dict = field(default_factory=dict)
    epoch_count: int = 10
    batch_size: int = 10
    learning_rate: float = 0.001
    report: int = 0
    attributes: dict = field(default_factory=dict)
    shows: tuple = (3,)
    published: tuple = ()
    note: str = ''


def _flowers(number, widths, accuracy, seconds):
    """The book's perceptrons on the flowers differ in their layers only."""
    return Experiment(
        f'ch05_flowers_model_{number}',
        MlpModel,
        f'flowers_model_{number}',
        widths,
        FlowersDataset,
        report=2,
        published=(Published((accuracy,), seconds),),
    )


def _office31(number, widths, accuracies, seconds, **settings):
    """The book's perceptrons on Office-31."""
    return Experiment(
        f'ch06_office31_model_{number}',
        AdamModel,
        f'office31_model_{number}',
        widths,
        Office31Dataset,
        report=10,
        published=(Published(accuracies, seconds),),
        **settings,
    )


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


def _three_convs(**options):
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

_ALL = [
    Experiment(
        'ch05_abalone_model', MlpModel, 'abalone_model', [], AbaloneDataset, report=2, published=(Published((0.727,)),)
    ),
    Experiment(
        'ch05_pulsar_model',
        MlpModel,
        'pulsar_model',
        [4],
        PulsarDataset,
        shows=(3, 5),
        published=(Published((0.971,), 2),),
    ),
    Experiment(
        'ch05_steel_model',
        MlpModel,
        'steel_model',
        [12, 7],
        SteelDataset,
        epoch_count=50,
        report=10,
        published=(Published((0.337,), 2),),
    ),
    Experiment(
        'ch05_pulsar_select_model',
        MlpModel,
        'pulsar_select_model',
        [4],
        PulsarSelectDataset,
        published=(Published((0.969,), 3),),
    ),
    _flowers(1, [10], 0.239, 11),
    _flowers(2, [30, 10], 0.391, 28),
    _flowers(3, [256, 16], 0.239, 361),
    _flowers(4, [64, 20, 10], 0.426, 69),
    _flowers(5, [64, 32, 16, 8], 0.447, 85),
    _office31(1, [10], (0.661, 0.048), 21, epoch_count=20),
    _office31(2, [64, 32, 10], (0.862, 0.213), 312, epoch_count=50, learning_rate=0.0001),
    _office31(
        3,
        [64, 32, 10],
        (0.878, 0.246),
        310,
        epoch_count=50,
        learning_rate=0.0001,
        attributes={'use_adam': True},
        note="the book's cell switches Adam on for model 2, so its model 3 ran without; here Adam is on, as was meant",
    ),
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
    _cnn('flowers_model_4', _three_convs(), FlowersDataset, ((0.649,), 692), ((0.636,), 486), (0.546,)),
    _cnn(
        'office31_model_1',
        _three_convs(),
        Office31Dataset,
        ((0.874, 0.526), 704),
        ((0.896, 0.541), 465),
        (0.896, 0.542),
    ),
    _cnn(
        'office31_model_2',
        _three_convs(actfunc='sigmoid'),
        Office31Dataset,
        ((0.693, 0.040), 752),
        ((0.693, 0.040), 559),
    ),
    _cnn(
        'office31_model_3',
        _three_convs(actfunc='tanh'),
        Office31Dataset,
        ((0.776, 0.370), 807),
        ((0.717, 0.315), 572),
    ),
]

EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}
