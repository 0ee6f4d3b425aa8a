"""import_weights: published names and orders of axes, and what is told where they do not fit."""

import io
import math
import zipfile
from itertools import product

import numpy as np
import pytest
from safetensors.numpy import save_file

from chapters import CnnNetModel, import_weights, load, save
from chapters.nets.catalogue import make
from chapters.weightfiles import WeightsError
from chapters.weights import named_arrays
from data import DummyDataset
from mathlib.backend import to_host

LAYERS = [
    ['conv', {'ksize': [3, 2], 'chn': 4, 'actions': 'LBA', 'bias': False}],
    ['conv', {'ksize': 3, 'chn': 6, 'groups': 2}],
    ['batch_normal'],
    ['dropout', {'keep_prob': 0.5}],
    ['full', {'width': 5}],
]
NAMES = [('c1', 'n1'), ('c2', None), (None, 'n2'), ('f1', None), ('f2', None)]
HEIGHT, WIDTH, CHANNELS = 4, 3, 6
# Their shapes in the two layouts: an array each.
TORCH = {
    'c1.weight': (4, 3, 3, 2),
    'n1.weight': (4,),
    'n1.bias': (4,),
    'n1.running_mean': (4,),
    'n1.running_var': (4,),
    'c2.weight': (6, 2, 3, 3),
    'c2.bias': (6,),
    'n2.weight': (6,),
    'n2.bias': (6,),
    'n2.running_mean': (6,),
    'n2.running_var': (6,),
    'f1.weight': (5, HEIGHT * WIDTH * CHANNELS),
    'f1.bias': (5,),
    'f2.weight': (3, 5),
    'f2.bias': (3,),
}
KERAS_WORDS = {'running_mean': 'moving_mean', 'running_var': 'moving_variance'}


def net(hconfigs=LAYERS, name='net'):
    return CnnNetModel(name, DummyDataset('shapes', 'select', [HEIGHT, WIDTH, 3], [3]), hconfigs)


def numbered(shapes):
    """Arrays of these shapes in which no number comes twice."""
    starts = np.cumsum([0, *map(math.prod, shapes.values())])
    return {
        name: np.arange(start, start + math.prod(shape), dtype='float32').reshape(shape)
        for start, (name, shape) in zip(starts, shapes.items(), strict=False)
    }


def content(model):
    return {name: np.array(to_host(holder[key])) for name, holder, key in named_arrays(model)}


def refused(model, source, match, names=NAMES, **options):
    """Assert that an import is a WeightsError with this text, and that the model is as it was; returns the text."""
    before = content(model)
    with pytest.raises(WeightsError, match=match) as problem:
        import_weights(model, source, names=names, **options)
    after = content(model)
    assert all(np.array_equal(after[name], before[name]) for name in before)
    return str(problem.value)


def check_kernels(ours, theirs):
    """ours [kh, kw, c, o], theirs [o, c, kh, kw]."""
    for i, j, c, o in product(*map(range, ours.shape)):
        assert ours[i, j, c, o] == theirs[o, c, i, j]


def test_every_number_of_the_torchvision_layout_finds_its_place():
    theirs = numbered(TORCH)
    model = net()
    report = import_weights(model, {**theirs, 'n1.num_batches_tracked': np.array(7)}, names=NAMES)
    ours = content(model)
    check_kernels(ours['hidden.0.k'], theirs['c1.weight'])
    check_kernels(ours['hidden.1.k'], theirs['c2.weight'])
    for i, j, c, o in product(range(HEIGHT), range(WIDTH), range(CHANNELS), range(5)):
        place = c * HEIGHT * WIDTH + i * WIDTH + j
        assert ours['hidden.4.w'][(i * WIDTH + j) * CHANNELS + c, o] == theirs['f1.weight'][o, place]
    for i, o in product(range(5), range(3)):
        assert ours['output.w'][i, o] == theirs['f2.weight'][o, i]
    vectors = {
        'hidden.0.bn.scale': 'n1.weight',
        'hidden.0.bn.shift': 'n1.bias',
        'hidden.0.bn.mavg': 'n1.running_mean',
        'hidden.0.bn.mvar': 'n1.running_var',
        'hidden.1.b': 'c2.bias',
        'hidden.2.scale': 'n2.weight',
        'hidden.2.shift': 'n2.bias',
        'hidden.2.mavg': 'n2.running_mean',
        'hidden.2.mvar': 'n2.running_var',
        'hidden.4.b': 'f1.bias',
        'output.b': 'f2.bias',
    }
    for our, their in vectors.items():
        assert np.array_equal(ours[our], theirs[their])
    assert len(report.rows) == len(ours) == len(TORCH)
    assert report.rows[0] == ('1: conv kernel', 'c1.weight', (4, 3, 3, 2))
    assert report.ignored == ('n1.num_batches_tracked',)
    assert '2: conv bias           c2.bias          [6]' in str(report).splitlines()


