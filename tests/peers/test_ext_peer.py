"""Networks of chapter 9 beside the same networks in PyTorch: logits, all gradients, moving averages, in a team too."""

import numpy as np
import pytest
import torch

from chapters import CnnExtModel
from chapters.structure import kept_arrays
from data import DummyDataset
from mathlib import rng, settings, team
from mathlib.backend import precision, to_device, to_host
from tests.bench.workloads import everything_kept
from tests.peers.torch_ext import Twin

CLASSES = 5


def conv(chn, ksize=3, actions='LAB', **options):
    """A convolution."""
    return ['conv', {'ksize': ksize, 'chn': chn, 'actions': actions, **options}]


def composite(actions, actfunc='relu'):
    """Sums with tiled branches in a loop, branches side by side inside them."""
    fork = [
        'parallel',
        conv(2, 1, actions, actfunc=actfunc),
        ['serial', conv(3, [1, 7], actions), conv(4, [7, 1], actions)],
        ['serial', ['avg', {'ksize': 3, 'stride': 1}], conv(2, 1, actions)],
    ]
    summed = ['add', {'x': True, 'actions': 'BA'}, ['serial', fork, conv(8, 3, actions)], conv(2, 1, actions)]
    return [conv(4, 3, actions), ['loop', {'repeat': 2}, summed]]


# {name: (sides of the pictures, configuration)}
CASES = {
    **{f'composite {actions}': ((9, 8), composite(actions)) for actions in ('LA', 'LAB', 'LBA', 'BAL', 'L', 'ABL')},
    'other activations': ((7, 8), [*composite('LAB', 'tanh'), *composite('BLA', 'sigmoid')]),
    'sums with strides, tiled three times': (
        (11, 10),
        [
            conv(2),
            [
                'add',
                {'x': False, 'actions': 'AB', 'actfunc': 'tanh'},
                conv(6, 3, stride=2),
                ['avg', {'stride': 2}],
                ['max', {'ksize': 3, 'stride': 2}],
            ],
            ['add', {'x': True}, ['add', {'x': True, 'actions': 'B'}, conv(12, actions='BAL')]],
        ],
    ),
    'branches with strides': (
        (12, 13),
        [
            ['parallel', conv(3, 3, stride=2), conv(2, 1, stride=2), ['max', {'ksize': 3, 'stride': 2}]],
            ['parallel', conv(2, 4), ['avg', {'ksize': 2, 'stride': 1}], ['parallel', conv(1, 2), conv(2, [2, 5])]],
        ],
    ),
    'VALID and padding by numbers': (
        (24, 23),
        [
            conv(4, 3, stride=2, padding='VALID'),
            ['max', {'ksize': 3, 'stride': 2, 'padding': 'VALID'}],
            conv(4, 5, padding=[[2, 1], [0, 3]]),
            ['avg', {'ksize': 3, 'stride': [2, 3], 'padding': [[2, 0], [1, 2]]}],
            conv(3, [2, 3], stride=[1, 2], padding=4),
        ],
    ),
    'strides of three and four, even windows': (
        (31, 29),
        [conv(3, 4, stride=3), ['max', {'ksize': 2, 'stride': 1}], ['avg', {'ksize': 2, 'stride': 4}], conv(4, 2)],
    ),
    'normalised rows and full layers in branches': (
        (6, 5),
        [
            ['batch_normal', {'epsilon': 1e-4, 'exp_ratio': 0.1}],
            ['parallel', ['full', {'width': 6}], ['serial', conv(3), ['full', {'width': 4, 'actfunc': 'tanh'}]]],
            ['batch_normal', {}],
            ['add', {'x': True, 'actions': 'B'}, ['full', {'width': 10, 'actfunc': 'sigmoid'}], ['full', {'width': 5}]],
        ],
    ),
    'loops of macros': (
        (16, 16),
        [['loop', {'repeat': 2}, ['custom', {'name': 'flower_resize', 'args': {'#act': 'LBA'}}]]],
    ),
}
FLOWERS = {'plain_flower': 64, 'residual_flower': 64, 'bottleneck_flower': 64, 'inception_flower': 96}


@pytest.fixture(params=[1, 2], ids=['alone', 'two workers'])
def workers(request, monkeypatch):
    """How many threads share a step, whatever its size."""
    for name, value in (('PRODUCTS_A_MEMBER', 1), ('PRODUCTS_A_WEIGHT', 0)):
        monkeypatch.setattr(team, name, value)
    monkeypatch.setattr(settings, 'workers', request.param)
    return request.param


@pytest.fixture
def double():
    """Both sides compute in float64 during a test."""
    torch.set_default_dtype(torch.float64)
    with precision('float64'):
        yield
    torch.set_default_dtype(torch.float32)


def network(name, actions):
    """A flower network's configuration, whose dropout keeps everything."""
    return [everything_kept(['custom', {'name': name, 'args': {'#act': actions}}])]


