"""Weights that others have published, put into a model of ours: `import_weights`.

An import is whole or does not happen: what the file lacks, and what it has and the model lacks, is an error. What
published weights look like stands in chapters/layouts.py, what is told of those that do not fit in
chapters/misfits.py.
"""

from dataclasses import dataclass
from pathlib import Path

from chapters.layouts import LAYOUTS, arranged, find_slots, index, look_of
from chapters.misfits import OTHER_NAMES, misfits, networks_called_so
from chapters.nets.catalogue import NETWORKS
from chapters.weightfiles import WeightsError, listed, opened, read_names
from chapters.weights import check_model, restart, write
from data import DummyDataset

# How many batches a library has seen: of no use to a model with a fixed exp_ratio.
COUNTER = 'num_batches_tracked'
# The names of the answers, where they lie beside the weights.
NAMES = 'synset_words.txt'


@dataclass(frozen=True)
class Report:
    """What an import did; print it for a table.

    rows: (ours, theirs, their shape) of every array; ours is its layer, with the number in the structure dump, and what
    it is for. kept: the same for arrays for which the published network has none. ignored: names of what was left out
    on purpose.
    """

    source: str
    model: str
    rows: tuple
    kept: tuple = ()
    ignored: tuple = ()

    def __str__(self):
        cells = [
            ('ours', 'theirs', 'their shape'),
            *((ours, theirs, str(list(shape))) for ours, theirs, shape in self.rows),
        ]
        first, second = (max(len(row[column]) for row in cells) for column in (0, 1))
        lines = [f'{ours:{first}}  {theirs:{second}}  {shape}' for ours, theirs, shape in cells]
        lines.append(f'{len(self.rows)} arrays of {self.source} are in {self.model}')
        lines += [f'kept as they were: {listed(self.kept)}'] if self.kept else []
        lines += [f'left out: {listed(self.ignored)}'] if self.ignored else []
        return '\n'.join(lines)


def import_weights(model, source, layout=None, names=None, ignore=()):
    """Put published weights into a model; returns a Report.

    source: the path of a .safetensors or .npz file, or a dict of arrays, of float16, float32 or float64. layout:
    'torchvision' or 'keras'; left out, what the words in the source look like. names: what the source calls the layers,
    a list of (name of the kernel and bias, name of the batch normalisation or None), one pair for each layer that has
    parameters, in the order of chapters.structure.layers; (None, None) for a layer that keeps its own. Left out, the
    names of the network in chapters.nets.catalogue that the model is called after, and `model.prepare` is then how that
    network's pictures are made ready; the names in the files that `python -m data fetch weights` brings are then known
    too. ignore: beginnings of names in the source that are to be left out. A full layer may be a convolution over the
    whole of its maps there.

    Where a file synset_words.txt lies beside the source, with as many lines as a DummyDataset has answers, these are
    the names of the answers.

    Every array must be there, in the right shape and finite, and none may be left over, but for what `ignore` names:
    otherwise a WeightsError says what does not fit, and the model is as it was. The optimiser starts anew: its running
    means were those of other numbers.
    """
    check_model(model)
    if layout not in (None, *LAYOUTS):
        raise WeightsError(f'the layout {layout!r} is not known: expected {" or ".join(map(repr, LAYOUTS))}')
    ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    with opened(source) as arrays:
        layout = layout or look_of(arrays.arrays)
        slots = find_slots(model, _names(model, layout, arrays) if names is None else list(names))
        places = index(arrays.arrays)
        words = LAYOUTS[layout]
        other = OTHER_NAMES.get(model.name, {}) if names is None else {}
        used = {
            slot: places.get((slot.prefix, words[slot.role])) or places.get((other.get(slot.prefix), words[slot.role]))
            for slot in slots
            if slot.prefix is not None
        }
        taken = set(used.values())
        rest = [name for name in arrays.arrays if name not in taken]
        ignored = [name for name in rest if name.endswith(COUNTER) or name.startswith(ignore)]
        over = [name for name in rest if name not in ignored]
        if problems := misfits(model, arrays, used, over, layout):
            raise WeightsError(
                f'{arrays.where} does not fit {model.name}, which is as it was:\n  ' + '\n  '.join(problems)
            )
        answers = _answers(model.dataset, source)
        values = {slot.name: arranged(arrays.read(name), slot, layout) for slot, name in used.items()}
        write(arrays.where, values, {slot.name: slot.array for slot in used})
        restart(model)
        rows = tuple((slot.ours, name, arrays.shape(name)) for slot, name in used.items())
    kept = tuple(slot.ours for slot in slots if slot.prefix is None)
    if names is None:
        network = NETWORKS[model.name]
        model.prepare = (network.keras_prepare if layout == 'keras' else None) or network.prepare
    if not kept:  # otherwise an output layer that has learned nothing yet would give these answers
        model.dataset.target_names = answers
    return Report(arrays.where, model.name, rows, kept, tuple(ignored))


def _answers(dataset, source):
    """The names of a dataset's answers; where it has none, those that lie beside the source, if there are as many."""
    beside = None if isinstance(source, dict) else Path(source).expanduser().with_name(NAMES)
    if beside and beside.is_file() and isinstance(dataset, DummyDataset) and dataset.target_names is None:
        names = read_names(beside)
        if (len(names),) == dataset.output_shape:
            return names
    return dataset.target_names


def _names(model, layout, arrays):
    """The catalogue's names of the network that a model is called after."""
    network = NETWORKS.get(model.name)
    if network is None:
        raise WeightsError(
            f'{model.name} is no network of the catalogue: say what the source calls its layers, '
            f"names=[('conv1', 'bn1'), ..., ('fc', None)]"
        )
    given = {'torchvision': network.published, 'keras': network.keras}
    if given[layout] is None:
        other = [repr(known) for known, function in given.items() if function is not None]
        hint = f'it knows layout={" and ".join(other)}' if other else 'give them, names=[...]'
        known = networks_called_so(arrays.arrays, layout)
        hint += f'; the names in {arrays.where} are those of {" or ".join(known)}' if known else ''
        raise WeightsError(f'the catalogue has no names of {model.name} in the layout {layout!r}: {hint}')
    return list(given[layout]())
