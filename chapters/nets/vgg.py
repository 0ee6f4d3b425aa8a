"""VGG-16 and VGG-19, from Simonyan and Zisserman 2014, "Very deep convolutional networks".

Two convolutions of 3x3 see as much as one of 5x5, with 18 weights instead of 25 and an activation function between
them. So every kernel is 3x3, and the network grows in depth; the channels double where the pictures' sides halve.

`vgg_19` is chapter 9's, in the book's form: without the dropout that `vgg_16` has after its full layers, as the paper.
"""

from chapters.nets.network import Network, alone
from chapters.nets.shorthand import conv, custom, dropout, full, loop, maximum, serial


def group(repeat, chn):
    """A group of so many convolutions with so many channels."""
    return custom('p24', {'#repeat': repeat, '#chn': chn})


MACROS = {
    # A group of convolutions, then sides halved: 2 or 4 layers and a pool.
    'p24': serial(loop('#repeat', conv(3, '#chn')), maximum(2, 2)),
    # 224x224x3 -> 1000: 13 convolutions and 3 full layers.
    'vgg_16': serial(
        group(2, 64),
        group(2, 128),
        group(3, 256),
        group(3, 512),
        group(3, 512),
        loop(2, serial(full(4096), dropout(0.5))),
    ),
    # 224x224x3 -> 1000: 16 convolutions and, with the output layer, 3 full layers make the 19.
    'vgg_19': serial(
        group(2, 64),
        group(2, 128),
        group(4, 256),
        group(4, 512),
        group(4, 512),
        loop(2, full(4096)),
    ),
}


def torchvision_names(*counts):
    """As torchvision calls the layers: their places in two lists. counts: of the convolutions in each group."""
    names, place = [], 0
    for count in counts:
        # Each convolution is followed by its activation, the last one of a group by a pool as well.
        names += [f'features.{place + 2 * n}' for n in range(count)]
        place += 2 * count + 1
    return alone(*names, 'classifier.0', 'classifier.3', 'classifier.6')


def keras_names(*counts):
    """As Keras calls the layers."""
    convs = [f'block{block}_conv{n + 1}' for block, count in enumerate(counts, 1) for n in range(count)]
    return alone(*convs, 'fc1', 'fc2', 'predictions')


def network(name, counts, parameters):
    """One of the paper's networks; counts: of the convolutions in each group."""
    return Network(
        name,
        year=2014,
        authors='Simonyan and Zisserman',
        paper='Very deep convolutional networks for large-scale image recognition',
        input_shape=(224, 224, 3),
        classes=1000,
        parameters=parameters,
        hconfigs=['custom', {'name': name}],
        layers=sum(counts) + 3,
        published=lambda: torchvision_names(*counts),
        keras=lambda: keras_names(*counts),
        prepare='imagenet',
        keras_prepare='vgg_caffe',
    )


NETWORKS = (
    network('vgg_16', (2, 2, 3, 3, 3), 138_357_544),
    network('vgg_19', (2, 2, 4, 4, 4), 143_667_240),
)
