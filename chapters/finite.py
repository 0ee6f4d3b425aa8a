"""Where NaN and infinity come from: the step and the layer in which a number stops being one.

Every training step is looked at before the optimiser moves anything: the cost, and by one product of the flat vector of
all gradients with itself, which is finite only if all of them are. If one is not, the same batch goes through the
network once more, now with a look at what each layer makes, and the TrainingError names the first that is to blame.

A GPU would have to stop and wait in every step. There the cost itself is made NaN where a gradient is not finite, and
the costs are fetched now and then (history.FETCH_EVERY), by when the parameters are spoilt; the step is still known.
"""

import contextlib
import math
from typing import NamedTuple

from chapters import history
from chapters.structure import parts, weights
from chapters.training import diverged
from mathlib import backend
from mathlib.backend import scalar, to_device, xp
from mathlib.errors import TrainingError
from mathlib.team import member

COST, GRADIENT, PARAMETER = 'the cost', 'a gradient', 'a parameter'
MEND = 'Mend the data, or leave such rows out.'
ANEW = 'Make the model anew, or load its parameters again.'
FIRST = (
    'This was the first step, before any update, so no learning rate is to blame: look at the layer named, at its '
    'inputs, and at the first weights.'
)
# Rows of data are looked at so many at a time.
AT_ONCE = 100
# A message names so many rows or parameters.
NAMED = 3


class Finding(NamedTuple):
    """What is not finite (COST, GRADIENT, PARAMETER), and where.

    rows: of the batch, from 0, if its data is to blame. moved: whether parameters are spoilt. remedy: what to do, where
    that is not to take a lower learning rate.
    """

    what: str
    where: str
    rows: tuple = ()
    moved: bool = False
    remedy: str = ''


class NotFinite(TrainingError):
    """A step made a number that is not finite; nothing has been moved yet. finding: what and where."""

    def __init__(self, model, finding):
        super().__init__(str(diverged(model, finding)), history=model.history)
        self.finding = finding


def averages(model):
    """Copies of what layers keep without learning it, as moving averages; None where steps are not looked at singly."""
    return [array.copy() for array in model.kept_arrays] if history.FETCH_EVERY == 1 else None


def checked(model, x, y, loss, before):
    """The loss of a step whose gradients are complete, if all is finite. before: what `averages` gave before the step.

    Raises NotFinite, with the moving averages put back, if not; where steps are not looked at singly the loss is made
    NaN instead.
    """
    gradients = model.parameters.gradients
    if before is None:
        return xp.where(xp.isfinite(gradients).all(), loss, xp.full_like(loss, xp.nan))
    # The product of large numbers overflows before they do.
    if math.isfinite(loss) and (math.isfinite(xp.dot(gradients, gradients)) or _is_finite(gradients)):
        return loss
    _put_back(model, before)
    try:
        with backend.quiet():
            finding = find(model, x, y)
    finally:
        _put_back(model, before)
    raise NotFinite(model, finding)


@contextlib.contextmanager
def placed_in(model, epoch, batch_size):
    """Inside, where an epoch is computed, NotFinite becomes the TrainingError that names epoch and step, from 1."""
    try:
        yield
    except NotFinite as problem:
        finding, step = problem.finding, model.standing.log.steps + 1
        when = f'in epoch {epoch}, step {step}'
        if finding.rows:
            finding = finding._replace(
                where=finding.where + _in_training_data(model.dataset, finding, step, batch_size)
            )
        elif finding.what == PARAMETER:
            # All was finite in the step before, so its update made the parameters what they are.
            when = f'after epoch {epoch}, step {step - 1}' if step > 1 else f'before epoch {epoch}, step 1'
            finding = finding if step > 1 else finding._replace(remedy=ANEW)
        elif (epoch, step) == (1, 1):
            finding = finding._replace(remedy=FIRST)
        raise diverged(model, finding, when) from None


def late(model):
    """The Finding for a cost that was found not to be finite when the parameters had been moved already."""
    bad = spoilt(model)
    where = (
        f'by the time it was looked at, these were not finite either: {bad.where}'
        if bad
        else 'the parameters still are'
    )
    if history.FETCH_EVERY > 1:
        where += '; with chapters.history.FETCH_EVERY = 1 a GPU waits for every step, and the layer is found'
    first = model.standing.epoch == 1 and model.standing.log.steps == 0
    return Finding(COST, where, moved=True, remedy=FIRST if first else '')


