"""The classical networks (chapters 11 to 13): where each comes from, and a model of it.

from chapters.nets.catalogue import NETWORKS, make

model = make('resnet_18')                         # as in its paper: 224x224x3 -> 1000
model = make('resnet_18', dataset)                # for a dataset's pictures and classes
model = make('inception_v3_bn', args={'#rescale': True}, label_smoothing=0.1)
"""

import inspect
import math

from chapters import nets
from chapters.ch10_cnn_net import CnnNetModel
from chapters.config import positive_int
from chapters.nets.network import Network
from data import DummyDataset
from mathlib.choices import nearest
from mathlib.errors import ConfigError

__all__ = ['NETWORKS', 'Network', 'find', 'hconfigs_of', 'make']

# By name, in the order of the chapters.
NETWORKS = {network.name: network for family in nets.CLASSICAL for network in family.NETWORKS}


def find(name):
    """The Network of that name. Raises ConfigError, with the nearest name, for one that is not in the catalogue."""
    if name not in NETWORKS:
        near = nearest(name, NETWORKS)
        hint = f'; did you mean {near!r}?' if near else ';'
        raise ConfigError(f'there is no network {name!r} in the catalogue{hint} known: {", ".join(NETWORKS)}')
    return NETWORKS[name]


def hconfigs_of(network, classes, args=None):
    """A network's layers for so many classes. args: {'#name': value} to use in place of some of its own."""
    kind, options = network.hconfigs
    own = {**options.get('args', {}), **(args or {})}
    if '#classes' in own:
        own['#classes'] = classes
    return [kind, {**options, 'args': own}]


def make(name, dataset=None, classes=None, args=None, **options):
    """A CnnNetModel of a network in the catalogue.

    dataset: what it is to learn; left out, a DummyDataset of the shapes in its paper, which is enough to build it, load
    weights and classify pictures. classes: of the DummyDataset, where they are not the paper's. args: arguments of the
    network's macro in place of its own, such as {'#rescale': True}. options: of CnnNetModel, in place of the network's.
    Raises ConfigError for a name or an option that is not known, and for what does not fit.
    """
    network = find(name)
    known = list(inspect.signature(CnnNetModel).parameters)[3:]
    if strange := [option for option in options if option not in known]:
        near = nearest(strange[0], known)
        hint = f'; did you mean {near!r}?' if near else f': expected {", ".join(known)}'
        raise ConfigError(f'{name}: there is no option {strange[0]!r}{hint}')
    if dataset is None:
        try:
            classes = positive_int(network.classes if classes is None else classes)
        except ValueError as problem:
            raise ConfigError(f'{name}: classes is {classes!r}: {problem}') from None
        dataset = DummyDataset(f'{name} shapes', 'select', network.input_shape, [classes])
    outputs = math.prod(dataset.output_shape)
    if classes is not None and classes != outputs:
        raise ConfigError(f'{name}: classes is {classes}, but the dataset {dataset.name} has {outputs}: leave one out')
    return CnnNetModel(name, dataset, hconfigs_of(network, outputs, args), **{**network.options, **options})
