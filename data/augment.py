"""Pictures changed a little each time they are trained on, so that the same few photos teach more.

============  ===============================================================  =========================================
name          what changes                                                     options and what they are if left out
============  ===============================================================  =========================================
mirror        half of the pictures are turned left to right
zoom          a part in the picture's own proportions, as large as the whole
crop          shifted up, down, left, right                                    margin 0.125 (of the sides)
rotate        turned around the middle                                         degrees 15
shear         slanted                                                          degrees 10
warp          bent here and there                                              cells 4, strength 0.25 (of a cell)
colour        brightness, contrast, saturation, hue                            0.2, 0.2, 0.2, 0.02 (of the circle)
pca_colour    a tint along the main directions of colour                       std 0.1, colours 'imagenet' or 'training'
============  ===============================================================  =========================================

Written as a list of names or [name, {option: value}]: ['mirror', ['rotate', {'degrees': 10}], 'colour'].

Each one is a function of one picture and of what is drawn for it, so a batch is shared by several threads, and comes
out the same for any number of them. `mirror` and `zoom` draw from the book's stream, for the whole batch at once; the
others draw a key from it, and each picture has a stream of its own from that key.
"""

import inspect
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from PIL import Image

from data import colour, warp
from data.errors import DataError, unknown
from mathlib import rng, settings

# A zoomed picture shows at least this share of either side.
LEAST_SHARE = 0.6
# Smaller batches are not worth a second thread: numbers (pixels times channels) for each.
_A_THREAD = 100_000


def mirror(pictures):
    """About half of the pictures, drawn at random, are turned left to right.

    A flower stays the same flower. Not for what has a side: letters, digits, road signs.
    """
    return augmentation(['mirror'])(pictures)


def zoom(pictures):
    """Of each picture a part in its own proportions, drawn at random, made as large as the whole was."""
    return augmentation(['zoom'])(pictures)


def _mirrored(picture, numbers):
    return picture[:, ::-1] if numbers[0] < 0.5 else picture


def _zoomed(picture, numbers):
    height, width, _ = picture.shape
    size, down, across = numbers
    share = LEAST_SHARE + (1 - LEAST_SHARE) * size
    top, left = down * (1 - share) * height, across * (1 - share) * width
    part = (left, top, left + share * width, top + share * height)
    images = warp.to_images(picture)
    return warp.from_images([image.resize((width, height), Image.Resampling.BILINEAR, box=part) for image in images])


def _numbers(each, count):
    """A function of a row: the `each` numbers of the book's stream that are drawn now for that row of `count`."""
    return rng.uniform(each * count).reshape(count, each).__getitem__


def _streams(count):
    """A function of a row: the numpy Generator of that row, to be used before the thread's next one."""
    key = rng.draw_key()
    return lambda row: next(rng.row_streams(key, 0, [row]))


# name: (change one picture, draw for a batch)
_KINDS = {
    'mirror': (_mirrored, partial(_numbers, 1)),
    'zoom': (_zoomed, partial(_numbers, 3)),
    'crop': (warp.crop, _streams),
    'rotate': (warp.rotate, _streams),
    'shear': (warp.shear, _streams),
    'warp': (warp.warp, _streams),
    'colour': (colour.colour, _streams),
    'pca_colour': (colour.pca_colour, _streams),
}
AUGMENTATIONS = tuple(_KINDS)

# The least and the largest value of an option: beyond them the picture is no longer recognised, or folds over itself.
_BOUNDS = {
    'margin': (0, 1),
    'degrees': (0, 80),
    'cells': (1, 32),
    'strength': (0, 0.5),
    'brightness': (0, 1),
    'contrast': (0, 1),
    'saturation': (0, 1),
    'hue': (0, 0.5),
    'std': (0, 10),
}


def augmentation(names, training=None):
    """A function that does all that is named, in that order, to pictures; None for no names.

    names: a list of names or [name, {option: value}], see above. training: the pictures of the training, for
    ['pca_colour', {'colours': 'training'}].
    The function takes pictures [n, height, width, channels] with values 0..255 and returns new ones, of the same shape
    and type. Raises DataError for an unknown name or option, and for a value out of bounds.
    """
    if isinstance(names, str):
        raise DataError(f'augment={names!r}: expected a list of names, such as [{names!r}]')
    steps = [_step(entry, names, training) for entry in names]

    def augment(pictures):
        draws = [draw(len(pictures)) for _, draw in steps]
        result = np.empty_like(pictures)

        def change(row):
            picture = pictures[row]
            for (changed, _), drawn in zip(steps, draws, strict=True):
                picture = changed(picture, drawn(row))
            result[row] = picture

        _shared(change, len(pictures), min(settings.workers, pictures.size // _A_THREAD))
        return result

    return augment if steps else None


def _shared(do, count, workers):
    """do(row) for each of `count` rows, by that many threads: Pillow and NumPy let them run side by side."""
    if workers < 2:
        for row in range(count):
            do(row)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda first: [do(row) for row in range(first, count, workers)], range(workers)))


def _step(entry, names, training):
    """(change one picture, draw for a batch) for an entry of the list."""
    said = f'augment={list(names)!r}: '
    pair = (entry, {}) if isinstance(entry, str) else entry
    if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[1], dict)):
        raise DataError(f'{said}{entry!r} is neither a name nor [name, {{option: value}}]')
    name, options = pair
    if name not in _KINDS:
        raise DataError(said + unknown(name, AUGMENTATIONS))
    change, draw = _KINDS[name]
    known = [key for key, option in inspect.signature(change).parameters.items() if option.kind is option.KEYWORD_ONLY]
    for option, value in options.items():
        if option not in known:
            raise DataError(f'{said}{name}: ' + (unknown(option, known) if known else 'it has no options'))
        if option == 'colours':
            options = options | {option: _colours(value, training, said)}
        else:
            _check(option, value, f'{said}{name}: ')
    return partial(change, **options), draw


def _colours(value, training, said):
    if value not in ('imagenet', 'training'):
        raise DataError(f'{said}pca_colour: colours: {unknown(value, ("imagenet", "training"))}')
    if value == 'imagenet':
        return colour.IMAGENET
    if training is None:
        raise DataError(f"{said}pca_colour: colours='training' needs the training pictures: augmentation(names, xs)")
    return colour.main_colours(training)


def _check(option, value, said):
    low, high = _BOUNDS[option]
    kinds = int if option == 'cells' else int | float
    sound = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    if not sound:
        number = 'a whole number' if option == 'cells' else 'a number'
        raise DataError(f'{said}{option}={value!r}: expected {number} from {low} to {high}')
