"""All networks of the catalogue in PyTorch: TWINS[name](classes, shape) -> nn.Module, for pictures of shape (h, w, c).

They are written from the papers and from what torchvision, Keras and the authors' own files hold, not from the book's
configurations. A module maps x [n, c, h, w] to logits [n, classes]; in training one with side heads gives a tuple,
the main logits first.
"""

from functools import partial

import torch
from torch import nn

from tests.peers.nets import alexnet, googlenet, inception_resnet, inception_v3, lenet, nin, preact, resnet, squeezenet
from tests.peers.nets.inception_v4 import inception_v4
from tests.peers.nets.vgg import Vgg

TWINS = {
    'lenet_5': lenet.lenet_5,
    'lenet_keras': lenet.lenet_keras,
    'alexnet': alexnet.alexnet,
    'alexnet_towers': alexnet.alexnet_towers,
    'alexnet_owt': alexnet.AlexNetOwt,
    'vgg_16': partial(Vgg, layers=16),
    'vgg_19': partial(Vgg, layers=19),
    'nin': nin.nin,
    'nin_cifar': nin.nin_cifar,
    'googlenet': partial(googlenet.GoogLeNet, normalised=False),
    'googlenet_bn': partial(googlenet.GoogLeNet, normalised=True),
    'inception_v2': inception_v3.inception_v2,
    'inception_v3_bn': inception_v3.inception_v3,
    'inception_v3_auxiliary': partial(inception_v3.inception_v3, scale=True, side_head=True, outside=True),
    'inception_v4': inception_v4,
    'inception_resnet_v1': inception_resnet.inception_resnet_v1,
    'inception_resnet_v2': inception_resnet.inception_resnet_v2,
    **{f'resnet_{layers}': partial(resnet.ResNet, layers=layers) for layers in resnet.BLOCKS},
    **{f'resnet_{layers}_paper': partial(resnet.ResNet, layers=layers, paper=True) for layers in (50, 101, 152)},
    **{f'resnet_{layers}': partial(resnet.cifar_resnet, layers=layers) for layers in (20, 32, 44, 56, 110)},
    **{
        f'preact_resnet_{layers}': partial(preact.preact_resnet, layers=layers, bottleneck=layers in (164, 1001))
        for layers in (20, 56, 110, 164, 1001)
    },
    'squeezenet': squeezenet.SqueezeNet,
    'squeezenet_features': partial(squeezenet.SqueezeNet, features=True),
    'resnet_8': resnet.ResNet8,
}


def twin(name, classes, shape, device='cpu'):
    """The network of that name, which drops nothing out; on the device 'meta' without any values."""
    with torch.device(device):
        module = TWINS[name](classes, shape)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module


def learned(module):
    """How many numbers a module learns."""
    return sum(values.numel() for values in module.parameters() if values.requires_grad)
