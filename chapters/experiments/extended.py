"""The experiments of chapter 9: Inception, plain, residual and bottleneck nets on the flowers; and each tuned."""

from dataclasses import replace

from chapters.ch09_cnn_ext import CnnExtModel
from chapters.experiments.experiment import BOOK, COURSE, OWN_CODE, Experiment, Published
from data import FlowersDataset

# What changes in a tuned variant: He's start, pixels brought to mean 0 and variance 1, moving averages that keep up
# with the training, a learning rate that falls to nothing, and pictures that are mirrored, and zoomed, at random.
TUNED_ARGS = {'weight_init': 'he', 'exp_ratio': 0.05, 'epsilon': 1e-5}
TUNED_ATTRIBUTES = {'schedule': 'cosine'}
PIXELS = ['batch_normal', {'rescale': False, 'exp_ratio': 0.05, 'epsilon': 1e-5}]


def _flower(model, macro, side, actions, course, book=None, own_code=None):
    """One of the book's five networks on the flowers. course, book: (accuracy, seconds) in print."""
    published = [Published((course[0],), course[1], COURSE)]
    if book:
        published.append(Published((book[0],), book[1], BOOK))
    if own_code:
        published.append(Published((own_code,), source=OWN_CODE))
    return Experiment(
        f'ch09_{model}',
        CnnExtModel,
        model,
        ['custom', {'name': macro, 'args': {'#act': actions}}],
        FlowersDataset,
        {'resolution': [side, side], 'input_shape': [side, side, 3]},
        report=2,
        published=tuple(published),
    )


def _tuned(experiment, learning_rate=0.002, augment=('mirror',)):
    """The same network for the same number of epochs with settings that suit it."""
    return replace(
        experiment,
        name=f'{experiment.name}_tuned',
        model_name=f'{experiment.model_name}_tuned',
        model_args=TUNED_ARGS,
        attributes=TUNED_ATTRIBUTES,
        hconfigs=[PIXELS, experiment.hconfigs],
        learning_rate=learning_rate,
        dataset_args={**experiment.dataset_args, 'augment': list(augment)},
    )


EXTENDED = [
    _flower('model_flower_LA', 'inception_flower', 96, 'LA', (0.242, 4082)),
    _flower('model_flower_LAB', 'inception_flower', 96, 'LAB', (0.306, 2860)),
    _flower('plain_flower', 'plain_flower', 64, 'LAB', (0.297, 1838), (0.358, 1218)),
    _flower('residual_flower', 'residual_flower', 64, 'LAB', (0.312, 1797), (0.463, 1216)),
    _flower('bottleneck_flower', 'bottleneck_flower', 64, 'LAB', (0.490, 2103), (0.420, 1403), 0.388),
]
# Found by trying, mostly with one seed. The nets with shortcuts know more of their training pictures by the end than
# the others do, so theirs are zoomed as well.
_LA, _LAB, _PLAIN, _RESIDUAL, _BOTTLENECK = EXTENDED
TUNED = [
    _tuned(_LA),
    _tuned(_LAB),
    _tuned(_PLAIN, learning_rate=0.003),
    _tuned(_RESIDUAL, augment=['mirror', 'zoom']),
    _tuned(_BOTTLENECK, augment=['mirror', 'zoom']),
]
