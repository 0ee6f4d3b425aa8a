import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from data import DataError, FlowersDataset
from mathlib import rng, settings

NAMES = ['daisy', 'rose', 'tulip']


def by_the_book(path, resolution):
    """The textbook's way to read a picture."""
    return np.array(Image.open(path).resize(resolution))


def in_folder_order(dataset, count, seed):
    """All inputs and answers of a set, put back into the order of the files."""
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    back = np.argsort(order)
    xs = np.concatenate([np.asarray(part) for part in (dataset.tr_xs, dataset.va_xs, dataset.te_xs)])
    return xs[back], np.concatenate([dataset.tr_ys, dataset.va_ys, dataset.te_ys])[back]


@pytest.mark.parametrize(
    ('resolution', 'input_shape', 'shape'),
    [
        ([10, 10], [-1], (300,)),
        ([10, 10], [10, 10, 3], (10, 10, 3)),
        ([6, 4], [4, 6, 3], (4, 6, 3)),
        ((20, 30), 1800, (1800,)),
    ],
)
def test_pixels_answers_and_order_are_the_books(flowers, resolution, input_shape, shape):
    rng.seed(5)
    dataset = FlowersDataset(resolution, input_shape)
    assert str(dataset) == 'flowers(select, 10+13+1)'
    assert (dataset.input_shape, dataset.output_shape) == (shape, (3,))
    assert dataset.image_shape == [resolution[1], resolution[0], 3]
    assert dataset.target_names == NAMES
    xs, ys = in_folder_order(dataset, 24, 5)
    assert xs.dtype == ys.dtype == np.float32
    files = [flowers / name / f'{number}.jpg' for name in NAMES for number in range(8)]
    for x, y, path in zip(xs, ys, files, strict=True):
        assert np.array_equal(x, by_the_book(path, resolution).reshape(shape))
        assert list(y) == [float(path.parent.name == name) for name in NAMES]


def test_the_default_is_a_hundred_pixels_each_way_and_flat(flowers):
    dataset = FlowersDataset()
    assert dataset.input_shape == (30000,)
    assert dataset.kind == 'real'


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grey_and_cmyk_pictures_become_rgb(flowers, save_picture, mode):
    path = save_picture(flowers / 'daisy' / '3.jpg', 77, mode)
    rng.seed(1)
    dataset = FlowersDataset([5, 5], [5, 5, 3])
    assert dataset.skipped == []
    expected = np.array(Image.open(path).convert('RGB').resize([5, 5]))
    assert np.array_equal(in_folder_order(dataset, 24, 1)[0][3], expected)


def cut_short(path, save_picture):
    path.write_bytes(path.read_bytes()[:-200])


def a_gif(path, save_picture):
    save_picture(path, 1, 'L', format='GIF')


def with_alpha(path, save_picture):
    save_picture(path, 1, 'RGBA', format='PNG')


def empty(path, save_picture):
    path.write_bytes(b'')


def a_text(path, save_picture):
    path.write_text('404 not found')


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (cut_short, 'it does not decode: '),
        (a_gif, 'its content is GIF, not JPEG: convert it to JPEG'),
        (with_alpha, 'its content is PNG, not JPEG: convert it to JPEG'),
        (empty, 'it does not decode: no picture format that Pillow knows'),
        (a_text, 'it does not decode: no picture format that Pillow knows'),
    ],
)
def test_a_file_that_is_no_sound_jpeg_is_named_and_left_out(flowers, save_picture, capsys, spoil, reason):
    spoil(flowers / 'rose' / '2.jpg', save_picture)
    rng.seed(2)
    dataset = FlowersDataset([5, 5])
    assert [file for file, _ in dataset.skipped] == ['rose/2.jpg']
    assert dataset.skipped[0][1].startswith(reason)
    assert str(dataset) == 'flowers(select, 10+12+1)'
    line = 'flowers: 1 of 24 files left out: rose/2.jpg (reasons: .skipped, or python -m data check)\n'
    assert capsys.readouterr().out == line
    xs, ys = in_folder_order(dataset, 23, 2)
    assert np.array_equal(xs[10], by_the_book(flowers / 'rose' / '3.jpg', [5, 5]).reshape(-1))
    assert ys.sum(axis=0).tolist() == [8, 7, 8]
    again = FlowersDataset([5, 5])  # from the cache: the same is said again
    assert again.skipped == dataset.skipped
    assert capsys.readouterr().out == line


def test_of_many_files_left_out_the_first_three_are_named(flowers, capsys):
    for number in (1, 2, 4, 6):
        (flowers / 'tulip' / f'{number}.jpg').write_bytes(b'')
    assert len(FlowersDataset([5, 5]).skipped) == 4
    assert capsys.readouterr().out == (
        'flowers: 4 of 24 files left out: tulip/1.jpg, tulip/2.jpg, tulip/4.jpg, ... '
        '(reasons: .skipped, or python -m data check)\n'
    )


