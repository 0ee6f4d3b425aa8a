"""What becomes of a Case: it is built, trained for a step, saved, loaded and checked, or refused with a reason."""

import re
import signal
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, prod
from unittest.mock import patch

import numpy as np

from chapters import limits
from chapters.gradients import check_gradients
from chapters.weights import load, save
from mathlib import backend, rng, settings, team
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.errors import ConfigError
from tests.properties.networks import registered

# A configuration that asks for more bytes is refused; those of the strategies that fit together ask for far less.
BYTES = 64 << 20
SECONDS = 60
# How many numbers of each parameter the gradient check looks at.
SAMPLES = 2
# Finite differences are wrong where a ReLU or a maximum has its kink: as often as this, elsewhere, they must be wrong.
TRIES = 4
# Of a million ReLUs some are always at their kink, and each of a thousand parameters would take a way through a
# thousand layers: larger networks are not checked.
MOST_NUMBERS = 20_000
MOST_PARAMETERS = 200
# How far gradients of a team may be from those of a single thread, beside the largest of them: sums in another order.
ROUNDING = 1e-9
# How an error says where the mistake is: a layer's path, the whole configuration, an argument of the model, a macro.
PLACES = r'^net: (layer \d+(?: is|:| > )|output layer|the configuration|[a-z0-9_]+ is |the optimizer|label_smoothing )'


class Wrong(AssertionError):
    """A property does not hold; the message begins with which."""


@dataclass(frozen=True)
class Outcome:
    """refused: the text of the ConfigError, or ''. checked: how many parameters had their gradients checked."""

    refused: str = ''
    checked: int = 0


def examine(case, folder):
    """The Outcome of a Case. Raises Wrong, or whatever else came out that should not have. folder: to save in."""
    before = fingerprint(case.hconfigs), fingerprint(case.macros), fingerprint(case.options)
    with within(SECONDS), warnings.catch_warnings(), rationed(BYTES):
        warnings.simplefilter('error')
        try:
            outcome = _tried(case, folder)
        except ConfigError as problem:
            outcome = Outcome(refused=str(problem))
    if before != (fingerprint(case.hconfigs), fingerprint(case.macros), fingerprint(case.options)):
        raise Wrong('changed: the configuration is no longer what was handed in')
    if outcome.refused and not re.search(PLACES if '#macro' not in case.told else '^macro ', outcome.refused):
        raise Wrong(f'no place: {outcome.refused}')
    if outcome.refused and not case.mistake:
        raise Wrong(f'refused though it fits: {outcome.refused}')
    told = case.told.removeprefix('#macro')
    if told and told not in outcome.refused:
        raise Wrong(f'told: expected an error with {told!r}, but got {outcome.refused or "none"}')
    return outcome


def _tried(case, folder):
    """Build, train a step, save, load, check the gradients; a ConfigError may come from building alone."""
    with registered(case.macros):
        rng.seed(1234)
        model = _built(case)
        try:
            x, y = _batch(case, 0)
            with backend.quiet():
                loss, accuracy = model.train_step(to_device(x), to_device(y))
            if not np.isfinite([scalar(loss), scalar(accuracy)]).all() or not model.parameters.are_finite():
                raise Wrong('not finite: after a training step')
            outputs = _tested(model, x)
            if not case.mistake and not np.isfinite(outputs).all():
                raise Wrong('not finite: in a test')
            if outputs.shape != (case.rows, case.outputs) or outputs.dtype != backend.dtype:
                raise Wrong(f'outputs: {outputs.dtype} {outputs.shape}')
            path = save(model, folder / 'net.safetensors')
        except ConfigError as problem:
            raise Wrong(f'refused only when it was used: {problem}') from problem
    # What was saved needs no macros.
    try:
        if not np.array_equal(_tested(load(path), x), outputs, equal_nan=True):
            raise Wrong('loaded: other outputs than before')
    except ConfigError as problem:
        raise Wrong(f'refused when it was loaded: {problem}') from problem
    with registered(case.macros), precision('float64'):
        return Outcome(checked=_gradients(case))


