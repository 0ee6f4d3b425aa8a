"""Is every gradient of a network right? `python -m chapters gradcheck`: a network beside finite differences.

A network is checked in float64, as in a training step, with the same random numbers in every loss. Its parameters are
drawn anew, biases too, so that few numbers lie where a ReLU has its kink; what differs because of a kink all the same
is told apart from a mistake (mathlib.gradcheck.judge). Inputs are random numbers, pictures of a size that a check of
many thousand losses can afford; parameters that are too many for that are checked at fewer places, or in part.
"""

import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chapters import limits
from chapters.ch09_cnn_ext import CnnExtModel
from chapters.ch10_cnn_net import CnnNetModel
from chapters.check_given import model_class, text_of
from chapters.description import CLASSES, STAIRCASE, DualDummyDataset
from chapters.experiments import EXPERIMENTS
from chapters.finite import places
from chapters.gradients import loss_of
from chapters.nets.catalogue import NETWORKS, make
from chapters.training import check_rows, enough_memory
from data import DummyDataset
from mathlib import backend, rng
from mathlib.backend import precision, scalar, to_device, to_host, xp
from mathlib.choices import nearest
from mathlib.errors import ConfigError, TrainingError
from mathlib.gradcheck import KINK, RIGHT, WRONG, judge

# Sides of the pictures to try, until one is large enough for the network; from a SHRUNK-th of the usual side on.
SIDES = (32, 64, 75, 96, 128, 160, 192, 224, 256, 299)
SHRUNK = 4
ANSWERS = 10
# What a configuration is checked on, unless --input says more.
PICTURE = (16, 16, 3)
# How long the check of one network may take, roughly.
SECONDS = 45
# How many numbers, one beside the other, are tried until one lies at no kink.
BESIDE = 3
TINY = 1e-12
# Losses for one place, on average: see mathlib.gradcheck.judge.
LOSSES = 5


class Checked(NamedTuple):
    """One parameter: the path of its layer, its name, how many places were judged, and what was found.

    error: the largest difference there, as a share of the largest derivative. verdict: RIGHT, WRONG, or KINK where
    nothing could be judged.
    """

    layer: str
    name: str
    places: int
    error: float
    verdict: str


def add_parser(commands):
    """The command line of `gradcheck`."""
    command = commands.add_parser(
        'gradcheck',
        help='compare the gradients of a network with finite differences, layer by layer',
        description='NAME is an experiment of `list`, a classical network or a macro. Exit status 1: one is wrong.',
    )
    command.add_argument('names', nargs='*', metavar='NAME', help='what to check')
    command.add_argument('--layers', metavar='JSON', help='a configuration, such as \'[["conv", {"ksize": 3, ...}]]\'')
    command.add_argument('--file', metavar='FILE', help='a file with a configuration as JSON')
    command.add_argument(
        '--model',
        metavar='CLASS',
        help=f'the class for a configuration or macro: {", ".join(CLASSES)}; or your own, as in mine:MyModel for the '
        'class MyModel in mine.py',
    )
    command.add_argument('--args', metavar='JSON', help='arguments of a macro, such as \'{"#chn": 8}\'')
    command.add_argument('--input', metavar='H,W,C', help='the shape of an input, such as 16,16,3')
    command.add_argument('--answers', type=int, metavar='N', help=f'how many classes (default: {ANSWERS})')
    command.add_argument('--resolution', type=int, metavar='S', help='the side of the pictures')
    command.add_argument(
        '--samples', type=int, default=5, metavar='N', help='places a parameter (default: %(default)s)'
    )
    command.add_argument('--rows', type=int, default=4, metavar='N', help='rows of the batch (default: %(default)s)')


