"""Digits that look written by many hands, in the four files of MNIST: strokes, bent, leaned and drawn with any pen.

A digit is a list of strokes in a box from 0 to 1, x to the right and y downwards. As in MNIST the drawing is scaled
into 20 x 20 pixels and its centre of mass put into the middle of 28 x 28, white (255) on black (0).
"""

import gzip
import math
import struct

import numpy as np

COUNTS = {'train': 2000, 't10k': 400}
SEED = 33
SIDE, BOX = 28, 20


def arc(x, y, rx, ry, start, end):
    """Points on an oval around x, y, from `start` to `end` in degrees (0 is on the right, clockwise)."""
    turns = np.radians(np.linspace(start, end, 25))
    return list(zip(x + rx * np.cos(turns), y + ry * np.sin(turns), strict=True))


# The ways to write each digit; one of them is drawn at random.
WAYS = {
    0: [[arc(0.5, 0.5, 0.4, 0.5, -70, 290)], [arc(0.5, 0.5, 0.34, 0.5, -110, 262)]],
    1: [[[(0.5, 0), (0.5, 1)]], [[(0.5, 0), (0.48, 1)]], [[(0.32, 0.2), (0.52, 0), (0.52, 1)]]],
    2: [
        [arc(0.45, 0.27, 0.35, 0.27, -170, 40) + [(0.08, 1), (0.92, 1)]],
        [
            arc(0.48, 0.25, 0.34, 0.25, -160, 50)
            + [(0.3, 0.82)]
            + arc(0.24, 0.88, 0.16, 0.1, 60, 330)
            + [(0.6, 0.95), (0.95, 0.86)]
        ],
    ],
    3: [[arc(0.42, 0.25, 0.34, 0.25, -165, 80) + arc(0.44, 0.74, 0.4, 0.26, -80, 160)]],
    4: [
        [[(0.26, 0), (0.14, 0.5), (0.3, 0.56), (0.84, 0.5)], [(0.78, 0.05), (0.72, 0.5), (0.7, 1)]],
        [[(0.64, 1), (0.66, 0), (0.08, 0.64), (0.94, 0.62)]],
    ],
    5: [
        [[(0.26, 0.02), (0.2, 0.44)] + arc(0.42, 0.69, 0.4, 0.3, -110, 150), [(0.26, 0.02), (0.9, 0)]],
        [[(0.86, 0), (0.28, 0.03), (0.22, 0.42)] + arc(0.42, 0.7, 0.36, 0.29, -105, 140)],
    ],
    6: [[arc(0.86, 0.62, 0.68, 0.62, -110, -180) + arc(0.5, 0.72, 0.32, 0.27, 180, -200)]],
    7: [[[(0.08, 0.05), (0.9, 0), (0.4, 1)]], [[(0.08, 0.02), (0.88, 0.02), (0.42, 1)], [(0.3, 0.5), (0.8, 0.46)]]],
    8: [
        [arc(0.5, 0.25, 0.3, 0.25, 60, 420), arc(0.48, 0.74, 0.36, 0.26, -90, 270)],
        [arc(0.5, 0.24, 0.3, 0.24, -20, -250) + arc(0.5, 0.76, 0.34, 0.24, -60, 250) + [(0.78, 0.1)]],
    ],
    9: [
        [arc(0.46, 0.28, 0.32, 0.27, -10, -360) + [(0.76, 0.6), (0.66, 1)]],
        [arc(0.46, 0.28, 0.34, 0.28, -10, -360) + arc(0.4, 0.62, 0.42, 0.38, -20, 110)],
    ],
}


def evenly(stroke, spacing):
    """Points on the lines of a stroke [n, 2], about `spacing` apart."""
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, along[-1], max(2, math.ceil(along[-1] / spacing)))
    return np.stack([np.interp(wanted, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def strokes(rng, digit):
    """The ink of a digit as dense points [n, 2], bent and leaned by a random hand, in pixels."""
    ways = WAYS[digit]
    points = np.concatenate([evenly(np.array(stroke, dtype=float), 0.05) for stroke in ways[rng.randint(len(ways))]])
    for _ in range(2):
        wave = rng.uniform(-1, 1, 2) * 4
        points = points + rng.uniform(-0.055, 0.055, 2) * np.sin(points @ wave + rng.uniform(0, 6.28))[:, None]
    points = (points - 0.5) * (rng.uniform(0.6, 1.05), 1)
    turn, lean = rng.normal(0, 0.09), rng.normal(-0.12, 0.2)
    points = (
        points
        @ np.array([[1, 0], [lean, 1]])
        @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    )
    points = points * (BOX - 3) * rng.uniform(0.92, 1.02) / np.ptp(points, axis=0).max()
    points = points - points.mean(axis=0) + (SIDE - 1) / 2
    low, high = 2.5, SIDE - 3.5  # the thickest pen then leaves the outermost pixels black
    return points - np.maximum(points.max(axis=0) - high, 0) - np.minimum(points.min(axis=0) - low, 0)


def picture(part, number):
    """Digit `number` of 'train' or 't10k': the image, uint8 [28, 28], and its label."""
    rng = np.random.RandomState([SEED, list(COUNTS).index(part), number])
    digit = rng.randint(10)
    points = strokes(rng, digit).astype(np.float32)
    across, down = (np.square(np.arange(SIDE, dtype=np.float32) - points[:, axis, None]) for axis in (0, 1))
    distance = np.sqrt((down[:, :, None] + across[:, None, :]).min(axis=0))
    ink = (rng.uniform(0.8, 1.7) - distance) / rng.uniform(0.9, 1.3) + 0.5
    return (np.clip(ink, 0, 1) * 255).astype(np.uint8), digit


def idx(array):
    """An array of uint8 in the IDX format: two zeros, 8 for bytes, the number of axes, each length, the data."""
    return struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape) + array.tobytes()


def make(folder):
    """Writes the four .gz files of MNIST into mnist/ under `folder`, without time stamps: always the same bytes."""
    target = folder / 'mnist'
    target.mkdir(parents=True, exist_ok=True)
    for part, count in COUNTS.items():
        images, labels = zip(*(picture(part, number) for number in range(count)), strict=True)
        for kind, array in (('images-idx3', np.stack(images)), ('labels-idx1', np.array(labels, dtype=np.uint8))):
            (target / f'{part}-{kind}-ubyte.gz').write_bytes(gzip.compress(idx(array), mtime=0))
