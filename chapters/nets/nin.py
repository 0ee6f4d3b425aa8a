"""Network in network, from Lin, Chen and Yan 2013.

After each convolution stand two of 1x1: a small network of full layers that looks at every pixel. The last one makes
one map for each class, and the mean of that map is the class's output, so there is no full layer at all. The layers are
those of the files that the authors published with the paper, which itself gives only their kind.
"""

from chapters.nets.network import Network, alone
from chapters.nets.shorthand import average, conv, dropout, global_average, maximum, padded, serial


def layers_in_layer(first, *widths):
    """A convolution and two of 1x1 behind it."""
    return [first, *(conv(1, width, padding=0) for width in widths)]


MACROS = {
    # 224x224x3 -> #classes.
    'nin': serial(
        *layers_in_layer(conv(11, 96, stride=4, padding=0), 96, 96),
        maximum(3, 2, padding=0, ceil=True),
        *layers_in_layer(padded(5, 256), 256, 256),
        maximum(3, 2, padding=0, ceil=True),
        *layers_in_layer(padded(3, 384), 384, 384),
        maximum(3, 2, padding=0, ceil=True),
        dropout(0.5),
        *layers_in_layer(padded(3, 1024), 1024, '#classes'),
        global_average(),
    ),
    # 32x32x3 -> #classes.
    'nin_cifar': serial(
        *layers_in_layer(padded(5, 192), 160, 96),
        maximum(3, 2, padding=0, ceil=True),
        dropout(0.5),
        *layers_in_layer(padded(5, 192), 192, 192),
        average(3, 2, padding=0, ceil=True),
        dropout(0.5),
        *layers_in_layer(padded(3, 192), 192, '#classes'),
        global_average(),
    ),
}


def caffe_names(last):
    """As the authors' files call the layers; last: what their last three have behind their names."""
    names = ['conv1', 'cccp1', 'cccp2', 'conv2', 'cccp3', 'cccp4', 'conv3', 'cccp5', 'cccp6']
    return alone(*names, *(f'{name}-1024' for name in last))


SOURCE = {'year': 2013, 'authors': 'Lin, Chen and Yan', 'paper': 'Network in network', 'options': {'head': 'none'}}

NETWORKS = (
    # conv 34,944 + 614,656 + 885,120 + 3,539,968; 1x1 2 x 9,312 + 2 x 65,792 + 2 x 147,840 + 1,049,600 + 1,025,000. The
    # authors' file of them has 29 MB.
    Network(
        'nin',
        **SOURCE,
        input_shape=(224, 224, 3),
        classes=1000,
        parameters=7_595_176,
        hconfigs=['custom', {'name': 'nin', 'args': {'#classes': 1000}}],
        published=lambda: caffe_names(['conv4', 'cccp7', 'cccp8']),
    ),
    # conv 14,592 + 460,992 + 331,968; 1x1 30,880 + 15,456 + 3 x 37,056 + 1,930.
    Network(
        'nin_cifar',
        **SOURCE,
        input_shape=(32, 32, 3),
        classes=10,
        parameters=966_986,
        hconfigs=['custom', {'name': 'nin_cifar', 'args': {'#classes': 10}}],
        published=lambda: caffe_names([]),
    ),
)
