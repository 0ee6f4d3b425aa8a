"""One file from the internet to the disk: resumed where it stopped, retried a bounded number of times, verified.

What has arrived lies in NAME.part, with NAME.part.json beside it (address, validator, total length), so that the same
command goes on after a broken line, a full disk or Ctrl-C.
"""

import email.utils
import hashlib
import http.client
import json
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data.errors import DataError

BLOCK = 256 * 1024
PROGRESS = 1024 * 1024
LARGEST = 4 * 1024**3
LONGEST_PAUSE = 60

BY_HAND = 'Or fetch the file with a browser and run: python -m data import FILE'

_wait = threading.Event().wait


class _Again(Exception):
    """This attempt failed in a way that the next one may not. `pause`: seconds that the server asked for."""

    def __init__(self, message, pause=None):
        super().__init__(message)
        self.pause = pause


class _Elsewhere(Exception):
    """This address will not give the file; another one may."""


@dataclass
class _Part:
    """A partial file and what is known about it: address, validator (ETag or Last-Modified), total length, digest."""

    path: Path
    url: str = ''
    validator: str = ''
    total: int | None = None
    digest: str = ''

    @property
    def side(self):
        return self.path.with_name(self.path.name + '.json')

    @property
    def size(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def load(self):
        """Read the note beside the partial file; without a readable note the partial file is worth nothing."""
        try:
            known = json.loads(self.side.read_text(encoding='utf-8'))
            self.url, self.validator = str(known['url']), str(known['validator'])
            self.total = None if known['total'] is None else int(known['total'])
            self.digest = str(known['digest'])
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.drop()
        return self

    def save(self):
        known = {'url': self.url, 'validator': self.validator, 'total': self.total, 'digest': self.digest}
        self.side.write_text(json.dumps(known), encoding='utf-8')

    def drop(self):
        self.path.unlink(missing_ok=True)
        self.side.unlink(missing_ok=True)
        self.url, self.validator, self.total, self.digest = '', '', None, ''


def checksum(path, algorithm):
    """The hex digest of a file."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _retry_after(headers):
    """Seconds that a 'Retry-After' header asks for (a number or a date), or None."""
    value = headers.get('Retry-After', '').strip()
    if value.isdigit():
        return min(int(value), LONGEST_PAUSE)
    date = email.utils.parsedate_tz(value)
    return min(max(0, email.utils.mktime_tz(date) - time.time()), LONGEST_PAUSE) if date else None


def _open(origin, part, timeout):
    """Ask for the file, or for the rest of it. Returns the response and the position that it starts from."""
    have = part.size
    headers = {'User-Agent': 'python-data-fetch', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
        if part.url == origin.url and part.validator:
            headers['If-Range'] = part.validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(origin.url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:
                part.drop()
                raise _Again('416: the part that was here does not fit what the server has; starting again') from None
            said = f'the server answered {error.code} {error.reason}'
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _Again(said, _retry_after(error.headers)) from None
            raise _Elsewhere(said) from None
    except TimeoutError:
        raise _Again(f'no answer within {timeout:g} s') from None
    except urllib.error.URLError as error:
        raise _Again(f'no connection: {error.reason}') from None
    except (OSError, http.client.HTTPException) as error:
        raise _Again(f'no proper answer: {error or type(error).__name__}') from None
    return response, have


def _begin(response, have, origin, part):
    """Look at the answer's header. Returns the position to write from; notes total length and validator."""
    headers = response.headers
    if headers.get_content_type() == 'text/html':
        raise _Elsewhere('the server sent a web page instead of the file')
    start, total = 0, headers.get('Content-Length')
    if response.status == 206:
        place = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', headers.get('Content-Range', ''))
        if not place or int(place[1]) != have:
            part.drop()
            raise _Again(f'the server sent another part than the one asked for ({headers.get("Content-Range")})')
        start, total = have, place[2]
    total = int(total) if total and total.isdigit() else None
    if origin.size and total not in (None, origin.size):
        part.drop()
        raise _Elsewhere(f'the server announces {total:,} bytes where the file has {origin.size:,}')
    if start and part.total and total not in (None, part.total):
        part.drop()
        raise _Again('the file changed on the server while it was being fetched; starting again')
    etag = headers.get('ETag', '')
    part.validator = etag if etag and not etag.startswith('W/') else headers.get('Last-Modified', '')
    part.url, part.total, part.digest = origin.url, total or origin.size, origin.digest
    return start


def _attempt(origin, part, timeout, bar):
    """Bring what is missing of the file, once."""
    same = part.url == origin.url and part.validator
    if part.size and not (same or (origin.digest and part.digest == origin.digest)):
        part.drop()
    if part.total and part.size == part.total:
        return
    response, have = _open(origin, part, timeout)
    with response:
        start = _begin(response, have, origin, part)
        part.save()
        limit = part.total or LARGEST + 1
        with part.path.open('r+b' if start else 'wb') as file:
            file.seek(start)
            file.truncate()
            bar(start, part.total)
            while file.tell() < limit:
                try:
                    block = response.read1(min(BLOCK, limit - file.tell()))
                except TimeoutError:
                    raise _Again(f'nothing came for {timeout:g} s after {file.tell():,} bytes') from None
                except (OSError, http.client.HTTPException) as error:
                    raise _Again(f'the line broke after {file.tell():,} bytes ({type(error).__name__})') from None
                if not block:
                    break
                file.write(block)
                bar(file.tell(), part.total)
    if part.total and part.size < part.total:
        raise _Again(f'the line ended after {part.size:,} of {part.total:,} bytes')
    if part.size > LARGEST:
        part.drop()
        raise _Elsewhere(f'the server sent more than {LARGEST:,} bytes')


def _verify(origin, part, stitched):
    """Compare the complete file with the published checksum; a wrong one is removed."""
    if not origin.digest:
        return
    algorithm, _, expected = origin.digest.partition(':')
    found = checksum(part.path, algorithm)
    if found == expected:
        return
    part.drop()
    said = f'the {algorithm} is {found}, published is {expected}; the file was removed'
    raise (_Again if stitched else _Elsewhere)(said)


def _prepare(path, item):
    """The folder, and room in it. A file of an earlier call that verifies is returned as True."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        digests = [origin.digest.partition(':') for origin in item.origins if origin.digest]
        if any(checksum(path, algorithm) == digest for algorithm, _, digest in digests):
            return True
        path.unlink()
    need = max((origin.size or 0) for origin in item.origins)
    free = shutil.disk_usage(path.parent).free
    if need > free:
        raise DataError(
            f'{item.name} needs {need:,} bytes, and {path.parent} has {free:,} free. '
            'Make room, or name another folder with --into.'
        )
    return False


class _Bar:
    """A progress bar for people at a terminal; silent elsewhere."""

    def __init__(self, name):
        self.bar = tqdm(desc=name, unit='B', unit_scale=True, disable=None, leave=False)

    def __call__(self, position, total):
        self.bar.total = total
        self.bar.update(position - self.bar.n)


def bring(item, folder, *, timeout=30, attempts=4, pause=_wait, say=print, otherwise=BY_HAND):
    """Bring one file into `folder` and verify it; what an earlier call left behind is used.

    item      the Download (name and origins)
    attempts  tries at each address without getting on; a try that brought 1 MiB or more counts anew
    pause     called with the seconds to wait before the next try (1, 2, 4, ... or what the server asked for)
    otherwise what else can be done, for the error's last sentence
    Returns (path, origin). DataError: no origin gave the file (each address and what came), no room, no permission.
    """
    path = Path(folder) / item.name
    part = _Part(path.with_name(path.name + '.part'))
    try:
        if _prepare(path, item):
            return path, None
        part.load()
        origin = _from_any(item, part, timeout, attempts, pause, say, otherwise)
        part.path.replace(path)
        part.drop()
        return path, origin
    except OSError as error:
        raise DataError(
            f'cannot write {error.filename or path}: {error.strerror or error}. What has arrived is kept; make room or '
            'correct the permissions and run the same command again, or name another folder with --into.'
        ) from error


def _from_any(item, part, timeout, attempts, pause, say, otherwise):
    """Try the origins in turn until one has given the whole file."""
    failures, most = [], part.size
    for origin in item.origins:
        failed = 0
        while failed < attempts:
            before = part.size
            bar = _Bar(item.name)
            try:
                _attempt(origin, part, timeout, bar)
                _verify(origin, part, stitched=before > 0)
                return origin
            except _Elsewhere as problem:
                failures.append(f'{origin.url}: {problem}')
                break
            except _Again as problem:
                failures.append(f'{origin.url}: {problem}')
                # Against the most that was ever here, so that a server that starts again and again comes to an end.
                failed = 1 if part.size - most >= PROGRESS else failed + 1
                most = max(most, part.size)
                if failed < attempts:
                    wait = problem.pause if problem.pause is not None else min(2 ** (failed - 1), LONGEST_PAUSE)
                    say(f'{item.name}: {problem}; trying again in {wait:.0f} s')
                    pause(wait)
            finally:
                bar.bar.close()
        if origin is not item.origins[-1]:
            say(f'{item.name}: {failures[-1]}; trying the next address')
    tried = '; '.join(f'{text} (x{failures.count(text)})' for text in dict.fromkeys(failures))
    kept = f' {part.size:,} bytes are kept, the same command goes on from there.' if part.size else ''
    raise DataError(f'{item.name} could not be fetched. {tried}.{kept} {otherwise}')
