"""The experiments of chapters 5 and 6: perceptrons on tables and on pictures."""

from chapters.ch05_mlp_model import MlpModel
from chapters.ch06_adam import AdamModel
from chapters.experiments.experiment import Experiment, Published
from data import AbaloneDataset, FlowersDataset, Office31Dataset, PulsarDataset, PulsarSelectDataset, SteelDataset


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


PERCEPTRONS = [
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
]
