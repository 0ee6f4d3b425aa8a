"""Files of weights, opened with suspicion: .safetensors and .npz, which hold numbers and nothing else.

A file says in its header which arrays it holds. Names, shapes and types are looked at there, before a single number is
read, so that a header that lies costs neither memory nor time. Whatever is wrong with a file is a WeightsError that
names it.
"""

import contextlib
import lzma
import re
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from data.errors import shortened
from mathlib.backend import to_host, xp
from mathlib.errors import BookError

FLOATS = ('float16', 'float32', 'float64')
# What a safetensors header calls these and others.
SAFETENSORS_TYPES = {'F16': 'float16', 'F32': 'float32', 'F64': 'float64', 'BF16': 'bfloat16', 'BOOL': 'bool'} | {
    f'{letter}{bits}': f'{kind}{bits}' for letter, kind in (('I', 'int'), ('U', 'uint')) for bits in (8, 16, 32, 64)
}
# How many names an error lists before it only counts the others.
LISTED = 12

PICKLES = ('.pt', '.pth', '.pkl', '.pickle', '.ckpt', '.joblib')
PICKLE = (
    'it is a pickle, a small program that Python would run while it reads the file, so it is not opened. Take the '
    '.safetensors file that most publishers offer beside it, or, if you trust the file, write its arrays into a .npz '
    'yourself: numpy.savez(path, **{name: array.numpy() for name, array in torch.load(path).items()})'
)
# How files begin that are neither.
OTHERS = (
    (b'\x80', PICKLE),
    (b'\x93NUMPY', 'it is a single array (.npy): put all arrays with their names into one .npz with numpy.savez'),
    (b'\x89HDF', 'it is HDF5, as Keras writes it: write its arrays into a .npz with numpy.savez'),
    (b'version https://git-lfs', 'it is a pointer of Git LFS, not the file itself: download what it points to'),
    (b'<', 'it is a web page: the download went wrong'),
)
# What zipfile and NumPy raise for archives that are damaged, or made to look so; found by feeding them such files.
UNSOUND = (
    SafetensorError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    AttributeError,
    struct.error,
    tokenize.TokenError,
    lzma.LZMAError,
    zlib.error,
    zipfile.BadZipFile,
)


class WeightsError(BookError):
    """A file of weights cannot be written, read, or used for a model; the model is as it was before."""


class Source:
    """Arrays by name. where: what to call them in an error; arrays: {name: (shape, name of the type)}.

    metadata: {key: text}, empty where there is none.
    """

    def __init__(self, where, arrays, read, metadata=None):
        self.where = where
        self.arrays = arrays
        self.metadata = metadata or {}
        self._read = read

    def shape(self, name):
        """The shape of an array, a tuple."""
        return self.arrays[name][0]

    def read(self, name):
        """An array as a C-contiguous host array, of the shape and type that the header says."""
        with _told(self.where):
            array = np.asarray(self._read(name), order='C')
        shape, kind = self.arrays[name]
        if array.shape != shape or array.dtype.name != kind:
            raise WeightsError(
                f'{self.where}: {name} should be {kind} {list(shape)}, but is {array.dtype.name} {list(array.shape)}'
            )
        return array


@contextlib.contextmanager
def opened(source):
    """The Source for the path of a .safetensors or .npz file, or for a dict of arrays, inside a `with` block."""
    if isinstance(source, dict):
        yield _from_dict(source)
        return
    try:
        path = Path(source).expanduser()
    except (TypeError, RuntimeError):
        raise WeightsError(
            f'{source!r} is no source of weights: expected the path of a .safetensors or .npz file, or a dict'
        ) from None
    with contextlib.ExitStack() as stack:
        yield (_from_npz if _kind(path) == 'npz' else _from_safetensors)(path, stack)


def read_names(path):
    """The names of the answers from a file with one on each line; numbers of WordNet before them are left out."""
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except (OSError, ValueError) as problem:
        raise WeightsError(f'{path} cannot be read as a list of names: {problem}') from None
    return [re.sub(r'^n\d{8}\s+', '', line).strip() for line in lines if line.strip()]


def listed(items, separator=', '):
    """The items as text, only the first of many."""
    items = list(items)
    more = f'{separator}and {len(items) - LISTED} more' if len(items) > LISTED else ''
    return separator.join(items[:LISTED]) + more


def _from_dict(arrays):
    if not all(isinstance(name, str) for name in arrays):
        raise WeightsError('the dict of weights must have names, such as "conv1.weight", as its keys')
    with _told('the dict of weights'):
        held = {
            name: to_host(value) if isinstance(value, xp.ndarray) else np.asarray(value)
            for name, value in arrays.items()
        }
    known = {name: (array.shape, array.dtype.name) for name, array in held.items()}
    return Source('the dict of weights', known, held.__getitem__)


def _from_safetensors(path, stack):
    with _told(path):
        file = stack.enter_context(safe_open(path, framework='np'))
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        arrays = {name: (tuple(one.get_shape()), _type_name(one.get_dtype())) for name, one in slices.items()}
        return Source(str(path), arrays, file.get_tensor, file.metadata())


def _type_name(word):
    return SAFETENSORS_TYPES.get(str(word), str(word).lower())


def _from_npz(path, stack):
    with _told(path):
        # NumPy leaves a file open that turns out to be no archive, unless it was opened by somebody else.
        file = stack.enter_context(np.load(stack.enter_context(path.open('rb')), allow_pickle=False))
        members = [member for member in file.zip.namelist() if member.endswith('.npy')]
        if not members:
            held = file.zip.namelist()
            pickled = any(member.endswith('.pkl') for member in held)
            raise WeightsError(
                f'{path}: ' + (PICKLE if pickled else f'it holds no arrays, but {listed(held) or "nothing"}')
            )
        if len(set(members)) < len(members):
            raise WeightsError(f'{path}: it holds several arrays of one name')
        arrays = {member.removesuffix('.npy'): _npy_header(file.zip, member) for member in members}
        return Source(str(path), arrays, file.__getitem__)


def _npy_header(archive, member):
    """(shape, name of the type) of an array in an archive, without reading its numbers."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return tuple(shape), dtype.name


def _kind(path):
    """'npz' or 'safetensors', by how the file begins; a WeightsError for what is neither."""
    with _told(path):
        if path.is_dir():
            raise WeightsError(f'{path} is a folder: name the file in it')
        with path.open('rb') as file:
            begin = file.read(32)
    if path.suffix.lower() in PICKLES:
        raise WeightsError(f'{path}: {PICKLE}')
    if begin.startswith(b'PK'):
        return 'npz'
    # Eight bytes of length and a brace: a header as long as b'\x80' says could begin like a pickle.
    if begin[8:9] != b'{':
        for magic, what in OTHERS:
            if begin.startswith(magic):
                raise WeightsError(f'{path}: {what}')
    return 'safetensors'


@contextlib.contextmanager
def _told(where):
    """Inside, what goes wrong in the libraries that read files becomes a WeightsError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise WeightsError(f'{where} does not exist') from None
    except UNSOUND as problem:
        raise WeightsError(
            f'{where} cannot be read ({type(problem).__name__}: {shortened(problem)}): it is damaged, cut short, or '
            f'neither .safetensors nor .npz'
        ) from None
