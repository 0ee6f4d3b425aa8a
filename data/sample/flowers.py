"""Pictures of five flowers, drawn as a photographer might have met them: near or far, one or a field, in any light.

The colour of a picture hardly tells the flower: petals come in several colours, backgrounds in many more, and flowers
stand anywhere. What tells it is shape: rays around a small disc (daisy), fine fringes or a ball of seeds (dandelion),
layers of round petals (rose), a large dark disc (sunflower), a cup on a stem (tulip).
"""

import math

import numpy as np
from PIL import Image

from data.sample.paint import FINER, Pen, blurred, cloudy, mix, photograph, pick, shade, varied

COUNTS = {'daisy': 60, 'dandelion': 75, 'rose': 56, 'sunflower': 54, 'tulip': 67}
SEED = 31
SIDES = [(128, 128), (160, 120), (128, 160), (176, 132), (144, 144)]
GREEN, DARK_GREEN, BROWN = (70, 130, 45), (35, 75, 30), (105, 75, 50)
WHITE, YELLOW, ORANGE = (248, 246, 240), (250, 205, 30), (240, 150, 20)
RED, PINK, PURPLE = (200, 25, 40), (240, 130, 165), (150, 60, 150)
BACKGROUNDS = {
    'meadow': [GREEN, DARK_GREEN, (120, 160, 60), (90, 140, 70)],
    'shade': [(20, 30, 20), DARK_GREEN, (15, 15, 18), (45, 60, 40)],
    'sky': [(120, 170, 225), (165, 200, 235), (215, 225, 235), (90, 145, 210)],
    'bokeh': [GREEN, YELLOW, WHITE, PINK, RED, (120, 160, 60), PURPLE, DARK_GREEN],
    'soil': [BROWN, (140, 110, 80), (80, 60, 45), GREEN],
    'room': [(225, 215, 200), (190, 180, 175), (235, 230, 225), (160, 140, 150)],
}
ALONG = np.linspace(0, 1, 8)


def petal(width, tip=1.0):
    """Outline of a petal from 0, 0 to 1, 0, `width` wide; a larger `tip` puts the widest place further out."""
    half = width / 2 * np.sin(np.pi * ALONG**tip) ** 0.7
    return np.concatenate([np.stack([ALONG, half], axis=1), np.stack([ALONG, -half], axis=1)[::-1]])


def rays(pen, rng, count, length, outline, colour, wobble=0.06):
    """A ring of `count` petals around the middle, each a little different, the later ones over the earlier ones."""
    start = rng.uniform(0, 2 * math.pi)
    for turn in range(count):
        angle = start + (turn + rng.uniform(-0.2, 0.2)) * 2 * math.pi / count
        ray = pen.at(0, 0, length * rng.uniform(1 - 2 * wobble, 1 + wobble), angle)
        ray.fill(outline, shade(colour, rng.uniform(0.78, 1.06)))


def seeds(pen, rng, radius, count, inner, outer, size):
    """Dots in a sunflower spiral (each is turned 137.5 degrees from the one before), from colour `inner` to `outer`."""
    for k in range(count):
        r, angle = radius * math.sqrt((k + 0.5) / count), k * 2.39996
        colour = shade(mix(inner, outer, r / radius), rng.uniform(0.75, 1.2))
        pen.oval(r * math.cos(angle), r * math.sin(angle), size, size, colour)


def daisy(pen, rng):
    colour = varied(
        rng, pick(rng, [WHITE, (250, 205, 225), (225, 205, 245), (250, 240, 190)], [0.76, 0.1, 0.08, 0.06]), 8
    )
    count = rng.randint(13, 24)
    outline = petal(rng.uniform(4.2, 5.6) / count, 1.5)
    rays(pen, rng, count, 1, outline, shade(colour, 0.78))
    rays(pen, rng, count, 0.95, outline, colour)
    middle, radius = varied(rng, pick(rng, [YELLOW, ORANGE], [0.7, 0.3])), rng.uniform(0.2, 0.3)
    pen.oval(0, 0, radius, radius, shade(middle, 0.8))
    seeds(pen, rng, radius, 40, shade(middle, 0.85), middle, radius * 0.13)


def dandelion(pen, rng):
    return seed_ball(pen, rng) if rng.uniform() < 0.4 else puff(pen, rng)


def puff(pen, rng):
    """A dandelion in bloom: ring upon ring of narrow yellow rays."""
    colour = varied(rng, pick(rng, [(250, 215, 30), (245, 190, 20), (240, 225, 90)]), 10)
    pen.oval(0, 0, 0.7, 0.7, shade(colour, 0.72))
    for ring, length in enumerate(np.linspace(1, 0.22, 7)):
        rays(pen, rng, 34 - 3 * ring, length, petal(0.13 / length**0.6, 1.3), shade(colour, 0.86 + 0.03 * ring), 0.12)


