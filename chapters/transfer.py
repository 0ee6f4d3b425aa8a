"""Transfer learning (전이 학습): what one network has learned, handed on to another.

trunk = pretrained('squeezenet_features')         learned on a million photos
new = make('squeezenet_features', dataset)        the same network for one's own classes
copy_matching(trunk, new)                         all but the last layer
new.freeze(up_to=21)                              what is not to change
new.train(...)                                    train what is left

Where no layer of the trunk learns at all, what comes out of it is the same in every epoch: a FeatureDataset computes
it once, and a small model is trained on these features in seconds.
"""

import numpy as np

from chapters.ch10_cnn_net import CnnNetModel
from chapters.pretrained import pretrained
from chapters.progress import steps
from chapters.structure import layers
from chapters.training import check_rows
from data import Dataset, show
from data.pictures import prepare
from data.rows import subset
from mathlib import backend
from mathlib.backend import to_device, to_host
from mathlib.errors import ConfigError

ROWS_AT_ONCE = 20
# A few hundred features of few pictures are soon learned by heart.
HEAD_DECAY = 0.3


def norm_states(placed):
    """The states of the batch normalisations of a plain layer, with their moving averages."""
    pms = [placed.pm, placed.pm.get('bn', {})]
    return [pm['state'] for pm in pms if 'mavg' in pm.get('state', {})]


def copy_matching(source, target):
    """Copy parameters and moving averages, layer by layer in the order of the dump, up to the first that differs.

    source, target: models. A layer differs if it is of another type, or one of its arrays of another shape. Returns the
    paths of the layers of `target` that kept their own parameters. Raises ConfigError if nothing could be copied.
    """
    pairs = list(zip(layers(source.structure), layers(target.structure), strict=False))
    copied = 0
    for (_, ours), (_, theirs) in pairs:
        before, after = _arrays(ours), _arrays(theirs)
        if ours.layer.type != theirs.layer.type or [a.shape for a in before] != [a.shape for a in after]:
            break
        for array, place in zip(before, after, strict=True):
            place[...] = array
        copied += 1
    learned = [placed.layer.path for _, placed in layers(target.structure)[copied:] if _arrays(placed)]
    if not any(_arrays(placed) for _, placed in layers(target.structure)[:copied]):
        raise ConfigError(
            f'{target.name} has nothing in common with {source.name}: their first layers with parameters differ'
        )
    return learned


def _arrays(placed):
    """What a plain layer learns and keeps, in a fixed order."""
    pms = placed.pm, placed.pm.get('bn', {})
    arrays = [pm[key] for pm in pms for key in ('k', 'w', 'b', 'scale', 'shift') if key in pm]
    return arrays + [state[key] for state in norm_states(placed) for key in ('mavg', 'mvar')]


