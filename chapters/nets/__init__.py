"""The networks of chapter 9 as macros of CnnExtModel; importing this package registers them all.

=========  =======================================================
inception  inception_v3, inception_flower: branches side by side
vgg        vgg_19: small kernels, many of them, one after the other
residual   plain_34, residual_34, bottleneck_152 and plain_flower,
           residual_flower, bottleneck_flower: sums with shortcuts
=========  =======================================================

A macro is plain data: a configuration in which words such as '#act' stand for arguments. MACROS is
{name: configuration} of all the networks and of the blocks that they are made of. A network is used by its name, alone
or within a larger one: ['custom', {'name': 'residual_34', 'args': {'#act': 'LA'}}]. vgg_19 and inception_v3 take no
arguments, the others take '#act', the actions of their convolutions.
"""

from chapters.ch09_cnn_ext import CnnExtModel
from chapters.nets import inception, residual, vgg

MACROS = inception.MACROS | vgg.MACROS | residual.MACROS

for name, config in MACROS.items():
    CnnExtModel.set_macro(name, config)
