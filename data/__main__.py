"""python -m data: bring the real data sets, see what is there, find what is broken."""

import argparse
import sys
from pathlib import Path

from data import fetch, location
from data.errors import DataError, unknown
from data.fetch import inventory, weights
from mathlib import settings
from mathlib.commandline import Parser
from mathlib.errors import BookError

DEFAULT = settings.BUILD / 'data'
SAMPLE = settings.BUILD / 'sample'
DESCRIPTION = """\
The book runs on a small generated sample. This command brings the real data:

  python -m data fetch flowers          download it, verify it, unpack it (goes on where it stopped)
  python -m data fetch weights resnet50 download the published weights of a network, verify them
  python -m data import archive.zip     the same from an archive or a folder that you have
  python -m data list                   what is there
  python -m data check                  read every picture and every row, name what is broken
  python -m data sample                 make the generated sample (or see where it is)

The data goes to DATA_DIR if that variable is set, else to build/data in the project. The book uses it when
DATA_DIR is set:   DATA_DIR=build/data make book
"""


def _parser():
    parser = Parser(
        prog='python -m data', description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    bring = commands.add_parser('fetch', help='download a data set from its public home')
    bring.add_argument(
        'name',
        nargs='+',
        metavar='NAME',
        help=f'{", ".join(fetch.NAMES)}; or the word weights and then networks: {", ".join(weights.WEIGHTS)}',
    )
    take = commands.add_parser('import', help='take a data set out of an archive or a folder')
    take.add_argument('file', type=Path, metavar='FILE', help='zip, tar, tar.gz, a folder, an IDX file or a CSV')
    take.add_argument(
        '--as', dest='only', choices=inventory.SETS, metavar='NAME', help='only this set, where FILE holds several'
    )
    for command in (bring, take):
        command.add_argument('--into', type=Path, metavar='FOLDER', help='data folder to write (default: DATA_DIR)')
        command.add_argument('--replace', action='store_true', help='replace a set that is there already')
    show = commands.add_parser('list', help='what is there: images and rows of each class, size')
    check = commands.add_parser('check', help='read everything, name what is broken (exit status 1 then)')
    check.add_argument(
        'name', nargs='?', choices=inventory.SETS, metavar='NAME', help='one set; all that are there else'
    )
    for command in (show, check):
        command.add_argument('--in', dest='place', type=Path, metavar='FOLDER', help='data folder (default: DATA_DIR)')
    commands.add_parser('sample', help='make the generated sample')
    return parser


def _bytes(count):
    for unit in ('bytes', 'kB', 'MB'):
        if count < 1000:
            return f'{count:.0f} {unit}'
        count /= 1000
    return f'{count:.1f} GB'


def _counts(counts):
    return ', '.join(f'{name} {count:,}' for name, count in counts.items())


def _arrived(arrivals, target):
    for arrival in arrivals:
        print(
            f'{arrival.layout}: {arrival.items:,} in {", ".join(map(str, arrival.places))}: {_counts(arrival.counts)}'
        )
        for note in arrival.notes:
            print(f'  note: {note}')
    if target.resolve() != settings.data_dir:
        target = target.resolve()
        shown = target.relative_to(settings.ROOT) if target.is_relative_to(settings.ROOT) else target
        print(f'To use it, set DATA_DIR, for example: DATA_DIR={shown} make book')


def _target(into):
    return into or settings.data_dir or DEFAULT


def _check_names(parser, options):
    """The names after `fetch`: sets, or `weights` and networks; anything else ends the program with status 2."""
    first, *rest = options.name
    names, known = (rest, list(weights.WEIGHTS)) if first == 'weights' else (options.name, [*fetch.NAMES, 'weights'])
    if not names:
        parser.error(f'fetch weights: of which network? One or more of {", ".join(known)}')
    for name in names:
        if name not in known or name == 'weights':
            parser.error(unknown(name, known))


def _fetch(options):
    target, arrivals = _target(options.into), []
    if options.name[0] == 'weights':
        for name in options.name[1:]:
            weights.fetch_weights(name, target, replace=options.replace)
        return 0
    for name in options.name:
        arrivals += fetch.fetch(name, target, replace=options.replace)
    _arrived(arrivals, target)
    return 0


def _import(options):
    target = _target(options.into)
    _arrived(fetch.import_file(options.file, target, only=options.only, replace=options.replace), target)
    return 0


def _list(options):
    if options.place or settings.data_dir:
        _table(options.place or settings.data_dir, 'given by --in' if options.place else 'DATA_DIR, in use')
        return 0
    _table(SAMPLE, 'the generated sample, in use' if SAMPLE.is_dir() else 'the generated sample, made on first use')
    if DEFAULT.is_dir():
        print()
        shown = DEFAULT.relative_to(settings.ROOT)
        _table(DEFAULT, f'fetched; not in use: DATA_DIR is not set (DATA_DIR={shown} uses it)')
    return 0


def _table(root, what):
    if not (root.is_dir() or root == SAMPLE):
        raise DataError(f'There is no folder {root}.')
    print(f'{root} ({what})')
    print(f'  {"set":<10}{"items":>8}  {"size":>9}  {"broken":<11}  classes')
    for holding in inventory.take_stock(root):
        if not holding.counts:
            print(f'  {holding.name:<10}{"-":>8}  {"-":>9}  {"":<11}  not there')
            continue
        found = inventory.broken(holding)
        state = 'not checked' if found is None else str(found)
        size = _bytes(holding.size)
        print(f'  {holding.name:<10}{holding.items:>8,}  {size:>9}  {state:<11}  {_counts(holding.counts)}')
    if files := sorted(root.glob(f'weights/*/{weights.FILE}')):
        size, names = sum(path.stat().st_size for path in files), ', '.join(path.parent.name for path in files)
        print(f'  {"weights":<10}{len(files):>8,}  {_bytes(size):>9}  {"":<11}  {names}')


def _check(options):
    root = options.place or settings.data_dir or location.folder('flowers').parent
    names = [options.name] if options.name else [name for name in inventory.SETS if (root / name).is_dir()]
    if not names:
        raise DataError(f'{root} holds none of {", ".join(inventory.SETS)}. Get one with "python -m data fetch NAME".')
    wrong = 0
    for name in names:
        report = inventory.check(root, name)
        wrong += len(report.errors)
        state = f'{len(report.errors):,} broken' if report.errors else 'all good'
        print(f'{name}: {report.items:,} read from {report.files:,} files in {root / name}: {state}')
        for label, lines in (('broken', report.errors), ('note', report.notes)):
            for line in lines:
                print(f'  {label}: {line}')
    return 1 if wrong else 0


def _sample(options):
    if settings.data_dir:
        print(f'DATA_DIR={settings.data_dir} is set: the data there is used. Unset DATA_DIR to work on the sample.')
        return 0
    print(f'The sample is in {location.folder("flowers").parent}.')
    return 0


def main(arguments=None):
    """Run one command; returns the exit status: 0, 1 for an error or something broken, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors='backslashreplace')
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == 'fetch':
        _check_names(parser, options)
    run = {'fetch': _fetch, 'import': _import, 'list': _list, 'check': _check, 'sample': _sample}[options.command]
    try:
        return run(options)
    except BookError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(f'error: {error.filename or "input or output"}: {error.strerror or error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = [f'{part.stat().st_size:,} bytes of {part.stem} are kept' for part in _parts(options)]
        said = f'{"; ".join(kept)}; the same command goes on from there' if kept else 'No half-written file is left'
        print(f'stopped. {said}.', file=sys.stderr)
        return 130


def _parts(options):
    return sorted(_target(options.into).glob('.downloads/*/*.part')) if options.command == 'fetch' else []


if __name__ == '__main__':
    sys.exit(main())
