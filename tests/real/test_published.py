"""Published weights in our networks, on real photos: SqueezeNet v1.0 (ImageNet) and the ResNet-8 of MLPerf Tiny."""

import pytest

from chapters import import_weights, load, save
from chapters.classify import classify
from chapters.nets.catalogue import make
from mathlib import settings

AMAZON = settings.data_dir / 'office31' / 'amazon' / 'images'
WEIGHTS = settings.data_dir / 'weights'
PHOTOS = 40
# Class of Office-31: the names of ImageNet that are right for it, and on how many of the first 40 photos one of them is
# among the first five. The same network written in PyTorch counts the same. (The notes that come with the weights say
# 97, 95, 95 and 93 %, of 40 photos that they do not name.)
EXPECTED = {
    'back_pack': (('backpack',), 35),
    'monitor': (('monitor', 'screen'), 36),
    'mouse': (('mouse',), 34),
    'printer': (('printer',), 35),
}


@pytest.fixture(scope='module')
def squeezenet():
    model = make('squeezenet')
    import_weights(model, WEIGHTS / 'squeezenet10_imagenet' / 'squeezenet_v1.0.npz')
    return model


@pytest.mark.parametrize('category', EXPECTED)
def test_squeezenet_knows_office_things(squeezenet, category):
    names, count = EXPECTED[category]
    photos = sorted((AMAZON / category).glob('*.jpg'))[:PHOTOS]
    assert len(photos) == PHOTOS
    guesses = classify(squeezenet, photos)
    right = [any(name.split(',')[0] in names for name, _ in rows) for rows in guesses]
    assert abs(sum(right) - count) <= 1


def test_a_saved_copy_answers_the_same(squeezenet, tmp_path):
    photos = sorted((AMAZON / 'mug').glob('*.jpg'))[:4]
    copy = load(save(squeezenet, tmp_path / 'squeezenet.safetensors'))
    assert classify(copy, photos) == classify(squeezenet, photos)


def test_resnet_8_takes_its_weights():
    model = make('resnet_8')
    report = import_weights(model, WEIGHTS / 'resnet8_cifar10_mlperf_tiny' / 'resnet8.npz')
    assert len(report.rows) == 48
    photos = sorted((AMAZON / 'mug').glob('*.jpg'))[:4]
    shares = [sum(share for _, share in rows) for rows in classify(model, photos, top=10)]
    assert shares == pytest.approx([1] * 4, abs=1e-5)
