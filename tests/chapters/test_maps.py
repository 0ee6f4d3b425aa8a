"""Pictures of kernels and of maps."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chapters import CnnBasicModel
from chapters.maps import COLUMNS, FLAT, MOST_MAPS, plot_kernels, plot_maps
from data import DummyDataset
from mathlib import settings
from mathlib.backend import to_device, to_host
from mathlib.errors import ConfigError

LAYERS = [['conv', {'ksize': 3, 'chn': 5}], ['max', {'stride': 2}], ['conv', {'ksize': 3, 'chn': 30}], 10]


def model(hconfigs=LAYERS, shape=(24, 24, 3)):
    """A model on pictures of that shape."""
    return CnnBasicModel('m', DummyDataset('d', 'select', shape, [4]), hconfigs)


def picture(shape=(24, 24, 3)):
    """Random pixels 0..255, as a host array."""
    return np.random.RandomState(0).randint(0, 256, shape).astype('float32')


def sheet(axes):
    """The pixels of the picture on axes."""
    return np.asarray(axes.images[0].get_array())


def test_kernels_on_a_colour_picture_are_shown_in_colour():
    net = model()
    figure = plot_kernels(net, 1)
    shown = [axes for axes in figure.axes if axes.images]
    kernel = to_host(net.pm_hiddens[0]['k'])
    assert len(shown) == 5
    assert figure.get_suptitle() == 'layer 1 > conv: 3x3x3x5, kernels'
    expected = np.clip(0.5 + 0.2 * kernel[..., 4] / kernel.std(), 0, 1)
    assert sheet(shown[4]) == pytest.approx(expected)


def test_deeper_kernels_are_a_table_of_channels():
    net = model()
    axes = plot_kernels(net, 3).axes[0]
    kernel = to_host(net.pm_hiddens[2]['k'])
    shown = np.ma.filled(sheet(axes), np.nan)
    assert shown.shape == (5 * 4 - 1, 30 * 4 - 1)
    assert shown[4:7, 8:11] == pytest.approx(kernel[:, :, 1, 2])
    assert np.isnan(shown[3]).all()
    assert axes.images[0].get_clim() == pytest.approx((-np.abs(kernel).max(), np.abs(kernel).max()))


def test_of_very_many_kernels_only_the_strength_is_shown():
    net = model([['conv', {'ksize': 3, 'chn': 30}], ['conv', {'ksize': 3, 'chn': 40}]])
    shown = sheet(plot_kernels(net, 2).axes[0])
    kernel = to_host(net.pm_hiddens[1]['k'])
    assert shown == pytest.approx(np.sqrt((kernel**2).mean(axis=(0, 1))), rel=1e-5)


@pytest.mark.parametrize('number', [0, 2, 4, 9, 'conv'])
def test_only_convolutions_have_kernels(number):
    message = rf'm: layer {number!r} is no convolution: the numbers of its conv layers are \[1, 3\]'
    with pytest.raises(ConfigError, match=message):
        plot_kernels(model(), number)


def test_a_block_of_maps_for_each_layer_with_its_shape():
    figure = plot_maps(model(), picture())
    assert [axes.get_title(loc='left').split(', f')[0] for axes in figure.axes] == [
        'input  [24, 24, 3]',
        'layer 1 > conv  [24, 24, 5]',
        'layer 2 > max  [12, 12, 5]',
        'layer 3 > conv  [12, 12, 30]',
    ]
    figure.canvas.draw()


def test_each_map_has_its_own_scale():
    net, x = model(), picture()
    net.pm_hiddens[0]['b'][...] = to_device(np.array([500.0, 500, 500, 500, -9000]))
    figure = plot_maps(net, x)
    shown, maps = sheet(figure.axes[1]), net.get_maps(x[None])[0][1][0]
    zoom = 96 // 24
    for channel in range(4):
        cell = shown[: 24 * zoom : zoom, channel * 100 : channel * 100 + 24 * zoom : zoom, 0]
        low, high = maps[..., channel].min(), maps[..., channel].max()
        assert cell == pytest.approx((maps[..., channel] - low) / (high - low), abs=1e-5)
    assert np.all(shown[:96, 400:496] == np.array(FLAT))
    assert np.all(shown[:, 500:] == 1)
    assert figure.axes[1].get_title(loc='left') == 'layer 1 > conv  [24, 24, 5], flat: 1'


def test_the_picture_stands_above_with_its_channels():
    x = picture()
    shown = sheet(plot_maps(model(), x).axes[0])[::4, ::4]
    assert shown[:24, :24] == pytest.approx(x / 255)
    assert shown[:24, 25:49, 1] == pytest.approx((x[..., 0] - x[..., 0].min()) / np.ptp(x[..., 0]))
    grey = sheet(plot_maps(model(shape=(24, 24, 1)), picture((24, 24, 1))).axes[0])
    assert np.all(grey[:, 100:] == 1)


def test_of_a_wide_layer_the_first_maps_are_shown():
    figure = plot_maps(model([['conv', {'ksize': 1, 'chn': 50}]]), picture())
    assert figure.axes[1].get_title(loc='left').startswith(f'layer 1 > conv  [24, 24, 50], first {MOST_MAPS}')
    assert sheet(figure.axes[1]).shape[:2] == (MOST_MAPS // COLUMNS * 100, COLUMNS * 100)


def test_full_layers_make_no_maps():
    with pytest.raises(ConfigError, match='m: no layer makes maps'):
        plot_maps(model([30, 10]), picture())


@pytest.mark.parametrize(('show_maps', 'figures'), [(False, 0), (True, 2 + 3)])
def test_visualize_shows_kernels_and_maps_where_asked(monkeypatch, show_maps, figures):
    shown = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'inline')
    monkeypatch.setattr(plt, 'show', lambda: shown.extend(plt.get_fignums()))
    net = model()
    net.show_maps = show_maps
    told = []
    monkeypatch.setattr(net.dataset, 'visualize', lambda xs, estimates, answers: told.append(estimates.shape))
    net.visualize_rows(np.stack([picture()] * 3), np.eye(4)[:3])
    assert (told, len(shown), plt.get_fignums()) == ([(3, 4)], figures, [])


def test_without_layers_for_pictures_show_maps_shows_only_the_estimates(monkeypatch):
    monkeypatch.setattr(plt, 'get_backend', lambda: 'inline')
    monkeypatch.setattr(plt, 'show', lambda: pytest.fail('a figure was shown'))
    net = CnnBasicModel('m', DummyDataset('d', 'select', (24, 24, 3), [4]), [5], show_maps=True)
    monkeypatch.setattr(net.dataset, 'visualize', lambda *_: None)
    net.visualize_rows(picture()[None], np.eye(4)[:1])


def test_korean_titles_need_a_font_and_warn_of_nothing(monkeypatch):
    monkeypatch.setattr(settings, 'book_lang', 'ko')
    for figure in (plot_maps(model(), picture()), plot_kernels(model(), 1), plot_kernels(model(), 3)):
        figure.canvas.draw()
