"""The folder of a training's checkpoints: one process at a time, whole files, the last two of them.

A checkpoint is a .safetensors file named after the steps that were done, such as checkpoint-00001200.safetensors, with
a digest of all that it holds. A new one is on the disk before an older one is removed, so that at any moment, a power
cut included, one is there that can be read.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import platform
import shutil
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from chapters.checkpoint_state import CheckpointError
from chapters.description import to_json
from chapters.weightfiles import WeightsError, opened
from chapters.weights import digest
from chapters.wholefile import UNDERWAY, write_whole

VERSION = 1
KEY = 'bare_numpy_checkpoint'
NAMES = 'checkpoint-*.safetensors'
LOCK, HOLDER = '.lock', '.holder.json'
# How many checkpoints are kept: the last one, and one to fall back to.
KEPT = 2


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The folder of one run of the command line. about: what the run depends on beside its model: seed and after."""

    path: Path
    about: dict

    def __fspath__(self):
        return str(self.path)


class Folder:
    """The folder at `path`, made if it is not there, for this process alone until `release` is called.

    Raises CheckpointError if it cannot be made or written to, or if another training holds it.
    """

    def __init__(self, path):
        check_named(path)
        try:
            self.path = Path(path).expanduser().resolve()
        except (TypeError, ValueError, RuntimeError) as problem:
            raise CheckpointError(f'checkpoint={path!r} is no folder: {problem}') from None
        self.sound = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / LOCK)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise CheckpointError(
                f'{self.path} is in use by another training{self._holder()}: wait for its end, or take another folder'
            ) from None
        except OSError as problem:
            raise CheckpointError(
                f'{self.path} cannot be written to ({problem}): take another folder for the checkpoints'
            ) from None
        self._write_holder()
        # What processes that were killed have left.
        for place in self.path.glob(f'{UNDERWAY}*'):
            shutil.rmtree(place, ignore_errors=True)

    def _write_holder(self):
        since = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC')
        holder = {'pid': os.getpid(), 'host': platform.node(), 'since': since}
        try:
            (self.path / HOLDER).write_text(json.dumps(holder), encoding='utf-8')
        except OSError as problem:
            self.release()
            raise CheckpointError(
                f'{self.path} cannot be written to ({problem}): make room, or take another folder'
            ) from None

    def _holder(self):
        """Who holds the folder, as far as it is known."""
        try:
            holder = json.loads((self.path / HOLDER).read_text(encoding='utf-8'))
            return ' (process {pid} on {host}, since {since})'.format(**holder)
        except (OSError, ValueError, LookupError, TypeError):
            return ''

    def release(self):
        """Let others have the folder."""
        try:
            (self.path / HOLDER).unlink(missing_ok=True)
        except OSError as problem:
            print(f'{self.path / HOLDER} cannot be removed: {problem}', file=sys.stderr)
        self._lock.release()

    def checkpoints(self):
        """The paths of all checkpoints, the oldest first."""
        return sorted(self.path.glob(NAMES), key=lambda path: (len(path.name), path.name))

    def write(self, step, described, arrays):
        """Write the checkpoint after so many steps, then remove those that are not needed any more.

        described: plain data; arrays: {name: host array}. Returns the path. Raises OSError or MemoryError where there
        is no room, with the older checkpoints as they were.
        """
        path = self.path / NAMES.replace('*', f'{step:08}')
        described = {'version': VERSION, **described}
        write_whole(path, arrays, {KEY: to_json({**described, 'sha256': digest(described, arrays)})})
        self.sound = [*(one for one in self.sound if one != path), path][-KEPT:]
        for one in self.checkpoints():
            if one not in self.sound:
                with contextlib.suppress(OSError):  # it is tried again after the next one
                    one.unlink()
        return path

    def read(self):
        """(path, description, arrays) of the last checkpoint that can be read.

        If the last one is damaged, the one before it is taken, and a line on standard error says so. Raises
        CheckpointError with what is wrong with each if none can be read.
        """
        reasons = []
        for path in reversed(self.checkpoints()):
            try:
                described, arrays = _read(path)
            except WeightsError as problem:
                reasons.append(str(problem))
                continue
            there = self.checkpoints()
            self.sound = there[: there.index(path) + 1][-KEPT:]
            for reason in reasons:
                print(f'{reason}. The checkpoint before it, {path.name}, is taken.', file=sys.stderr)
            return path, described, arrays
        raise CheckpointError(
            f'no checkpoint in {self.path} can be read: {"; ".join(reasons)}. Without resume, in another folder, the '
            f'training starts from the beginning'
        )


def check_named(path):
    """Raise CheckpointError for a text that names no folder."""
    if isinstance(path, str) and not path.strip():
        raise CheckpointError('checkpoint is empty: name a folder')


def _read(path):
    """(description, arrays) of a checkpoint; WeightsError for one that is not as it was written."""
    with opened(path) as source:
        if KEY not in source.metadata:
            raise WeightsError(f'{source.where} is no checkpoint of a training')
        arrays = {name: source.read(name) for name in source.arrays}
        try:
            described = json.loads(source.metadata[KEY])
            fits = described.pop('sha256') == digest(described, arrays)
            version = described.pop('version')
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
            raise WeightsError(f'{source.where} is damaged: its description cannot be read ({problem})') from None
    if not fits:
        raise WeightsError(f'{source.where} is damaged: content and digest do not agree')
    if version != VERSION:
        raise WeightsError(f'{source.where} has the format {version!r}, but this version of the book reads {VERSION}')
    return described, arrays
