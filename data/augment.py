"""Pictures changed a little each time they are trained on, so that the same few photos teach more."""

from mathlib import rng


def mirror(pictures):
    """A copy of pictures [n, height, width, channels] in which about half, drawn at random, are turned left to right.

    A flower stays the same flower. Not for what has a side: letters, digits, road signs.
    """
    turned = rng.uniform(len(pictures)) < 0.5
    result = pictures.copy()
    result[turned] = pictures[turned, :, ::-1]
    return result