@pytest.mark.parametrize('side', [11, 16])  # Pillow only warns of the first, and refuses the second
def test_a_picture_of_too_many_pixels_is_left_out(flowers, save_picture, monkeypatch, side):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 110)
    save_picture(flowers / 'daisy' / '0.jpg', 1, size=(side, side))
    ((file, reason),) = FlowersDataset([5, 5]).skipped
    assert file == 'daisy/0.jpg'
    assert 'decompression bomb' in reason


def test_stray_files_hidden_files_and_nested_copies_are_no_pictures(flowers, save_picture, capsys):
    rng.seed(4)
    plain = FlowersDataset([5, 5])
    shutil.copytree(flowers, flowers.parent / 'copy')
    (flowers.parent / 'copy').rename(flowers / 'flowers')
    shutil.copytree(flowers / 'daisy', flowers / '__MACOSX' / 'daisy')
    save_picture(flowers / 'tulip' / '._1.jpg', 3)
    save_picture(flowers / 'tulip' / 'scan.png', 3, format='PNG')
    save_picture(flowers / '.ipynb_checkpoints' / '1.jpg', 3)
    (flowers / 'tulip' / 'folder.jpg').mkdir()
    rng.seed(4)
    dataset = FlowersDataset([5, 5])
    assert dataset.target_names == NAMES
    assert np.array_equal(np.asarray(dataset.tr_xs), np.asarray(plain.tr_xs))
    assert dataset.skipped == []
    assert capsys.readouterr().out == ''


def test_endings_in_capitals_count(flowers):
    (flowers / 'rose' / '2.jpg').rename(flowers / 'rose' / '2.JPG')
    (flowers / 'rose' / '3.jpg').rename(flowers / 'rose' / '3.jpeg')
    assert str(FlowersDataset([5, 5])) == 'flowers(select, 10+13+1)'


def test_an_empty_class_is_an_error_that_names_it(flowers):
    (flowers / 'lily').mkdir()
    (flowers / 'lily' / 'README.txt').write_text('to come')
    with pytest.raises(DataError, match=r'class folder .*lily holds no picture'):
        FlowersDataset([5, 5])


def test_a_class_whose_pictures_all_fail_is_an_error_that_names_it(flowers):
    for path in (flowers / 'rose').glob('*.jpg'):
        path.write_bytes(b'')
    with pytest.raises(DataError, match=r'rose: none of its 8 pictures decodes'):
        FlowersDataset([5, 5])


def test_a_folder_that_is_missing_empty_or_unpacked_at_another_level(data_dir, flowers):
    (flowers / 'flowers').mkdir()
    for name in NAMES:
        (flowers / name).rename(flowers / 'flowers' / name)
    with pytest.raises(DataError, match=r'at least two of them; found none. Check that the archive'):
        FlowersDataset([5, 5])
    shutil.rmtree(flowers)
    with pytest.raises(DataError, match=r'holds no folder flowers.*python -m data fetch flowers'):
        FlowersDataset([5, 5])
    flowers.mkdir()
    with pytest.raises(DataError, match='found none'):
        FlowersDataset([5, 5])


@pytest.mark.parametrize('resolution', [[10], [0, 10], [10.5, 10], 10, [10, 10, 3], ['a', 'b']])
def test_a_wrong_resolution(flowers, resolution):
    with pytest.raises(DataError, match=r'expected \[width, height\]'):
        FlowersDataset(resolution)


@pytest.mark.parametrize('input_shape', [[96, 96, 3], [6, 4, 3], [4, 6], [-1, 3], 'flat'])
def test_an_input_shape_that_does_not_fit_the_resolution(flowers, input_shape):
    with pytest.raises(DataError, match=r'does not fit pictures of \[4, 6, 3\]') as caught:
        FlowersDataset([6, 4], input_shape)
    assert repr(input_shape) in str(caught.value)


def test_the_digest_is_that_of_the_content(flowers):
    digest = FlowersDataset([5, 5]).digest
    assert len(digest) == 12
    assert int(digest, 16) >= 0
    assert FlowersDataset([7, 7]).digest == digest
    content = hashlib.sha256()
    for name in NAMES:
        for number in range(8):
            sha = hashlib.sha256((flowers / name / f'{number}.jpg').read_bytes()).hexdigest()
            content.update(f'{name}/{number}.jpg\0{sha}\n'.encode())
    assert digest == content.hexdigest()[:12]
    (flowers / 'rose' / '2.jpg').write_bytes((flowers / 'rose' / '1.jpg').read_bytes())
    assert FlowersDataset([5, 5]).digest != digest


def test_visualize_prints_the_books_lines(flowers, capsys, monkeypatch):
    dataset = FlowersDataset([5, 5])
    xs, ys = dataset.get_visualize_data(1)[0], np.array([[0, 0, 1.0]])
    dataset.visualize(xs, np.array([[0.1, 0.62, 0.28]]), ys)
    monkeypatch.setattr(settings, 'book_lang', 'ko')
    dataset.visualize(xs, np.array([[0.1, 0.12, 0.78]]), ys)
    assert capsys.readouterr().out == (
        'estimated distribution [10,62,28] => estimate rose : answer tulip => X\n'
        '추정확률분포 [10,12,78] => 추정 tulip : 정답 tulip => O\n'
    )
