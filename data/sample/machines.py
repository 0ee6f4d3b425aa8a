"""Drawings of the 12 machines among the objects of Office-31; see objects.py, whose other half this is."""

import numpy as np

from data.sample.paint import DARK, GREY, LIGHT, METAL, PAPER, pick, shade

SCREENS = [(70, 120, 190), (40, 60, 90), (110, 170, 200), (60, 130, 110)]


def calculator(pen, rng, colour):
    pen.box(-0.6, -0.95, 0.6, 0.95, colour)
    pen.box(-0.48, -0.82, 0.48, -0.42, (165, 185, 160))
    pen.line([(0.1, -0.6), (0.4, -0.6)], DARK, 0.08)
    pen.grid(-0.48, -0.28, 0.52, 0.9, 4, 5, pick(rng, [PAPER, DARK, LIGHT]), 0.28)


def desktop_computer(pen, rng, colour):
    pen.box(-0.5, -0.95, 0.5, 0.95, colour)
    for top in (-0.82, -0.58):
        pen.box(-0.4, top, 0.4, top + 0.17, shade(colour, 0.7))
        pen.line([(-0.32, top + 0.09), (0.2, top + 0.09)], DARK, 0.03)
    pen.oval(0, -0.15, 0.11, 0.11, METAL)
    pen.oval(0.28, -0.15, 0.04, 0.04, (90, 220, 120))
    for top in np.linspace(0.25, 0.8, 7):
        pen.line([(-0.36, top), (0.36, top)], shade(colour, 0.5), 0.035)


def headphones(pen, rng, colour):
    pen.ring(0, 0.1, 0.68, 0.85, colour, 0.12, 0.5, 1)
    for side in (-1, 1):
        pen.oval(side * 0.66, 0.35, 0.22, 0.38, shade(colour, 0.6))
        pen.oval(side * 0.56, 0.35, 0.16, 0.33, DARK)
    pen.line([(-0.66, 0.7), (-0.5, 0.95), (0.1, 0.85)], DARK, 0.03)


def keyboard(pen, rng, colour):
    pen.box(-1, -0.38, 1, 0.4, colour)
    keys = shade(colour, 0.5) if sum(colour) > 380 else LIGHT
    pen.grid(-0.94, -0.32, 0.52, 0.17, 12, 4, keys)
    pen.grid(0.58, -0.32, 0.96, 0.35, 3, 5, keys)
    pen.box(-0.5, 0.2, 0.2, 0.32, keys)


def laptop_computer(pen, rng, colour):
    lean = rng.uniform(0, 0.15)
    pen.fill([(-0.65 - lean, -0.75), (0.65 + lean, -0.75), (0.65, 0.2), (-0.65, 0.2)], DARK)
    pen.fill([(-0.57 - lean, -0.67), (0.57 + lean, -0.67), (0.58, 0.12), (-0.58, 0.12)], pick(rng, SCREENS))
    pen.fill([(-0.65, 0.2), (0.65, 0.2), (0.95, 0.7), (-0.95, 0.7)], colour)
    for k, y in enumerate((0.27, 0.35, 0.43)):
        pen.line([(-0.58 - 0.05 * k, y), (0.58 + 0.05 * k, y)], DARK, 0.05)
    pen.fill([(-0.16, 0.5), (0.16, 0.5), (0.2, 0.64), (-0.2, 0.64)], shade(colour, 0.7))


def mobile_phone(pen, rng, colour):
    pen.box(-0.42, -0.9, 0.42, 0.9, colour)
    pen.oval(0, -0.88, 0.42, 0.1, colour)
    pen.oval(0, 0.88, 0.42, 0.1, colour)
    pen.box(-0.33, -0.72, 0.33, 0.05, pick(rng, SCREENS))
    pen.line([(-0.12, -0.84), (0.12, -0.84)], shade(colour, 0.4), 0.04)
    pen.oval(0, 0.2, 0.12, 0.08, METAL)
    pen.grid(-0.32, 0.35, 0.36, 0.9, 3, 4, LIGHT, 0.3)


