"""What a checkpoint costs: seconds, bytes, and its share of an epoch.

    python -m tests.bench.checkpoint

The epoch is that of the flowers, 3,450 pictures of 100 x 100 pixels in batches of 10; a step is measured on drawn
pictures. The seconds are those of everything between two steps: gathering, digest, writing, until it is on the disk.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from chapters.checkpoints import Checkpoints
from chapters.experiments import EXPERIMENTS
from chapters.history import History
from chapters.nets.catalogue import make
from mathlib import backend, rng
from mathlib.backend import synchronize, to_device
from tests.bench.steps import make_dataset

ROWS, BATCH = 3450, 10
NETS = ('ch05_flowers_model_2', 'ch07_flowers_model_4', 'ch09_residual_flower', 'resnet_50')
HEAD = f'{"network":22}{"parameters":>12}{"step":>10}{"checkpoint":>12}{"MB":>8}{"share of an epoch":>20}'


def made(name, dataset):
    """The model of an experiment, or a network of the catalogue, with Adam where there is one: more to save."""
    rng.seed()
    if name in EXPERIMENTS:
        experiment = EXPERIMENTS[name]
        model = experiment.model_class(name, dataset, experiment.hconfigs, **experiment.model_args)
    else:
        model = make(name, dataset)
    model.use_adam = True
    return model


def measured(name, steps, folder):
    """(parameters, seconds of a step, seconds of a checkpoint, its bytes) of a network."""
    model = made(name, make_dataset(name, [5], BATCH))
    model.history = History(name, name)
    x, y = to_device(model.dataset.tr_xs), to_device(model.dataset.tr_ys)
    seconds = [timed(lambda: model.train_step(x, y)) for _ in range(1 + steps)][1:]
    settings = dict(epoch_count=10, batch_size=BATCH, learning_rate=0.001, report=0)
    with Checkpoints(model, folder, 1, False, settings, ROWS // BATCH) as where:
        written = [timed(where.end_epoch) for _ in range(3)]
        size = where.checkpoints.path.stat().st_size
    return model.parameters.count, statistics.median(seconds), statistics.median(written), size


def timed(work):
    """The seconds that a function takes."""
    synchronize()
    began = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - began


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(prog='python -m tests.bench.checkpoint', description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', default=NETS, help=f'of {", ".join(NETS)} (default: all)')
    parser.add_argument('--steps', type=int, default=5, help='how many steps are measured (default: %(default)s)')
    parser.add_argument('--folder', help='where to write, on the disk that is meant (default: the temporary folder)')
    options = parser.parse_args()
    told = backend.describe()
    print(f'{told["device"]}, {told["backend"]}, {told["dtype"]}; an epoch: {ROWS} pictures, {ROWS // BATCH} steps')
    print(HEAD)
    for name in options.names:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            count, step, written, size = measured(name, options.steps, Path(folder))
        share = written / (step * (ROWS // BATCH))
        print(
            f'{name:22}{count:12,}{1000 * step:7.0f} ms{1000 * written:9.0f} ms{size / 1e6:8.1f}{100 * share:18.2f} %'
        )


if __name__ == '__main__':
    main()
