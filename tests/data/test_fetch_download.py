"""Downloads against a server that stalls, cuts, lies about length, changes the file, and answers 404 and 503."""

import errno
import hashlib
import json
import random
import shutil

import pytest

from data.errors import DataError
from data.fetch import sources
from data.fetch.download import bring
from data.fetch.sources import Download, Origin
from tests.data import fetch_server as web

CONTENT = random.Random(1).randbytes(3 * 1024 * 1024 + 17)
SHA256 = 'sha256:' + hashlib.sha256(CONTENT).hexdigest()
MD5 = 'md5:' + hashlib.md5(CONTENT).hexdigest()
SIZE = len(CONTENT)
HALF = SIZE // 2


@pytest.fixture(scope='module')
def server():
    with web.running() as running:
        yield running


@pytest.fixture
def fetch(tmp_path):
    """bring() with a short timeout and pauses that are noted instead of waited for."""

    class Fetch:
        def __init__(self):
            self.pauses, self.said = [], []
            self.folder = tmp_path / 'downloads'

        def __call__(self, *origins, **options):
            options = {'timeout': 0.3, 'attempts': 3} | options
            item = Download('set.tgz', origins)
            return bring(item, self.folder, pause=self.pauses.append, say=self.said.append, **options)

        def names(self):
            return sorted(path.name for path in self.folder.iterdir())

    return Fetch()


@pytest.mark.parametrize('digest', [SHA256, MD5, ''])
@pytest.mark.parametrize('answer', [web.good, web.no_ranges, web.no_length])
def test_a_good_file_arrives_whole_and_alone(server, fetch, answer, digest):
    path, origin = fetch(Origin(server.serve('/good', answer(CONTENT)), digest))
    assert path.read_bytes() == CONTENT
    assert origin.digest == digest
    assert fetch.names() == ['set.tgz']
    assert fetch.pauses == []


def test_a_cut_file_is_resumed_where_it_stopped(server, fetch):
    url = server.serve('/cut', web.announces(SIZE, CONTENT[:HALF]), web.good(CONTENT))
    path, _ = fetch(Origin(url, SHA256))
    assert path.read_bytes() == CONTENT
    assert server.ranges('/cut') == [None, f'bytes={HALF}-']
    assert fetch.said == [f'set.tgz: the line ended after {HALF:,} of {SIZE:,} bytes; trying again in 1 s']


def test_a_stalled_file_is_resumed_after_the_timeout(server, fetch):
    path, _ = fetch(Origin(server.serve('/stall', web.stalls(CONTENT, HALF), web.good(CONTENT)), SHA256))
    assert path.read_bytes() == CONTENT
    assert server.ranges('/stall') == [None, f'bytes={HALF}-']
    assert fetch.said == [f'set.tgz: nothing came for 0.3 s after {HALF:,} bytes; trying again in 1 s']


def test_the_next_call_resumes_what_an_earlier_one_left(server, fetch):
    url = server.serve('/later', web.announces(SIZE, CONTENT[:HALF]))
    with pytest.raises(DataError, match=f'{HALF:,} bytes are kept'):
        fetch(Origin(url, SHA256), attempts=1)
    assert fetch.names() == ['set.tgz.part', 'set.tgz.part.json']
    note = json.loads((fetch.folder / 'set.tgz.part.json').read_text())
    assert note == {'url': url, 'validator': '"v1"', 'total': SIZE, 'digest': SHA256}
    server.serve('/later', web.good(CONTENT))
    assert fetch(Origin(url, SHA256))[0].read_bytes() == CONTENT
    assert server.ranges('/later') == [None, f'bytes={HALF}-']
    assert fetch.names() == ['set.tgz']


def test_a_file_that_is_there_and_right_is_not_asked_for(server, fetch):
    origin = Origin(server.serve('/once', web.good(CONTENT)), SHA256)
    fetch(origin)
    assert fetch(origin) == (fetch.folder / 'set.tgz', None)
    assert len(server.ranges('/once')) == 1


def test_a_server_without_ranges_starts_again(server, fetch):
    url = server.serve('/whole', web.announces(SIZE, CONTENT[:HALF]), web.no_ranges(CONTENT))
    assert fetch(Origin(url, SHA256))[0].read_bytes() == CONTENT
    assert server.ranges('/whole') == [None, f'bytes={HALF}-']


