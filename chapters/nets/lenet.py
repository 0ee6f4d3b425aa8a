"""LeNet, from LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition".

Convolutions find strokes wherever they stand, pooling makes the maps smaller, full layers decide. In LeNet-5 each map
of the second convolution reads all six maps before it (the paper leaves some of these connections out), a pool is a
plain average (the paper's has a weight and a bias), and the output layer is linear. `lenet_keras` is the form that many
tutorials train: more channels, max pooling and ReLU.
"""

from chapters.nets.network import Network
from chapters.nets.shorthand import average, conv, full, maximum, serial

MACROS = {
    # 32x32x1 -> 10.
    'lenet_5': serial(
        conv(5, 6, padding=0, actfunc='tanh'),
        average(2, 2, padding=0),
        conv(5, 16, padding=0, actfunc='tanh'),
        average(2, 2, padding=0),
        full(120, actfunc='tanh'),
        full(84, actfunc='tanh'),
    ),
    # 28x28x1 -> 10.
    'lenet_keras': serial(
        conv(5, 20, padding=0),
        maximum(2, 2, padding=0),
        conv(5, 50, padding=0),
        maximum(2, 2, padding=0),
        full(500),
    ),
}

SOURCE = {
    'year': 1998,
    'authors': 'LeCun, Bottou, Bengio and Haffner',
    'paper': 'Gradient-based learning applied to document recognition',
    'classes': 10,
}

NETWORKS = (
    Network(
        'lenet_5',
        **SOURCE,
        input_shape=(32, 32, 1),
        parameters=61_706,
        hconfigs=['custom', {'name': 'lenet_5'}],
        options={'weight_init': 'glorot'},
        layers=7,
    ),
    Network(
        'lenet_keras',
        **SOURCE,
        input_shape=(28, 28, 1),
        parameters=431_080,
        hconfigs=['custom', {'name': 'lenet_keras'}],
    ),
)
