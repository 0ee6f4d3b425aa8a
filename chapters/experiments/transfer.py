"""Transfer learning on Office-31 (chapter 14): SqueezeNet, trained on ImageNet, learns 31 objects of a shop's pictures.

With few, more and all pictures: a new output layer alone; the last modules too; and all layers.
"""

from chapters.ch10_cnn_net import CnnNetModel
from chapters.experiments.experiment import COURSE, Experiment, Published
from chapters.pretrained import pretrained
from chapters.transfer import HEAD_DECAY, FeatureDataset, FineTunedModel, PreparedPictures, keep_per_class
from data import Office31Dataset
from data.pictures import prepare

TRUNK = 'squeezenet_features'
SIDE = 128
FEATURES = ['batch_normal', {'rescale': False}]
# How many pictures of each class there are to learn from, None for all, about 73; and how many epochs all layers learn.
SIZES = {'small': (3, 6), 'medium': (10, 3), 'large': (None, 1)}
HEAD_EPOCHS = 30
# The last layer of the module fire7, so that fire8, fire9 and the output layer still learn; or none.
UP_TO = {'upper': 21, 'whole': 0}
# The objects of all three domains, from scratch, as published for the book's third office31_cnn model.
SCRATCH = Published((0.541,), source=f'{COURSE}, from scratch, all domains')


def amazon(per_class=None, augment=()):
    """The pictures of the domain amazon, 128x128; per_class: only so many of each class to learn from."""
    side = [SIDE, SIDE]
    dataset = Office31Dataset(side, [*side, 3], augment=augment, domains=['amazon'])
    return dataset if per_class is None else keep_per_class(dataset, per_class)


class AmazonFeatures(FeatureDataset):
    """What SqueezeNet makes of them: 512 numbers a picture."""

    def __init__(self, per_class=None):
        trunk = pretrained(TRUNK)
        super().__init__(trunk, amazon(per_class), lambda rows: prepare(trunk.prepare, rows.astype('uint8')))


class AmazonPictures(PreparedPictures):
    """The pictures as SqueezeNet wants them, mirrored at random while training."""

    def __init__(self, per_class=None, augment=('mirror',)):
        super().__init__(amazon(per_class, augment), 'squeezenet')


def _head(size):
    """A new output layer on features that stay as they are."""
    return Experiment(
        f'ch14_office31_{size}_head',
        CnnNetModel,
        f'office31_{size}_head',
        [FEATURES],
        AmazonFeatures,
        {'per_class': SIZES[size][0]},
        epoch_count=HEAD_EPOCHS,
        attributes={'schedule': 'cosine'},
        model_args={'l2_decay': HEAD_DECAY},
        published=(SCRATCH,),
    )


def _tuned(size, part):
    """A new output layer, trained alone at first, then with `part` of the layers below it."""
    count, epochs = SIZES[size]
    return Experiment(
        f'ch14_office31_{size}_{part}',
        FineTunedModel,
        f'office31_{size}_{part}',
        [['custom', {'name': TRUNK}], FEATURES],
        AmazonPictures,
        {'per_class': count},
        epoch_count=epochs,
        learning_rate=0.0001,
        report=1,
        attributes={'schedule': 'cosine'},
        model_args={'start': TRUNK, 'up_to': UP_TO[part], 'head_epochs': HEAD_EPOCHS},
        published=(SCRATCH,),
    )


TRANSFER = [experiment for size in SIZES for experiment in (_head(size), *(_tuned(size, part) for part in UP_TO))]