def run(options, find):
    """Check all that the command line names; returns the exit status. find: a function from names to experiments."""
    for option, least in (('samples', 1), ('rows', 1), ('resolution', 1), ('answers', 2)):
        value = getattr(options, option)
        if value is not None and value < least:
            raise ConfigError(f'--{option} is {value}: expected at least {least}')
    shape = _input_shape(options.input)
    targets = [_named(name, options, find) for name in options.names]
    if options.layers is not None:
        targets.append(_configured('network', _json('--layers', options.layers), shape or PICTURE, options))
    if options.file is not None:
        config = _json(options.file, text_of(options.file))
        targets.append(_configured(Path(options.file).stem, config, shape or PICTURE, options))
    if not targets:
        raise ConfigError('nothing to check: give a NAME, --layers or --file, such as gradcheck residual_flower')
    return max([_check(target, options) for target in targets])


def check_layers(model, x, y, samples=5, seconds=SECONDS, show=print):
    """The gradients of all parameters of a model beside finite differences: a list of Checked.

    model: made inside `with precision('float64'):`, where this must be called too. x, y: a batch. samples: places a
    parameter; fewer, and not all parameters, where that would take more than so many seconds. show: called with each
    line of the table. Raises ConfigError for a model that is not float64 or a batch that is none, TrainingError where
    the loss or a gradient is not finite. The parameters are left as they were.
    """
    _check_batch(model, x, y)
    with loss_of(model, x, y) as loss:
        began = time.monotonic()
        value = scalar(loss())
        each = LOSSES * (time.monotonic() - began)
        items, words = list(model.parameters.items()), places(model)
        if not math.isfinite(value) or not bool(xp.isfinite(model.parameters.gradients).all()):
            raise TrainingError(
                f'{model.name}: the loss or a gradient is not a finite number, so nothing can be checked'
            )
        count = max(1, min(samples, int(seconds / (each * len(items)))))
        step = max(1, math.ceil(each * len(items) / seconds))
        if count < samples:
            part = f', and one of {step} parameters' if step > 1 else ''
            show(f'As one loss takes {each / LOSSES:.2g} s: {count} instead of {samples} places{part}.')
        layers = [words[id(slot.pm)] for slot in model.parameters.slots()]
        show('difference  places  verdict  parameter')
        checks = []
        for layer, (name, values, gradient) in list(zip(layers, items, strict=True))[::step]:
            check = Checked(layer, name, *_judged(loss, values, gradient, count))
            show(f'{check.error:10.1e}  {check.places:6}  {check.verdict:7}  {layer}: {name.rsplit(".", 1)[-1]}')
            checks.append(check)
    return checks


def _check_batch(model, x, y):
    """Raise ConfigError for a model that is not float64, or an x or y that is no batch for it."""
    if not backend.dtype == model.parameters.values.dtype == np.float64:
        raise ConfigError(
            f'{model.name} is {model.parameters.values.dtype}, and {backend.dtype} is computed: a difference of two '
            f"losses needs more digits, so make the model, and check it, inside `with precision('float64'):`"
        )
    shapes = {'x': model.dataset.input_shape, 'y': model.dataset.output_shape}
    for name, given in (('x', x), ('y', y)):
        if getattr(given, 'dtype', np.dtype(object)).kind not in 'biuf' or given.ndim == 0:
            raise ConfigError(
                f'{model.name}: {name} is a {type(given).__name__}: expected an array of numbers '
                f'[n, {", ".join(map(str, shapes[name]))}]'
            )
    check_rows(model, x)
    if y.shape != (len(x), *shapes['y']):
        raise ConfigError(
            f'{model.name}: y has the shape {list(y.shape)}: expected {[len(x), *shapes["y"]]}, an answer for each row '
            f'of x'
        )


def _judged(loss, values, gradient, count):
    """(places, largest relative difference, verdict) for one parameter."""
    flat = np.abs(to_host(gradient)).reshape(-1)
    size = float(flat.max())
    spread = np.linspace(0, flat.size - 1, min(count, flat.size)).astype(int)
    # The largest gradient tells most; where there is a kink, the number beside it has its turn.
    wanted = list(dict.fromkeys([int(flat.argmax()), *spread.tolist()]))[:count]
    errors, wrong = [], False
    for first in wanted:
        for place in dict.fromkeys((first + beside) % flat.size for beside in range(BESIDE)):
            index = tuple(int(n) for n in np.unravel_index(place, values.shape))
            own = scalar(gradient[index])
            verdict, finite = judge(loss, values, index, own, size)
            if verdict != KINK:
                wrong |= verdict == WRONG
                errors.append(abs(finite - own) / max(size, abs(finite), TINY))
                break
    if not errors:
        return 0, 0.0, KINK
    return len(errors), max(errors), WRONG if wrong else RIGHT