def keras_form():
    """The numbers of TORCH as Keras keeps them: kernels and full layers in our order of axes."""
    theirs = {}
    for name, array in numbered(TORCH).items():
        layer, word = name.split('.')
        norm = layer[0] == 'n'
        new = {'weight': 'gamma' if norm else 'kernel', 'bias': 'beta' if norm else 'bias'}
        if word == 'weight' and not norm:
            if array.ndim == 4:
                array = np.einsum('ochw->hwco', array)
            elif layer == 'f1':
                array = np.einsum('ochw->hwco', array.reshape(5, CHANNELS, HEIGHT, WIDTH)).reshape(-1, 5)
            else:
                array = array.T
        theirs[layer, {**KERAS_WORDS, **new}[word]] = array
    return theirs


@pytest.mark.parametrize('form', ['{0}.{1}', '{0}/{1}:0', '{0}/{0}/{1}:0'])
def test_the_keras_layout_gives_the_same_model(form):
    first, second = net(), net()
    import_weights(first, numbered(TORCH), 'torchvision', NAMES)
    import_weights(second, {form.format(*key): array for key, array in keras_form().items()}, names=NAMES)
    assert all(np.array_equal(array, content(second)[name]) for name, array in content(first).items())


@pytest.mark.parametrize('kind', ['float16', 'float32', 'float64', '>f4'])
def test_files_of_every_float_type(kind, tmp_path):
    model = net()
    arrays = {name: array.astype(kind) for name, array in numbered(TORCH).items()}
    np.savez_compressed(tmp_path / 'a.npz', **arrays)
    import_weights(model, tmp_path / 'a.npz', names=NAMES)
    from_npz = content(model)
    if kind != '>f4':
        model = net()
        save_file(arrays, tmp_path / 'a.safetensors')
        import_weights(model, str(tmp_path / 'a.safetensors'), names=NAMES)
    assert all(np.array_equal(array, from_npz[name]) for name, array in content(model).items())
    assert np.array_equal(from_npz['hidden.1.b'], numbered(TORCH)['c2.bias'])


def test_arrays_that_are_not_contiguous(tmp_path):
    theirs = numbered(TORCH)
    turned = {name: np.asfortranarray(array) for name, array in theirs.items()}
    np.savez(tmp_path / 'a.npz', **turned)
    for source in (turned, tmp_path / 'a.npz'):
        model = net()
        import_weights(model, source, names=NAMES)
        check_kernels(content(model)['hidden.0.k'], theirs['c1.weight'])


# ---- what does not fit


def without(*names):
    return {name: array for name, array in numbered(TORCH).items() if name not in names}


def test_what_is_missing_and_what_is_left_over_are_both_listed():
    theirs = without('c2.bias', 'n2.running_var') | {'extra.weight': np.zeros(2)}
    text = refused(net(), theirs, 'does not fit net, which is as it was')
    assert 'it has no c2.bias for 2: conv bias [6]' in text
    assert 'it has no n2.running_var for 3: batch_normal mvar [6]' in text
    assert 'it has 1 arrays that the model has no place for: extra.weight' in text
    assert "make the convolutions with 'bias': False" not in text


def test_what_is_left_out_on_purpose():
    model = net()
    report = import_weights(model, {**numbered(TORCH), 'aux1.weight': np.zeros(2)}, names=NAMES, ignore=['aux'])
    assert report.ignored == ('aux1.weight',)


def test_a_layer_that_the_file_does_not_have_keeps_its_own():
    model = net()
    before = content(model)
    report = import_weights(model, without('f2.weight', 'f2.bias'), names=[*NAMES[:-1], (None, None)])
    assert report.kept == ('6: full kernel', '6: full bias')
    assert np.array_equal(content(model)['output.w'], before['output.w'])
    assert 'kept as they were: 6: full kernel, 6: full bias' in str(report)


def changed(**options):
    """LAYERS with other options in the first convolution."""
    return [['conv', {**LAYERS[0][1], **options}], *LAYERS[1:]]


