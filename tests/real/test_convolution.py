"""flowers_model_4 on the real images, beside the textbook's algorithm: im2col of whole batches, Adam array by array."""

import numpy as np
import pytest

from chapters import CnnBasicModel
from chapters.ch07_textbook import TextbookNet
from chapters.experiments import EXPERIMENTS
from data import FlowersDataset
from mathlib import backend, rng
from mathlib.backend import scalar, to_device

STEPS = 50


def test_costs_follow_the_textbooks_algorithm_to_five_digits():
    with backend.precision('float64'):
        rng.seed()
        dataset = FlowersDataset([96, 96], [96, 96, 3])
        experiment = EXPERIMENTS['ch07_flowers_model_4']
        model = CnnBasicModel(experiment.model_name, dataset, experiment.hconfigs)
        weights = [(pm.get('k', pm.get('w')), pm['b']) for pm in (*model.pm_hiddens, model.pm_output) if 'b' in pm]
        textbook = TextbookNet(experiment.hconfigs, weights, dataset)
        model.learning_rate = experiment.learning_rate
        dataset.shuffle_train_data(dataset.train_count // 10 * 10)
        ours, theirs = [], []
        for n in range(STEPS):
            x, y = (to_device(part) for part in dataset.get_train_data(10, n))
            ours.append(scalar(model.train_step(x, y)[0]))
            theirs.append(scalar(textbook.train_step(x, y, experiment.learning_rate)))
    assert np.ptp(theirs) > 0.1
    assert ours == pytest.approx(theirs, rel=5e-6)
