"""Convolutional networks beside PyTorch's, in both of its memory formats, and beside the textbook's algorithm.

All sides start from the same weights on the same batch, and a case is only measured if they agree: in the losses of
the first steps of a training, in the logits of an inference. Normal weights of standard deviation sqrt(2 / inputs)
(He 2015) keep the signal alive through all layers, so that agreement means that every layer agrees.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

import chapters
import mathlib.conv
from chapters.ch07_textbook import TextbookNet
from chapters.shared_steps import shared_steps
from mathlib import backend, rng
from mathlib.backend import to_device, to_host
from tests.bench import nets, steps
from tests.bench.layers import EPSILON, Avg, Conv, Full, Max
from tests.bench.steps import LEARNING_RATE, Side
from tests.bench.textbook import FullResolution

# How far logits, or the losses of the first steps of a training, may differ, by the largest of them. Each step of
# Adam enlarges what rounding has done to gradients near 0.
LOGITS_APART = 1e-4
LOSSES_APART = (1e-5, 1e-3, 1e-3)
# The flower networks learn a batch by heart in three steps. In float64 all sides agree to 13 digits; in float32 PyTorch
# with channels last ends some thousandths beside the others (bottleneck_flower 0.0038 at the third loss).
FLOWER_LOSSES_APART = (1e-5, 1e-2, 1e-2)


@dataclass(frozen=True)
class Workload:
    """One network at one size. image: (h, w, c); choices: how many names each answer chooses from; parameters: how many
    the network must have. Either hconfigs, for CnnBasicModel; or a macro with its arguments, for CnnExtModel; or nodes,
    a function that gives them, for nets.Net."""

    name: str
    task: str
    image: tuple
    batch_size: int
    choices: list
    parameters: int
    hconfigs: list | None = None
    macro: tuple = ()
    nodes: object = None
    slow_textbook: bool = False

    @property
    def large(self):
        """Whether a step takes so long that fewer of them must do."""
        return self.nodes is not None


THREE_CONVS = [
    *(['conv', {'ksize': 3, 'chn': 6}], ['max', {'stride': 2}]),
    *(['conv', {'ksize': 3, 'chn': 12}], ['max', {'stride': 2}]),
    *(['conv', {'ksize': 3, 'chn': 24}], ['avg', {'stride': 3}]),
]
TWO_CONVS = [
    *(['conv', {'ksize': 5, 'chn': 6}], ['max', {'stride': 4}]),
    *(['conv', {'ksize': 3, 'chn': 12}], ['avg', {'stride': 2}]),
]
LENET = [
    *(['conv', {'ksize': 5, 'chn': 20, 'padding': 'VALID'}], ['max', {'stride': 2}]),
    *(['conv', {'ksize': 5, 'chn': 50, 'padding': 'VALID'}], ['max', {'stride': 2}]),
    ['full', {'width': 500}],
]


def flower(macro, side, parameters, actions):
    """A network of chapter 9 on pictures of flowers; where its convolutions have no batch normalisation, the name ends
    on their actions."""
    name = macro if 'B' in actions else f'{macro}_{actions.lower()}'
    return Workload(name, 'train', (side, side, 3), 10, [5], parameters, macro=(macro, {'#act': actions}))


WORKLOADS = {
    each.name: each
    for each in (
        Workload('flowers_model_3', 'train', (96, 96, 3), 10, [5], 9_761, TWO_CONVS),
        Workload('flowers_model_4', 'train', (96, 96, 3), 10, [5], 11_129, THREE_CONVS),
        Workload('office31_model_1', 'train', (96, 96, 3), 10, [3, 31], 55_702, THREE_CONVS),
        Workload('lenet', 'train', (28, 28, 1), 128, [10], 431_080, LENET, slow_textbook=True),
        flower('plain_flower', 64, 173_637, 'LAB'),
        flower('residual_flower', 64, 173_637, 'LAB'),
        flower('bottleneck_flower', 64, 189_925, 'LAB'),
        flower('inception_flower', 96, 43_885, 'LAB'),
        flower('inception_flower', 96, 43_885, 'LA'),
        Workload(
            *('resnet_18', 'train', (112, 112, 3), 16, [1000], 11_689_512),
            nodes=lambda: nets.resnet(nets.basic, (2, 2, 2, 2)),
            slow_textbook=True,
        ),
        Workload(
            *('resnet_50', 'infer', (224, 224, 3), 8, [1000], 25_557_032),
            nodes=lambda: nets.resnet(nets.bottleneck, (3, 4, 6, 3)),
        ),
        Workload('vgg_16', 'infer', (224, 224, 3), 4, [1000], 138_357_544, nodes=nets.vgg_16),
        Workload('inception_v3', 'infer', (299, 299, 3), 4, [1000], 23_817_352, nodes=nets.inception_v3),
    )
}
# An epoch of the flowers in batches of ten.
STEPS_AN_EPOCH = 380
ON_A_GPU = ('flowers_model_4', 'lenet', 'bottleneck_flower', 'inception_flower', 'resnet_18')


def everything_kept(config):
    """A layer's configuration with its macros filled in, in which no dropout drops anything."""
    kind, *rest = config
    if kind == 'custom':
        return everything_kept(chapters.CnnExtModel.get_macro(**rest[0]))
    if kind == 'dropout':
        return [kind, {'keep_prob': 1.0}]
    return [kind, *(part if isinstance(part, dict) else everything_kept(part) for part in rest)]


