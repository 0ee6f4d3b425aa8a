"""The networks as macros of CnnExtModel; importing this package registers them all.

The book's, of chapter 9:

=========  =======================================================
inception  inception_v3, inception_flower: branches side by side
vgg        vgg_19: small kernels, many of them, one after the other
residual   plain_34, residual_34, bottleneck_152 and plain_flower,
           residual_flower, bottleneck_flower: sums with shortcuts
=========  =======================================================

The classical ones as their papers have them, for the CnnNetModel of chapter 10: lenet, alexnet, vgg, nin, googlenet,
inception_bn, inception_v4, inception_resnet, resnet, preact, squeezenet. The `catalogue` lists these with their sources
and makes models of them.

A macro is plain data: a configuration in which words such as '#act' stand for arguments. MACROS is
{name: configuration} of all the networks and of the blocks that they are made of. A network is used by its name, alone
or within a larger one: ['custom', {'name': 'residual_34', 'args': {'#act': 'LAB'}}]. vgg_19 and inception_v3 take no
arguments, the others of chapter 9 take '#act', the actions of their convolutions.
"""

from chapters.ch09_cnn_ext import CnnExtModel
from chapters.nets import (
    alexnet,
    googlenet,
    inception,
    inception_bn,
    inception_resnet,
    inception_v4,
    lenet,
    nin,
    preact,
    residual,
    resnet,
    squeezenet,
    vgg,
)

BOOK = (inception, vgg, residual)
CLASSICAL = (
    lenet,
    alexnet,
    vgg,
    nin,
    squeezenet,
    googlenet,
    inception_bn,
    inception_v4,
    inception_resnet,
    resnet,
    preact,
)

MACROS = {}
for family in dict.fromkeys((*BOOK, *CLASSICAL)):
    MACROS |= family.MACROS

for name, config in MACROS.items():
    CnnExtModel.set_macro(name, config)
CnnExtModel.reserved = tuple(MACROS)
