"""python -m data fetch weights: the pointer, the file, and what is wrong with either, against a local server."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save

from data import __main__ as commands
from data import location
from data.errors import DataError
from data.fetch import weights
from mathlib import settings
from tests.data import fetch_server as web

NUMBERS = {'fc.weight': np.arange(12, dtype=np.float32).reshape(3, 4), 'fc.bias': np.ones(3, np.float32)}
CONTENT = save(NUMBERS)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RAW, FILE = '/some/net/raw/main/model.safetensors', '/some/net/resolve/main/model.safetensors'


def pointer(sha256=SHA256, content=CONTENT):
    size = len(content)
    return f'version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n'.encode()


@pytest.fixture(scope='module')
def server():
    with web.running() as running:
        yield running


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    """fetch_weights('net') from the local server; what it said is in fetch.said."""
    published = weights.Published('A net', 'some/net', sha256=SHA256, renamed=(('head', 'fc'),))
    monkeypatch.setitem(weights.WEIGHTS, 'net', published)
    server.asked.clear()
    server.serve(RAW, web.good(pointer()))
    server.serve(FILE, web.good(CONTENT))

    def fetch(**options):
        options = {'home': server.home, 'pause': lambda seconds: None, 'attempts': 2, 'timeout': 0.3} | options
        return weights.fetch_weights('net', tmp_path / 'data', say=fetch.said.append, **options)

    fetch.said, fetch.place = [], tmp_path / 'data' / 'weights' / 'net' / 'model.safetensors'
    return fetch


def files(folder):
    return sorted(path.name for path in folder.rglob('*') if path.is_file())


def test_the_file_arrives_whole_and_alone(server, fetch, tmp_path):
    assert fetch() == fetch.place
    assert fetch.place.read_bytes() == CONTENT
    assert files(tmp_path) == ['model.safetensors']
    assert not (tmp_path / 'data' / '.downloads').exists()
    assert [path for path, _ in server.asked] == [RAW, FILE]
    assert fetch.said[-2:] == [
        f'net: checksum as published; 2 tensors, 15 numbers in {fetch.place}',
        '  note: head in this file is fc in torchvision',
    ]


def test_the_network_that_a_file_is_for_is_named(fetch, monkeypatch):
    published = weights.Published('A net', 'some/net', sha256=SHA256, network='net_5')
    monkeypatch.setitem(weights.WEIGHTS, 'net', published)
    fetch()
    assert fetch.said[-1].endswith('it is for the network net_5: python -m chapters classify --net net_5')


def test_what_is_there_stays_unless_it_is_to_be_replaced(server, fetch):
    fetch.place.parent.mkdir(parents=True)
    fetch.place.write_bytes(b'mine')
    fetch()
    assert (fetch.place.read_bytes(), server.asked) == (b'mine', [])
    fetch(replace=True)
    assert fetch.place.read_bytes() == CONTENT


def test_a_cut_file_is_kept_and_the_next_call_goes_on(server, fetch):
    server.serve(FILE, web.announces(len(CONTENT), CONTENT[:50]))
    with pytest.raises(DataError, match='50 bytes are kept, the same command goes on from there. Or fetch it with'):
        fetch(attempts=1)
    assert not fetch.place.exists()
    server.serve(FILE, web.good(CONTENT))
    assert fetch().read_bytes() == CONTENT
    assert server.ranges(FILE) == [None, 'bytes=50-']


@pytest.mark.parametrize(
    ('answer', 'message'),
    [
        (web.good(pointer('0' * 64)), f'notes the sha256 {"0" * 64}, published is {SHA256}: the file was exchanged'),
        (web.good(b'oid md5:12\n'), r"is no Git LFS pointer \(version, oid sha256, size\): it begins with 'oid md5"),
        (web.good(CONTENT * 20), 'is no Git LFS pointer'),
        (web.page(b'<html>log in</html>'), 'sent a web page instead of the file'),
        (web.status(404), '404.* Or fetch it with a browser from .*/some/net and save it as .*model.safetensors'),
    ],
)
def test_a_wrong_pointer_ends_it_before_the_file(server, fetch, tmp_path, answer, message):
    server.serve(RAW, answer)
    with pytest.raises(DataError, match=message):
        fetch()
    assert server.ranges(FILE) == []
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (CONTENT[::-1], 'the sha256 is [0-9a-f]+, published is [0-9a-f]+; the file was removed'),
        (CONTENT + b'more', f'announces {len(CONTENT) + 4} bytes where the file has {len(CONTENT)}'),
    ],
)
def test_another_file_than_the_pointers_is_not_kept(server, fetch, tmp_path, content, message):
    server.serve(FILE, web.good(content))
    with pytest.raises(DataError, match=message):
        fetch()
    assert files(tmp_path) == []


def test_a_file_that_is_no_safetensors_file_is_not_moved_in(server, fetch, monkeypatch):
    pickled = b'\x80\x04' + bytes(100)
    sha256 = hashlib.sha256(pickled).hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, 'net', weights.Published('A net', 'some/net'))
    server.serve(RAW, web.good(pointer(sha256, pickled)))
    server.serve(FILE, web.good(pickled))
    with pytest.raises(DataError, match='is no sound safetensors file'):
        fetch()
    assert not fetch.place.exists()


def test_a_place_that_cannot_be_written_is_an_error(fetch, tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'weights').write_text('a file where the folder should be')
    with pytest.raises(DataError, match='cannot write .*weights.*--into'):
        fetch()


def test_every_network_is_pinned_or_checked_by_its_pointer():
    assert set(weights.WEIGHTS) == {
        *('alexnet', 'vgg16', 'googlenet', 'inception_v3'),
        *(f'resnet{layers}' for layers in (18, 34, 50, 101, 152)),
    }
    for published in weights.WEIGHTS.values():
        assert published.sha256 == '' or len(bytes.fromhex(published.sha256)) == 32
        assert published.revision == 'main' or len(bytes.fromhex(published.revision)) == 20
        address = published.address('resolve', weights.HOME)
        assert address.startswith('https://huggingface.co/') and address.endswith('/model.safetensors')


def test_where_the_weights_are(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'data_dir', tmp_path)
    with pytest.raises(DataError, match='python -m data fetch weights resnet18'):
        location.weights('resnet18')
    for root in (tmp_path, tmp_path / 'build' / 'data'):
        place = root / 'weights' / 'resnet18' / 'model.safetensors'
        place.parent.mkdir(parents=True)
        place.write_bytes(CONTENT)
        assert location.weights('resnet18') == place
        monkeypatch.setattr(settings, 'data_dir', None)
        monkeypatch.setattr(settings, 'BUILD', tmp_path / 'build')


def run(capsys, *arguments):
    try:
        status = commands.main([str(argument) for argument in arguments])
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    return status, out.splitlines(), err.splitlines()


def test_the_command_fetches_and_list_shows_it(fetch, server, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(weights.WEIGHTS, 'other', weights.WEIGHTS['net'])
    defaults = weights.fetch_weights.__kwdefaults__ | {'home': server.home}
    monkeypatch.setattr(weights.fetch_weights, '__kwdefaults__', defaults)
    status, out, err = run(capsys, 'fetch', 'weights', 'net', 'other', '--into', tmp_path / 'data')
    assert (status, err) == (0, [])
    assert [line for line in out if 'checksum as published' in line][1].startswith('other: ')
    line = run(capsys, 'list', '--in', tmp_path / 'data')[1][-1]
    assert line.split() == ['weights', '2', f'{2 * len(CONTENT)}', 'bytes', 'net,', 'other']


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['weights'], 'fetch weights: of which network? One or more of alexnet'),
        (['weights', 'resnet_50'], "'resnet_50' is not known: expected alexnet, .* Did you mean 'resnet50'"),
        (['weights', 'flowers'], "'flowers' is not known: expected alexnet"),
        (['flowers', 'weights'], "'weights' is not known: expected flowers"),
        (['resnet50'], "error: 'resnet50' is not known: expected flowers"),
    ],
)
def test_wrong_names_are_one_line_and_status_2(capsys, arguments, said):
    status, out, err = run(capsys, 'fetch', *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert said.split('.*')[0] in err[0] and said.split('.*')[-1] in err[0]
