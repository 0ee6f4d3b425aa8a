import numpy as np
import pytest

from chapters import ch07_stages as stages
from chapters.ch06_adam import AdamModel
from chapters.ch07_textbook import Parameter, TextbookNet
from data import Dataset
from mathlib import losses
from mathlib.backend import precision, scalar, to_device, to_host
from mathlib.conv import conv2d, conv2d_dw, conv2d_dx
from mathlib.errors import ConfigError
from mathlib.gradcheck import check_gradient
from mathlib.windows import windows

STAGES = {
    'loops': (stages.conv_loops, stages.conv_loops_backprop),
    'patches': (stages.conv_patches, stages.conv_patches_backprop),
    'im2col': (stages.conv_im2col, stages.conv_im2col_backprop),
}
# x [n, h, w, c] and k [kh, kw, c, o]: odd, even and oblong kernels, pictures smaller than the kernel, one pixel
SHAPES = [
    ((1, 1, 1, 1), (1, 1, 1, 1)),
    ((2, 4, 4, 2), (3, 3, 2, 3)),
    ((1, 5, 3, 3), (2, 2, 3, 2)),
    ((3, 2, 4, 1), (4, 1, 1, 2)),
    ((1, 3, 6, 2), (2, 5, 2, 1)),
    ((2, 2, 1, 4), (5, 4, 4, 1)),
    ((1, 6, 2, 1), (1, 4, 1, 4)),
]


@pytest.fixture(autouse=True)
def in_float64():
    with precision('float64'):
        yield


def drawn(*shapes, seed=5):
    """Device arrays of normal numbers, one for each shape."""
    draws = np.random.RandomState(seed)
    return [to_device(draws.normal(size=shape)) for shape in shapes]


def close(ours, theirs, tolerance=1e-12):
    return to_host(ours) == pytest.approx(to_host(theirs), rel=tolerance, abs=tolerance)


def example():
    """A picture of 3x3 pixels, 1 to 9, a kernel of 2x2 numbers, 1 to 4, and a bias of 10."""
    x, k = np.arange(1.0, 10.0).reshape(1, 3, 3, 1), np.arange(1.0, 5.0).reshape(2, 2, 1, 1)
    return to_device(x), to_device(k), to_device(np.array([10.0]))


@pytest.mark.parametrize('stage', STAGES)
def test_a_convolution_by_hand(stage):
    forward, backprop = STAGES[stage]
    x, k, b = example()
    y = forward(x, k, b)
    # The first pixel: 1*1 + 2*2 + 4*3 + 5*4 + 10 = 47; the last one has only itself under the kernel: 9*1 + 10.
    assert to_host(y)[0, :, :, 0].tolist() == [[47, 57, 31], [77, 87, 43], [33, 36, 19]]

    G_x, G_k, G_b = backprop(to_device(np.ones(y.shape)), x, k)
    # Each weight meets the pixels that it was laid on: the first one all nine, the last one 5, 6, 8 and 9.
    assert to_host(G_k)[:, :, 0, 0].tolist() == [[45, 33], [39, 28]]
    assert to_host(G_x)[0, :, :, 0].tolist() == [[1, 3, 3], [4, 10, 10], [4, 10, 10]]
    assert to_host(G_b).tolist() == [9]


@pytest.mark.parametrize('stage', STAGES)
@pytest.mark.parametrize(('x_shape', 'k_shape'), SHAPES)
def test_each_stage_is_the_convolution_of_mathlib(stage, x_shape, k_shape):
    forward, backprop = STAGES[stage]
    x, k, b, G_y = drawn(x_shape, k_shape, k_shape[3:], (*x_shape[:3], k_shape[3]))
    place = windows(x_shape[1:3], k_shape[:2])
    assert close(forward(x, k, b), conv2d(x, k, b, place))
    G_x, G_k, G_b = backprop(G_y, x, k)
    G_k_expected, G_b_expected = conv2d_dw(x, G_y, place)
    assert close(G_x, conv2d_dx(G_y, k, place))
    assert close(G_k, G_k_expected)
    assert close(G_b, G_b_expected)


