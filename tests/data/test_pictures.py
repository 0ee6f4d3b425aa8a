import numpy as np
import pytest
from PIL import Image

from data import DataError
from data.pictures import PREPARE, open_picture, prepare

SIDES = {'squeezenet': 227, 'imagenet': 224, 'googlenet': 224, 'inception': 299, 'vgg_caffe': 224, 'cifar_raw': 32}


def photo(width=40, height=30):
    return Image.fromarray(np.random.RandomState(2).randint(0, 256, (height, width, 3), dtype=np.uint8))


def colours(image):
    return np.asarray(image)[:, :, :3].tolist()


def one_pixel(mode, value):
    return Image.new(mode, (3, 2), value)


def palette():
    image = Image.new('P', (3, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    return image


@pytest.mark.parametrize(
    ('image', 'name', 'options', 'expected'),
    [
        (one_pixel('L', 70), 'a.png', {}, [70, 70, 70]),
        (one_pixel('1', 1), 'a.png', {}, [255, 255, 255]),
        (palette(), 'a.png', {}, [200, 100, 50]),
        (palette(), 'a.png', {'transparency': 1}, [255, 255, 255]),
        (palette(), 'a.gif', {}, [200, 100, 50]),
        (one_pixel('RGBA', (200, 100, 0, 0)), 'a.png', {}, [255, 255, 255]),
        (one_pixel('RGBA', (200, 100, 0, 255)), 'a.webp', {'lossless': True}, [200, 100, 0]),
        (one_pixel('RGBA', (0, 0, 0, 51)), 'a.png', {}, [204, 204, 204]),
        (one_pixel('LA', (100, 0)), 'a.png', {}, [255, 255, 255]),
        (one_pixel('RGB', (10, 20, 30)), 'a.png', {'transparency': (10, 20, 30)}, [255, 255, 255]),
        (one_pixel('CMYK', (0, 255, 255, 0)), 'a.tif', {}, [255, 0, 0]),
        (Image.fromarray(np.full((2, 3), 128 * 257, np.uint16)), 'a.png', {}, [128, 128, 128]),
        (Image.fromarray(np.full((2, 3), 65535, np.uint16)), 'a.tif', {}, [255, 255, 255]),
    ],
)
def test_every_mode_becomes_rgb_on_white(tmp_path, image, name, options, expected):
    image.save(tmp_path / name, **options)
    opened = open_picture(tmp_path / name)
    assert (opened.mode, opened.size) == ('RGB', (3, 2))
    assert colours(opened) == [[expected] * 3] * 2


def test_the_orientation_that_the_camera_noted_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter, in the way of the clock
    image = photo(4, 2)
    image.save(tmp_path / 'a.png', exif=exif)
    assert open_picture(tmp_path / 'a.png').size == (2, 4)
    assert np.array_equal(open_picture(tmp_path / 'a.png'), np.rot90(image, -1))


def cut(path):
    photo().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])


@pytest.mark.parametrize(
    ('name', 'spoil', 'message'),
    [
        ('a.png', cut, 'cannot be read as a picture: .*truncated.*Get a whole copy'),
        ('a.jpg', cut, 'cannot be read as a picture: .*truncated'),
        ('a.jpg', lambda path: path.write_text('404 not found'), 'no picture format that Pillow knows'),
        ('a.jpg', lambda path: path.write_bytes(b''), 'no picture format that Pillow knows'),
        ('a.tif', lambda path: Image.new('F', (2, 2)).save(path), r'32 bits \(mode F\) have no fixed range'),
        ('a.jpg', lambda path: None, 'There is no file'),
        ('a.jpg', lambda path: path.mkdir(), 'There is no file'),
    ],
)
def test_what_is_no_sound_picture_is_named(tmp_path, name, spoil, message):
    spoil(tmp_path / name)
    with pytest.raises(DataError, match=message) as caught:
        open_picture(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize('side', [11, 16])
def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch, side):
    photo(side, side).save(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 110)
    with pytest.raises(DataError, match='decompression bomb'):
        open_picture(tmp_path / 'a.png')


def scaled_then_cut(image, shorter, side):
    """As torchvision does it: the shorter side first, then the middle."""
    width, height = image.size
    least = min(width, height)
    size = shorter * width // least, shorter * height // least
    left, top = (round((length - side) / 2) for length in size)
    whole = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float32)
    return whole[top : top + side, left : left + side]


@pytest.mark.parametrize('size', [(300, 280), (100, 641), (500, 260)])
def test_the_numbers_of_each_network(size):
    image = photo(*size)

    def far(name, expected):
        (ours,) = prepare(name, image)
        return np.abs(ours - expected).max()

    # Pillow rounds to whole levels, first along lines, then along columns, so the two ways may differ by two.
    at_224 = scaled_then_cut(image, 256, 224)
    assert far('imagenet', (at_224 / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]) < 2.01 / 255 / 0.224
    assert far('googlenet', at_224 / 127.5 - 1) < 2.01 / 127.5
    assert far('vgg_caffe', at_224[..., ::-1] - [103.939, 116.779, 123.68]) < 2.01
    assert far('squeezenet', scaled_then_cut(image, 256, 227)[..., ::-1] - [104, 117, 123]) < 2.01
    assert far('inception', scaled_then_cut(image, 342, 299) / 127.5 - 1) < 2.01 / 127.5


def test_a_picture_of_the_right_size_stays_as_it_is():
    image = photo(32, 32)
    assert np.array_equal(prepare('cifar_raw', image), np.asarray(image, np.float32)[None])


@pytest.mark.parametrize('name', PREPARE)
@pytest.mark.parametrize('size', [(1, 1), (1, 3000), (2, 1)])
def test_any_size_becomes_the_networks(name, size):
    xs = prepare(name, [Image.new('RGB', size, (255, 0, 0)), Image.new('L', size, 255)])
    assert xs.shape == (2, SIDES[name], SIDES[name], 3)
    assert xs.dtype == np.float32
    assert np.ptp(xs, axis=(1, 2)).max() == 0  # one colour stays one colour


def test_files_images_and_arrays_may_be_mixed(tmp_path):
    image = photo(32, 32)
    image.save(tmp_path / 'a.png')
    xs = prepare('cifar_raw', [str(tmp_path / 'a.png'), tmp_path / 'a.png', image, np.asarray(image)])
    assert all(np.array_equal(x, np.asarray(image)) for x in xs)
    assert np.array_equal(prepare('cifar_raw', np.stack([image, image])), xs[:2])
    assert np.array_equal(prepare('cifar_raw', str(tmp_path / 'a.png')), xs[:1])


@pytest.mark.parametrize(
    ('name', 'pictures', 'message'),
    [
        ('imagnet', [], "'imagnet' is not known: .* Did you mean 'imagenet'?"),
        ('imagenet', [], 'there is no picture in the list'),
        ('imagenet', 5, 'expected a file, a Pillow image or a uint8 array .*, got int'),
        ('imagenet', [5], 'got int'),
        ('imagenet', np.zeros((4, 4, 3)), r'got an array \[4, 4, 3\] of float64'),
        ('imagenet', np.zeros((0, 4, 3), np.uint8), r'got an array \[0, 4, 3\] of uint8'),
        ('imagenet', Image.new('F', (2, 2)), 'no fixed range from black to white. Convert'),
    ],
)
def test_what_cannot_be_prepared_is_said(name, pictures, message):
    with pytest.raises(DataError, match=message):
        prepare(name, pictures)
