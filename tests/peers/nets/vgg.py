"""VGG-16 and VGG-19 (Simonyan and Zisserman 2014), with torchvision's names."""

from torch import nn

from tests.peers.nets.blocks import flat_size

CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class Vgg(nn.Module):
    """224x224x3 -> 138,357,544 parameters with 16 layers, 143,667,240 with 19."""

    def __init__(self, classes, shape, layers):
        super().__init__()
        features, channels = [], shape[2]
        for count, width in zip(CONVOLUTIONS[layers], (64, 128, 256, 512, 512), strict=True):
            for _ in range(count):
                features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            features.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*features)
        # Here torchvision's dropout stands after the activation.
        self.classifier = nn.Sequential(
            nn.Linear(flat_size(self.features, shape), 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        """x [n, c, h, w] -> logits [n, classes]."""
        return self.classifier(self.features(x).flatten(1))
