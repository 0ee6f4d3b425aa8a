"""Published weights of the classical networks: one safetensors file each, from public repositories of Hugging Face.

A safetensors file holds numbers and their names, and cannot run code when it is read. Such a repository keeps beside
its history a pointer of three lines (Git LFS) with the SHA-256 and the size of each large file. So the pointer is
brought first, then the file, which must be just that; where the checksum has been published elsewhere too, the two must
agree, so that a file that was exchanged is noticed. The file is kept as it was published.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from data.errors import DataError
from data.fetch import remove_empty
from data.fetch.download import bring
from data.fetch.sources import Download, Origin

HOME = 'https://huggingface.co'
FILE = 'model.safetensors'
_LONGEST_POINTER = 1000  # bytes; they have about 130


@dataclass(frozen=True)
class Published:
    """Where the weights of a network are.

    repository, path, revision: of Hugging Face, the revision a commit or 'main'; sha256: as projects that pin the file
    have published it, '' where none is known; network: its name in chapters.nets.catalogue; renamed: names of layers
    that differ, (there, in torchvision).
    """

    title: str
    repository: str
    revision: str = 'main'
    path: str = FILE
    sha256: str = ''
    licence: str = 'BSD 3-Clause (torchvision); trained on ImageNet, for research'
    renamed: tuple = ()
    network: str = ''

    def address(self, what, home):
        return f'{home}/{self.repository}/{what}/{self.revision}/{self.path}'


def _resnet(layers, revision='main', sha256=''):
    repository = f'timm/resnet{layers}.tv_in1k'
    return Published(f'ResNet-{layers}', repository, revision, sha256=sha256, network=f'resnet_{layers}')


WEIGHTS = {
    'alexnet': Published(
        'AlexNet (one-weird-trick form)',
        'lucid-dl/alexnet',
        path=f'IMAGENET1K_V1/{FILE}',
        sha256='6c5894a4d55819004bc0e787fc6195e14bb56d21276924fde3f2cd4f7aeab6a2',
        renamed=(('fc6', 'classifier.1'), ('fc7', 'classifier.4'), ('classifier', 'classifier.6')),
        network='alexnet_owt',
    ),
    'vgg16': Published(
        'VGG-16',
        'timm/vgg16.tv_in1k',
        'b8d8aa2dd860af9233c8c67385a8097fd6c35d3f',
        sha256='57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8',
        renamed=(
            ('pre_logits.fc1', 'classifier.0'),
            ('pre_logits.fc2', 'classifier.3'),
            ('head.fc', 'classifier.6'),
        ),
        network='vgg_16',
    ),
    'googlenet': Published(
        'GoogLeNet (with batch normalisation and both auxiliary heads)',
        'lucid-dl/googlenet',
        path=f'IMAGENET1K_V1/{FILE}',
        sha256='575008a21815fee0f9bdfd290add2bc1e63c6b8ec99550ccf2918bfa6a6064d7',
        renamed=(('classifier', 'fc'),),
        network='googlenet_bn',
    ),
    'inception_v3': Published(
        'Inception-v3 (without the auxiliary head)',
        'timm/inception_v3.tv_in1k',
        sha256='9c452c63a67fd03a38a78c401ba12d4be0e926df63c93403de3a29f6df20fefb',
        licence='Apache 2.0; trained on ImageNet, for research',
        network='inception_v3_bn',
    ),
    'resnet18': _resnet(
        18,
        'bbd144b3e5565108aad885f145491d11bc6ce807',
        '694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81',
    ),
    'resnet34': _resnet(
        34,
        '1b7b21cca82ff974d341713f777bf740c2db38c4',
        '0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235',
    ),
    'resnet50': _resnet(
        50,
        '78f3ecfdb38e06d9b8397f662e7ab8fee96026fa',
        '5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888',
    ),
    'resnet101': _resnet(101),
    'resnet152': _resnet(152),
}


def fetch_weights(name, target, *, replace=False, say=print, home=HOME, **options):
    """Bring weights/NAME/model.safetensors into the data folder `target`; a file that is there stays, unless `replace`.

    `options` go to download.bring (timeout, attempts, pause). Returns the path. DataError: the repository
    does not give the file, a pointer that is none, another checksum than published, no safetensors file, no room.
    """
    published, place = WEIGHTS[name], Path(target) / 'weights' / name / FILE
    if place.is_file() and not replace:
        say(f'{name}: {place} is there already; --replace fetches it again')
        return place
    page = f'{home}/{published.repository}'
    say(f'{name}: {published.title}. Licence: {published.licence}. Home: {page}')
    folder = Path(target) / '.downloads' / f'weights-{name}'
    options |= {'say': say, 'otherwise': f'Or fetch it with a browser from {page} and save it as {place}'}
    try:
        sha256, size = _pointer(name, published, home, folder, options)
        origin = Origin(published.address('resolve', home), f'sha256:{sha256}', size)
        path, _ = bring(Download(f'{name}.safetensors', (origin,)), folder, **options)
    finally:
        remove_empty(folder, folder.parent)
    tensors, numbers = contents(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
        remove_empty(folder, folder.parent)
    except OSError as error:
        raise DataError(
            f'cannot write {error.filename or place}: {error.strerror or error}. Make room or correct the permissions '
            f'and run the same command again, or name another folder with --into.'
        ) from error
    say(f'{name}: checksum as published; {tensors:,} tensors, {numbers:,} numbers in {place}')
    for there, torchvision in published.renamed:
        say(f'  note: {there} in this file is {torchvision} in torchvision')
    if published.network:
        say(f'  it is for the network {published.network}: python -m chapters classify --net {published.network}')
    return place


def _pointer(name, published, home, folder, options):
    """(sha256, size) that the repository notes for the file."""
    url = published.address('raw', home)
    path, _ = bring(Download(f'{name}.pointer', (Origin(url),)), folder, **options)
    text = path.read_bytes()[:_LONGEST_POINTER].decode('ascii', 'replace')
    path.unlink()
    found = re.fullmatch(r'version https://git-lfs\S+\noid sha256:([0-9a-f]{64})\nsize (\d+)\n', text)
    if not found:
        raise DataError(
            f'{name}: {url} is no Git LFS pointer (version, oid sha256, size): it begins with {text[:60]!r}.'
        )
    if published.sha256 not in ('', found[1]):
        raise DataError(
            f'{name}: the repository notes the sha256 {found[1]}, published is {published.sha256}: the file was '
            f'exchanged, and was not fetched. See {home}/{published.repository}.'
        )
    return found[1], int(found[2])


def contents(path):
    """(tensors, numbers in all) of a safetensors file, from its header. DataError where it is none."""
    try:
        with safe_open(path, framework='np') as file:
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118 (not a dict)
    except SafetensorError as problem:
        raise DataError(f'{path} is no sound safetensors file: {problem}. Delete it and fetch it again.') from None
    return len(shapes), sum(map(math.prod, shapes))
