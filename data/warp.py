"""One picture moved: cropped, rotated, sheared, warped.

Each function takes a picture [height, width, channels] with values 0..255 and a numpy Generator to draw from, and
returns a new one of the same shape (uint8). A point of the result is looked up at another point of the picture and
mixed from the four pixels around it (bilinear). Where that point lies outside, it sees the picture reflected at its
edge: a black corner would be a feature that no photo has, and a network would learn it.

Points are (x, y) in pixels from the top left corner of the picture, so the first pixel's middle is (0.5, 0.5).
"""

import math

import numpy as np
from PIL import Image

_TURNS_A_CELL = 2  # pieces of straight edges that stand for the curved edge of a cell


def to_bytes(picture):
    """The picture in whole numbers, uint8."""
    return picture if picture.dtype == np.uint8 else np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def to_images(picture):
    """The picture as Pillow images: one in RGB for three channels, else a grey one for each channel."""
    pixels = to_bytes(picture)
    if pixels.shape[2] == 3:
        return [Image.fromarray(np.ascontiguousarray(pixels))]
    return [Image.fromarray(np.ascontiguousarray(pixels[:, :, channel])) for channel in range(pixels.shape[2])]


def from_images(images):
    """The uint8 array [height, width, channels] of what `to_images` made, in the same order."""
    return np.dstack([np.asarray(image) for image in images])


def crop(picture, generator, *, margin=0.125):
    """Shifts the picture by up to `margin` of its height and of its width, by whole pixels.

    It is the part of the picture's size that is cut at random out of the picture with an edge around it: 4 pixels of
    32 in the CIFAR networks (He and others 2015).
    """
    height, width, _ = picture.shape
    down, across = (int(generator.integers(-most, most + 1)) for most in (int(margin * height), int(margin * width)))
    top, left = max(0, -down), max(0, -across)
    edged = _edged(to_bytes(picture), left, top, max(0, across), max(0, down))
    return edged[down + top :, across + left :][:height, :width]


def rotate(picture, generator, *, degrees=15):
    """Turns the picture around its middle by up to `degrees` either way."""
    angle = math.radians(generator.uniform(-degrees, degrees))
    return _affine(picture, [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def shear(picture, generator, *, degrees=10):
    """Slants the picture: its upright lines by up to `degrees` either way, and its level lines by another draw."""
    upright, level = np.tan(np.radians(generator.uniform(-degrees, degrees, 2)))
    return _affine(picture, [[1, upright], [level, 1]])


def warp(picture, generator, *, cells=4, strength=0.25):
    """Bends the picture here and there, as if it were printed on rubber (Simard and others 2003).

    A grid of cells x cells lies on the picture; each of its points is moved by up to `strength` of a cell's sides, and
    what lies between follows smoothly.
    """
    height, width, _ = picture.shape
    turns = cells * _TURNS_A_CELL
    moves = generator.uniform(-strength, strength, (2, cells + 1, cells + 1)) * [[[width / cells]], [[height / cells]]]
    smooth = [_enlarged(move, turns + 1) for move in moves]
    columns, rows = (np.rint(np.linspace(0, side, turns + 1)).astype(int) for side in (width, height))
    points = np.stack(np.meshgrid(columns, rows), axis=2) + np.stack(smooth, axis=2)

    def mesh(corner):
        moved = points + corner
        return [
            (
                (int(columns[i]), int(rows[j]), int(columns[i + 1]), int(rows[j + 1])),
                [float(place) for at in ((j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)) for place in moved[at]],
            )
            for j in range(turns)
            for i in range(turns)
            if columns[i] < columns[i + 1] and rows[j] < rows[j + 1]
        ]

    return _looked_up(picture, points.reshape(-1, 2), Image.Transform.MESH, mesh)


def _enlarged(grid, side):
    """A small grid of numbers as a smooth one of side x side."""
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _affine(picture, matrix):
    """The picture whose point p is the point matrix (p - middle) + middle of `picture`."""
    height, width, _ = picture.shape
    matrix, middle = np.array(matrix, dtype=float), np.array([width, height]) / 2
    offset = middle - matrix @ middle
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ matrix.T + offset

    def rows(corner):
        return [float(number) for number in np.column_stack([matrix, offset + corner]).flat]

    return _looked_up(picture, corners, Image.Transform.AFFINE, rows)


def _looked_up(picture, points, method, data):
    """Pillow's transform of the picture with so much of its reflection around it that all `points` are in it.

    points: [k, 2], what is looked up lies between them. data: Pillow's data for `method`, as a function of the place
    (x, y) that the picture's corner has in the picture with the edge.
    """
    height, width, _ = picture.shape
    left, top = (math.ceil(max(0, -least)) for least in points.min(axis=0))
    right, bottom = (math.ceil(max(0, most)) for most in points.max(axis=0) - (width, height))
    edged, data = to_images(_edged(to_bytes(picture), left, top, right, bottom)), data((left, top))
    return from_images([image.transform((width, height), method, data, Image.Resampling.BILINEAR) for image in edged])


def _edged(picture, left, top, right, bottom):
    """The picture with its own reflection around it, so many pixels wide on each side (of any number)."""
    return np.pad(picture, ((top, bottom), (left, right), (0, 0)), 'symmetric')
