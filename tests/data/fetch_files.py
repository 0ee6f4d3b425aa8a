"""Small archives and data folders for the tests of fetch, import, list and check."""

import io
import tarfile
import zipfile

from PIL import Image

from data.fetch.layouts import FLOWERS


def picture(shade, kind='JPEG'):
    """A small picture of one colour; shades ten apart are different files."""
    file = io.BytesIO()
    Image.new('RGB', (16, 16), (shade % 256, 100, 50)).save(file, kind)
    return file.getvalue()


def flowers(top='flowers/', names=FLOWERS):
    """Names and contents of the smallest set of flowers: shade 40 * class + 10 * n, n = 1, 2."""
    return {f'{top}{name}/{n}.jpg': picture(40 * k + 10 * n) for k, name in enumerate(names) for n in (1, 2)}


def pack(path, files, extra=(), packing=zipfile.ZIP_STORED):
    """Write a zip, tar, tgz or folder, by the name of `path`; `extra`: TarInfos to add to a tar. Returns `path`."""
    if path.suffix == '.zip':
        with zipfile.ZipFile(path, 'w', packing) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name) if isinstance(name, str) else name, content, packing)
    elif path.suffix in ('.tar', '.tgz'):
        with tarfile.open(path, 'w:gz' if path.suffix == '.tgz' else 'w') as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            for info in extra:
                archive.addfile(info, io.BytesIO(b'x' * info.size))
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


def tree(folder):
    """All files under a folder: {name: content}."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}
