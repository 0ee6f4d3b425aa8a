"""What is on a photo? A trained model's best guesses for any picture, as a list and as a picture.

model = make('squeezenet')
import_weights(model, 'weights/squeezenet_v1.0.npz')
classify(model, 'cup.jpg')                     [('coffee mug', 0.71), ('cup', 0.2), ...]
show_top('cup.jpg', classify(model, 'cup.jpg'))
"""

from pathlib import Path

import numpy as np
from PIL import Image

from chapters.nets.catalogue import NETWORKS
from chapters.training import check_count
from chapters.weights import check_model
from data import DataError
from data.pictures import PREPARE, open_picture, prepare
from data.show import figure_labels, show_figure
from mathlib.backend import to_host
from mathlib.errors import ConfigError

# The name of how the book's own data sets make their pictures ready.
PLAIN = 'plain'
TOP = 5


def classify(model, pictures, top=TOP, names=None, how=None):
    """The `top` most probable answers for each picture: a list of (name, probability), the best first.

    model: trained on one answer out of many. pictures: a file, a Pillow image or a uint8 array [h, w, 3], which is made
    ready as the model wants it; or an array of floats of the model's input shape, which is ready; or several of these
    in a list, for which a list of such lists comes back. names: of all answers; left out, those of the model's dataset.

    how: the way to make pictures ready, a key of data.pictures.PREPARE, or 'plain': resized to the model's input shape,
    0 to 255, as in the book's own data sets. Left out, that of the published weights that were imported, and for a
    model that is not of the catalogue, 'plain'. Raises ConfigError for a model or settings that do not fit, DataError
    for what is no picture.
    """
    check_model(model, ConfigError)
    if model.dataset.mode != 'select':
        raise ConfigError(f'{model.name}: expected a model that chooses one answer (select), not {model.dataset.mode}')
    names = model.dataset.answer_names() if names is None else list(names)
    outputs = model.dataset.output_shape[0]
    if len(names) != outputs:
        raise ConfigError(f'{model.name} has {outputs} answers, but there are {len(names)} names')
    check_count(model.name, 'top', top, 1)
    one, x = _inputs(model, pictures, how)
    rows = [_best(shares, names, top) for shares in to_host(model.get_estimate(x))]
    return rows[0] if one else rows


def show_top(picture, rows, title=None):
    """Show a photo and its most probable answers.

    picture: a file, a Pillow image or a uint8 array [h, w, 3]. rows: what `classify` gave for it.
    """
    show_figure(lambda: plot_top(picture, rows, title))


def plot_top(picture, rows, title=None):
    """The figure that `show_top` shows: the photo, and a bar for each of its most probable answers."""
    import matplotlib.pyplot as plt  # loaded only by those who draw

    shown = picture if isinstance(picture, (Image.Image, np.ndarray)) else open_picture(picture)
    names = [name.split(',')[0] for name, _ in rows]  # ImageNet's names go on with all synonyms
    shares = [100 * share for _, share in rows]
    labels, font = figure_labels('probability', also=''.join(names) + (title or ''))
    with plt.rc_context({'font.family': [font, 'sans-serif']}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=(1, 1.3), layout='constrained')
        left.imshow(shown)
        left.axis('off')
        places = range(len(rows), 0, -1)
        right.barh(places, shares, color=['#33658a', *['#a9bccb'] * (len(rows) - 1)], height=0.62)
        for place, name, share in zip(places, names, shares, strict=True):
            right.text(1, place + 0.36, name, va='bottom', ha='left', fontsize=9)
            right.text(share + 1, place, f'{share:.1f} %', va='center', fontsize=9)
        right.set(xlim=(0, 115), ylim=(0.5, len(rows) + 0.85), yticks=[], xlabel=f'{labels["probability"]} (%)')
        right.set_xticks(range(0, 101, 25))
        right.spines[['top', 'right', 'left']].set_visible(False)
        if title:
            figure.suptitle(title)
    return figure


def _best(shares, names, top):
    """The largest shares with their names; of equal ones the first comes first."""
    order = np.argsort(-shares, kind='stable')[:top]
    return [(names[n], float(shares[n])) for n in order]


def _inputs(model, pictures, how):
    """Whether it is a single picture, and the model's inputs, a host array [n, *input_shape]."""
    shape = tuple(model.dataset.input_shape)
    if isinstance(pictures, np.ndarray) and pictures.dtype.kind == 'f':
        one = pictures.ndim == len(shape)
        x = pictures[None] if one else pictures
    else:
        one = isinstance(pictures, (str, Path, Image.Image)) or getattr(pictures, 'ndim', None) == 3
        pictures = [pictures] if one else pictures
        x = _prepared(model, pictures, how)
    if x.shape[1:] != shape or not len(x):
        raise ConfigError(f'{model.name} takes pictures {list(shape)}, but what came is {list(x.shape[1:])}')
    return one, x


def _prepared(model, pictures, how):
    how = how or getattr(model, 'prepare', None)
    if how is None:
        if model.name in NETWORKS:
            raise ConfigError(
                f'{model.name}: say how its pictures are made ready, how=... (--how on the command line): '
                f'{", ".join(PREPARE)}, or {PLAIN!r} for pixels from 0 to 255, as a model of your own is trained on'
            )
        how = PLAIN
    if how not in (PLAIN, *PREPARE):
        raise DataError(f'pictures cannot be made ready by {how!r}: expected one of {", ".join((PLAIN, *PREPARE))}')
    if how != PLAIN:
        return prepare(how, pictures)
    shape = model.dataset.input_shape
    if len(shape) != 3 or shape[2] != 3:
        raise ConfigError(f'{model.name} takes {list(shape)}, no colour pictures: give it floats of this shape')
    images = [picture if isinstance(picture, Image.Image) else _open(picture) for picture in pictures]
    size = shape[1], shape[0]
    return np.stack([np.asarray(image.convert('RGB').resize(size), np.float32) for image in images])


def _open(picture):
    """A Pillow image of a file or of a uint8 array."""
    return Image.fromarray(picture) if isinstance(picture, np.ndarray) else open_picture(picture)
