"""Office objects in three domains: two choices at once (chapter 6)."""

import numpy as np

from data import cache, images, location, show
from data.dataset import Dataset
from data.errors import DataError, unknown
from data.flowers import kept_labels, one_hot, picture_augmentation
from data.labels import word
from data.rows import ImageRows
from mathlib.backend import xp

_SHARES = 8  # the book prints no more of a long distribution


class DualSelectDataset(Dataset):
    """A data set whose answer is two choices: the first `cnts[0]` columns are one, the rest the other.

    The loss is the sum of both losses, the accuracy a pair. All else is Dataset's 'select', done twice. A set whose
    mode is another one is a Dataset like any other.
    """

    def __init__(self, name, cnts):
        super().__init__(name, 'dual_select')
        self.cnts = list(cnts)

    def _halves(self, array):
        count = self.cnts[0]
        return array[:, :count], array[:, count:]

    def forward_postproc(self, output, y, mode=None):
        """The two losses added (0-d device array), and the aux of both. output, y: device arrays [n, k1 + k2]."""
        if (mode or self.mode) != 'dual_select':
            return super().forward_postproc(output, y, mode)
        pairs = zip(self._halves(output), self._halves(y), strict=True)
        (loss0, aux0), (loss1, aux1) = (
            super(DualSelectDataset, self).forward_postproc(*pair, 'select') for pair in pairs
        )
        return loss0 + loss1, (aux0, aux1)

    def backprop_postproc(self, G_loss, aux, mode=None):
        """G_output [n, k1 + k2]: the two gradients side by side, since each loss is added with weight 1."""
        if (mode or self.mode) != 'dual_select':
            return super().backprop_postproc(G_loss, aux, mode)
        grads = [super(DualSelectDataset, self).backprop_postproc(G_loss, half, 'select') for half in aux]
        return xp.concatenate(grads, axis=1)

    def eval_accuracy(self, x, y, output, mode=None):
        """The accuracies of both choices, a device array [2]."""
        if (mode or self.mode) != 'dual_select':
            return super().eval_accuracy(x, y, output, mode)
        pairs = zip(self._halves(y), self._halves(output), strict=True)
        return xp.stack([super(DualSelectDataset, self).eval_accuracy(x, *pair, 'select') for pair in pairs])

    def get_estimate(self, output, mode=None):
        """Two distributions side by side, a device array [n, k1 + k2]."""
        if (mode or self.mode) != 'dual_select':
            return super().get_estimate(output, mode)
        halves = [super(DualSelectDataset, self).get_estimate(half, 'select') for half in self._halves(output)]
        return xp.concatenate(halves, axis=1)

    def train_prt_result(self, epoch, costs, accs, acc, time1, time2):
        """Print an epoch's line. costs: one number a step; accs: a pair a step, [steps, 2]; acc: a pair."""
        if self.mode != 'dual_select':
            super().train_prt_result(epoch, costs, accs, acc, time1, time2)
            return
        first, second = np.mean(accs, axis=0)
        print(
            f'    Epoch {epoch}: cost={np.mean(costs):5.3f}, accuracy={first:5.3f}+{second:5.3f}/'
            f'{acc[0]:5.3f}+{acc[1]:5.3f} ({time1}/{time2} secs)'
        )

    def test_prt_result(self, name, acc, time):
        """Print the line of a test, and an empty line after it. acc: a pair."""
        if self.mode != 'dual_select':
            super().test_prt_result(name, acc, time)
            return
        print(f'Model {name} test report: accuracy = {acc[0]:5.3f}+{acc[1]:5.3f}, ({time} secs)\n')


