"""Feed spoilt files to readers, in a process of its own: `python -m tests.fuzz.trial READERS BEGIN END SEED FOLDER`.

The process may have so much memory and no more, each input so many seconds, and a guard notes every file that is opened
to be written outside the folder, every program that is started and every connection that is made. A line of JSON comes
out for each input; an input without one is that at which the process ended.
"""

import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from data import location
from mathlib import settings
from mathlib.errors import BookError
from tests.fuzz.cases import Case
from tests.fuzz.readers import READERS

MEMORY = 1024**3  # beyond what the process has when it begins
STATM = Path('/proc/self/statm')  # of Linux; elsewhere memory is not limited
SECONDS = 20
LONGEST = 6000  # letters of an error
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Event of sys.addaudithook: which of its arguments are paths that are written to.
CHANGES = {
    'os.mkdir': (0,),
    'os.rename': (0, 1),
    'os.remove': (0,),
    'os.rmdir': (0,),
    'os.link': (1,),
    'os.symlink': (1,),
    'os.truncate': (0,),
    'os.chmod': (0,),
    'shutil.rmtree': (0,),
}
FORBIDDEN = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'socket.connect', 'socket.getaddrinfo')


class Guard:
    """Notes what happens outside a folder; it only watches, for an exception in its place might be caught."""

    def __init__(self, folder):
        self.folder = os.path.realpath(folder)
        self.seen = []
        self.watching = False
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if not self.watching:
            return
        if event == 'open' and isinstance(arguments[2], int) and arguments[2] & WRITES:
            self.look(event, arguments[0])
        elif event in CHANGES:
            for place in CHANGES[event]:
                self.look(event, arguments[place], arguments[-1])
        elif event in FORBIDDEN or event == 'pickle.find_class':
            self.seen.append(f'{event} {arguments!r}'[:200])

    def look(self, event, path, beside=-1):
        if isinstance(path, (str, bytes, os.PathLike)):
            # shutil.rmtree names what it removes relative to a folder that it has open, which Linux alone can name.
            opened = type(beside) is int and beside >= 0
            if opened and not STATM.is_file():
                return
            within = Path(f'/proc/self/fd/{beside}').readlink() if opened else Path()
            whole = os.path.realpath(within / os.fsdecode(path))
            if whole != os.devnull and os.path.commonpath([whole, self.folder]) != self.folder:
                self.seen.append(f'{event} {whole!r}')


def spoilt(reader, seeds, number, seed):
    """(name of the seed, content) of one input; the same for the same numbers."""
    stream = random.Random(f'{reader.name} {number} {seed}')
    name = stream.choice([name for name, content in sorted(seeds.items()) if name != 'sound'])
    way = stream.choice(reader.ways)
    try:
        return name, way(seeds[name], stream)
    # What was spoilt twice over cannot always be packed again.
    except Exception:
        return name, seeds[name][: stream.randrange(len(seeds[name]))]


def attempt(reader, case, guard):
    """('read', 'refused' or what was found, and a word about it)."""
    before = tree(case.folder.parent, case.folder)
    guard.seen.clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            guard.watching = True
            outcome, word = ('read' if reader.read(case) else 'refused'), ''
    except BookError as error:
        outcome, word = 'refused', str(error)
        if len(word) > LONGEST or not printable(word):
            outcome, word = 'found', f'an error that cannot be read: {word[:300]!r}'
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = [frame for frame in frames if '/data/' in frame.filename or '/chapters/' in frame.filename] or frames
        at = f'{Path(where[-1].filename).name}:{where[-1].lineno}' if where else '?'
        outcome, word = 'found', f'{type(error).__name__} at {at}: {error}'[:300]
    finally:
        guard.watching = False
    if guard.seen:
        outcome, word = 'found', '; '.join(guard.seen[:3])
    if tree(case.folder.parent, case.folder) != before:
        outcome, word = 'found', 'it wrote outside the folder of the input'
    return outcome, word


def printable(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def tree(folder, apart):
    """The files of a folder, caches and one folder apart."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) not in (apart, settings.BUILD)]
        found |= {Path(place, name) for name in files}
    return found


def main(names, begin, end, seed, folder):
    """Try the inputs from `begin` to `end` of each of the readers (with commas between them); a line for each."""
    readers = [reader for reader in READERS if reader.name in names.split(',')]
    whole, root = Path(folder).resolve(), location.folder('flowers').parent
    seeds = {}
    for reader in readers:
        settings.BUILD = whole / 'build' / reader.name
        settings.BUILD.mkdir(parents=True)
        seeds[reader.name] = reader.seeds(root)
    settings.data_dir, tempfile.tempdir = None, str(whole)
    guard = Guard(whole)
    if STATM.is_file():
        used = int(STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for reader in readers:
        settings.BUILD = whole / 'build' / reader.name
        for number in range(int(begin), int(end)):
            kind, content = spoilt(reader, seeds[reader.name], number, seed)
            case = Case(whole / f'case{number}' / f'input{Path(kind).suffix}', kind, whole / f'case{number}', root)
            case.folder.mkdir()
            case.path.write_bytes(content)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            start = time.perf_counter()
            outcome, word = attempt(reader, case, guard)
            seconds = round(time.perf_counter() - start, 3)
            faulthandler.cancel_dump_traceback_later()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            line = json.dumps([reader.name, number, outcome, kind, word, seconds, peak])
            print(line, file=sys.__stdout__, flush=True)
            shutil.rmtree(case.folder)


if __name__ == '__main__':
    main(*sys.argv[1:])