class _Target(NamedTuple):
    """What to check: shapes of an input to try, one after the other; its usual shape; build(shape) -> a model."""

    shapes: list
    usual: tuple
    build: Callable


def _named(name, options, find):
    """The _Target of an experiment, a classical network or a macro."""
    given = _input_shape(options.input)
    if options.model and name not in CnnExtModel.macros:
        raise ConfigError(f'{name} has a class of its own: --model is for --layers, --file and macros')
    if name in NETWORKS and not options.model:
        usual, answers = NETWORKS[name].input_shape, options.answers or ANSWERS
        args = _json('--args', options.args) if options.args else None
        return _Target(
            _shapes(usual, given, options.resolution),
            usual,
            lambda shape: make(name, DummyDataset(f'{name} shapes', 'select', shape, [answers]), args=args),
        )
    # A name without its chapter is first of all an experiment's, which knows the arguments of its macro.
    short = {full.split('_', 1)[1] for full in EXPERIMENTS}
    if name in CnnExtModel.macros and (options.args or options.model or name not in short):
        args = _json('--args', options.args) if options.args else {}
        return _configured(name, ['custom', {'name': name, 'args': args}], given, options)
    try:
        experiment = find(name)
    except ConfigError:
        near = nearest(name, [*EXPERIMENTS, *NETWORKS, *CnnExtModel.macros])
        hint = f'did you mean {near!r}?' if near else '`python -m chapters list` shows the experiments.'
        raise ConfigError(f'there is no experiment, network or macro {name!r}: {hint}') from None
    dataset = experiment.dataset_class(**experiment.dataset_args)

    def build(shape):
        answers = [options.answers] if options.answers and dataset.mode == 'select' else dataset.output_shape
        if dataset.mode == 'dual_select':
            like = DualDummyDataset(f'{dataset.name} shapes', dataset.cnts, shape, answers)
        else:
            like = DummyDataset(f'{dataset.name} shapes', dataset.mode, shape, answers)
        return experiment.model_class(experiment.name, like, experiment.hconfigs, **experiment.model_args)

    usual = tuple(dataset.input_shape)
    return _Target(_shapes(usual, given, options.resolution), usual, build)


def _configured(name, hconfigs, shape, options):
    """The _Target of a configuration; shape None: of any side that is large enough."""
    kind = model_class(options.model) if options.model else CnnNetModel
    answers = options.answers or ANSWERS
    shapes = _shapes(PICTURE if shape is None else shape, shape, options.resolution)
    if not shape and not options.resolution:
        shapes = [(side, side, PICTURE[2]) for side in SIDES]

    def build(shape):
        try:
            return kind(name, DummyDataset('shapes', 'select', shape, [answers]), hconfigs)
        except ConfigError as problem:
            raise ConfigError(f'{problem}{_advice(str(problem), options)}') from None

    return _Target(shapes, None, build)


def _advice(problem, options):
    """What the command line can do about a configuration that was not understood; '' for nothing."""
    if options.names and "in 'args'" in problem:
        return '; here: --args \'{"#chn": 8}\', with all that it needs'
    unknown = re.search(r"the layer type '(\w+)' is not known", problem)
    knowing = [one for one in STAIRCASE if unknown and hasattr(one, f'alloc_{unknown[1]}_layer')]
    return f'; {knowing[0].__name__} knows it: --model {knowing[0].__name__}' if knowing else ''


def _shapes(usual, given, resolution):
    """The shapes of an input to try, the smallest first."""
    if resolution and len(given or usual) == 3:
        return [(resolution, resolution, (given or usual)[2])]
    if given or len(usual) != 3:
        return [given or tuple(usual)]
    least, most = max(usual[:2]) / SHRUNK, min(usual[:2])
    return [*((side, side, usual[2]) for side in SIDES if least <= side < most), tuple(usual)]


