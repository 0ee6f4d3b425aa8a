"""Chapter 10: layers of the classical networks by hand and beside finite differences; side heads; freezing."""

import numpy as np
import pytest

from chapters import check_gradients
from chapters.ch10_cnn_net import CnnNetModel
from chapters.structure import kept_arrays
from data import DummyDataset
from data.dataset import Dataset
from mathlib import backend, rng, settings, team
from mathlib.backend import precision, to_device, to_host
from mathlib.errors import ConfigError

SHAPE = (6, 5, 4)


def conv(ksize, chn, **options):
    """A conv layer as it is written."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


@pytest.fixture(autouse=True)
def small_teams(monkeypatch):
    """float64, and teams even for small nets, on a single worker at first."""
    monkeypatch.setattr(team, 'PRODUCTS_A_MEMBER', 1)
    monkeypatch.setattr(team, 'PRODUCTS_A_WEIGHT', 0)
    monkeypatch.setattr(settings, 'workers', 1)
    with precision('float64'):
        yield


def build(hconfigs, shape=SHAPE, classes=3, **options):
    """A model whose parameters, biases too, lie away from 0, where ReLU has a kink."""
    rng.seed(1)
    model = CnnNetModel('m', DummyDataset('pictures', 'select', shape, [classes]), hconfigs, **options)
    model.parameters.values += to_device(np.random.RandomState(0).normal(size=len(model.parameters)) * 0.3)
    return model


def batch(count=4, shape=SHAPE, classes=3):
    """Device arrays x and one-hot y."""
    draws = np.random.RandomState(0)
    return to_device(draws.normal(size=(count, *shape))), to_device(np.eye(classes)[np.arange(count) % classes])


def gradients(model, x, y):
    """The loss and all gradients of one step, on the host."""
    loss, _ = model.compute_gradients(x, y)
    return float(to_host(loss)), to_host(model.parameters.gradients).copy()


def first_map(layer, x, **options):
    """What a layer makes of pictures x [n, h, w, c], a host array."""
    model = build([layer], x.shape[1:], **options)
    placed = model.structure[0]
    return to_host(model.forward_layer(to_device(x), placed.layer, placed.pm)[0])


def check(hconfigs, monkeypatch, samples=3, **options):
    """Gradients follow finite differences, alone; and shared by two workers they are the same."""
    x, y = batch()
    model = build(hconfigs, **options)
    checks = check_gradients(model, x, y, samples=samples, show=False)
    assert [str(each) for each in checks if not each.right] == []
    alone = gradients(model, x, y)
    monkeypatch.setattr(settings, 'workers', 2)
    if backend.name == 'numpy':
        assert model.team_size(len(x)) == 2
    shared = gradients(model, x, y)
    assert shared[0] == pytest.approx(alone[0], rel=1e-12)
    np.testing.assert_allclose(shared[1], alone[1], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize(
    'layer',
    [
        conv(3, 6, groups=2),
        conv([1, 3], 8, groups=4, bias=False, stride=2, padding=1),
        conv(3, 4, bias=False, actions='LBA', padding=1),
        conv(3, 4, bias=False, actions='LB', rescale='shift', padding=[[0, 1], [2, 0]]),
        conv(3, 4, bias=False, actions='BAL', rescale=False, epsilon=1e-2),
        conv(1, 4, bias=False, actions='LAB', actfunc='tanh', groups=2),
        ['batch_normal', {'rescale': 'shift'}],
        ['lrn', {'size': 3, 'alpha': 0.5}],
        ['max', {'ksize': 3, 'stride': 2, 'padding': 0, 'ceil': True}],
        ['avg', {'ksize': 3, 'stride': 1, 'padding': 1, 'count_outside': True}],
        ['activate', {'actfunc': 'sigmoid'}],
        ['add', {'scale': 0.25, 'actions': 'A'}, conv(3, 4, actions='L')],
        ['add', {'x': False, 'fill': 'zero'}, conv(1, 8), ['avg', {'ksize': 1, 'stride': 1}]],
        ['serial', ['avg', {'ksize': 3, 'stride': 1, 'padding': 1}], conv(1, 2, bias=False, actions='LBA')],
        ['serial', ['avg', {'ksize': 3, 'padding': 1, 'count_outside': True}], conv(1, 2)],
    ],
    ids=str,
)
def test_gradients_of_each_layer(layer, monkeypatch):
    """As the first layer, and between others."""
    check([layer], monkeypatch)
    monkeypatch.setattr(settings, 'workers', 1)
    check([conv(3, 4, actfunc='tanh'), layer, ['global_avg']], monkeypatch)


def test_groups_read_their_own_channels_only():
    model = build([conv(1, 4, groups=2, actions='L')], (1, 1, 4))
    placed = model.structure[0]
    assert placed.pm['k'].shape == (1, 1, 2, 4)
    placed.pm['k'][...] = to_device(np.array([[1.0, 2, 3, 4], [10, 20, 30, 40]]).reshape(1, 1, 2, 4))
    placed.pm['b'][...] = to_device(np.array([0.0, 0, 0, 5]))
    x = to_device(np.array([[[[1.0, 2, 3, 4]]]]))
    y, _ = model.forward_layer(x, placed.layer, placed.pm)
    # The first two outputs see 1 and 2, the last two 3 and 4.
    assert to_host(y).ravel().tolist() == [21, 42, 3 * 3 + 30 * 4, 4 * 3 + 40 * 4 + 5]


def test_layers_by_hand():
    x = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    pool = {'ksize': 2, 'stride': 2, 'padding': 0}
    assert first_map(['max', pool], x).ravel().tolist() == [5]
    assert first_map(['max', {**pool, 'ceil': True}], x).ravel().tolist() == [5, 6, 8, 9]
    ends = {'ksize': 3, 'stride': 2, 'padding': 1}
    assert first_map(['avg', ends], x).ravel().tolist() == [3, 4, 6, 7]
    counted = first_map(['avg', {**ends, 'count_outside': True}], x).ravel()
    assert counted == pytest.approx([12 / 9, 16 / 9, 24 / 9, 28 / 9], rel=1e-12)
    assert first_map(['global_avg'], x).tolist() == [[5]]
    assert first_map(['activate'], x - 5).ravel().tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4]
    # 2 / sqrt(k + alpha * (1 + 4)), 1 and 3 being its neighbours: 1 + 4 + 9 for the one in the middle.
    channels = np.array([1.0, 2, 3]).reshape(1, 1, 1, 3)
    normed = first_map(['lrn', {'size': 3, 'alpha': 1, 'beta': 0.5, 'k': 2}], channels).ravel()
    assert normed == pytest.approx([1 / 7**0.5, 2 / 16**0.5, 3 / 15**0.5], rel=1e-12)
    double = ['serial', ['activate'], ['activate']]
    assert first_map(['add', {'scale': 0.5}, double], x).ravel()[:3].tolist() == [1.5, 3, 4.5]
    wide = ['parallel', ['activate'], ['activate']]
    assert first_map(['add', {'fill': 'zero'}, wide], x)[0, 0, 0].tolist() == [2, 1]
    assert first_map(['add', wide], x)[0, 0, 0].tolist() == [2, 2]


@pytest.mark.parametrize(('rescale', 'keys'), [(True, {'scale', 'shift'}), ('shift', {'shift'}), (False, set())])
def test_what_a_normalisation_learns(rescale, keys):
    model = build([conv(1, 2, actions='LBA', rescale=rescale, bias=False), ['batch_normal', {'rescale': rescale}]])
    first, second, _ = model.structure
    assert set(first.pm) - {'state'} == {'k', 'bn'}
    assert set(first.pm['bn']) - {'state'} == keys == set(second.pm) - {'state'}


def test_a_normalisation_takes_the_numbers_of_the_model_or_its_own():
    x, y = batch()
    model = build([conv(1, 2, actions='LB'), ['batch_normal', {'exp_ratio': 0.5}]], exp_ratio=0.25)
    before = [to_host(each).copy() for each in kept_arrays(model.structure)]
    maps = to_host(model.forward_layer(x, *model.structure[0][:2])[0])  # in a test the averages of 0 and 1
    model.compute_gradients(x, y)
    after = [to_host(each) for each in kept_arrays(model.structure)]
    scale, shift = (to_host(model.structure[0].pm['bn'][key]) for key in ('scale', 'shift'))
    plain = (maps - shift) / scale * np.sqrt(1 + 1e-5)
    assert after[0] == pytest.approx(0.25 * plain.mean(axis=(0, 1, 2)), rel=1e-9)
    # The second one sees numbers of mean `shift`.
    assert after[2] == pytest.approx(0.5 * shift, rel=1e-9)
    assert [each.tolist() for each in before] == [[0, 0], [1, 1]] * 2


def test_a_side_head_adds_its_loss_and_is_not_there_in_a_test(monkeypatch):
    side = ['auxiliary', {'weight': 0.3}, ['avg', {'ksize': 2, 'stride': 2}], conv(1, 3, actfunc='tanh')]
    check([conv(3, 4), side, conv(3, 4, stride=2), side, ['global_avg']], monkeypatch)
    monkeypatch.setattr(settings, 'workers', 1)
    check([['serial', side, ['max']], ['global_avg']], monkeypatch)
    monkeypatch.setattr(settings, 'workers', 1)
    x, y = batch()
    outputs = []
    for weight in (0.3, 3.0):
        model = build([conv(3, 4), ['auxiliary', {'weight': weight}, ['global_avg']], ['global_avg']])
        outputs.append((model, gradients(model, x, y)[0], to_host(model.get_output(x))))
    # Both heads read the same means; so with equal weights in the full layers, their losses are equal.
    (model, _, output), (_, _, same) = outputs
    assert (output == same).all()
    main, head = model.structure[-1].pm, model.structure[1].pm['pms'][-1]
    head['w'][...], head['b'][...] = main['w'], main['b']
    loss, _ = gradients(model, x, y)
    model.side_outputs.clear()
    alone, _ = model.forward_postproc(model.get_output(x), y)
    assert loss == pytest.approx(1.3 * float(to_host(alone)), rel=1e-12)
    assert not model.side_outputs


def test_smoothed_answers_by_hand():
    x, y = batch(1, classes=4)
    model = build([], classes=4, label_smoothing=0.2)
    model.parameters.values[...] = 0
    model.structure[-1].pm['b'][...] = to_device(np.array([2.0, 0, 0, 0]))
    loss, found = gradients(model, x, y)
    p = np.exp([2.0, 0, 0, 0]) / (np.exp(2) + 3)
    answer = np.array([0.85, 0.05, 0.05, 0.05])
    assert loss == pytest.approx(-(answer * np.log(p)).sum(), rel=1e-9)
    assert found[-4:] == pytest.approx(p - answer, rel=1e-9)


def test_gradients_are_clipped_to_a_length():
    x, y = batch()
    model = build([conv(3, 4)], clip_norm=0.01, optimizer='sgd')
    model.learning_rate = 1.0
    before = to_host(model.parameters.values).copy()
    model.train_step(x, y)
    assert np.linalg.norm(to_host(model.parameters.values) - before) == pytest.approx(0.01, rel=1e-6)


def test_without_a_head_the_configuration_gives_the_outputs(monkeypatch):
    check([conv(3, 3), ['global_avg']], monkeypatch, head='none')
    with pytest.raises(ConfigError, match=r"head='none' the configuration must end with the 3 outputs .* gives \[4\]"):
        build([conv(3, 4), ['global_avg']], head='none')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'head': 'ful'}, "head is 'ful': expected 'full' or 'none'; did you mean 'full'"),
        ({'label_smoothing': 2}, 'label_smoothing is 2: expected a number at least 0 and at most 1'),
        ({'clip_norm': 0}, 'clip_norm is 0: expected a number above 0'),
        ({'optimizer': 'adamm'}, 'adamm'),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ConfigError, match=f'^m: .*{message}'):
        build([conv(3, 4)], **options)


@pytest.mark.parametrize(
    ('layer', 'message'),
    [
        (
            conv(3, 6, groups=4),
            'layer 1 > conv: 4 groups must divide the 4 channels that come in and the 6 that go out',
        ),
        (['batch_normal', {'rescale': 'scale'}], "'rescale' is 'scale': expected True, False or 'shift'"),
        (['auxiliary'], "a 'auxiliary' layer takes at least one layer"),
    ],
)
def test_layers_that_cannot_be(layer, message):
    with pytest.raises(ConfigError, match=message):
        build([layer])


# Freezing


class Rows(Dataset):
    """Random rows and answers."""

    def __init__(self):
        super().__init__('rows', 'select')
        draws = np.random.RandomState(1)
        self.shuffle_data(draws.normal(size=(40, *SHAPE)), np.eye(3)[draws.randint(0, 3, 40)])


DEEP = [
    conv(3, 4, actions='LBA', bias=False),
    ['parallel', conv(1, 2), ['serial', conv(1, 2), conv(3, 2)]],
    ['add', {'actions': 'BA'}, conv(3, 4, actions='LB', bias=False)],
    ['batch_normal'],
    ['global_avg'],
]


@pytest.mark.parametrize('optimizer', ['adam', ['momentum', {'weight_decay': 0.1}], 'sgd'])
@pytest.mark.parametrize(('up_to', 'frozen'), [(1, 1), ('layer 2 > parallel', 4), (2, 2), (6, 6), (0, 0)])
def test_frozen_layers_keep_every_bit_and_the_others_learn_as_they_would(up_to, frozen, optimizer):
    rng.seed(1)
    model = CnnNetModel('m', Rows(), DEEP, optimizer=optimizer, l2_decay=0.1)
    left = model.freeze(up_to)
    names = model.parameters.names
    before = [to_host(values).copy() for _, values, _ in model.parameters.items()]
    averages = [to_host(each).copy() for each in kept_arrays(model.structure)]
    model.train(2, 10, 0.01)
    after = [to_host(values) for _, values, _ in model.parameters.items()]
    moved = [name for name, one, other in zip(names, before, after, strict=True) if (one != other).any()]
    count = {0: 0, 1: 3, 2: 5, 4: 9, 6: 16}[frozen]
    assert moved == names[count:]
    assert left == sum(each.size for each in before[count:])
    kept = [to_host(each) for each in kept_arrays(model.structure)]
    still = {0: 0, 1: 2, 2: 2, 4: 2, 6: 8}[frozen] // 2
    same = [(one == other).all() for one, other in zip(averages, kept, strict=True)]
    assert same == [True] * 2 * still + [False] * (len(same) - 2 * still) if frozen != 6 else all(same)


def test_gradients_above_frozen_layers_follow_finite_differences(monkeypatch):
    """A frozen normalisation works as in a test, on the way back too, where something learns beside it."""
    x, y = batch()
    model = build(['parallel', conv(3, 2, actions='LB'), ['serial', conv(3, 2), conv(1, 2)]])
    model.freeze(1)
    checks = check_gradients(model, x, y, samples=3, show=False)
    assert [each.right for each in checks] == [False] * 4 + [True] * (len(checks) - 4)
    assert not to_host(model.parameters.gradients)[: model.frozen_count].any()


def test_a_layer_to_freeze_that_is_not_there():
    model = build(DEEP)
    for up_to in (99, 'layer 9 > conv', True, -1):
        with pytest.raises(ConfigError, match='no layer .* 1 to 8; .* 0 to let all learn, .* such as .layer 1 > conv'):
            model.freeze(up_to)
    with pytest.raises(ConfigError, match='nothing left to learn'):
        model.freeze(8)


@pytest.mark.parametrize('spec', ['adam', ['adam', {'ro_1': 0.8}], 'rmsprop'])
def test_the_switch_of_chapter_6_still_works(spec):
    """With Adam off a model with Adam takes plain steps; with it on, any other takes those of Adam."""
    x, y = batch()
    model = build([conv(3, 4)], optimizer=spec)
    assert model.use_adam == (spec != 'rmsprop')
    model.learning_rate, model.use_adam = 0.5, False
    before = to_host(model.parameters.values).copy()
    model.train_step(x, y)
    step = to_host(model.parameters.values) - before
    if spec != 'rmsprop':
        assert np.abs(step + 0.5 * to_host(model.parameters.gradients)).max() < 1e-14
    model.freeze(1)
    assert not model.use_adam


def test_a_dataset_without_rows_is_named():
    with pytest.raises(ConfigError, match='m: pictures has no rows to train on'):
        build([conv(3, 4)]).train(1)


def test_a_test_keeps_nothing_for_the_way_back():
    model = build(DEEP)
    x, _ = batch()
    _, ((last, inside),) = model.forward_neuralnet(x)
    assert (last, inside) == (None, [None] * len(DEEP))