@contextlib.contextmanager
def outputs_looked_at(model, data, y=None):
    """Inside, model.get_output raises TrainingError where the outputs for some rows are not finite.

    data: what the rows are, such as 'the test data'. y: their answers, host or device, which are looked at first; None
    for none. The error says how many rows, and whether the data or the network is to blame; it carries the history.
    """
    if y is not None:
        rows = _bad_rows(y)
        if rows:
            raise _no_outputs(
                model, f'the answers of {len(rows)} of {len(y)} rows of {data} are not finite', rows, MEND
            )

    def looking(honest):
        def get_output(x):
            output = honest(x)
            rows = [] if _is_finite(output) else _bad_rows(output)
            if rows:
                told = f'the outputs for {len(rows)} of {len(x)} rows of {data} are not finite'
                given = sorted(set(rows).intersection(_bad_rows(x)))
                if len(given) == len(rows):
                    raise _no_outputs(model, f'{told}, as their inputs are not finite already', rows, MEND)
                bad = spoilt(model)
                why = (
                    f'these parameters are not finite: {bad.where}'
                    if bad
                    else 'what a layer makes of them is too large'
                )
                told += f', though the inputs of {len(rows) - len(given)} of them are: the network makes them so; {why}'
                raise _no_outputs(model, told, rows, ANEW)
            return output

        return get_output

    with _in_place_of(model, 'get_output', looking):
        yield


def _no_outputs(model, told, rows, remedy):
    """The TrainingError for rows of data."""
    numbers = _list([str(row) for row in rows])
    return TrainingError(f'{model.name}: {told} (counted from 0: {numbers}). {remedy}', history=model.history)


def _bad_rows(array):
    """The numbers of the rows that are not finite, from 0; of pictures that are drawn in pieces, too."""
    bad = []
    for start in range(0, len(array), AT_ONCE):
        rows = to_device(array[start : start + AT_ONCE])
        good = xp.isfinite(rows).reshape(len(rows), -1).all(axis=1)
        bad += (start + xp.flatnonzero(~good)).tolist()
    return bad


def spoilt(model):
    """The Finding of parameters that are not finite; None if all are."""
    words = places(model)
    bad = [
        f'{slot.name} of {words.get(id(slot.pm), model.name)} ({_count(slot.view)})'
        for slot in model.parameters.slots()
        if not _is_finite(slot.view)
    ]
    return Finding(PARAMETER, _list(bad), moved=True) if bad else None


def find(model, x, y):
    """The Finding for a batch, device arrays x and y, whose step made something that is not finite."""
    for what, array in (('inputs', x), ('answers', y)):
        if rows := _bad_rows(array):
            told = _list([str(row + 1) for row in rows])
            words = f'row {told} of the batch is' if len(rows) == 1 else f'rows {told} of the batch are'
            return Finding(COST, f'among the {what}, {words} not finite', tuple(rows), remedy=MEND)
    return spoilt(model) or _Walk(model).find(x, y)