def _built(case):
    return case.model_class('net', case.dataset(), case.hconfigs, **case.options)


def _tested(model, x):
    """The outputs of a model for x, a host array, as its `test` computes them."""
    with backend.quiet():
        return to_host(model.get_output(x))


def _batch(case, seed):
    """A few rows of inputs and answers, host arrays."""
    draws = np.random.RandomState(seed)
    x = draws.normal(size=(case.rows, *case.input_shape)).astype(backend.dtype)
    if case.mode == 'select':
        y = np.eye(case.outputs)[draws.randint(case.outputs, size=case.rows)]
    elif case.mode == 'binary':
        y = draws.randint(2, size=(case.rows, 1))
    else:
        y = draws.normal(3, 1, (case.rows, 1))
    return x, y.astype(backend.dtype)


def _gradients(case):
    """Raise Wrong unless all gradients are right; how many parameters were checked."""
    wrong = None
    for seed in range(1, TRIES):
        rng.seed(seed)
        model = _built(case)
        numbers = model.parameters.count + sum(prod(placed.output_shape) for placed in model.structure)
        if numbers > MOST_NUMBERS or len(model.parameters.names) > MOST_PARAMETERS:
            return 0
        # Parameters of all sizes, and no biases at the kink of a ReLU.
        model.parameters.values += to_device(rng.normal(0, 0.2, model.parameters.count))
        _shared(model, *_batch(case, seed))
        checks = check_gradients(model, *_batch(case, seed), samples=SAMPLES, show=False)
        found = {check.name: check for check in checks if not check.right}
        wrong = found if wrong is None else {name: check for name, check in found.items() if name in wrong}
        if not wrong:
            return len(checks)
    raise Wrong('gradients: ' + '; '.join(map(str, wrong.values())))


def _shared(model, x, y):
    """Raise Wrong unless two threads, each with some of the rows, make the gradients that one makes."""
    before = rng.get_state()
    found = []
    for workers in (1, 2):
        rng.set_state(before)
        always = patch.multiple(team, PRODUCTS_A_MEMBER=1, PRODUCTS_A_WEIGHT=0, OPERATIONS=inf)
        with always, patch.object(settings, 'workers', workers):
            model.compute_gradients(to_device(x), to_device(y))
        found.append(to_host(model.parameters.gradients).copy())
    rng.set_state(before)
    alone, shared = found
    if np.abs(alone - shared).max() > ROUNDING * max(1, np.abs(alone).max()):
        raise Wrong(f'shared: gradients of two threads differ by up to {np.abs(alone - shared).max():.1e}')


@contextmanager
def rationed(count):
    """Inside, a network may ask for so many bytes and no more."""
    before = limits.MEMORY
    limits.MEMORY = count
    try:
        yield
    finally:
        limits.MEMORY = before


@contextmanager
def within(seconds):
    """Inside, whatever takes longer than so many seconds is broken off, where the system can do that."""

    def late(*_):
        raise Wrong(f'slow: not done after {seconds} seconds')

    if not hasattr(signal, 'SIGALRM') or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    # Again and again, for an error inside of a clean-up of Python's is dropped.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fingerprint(value):
    """The same for a value as long as neither it nor anything in it is changed; it may hold itself, or be very deep."""
    marks, known, left = [], set(), [value]
    while left:
        each = left.pop()
        marks.append((type(each), id(each)))
        if isinstance(each, (list, tuple, dict)) and id(each) not in known:
            known.add(id(each))
            inside = [part for pair in each.items() for part in pair] if isinstance(each, dict) else list(each)
            marks.append(len(inside))
            left += inside
        elif isinstance(each, np.ndarray):
            marks.append(each.tobytes())
    return marks
