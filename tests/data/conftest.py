"""Small data folders, made for each test: settings point at them, and the caches go there too."""

import numpy as np
import pytest
from PIL import Image

from mathlib import settings

FLOWERS = ('daisy', 'rose', 'tulip')
OBJECTS = ('bike', 'mug')


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """An empty DATA_DIR; build/ lies beside it."""
    folder = tmp_path / 'real'
    folder.mkdir()
    monkeypatch.setattr(settings, 'data_dir', folder)
    monkeypatch.setattr(settings, 'BUILD', tmp_path / 'build')
    return folder


@pytest.fixture
def save_picture():
    """A function that writes a picture of random pixels: save_picture(path, number, mode, size, format)."""

    def save(path, number, mode='RGB', size=(12, 9), format='JPEG'):
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = {'L': (), 'RGB': (3,), 'RGBA': (4,), 'CMYK': (4,)}[mode]
        pixels = np.random.RandomState(number).randint(0, 256, (*size[::-1], *channels), dtype=np.uint8)
        Image.frombytes(mode, size, pixels.tobytes()).save(path, format=format)
        return path

    return save


@pytest.fixture
def flowers(data_dir, save_picture):
    """DATA_DIR/flowers with three classes of 8 pictures and a stray file; returns the folder."""
    folder = data_dir / 'flowers'
    for label, name in enumerate(FLOWERS):
        for number in range(8):
            save_picture(folder / name / f'{number}.jpg', 10 * label + number)
    (folder / 'README.txt').write_text('about these files')
    (folder / 'rose' / '.DS_Store').write_bytes(b'\0')
    (folder / 'rose' / 'Thumbs.db').write_bytes(b'\0')
    return folder


@pytest.fixture
def office31(data_dir, save_picture):
    """DATA_DIR/office31 with two domains of two categories of 6 pictures; returns the folder."""
    folder = data_dir / 'office31'
    for d, domain in enumerate(('amazon', 'dslr')):
        for c, category in enumerate(OBJECTS):
            for number in range(6):
                save_picture(
                    folder / domain / 'images' / category / f'frame_{number:04}.jpg', 100 * d + 10 * c + number
                )
    (folder / 'README.txt').write_text('about these files')
    return folder
