"""Chapter 9: VGG-19, from Simonyan and Zisserman 2014, "Very deep convolutional networks".

Two convolutions of 3x3 see as much as one of 5x5, with 18 weights instead of 25 and an activation function between
them. So every kernel is 3x3, and the network grows in depth; the channels double where the pictures' sides halve.
"""

from chapters.nets.shorthand import conv, custom, loop, maximum, serial


def group(repeat, chn):
    """A group of so many convolutions with so many channels."""
    return custom('p24', {'#repeat': repeat, '#chn': chn})


MACROS = {
    # A group of convolutions, then sides halved: 2 or 4 layers and a pool.
    'p24': serial(loop('#repeat', conv(3, '#chn')), maximum(2, 2)),
    # 224x224x3 -> 1000: 16 convolutions and, with the output layer, 3 full layers make the 19.
    'vgg_19': serial(
        group(2, 64),
        group(2, 128),
        group(4, 256),
        group(4, 512),
        group(4, 512),
        loop(2, ['full', {'width': 4096}]),
    ),
}