def seed_ball(pen, rng):
    """A dandelion gone to seed: fine rays from a brown heart, each with a little white star."""
    colour, behind = varied(rng, (228, 228, 225), 12), varied(rng, (150, 155, 150), 25)
    pen.oval(0, 0, 0.9, 0.9, behind)
    for k in range(130):
        r, angle = math.sqrt(rng.uniform(0.1, 1)), k * 2.39996
        x, y = r * math.cos(angle), r * math.sin(angle)
        pen.line([(x * 0.25, y * 0.25), (x, y)], mix(behind, colour, 0.25 + 0.5 * r), 0.012)
        for spoke in rng.uniform(0, 2 * math.pi, 4):
            pen.line(
                [(x, y), (x + 0.13 * math.cos(spoke), y + 0.13 * math.sin(spoke))],
                shade(colour, rng.uniform(0.85, 1.1)),
                0.016,
            )
    pen.oval(0, 0, 0.16, 0.16, varied(rng, (110, 85, 60)))


def rose(pen, rng):
    colour = varied(
        rng, pick(rng, [RED, PINK, WHITE, (245, 205, 80), (235, 130, 90)], [0.34, 0.26, 0.14, 0.14, 0.12]), 14
    )
    deep = shade(mix(colour, (150, 40, 40), 0.3), 0.62)
    for layer, r in enumerate(np.linspace(0.62, 0.1, 6)):
        count, start = 6 - (layer + 1) // 2, rng.uniform(0, 2 * math.pi)
        for turn in range(count):
            angle = start + (turn + rng.uniform(-0.15, 0.15)) * 2 * math.pi / count
            leaf = pen.at(r * math.cos(angle), r * math.sin(angle), 0.2 + 0.3 * r, angle)
            leaf.oval(0, 0, 0.86, 1.25, shade(deep, 0.8))
            leaf.oval(0.06, 0, 0.84, 1.2, shade(colour, rng.uniform(0.92, 1.1)))
            leaf.oval(-0.16, 0, 0.72, 1.05, mix(deep, colour, 0.35 + 0.45 * r))
    turns = np.linspace(0, 4.2 * math.pi, 40)
    spiral = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (0.02 + 0.017 * turns[:, None])
    pen.line(spiral, shade(deep, 0.7), 0.035)


def sunflower(pen, rng):
    colour, count = (
        varied(rng, pick(rng, [YELLOW, (245, 180, 20), (250, 225, 80), (215, 95, 25)], [0.5, 0.28, 0.14, 0.08]), 12),
        rng.randint(17, 27),
    )
    outline, radius = petal(rng.uniform(4.6, 6) / count, 0.95), rng.uniform(0.42, 0.56)
    rays(pen, rng, count, 1, outline, shade(colour, 0.75))
    rays(pen, rng, count, 0.93, outline, colour)
    brown = varied(rng, pick(rng, [(60, 35, 18), (90, 55, 25), (45, 30, 25)]), 10)
    pen.oval(0, 0, radius, radius, brown)
    seeds(pen, rng, radius, 110, mix(brown, (120, 130, 50), rng.uniform(0, 0.7)), shade(brown, 1.9), radius * 0.045)


def tulip(pen, rng):
    """A cup of three petals in front of two, seen from the side; the cup closes at the top, wider when it is open."""
    colour = varied(rng, pick(rng, [RED, PINK, YELLOW, WHITE, PURPLE, ORANGE], [0.24, 0.2, 0.18, 0.12, 0.15, 0.11]), 14)
    stripe = pick(rng, [colour, YELLOW, WHITE], [0.6, 0.2, 0.2])
    spread = rng.uniform(0.16, 0.5)
    outline = petal(rng.uniform(0.62, 0.75), 0.75)
    for side, gain, length in [
        (-0.55, 0.62, 1.65),
        (0.55, 0.66, 1.65),
        (-1, 0.86, 1.75),
        (1, 0.92, 1.75),
        (0, 1.06, 1.7),
    ]:
        leaf = pen.at(0, 0.95, length * rng.uniform(0.95, 1.05), -math.pi / 2 + side * spread)
        leaf.fill(outline, shade(colour, gain * 0.8))
        leaf.fill(outline * (0.95, 0.86), shade(colour, gain))
        leaf.fill(outline * (0.8, 0.25) + (0.08, 0), mix(shade(colour, gain * 1.06), shade(stripe, gain), 0.6))


DRAWERS = {'daisy': daisy, 'dandelion': dandelion, 'rose': rose, 'sunflower': sunflower, 'tulip': tulip}