@pytest.mark.parametrize('seed', range(4))
def test_all_stages_agree_on_drawn_shapes(seed):
    draws = np.random.RandomState(seed)
    n, (h, w), (kh, kw), (c, o) = draws.randint(1, 4), *(draws.randint(1, top, 2).tolist() for top in (5, 6, 4))
    x, k, b, G_y = drawn((n, h, w, c), (kh, kw, c, o), (o,), (n, h, w, o))
    y, *gradients = stages.conv_loops(x, k, b), *stages.conv_loops_backprop(G_y, x, k)
    for forward, backprop in (STAGES['patches'], STAGES['im2col']):
        assert close(forward(x, k, b), y)
        for ours, expected in zip(backprop(G_y, x, k), gradients, strict=True):
            assert close(ours, expected)


@pytest.mark.parametrize('stage', STAGES)
def test_each_way_back_is_the_derivative(stage):
    forward, backprop = STAGES[stage]
    x, k, b, G_y = drawn((2, 3, 2, 2), (2, 3, 2, 2), (2,), (2, 3, 2, 2))

    def loss():
        return (forward(x, k, b) * G_y).sum()

    for name, array, gradient in zip('xkb', (x, k, b), backprop(G_y, x, k), strict=True):
        result = check_gradient(loss, array, gradient, name, samples=8, show=False)
        assert result.error < 1e-7, result


def test_im2col_has_a_row_for_each_pixel_and_col2im_adds_them_up():
    x, _, _ = example()
    columns = stages.im2col(x, 2, 2)
    assert to_host(columns)[[0, 2, 4, 8]].tolist() == [[1, 2, 4, 5], [3, 0, 6, 0], [5, 6, 8, 9], [9, 0, 0, 0]]
    # A pixel comes back once for each patch that it is in: 1, 2 or 4 of them.
    back = stages.col2im(columns, x.shape, 2, 2)
    assert to_host(back)[0, :, :, 0].tolist() == [[1, 4, 6], [8, 20, 24], [14, 32, 36]]


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize(
    ('sides', 'ksize', 'stride'),
    [((6, 6), (3, 3), 2), ((7, 5), (2, 4), (3, 1)), ((5, 8), (4, 1), (1, 4)), ((4, 4), (4, 3), 1), ((9, 9), (3, 3), 3)],
)
def test_the_textbooks_stride_keeps_the_pixels_that_windows_name(sides, ksize, stride, padding):
    place = windows(sides, ksize, stride, padding)
    x, k, b, G_y = drawn((2, *sides, 2), (*ksize, 2, 3), (3,), (2, *place.output_sides, 3))
    columns = stages.im2col(x, *ksize)
    y = stages.conv_textbook(x, k, b, stride, padding)
    assert close(y, conv2d(x, k, b, place))
    assert close(stages.conv_textbook(x, k, b, stride, padding, columns), y)
    G_k, G_b = conv2d_dw(x, G_y, place)
    for kept_columns in (None, columns):
        ours = stages.conv_textbook_backprop(G_y, x, k, stride, padding, kept_columns)
        for got, expected in zip(ours, (conv2d_dx(G_y, k, place), G_k, G_b), strict=True):
            assert close(got, expected)