def features(model, x, prepare=None, progress=False):
    """What comes into the output layer of a model for inputs x [n, ...]: a host array [n, ...].

    prepare: a function from some rows of x to inputs [n, *input_shape] of the model, None where x has that shape.
    progress: whether to show a bar.
    """
    count = -(-len(x) // ROWS_AT_ONCE)
    parts = []
    with backend.quiet():
        for n in steps(count, 'features') if progress else range(count):
            start = n * ROWS_AT_ONCE
            rows = x[start : start + ROWS_AT_ONCE]
            hidden = to_device(rows if prepare is None else prepare(rows))
            check_rows(model, hidden)
            hidden = hidden.astype(backend.dtype, copy=False)
            for layer, pm in zip(model.layers, model.pm_hiddens, strict=True):
                hidden, _ = model.forward_layer(hidden, layer, pm)
            parts.append(to_host(hidden))
    return np.concatenate(parts)


class FeatureDataset(Dataset):
    """What a trained network makes of the pictures of another dataset, with the same answers and the same split.

    model: what comes into its output layer are the features. dataset: a dataset of pictures. prepare: a function from
    some of its pictures [n, h, w, 3], 0..255, to the model's inputs; left out, the pictures are the inputs.
    """

    def __init__(self, model, dataset, prepare=None, progress=True):
        super().__init__(f'{model.name} of {dataset.name}', dataset.mode)
        for known in ('target_names', 'digest', 'kind', 'skipped'):
            setattr(self, known, getattr(dataset, known))
        for group in ('tr', 'va', 'te'):
            xs = getattr(dataset, f'{group}_xs')
            setattr(self, f'{group}_xs', features(model, xs, prepare, progress))
            setattr(self, f'{group}_ys', getattr(dataset, f'{group}_ys'))
        self.input_shape, self.output_shape = self.tr_xs.shape[1:], dataset.output_shape


class PreparedPictures(Dataset):
    """The pictures of another dataset as a published network wants them: resized, their channels in its order.

    dataset: a dataset of pictures; what augments it is done first. how: a name of data.pictures.PREPARE. A picture is
    made ready each time that it is drawn.
    """

    def __init__(self, dataset, how):
        super().__init__(dataset.name, dataset.mode)
        for known in ('target_names', 'digest', 'kind', 'skipped', 'output_shape'):
            setattr(self, known, getattr(dataset, known))
        for group in ('tr', 'va', 'te'):
            augment = dataset.augment if group == 'tr' else None
            setattr(self, f'{group}_xs', PreparedRows(getattr(dataset, f'{group}_xs'), how, augment))
            setattr(self, f'{group}_ys', getattr(dataset, f'{group}_ys'))
        self.input_shape = self.tr_xs.shape[1:]

    def visualize(self, xs, estimates, answers):
        """Print the distributions; the numbers of prepared pictures are no colours any more."""
        show.print_select(estimates, answers, self.target_names)


class PreparedRows:
    """Pictures that are made ready when they are drawn: rows[index] is a float32 array [n, h, w, 3].

    rows: pictures 0..255. how: a name of data.pictures.PREPARE. augment: a function of pictures, or None.
    """

    def __init__(self, rows, how, augment=None):
        self.rows, self.how, self.augment = rows, how, augment
        self.shape = (len(rows), *self[:1].shape[1:])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        pictures = self.rows[index]
        if self.augment is not None:
            pictures = self.augment(pictures)
        return prepare(self.how, pictures.astype(np.uint8))


def keep_per_class(dataset, count):
    """Leave a dataset with one answer out of many so many training pictures of each class, the first ones drawn.

    Raises ConfigError for a class that has fewer. Returns the dataset.
    """
    answers = dataset.tr_ys.argmax(axis=1)
    places = [np.flatnonzero(answers == answer)[:count] for answer in range(dataset.tr_ys.shape[1])]
    for name, found in zip(dataset.answer_names(), places, strict=True):
        if len(found) < count:
            raise ConfigError(f'{dataset.name}: {count} training pictures a class asked for, {name} has {len(found)}')
    kept = np.sort(np.concatenate(places))
    dataset.tr_xs, dataset.tr_ys = subset(dataset.tr_xs, kept), dataset.tr_ys[kept]
    return dataset


class FineTunedModel(CnnNetModel):
    """A network that begins with what another one has learned, as far as their layers are alike.

    name, dataset, hconfigs, options: as for CnnNetModel. start: a network with published weights, see
    chapters.pretrained, whose layers but the last one are the first of hconfigs. up_to: the layers up to this one are
    frozen; 0 for none. head_epochs: for how long the layers behind those of `start` are trained alone before, on
    features; for as long as they know nothing, what they hand back would only disturb the others. 0 for not at all.
    """

    def __init__(self, name, dataset, hconfigs, *, start, up_to=0, head_epochs=0, **options):
        super().__init__(name, dataset, hconfigs, **options)
        self.start, self.up_to, self.head_epochs = start, up_to, head_epochs
        trunk = pretrained(start)
        copy_matching(trunk, self)
        if head_epochs:
            self.train_head(trunk, hconfigs[1:], head_epochs)
        self.freeze(up_to)

    def train_head(self, trunk, hconfigs, epochs):
        """Train the layers behind the trunk on what comes out of it, at the settings that a head is trained at."""
        head = CnnNetModel(f'{self.name} head', FeatureDataset(trunk, self.dataset), hconfigs, l2_decay=HEAD_DECAY)
        head.schedule = 'cosine'
        head.train(epochs)
        for own, trained in zip(self.structure[-len(head.structure) :], head.structure, strict=True):
            for place, array in zip(_arrays(own), _arrays(trained), strict=True):
                place[...] = array
