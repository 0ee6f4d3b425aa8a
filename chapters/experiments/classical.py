"""The experiments of chapter 10: LeNet on the digits, and a network trained on a million photos set to other tasks."""

from chapters.ch10_cnn_net import CnnNetModel
from chapters.experiments.experiment import Experiment, Published
from data import MnistDataset

PIXELS = ['batch_normal', {'rescale': False}]
LENET = ['custom', {'name': 'lenet_keras'}]
PUBLISHED = Published((0.958,), source='published')


def _lenet(name, train_count, schedule, published=(), **settings):
    """LeNet on the first digits, or on all of them with None."""
    return Experiment(
        f'ch10_{name}',
        CnnNetModel,
        name,
        [PIXELS, LENET],
        MnistDataset,
        {'train_count': train_count},
        epoch_count=5,
        report=1,
        attributes={'schedule': schedule},
        published=published,
        **settings,
    )


CLASSICAL = [
    _lenet('lenet_3000', 3000, 'constant', (PUBLISHED,)),
    _lenet('lenet_3000_cosine', 3000, 'cosine', (PUBLISHED,)),
    _lenet('lenet_mnist', None, 'cosine', batch_size=50, learning_rate=0.002),
]
