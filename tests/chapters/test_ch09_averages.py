"""Chapter 9: averages that come after the 1x1 convolution behind them."""

import numpy as np
import pytest

from chapters import CnnExtModel
from chapters.structure import layers
from data import DummyDataset
from mathlib import rng
from mathlib.backend import precision, to_device, to_host


@pytest.fixture(autouse=True)
def double():
    """Everything is computed in float64."""
    with precision('float64'):
        yield


def conv(ksize, chn, **options):
    """A conv layer as it is written."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


class AverageFirst(CnnExtModel):
    """A reader's own avg layer, which therefore stays where it stands."""

    def forward_avg_layer(self, x, hconfig, pm):
        return super().forward_avg_layer(x, hconfig, pm)


@pytest.mark.parametrize('actions', ['L', 'LA', 'LAB', 'LBA'])
def test_averaging_after_the_1x1_convolution_behind_it_changes_nothing_but_the_work(actions):
    """The same outputs, maps and gradients, whichever comes first; and it does come later where that is less work."""
    average = ['avg', {'ksize': 3, 'stride': 1}]
    hconfigs = [
        ['parallel', ['serial', average, conv(1, 2, actions=actions)], ['serial', average, conv(1, 5)]],
        average,
        conv(3, 3),
    ]
    draws = np.random.RandomState(3)
    x, y = to_device(draws.normal(size=(6, 5, 4, 3))), to_device(np.eye(3)[[0, 1, 2, 0, 1, 2]])
    dataset = DummyDataset('pictures', 'select', (5, 4, 3), [3])
    models = []
    for cls in (CnnExtModel, AverageFirst):
        rng.seed(1)
        models.append(cls('m', dataset, hconfigs, weight_init='he'))
    later = [
        [p.pm['state'].get('later', False) for _, p in layers(m.structure) if p.layer.type == 'avg'] for m in models
    ]
    assert later == [[True, False, False], [False, False, False]]
    ours, theirs = models
    for model in models:
        model.compute_gradients(x, y)
    found, expected = (to_host(model.parameters.gradients) for model in models)
    assert np.abs(found - expected).max() < 1e-12
    assert np.abs(expected).max() > 1e-3
    pairs = zip(ours.get_maps(x), theirs.get_maps(x), strict=True)
    for (path, one), (same_path, other) in pairs:
        assert path == same_path
        assert np.abs(one - other).max() < 1e-12