def made(sides, hconfigs, rows, seed=0):
    """A model all of whose parameters and moving averages are drawn, pictures, and their names."""
    draws = np.random.RandomState(seed)
    rng.seed(seed)
    shape = (*sides, 3)
    dataset = DummyDataset('pictures', 'select', shape, [CLASSES])
    model = CnnExtModel('twin', dataset, hconfigs, weight_init='he', epsilon=1e-5, exp_ratio=0.2)
    for name, values, _ in model.parameters.items():
        if name.rsplit('.', 1)[-1] not in ('k', 'w'):
            values += to_device(draws.normal(0, 0.2, values.shape))
    for values in kept_arrays(model.structure):
        values *= to_device(draws.uniform(0.5, 1.5, values.shape))
        values += to_device(draws.uniform(0, 0.3, values.shape))
    return model, draws.normal(size=(rows, *shape)), draws.randint(CLASSES, size=rows)


def turned(x):
    """Pictures in PyTorch's order of axes."""
    return torch.tensor(x).permute(0, 3, 1, 2).contiguous()


def compare(model, x, labels):
    """A use, then a training pass, of a model and its twin in float64."""
    twin = Twin(model).eval()
    with torch.inference_mode():
        close('logits in use', model.get_output(x), twin(turned(x)))
    twin.train()
    before = [(to_host(norm.state['mavg']).copy(), to_host(norm.state['mvar']).copy()) for norm in twin.norms]
    ours_loss, ours = model.compute_gradients(to_device(x), to_device(np.eye(CLASSES)[labels]))
    logits = twin(turned(x))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    assert float(ours_loss) == pytest.approx(loss.item(), rel=1e-9)
    close('logits', ours, logits.detach())
    compare_gradients(model, twin)
    assert 2 * len(twin.norms) == len(kept_arrays(model.structure))
    compare_averages(twin, before, len(x))


def compare_gradients(model, twin):
    """Every parameter has one counterpart, with the same gradient.

    A bias before a normalisation has none: what rounding leaves there is measured by the largest gradient of all.
    """
    expected = {(id(each.pm), each.key): each.ordered(each.tensor.grad) for each in twin.learned}
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    assert len(expected) == len(model.parameters.names) == len(list(twin.parameters()))
    for slot, (name, _, gradient) in zip(model.parameters.slots(), model.parameters.items(), strict=True):
        close(f'gradient of {name}', gradient, expected[id(slot.pm), slot.name.rsplit('.', 1)[-1]], largest * 1e-4)


def compare_averages(twin, before, rows):
    """The moving averages; PyTorch's go towards the unbiased variance, by N - 1, ours towards the mean square, by N."""
    for n, (norm, (mean, variance)) in enumerate(zip(twin.norms, before, strict=True)):
        ratio, count = norm.module.momentum, rows * norm.places
        unbiased = (norm.module.running_var.numpy() - (1 - ratio) * variance) / ratio
        moved = (1 - ratio) * variance + ratio * unbiased * (count - 1) / count
        close(f'mean {n}', norm.state['mavg'], norm.module.running_mean)
        close(f'variance {n}', norm.state['mvar'], torch.from_numpy(moved))
        assert np.abs(moved - variance).max() > 1e-3 and np.abs(to_host(norm.state['mavg']) - mean).max() > 1e-3


def close(what, mine, theirs, least=0.0, tolerance=1e-9):
    """Of the same shape, and equal up to rounding, relative to the largest number."""
    mine, theirs = to_host(mine), theirs.numpy()
    assert mine.shape == theirs.shape, what
    scale = max(np.abs(theirs).max(), least)
    assert scale > 0, what
    assert np.abs(mine - theirs).max() <= tolerance * scale, (what, np.abs(mine - theirs).max() / scale)


@pytest.mark.parametrize('case', CASES)
def test_composite_networks(case, workers, double):
    model, x, labels = made(*CASES[case], rows=5)
    assert model.team_size(5) == workers
    compare(model, x, labels)


@pytest.mark.parametrize('actions', ['LA', 'LAB'])
@pytest.mark.parametrize('name', FLOWERS)
def test_the_flower_networks(name, actions, workers, double):
    model, x, labels = made((FLOWERS[name],) * 2, network(name, actions), rows=4)
    assert model.team_size(4) == workers
    compare(model, x, labels)


@pytest.mark.parametrize('name', ['bottleneck_flower', 'inception_flower'])
def test_in_single_precision(name, workers):
    model, x, labels = made((FLOWERS[name],) * 2, network(name, 'LAB'), rows=4)
    twin = Twin(model)
    x = x.astype('float32')
    _, ours = model.compute_gradients(to_device(x), to_device(np.eye(CLASSES, dtype='float32')[labels]))
    assert ours.dtype == np.float32
    close('logits', ours, twin(turned(x)).detach(), tolerance=1e-4)
    twin = Twin(model).eval()
    with torch.inference_mode():
        close('logits in use', model.get_output(x), twin(turned(x)), tolerance=1e-4)


def test_a_dropout_that_drops_has_no_twin():
    with pytest.raises(ValueError, match='keep_prob must be 1'):
        Twin(made((96, 96), [['custom', {'name': 'inception_flower', 'args': {'#act': 'LA'}}]], rows=1)[0])
