"""LeNet-5 (LeCun 1998) and the LeNet of Keras' examples."""

from torch import nn

from tests.peers.nets.blocks import flat_size


def lenet_5(classes, shape):
    """32x32x1: all maps of C3 read all of S2, averages without weights, tanh; 61,706 parameters for 10 classes."""
    features = nn.Sequential(
        nn.Conv2d(shape[2], 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
    )
    return nn.Sequential(
        features,
        nn.Linear(flat_size(features, shape), 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, classes),
    )


def lenet_keras(classes, shape):
    """28x28x1: 431,080 parameters for 10 classes."""
    features = nn.Sequential(
        nn.Conv2d(shape[2], 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    return nn.Sequential(features, nn.Linear(flat_size(features, shape), 500), nn.ReLU(), nn.Linear(500, classes))
