"""What CnnBasicModel says of input that it cannot work with, and what it takes."""

import numpy as np
import pytest

from chapters import CnnBasicModel
from data import DummyDataset
from mathlib.backend import to_device, to_host
from mathlib.errors import ConfigError


def test_a_layer_that_forgets_its_gradient_is_told():
    class Forgetful(CnnBasicModel):
        def alloc_same_layer(self, input_shape, hconfig):
            return {}, input_shape

        def forward_same_layer(self, x, hconfig, pm):
            return x, None

        def backprop_same_layer(self, G_y, hconfig, pm, aux):
            """Without its return."""

    data = DummyDataset('pictures', 'select', [6, 6, 1], [2])
    model = Forgetful('forgetful', data, [['conv', {'ksize': 3, 'chn': 2}], ['same']])
    x, y = to_device(np.ones((2, 6, 6, 1))), to_device(np.eye(2))
    with pytest.raises(ConfigError, match='forgetful: layer 1 > conv: the backprop method of the layer after it gave'):
        model.train_step(x, y)


def test_pixels_may_be_whole_numbers_and_a_batch_may_not_be_empty():
    data = DummyDataset('pictures', 'select', [6, 6, 1], [2])
    model = CnnBasicModel('whole', data, [['avg', {'stride': 2}], ['conv', {'ksize': 3, 'chn': 2}]])
    pixels = np.random.RandomState(0).randint(256, size=(3, 6, 6, 1)).astype('uint8')
    whole, floating = model.get_output(pixels), model.get_output(pixels.astype('float32'))
    assert (to_host(whole) == to_host(floating)).all()
    for use in (model.get_output, model.get_maps):
        with pytest.raises(ConfigError, match='whole: a batch of no rows: expected at least one'):
            use(pixels[:0])