def make_batch(workload):
    """A data set that holds one batch of noise: tr_xs [n, h, w, c] around 0, tr_ys one-hot."""
    dataset = steps.make_dataset(workload.name, workload.choices, workload.batch_size, workload.image)
    dataset.tr_xs = dataset.tr_xs / np.float32(64) - np.float32(2)
    return dataset


def our_side(workload, dataset, conv=mathlib.conv):
    """Two functions and a model: one does the work once and returns loss or logits, one gives the same network in
    PyTorch; and the model of the book that does the work, None for a network of nodes.

    conv: where a network of nodes has its convolution from. Raises AssertionError if the network is not the one that
    its name promises.
    """
    x, y = to_device(dataset.tr_xs), to_device(dataset.tr_ys)
    if workload.nodes is None:
        network = macro_model(workload, dataset) if workload.macro else book_model(workload, dataset)
        nodes = None if workload.macro else nodes_of(workload)
        model, work = network, lambda: network.train_step(x, y)[0]
        pms = [*network.pm_hiddens, network.pm_output]
    else:
        network = nets.Net(workload.nodes(), workload.image, conv)
        model, nodes, pms = None, network.nodes, network.pms
        work = partial(network.infer, x) if workload.task == 'infer' else partial(network.step, x, y, LEARNING_RATE)
    if network.parameters.count != workload.parameters:
        raise AssertionError(
            f'{workload.name} has {network.parameters.count} parameters instead of {workload.parameters}'
        )

    def twin():
        if workload.macro:
            from tests.peers import torch_ext

            return torch_ext.Twin(network)
        from tests.bench import torch_nets

        return torch_nets.network(nodes, pms, workload.image[2])[0]

    return work, twin, model


def macro_model(workload, dataset):
    """CnnExtModel, started after He. What a dropout drops would differ from side to side, so none drops anything; its
    numbers are drawn all the same. The book's epsilon is beyond float32."""
    rng.seed()
    name, args = workload.macro
    config = everything_kept(['custom', {'name': name, 'args': args}])
    model = chapters.CnnExtModel(workload.name, dataset, [config], weight_init='he', epsilon=EPSILON)
    model.learning_rate = LEARNING_RATE
    return model


def book_model(workload, dataset):
    """CnnBasicModel with weights of He's standard deviation."""
    rng.seed()
    model = chapters.CnnBasicModel(workload.name, dataset, workload.hconfigs)
    model.use_adam, model.learning_rate = True, LEARNING_RATE
    for pm in [*model.pm_hiddens, model.pm_output]:
        for key in pm.keys() & {'k', 'w'}:
            pm[key] *= math.sqrt(2 / math.prod(pm[key].shape[:-1])) / model.rand_std
    return model


def nodes_of(workload):
    """A book's configuration, with its output layer, as nodes."""
    nodes = []
    for kind, options in workload.hconfigs:
        if kind == 'conv':
            padding = 0 if options.get('padding') == 'VALID' else None
            nodes.append(Conv(options['chn'], options['ksize'], padding=padding, norm='none'))
        elif kind == 'full':
            nodes.append(Full(options['width']))
        else:
            nodes.append({'max': Max, 'avg': Avg}[kind](options['stride'], options['stride']))
    return [*nodes, Full(sum(workload.choices), 'none')]


def textbook_side(workload, dataset):
    """The same training by the textbook's algorithm: a function that does one step and returns the loss."""
    if workload.nodes is not None:
        return our_side(workload, dataset, FullResolution())[0]
    model = book_model(workload, dataset)
    weights = [
        (pm[key], pm['b']) for pm in [*model.pm_hiddens, model.pm_output] for key in sorted(pm.keys() & {'k', 'w'})
    ]
    net = TextbookNet(workload.hconfigs, weights, dataset)
    x, y = to_device(dataset.tr_xs), to_device(dataset.tr_ys)
    return partial(net.train_step, x, y, LEARNING_RATE)


