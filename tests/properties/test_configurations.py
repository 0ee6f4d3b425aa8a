"""Whatever a configuration says: a network that works, or an error that says where the mistake is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from chapters import AdamModel, CnnBasicModel, CnnExtModel, CnnNetModel, CnnRegModel, MlpModel, limits
from chapters.config import MOST_LAYERS, normalize
from chapters.errata import ParallelFirstSlice
from data import DummyDataset
from mathlib.errors import ConfigError
from tests.properties.mistakes import deep, doubled, itself, mistaken
from tests.properties.networks import FLAT, PICTURES, Case, networks
from tests.properties.outcome import Wrong, examine, fingerprint

# The same cases in every run; `python -m tests.stress.configurations` draws others.
drawn = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CONV = ['conv', {'ksize': 3, 'chn': 2}]


def case(model_class, *hconfigs, **options):
    """A Case on pictures of 5x5 pixels with 2 channels."""
    return Case(model_class, 'select', (5, 5, 2), 3, list(hconfigs), options, {}, rows=3)


def types_in(hconfigs, found):
    """Add the types of all layers in a configuration to a set."""
    for layer in hconfigs if isinstance(hconfigs, (list, tuple)) else [hconfigs]:
        if isinstance(layer, str):
            found.add(layer)
        elif isinstance(layer, (list, tuple)):
            types_in(layer, found)


@pytest.mark.parametrize(
    ('model_class', 'count'),
    [(MlpModel, 3), (AdamModel, 3), (CnnBasicModel, 8), (CnnRegModel, 8), (CnnExtModel, 14), (CnnNetModel, 24)],
)
def test_networks_that_fit_together_work(model_class, count, tmp_path):
    types = set()

    @settings(drawn, max_examples=count)
    @given(networks(model_class))
    def works(case):
        assert examine(case, tmp_path).refused == ''
        types_in([case.hconfigs, *case.macros.values()], types)

    works()
    known = {*FLAT[model_class], *PICTURES.get(model_class, ())}
    assert len(types & known) >= (len(known) - 1) / 2


def test_mistakes_are_named_with_their_place(tmp_path):
    refused = []

    @settings(drawn, max_examples=50)
    @given(mistaken())
    def works_or_says_why(case):
        refused.append(examine(case, tmp_path).refused)

    works_or_says_why()
    assert sum(map(bool, refused)) > 25


# The examination itself: what it is there to see, it sees


def test_a_wrong_gradient_is_seen(tmp_path):
    wrong = case(ParallelFirstSlice, ['parallel', CONV, ['conv', {'ksize': 1, 'chn': 3}]])
    with pytest.raises(Wrong, match=r'^gradients: hidden\.0\.pms\.1\.k: WRONG'):
        examine(wrong, tmp_path)
    assert examine(replace(wrong, model_class=CnnExtModel), tmp_path).checked == 6


class Careless(CnnNetModel):
    """Writes a number over one of its weights that is none."""

    def apply_gradients(self):
        super().apply_gradients()
        self.parameters.values[0] = np.nan


class Meddling(CnnNetModel):
    """Changes the configuration of a layer while it is refused."""

    def normalized(self, hconfigs):
        hconfigs[0][1]['chn'] = 3
        raise ConfigError('layer 1 > conv: no')


def test_other_faults_are_seen(tmp_path):
    with pytest.raises(Wrong, match='^not finite: '):
        examine(case(Careless, ['conv', {'ksize': 3, 'chn': 2}]), tmp_path)
    meddling = replace(case(Meddling, ['conv', {'ksize': 3, 'chn': 2}]), mistake='one')
    with pytest.raises(Wrong, match='^changed: '):
        examine(meddling, tmp_path)
    with pytest.raises(Wrong, match="^refused though it fits: net: layer 1: the layer type 'lrn' is not known"):
        examine(case(CnnExtModel, ['lrn']), tmp_path)
    with pytest.raises(Wrong, match="^told: expected an error with 'layer 2', but got none"):
        examine(replace(case(CnnNetModel, CONV), mistake='one', told='layer 2'), tmp_path)


def test_a_fingerprint_tells_every_change():
    inner = {'a': [1, 2]}
    value = [inner, np.zeros(2), itself()]
    before = fingerprint(value)
    assert fingerprint(value) == before
    value[1][0] = 1
    assert fingerprint(value) != before
    before = fingerprint(value)
    inner['a'][1] = 3
    assert fingerprint(value) != before


# What was found in this way, one example each


def refused(model_class, *hconfigs, **options):
    """The text of the ConfigError of a model on pictures of 5x5 pixels with 2 channels."""
    with pytest.raises(ConfigError) as problem:
        model_class('net', DummyDataset('d', 'select', [5, 5, 2], [3]), list(hconfigs), **options)
    return str(problem.value)


ODD = [10**400, 10**5000, -(10**400), float('nan'), 1e300, deep(20_000), doubled(40), itself()]


@pytest.mark.parametrize('value', ODD, ids=range(len(ODD)))
def test_values_that_cannot_be_worked_with_or_printed(value):
    assert refused(CnnNetModel, ['full', {'width': value}]).startswith('net: layer 1')
    assert refused(CnnNetModel, ['full', {'width': 3}], ['dropout', {'keep_prob': value}]).startswith('net: layer 2')
    assert refused(CnnNetModel, ['custom', {'name': 'residual', 'args': value}]).startswith('net: layer 1')
    assert len(refused(CnnNetModel, 3, l2_decay=value)) < 600


def test_whole_numbers_end_somewhere():
    assert refused(CnnNetModel, ['full', {'width': 2**31}]) == (
        "net: layer 1 > full: 'width' is 2147483648: expected a whole number above 0, and none above 2,147,483,647"
    )


def test_layers_too_deep_in_layers():
    layer = CONV
    for _ in range(39):
        layer = ['serial', layer]
    assert CnnExtModel('net', DummyDataset('d', 'select', [5, 5, 2], [3]), [layer]).parameters.count == 191
    assert refused(CnnExtModel, ['serial', ['serial', layer]]).endswith(': layers stand in layers more than 40 deep')
    assert refused(CnnExtModel, deep(200, CONV)) == (
        'net: layer 1: the configuration has lists in lists more than 120 deep, or one of them in itself'
    )


def test_too_many_layers():
    loops = ['loop', {'repeat': 200}, ['loop', {'repeat': 200}, CONV]]
    assert refused(CnnExtModel, loops) == (
        'net: layer 1 > loop > loop: with this layer the network has more than 20,000 layers'
    )
    assert refused(CnnExtModel, *[3] * (MOST_LAYERS + 1)).startswith('net: layer 20001: with this layer ')


@pytest.mark.parametrize('layer', [['serial', '#x', '#x'], ['serial', ['full', {'width': '#x'}]]])
def test_macros_that_grow_from_one_to_the_next(layer):
    names = [f'grow {n}' for n in range(30)]
    try:
        for name, following in zip(names, names[1:], strict=False):
            args = {'#x': ['serial', '#x', '#x']}
            CnnExtModel.set_macro(name, ['custom', {'name': following, 'args': args}])
        CnnExtModel.set_macro(names[-1], layer)
        told = refused(CnnExtModel, ['custom', {'name': names[0], 'args': {'#x': 3}}])
        assert told.startswith('net: layer 1 > custom grow 0 > custom grow 1 > ')
        assert told.endswith(': the configuration has more than 200,000 parts')
    finally:
        for name in names:
            CnnExtModel.macros.pop(name, None)


def test_a_macro_keeps_what_cannot_be_copied():
    steps = (n for n in range(3))
    try:
        CnnExtModel.set_macro('odd', ['full', {'width': '#x'}])
        told = refused(CnnExtModel, ['custom', {'name': 'odd', 'args': {'#x': steps}}])
    finally:
        CnnExtModel.macros.pop('odd')
    assert told.startswith("net: layer 1 > custom odd > full: 'width' is <generator object ")


@pytest.fixture
def little_memory(monkeypatch):
    """A machine with a megabyte of memory."""
    monkeypatch.setattr(limits, 'MEMORY', 10**6)


@pytest.mark.parametrize(
    ('model_class', 'layers', 'told'),
    [
        (
            MlpModel,
            [100, 10**6],
            'layer 2 > full: weights of shape [100, 1000000], with their gradients, would take 1.6 GB',
        ),
        (
            CnnNetModel,
            [CONV, ['full', {'width': 10**4}]],
            'layer 2 > full: weights of shape [50, 10000], with their gradients, ',
        ),
        (
            CnnNetModel,
            [['serial', CONV, 10**9]],
            'layer 1 > serial > layer 2 > full: weights of shape [50, 1000000000], ',
        ),
        (CnnNetModel, [['conv', {'ksize': 999, 'chn': 9}]], 'layer 1 > conv: windows of [999, 999] with padding '),
        (
            CnnNetModel,
            [['conv', {'ksize': 1, 'chn': 1, 'padding': 10**9, 'stride': 10**9}]],
            'layer 1 > conv: windows of [1, 1] with padding 1000000000 would take ',
        ),
        (
            CnnNetModel,
            [['conv', {'ksize': 1, 'chn': 4, 'padding': 150}]],
            'layer 1 > conv: what this layer makes of one row, [305, 305, 4], would take 1.5 MB, 1.5 MB with all '
            'before, but this machine has 1.0 MB of memory: take narrower layers, smaller windows, or smaller pictures',
        ),
    ],
)
def test_what_does_not_fit_into_memory(model_class, layers, told, little_memory):
    assert refused(model_class, *layers).startswith(f'net: {told}')


EXTREMES = [
    *[('dropout', {'keep_prob': value}) for value in (1e-300, 1e-12)],
    *[('noise', {option: value}) for option in ('mean', 'std') for value in (1e-300, 1e6, 1e30)],
    *[('batch_normal', {'epsilon': value}) for value in (1e-300, 1e-12, 1e6)],
    *[('batch_normal', {'exp_ratio': value}) for value in (1e-300, 1e-12)],
    *[
        ('lrn', {'beta': beta, 'k': k, 'alpha': alpha})
        for beta in (1e-12, 4)
        for k in (0.001, 1e3)
        for alpha in (0, 1e3)
    ],
    *[('lrn', {option: value}) for option in ('beta', 'k', 'alpha') for value in (1e-300, 1e6)],
]


@pytest.mark.parametrize(('kind', 'options'), EXTREMES, ids=range(len(EXTREMES)))
def test_numbers_at_the_end_of_what_can_be_computed_with(kind, options, tmp_path):
    examine(replace(case(CnnNetModel, CONV, [kind, options]), mistake='an extreme number'), tmp_path)


@pytest.mark.parametrize('kind', ['max', 'avg'])
def test_windows_far_larger_than_the_picture(kind, tmp_path):
    huge, enough = (case(CnnNetModel, CONV, [kind, {'ksize': size, 'stride': 1}]) for size in (10**9 + 1, 11))
    assert examine(huge, tmp_path).checked == examine(enough, tmp_path).checked == 4
    assert examine(case(CnnNetModel, CONV, ['lrn', {'size': 10**9}]), tmp_path).checked == 4


def test_a_normalisation_before_the_first_convolution_learns(tmp_path):
    first = ['conv', {'ksize': 3, 'chn': 2, 'actions': 'BAL'}]
    assert examine(case(CnnNetModel, first), tmp_path).checked == 6


@pytest.mark.parametrize('kind', ['parallel', 'add'])
def test_a_side_head_in_a_branch_before_anything_else_learns(kind, tmp_path):
    inside = ['serial', ['auxiliary', ['global_avg']], ['activate']]
    assert examine(case(CnnNetModel, [kind, inside, ['activate']], CONV), tmp_path).checked == 6


def test_a_one_is_not_true():
    assert "'rescale' is 1: expected True, False or 'shift'" in refused(CnnNetModel, ['batch_normal', {'rescale': 1}])
    assert refused(CnnNetModel, 3, show_maps=1) == 'net: show_maps is 1: expected True or False'
    assert refused(CnnNetModel, 3, dump_structure=None) == 'net: dump_structure is None: expected True or False'


def test_what_is_read_is_counted_anew_for_every_network():
    types = {'full': {}}
    for _ in range(3):
        assert len(normalize([['full']] * 9000, types)) == 9000