def test_a_file_that_changed_in_between_is_not_mixed(server, fetch):
    new = CONTENT[::-1]
    url = server.serve('/changed', web.announces(SIZE, CONTENT[:HALF]), web.good(new, etag='"v2"'))
    assert fetch(Origin(url))[0].read_bytes() == new


def test_a_stitched_file_with_a_wrong_digest_is_fetched_once_more_from_the_start(server, fetch):
    url = server.serve('/mixed', web.announces(SIZE, CONTENT[::-1][:HALF]), web.good(CONTENT))
    assert fetch(Origin(url, SHA256))[0].read_bytes() == CONTENT
    assert server.ranges('/mixed') == [None, f'bytes={HALF}-', None]


def test_another_address_goes_on_with_the_same_file(server, fetch):
    first = server.serve('/first', web.announces(SIZE, CONTENT[:HALF]), web.status(404))
    second = server.serve('/second', web.good(CONTENT, etag='"other"'))
    path, origin = fetch(Origin(first, SHA256), Origin(second, SHA256))
    assert path.read_bytes() == CONTENT
    assert origin.url == second
    assert server.ranges('/second') == [f'bytes={HALF}-']


def test_without_a_checksum_another_address_starts_from_nothing(server, fetch):
    first = server.serve('/first', web.announces(SIZE, CONTENT[:HALF]), web.status(404))
    second = server.serve('/fresh', web.good(CONTENT))
    assert fetch(Origin(first), Origin(second))[0].read_bytes() == CONTENT
    assert server.ranges('/fresh') == [None]


@pytest.mark.parametrize('announced', [SIZE - 1000, SIZE + 1000])
def test_a_length_that_is_not_the_known_one_is_refused_before_a_byte(server, fetch, announced):
    server.asked.clear()
    url = server.serve('/lies', web.announces(announced, CONTENT))
    with pytest.raises(DataError, match=f'announces {announced:,} bytes where the file has {SIZE:,}'):
        fetch(Origin(url, SHA256, SIZE))
    assert fetch.names() == []
    assert server.ranges('/lies') == [None]


def test_a_length_that_is_too_long_ends_after_the_attempts(server, fetch):
    server.asked.clear()
    url = server.serve('/long', web.announces(SIZE + 1000, CONTENT))
    with pytest.raises(DataError, match=f'the line ended after {SIZE:,} of {SIZE + 1000:,} bytes'):
        fetch(Origin(url, SHA256))
    assert len(server.ranges('/long')) == 3


def test_a_length_that_is_too_short_fails_the_checksum(server, fetch):
    url = server.serve('/short', web.announces(SIZE - 1000, CONTENT))
    found = hashlib.sha256(CONTENT[:-1000]).hexdigest()
    with pytest.raises(DataError, match=f'the sha256 is {found}, published is {SHA256.removeprefix("sha256:")}'):
        fetch(Origin(url, SHA256))
    assert fetch.names() == []


def test_404_goes_to_the_next_address_at_once(server, fetch):
    gone, there = server.serve('/gone', web.status(404)), server.serve('/there', web.good(CONTENT))
    path, origin = fetch(Origin(gone, SHA256), Origin(there, SHA256))
    assert (path.read_bytes(), origin.url) == (CONTENT, there)
    assert len(server.ranges('/gone')) == 1
    assert fetch.pauses == []


def test_503_waits_as_long_as_the_server_asks_and_no_longer_than_a_minute(server, fetch):
    busy = [web.status(503, Retry_After='7'), web.status(503, Retry_After='86400'), web.good(CONTENT)]
    assert fetch(Origin(server.serve('/busy', *busy), SHA256))[0].read_bytes() == CONTENT
    assert fetch.pauses == [7, 60]


def test_pauses_grow_and_attempts_end(server, fetch):
    with pytest.raises(DataError, match=r'/down: the server answered 503 Service Unavailable \(x5\)'):
        fetch(Origin(server.serve('/down', web.status(503)), SHA256), attempts=5)
    assert fetch.pauses == [1, 2, 4, 8]
    assert len(server.ranges('/down')) == 5


