"""Tables with the columns, ranges and relations of the three of chapters 4 and 5; no row of them comes from a real one.

Abalones are grown from a length and an age, pulsar candidates from the shape of their pulse, steel faults from a
rectangle on a plate. All other columns follow from these by formulas, with noise.
"""

import csv

import numpy as np

ROWS = {'abalone': 1200, 'pulsar_stars': 2000, 'faults': 800}
SEED = 34
ABALONE = 'Sex,Length,Diameter,Height,Whole weight,Shucked weight,Viscera weight,Shell weight,Rings'
PULSAR = (
    ' Mean of the integrated profile, Standard deviation of the integrated profile,'
    ' Excess kurtosis of the integrated profile, Skewness of the integrated profile,'
    ' Mean of the DM-SNR curve, Standard deviation of the DM-SNR curve,'
    ' Excess kurtosis of the DM-SNR curve, Skewness of the DM-SNR curve,target_class'
)
STEEL = (
    'X_Minimum,X_Maximum,Y_Minimum,Y_Maximum,Pixels_Areas,X_Perimeter,Y_Perimeter,Sum_of_Luminosity,'
    'Minimum_of_Luminosity,Maximum_of_Luminosity,Length_of_Conveyer,TypeOfSteel_A300,TypeOfSteel_A400,'
    'Steel_Plate_Thickness,Edges_Index,Empty_Index,Square_Index,Outside_X_Index,Edges_X_Index,Edges_Y_Index,'
    'Outside_Global_Index,LogOfAreas,Log_X_Index,Log_Y_Index,Orientation_Index,Luminosity_Index,SigmoidOfAreas,'
    'Pastry,Z_Scratch,K_Scatch,Stains,Dirtiness,Bumps,Other_Faults'
)
# What the kinds of faults look like, one column a kind in the order of STEEL: their shares; log10 of width and height
# in pixels with spreads; the empty part of the rectangle; log10 of perimeter / side; brightness against the plate with
# its spread; shares of A300 steel and of long conveyers; the usual thickness; where they begin, with spread.
FAULTS = {
    'share': (0.081, 0.098, 0.202, 0.037, 0.028, 0.207, 0.347),
    'width': (1.01, 1.20, 2.04, 0.81, 1.00, 1.15, 1.23),
    'width_spread': (0.15, 0.23, 0.40, 0.16, 0.21, 0.24, 0.34),
    'height': (1.54, 1.40, 1.84, 0.66, 1.57, 1.21, 1.30),
    'height_spread': (0.38, 0.39, 0.38, 0.14, 0.43, 0.23, 0.40),
    'empty': (0.33, 0.47, 0.46, 0.41, 0.40, 0.37, 0.42),
    'x_rough': (0.35, 0.34, 0.31, 0.05, 0.54, 0.17, 0.24),
    'y_rough': (0.01, 0.06, 0.30, 0.04, 0.03, 0.05, 0.10),
    'light': (-0.18, -0.19, -0.10, -0.01, -0.09, -0.15, -0.12),
    'light_spread': (0.10, 0.12, 0.15, 0.05, 0.07, 0.09, 0.15),
    'a300': (0.31, 0.90, 0.01, 0.01, 0.16, 0.69, 0.40),
    'long': (0.61, 0.01, 0.03, 0.01, 0.18, 0.52, 0.39),
    'thickness': (80, 70, 40, 50, 80, 70, 80),
    'thickness_spread': (0.5, 0.2, 0.02, 0.05, 0.4, 0.35, 0.6),
    'left': (800, 130, 60, 770, 890, 800, 690),
    'left_spread': (550, 120, 45, 320, 400, 450, 500),
}


def abalone(rng, count):
    """Rows of sex, sizes (in 200 mm), weights (in 200 g) and rings: weights go with length cubed, rings with age."""
    sex = rng.choice(['M', 'F', 'I'], size=count, p=[0.366, 0.313, 0.321])
    mean = np.select([sex == 'M', sex == 'F'], [0.561, 0.579], 0.428)
    length = np.clip(rng.normal(mean, np.where(sex == 'I', 0.105, 0.092)), 0.09, 0.8)
    age, noise = rng.normal(size=count), rng.normal(size=[6, count])
    diameter = length * (0.79 + 0.016 * noise[0])
    height = diameter * (0.345 + 0.03 * noise[1])
    whole = np.exp(1.64 + 3.02 * np.log(length) + 0.12 * noise[2])
    shucked = whole * 0.43 * np.exp(-0.09 * age + 0.06 * noise[3])
    viscera = whole * 0.218 * np.exp(0.13 * noise[4])
    shell = whole * 0.284 * np.exp(0.12 * age + 0.05 * noise[5])
    rings = np.exp(2.8 + 0.85 * np.log(length) + 0.18 * age + 0.16 * rng.normal(size=count))
    sizes = [np.round(size / 0.005) * 0.005 for size in (length, diameter, height)]
    weights = [np.round(weight / 0.0005) * 0.0005 for weight in (whole, shucked, viscera, shell)]
    columns = [[f'{value:.4g}' for value in column] for column in sizes + weights]
    return zip(sex, *columns, np.clip(np.round(rings), 1, 29).astype(int), strict=True)


