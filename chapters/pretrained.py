"""Networks of the catalogue with weights that others have published, as they lie in DATA_DIR or were fetched.

trunk = pretrained('squeezenet_features')     what a million photos taught, without the last layer
"""

from chapters.nets.catalogue import find, make
from chapters.published import import_weights
from data import location
from data.fetch.weights import FILE, WEIGHTS
from mathlib.errors import ConfigError

# {network: (folder under weights/, file)}: what `python -m data fetch weights` brings, and three files that their
# authors publish on GitHub.
FILES = {
    **{published.network: (folder, FILE) for folder, published in WEIGHTS.items()},
    'squeezenet': ('squeezenet10_imagenet', 'squeezenet_v1.0.npz'),
    'squeezenet_features': ('squeezenet10_imagenet', 'squeezenet_v1.0.npz'),
    'resnet_8': ('resnet8_cifar10_mlperf_tiny', 'resnet8.npz'),
}
# What of a file a network has no place for; and what a network must be told to be of the file's form.
LEFT_OUT = {'squeezenet_features': ('conv_final',)}
ARGS = {'inception_v3_bn': {'#rescale': True, '#outside': True}}


def pretrained(name):
    """A CnnNetModel of the catalogue, with the shapes of its paper and its published weights.

    Its attribute `prepare` says how its pictures are made ready, see data.pictures.
    Raises ConfigError for a network without such weights, DataError where they are not on this machine, and
    WeightsError for a file that does not fit.
    """
    find(name)
    if name not in FILES:
        raise ConfigError(f'{name}: no published weights are known here; they are for {", ".join(FILES)}')
    model = make(name, args=ARGS.get(name))
    import_weights(model, location.weights(*FILES[name]), ignore=LEFT_OUT.get(name, ()))
    return model