def background(rng, size):
    """A blurred scene without flowers: patches of one palette, often with blades of grass or a horizon."""
    palette = BACKGROUNDS[pick(rng, list(BACKGROUNDS), [0.34, 0.2, 0.18, 0.08, 0.1, 0.1])]
    image = cloudy(rng, size, palette, rng.randint(2, 8))
    pen = Pen.on(image)
    if rng.uniform() < 0.3:
        pen.box(-2, rng.uniform(0, 0.8), 2, 2, varied(rng, pick(rng, BACKGROUNDS['meadow'])))
    if rng.uniform() < 0.5:
        for x in rng.uniform(-1.4, 1.4, 50):
            foot = rng.uniform(0, 1.3)
            tip = (x + rng.uniform(-0.4, 0.4), foot - rng.uniform(0.3, 1.2))
            pen.line([(x, foot), tip], varied(rng, pick(rng, palette), 25), rng.uniform(0.01, 0.05))
    return blurred(image, rng.uniform(0.3, 2.5))


def stem(pen, rng, x, y, size, leaves):
    """A stem from the flower at x, y down and out of the picture, with leaves along it."""
    green = varied(rng, pick(rng, [GREEN, (100, 150, 70), DARK_GREEN]), 12)
    foot = x + rng.uniform(-0.5, 0.5)
    pen.line([(x, y), (x * 0.7 + foot * 0.3, y * 0.5 + 0.7), (foot, 1.6)], green, size * rng.uniform(0.08, 0.16))
    for _ in range(leaves):
        length, side = size * rng.uniform(0.9, 1.8), pick(rng, [-1, 1])
        leaf = pen.at(
            x * 0.6 + foot * 0.4,
            rng.uniform(min(y + size, 0.8), 1.2),
            length,
            -math.pi / 2 + side * rng.uniform(0.2, 1.2),
        )
        leaf.fill(petal(rng.uniform(0.2, 0.5)), shade(green, rng.uniform(0.7, 1.15)))
        leaf.line([(0, 0), (0.9, 0)], shade(green, 0.7), 0.02)


def places(rng):
    """Where the flowers stand, the smallest first: a list of (x, y, size). Most pictures show one flower."""
    count = pick(rng, [1, 2, 3, 6, 9], [0.58, 0.15, 0.11, 0.08, 0.08])
    largest = {1: 1.0, 2: 0.66, 3: 0.54, 6: 0.4, 9: 0.33}[count]
    spots = []
    for _ in range(count * 6):
        x, y, size = rng.uniform(-0.85, 0.85), rng.uniform(-0.75, 0.7), largest * rng.uniform(0.6, 1)
        if count == 1:
            x, y = x * (1.1 - size), y * (1.1 - size)
        if len(spots) < count and all(math.hypot(x - a, y - b) > 0.75 * (size + s) for a, b, s in spots):
            spots.append((x, y, size))
    return sorted(spots, key=lambda spot: spot[2])


def picture(name, number):
    """Picture `number` of the class `name`, an RGB image of 128 to 176 pixels a side."""
    rng = np.random.RandomState([SEED, list(COUNTS).index(name), number])
    side = pick(rng, SIDES)
    image = background(rng, side).resize((side[0] * FINER, side[1] * FINER), Image.Resampling.BILINEAR)
    pen, spots = Pen.on(image), places(rng)
    for x, y, size in spots:
        stem(pen, rng, x, y, size, rng.randint(0, 3))
    for x, y, size in spots:
        if name == 'tulip':
            DRAWERS[name](pen.at(x, y, size * 0.85, rng.normal(0, 0.22), rng.uniform(0.85, 1.1)), rng)
        else:
            DRAWERS[name](pen.at(x, y, size, rng.uniform(0, 2 * math.pi), rng.uniform(0.7, 1)), rng)
    if rng.uniform() < 0.25:
        image = blurred(image, rng.uniform(0.5, 2.5))
    return photograph(rng, image, side, light=(0.65, 1.15))


def file_name(name, number):
    """A name in the style of the real set, as in 10140303196_b88d3d6cec_n.jpg."""
    rng = np.random.RandomState([SEED + 1, list(COUNTS).index(name), number])
    code = ''.join(pick(rng, '0123456789abcdef') for _ in range(10))
    return f'{rng.randint(10**7, 2**31 - 1)}{rng.randint(10)}_{code}{pick(rng, ["", "_n", "_m"])}.jpg'


def make(folder):
    """Writes flowers/<class>/*.jpg under `folder`, one file for each picture of COUNTS."""
    for name, count in COUNTS.items():
        target = folder / 'flowers' / name
        target.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(name, number).save(target / file_name(name, number), quality=88)