def pulsar_stars(rng, count):
    """Rows of eight figures and 1 for a pulsar (9 %): its profile is a narrow peak, of low mean and high kurtosis."""
    pulsar = rng.permutation(count) < round(0.0916 * count)
    star = pulsar & (rng.uniform(size=count) > 0.12)  # the others are too faint to tell
    z = rng.normal(size=[9, count])
    kurtosis = np.where(star, 3.15 + 1.75 * z[0], 0.2 + 0.33 * z[0])
    mean = np.where(star, 57 - 28 * z[0] + 10 * z[1], 116.6 - 14.5 * z[0] + 9 * z[1])
    mean = np.round(np.clip(mean, 5.8, 192) * 128) / 128
    spread = np.where(star, 38.7 - 4.8 * z[0] + 6 * z[2], 47.3 - 2.5 * z[0] + 5.6 * z[2])
    skewness = np.where(
        star, 1.1 * kurtosis**2 + 0.8 * kurtosis + 1.5 * z[3], 0.1 + 1.2 * (kurtosis - 0.2) + 0.55 * z[3]
    )
    quiet = np.where(z[4] < 1.5, 0.97 + 0.55 * z[4], 4 + 0.5 * z[5])
    dm_mean = np.exp(np.clip(np.where(star, 3.4 + 1.05 * z[4], quiet), -1.5, 5.4))
    dm_spread = np.clip(17.6 * (dm_mean / 2.6) ** 0.44 * np.exp(0.2 * z[6]), 7.4, 110)
    dm_kurtosis = 8.8 * (dm_mean / 2.6) ** -0.55 * np.exp(0.25 * z[7]) + 0.6 * z[8] - 0.6
    dm_skewness = 1.25 * dm_kurtosis**2 + 2 * z[8] - 1
    columns = (mean, np.clip(spread, 24, 98), kurtosis, skewness, dm_mean, dm_spread, dm_kurtosis, dm_skewness)
    return zip(*([f'{value:.10g}' for value in column] for column in columns), pulsar.astype(int), strict=True)


def fault(rng, kind, rows):
    """The 27 columns of `rows` faults of kind 0 to 6, in the order of STEEL."""
    look = {name: values[kind] for name, values in FAULTS.items()}
    shared = 0.7 * rng.normal(size=rows)  # large faults are large both ways
    width, height = (
        np.round(10 ** (look[side] + look[f'{side}_spread'] * (shared + 0.7 * rng.normal(size=rows))))
        for side in ('width', 'height')
    )
    width, height = np.clip(width, 2, 1600), np.clip(height, 1, 18000)
    conveyer = np.round(
        np.where(rng.uniform(size=rows) < look['long'], rng.normal(1670, 30, rows), rng.normal(1360, 9, rows))
    )
    x = np.round(
        np.clip(np.abs(rng.normal(look['left'], look['left_spread'], rows)), 0, np.maximum(conveyer - width - 1, 0))
    )
    y = np.round(np.clip(10 ** rng.normal(6.0, 0.5, rows), 6712, 1.29e7))
    area = np.maximum(np.round(width * height * (1 - np.clip(rng.normal(look['empty'], 0.12, rows), 0, 0.94))), 2)
    x_perimeter = np.round(width * 10 ** np.abs(rng.normal(look['x_rough'], 0.2, rows)))
    y_perimeter = np.round(height * 10 ** np.abs(rng.normal(look['y_rough'], 0.08, rows)))
    luminosity = np.clip(rng.normal(look['light'], look['light_spread'], rows), -0.95, 0.6)
    total = np.maximum(np.round(area * 128 * (1 + luminosity)), 250)
    lightness = 128 * (1 + luminosity)
    low = np.clip(np.round(lightness - rng.gamma(6, 1.6 + np.log10(area), rows)), 0, 203)
    bright = np.clip(np.round(lightness + rng.gamma(6, 1.2 + 0.8 * np.log10(area), rows)), 37, 253)
    soft = (rng.uniform(size=rows) < look['a300']).astype(int)
    thickness = np.clip(
        np.round(look['thickness'] * np.exp(rng.normal(0, look['thickness_spread'], rows)), -1), 40, 300
    )
    longer = np.maximum(width, height)
    edges = 2 * np.minimum(x, np.maximum(conveyer - x - width, 0)) / conveyer
    outside = np.select([height > width, height == width], [1, 0.5], 0)
    sigmoid = 1 / (1 + np.exp(2 - np.minimum(width * height / 151, 40)))
    return [
        *(x, x + width, y, y + height, area, x_perimeter, y_perimeter, total, low, bright),
        *(conveyer, soft, 1 - soft, thickness, edges, 1 - area / (width * height)),
        *(np.minimum(width, height) / longer, width / conveyer, width / x_perimeter, height / y_perimeter, outside),
        *(np.log10(area), np.log10(width), np.log10(height), (height - width) / longer),
        *(total / area / 128 - 1, sigmoid),
    ]


def faults(rng, count):
    """Rows of 27 measures of a fault and seven 0/1 columns that name it, kind after kind as in the real table."""
    counts = [round(share * count) for share in FAULTS['share']]
    counts[-1] += count - sum(counts)
    for kind, rows in enumerate(counts):
        names = [int(kind == other) for other in range(len(counts))]
        for values in zip(*fault(rng, kind, rows), strict=True):
            yield [f'{value:.4f}'.rstrip('0').rstrip('.') for value in values] + names


# Header, rows and line end of each file: the real pulsar table ends its lines as Windows does.
TABLES = {
    'abalone': (ABALONE, abalone, '\n'),
    'pulsar_stars': (PULSAR, pulsar_stars, '\r\n'),
    'faults': (STEEL, faults, '\n'),
}


def make(folder):
    """Writes tabular/abalone.csv, pulsar_stars.csv and faults.csv under `folder`, with the real headers."""
    target = folder / 'tabular'
    target.mkdir(parents=True, exist_ok=True)
    for number, (name, (header, rows, line_end)) in enumerate(TABLES.items()):
        with (target / f'{name}.csv').open('w', newline='', encoding='utf-8') as file:
            file.write(header + line_end)
            writer = csv.writer(file, lineterminator=line_end)
            writer.writerows(rows(np.random.RandomState([SEED, number]), ROWS[name]))