def monitor(pen, rng, colour):
    pen.box(-0.95, -0.75, 0.95, 0.45, colour)
    pen.box(-0.84, -0.64, 0.84, 0.34, pick(rng, SCREENS))
    pen.fill([(-0.84, -0.64), (-0.2, -0.64), (-0.6, 0.34), (-0.84, 0.34)], pick(rng, SCREENS))
    pen.box(-0.12, 0.45, 0.12, 0.75, shade(colour, 0.7))
    pen.oval(0, 0.8, 0.48, 0.1, shade(colour, 0.8))


def mouse(pen, rng, colour):
    pen.line([(0, -0.6), (0.1, -0.8), (-0.05, -1)], DARK, 0.05)
    pen.oval(0, 0.1, 0.5, 0.75, colour)
    pen.line([(-0.47, -0.12), (0.47, -0.12)], shade(colour, 0.5), 0.03)
    pen.line([(0, -0.63), (0, -0.12)], shade(colour, 0.5), 0.03)
    pen.oval(0, -0.36, 0.08, 0.16, DARK)


def phone(pen, rng, colour):
    pen.fill([(-0.75, -0.3), (0.75, -0.3), (0.95, 0.75), (-0.95, 0.75)], colour)
    pen.grid(-0.3, -0.05, 0.36, 0.65, 3, 4, LIGHT, 0.3)
    pen.line([(-0.85, -0.5), (0.85, -0.5)], shade(colour, 0.55), 0.22)
    for side in (-1, 1):
        pen.oval(side * 0.78, -0.4, 0.24, 0.26, shade(colour, 0.6))
    pen.line([(-0.8, 0.1), (-1, 0.4), (-0.85, 0.6), (-1, 0.85)], DARK, 0.04)


def printer(pen, rng, colour):
    pen.fill([(-0.45, -0.3), (-0.38, -0.95), (0.38, -0.95), (0.45, -0.3)], PAPER)
    pen.box(-0.9, -0.35, 0.9, 0.5, colour)
    pen.fill([(-0.9, -0.35), (0.9, -0.35), (0.75, -0.52), (-0.75, -0.52)], shade(colour, 0.8))
    pen.box(-0.6, 0.15, 0.6, 0.35, DARK)
    pen.fill([(-0.5, 0.28), (0.5, 0.28), (0.62, 0.85), (-0.62, 0.85)], PAPER)
    for y in (0.45, 0.57, 0.69):
        pen.line([(-0.4, y), (0.4, y)], GREY, 0.03)
    pen.oval(0.7, -0.15, 0.06, 0.06, (90, 220, 120))


def projector(pen, rng, colour):
    pen.fill([(-0.8, -0.35), (0.8, -0.35), (0.95, -0.2), (0.95, 0.4), (-0.95, 0.4), (-0.95, -0.2)], colour)
    for x in np.linspace(-0.8, -0.2, 6):
        pen.line([(x, -0.12), (x, 0.28)], shade(colour, 0.5), 0.04)
    for radius, tone in ((0.34, METAL), (0.27, DARK), (0.17, (80, 100, 160)), (0.06, PAPER)):
        pen.oval(0.42, 0.05, radius, radius, tone)
    for x in (-0.7, 0.7):
        pen.box(x - 0.1, 0.4, x + 0.1, 0.52, DARK)


def speaker(pen, rng, colour):
    pen.box(-0.55, -0.95, 0.55, 0.95, colour)
    for y, radius in ((-0.5, 0.24), (0.32, 0.46)):
        pen.oval(0, y, radius, radius, METAL)
        pen.oval(0, y, radius * 0.85, radius * 0.85, shade(colour, 0.4))
        pen.oval(0, y, radius * 0.35, radius * 0.35, GREY)
