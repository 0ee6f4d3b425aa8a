"""Networks of the catalogue with weights that others have published, as they lie in DATA_DIR or were fetched.

trunk = pretrained('squeezenet_features')     what a million photos taught, without the last layer
"""

from chapters.nets.catalogue import find, make
from chapters.published import import_weights
from data import location
from mathlib.errors import ConfigError

# {network: (folder under weights/, file)}; the folders are those of `python -m data fetch weights`, but for the last
# three, which are files that their authors publish on GitHub. AlexNet, VGG-16 and GoogLeNet need files with PyTorch's
# names: those that fetch brings have others for some layers (`renamed` in data/fetch/weights.py), and are refused.
FILES = {
    'alexnet_owt': ('alexnet', 'model.safetensors'),
    'vgg_16': ('vgg16', 'model.safetensors'),
    'googlenet_bn': ('googlenet', 'model.safetensors'),
    'inception_v3_bn': ('inception_v3', 'model.safetensors'),
    **{f'resnet_{depth}': (f'resnet{depth}', 'model.safetensors') for depth in (18, 34, 50, 101, 152)},
    'squeezenet': ('squeezenet10_imagenet', 'squeezenet_v1.0.npz'),
    'squeezenet_features': ('squeezenet10_imagenet', 'squeezenet_v1.0.npz'),
    'resnet_8': ('resnet8_cifar10_mlperf_tiny', 'resnet8.npz'),
}
# What of a file a network has no place for; and what a network must be told to be of the file's form.
LEFT_OUT = {'squeezenet_features': ('conv_final',)}
ARGS = {'inception_v3_bn': {'#rescale': True, '#outside': True}}


def pretrained(name):
    """A CnnNetModel of the catalogue, with the shapes of its paper and its published weights.

    Raises ConfigError for a network without such weights, DataError where they are not on this machine, and
    WeightsError for a file that does not fit.
    """
    find(name)
    if name not in FILES:
        raise ConfigError(f'{name}: no published weights are known here; they are for {", ".join(FILES)}')
    model = make(name, args=ARGS.get(name))
    import_weights(model, location.weights(*FILES[name]), ignore=LEFT_OUT.get(name, ()))
    return model
