"""Thousands of spoilt files for everything that reads: `python -m tests.stress.fuzz --inputs 10000`.

The seeds are files of the generated sample, or of DATA_DIR where it is set. Each input comes from its reader, its
number and --seed, so what was found can be tried again:

    python -m tests.fuzz.trial READER NUMBER NUMBER+1 SEED FOLDER
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.harness import run
from tests.fuzz.readers import READERS

PIECE = 200  # inputs of a process


def main(arguments=None):
    """Try the inputs, print a table and what was found; returns the exit status, 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--inputs', type=int, default=1000, help='how many, over all readers')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--processes', type=int, default=os.cpu_count() or 1)
    names = [reader.name for reader in READERS]
    parser.add_argument('--readers', nargs='+', choices=names, default=names, metavar='NAME', help=', '.join(names))
    options = parser.parse_args(arguments)
    each = -(-options.inputs // len(options.readers))
    pieces = [(name, begin, min(begin + PIECE, each)) for name in options.readers for begin in range(0, each, PIECE)]
    with ThreadPoolExecutor(options.processes) as pool:
        parts = pool.map(lambda piece: run([piece[0]], *piece[1:], options.seed), pieces)
        results = [result for part in parts for result in part]
    print(f'{"reader":<12}{"inputs":>8}{"read":>8}{"refused":>9}{"found":>7}{"slowest":>10}{"memory":>10}')
    for name in (*options.readers, 'all'):
        mine = [result for result in results if name in (result.reader, 'all')]
        counts = [sum(result.outcome == outcome for result in mine) for outcome in ('read', 'refused', 'found')]
        slowest, peak = max(result.seconds for result in mine), max(result.peak for result in mine)
        print(f'{name:<12}{len(mine):>8,}{counts[0]:>8,}{counts[1]:>9,}{counts[2]:>7,}{slowest:>8.2f} s{peak:>6,} MiB')
    found = [result for result in results if result.outcome == 'found']
    for result in found[:40]:
        print(f'found: {result.reader} {result.number} ({result.kind}): {result.word}')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
