"""What is known about a network beside its layers: where it comes from, and how its published weights are called."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Network:
    """A network of the literature, as the catalogue lists it.

    name: of the network and of its macro. authors, paper, year: where it was published. input_shape: (h, w, c).
    classes: of the paper's outputs. parameters: how many numbers are learned, as its paper or today's libraries count
    them; None where neither gives all digits. hconfigs: its layers, plain data. options: for CnnNetModel. layers: how
    many the paper counts, or None. prepare: the name in data.pictures.PREPARE of how its pictures are made ready;
    keras_prepare: the same for weights of Keras' layout, where it is another.

    published, keras: functions that give the names of its weights in files of PyTorch's and of Keras' layout: a list of
    (name of the kernel and bias, name of the batch normalisation or None), one pair for each layer that has parameters,
    in the order of chapters.structure.layers. (None, None) stands for a layer that the files do not have. None in place
    of the function: there is no such file, or its layers are others.
    """

    name: str
    year: int
    authors: str
    paper: str
    input_shape: tuple
    classes: int
    parameters: int | None
    hconfigs: list
    options: dict = field(default_factory=dict)
    layers: int | None = None
    published: Callable | None = None
    keras: Callable | None = None
    prepare: str | None = None
    keras_prepare: str | None = None


def alone(*names):
    """Pairs of names for layers without a batch normalisation."""
    return [(name, None) for name in names]


def numbered(word, count):
    """'word', 'word_1', ...: how Keras calls layers of a kind to which their author gave no name."""
    return [word, *(f'{word}_{n}' for n in range(1, count))]