@pytest.mark.parametrize(
    ('hconfigs', 'left_out', 'advice'),
    [
        (changed(rescale='shift'), (), "the file has batch-norm scales, the model none: make it with 'rescale': True"),
        (changed(rescale=False), (), "the file has batch-norm shifts, the model none: make it with 'rescale': True"),
        (LAYERS, ('n1.weight', 'n2.weight'), "batch-norm scales, the file none: make it with 'rescale': 'shift'"),
        (LAYERS, ('c2.bias', 'f1.bias', 'f2.bias'), "biases, the file none: make the convolutions with 'bias': False"),
        (
            [LAYERS[0], ['conv', {**LAYERS[1][1], 'bias': False}], *LAYERS[2:]],
            (),
            "the file has biases, the model none: make the convolutions with 'bias': True",
        ),
    ],
)
def test_advice_on_options(hconfigs, left_out, advice):
    assert advice in refused(net(hconfigs), without(*left_out), 'does not fit')


def test_advice_on_names():
    theirs = {f'module.{name}': array for name, array in numbered(TORCH).items()}
    text = refused(net(), theirs, r"begin with 'module.', module.c1.weight for c1.weight: .*removeprefix\('module.'\)")
    assert len(text.splitlines()) == 5 and 'another network' not in text
    theirs = without('c1.weight') | {'cc1.weight': np.zeros((4, 3, 3, 2), 'float32')}
    assert 'instead of c1.weight, is it cc1.weight?' in refused(net(), theirs, 'does not fit')
    assert "look like those of layout='torchvision'" in refused(net(), numbered(TORCH), 'no c1.kernel', layout='keras')


@pytest.mark.parametrize(
    ('name', 'array', 'match'),
    [
        (
            'c1.weight',
            np.zeros((4, 3, 2, 3), 'float32'),
            r'c1.weight is \[4, 3, 2, 3\], but 1: conv kernel takes \[4, 3, 3, 2\]',
        ),
        ('f1.bias', np.zeros((5, 1), 'float32'), r'f1.bias is \[5, 1\], but 5: full bias takes \[5\]'),
        ('c2.bias', np.zeros(6, 'int64'), 'c2.bias is of type int64: expected float16, float32, float64'),
        ('c2.bias', np.array([None] * 6), 'c2.bias is of type object'),
        ('c2.bias', np.full(6, np.nan), '6 of 6 numbers are not finite'),
    ],
)
def test_an_array_that_is_not_right(name, array, match, tmp_path):
    theirs = {**numbered(TORCH), name: array}
    refused(net(), theirs, match)
    np.savez(tmp_path / 'a.npz', **theirs)
    refused(net(), tmp_path / 'a.npz', match)


def test_bfloat16_is_told(tmp_path):
    save_file({name: array.astype('float16') for name, array in numbered(TORCH).items()}, tmp_path / 'a.safetensors')
    content_ = (tmp_path / 'a.safetensors').read_bytes()
    length = 8 + int.from_bytes(content_[:8], 'little')
    header = content_[8:length].replace(b'"F16"', b'"BF16"')
    (tmp_path / 'a.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header + content_[length:])
    refused(net(), tmp_path / 'a.safetensors', 'c1.weight is of type bfloat16: expected float16, float32, float64')


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (NAMES[:-1], 'has 5 layers with parameters, but there are names for 4'),
        ([*NAMES[:-1], 'f2'], "the names of a layer are 'f2': expected a pair"),
        ([('c1', None), *NAMES[1:]], 'has an array for the scale, but its names .* do not say'),
        ([*NAMES[:-1], ('f1', None)], 'several layers have the name f1'),
    ],
)
def test_names_that_do_not_fit(names, match):
    refused(net(), numbered(TORCH), match, names)


def test_names_of_the_catalogue():
    refused(net(), numbered(TORCH), 'net is no network of the catalogue', None)
    refused(make('resnet_8'), {}, "no names of resnet_8 in the layout 'torchvision': it knows layout='keras'", None)
    refused(net(), {}, "the layout 'caffe' is not known: expected 'torchvision' or 'keras'", layout='caffe')


def test_a_file_of_our_own_is_told(tmp_path):
    model = net()
    refused(model, save(model, tmp_path / 'net.safetensors'), r'it was written by save\(model, path\): load\(path\)')


