"""Readers of weights, our own and published ones, and of the records of runs."""

import contextlib
import io
import json
import zipfile

import numpy as np
from safetensors.numpy import save

from chapters import report, runs, weights
from chapters.ch10_cnn_net import CnnNetModel
from chapters.description import read_description, to_json
from chapters.nets.catalogue import make
from chapters.published import import_weights
from chapters.weightfiles import WeightsError, opened
from data import DataError, DummyDataset
from data.fetch.weights import contents
from mathlib import rng, settings
from mathlib.backend import to_host
from tests.fuzz import mutations as spoil

LAYERS = [['conv', {'ksize': 3, 'chn': 2, 'actions': 'LBA'}], ['max', {'stride': 2}], ['full', {'width': 3}]]
NAMES = [('conv1', 'bn1'), ('fc1', None), ('fc2', None)]
RESNET = 'resnet8.npz'


def model():
    return CnnNetModel('fuzzed', DummyDataset('shapes', 'select', [6, 6, 3], [4]), LAYERS)


def saved_seeds(root):
    rng.seed(1)
    place = settings.BUILD / 'seed.safetensors'
    place.parent.mkdir(parents=True, exist_ok=True)
    weights.save(model(), place)
    return {'model.safetensors': place.read_bytes()}


def spoil_header(content, random):
    """A value of the header of a safetensors file changed, and its length made to fit."""
    size = int.from_bytes(content[:8], 'little')
    header = spoil.in_json(content[8 : 8 + size], random)
    return len(header).to_bytes(8, 'little') + header + content[8 + size :]


def spoil_description(content, random):
    """What a file says of its model changed, and its digest made to fit: as somebody would who means harm."""
    size = int.from_bytes(content[:8], 'little')
    header = json.loads(content[8 : 8 + size])
    place = settings.BUILD / 'sound.safetensors'
    place.write_bytes(content)
    with opened(place) as sound:
        arrays = {name: sound.read(name) for name in sound.arrays}
    described = json.loads(spoil.in_json(header['__metadata__'][weights.KEY].encode(), random))
    with contextlib.suppress(WeightsError, ValueError, AttributeError, UnicodeEncodeError):
        described.pop('sha256', None)
        described['sha256'] = weights.digest(read_description('x', to_json(described)), arrays)
    header['__metadata__'][weights.KEY] = json.dumps(described)
    header = json.dumps(header).encode('utf-8', 'surrogatepass')
    return len(header).to_bytes(8, 'little') + header + content[8 + size :]


def read_weights(case):
    standing = model()
    before = arrays_of(standing)
    try:
        weights.load_weights(standing, case.path)
    except WeightsError:
        assert all(np.array_equal(array, before[name]) for name, array in arrays_of(standing).items())
    loaded = weights.load(case.path)
    assert all(np.isfinite(array).all() for array in arrays_of(loaded).values())
    with np.errstate(all='ignore'):  # the numbers may be anything that is finite
        assert loaded.get_estimate(np.zeros((2, *loaded.dataset.input_shape), np.float32)).shape[0] == 2
    return True


def arrays_of(one):
    return {name: np.array(to_host(holder[key])) for name, holder, key in weights.named_arrays(one)}


def published_seeds(root):
    rng.seed(2)
    one, words = model(), {'k': 'weight', 'w': 'weight', 'b': 'bias', 'scale': 'weight', 'shift': 'bias'}
    words |= {'mavg': 'running_mean', 'mvar': 'running_var'}
    named = {}
    for name, array in arrays_of(one).items():
        *path, key = name.split('.')
        layer = 'bn1' if 'bn' in path else {'hidden.0': 'conv1', 'hidden.2': 'fc1'}.get('.'.join(path[:2]), 'fc2')
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        named[f'{layer}.{words[key]}'] = array.T if array.ndim == 2 else array
    seeds = {}
    for kind in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        kind(file, **named)
        seeds[f'{kind.__name__}.npz'] = file.getvalue()
    seeds['theirs.safetensors'] = save({name: np.ascontiguousarray(array) for name, array in named.items()})
    real = root / 'weights' / 'resnet8_cifar10_mlperf_tiny' / RESNET
    return seeds | ({RESNET: real.read_bytes()} if real.is_file() else {})


def spoil_published(content, random):
    if content[:2] == b'PK':
        return spoil.in_zip(content, random)
    return spoil_header(content, random)


def bomb_published(content, random):
    """An array in a .npz that unpacks to a thousand times its size, or says that it would."""
    if content[:2] != b'PK':
        return spoil_header(content, random)
    shape = random.choice(('(4, 3, 3, 3)', '(4000000000, 8)', '(20000000,)', '(-1,)', '(2**40,)', '()'))
    kind = random.choice(('<f4', '|O', '<M8[s]', '<f8', '|V4000000000', '<U100'))
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(118) + b'\n'
    inside = b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + bytes(random.choice((400, 8 * 10**7)))
    file = io.BytesIO(content)
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, True, 1) as new:
        chosen = random.choice(old.namelist())
        for name in old.namelist():
            new.writestr(name, inside if name == chosen else old.read(name))
    return file.getvalue()


def read_published(case):
    standing, names = (make('resnet_8'), None) if case.seed == RESNET else (model(), NAMES)
    before = arrays_of(standing)
    try:
        import_weights(standing, case.path, names=names)
    except WeightsError:
        assert all(np.array_equal(array, before[name]) for name, array in arrays_of(standing).items())
        raise
    finally:
        if case.path.suffix == '.safetensors':
            with contextlib.suppress(DataError):
                contents(case.path)
    assert all(np.isfinite(array).all() for array in arrays_of(standing).values())
    return True


def record_seeds(root):
    names = ('ch05_flowers_model_2', 'ch06_office31_model_1', 'ch09_residual_flower')
    found = [runs.STORED / f'{name}-real-seed1234.json' for name in names]
    return {path.name: path.read_bytes() for path in found}


def read_record(case):
    case.path.rename(case.folder / f'ch{case.path.name}')
    for found in report.group(runs.load(case.folder)).values():
        row = report.table_row(found)
        assert len(row) == len(report.HEAD)
    return True
