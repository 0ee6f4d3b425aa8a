"""Drawings of the 31 objects of Office-31, one function each: `name(pen, rng, colour)` fills about -1 to 1 both ways.

The functions bear the names of the folders, so DRAWERS can be read as the list of categories. Proportions vary with
`rng`; the colour of the body comes from outside, because it says nothing about the category.
"""

import math

import numpy as np

from data.sample import machines
from data.sample.paint import DARK, GREY, LIGHT, METAL, PAPER, pick, shade


def back_pack(pen, rng, colour):
    pen.ring(0, -0.75, 0.2, 0.22, shade(colour, 0.5), 0.07)
    for side in (-1, 1):
        pen.oval(side * 0.68, 0.35, 0.2, 0.45, shade(colour, 0.6))
    pen.oval(0, -0.3, 0.66, 0.6, colour)
    pen.box(-0.66, -0.3, 0.66, 0.85, colour)
    pen.box(-0.48, 0.15, 0.48, 0.72, shade(colour, 0.75))
    pen.line([(-0.48, 0.25), (0.48, 0.25)], shade(colour, 0.4), 0.05)
    pen.ring(0, -0.2, 0.5, 0.5, shade(colour, 0.45), 0.04, 0.5, 1)


def bike(pen, rng, colour):
    radius = rng.uniform(0.38, 0.46)
    for x in (-0.52, 0.52):
        pen.ring(x, 0.3, radius, radius, DARK, 0.07)
        for angle in np.linspace(0, math.pi, 5)[:-1]:
            dx, dy = radius * math.cos(angle), radius * math.sin(angle)
            pen.line([(x - dx, 0.3 - dy), (x + dx, 0.3 + dy)], GREY, 0.012)
    pen.line([(-0.52, 0.3), (-0.22, -0.3), (0.36, -0.3), (0, 0.3), (-0.52, 0.3)], colour, 0.07)
    pen.line([(-0.27, -0.45), (0, 0.3)], colour, 0.07)
    pen.line([(0.52, 0.3), (0.3, -0.55), (0.5, -0.62)], colour, 0.06)
    pen.oval(-0.3, -0.47, 0.17, 0.06, DARK)


def bike_helmet(pen, rng, colour):
    turns = np.linspace(math.pi, 2 * math.pi, 20)
    pen.fill(np.stack([0.92 * np.cos(turns), 0.35 + 0.85 * np.sin(turns)], axis=1), colour)
    pen.fill([(-0.92, 0.35), (0.92, 0.35), (1, 0.5), (-0.85, 0.5)], shade(colour, 0.6))
    for x in (-0.5, -0.15, 0.2, 0.52):
        pen.at(x, -0.02 - 0.12 * (1 - abs(x)), 0.34, 0.5 * x).oval(0, 0, 0.28, 0.8, shade(colour, 0.3))
    pen.line([(-0.5, 0.5), (-0.05, 0.92), (0.35, 0.5)], DARK, 0.05)


def bookcase(pen, rng, colour):
    pen.box(-0.75, -0.95, 0.75, 0.95, colour)
    for top in np.linspace(-0.87, 0.45, 4):
        pen.box(-0.66, top, 0.66, top + 0.38, shade(colour, 0.45))
        left = -0.64
        while left < rng.uniform(0.2, 0.6):
            width = rng.uniform(0.06, 0.13)
            pen.box(left, top + rng.uniform(0.02, 0.14), left + width, top + 0.38, rng.uniform(50, 230, 3))
            left += width + 0.015


def bottle(pen, rng, colour):
    neck, wide = rng.uniform(0.1, 0.16), rng.uniform(0.3, 0.4)
    pen.fill(
        [
            (-neck, -0.8),
            (neck, -0.8),
            (neck, -0.4),
            (wide, -0.1),
            (wide, 0.95),
            (-wide, 0.95),
            (-wide, -0.1),
            (-neck, -0.4),
        ],
        colour,
    )
    pen.box(-neck - 0.03, -0.97, neck + 0.03, -0.78, shade(colour, 0.45))
    pen.box(-wide, 0.15, wide, 0.65, PAPER)
    pen.line([(-wide + 0.08, -0.05), (-wide + 0.08, 0.88)], shade(colour, 1.4), 0.05)


