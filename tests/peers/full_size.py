"""Every network of the catalogue at the size of its paper beside its PyTorch twin: logits of one picture in float32.

    python -m tests.peers.full_size [--only NAME ...]

Prints a table: name, input, parameters, and how far the logits lie apart, by the largest of them. Takes some minutes
and, for VGG, 4 GB. The exit status is 1 if two lie further apart than 1e-4.
"""

import argparse
import sys

import numpy as np

from chapters.nets.catalogue import NETWORKS
from tests.peers.nets import pairs

APART = 1e-4
# The moving averages are drawn around those of two pictures: of one, a side head would have nothing to normalise.
ROWS = 2


def compare(name):
    """(parameters, error of the logits) of one network."""
    x = pairs.pictures(NETWORKS[name].input_shape, ROWS, np.float32)
    both = pairs.pair(name, x)
    return both.model.parameters.count, pairs.logits_error(both, x[:1])


def main(arguments=None):
    """Compare and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', nargs='+', choices=NETWORKS, metavar='NAME', default=list(NETWORKS))
    worst = 0.0
    print(f'{"network":24}{"input":>12}{"parameters":>14}{"logits apart":>14}')
    for name in parser.parse_args(arguments).only:
        count, error = compare(name)
        worst = max(worst, error)
        shape = 'x'.join(map(str, NETWORKS[name].input_shape))
        print(f'{name:24}{shape:>12}{count:>14,}{error:>14.1e}', flush=True)
    return int(not worst < APART)


if __name__ == '__main__':
    sys.exit(main())
