"""The command line: python -m chapters list | run NAME ... | report | classify PATH ... | gradcheck NAME ...

`--help` says more.
"""

import argparse
import dataclasses
import difflib
import os
import shlex
import sys
from pathlib import Path

from chapters import check, report, runs
from chapters.checkpoint_files import NAMES, RunFolder, check_named
from chapters.classify import PLAIN, classify, plot_top, show_top
from chapters.experiments import EXPERIMENTS
from chapters.nets.catalogue import make
from chapters.pretrained import ARGS, FILES, LEFT_OUT
from chapters.published import import_weights
from chapters.weightfiles import read_names
from chapters.weights import load
from data import DataError
from data.pictures import PREPARE
from mathlib import rng, settings
from mathlib.commandline import Parser
from mathlib.errors import BookError, ConfigError

# `list` shows so many letters of a configuration.
LONGEST = 72

# What a run depends on beside its command line; without the same values it cannot go on, or not to the same bit.
VARIABLES = ('DATA_DIR', 'BACKEND', 'DTYPE', 'WORKERS')

# Command-line option -> field of Experiment.
CHANGES = {'epochs': 'epoch_count', 'batch_size': 'batch_size', 'learning_rate': 'learning_rate', 'report': 'report'}


def parser():
    """The command line's parser."""
    top = Parser(prog='python -m chapters', description="The book's experiments.")
    commands = top.add_subparsers(dest='command', required=True)
    commands.add_parser('list', help='show all experiments with their settings and published results')
    run = commands.add_parser(
        'run',
        help='train and test one or more experiments, and store a JSON record of each',
        description='Several names are run one after the other on one stream of random numbers, as in the book.',
    )
    run.add_argument('names', nargs='+', metavar='NAME', help='an experiment of `list`')
    run.add_argument('--epochs', type=int, help="how many epochs (default: the book's)")
    run.add_argument('--batch-size', type=int, help="rows a step (default: the book's)")
    run.add_argument('--learning-rate', type=float, help="(default: the book's)")
    run.add_argument('--report', type=int, metavar='N', help='print a line every N epochs, 0 for none')
    run.add_argument(
        '--adam', action=argparse.BooleanOptionalAction, help='switch Adam on or off (chapter 6 and later)'
    )
    run.add_argument('--seed', type=int, default=rng.BOOK_SEED, help='of the random numbers (default: %(default)s)')
    run.add_argument(
        '--results', default=runs.OWN, metavar='FOLDER', help='where the records go (default: %(default)s)'
    )
    run.add_argument(
        '--checkpoint', metavar='DIR', help='save each training there, in a folder of its own, so that it can go on'
    )
    run.add_argument('--every', type=float, metavar='X', help='epochs between two checkpoints (default: 1)')
    run.add_argument('--resume', action='store_true', help='go on from the checkpoints in DIR')
    table = commands.add_parser('report', help='make a table and curves of all stored runs, as Markdown and HTML')
    table.add_argument(
        '--results', nargs='+', default=[runs.STORED, runs.OWN], metavar='FOLDER', help='where records are'
    )
    table.add_argument('--out', default=settings.BUILD / 'report', metavar='FOLDER', help='(default: %(default)s)')
    best = commands.add_parser(
        'classify',
        help='what is on a photo, by a network with trained weights',
        description='FILE is what save(model, path) wrote, or, with --net, published weights as .safetensors or .npz.',
    )
    best.add_argument('pictures', nargs='+', metavar='PATH', help='a picture')
    best.add_argument('--weights', required=True, metavar='FILE', help='the trained weights')
    best.add_argument('--net', metavar='NAME', help=f'the network of published weights, such as {", ".join(FILES)}')
    best.add_argument(
        '--names',
        metavar='FILE',
        help='the names of the answers, one a line, such as those of the 1000 classes of ImageNet',
    )
    best.add_argument(
        '--how',
        metavar='WORD',
        help=f"how pictures are made ready: {PLAIN}, {', '.join(PREPARE)} (default: the network's)",
    )
    best.add_argument('--top', type=int, default=5, metavar='N', help='how many answers (default: %(default)s)')
    best.add_argument('--draw', metavar='FOLDER', help='write a PNG of each picture and its answers there')
    check.add_parser(commands)
    return top