def desk_chair(pen, rng, colour):
    for x in (-0.5, 0, 0.5):
        pen.line([(0, 0.62), (x, 0.86)], DARK, 0.08)
        pen.oval(x, 0.9, 0.08, 0.08, DARK)
    pen.line([(0, 0.2), (0, 0.65)], METAL, 0.1)
    pen.line([(0.2, -0.3), (0.45, 0.1)], DARK, 0.09)
    pen.at(0, -0.45, 1, rng.uniform(-0.1, 0.1)).box(-0.42, -0.5, 0.42, 0.4, colour)
    pen.oval(0, 0.15, 0.58, 0.17, shade(colour, 0.75))
    for side in (-1, 1):
        pen.line([(side * 0.55, 0.15), (side * 0.62, -0.2), (side * 0.35, -0.2)], DARK, 0.07)


def desk_lamp(pen, rng, colour):
    knee = (rng.uniform(-0.6, -0.35), rng.uniform(-0.2, 0))
    pen.oval(0, 0.85, 0.42, 0.12, shade(colour, 0.7))
    pen.line([(0, 0.82), knee, (0.2, -0.65)], METAL, 0.07)
    pen.fill([(0.08, -0.85), (0.35, -0.7), (0.8, -0.35), (0.3, -0.1), (0.05, -0.6)], colour)
    pen.at(0.55, -0.22, 1, -0.45).oval(0, 0, 0.29, 0.09, (255, 240, 170))


def file_cabinet(pen, rng, colour):
    pen.box(-0.6, -0.95, 0.6, 0.95, shade(colour, 0.7))
    drawers = rng.randint(2, 5)
    for number in range(drawers):
        top, high = -0.9 + 1.82 * number / drawers, 1.76 / drawers
        pen.box(-0.54, top, 0.54, top + high - 0.02, colour)
        pen.box(-0.16, top + high * 0.3, 0.16, top + high * 0.3 + 0.07, DARK)
        pen.box(-0.12, top + high * 0.3 + 0.1, 0.12, top + high * 0.3 + 0.2, PAPER)


def letter_tray(pen, rng, colour):
    for bottom in np.linspace(0.8, -0.3, rng.randint(2, 4)):
        pen.fill([(-0.9, bottom), (0.9, bottom), (0.7, bottom - 0.35), (-0.7, bottom - 0.35)], shade(colour, 0.5))
        pen.fill([(-0.74, bottom - 0.06), (0.74, bottom - 0.06), (0.6, bottom - 0.3), (-0.6, bottom - 0.3)], PAPER)
        pen.line([(-0.7, bottom - 0.45), (-0.9, bottom), (0.9, bottom), (0.7, bottom - 0.45)], colour, 0.09)


def mug(pen, rng, colour):
    wide, high = rng.uniform(0.5, 0.6), rng.uniform(0.6, 0.75)
    pen.ring(wide, 0.1, 0.33, 0.36, shade(colour, 0.8), 0.13)
    pen.box(-wide, -high, wide, high, colour)
    pen.oval(0, high, wide, 0.15, colour)
    pen.oval(0, -high, wide, 0.16, shade(colour, 0.75))
    pen.oval(0, -high + 0.03, wide - 0.08, 0.11, (70, 45, 30))
    pen.box(wide - 0.2, -high + 0.25, wide - 0.06, high, shade(colour, 0.85))


def paper_notebook(pen, rng, colour):
    pen.box(-0.68, -0.9, 0.75, 0.92, shade(colour, 0.6))
    pen.box(-0.7, -0.93, 0.7, 0.87, pick(rng, [colour, PAPER]))
    for y in np.linspace(-0.6, 0.7, 8):
        pen.line([(-0.4, y), (0.55, y)], GREY, 0.02)
    for y in np.linspace(-0.84, 0.78, 13):
        pen.ring(-0.68, y, 0.12, 0.05, DARK, 0.03)


def pen(pen, rng, colour):
    pen.box(-0.75, -0.09, 0.7, 0.09, colour)
    pen.fill([(0.7, -0.09), (0.98, 0), (0.7, 0.09)], METAL)
    pen.box(-0.95, -0.1, -0.2, 0.1, shade(colour, 0.6))
    pen.line([(-0.9, -0.14), (-0.3, -0.14)], METAL, 0.05)