def torch_side(torch, workload, dataset, network, place, channels_last):
    """The same by a network in PyTorch: a function that returns loss or logits, a tensor."""
    kept_as = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(place, memory_format=kept_as)
    x = torch.tensor(dataset.tr_xs, device=place).permute(0, 3, 1, 2).contiguous(memory_format=kept_as)
    if workload.task == 'train':
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(learned, lr=LEARNING_RATE, fused=True)
        return steps.training_step(torch, network, optimizer, x, dataset.tr_ys, workload.choices)
    network.eval()

    def infer():
        with torch.inference_mode():
            return network(x)

    return infer


def first_results(workload, side):
    """What a side gives before the clock runs: the losses of its first steps, or its logits, as a host array."""
    if workload.task == 'train':
        return np.array([float(side.step()) for _ in LOSSES_APART])
    logits = side.step()
    return logits.cpu().numpy() if hasattr(logits, 'cpu') else to_host(logits)


def require_agreement(workload, results):
    """AssertionError unless every side's results are those of ours. results: {side: array}."""
    ours = results['ours']
    losses_apart = FLOWER_LOSSES_APART if workload.macro else LOSSES_APART
    allowed = np.array(losses_apart) if workload.task == 'train' else LOGITS_APART
    for name, theirs in results.items():
        if theirs.shape != ours.shape:
            raise AssertionError(f'{workload.name}: logits {list(ours.shape)}, but {name} gives {list(theirs.shape)}')
        apart = np.abs(theirs - ours) / np.abs(ours).max()
        if not (apart <= allowed).all():
            raise AssertionError(
                f'{workload.name}: the networks differ by {apart.max():.1e} of the largest number: ours '
                f'{ours.ravel()[:3]}, {name} {theirs.ravel()[:3]}'
            )


def run_case(workload, torch=None, place='cpu', rounds=None):
    """Measure one workload; a dict for the record. Without torch, the comparison is None."""
    dataset = make_batch(workload)
    work, twin, model = our_side(workload, dataset)
    if model is None:
        return measured(workload, dataset, work, twin, torch, place, rounds)
    # As in the epochs of a training, in which processes may share the steps.
    with shared_steps(model, workload.batch_size, STEPS_AN_EPOCH) as model.shared_steps:
        return measured(workload, dataset, work, twin, torch, place, rounds, model)


def measured(workload, dataset, work, twin, torch, place, rounds, model=None):
    """The dict for the record."""
    sides = {'ours': Side(work, backend.synchronize)}
    if torch is not None:
        for name, channels_last in (('torch', False), ('torch_channels_last', True)):
            step = torch_side(torch, workload, dataset, twin(), place, channels_last)
            sides[name] = Side(step, steps.waiting(torch, place))
    if workload.task == 'train' and place == 'cpu' and not workload.macro:
        sides['textbook'] = Side(textbook_side(workload, dataset), backend.synchronize, workload.slow_textbook)
    results = {name: first_results(workload, side) for name, side in sides.items()}
    require_agreement(workload, results)
    times, least = steps.measure(sides, rounds, workload.large)
    return {
        'network': workload.name,
        'task': workload.task,
        'image': list(workload.image),
        'batch_size': workload.batch_size,
        'processes': len(model.shared_steps.ranks) + 1 if model is not None and model.shared_steps is not None else 1,
        'parameters': workload.parameters,
        'first_losses': results['ours'].round(5).tolist() if workload.task == 'train' else None,
        'our_ms': times['ours'],
        **{f'{name}_ms': times.get(name) for name in ('torch', 'torch_channels_last', 'textbook')},
        'least_ms': least,
        **ratios(times),
    }


def ratios(times):
    """Our time by PyTorch's, by the better of PyTorch's two, and the textbook's by ours; None for what is missing."""
    ours, torch, last, textbook = (times.get(key) for key in ('ours', 'torch', 'torch_channels_last', 'textbook'))
    return {
        'ratio': round(ours / torch, 2) if torch else None,
        'ratio_best': round(ours / min(torch, last), 2) if torch else None,
        'textbook_ratio': round(textbook / ours, 1) if textbook else None,
    }


def line(case):
    """One case as a line of the printed table."""
    begin = f'{case["network"]:19} {case["task"]} {case["batch_size"]:4}: {case["our_ms"]:9.2f} ms'
    if case['ratio'] is not None:
        begin += (
            f', PyTorch {case["torch_ms"]:9.2f}, channels last {case["torch_channels_last_ms"]:9.2f}, '
            f'ratio {case["ratio"]:.2f}, to the best {case["ratio_best"]:.2f}'
        )
    return begin + (f', textbook {case["textbook_ratio"]:.1f} times as long' if case['textbook_ratio'] else '')
