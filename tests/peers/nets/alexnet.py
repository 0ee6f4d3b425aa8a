"""AlexNet: as one tower and as the two towers of Krizhevsky 2012, and as in Krizhevsky 2014 (torchvision's)."""

from torch import nn

from tests.peers.nets.blocks import flat_size, full_layers


def response_norm():
    """The paper multiplies the sum over 5 channels by 1e-4; PyTorch takes the mean, so it is told five times that."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def _krizhevsky_2012(classes, shape, groups):
    features = nn.Sequential(
        nn.Conv2d(shape[2], 96, 11, stride=4),
        nn.ReLU(),
        response_norm(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=groups),
        nn.ReLU(),
        response_norm(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
    )
    return nn.Sequential(features, full_layers(flat_size(features, shape), (4096, 4096), classes, 0.5))


def alexnet(classes, shape):
    """227x227x3, every kernel reads all channels: 62,378,344 parameters."""
    return _krizhevsky_2012(classes, shape, groups=1)


def alexnet_towers(classes, shape):
    """The second, fourth and fifth convolutions read the channels of their own tower: 60,965,224 parameters."""
    return _krizhevsky_2012(classes, shape, groups=2)


class AlexNetOwt(nn.Module):
    """224x224x3 -> 61,100,840 parameters; the names are torchvision's alexnet."""

    def __init__(self, classes, shape):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(shape[2], 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = full_layers(flat_size(self.features, shape), (4096, 4096), classes, 0.5)

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]."""
        return self.classifier(self.features(x).flatten(1))