def punchers(pen, rng, colour):
    pen.box(-0.85, 0.4, 0.85, 0.6, shade(colour, 0.6))
    for x in (-0.45, 0.45):
        pen.box(x - 0.14, -0.05, x + 0.14, 0.42, METAL)
    pen.at(0, 0, 1, rng.uniform(-0.25, 0)).fill(
        [(-0.95, -0.35), (0.8, -0.3), (0.8, 0), (-0.75, 0), (-0.95, -0.12)], colour
    )


def ring_binder(pen, rng, colour):
    pen.fill([(-0.75, -0.9), (-0.4, -0.95), (-0.4, 0.95), (-0.75, 0.9)], shade(colour, 0.65))
    pen.box(-0.4, -0.95, 0.8, 0.95, colour)
    pen.box(-0.68, -0.55, -0.48, 0.05, PAPER)
    pen.ring(-0.57, 0.55, 0.1, 0.14, METAL, 0.05)
    pen.line([(0.7, -0.9), (0.7, 0.9)], shade(colour, 0.8), 0.04)


def ruler(pen, rng, colour):
    pen.box(-1, -0.16, 1, 0.16, pick(rng, [colour, (230, 200, 130), LIGHT]))
    for number, x in enumerate(np.linspace(-0.95, 0.95, 31)):
        pen.line([(x, -0.15), (x, 0.08 if number % 5 == 0 else -0.04)], DARK, 0.018)


def scissors(pen, rng, colour):
    opening = rng.uniform(0.12, 0.35)
    for side in (-1, 1):
        blade = pen.at(0, 0.1, 1, side * opening)
        blade.fill([(-0.08, 0.1), (0.08, 0.1), (0.02, -1), (-0.02, -1)], shade(METAL, 1 + 0.12 * side))
        blade.line([(0, 0), (side * 0.12, 0.35)], colour, 0.12)
        blade.ring(side * 0.2, 0.58, 0.18, 0.27, colour, 0.11)
    pen.oval(0, 0.1, 0.06, 0.06, DARK)


def stapler(pen, rng, colour):
    pen.fill([(-0.95, 0.4), (0.95, 0.4), (0.95, 0.55), (-0.95, 0.55)], shade(colour, 0.55))
    arm = pen.at(-0.75, 0.2, 1, -rng.uniform(0.05, 0.3))
    arm.fill([(-0.1, -0.2), (0.5, -0.42), (1.6, -0.22), (1.65, 0), (-0.1, 0.1)], colour)
    arm.box(0, 0, 1.6, 0.1, METAL)
    pen.oval(-0.75, 0.25, 0.18, 0.2, shade(colour, 0.75))


def tape_dispenser(pen, rng, colour):
    pen.fill([(-0.9, 0.65), (-0.8, 0), (0.15, 0.1), (0.6, 0.2), (0.95, -0.1), (0.9, 0.65)], colour)
    pen.oval(-0.28, -0.12, 0.5, 0.5, (225, 205, 150))
    pen.oval(-0.28, -0.12, 0.3, 0.3, PAPER)
    pen.oval(-0.28, -0.12, 0.16, 0.16, shade(colour, 0.6))
    pen.line([(0.2, -0.2), (0.95, -0.1)], (225, 205, 150), 0.06)


def trash_can(pen, rng, colour):
    foot = rng.uniform(0.38, 0.52)
    pen.fill([(-0.65, -0.7), (0.65, -0.7), (foot, 0.9), (-foot, 0.9)], colour)
    for x in np.linspace(-0.7, 0.7, 6):
        pen.line([(x * 0.8, -0.6), (x * foot * 1.1, 0.86)], shade(colour, 0.65), 0.035)
    pen.oval(0, -0.7, 0.68, 0.18, shade(colour, 0.8))
    pen.oval(0, -0.68, 0.56, 0.12, shade(colour, 0.3))


DRAWERS = {
    drawer.__name__: drawer
    for drawer in (
        *(back_pack, bike, bike_helmet, bookcase, bottle, machines.calculator),
        *(desk_chair, desk_lamp, machines.desktop_computer, file_cabinet, machines.headphones, machines.keyboard),
        *(machines.laptop_computer, letter_tray, machines.mobile_phone, machines.monitor, machines.mouse, mug),
        *(paper_notebook, pen, machines.phone, machines.printer, machines.projector, punchers),
        *(ring_binder, ruler, scissors, machines.speaker, stapler, tape_dispenser),
        *(trash_can,),
    )
}