class Office31Dataset(DualSelectDataset):
    """Which object is on the picture, and from where: office31/<domain>/images/<category>/*.jpg.

    3 domains (amazon, dslr, webcam) and 31 categories, in sorted order; the categories must be the same in every
    domain. resolution, input_shape and augment as in FlowersDataset. domains: a list of those to read; None: all.

    An answer is [domains + categories]: both one-hot, joined; cnts is [number of domains], target_names [domain names,
    category names]. With one domain there is one question: the mode is 'select', an answer [categories], target_names
    are the category names.
    """

    def __init__(self, resolution=(100, 100), input_shape=(-1,), augment=(), domains=None):
        width, height = images.check_resolution(resolution)
        self.image_shape = [height, width, 3]
        shape = images.check_input_shape(input_shape, self.image_shape)
        root = location.folder('office31')
        found = _domains(root, domains)
        super().__init__('office31', [len(found)])
        self.kind = location.kind()
        categories = _same_categories(root, found)
        files = [file for groups in found.values() for group in groups.values() for file in group]
        name = 'office31' if domains is None else '-'.join(['office31', *found])
        pictures = cache.load(name, root, files, (width, height))
        self.digest, self.skipped = pictures.digest, pictures.skipped
        counts = {
            f'{domain}/images/{category}': len(group) for domain in found for category, group in found[domain].items()
        }
        domain, category = np.divmod(kept_labels(root, counts, pictures.kept), len(categories))
        ys = one_hot(category, len(categories))
        if len(found) == 1:
            self.mode, self.target_names = 'select', categories
        else:
            self.target_names = [list(found), categories]
            ys = np.concatenate([one_hot(domain, len(found)), ys], axis=1)
        self.shuffle_data(ImageRows(pictures.pixels, pictures.kept, shape), ys)
        self.augment = picture_augmentation(augment, self)

    def visualize(self, xs, estimates, answers):
        """Show the pictures, and print the lines for the domains (where there are several), then for the objects."""
        if self.mode != 'dual_select':
            show.pictures(
                xs, self.image_shape, *(show.chosen(each, self.target_names) for each in (estimates, answers))
            )
            show.print_select(estimates, answers, self.target_names, _SHARES)
            return
        both = [self._halves(np.asarray(choice)) for choice in (estimates, answers)]
        guesses, truths = (
            ['\n'.join(names) for names in zip(*map(show.chosen, halves, self.target_names), strict=True)]
            for halves in both
        )
        show.pictures(xs, self.image_shape, guesses, truths)
        titles = (word('domain estimates'), word('object estimates'))
        for title, estimate, answer, names in zip(titles, *both, self.target_names, strict=True):
            print(f'[ {title} ]')
            show.print_select(estimate, answer, names, _SHARES)


def _domains(root, wanted):
    """{domain: {category: ImageFiles}} of the folders <domain>/images, in sorted order: of `wanted`, or all (None)."""
    folders = {place.name: place for place in images.subfolders(root)}
    if wanted is not None:
        if isinstance(wanted, str) or not len(wanted) or len(set(wanted)) < len(wanted):
            raise DataError(f'domains={wanted!r}: expected a list of different names out of {", ".join(folders)}.')
        for domain in wanted:
            if domain not in folders:
                raise DataError(f'domains={list(wanted)!r}: {unknown(domain, list(folders))} ({root})')
        folders = {name: place for name, place in folders.items() if name in wanted}
    without = [name for name, place in folders.items() if not (place / 'images').is_dir()]
    if without or (len(folders) < 2 and wanted is None):
        what = f'the folder {without[0]} has no folder images' if without else f'there are {len(folders)} folders'
        raise DataError(
            f'{root}: {what}; expected <domain>/images/<category>/*.jpg for each of the domains (amazon, dslr, '
            f'webcam). Check that the archive was unpacked at the right level.'
        )
    return {name: images.classes(place / 'images') for name, place in folders.items()}


def _same_categories(root, found):
    """The category names, which must be the same in every domain; DataError names the first difference."""
    (first, groups), *others = found.items()
    for domain, other in others:
        for one, two, here, there in ((first, domain, groups, other), (domain, first, other, groups)):
            lacking = [category for category in here if category not in there]
            if lacking:
                raise DataError(
                    f'{root}: {one}/images has the categories {", ".join(lacking)}, {two}/images has not. '
                    f'Every domain must have the same categories: fetch the missing ones or delete them everywhere.'
                )
    return list(groups)