def main(arguments=None):
    """Run the command line; returns the exit status. Errors that a reader can mend are one line without a traceback."""
    options = parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        commands = {'list': list_all, 'run': run_all, 'report': make_report, 'classify': classify_all}
        commands['gradcheck'] = lambda options: check.run(options, find)
        return commands[options.command](options)
    except BookError as problem:
        print(f'error: {problem}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130


def list_all(options):
    """Print a line for each experiment."""
    width = max(map(len, EXPERIMENTS))
    texts = {name: report.layers_text(experiment.hconfigs) for name, experiment in EXPERIMENTS.items()}
    short = {name: text if len(text) <= LONGEST else f'{text[: LONGEST - 3]}...' for name, text in texts.items()}
    for experiment in EXPERIMENTS.values():
        accuracy = (
            ', '.join('+'.join(f'{value:.3f}' for value in item.accuracy) for item in experiment.published) or '-'
        )
        print(
            f'{experiment.name:{width}}  {experiment.model_class.__name__:13}  '
            f'{short[experiment.name]:{LONGEST}}  '
            f'{experiment.epoch_count:3} epochs, batch {experiment.batch_size}, rate {experiment.learning_rate:g}'
            f'  published: {accuracy}'
        )
    return 0


def run_all(options):
    """Run the named experiments on one stream of random numbers and store their records."""
    experiments = [changed(find(name), options) for name in options.names]
    folder = runs.prepare(options.results)
    keep = checkpoint_options(options)
    seed_stream(options.seed)
    made, dataset, done = None, None, []
    for experiment, changes in experiments:
        wanted = (experiment.dataset_class, experiment.dataset_args)
        if made != wanted:
            made, dataset = wanted, experiment.dataset_class(**experiment.dataset_args)
            print(f'Data: {dataset}, {dataset.kind}, answers {list(dataset.output_shape)}, digest {dataset.digest}')
        if keep:
            place = experiment.name if experiment.name not in done else f'{experiment.name}-{len(done) + 1}'
            about = {'seed': options.seed, 'after': list(done)}
            keep['checkpoint'] = RunFolder(Path(options.checkpoint) / place, about)
        record, model = runs.run_experiment(experiment, dataset, options.seed, done, changes, **keep)
        print(f'stored in {runs.save(record, folder)}')
        if options.resume and not record['stopped']:
            runs.forget_stopped(record, folder)
        if record['stopped']:
            whole = len(record['history']['epochs'])
            words = f'the record holds {whole} whole {"epoch" if whole == 1 else "epochs"}'
            if not keep and record['stopped'] in runs.STATUSES:
                words += '; with --checkpoint FOLDER it could go on'
            print(f'error: {record["stopped"]} ({words})', file=sys.stderr)
            if keep and record['stopped'] in runs.STATUSES and any(keep['checkpoint'].path.glob(NAMES)):
                print(f'to go on: {resumption(options)}', file=sys.stderr)
            return runs.STATUSES.get(record['stopped'], 1)
        for count in experiment.shows:
            model.visualize(count)
        done.append(experiment.name)
    return 0


def checkpoint_options(options):
    """The arguments of `train` for checkpoints; none where they were not asked for."""
    if options.checkpoint is not None:
        check_named(options.checkpoint)
        every = 1 if options.every is None else options.every
        return {'checkpoint': options.checkpoint, 'every': every, 'resume': options.resume}
    if options.resume or options.every is not None:
        raise ConfigError('--resume and --every need a folder for the checkpoints: --checkpoint DIR')
    return {}


def resumption(options):
    """The command line that goes on with a run."""
    words = [word for word in options.words if word != '--resume']
    python = Path(sys.executable or 'python')
    if python.is_relative_to(Path.cwd()):
        python = Path('.', python.relative_to(Path.cwd()))
    variables = [f'{name}={shlex.quote(os.environ[name])}' for name in VARIABLES if os.environ.get(name)]
    return ' '.join([*variables, shlex.join([str(python), '-m', 'chapters', *words, '--resume'])])


def seed_stream(seed):
    """Start the stream of random numbers at `seed`; raises ConfigError if it cannot be one."""
    if not 0 <= seed < 2**32:
        raise ConfigError(f'--seed is {seed}: expected a whole number from 0 to {2**32 - 1}')
    rng.seed(seed)


def find(name):
    """The experiment of that name; a name without its chapter will do where only one chapter has it."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    same = [full for full in EXPERIMENTS if full.split('_', 1)[1] == name]
    if len(same) == 1:
        return EXPERIMENTS[same[0]]
    near = same or difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
    hint = f'Did you mean {" or ".join(near)}? ' if near else ''
    raise ConfigError(f'there is no experiment {name!r}. {hint}`python -m chapters list` shows them all.')


def changed(experiment, options):
    """The experiment with the settings of the command line, and the names of those that are not the book's."""
    fields, changes = {}, []
    for option, field in CHANGES.items():
        value = getattr(options, option)
        if value is not None and value != getattr(experiment, field):
            fields[field] = value
            changes.append(f'{option.replace("_", "-")}{value:g}')
    usual = experiment.attributes.get('use_adam', getattr(experiment.model_class, 'use_adam', False))
    if options.adam is not None and options.adam != usual:
        if not hasattr(experiment.model_class, 'use_adam'):
            raise ConfigError(
                f'{experiment.name} trains a {experiment.model_class.__name__}, which has no Adam (chapter 6 has)'
            )
        fields['attributes'] = {**experiment.attributes, 'use_adam': options.adam}
        changes.append('adam' if options.adam else 'no-adam')
    return dataclasses.replace(experiment, **fields), changes


def make_report(options):
    """Write the report of all stored runs and say where it is."""
    records = [record for folder in options.results for record in runs.load(folder)]
    if not records:
        places = ', '.join(map(str, options.results))
        raise runs.RunError(f'there is no record of a run in {places}: `python -m chapters run NAME` makes one')
    for path in report.write_report(records, options.out):
        print(f'written: {path}')
    return 0


def classify_all(options):
    """Print the most probable answers for each picture; show or write the picture beside them."""
    if options.net is None:
        model = load(options.weights)
    else:
        model = make(options.net, args=ARGS.get(options.net))
        import_weights(model, options.weights, ignore=LEFT_OUT.get(options.net, ()))
    names = read_names(options.names) if options.names else None
    folder = runs.prepare(options.draw, 'draw') if options.draw else None
    status = 0
    for picture in options.pictures:
        try:
            rows = classify(model, picture, options.top, names, options.how)
        except DataError as problem:  # one bad file among many
            print(problem, file=sys.stderr)
            status = 1
            continue
        print(picture)
        for name, share in rows:
            print(f'  {100 * share:5.1f} %  {name}')
        show_top(picture, rows)
        if folder is not None:
            # Class folders often have a frame_0001 each.
            place = Path(picture).resolve()
            path = folder / f'{place.parent.name}-{place.stem}-{model.name}.png'
            plot_top(picture, rows).savefig(path, dpi=120)
            print(f'  written: {path}')
    return status


if __name__ == '__main__':
    sys.exit(main())
