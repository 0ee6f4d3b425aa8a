"""Office objects seen by three eyes, as in Office-31: a shop's catalogue, a good camera and a webcam.

The look of a picture tells the domain at once: amazon is a centred object on white, dslr a sharp picture of a full
desk, webcam coarse, noisy and tinted. The drawings are the same in all three, so the category is in the shape.
"""

import math

import numpy as np
from PIL import Image

from data.sample.objects import DRAWERS
from data.sample.paint import DARK, FINER, Pen, blurred, cloudy, photograph, pick, shade, varied

PICTURES = {'amazon': 11, 'dslr': 2, 'webcam': 3}  # of each category, and of every fourth one a webcam picture more
SEED = 32
BODIES = [
    DARK,
    (70, 74, 82),
    (190, 192, 196),
    (225, 222, 214),
    (180, 40, 45),
    (45, 85, 160),
    (60, 130, 80),
    (225, 170, 50),
]
DESKS = [(150, 105, 65), (190, 150, 105), (95, 70, 55), (120, 120, 125), (205, 190, 165)]


def amazon(rng, draw):
    """A shop's picture: the object alone, centred, upright, on white with a faint shadow."""
    side = (150, 150)
    image = Image.new('RGB', (side[0] * FINER, side[1] * FINER), 'white')
    pen = Pen.on(image)
    pen.oval(0, 0.78, 0.6, 0.05, (236, 236, 238))
    draw(pen.at(rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05), rng.uniform(0.68, 0.9), rng.normal(0, 0.08)))
    return photograph(rng, image, side, noise=1, tint=0.01, light=(0.98, 1.02), slope=0.02)


def dslr(rng, draw):
    """A sharp picture of a desk before a wall, with things lying about and hard light."""
    side = (180, 180)
    image = desk(rng, side, clutter=8)
    draw(Pen.on(image).at(*rng.uniform(-0.3, 0.3, 2), rng.uniform(0.45, 0.75), rng.normal(0, 0.2)))
    return photograph(rng, image, side, noise=2, light=(0.75, 1.05), slope=0.45)


def webcam(rng, draw):
    """The same desk through a cheap lens: few pixels, a cast of green or blue, noise."""
    side = (120, 120)
    image = desk(rng, side, clutter=3)
    draw(Pen.on(image).at(*rng.uniform(-0.3, 0.3, 2), rng.uniform(0.45, 0.75), rng.normal(0, 0.2)))
    cast = np.array(pick(rng, [(0.85, 1.0, 0.92), (0.85, 0.95, 1.05)]))
    small = np.asarray(blurred(image.resize((72, 72), Image.Resampling.BOX), 0.4)) * 0.7 * cast + 45
    coarse = Image.fromarray(np.clip(small, 0, 255).astype(np.uint8)).resize(side)
    return photograph(rng, coarse, side, noise=7, light=(0.85, 1.1))


DOMAINS = {'amazon': amazon, 'dslr': dslr, 'webcam': webcam}


def desk(rng, side, clutter):
    """A drawing of a desk top before a wall with `clutter` sheets and boxes on it, FINER times `side`."""
    wood, wall = (
        varied(rng, pick(rng, DESKS)),
        varied(rng, pick(rng, [(170, 170, 165), (200, 190, 175), (110, 120, 130)])),
    )
    image = cloudy(rng, (side[0] * FINER, side[1] * FINER), [wood, shade(wood, 0.9)], 6)
    pen, edge = Pen.on(image), rng.uniform(-0.9, -0.2)
    pen.box(-2, -2, 2, edge, wall)
    for _ in range(clutter):
        thing = pen.at(rng.uniform(-1, 1), rng.uniform(edge, 1), rng.uniform(0.15, 0.45), rng.uniform(0, math.pi))
        colour = varied(rng, pick(rng, BODIES + DESKS), 30)
        thing.box(-1.06, -0.54, 1.1, 0.6, shade(wood, 0.5))
        thing.box(-1, -0.6, 1, 0.5, colour)
        thing.line([(-0.8, 0), (0.8, 0)], shade(colour, 0.6), 0.1)
    return image


def picture(domain, category, number):
    """Picture `number` of a category as the domain shows it, a square RGB image of 120 to 180 pixels."""
    rng = np.random.RandomState([SEED, list(DOMAINS).index(domain), list(DRAWERS).index(category), number])
    colour = varied(rng, pick(rng, BODIES))
    return DOMAINS[domain](rng, lambda pen: DRAWERS[category](pen, rng, colour))


def count(domain, category):
    """How many pictures a domain has of a category; the shares of the real domains come out (68, 12, 20 %)."""
    return PICTURES[domain] + (domain == 'webcam' and list(DRAWERS).index(category) % 4 == 0)


def make(folder):
    """Writes office31/<domain>/images/<category>/frame_0001.jpg and so on under `folder`."""
    for domain in DOMAINS:
        for category in DRAWERS:
            target = folder / 'office31' / domain / 'images' / category
            target.mkdir(parents=True, exist_ok=True)
            for number in range(1, count(domain, category) + 1):
                picture(domain, category, number).save(target / f'frame_{number:04d}.jpg', quality=88)
