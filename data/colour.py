"""One picture in another light: brighter, flatter, paler, tinted.

Each function takes a picture [height, width, 3] with values 0..255 and a numpy Generator to draw from, and returns a
new one of the same shape, float32 with values 0..255. Neither leaves its pixel: a colour becomes another colour.
"""

import math

import numpy as np

from data.errors import DataError

# How bright the eye sees red, green and blue (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])

# Of ImageNet's pixels, scaled to 0..1: variance along each of the three main directions of colour, and the directions
# as columns, as published with the first Torch training of ResNets (2016) and used ever since.
IMAGENET = (
    np.array([0.2175, 0.0188, 0.0045]),
    np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]),
)
_ENOUGH = 500  # pictures that show what colours a set has


def colour(picture, generator, *, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02):
    """Changes brightness, contrast and saturation by factors of up to 1 +- what is given, and turns the hue.

    contrast is measured against the picture's mean brightness, saturation against each pixel's own. hue is a share of
    the colour circle: 0.02 leaves a yellow flower yellow, 0.3 makes it blue.
    """
    bright, wide, strong = 1 + generator.uniform(-1, 1, 3) * (brightness, contrast, saturation)
    turn = _hue_turn(2 * math.pi * generator.uniform(-hue, hue))
    matrix = turn @ (strong * np.eye(3) + (1 - strong) * np.tile(_LUMA, (3, 1)))
    picture = _checked(picture, 'colour')
    mean = float(picture.mean(axis=(0, 1), dtype=np.float64) @ _LUMA)
    return _mapped(picture, bright * wide * matrix, np.full(3, bright * (1 - wide) * mean))


def pca_colour(picture, generator, *, std=0.1, colours=IMAGENET):
    """Adds one colour to all pixels, in the directions in which the colours of the set differ most.

    As in AlexNet (Krizhevsky and others 2012, section 4.1): along each main direction a number from a normal
    distribution with deviation `std`, times the variance in that direction. colours: variances [3] and directions as
    columns [3, 3], from `main_colours`; else those of ImageNet.
    """
    variances, directions = colours
    picture = _checked(picture, 'pca_colour')
    return _mapped(picture, np.eye(3), 255 * (directions @ (generator.normal(0, std, 3) * variances)))


def main_colours(pictures):
    """The main directions in which the colours of pictures [n, height, width, 3] (or ImageRows) differ.

    Returns the variances [3], largest first, and the directions, columns of [3, 3], of pixels scaled to 0..1. Of a
    large set, 500 pictures evenly spread over it are looked at, one at a time.
    """
    chosen = np.unique(np.linspace(0, len(pictures) - 1, _ENOUGH).astype(int))
    count, total, squares = 0, np.zeros(3), np.zeros((3, 3))
    for row in chosen:
        pixels = np.asarray(pictures[row], dtype=np.float64).reshape(-1, 3) / 255
        count, total, squares = count + len(pixels), total + pixels.sum(axis=0), squares + pixels.T @ pixels
    mean = total / count
    variances, directions = np.linalg.eigh(squares / count - np.outer(mean, mean))
    return variances[::-1].clip(min=0), directions[:, ::-1]


def _checked(picture, name):
    if picture.shape[2] != 3:
        raise DataError(f'{name!r} changes colours: expected pictures [height, width, 3], got {list(picture.shape)}')
    return picture


def _hue_turn(angle):
    """The matrix that turns colours around the axis of the greys."""
    grey = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return math.cos(angle) * np.eye(3) + (1 - math.cos(angle)) * grey + math.sin(angle) * across


def _mapped(picture, matrix, offset):
    """matrix x colour + offset for each pixel, cut off at 0 and 255.

    One plane after the other rather than a matrix product: a BLAS may add up in another order with other threads.
    """
    planes = [picture[:, :, channel].astype(np.float32) for channel in range(3)]
    result = np.empty(picture.shape, np.float32)
    for channel in range(3):
        mixed = sum(np.float32(factor) * plane for factor, plane in zip(matrix[channel], planes, strict=True))
        np.clip(mixed + np.float32(offset[channel]), 0, 255, out=result[:, :, channel])
    return result