def test_pooling_by_hand():
    x = to_device(np.array([[3.0, 1, 2, 2, 9], [0, 3, 2, 2, 9], [9, 9, 9, 9, 9]]).reshape(1, 3, 5, 1))
    y, places = stages.max_textbook(x, 2)
    assert to_host(y).reshape(-1).tolist() == [3, 2]
    assert to_host(places).tolist() == [0, 0]  # of equal ones the first
    G_y = to_device(np.array([4.0, 8]).reshape(1, 1, 2, 1))
    G_x = stages.max_textbook_backprop(G_y, x.shape, 2, places)
    assert to_host(G_x)[0, :, :, 0].tolist() == [[4, 0, 8, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]

    assert to_host(stages.avg_textbook(x, 2)).reshape(-1).tolist() == [7 / 4, 2]
    G_x = stages.avg_textbook_backprop(G_y, x.shape, 2)
    assert to_host(G_x)[0, :, :, 0].tolist() == [[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize(('sides', 'stride'), [((4, 6), 2), ((5, 7), (2, 3)), ((3, 3), 1), ((7, 4), (3, 4))])
def test_pooling_of_many_channels(sides, stride):
    down, across = (stride, stride) if isinstance(stride, int) else stride
    rows, columns = sides[0] // down, sides[1] // across
    x, G_y = drawn((2, *sides, 3), (2, rows, columns, 3))
    (largest, places), means = stages.max_textbook(x, stride), stages.avg_textbook(x, stride)
    assert largest.shape == means.shape == (2, rows, columns, 3)
    for r in range(rows):
        for c in range(columns):
            window = to_host(x)[:, r * down : (r + 1) * down, c * across : (c + 1) * across]
            assert np.array_equal(to_host(largest)[:, r, c], window.max(axis=(1, 2)))
            assert to_host(means)[:, r, c] == pytest.approx(window.mean(axis=(1, 2)))
    G_max = stages.max_textbook_backprop(G_y, x.shape, stride, places)
    G_avg = stages.avg_textbook_backprop(G_y, x.shape, stride)
    for pool, gradient in ((lambda: stages.max_textbook(x, stride)[0], G_max), (means_of(x, stride), G_avg)):
        result = check_gradient(lambda pool=pool: (pool() * G_y).sum(), x, gradient, samples=30, show=False)
        assert result.error < 1e-7, result


def means_of(x, stride):
    return lambda: stages.avg_textbook(x, stride)


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (lambda x, k, b: stages.conv_loops(x, k[:, :, :0], b), r'pictures \[1, 3, 3, 1\] and kernels \[2, 2, 0, 1\]'),
        (lambda x, k, b: stages.conv_im2col(x[0], k, b), r'pictures \[3, 3, 1\] and kernels'),
        (lambda x, k, b: stages.conv_textbook(x[:, :1], k, b, 1, 'VALID'), 'a side of 1 pixels under a kernel of 2'),
        (lambda x, k, b: stages.conv_textbook(x, k, b, (1, 4)), "at a stride of 4 with padding 'SAME' leaves nothing"),
        (lambda x, k, b: stages.conv_textbook(x, k, b, 1, 'same'), "padding is 'same'"),
        (lambda x, k, b: stages.max_textbook(x, (1, 4)), 'pooling 1x4 pixels leaves nothing of a picture of 3x3'),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call(*example())


# A whole network

NET = [
    ['conv', {'ksize': 3, 'chn': 3, 'actfunc': 'tanh'}],
    ['max', {'stride': 2}],
    ['conv', {'ksize': [2, 3], 'chn': 4, 'stride': [1, 2], 'actfunc': 'sigmoid'}],
    ['conv', {'ksize': [1, 2], 'chn': 2, 'padding': 'VALID', 'actfunc': 'none'}],
    ['avg', {'stride': [2, 1]}],
    5,
    ['full', {'width': 4, 'actfunc': 'tanh'}],
]
# On pictures of 9x8 pixels with 2 channels: 4x4 after max, 4x2 and 4x1 after the convolutions, 2x1 after avg.
NET_SHAPES = [(3, 3, 2, 3), (2, 3, 3, 4), (1, 2, 4, 2), (4, 5), (5, 4), (4, 3)]


def make_net(dataset=None):
    """NET with drawn weights for 3 classes, 4 pictures, and their answers."""
    draws = np.random.RandomState(3)
    weights = [(to_device(draws.normal(size=shape)), to_device(draws.normal(size=shape[-1:]))) for shape in NET_SHAPES]
    x = to_device(draws.normal(size=(4, 9, 8, 2)))
    y = to_device(np.eye(3)[[0, 2, 1, 2]])
    return TextbookNet(NET, weights, dataset), x, y


def parameters(net):
    return [p for layer in net.layers for p in vars(layer).values() if isinstance(p, Parameter)]


@pytest.mark.parametrize('mode', ['select', 'regression'])
def test_a_step_moves_every_parameter_along_its_gradient(mode):
    loss_of = {'select': losses.softmax_cross_entropy, 'regression': losses.squared_error}[mode]
    fresh, x, y = make_net()
    net, _, _ = make_net(None if mode == 'select' else Dataset('numbers', mode))
    loss = net.train_step(x, y, learning_rate=0.5)
    assert scalar(loss) == pytest.approx(scalar(loss_of(fresh.forward(x)[0], y)), rel=1e-12)
    assert len(parameters(net)) == 2 * len(NET_SHAPES)
    for number, (before, after) in enumerate(zip(parameters(fresh), parameters(net), strict=True)):
        gradient = after.s * 10  # after one step, s is a tenth of the gradient
        result = check_gradient(
            lambda: loss_of(fresh.forward(x)[0], y), before.value, gradient, f'{number}', samples=6, show=False
        )
        assert result.error < 1e-6, result
        first_step = 0.5 * to_host(gradient) / (np.abs(to_host(gradient)) + 1e-8)
        assert to_host(after.value) == pytest.approx(to_host(before.value) - first_step, abs=1e-9)


def test_backprop_reaches_the_pictures():
    net, x, y = make_net()
    fresh, _, _ = make_net()
    output, auxes = net.forward(x)
    G_x = net.backprop(losses.softmax_cross_entropy_grad(output, y), auxes, 0.1)
    result = check_gradient(
        lambda: losses.softmax_cross_entropy(fresh.forward(x)[0], y), x, G_x, samples=15, show=False
    )
    assert result.error < 1e-6, result


def test_two_steps_of_adam_by_hand():
    """y = w x + b with x = 1, w = 1, b = 0 and the answer 0: the loss is y**2, its gradient by w and by b is 2 y."""
    one, zero = to_device(np.ones((1, 1))), to_device(np.zeros(1))
    net = TextbookNet([], [(one, zero)], Dataset('numbers', 'regression'))
    w, b = net.layers[0].w, net.layers[0].b
    # Gradient 2: s = 0.2 and t = 0.004, corrected 2 and 4, so a step of the learning rate, 0.1.
    assert scalar(net.train_step(one, to_device(np.zeros((1, 1))), 0.1)) == 1
    assert [scalar(p.value.sum()) for p in (w, b)] == pytest.approx([0.9, -0.1], abs=1e-9)
    # y is 0.8, gradient 1.6: s = 0.18 + 0.16 and t = 0.003996 + 0.00256, corrected 0.34 / 0.19 and 0.006556 / 0.001999.
    assert scalar(net.train_step(one, to_device(np.zeros((1, 1))), 0.1)) == pytest.approx(0.64)
    step = 0.1 * (0.34 / 0.19) / (0.006556 / 0.001999) ** 0.5
    assert step == pytest.approx(0.0988, abs=5e-5)
    assert [scalar(p.value.sum()) for p in (w, b)] == pytest.approx([0.9 - step, -0.1 - step], abs=1e-8)
    assert (scalar(one.sum()), scalar(zero.sum())) == (1, 0)  # what was handed in stays as it was


def test_epsilon_halves_the_step_of_a_gradient_of_its_own_size():
    parameter = Parameter(to_device(np.array([1.0, 1.0])))
    parameter.move(to_device(np.array([1e-8, 0.0])), 0.5)
    assert to_host(parameter.value) == pytest.approx([0.75, 1.0], abs=1e-12)


def test_full_layers_train_as_chapter_6_does(dataset):
    data = dataset('select')
    model = AdamModel('tiny', data, [6, 4])
    model.use_adam = True
    net = TextbookNet([6, 4], [(pm['w'], pm['b']) for pm in [*model.pm_hiddens, model.pm_output]], data)
    data.shuffle_train_data(40)
    for n in range(4):
        x, y = (to_device(rows) for rows in data.get_train_data(10, n))
        ours, _ = model.train_step(x, y)
        assert scalar(net.train_step(x, y)) == pytest.approx(scalar(ours), rel=1e-12)
    assert close(net.layers[0].w.value, model.pm_hiddens[0]['w'])
    assert close(net.layers[-1].b.value, model.pm_output['b'])


def test_float32_stays_float32():
    with precision('float32'):
        x, k, b, G_y = drawn((1, 3, 3, 2), (2, 2, 2, 1), (1,), (1, 3, 3, 1))
        for forward, backprop in STAGES.values():
            assert [array.dtype for array in (forward(x, k, b), *backprop(G_y, x, k))] == [np.float32] * 4
        net, x, y = make_net()
        assert net.train_step(x, y).dtype == np.float32
        assert {array.dtype for p in parameters(net) for array in (p.value, p.s, p.t)} == {np.dtype('float32')}


@pytest.mark.parametrize(
    ('hconfigs', 'count', 'words'),
    [
        ([3], 1, '1 pairs of weights for 2 layers'),
        ([['dropout', {}]], 1, "layer 1: 'dropout' with {} is not among the layers of this net"),
        ([['max', {'stride': 1, 'ksize': 3}]], 1, "layer 1: 'max' with {'stride': 1, 'ksize': 3} is not among"),
        ([['conv', {'ksize': 3, 'chn': 2}]], 2, r"layer 1: 'conv' with .* was given weights \[2, 2\], \[2\]"),
        ([3], 2, r"layer 1: 'full' with {'width': 3} was given weights \[2, 2\], \[2\]"),
    ],
)
def test_layers_and_weights_that_do_not_fit_are_refused(hconfigs, count, words):
    with pytest.raises(ConfigError, match=words):
        TextbookNet(hconfigs, [tuple(drawn((2, 2), (2,)))] * count)
