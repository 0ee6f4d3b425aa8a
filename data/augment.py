"""Pictures changed a little each time they are trained on, so that the same few photos teach more.

Each function takes pictures [n, height, width, channels], float32 with values 0..255, and returns new ones of the same
shape; what is drawn comes from the book's stream of random numbers.
"""

import numpy as np
from PIL import Image

from data.errors import DataError
from mathlib import rng

# A zoomed picture shows at least this share of either side.
LEAST_SHARE = 0.6


def mirror(pictures):
    """About half of the pictures, drawn at random, are turned left to right.

    A flower stays the same flower. Not for what has a side: letters, digits, road signs.
    """
    turned = rng.uniform(len(pictures)) < 0.5
    result = pictures.copy()
    result[turned] = pictures[turned, :, ::-1]
    return result


def zoom(pictures):
    """Of each picture a part in its own proportions, drawn at random, made as large as the whole was."""
    n, height, width, _ = pictures.shape
    result = np.empty_like(pictures)
    for picture, (size, down, across), out in zip(pictures, rng.uniform(3 * n).reshape(n, 3), result, strict=True):
        share = LEAST_SHARE + (1 - LEAST_SHARE) * size
        top, left = down * (1 - share) * height, across * (1 - share) * width
        part = (left, top, left + share * width, top + share * height)
        image = Image.fromarray(picture.astype(np.uint8))
        out[...] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=part))
    return result


AUGMENTATIONS = {'mirror': mirror, 'zoom': zoom}


def augmentation(names):
    """A function that does all that is named, in that order; None for no names. Raises DataError for an unknown one."""
    if unknown := [name for name in names if name not in AUGMENTATIONS]:
        raise DataError(f'augment={list(names)!r}: {unknown[0]!r} is not known: expected {", ".join(AUGMENTATIONS)}')
    steps = [AUGMENTATIONS[name] for name in names]

    def augment(pictures):
        for step in steps:
            pictures = step(pictures)
        return pictures

    return augment if steps else None