def _check(target, options):
    """Build and check one network, and print what was found; returns the exit status."""
    rng.seed()
    with precision('float64'):
        model = _first_that_fits(target)
        dataset = model.dataset
        other = target.usual is not None and tuple(target.usual) != tuple(dataset.input_shape)
        beside = f' instead of {_text(target.usual)}' if other else ''
        print(
            f'{model.name}: {type(model).__name__}, {options.rows} rows of {_text(dataset.input_shape)}{beside}, '
            f'{math.prod(dataset.output_shape)} outputs, {model.parameters.count} parameters'
        )
        _check_room(model, options.rows)
        draws = np.random.RandomState(0)
        _draw_parameters(model, draws)
        with enough_memory(model, f'a batch of {options.rows} rows', '--rows'):
            x = draws.normal(size=(options.rows, *dataset.input_shape))
            checks = check_layers(model, x, _answers(dataset, options.rows, draws), options.samples)
    wrong = [check for check in checks if check.verdict == WRONG]
    if not wrong:
        kinks = sum(check.verdict == KINK for check in checks)
        beside = f', but for {kinks} where nothing but kinks was found' if kinks else ''
        print(f'All {len(checks)} gradients are right{beside}.\n')
        return 0
    print(
        f'{len(wrong)} of {len(checks)} gradients are WRONG, the last of them in {wrong[-1].layer}. A mistake spoils '
        f'all layers before it: look at the way back of this layer, of the one behind it, and of what holds them.\n'
    )
    return 1


def _check_room(model, rows):
    """Raise ConfigError for so many rows that inputs and what the layers make of them do not fit into the memory."""
    made = sum(math.prod(placed.output_shape) for placed in model.structure)
    size = rows * (math.prod(model.dataset.input_shape) + made) * np.dtype(np.float64).itemsize
    if size > limits.MEMORY:
        raise ConfigError(
            f'--rows is {rows}: inputs and outputs of the layers alone would take {size / 1e9:,.1f} GB, but this '
            f'machine has {limits.MEMORY / 1e9:,.1f} GB of memory: a handful of rows is enough'
        )


def _first_that_fits(target):
    """The model on the first of the shapes on which it can be built."""
    for shape in target.shapes[:-1]:
        try:
            return target.build(shape)
        except ConfigError:
            continue
    return target.build(target.shapes[-1])


def _draw_parameters(model, draws):
    """Weights as He 2015 draws them, which keep the signal alive; all else moved a little."""
    for _, values, _ in model.parameters.items():
        drawn = to_device(draws.normal(size=values.shape))
        if values.ndim > 1:
            values[...] = drawn * math.sqrt(2 / math.prod(values.shape[:-1]))
        else:
            values += 0.1 * drawn


def _answers(dataset, rows, draws):
    """Answers of a dataset's kind, [rows, *output_shape]."""
    shape, mode = dataset.output_shape, dataset.mode
    if mode == 'regression':
        return draws.normal(size=(rows, *shape))
    if mode == 'binary':
        return np.arange(rows * math.prod(shape)).reshape(rows, *shape) % 2.0
    counts = dataset.cnts if mode == 'dual_select' else shape
    counts = [*counts, shape[0] - sum(counts)] if mode == 'dual_select' else counts
    return np.concatenate([np.eye(count)[np.arange(rows) % count] for count in counts], axis=1)


def _json(where, text):
    """What JSON says. Raises ConfigError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigError(f'{where} is no JSON ({problem}): strings and keys stand in double quotes') from None


def _input_shape(text):
    """'16,16,3' as a tuple; None for None."""
    if text is None:
        return None
    sides = text.split(',')
    if not all(side.strip().isascii() and side.strip().isdigit() and int(side) > 0 for side in sides):
        raise ConfigError(f'--input is {text!r}: expected whole numbers above 0, such as 16,16,3')
    return tuple(map(int, sides))


def _text(shape):
    """A shape as '32x32x3'."""
    return 'x'.join(map(str, shape))