class _Walk:
    """One step computed again, with a look at what every layer makes of what comes in, forward and back."""

    def __init__(self, model):
        self.model, self.words = model, places(model)
        # Members of a team have the same layers to go through, so the number of looks says who was first.
        self.looks, self.forward, self.backward = {}, {}, {}

    def find(self, x, y):
        model = self.model
        key = getattr(model, 'random_key', None)
        with contextlib.ExitStack() as stack:
            for name, own in (
                ('forward_layer', self._forward_layer),
                ('backprop_layer', self._backprop_layer),
                ('update_param', self._update_param),
                ('backprop_postproc', self._backprop_postproc),
                ('new_random_key', lambda honest: lambda: key),
                # Other processes would be looked at by nobody.
                ('shared_steps', lambda honest: None),
            ):
                stack.enter_context(_in_place_of(model, name, own))
            loss, output = model.compute_gradients(x, y)
        if self.forward:
            return Finding(COST, min(self.forward.values())[1])
        if not _is_finite(loss):
            return Finding(COST, self._cost(y, output))
        if self.backward:
            return Finding(GRADIENT, min(self.backward.values())[1])
        bad = [name for name, _, gradient in model.parameters.items() if not _is_finite(gradient)]
        return Finding(GRADIENT, f'that of {_list(bad)}' if bad else 'it was so only once: the same step is finite now')

    def _cost(self, y, output):
        extra, _ = self.model.forward_extra_cost(y)
        if not _is_finite(xp.asarray(extra)):
            return 'what weight decay adds to it, as the weights are too large'
        return f'it is too large for the float type, as the outputs reach {_largest(output):.1e}'

    def _look(self, found, array, words):
        """Note the first time that this member's numbers are not finite."""
        rank = member().rank
        self.looks[rank] = self.looks.get(rank, 0) + 1
        if array is not None and rank not in found and not _is_finite(array):
            found[rank] = self.looks[rank], words()

    def _forward_layer(self, honest):
        def forward_layer(x, hconfig, pm):
            y, aux = honest(x, hconfig, pm)

            def words():
                own = weights(pm)
                beside = f' and parameters up to {max(map(_largest, own)):.1e}' if own else ''
                told = self.words.get(id(pm), hconfig and hconfig.path)
                return f'{told} makes it so on the way forward, of inputs up to {_largest(x):.1e}{beside}'

            self._look(self.forward, y, words)
            return y, aux

        return forward_layer

    def _backprop_layer(self, honest):
        def backprop_layer(G_y, hconfig, pm, aux):
            G_x = honest(G_y, hconfig, pm, aux)
            self._look(self.backward, G_x, lambda: f'{self.words.get(id(pm))} makes it so on the way back, in its G_x')
            return G_x

        return backprop_layer

    def _update_param(self, honest):
        def update_param(pm, key, gradient):
            def words():
                slots = self.model.parameters.slots()
                name = next((slot.name for slot in slots if slot.pm is pm and slot.view is pm[key]), key)
                return f'{self.words.get(id(pm), "the cost")} makes it so on the way back, in that of {name}'

            self._look(self.backward, gradient, words)
            honest(pm, key, gradient)

        return update_param

    def _backprop_postproc(self, honest):
        def backprop_postproc(G_loss, aux):
            G_output = honest(G_loss, aux)
            self._look(self.backward, G_output, lambda: 'that of the cost by the outputs')
            return G_output

        return backprop_postproc


def places(model):
    """{id of a layer's pm: its path in words}, for all layers, with the turn of a loop; also for dicts inside a pm."""
    words = {}

    def visit(placed, turn):
        told = placed.layer.path + turn
        note(placed.pm, told)
        inside = parts(placed)
        for n, part in enumerate(inside, 1):
            visit(part, f'{turn} (turn {n})' if placed.layer.type == 'loop' else turn)

    def note(pm, told):
        words[id(pm)] = told
        for key, value in pm.items() if isinstance(pm, dict) else enumerate(pm):
            if isinstance(value, (dict, list)) and key != 'state':
                note(value, told)

    for placed in model.structure:
        visit(placed, '')
    return words


@contextlib.contextmanager
def _in_place_of(model, name, make):
    """Inside, model.name is make(what it was)."""
    own = vars(model).get(name)
    if not hasattr(model, name):
        yield
        return
    setattr(model, name, make(getattr(model, name)))
    try:
        yield
    finally:
        if own is None:
            delattr(model, name)
        else:
            setattr(model, name, own)


def _put_back(model, before):
    for array, values in zip(model.kept_arrays, before, strict=True):
        array[...] = values


def _in_training_data(dataset, finding, step, batch_size):
    """Which rows of the training data the rows of a batch are."""
    first = (step - 1) * batch_size
    numbers = [dataset.indices[first + row] for row in finding.rows if first + row < len(dataset.indices)]
    return f' (in the training data, counted from 0: {_list([str(number) for number in numbers])})' if numbers else ''


def _is_finite(array):
    return bool(xp.isfinite(array).all())


def _count(values):
    """How many numbers are not finite."""
    return f'{int((~xp.isfinite(values)).sum())} of {values.size} numbers'


def _largest(array):
    """The largest size of a finite number in an array."""
    sizes = xp.abs(array)
    return scalar(xp.where(xp.isfinite(sizes), sizes, 0).max())


def _list(words):
    """'a, b, c and 4 more'."""
    more = len(words) - NAMED
    return ', '.join(words[:NAMED]) + (f' and {more} more' if more > 0 else '')