def test_the_file_of_a_model_with_other_answers():
    theirs = numbered({**TORCH, 'f2.weight': (7, 5), 'f2.bias': (7,)})
    text = refused(net(), theirs, r'f2.weight is \[7, 5\], but 6: full kernel takes \[3, 5\]')
    assert 'only the output layer is of another width' in text and 'copy_matching' in text


def test_a_source_without_arrays():
    refused(net(), {}, 'this is another network: 0 of the 15 arrays of net are in it')


def test_arrays_of_the_readers_own_layers_are_told():
    class Scaled(CnnNetModel):
        def alloc_scale_layer(self, input_shape, hconfig):
            return {'factor': np.ones(1)}, input_shape

        def forward_scale_layer(self, x, hconfig, pm):
            return x * pm['factor'], None

        def backprop_scale_layer(self, G_y, hconfig, pm, aux):
            return G_y * pm['factor']

    model = Scaled('net', DummyDataset('shapes', 'select', [HEIGHT, WIDTH, 3], [3]), [['scale']])
    refused(model, {}, 'hidden.0.factor in layers that libraries do not have', [('fc', None)])


# ---- archives that lie


def archive(path, members):
    """A zip of these files: {name: content}."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content_ in members.items():
            file.writestr(name, content_)
    return path


def npy(array, shape=None):
    """An array as a .npy file; shape: what its header says instead of the truth."""
    file = io.BytesIO()
    header = {'descr': array.dtype.str, 'fortran_order': False, 'shape': shape or array.shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def members(**changed_ones):
    files = {f'{name}.npy': npy(array) for name, array in numbered(TORCH).items()}
    return {**files, **{f'{name}.npy'.replace('__', '.'): content_ for name, content_ in changed_ones.items()}}


@pytest.mark.parametrize(
    ('files', 'match'),
    [
        ({'data.pkl': b'x', 'version': b'3'}, 'it is a pickle'),
        ({'readme.txt': b'x'}, 'it holds no arrays, but readme.txt'),
        (members(c2__bias=npy(np.zeros(6, 'float32'), (10**12,))), r'c2.bias is \[1000000000000\], but'),
        (members(c2__bias=npy(np.zeros(2, 'float32'), (6,))), 'damaged, cut short'),
        (members(c2__bias=b'no array'), 'damaged, cut short'),
        (members(extra=npy(np.zeros(2**26, 'uint8'))), 'has no place for: extra'),
    ],
)
def test_archives_that_are_not_sound(files, match, tmp_path):
    refused(net(), archive(tmp_path / 'a.npz', files), match)


def test_a_source_of_another_kind():
    refused(net(), 5, '5 is no source of weights')
    refused(net(), {1: np.zeros(2)}, 'must have names')


def test_an_imported_model_is_saved_with_how_its_pictures_are_made_ready(tmp_path):
    theirs = keras_resnet_8()
    model = make('resnet_8')
    import_weights(model, theirs)
    back = load(save(model, tmp_path / 'net.safetensors'))
    assert back.prepare == model.prepare == 'cifar_raw'
    assert np.array_equal(content(back)['output.w'], theirs['dense.kernel'])


def keras_resnet_8():
    """Arrays in the form of the published file of resnet_8."""
    model = make('resnet_8')
    report_names = {}
    for name, holder, key in named_arrays(model):
        report_names[name] = np.array(to_host(holder[key]))
    convs = [name[:-2] for name in report_names if name.endswith('.k')]
    theirs, norms = {}, 0
    for n, conv in enumerate(convs):
        base = 'conv2d' + (f'_{n}' if n else '')
        theirs[f'{base}.kernel'], theirs[f'{base}.bias'] = report_names[f'{conv}.k'], report_names[f'{conv}.b']
        if f'{conv}.bn.scale' in report_names:
            norm = 'batch_normalization' + (f'_{norms}' if norms else '')
            norms += 1
            words = {'gamma': 'scale', 'beta': 'shift', 'moving_mean': 'mavg', 'moving_variance': 'mvar'}
            theirs |= {f'{norm}.{word}': report_names[f'{conv}.bn.{role}'] for word, role in words.items()}
    return {**theirs, 'dense.kernel': report_names['output.w'], 'dense.bias': report_names['output.b']}


def test_names_of_answers_that_cannot_be_read_leave_the_model_as_it_was(tmp_path):
    np.savez(tmp_path / 'a.npz', **numbered(TORCH))
    (tmp_path / 'synset_words.txt').write_bytes(b'\xff\xfe\xff')
    refused(net(), tmp_path / 'a.npz', 'cannot be read as a list of names')
