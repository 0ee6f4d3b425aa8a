"""A pen for small pictures: shapes in their own coordinates, colours, backgrounds and the light of a photograph.

Points are arrays [n, 2] of x to the right and y downwards; a fresh pen has 0, 0 in the middle of the picture and 1 at
the nearer edge. Colours are three numbers from 0 to 255. Everything random comes from the RandomState that is passed
in, one for each picture, so that pictures can be made in any order and come out the same.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINER = 2  # pictures are drawn this much larger and shrunk at the end, which smooths their edges
DARK, GREY, LIGHT, METAL, PAPER = (38, 38, 44), (120, 122, 126), (205, 207, 210), (168, 172, 178), (244, 242, 235)
CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24)), np.sin(np.linspace(0, 2 * np.pi, 24))], axis=1)


class Pen:
    """Draws on a Pillow image in coordinates of its own; `at` gives a pen that is moved, turned and scaled."""

    def __init__(self, draw, matrix, origin):
        self.draw, self.matrix, self.origin = draw, matrix, origin

    @classmethod
    def on(cls, image):
        """A fresh pen for the whole image."""
        return cls(ImageDraw.Draw(image), np.eye(2) * min(image.size) / 2, np.array(image.size) / 2)

    def at(self, x, y, size=1.0, angle=0.0, tilt=1.0):
        """A pen whose 0, 0 is at x, y, `size` times as large and turned by `angle` (radians, clockwise).

        What it draws is squeezed to `tilt` of its height, as a disc is that is seen from the side.
        """
        cos, sin = size * math.cos(angle), size * math.sin(angle)
        turn = np.array([[cos, -sin * tilt], [sin, cos * tilt]])
        return Pen(self.draw, self.matrix @ turn, self.matrix @ (x, y) + self.origin)

    def pixels(self, points):
        return (np.asarray(points) @ self.matrix.T + self.origin).ravel().tolist()

    def fill(self, points, colour):
        self.draw.polygon(self.pixels(points), fill=solid(colour))

    def line(self, points, colour, width=0.05):
        (a, b), (c, d) = self.matrix.tolist()
        thick = max(1, round(width * math.sqrt(abs(a * d - b * c))))
        self.draw.line(self.pixels(points), fill=solid(colour), width=thick, joint='curve')

    def oval(self, x, y, rx, ry, colour):
        self.fill(CIRCLE * (rx, ry) + (x, y), colour)

    def ring(self, x, y, rx, ry, colour, width=0.05, start=0.0, end=1.0):
        """The outline of an oval, from `start` to `end` of a full turn (0 is on the right, clockwise)."""
        turns = np.linspace(start, end, 28) * 2 * np.pi
        self.line(np.stack([x + rx * np.cos(turns), y + ry * np.sin(turns)], axis=1), colour, width)

    def box(self, x0, y0, x1, y1, colour):
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def grid(self, x0, y0, x1, y1, columns, rows, colour, gap=0.2):
        """Rows of small boxes, as keys are, in the rectangle from x0, y0 to x1, y1."""
        dx, dy = (x1 - x0) / columns, (y1 - y0) / rows
        for x in x0 + dx * np.arange(columns):
            for y in y0 + dy * np.arange(rows):
                self.box(x, y, x + dx * (1 - gap), y + dy * (1 - gap), colour)


def solid(colour):
    """A colour as Pillow wants it: three whole numbers, cut off at 0 and 255."""
    return tuple(int(min(255, max(0, part))) for part in colour)


def mix(first, second, share):
    """The colour that lies `share` of the way from `first` to `second`."""
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


def shade(colour, gain):
    """A darker (gain below 1) or brighter (above 1) form of a colour."""
    return tuple(part * gain for part in colour)


def varied(rng, colour, spread=18):
    """A colour near the given one: every part is moved by up to `spread`."""
    return tuple(part + rng.uniform(-spread, spread) for part in colour)


def pick(rng, options, shares=None):
    """One of the options, each as likely as its share says."""
    return options[rng.choice(len(options), p=shares)]


def blurred(image, radius):
    return image.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))


def cloudy(rng, size, colours, cells=5):
    """An image of size = (width, height) with soft patches in the given colours; more cells make smaller patches."""
    patches = np.array(colours)[rng.randint(len(colours), size=cells * cells)].reshape(cells, cells, 3)
    patches = patches * rng.uniform(0.75, 1.2, [cells, cells, 1])
    image = Image.fromarray(np.clip(patches, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return blurred(image, 0.1 * min(size) / cells)


def photograph(rng, image, side, noise=4.0, tint=0.06, light=(0.8, 1.15), slope=0.25):
    """Shrinks a drawing to `side` = (width, height), a whole part of its size, and gives it light, tint and grain."""
    pixels = np.asarray(image.reduce(image.width // side[0]), dtype=np.float32)
    height, width = pixels.shape[:2]
    slopes = rng.uniform(-slope, slope, 2)
    field = 1 + slopes[0] * np.linspace(-1, 1, width) + slopes[1] * np.linspace(-1, 1, height)[:, None]
    colour = rng.uniform(*light) * (1 + rng.uniform(-tint, tint, 3))
    pixels = pixels * field[..., None].astype(np.float32) * colour.astype(np.float32)
    pixels += rng.normal(0, noise, [height, width, 1]).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
