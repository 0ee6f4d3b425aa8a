"""Photos of flowers, a folder a class (chapter 5)."""

import numpy as np

from data import cache, images, location, show
from data.augment import augmentation
from data.dataset import Dataset
from data.errors import DataError
from data.rows import ImageRows


class FlowersDataset(Dataset):
    """Which flower is on the photo: one of many. Files: flowers/<class>/*.jpg, classes in sorted order.

    resolution: [width, height] to which each photo is resized; input_shape: [-1] for height * width * 3 numbers in a
    row, or [height, width, 3]. augment: what changes training pictures at random, such as ['mirror', 'zoom'] (see
    data/augment.py). Inputs are 0..255, answers one-hot. image_shape is [height, width, 3], target_names are the class
    names. The book writes its square sizes into both lists without telling width from height; here the list for
    Pillow is [width, height] and the shape of an array [height, width, 3].
    """

    def __init__(self, resolution=(100, 100), input_shape=(-1,), augment=()):
        super().__init__('flowers', 'select')
        width, height = images.check_resolution(resolution)
        self.image_shape = [height, width, 3]
        shape = images.check_input_shape(input_shape, self.image_shape)
        self.kind = location.kind()
        root = location.folder('flowers')
        found = images.classes(root)
        self.target_names = list(found)
        pictures = cache.load('flowers', root, [file for files in found.values() for file in files], (width, height))
        self.digest, self.skipped = pictures.digest, pictures.skipped
        labels = kept_labels(root, {name: len(files) for name, files in found.items()}, pictures.kept)
        self.shuffle_data(ImageRows(pictures.pixels, pictures.kept, shape), one_hot(labels, len(found)))
        self.augment = picture_augmentation(augment, self)

    def visualize(self, xs, estimates, answers):
        """Show the photos; print `estimated distribution [...] => estimate rose : answer rose => O` for each."""
        guesses, truths = (show.chosen(choice, self.target_names) for choice in (estimates, answers))
        show.pictures(xs, self.image_shape, guesses, truths)
        show.print_select(estimates, answers, self.target_names)


def picture_augmentation(augment, dataset):
    """data.augment.augmentation for the training pictures of a data set. DataError where its inputs are flat rows."""
    augment = augment or ()
    if augment and len(dataset.input_shape) != 3:
        raise DataError(f'only pictures can be changed: with augment, input_shape must be {dataset.image_shape}')
    return augmentation(augment, dataset.tr_xs)


def kept_labels(root, counts, kept):
    """The class number of each kept file. counts: {class folder below root: its files}; kept: indices of files.

    Raises DataError where a class has no file left.
    """
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))[kept]
    for number, name in enumerate(counts):
        if number not in labels:
            raise DataError(
                f'{root / name}: none of its {counts[name]} pictures decodes. Fetch or unpack them again, '
                f'or delete the folder if it is no class.'
            )
    return labels


def one_hot(labels, count):
    """[n] class numbers as float32 [n, count] with a single 1 in each row."""
    return np.eye(count, dtype='float32')[labels]