def test_getting_on_counts_anew(server, fetch):
    """Three cuts with a megabyte each between them, and only two attempts."""
    step = 1024 * 1024

    def one_step(handler, running):
        start = int((handler.headers['Range'] or 'bytes=0-')[6:-1])
        body = CONTENT[start : start + step]
        head = {'Content-Length': SIZE - start, 'ETag': '"v1"'}
        place = {'Content-Range': f'bytes {start}-{SIZE - 1}/{SIZE}'} if start else {}
        web.send(handler, 206 if start else 200, head | place, body)

    path, _ = fetch(Origin(server.serve('/steps', one_step), SHA256), attempts=2)
    assert path.read_bytes() == CONTENT
    assert server.ranges('/steps') == [None, *(f'bytes={step * n}-' for n in (1, 2, 3))]


def test_all_addresses_are_named_with_what_came(server, fetch):
    gone, page = server.serve('/none', web.status(410)), server.serve('/page', web.page(b'<html>log in</html>'))
    with pytest.raises(DataError) as caught:
        fetch(Origin(gone, SHA256), Origin(page, SHA256))
    assert f'{gone}: the server answered 410 Gone' in str(caught.value)
    assert f'{page}: the server sent a web page instead of the file' in str(caught.value)
    assert 'python -m data import FILE' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_nobody_at_the_address(fetch):
    with pytest.raises(DataError, match=r'no connection: .* \(x3\)'):
        fetch(Origin('http://127.0.0.1:9/file', SHA256))


def test_a_damaged_note_means_a_fresh_start(server, fetch):
    fetch.folder.mkdir()
    (fetch.folder / 'set.tgz.part').write_bytes(b'what is this')
    (fetch.folder / 'set.tgz.part.json').write_text('{"url": 1')
    assert fetch(Origin(server.serve('/fresh2', web.good(CONTENT)), SHA256))[0].read_bytes() == CONTENT
    assert server.ranges('/fresh2') == [None]


def test_a_part_longer_than_the_file_is_thrown_away(server, fetch):
    url = server.serve('/416', web.good(CONTENT))
    fetch.folder.mkdir()
    (fetch.folder / 'set.tgz.part').write_bytes(CONTENT + b'more')
    note = {'url': url, 'validator': '"v1"', 'total': SIZE + 9, 'digest': SHA256}
    (fetch.folder / 'set.tgz.part.json').write_text(json.dumps(note))
    assert fetch(Origin(url, SHA256))[0].read_bytes() == CONTENT
    assert server.ranges('/416') == [f'bytes={SIZE + 4}-', None]


def test_too_little_room_is_said_before_the_download(server, fetch, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(DataError, match=f'set.tgz needs {SIZE:,} bytes, and .* has 1,000 free'):
        fetch(Origin(server.serve('/room', web.good(CONTENT)), SHA256, SIZE))
    assert server.ranges('/room') == []


def test_a_full_disk_is_an_error_that_keeps_what_came(server, fetch, monkeypatch):
    def full(bar, position, total):
        if position:
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('data.fetch.download._Bar.__call__', full)
    with pytest.raises(DataError, match='No space left on device. What has arrived is kept'):
        fetch(Origin(server.serve('/full', web.good(CONTENT)), SHA256))
    assert fetch.names() == ['set.tgz.part', 'set.tgz.part.json']


def test_a_folder_that_cannot_be_made_is_an_error(server, fetch):
    fetch.folder.write_text('a file where the folder should be')
    with pytest.raises(DataError, match='cannot write .*downloads'):
        fetch(Origin(server.serve('/any', web.good(CONTENT)), SHA256))


def test_ctrl_c_keeps_what_came(server, fetch):
    def pressed(seconds):
        raise KeyboardInterrupt

    url = server.serve('/ctrl-c', web.announces(SIZE, CONTENT[:HALF]))
    with pytest.raises(KeyboardInterrupt):
        bring(Download('set.tgz', (Origin(url, SHA256),)), fetch.folder, pause=pressed, say=fetch.said.append)
    assert (fetch.folder / 'set.tgz.part').read_bytes() == CONTENT[:HALF]


def test_every_source_is_reached_safely_and_verified():
    lengths = {'md5': 32, 'sha256': 64}
    origins = [origin for source in sources.SOURCES.values() for item in source.downloads for origin in item.origins]
    for origin in origins:
        algorithm, digest = origin.digest.split(':')
        assert origin.url.startswith('https://')
        assert len(bytes.fromhex(digest)) * 2 == lengths[algorithm]
