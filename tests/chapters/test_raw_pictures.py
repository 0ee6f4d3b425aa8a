"""Pixels from 0 to 255 as they are: every model class, and every network of the book for flowers, makes a finite step.

Warnings are errors here, so nothing may overflow on the way either.
"""

import numpy as np
import pytest

from chapters.experiments import EXPERIMENTS
from data import Dataset, FlowersDataset
from mathlib import rng
from mathlib.backend import scalar, to_device
from tests.chapters.weight_models import CASES

FLOWERS = {name: each for name, each in EXPERIMENTS.items() if each.dataset_class is FlowersDataset}


class RawPictures(Dataset):
    """Random pixels, whole numbers, a black picture and a white one among them."""

    def __init__(self, shape, classes, mode='select'):
        super().__init__('raw', mode)
        draws = np.random.RandomState(0)
        xs = draws.randint(0, 256, size=(40, *shape)).astype('uint8')
        xs[0], xs[1] = 0, 255
        rng.seed()
        self.shuffle_data(xs, np.eye(classes)[np.arange(40) % classes])


def step(model, batch_size, rate):
    """The cost of one training step."""
    model.dataset.shuffle_train_data(batch_size)
    model.learning_rate = rate
    cost, _ = model.train_step(*map(to_device, model.dataset.get_train_data(batch_size, 0)))
    assert model.parameters.are_finite()
    return scalar(cost)


@pytest.mark.parametrize('model_class', CASES)
@pytest.mark.parametrize('mode', ['select', 'regression', 'binary'])
def test_every_class(model_class, mode):
    model = model_class('net', RawPictures((6, 6, 3), 3, mode), CASES[model_class])
    first = step(model, 10, 0.001)
    assert 0 < first < 1e6
    assert np.isfinite(step(model, 10, 0.001))


@pytest.mark.parametrize('name', FLOWERS)
def test_every_network_for_flowers_at_the_settings_of_the_book(name):
    experiment = FLOWERS[name]
    resolution = experiment.dataset_args.get('resolution', (100, 100))
    shape = tuple(experiment.dataset_args.get('input_shape', (-1,)))
    shape = (resolution[0] * resolution[1] * 3,) if shape == (-1,) else shape
    model = experiment.model_class(name, RawPictures(shape, 5), experiment.hconfigs, **experiment.model_args)
    for attribute, value in experiment.attributes.items():
        setattr(model, attribute, value)
    assert 0 < step(model, experiment.batch_size, experiment.learning_rate) < 1e6
