"""Where the real data sets live on the internet: addresses, sizes, published checksums, licences.

Each download names its origins in the order in which they are tried. The checksums are the ones that others have
published for these files: TensorFlow Datasets (flowers, MNIST, abalone), torchvision (MNIST), DeepMind's Nevis'22
and pytorch-adapt (Office-31), UCI's zip files as recorded by several projects that pin them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """One address of a file. `digest` is 'sha256:...' or 'md5:...' as published, or '' where none is."""

    url: str
    digest: str = ''
    size: int | None = None


@dataclass(frozen=True)
class Download:
    """One file to bring: the name under which it is kept, and its origins."""

    name: str
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class Source:
    """A data set's downloads. `place` is what they become in the data folder, `items` how many images or rows it
    then holds."""

    title: str
    home: str
    licence: str
    place: str
    items: int
    downloads: tuple[Download, ...]


def _mnist(name, sha256, size):
    homes = ('https://ossci-datasets.s3.amazonaws.com/mnist/', 'https://storage.googleapis.com/cvdf-datasets/mnist/')
    return Download(name, tuple(Origin(home + name, f'sha256:{sha256}', size) for home in homes))


_FLOWERS = 'sha256:4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c'
_UCI = 'https://archive.ics.uci.edu/'

SOURCES = {
    'flowers': Source(
        title='TensorFlow flower photos, five kinds',
        home='https://www.tensorflow.org/datasets/catalog/tf_flowers',
        licence='CC BY 2.0; the photographers are named in the LICENSE.txt that is kept with the images',
        place='flowers',
        items=3670,
        downloads=(
            Download(
                'flower_photos.tgz',
                (
                    Origin(
                        'https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz',
                        _FLOWERS,
                        228_813_984,
                    ),
                    Origin('https://download.tensorflow.org/example_images/flower_photos.tgz', _FLOWERS, 228_813_984),
                ),
            ),
        ),
    ),
    'office31': Source(
        title='Office-31: 31 office objects in three domains',
        home='https://faculty.cc.gatech.edu/~judy/domainadapt/',
        licence='no licence stated; published for research (Saenko, Kulis, Fritz, Darrell, ECCV 2010)',
        place='office31',
        items=4110,
        downloads=(
            Download(
                'domain_adaptation_images.tar.gz',
                (
                    Origin(
                        'https://drive.google.com/uc?id=0B4IapRTv9pJ1WGZVd1VDMmhwdlE&export=download&confirm=y'
                        '&resourcekey=0-gNMHVtZfRAyO_t2_WrOunA',
                        'md5:1b536d114869a5a8aa4580b89e9758fb',
                    ),
                    Origin(
                        'https://cornell.box.com/shared/static/3v2ftdkdhpz1lbbr4uhu0135w7m79p7q',
                        'md5:89818e596f3cdda1d56da0f077435faa',
                    ),
                ),
            ),
        ),
    ),
    'mnist': Source(
        title='MNIST handwritten digits',
        home='http://yann.lecun.com/exdb/mnist/',
        licence='CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)',
        place='mnist',
        items=70_000,
        downloads=(
            _mnist(
                'train-images-idx3-ubyte.gz',
                '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
                9_912_422,
            ),
            _mnist(
                'train-labels-idx1-ubyte.gz', '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c', 28_881
            ),
            _mnist(
                't10k-images-idx3-ubyte.gz',
                '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
                1_648_877,
            ),
            _mnist(
                't10k-labels-idx1-ubyte.gz', 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6', 4_542
            ),
        ),
    ),
    'abalone': Source(
        title='abalone: age from measurements',
        home='https://archive.ics.uci.edu/dataset/1/abalone',
        licence='CC BY 4.0 (Nash and others, UCI, doi 10.24432/C55C7W)',
        place='tabular/abalone.csv',
        items=4177,
        downloads=(
            Download(
                'abalone.zip',
                (
                    Origin(
                        f'{_UCI}static/public/1/abalone.zip',
                        'sha256:755a6a67c5b266961a3f149ea13be2cfb6e6c727e48cee3c83bc0b4526210ee4',
                    ),
                    Origin(
                        f'{_UCI}ml/machine-learning-databases/abalone/abalone.data',
                        'sha256:de37cdcdcaaa50c309d514f248f7c2302a5f1f88c168905eba23fe2fbc78449f',
                        191_873,
                    ),
                ),
            ),
        ),
    ),
    'pulsar': Source(
        title='HTRU2: pulsar candidates (the pulsar_stars.csv of Kaggle)',
        home='https://archive.ics.uci.edu/dataset/372/htru2',
        licence='CC BY 4.0 (Lyon, UCI, doi 10.24432/C5DK6R)',
        place='tabular/pulsar_stars.csv',
        items=17_898,
        downloads=(
            Download(
                'htru2.zip',
                tuple(
                    Origin(
                        _UCI + path,
                        'sha256:ba442c076dd22a8952700f26e38499fc1806037dcf7bea0e125e6bfba393f379',
                    )
                    for path in ('static/public/372/htru2.zip', 'ml/machine-learning-databases/00372/HTRU2.zip')
                ),
            ),
        ),
    ),
    'steel': Source(
        title='faults of steel plates (the faults.csv of Kaggle)',
        home='https://archive.ics.uci.edu/dataset/198/steel+plates+faults',
        licence='CC BY 4.0 (Buscema, Terzi, Tastle, UCI, doi 10.24432/C5J88N)',
        place='tabular/faults.csv',
        items=1941,
        downloads=(
            Download(
                'steel_plates_faults.zip',
                tuple(
                    Origin(
                        url,
                        'sha256:cb8eb9859198b63f053e443513036b401746fa517ef58bd17c846c6741c93919',
                        100_890,
                    )
                    for url in (
                        f'{_UCI}static/public/198/steel+plates+faults.zip',
                        'https://cdn.uci-ics-mlr-prod.aws.uci.edu/198/steel%2Bplates%2Bfaults.zip',
                    )
                ),
            ),
        ),
    ),
}

GROUPS = {'tabular': ('abalone', 'pulsar', 'steel')}
NAMES = ('flowers', 'office31', 'mnist', 'tabular', *GROUPS['tabular'])
