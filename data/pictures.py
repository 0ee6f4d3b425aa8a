"""Pictures that a reader brings: any file that Pillow opens, prepared as a published network wants its input.

The book's own sets are read by data/images.py, pixel for pixel as in the book. Here a photo may come from anywhere, so
everything becomes RGB as a person would see it: an orientation that the camera noted (EXIF) is applied, what is
transparent lies on white, 16 bits a channel become 8, of an animation the first picture is taken.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from data.errors import DataError, unknown
from data.images import UNSOUND, in_words

# Those that hold pixels. An EPS file, which Pillow knows too, is a program that Ghostscript would run.
FORMATS = ('JPEG', 'MPO', 'PNG', 'GIF', 'BMP', 'DIB', 'TIFF', 'WEBP', 'AVIF', 'JPEG2000', 'PPM', 'TGA', 'ICO')

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def open_picture(path):
    """The file as a Pillow image in RGB, 8 bits a channel, of the size that it has.

    Raises DataError where there is no such file, or it is no picture, is cut short, is none of FORMATS, claims more
    pixels than Pillow thinks sane or there is memory for, or has a kind of pixel that has no fixed range (floating
    point, 32 bits).
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f'There is no file {path}. Check the name; folders are not read.')
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', module='PIL')
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.format not in FORMATS:
                    raise ValueError(f'its format is {image.format}, and read are {", ".join(FORMATS)}')
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return _rgb(image)
    except UNSOUND as problem:
        raise DataError(
            f'{path} cannot be read as a picture: {in_words(problem)}. Get a whole copy of it, or save it again as '
            f'JPEG or PNG with another program.'
        ) from None


def _rgb(image):
    if image.mode.startswith('I;16'):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        raise ValueError(f'pixels of 32 bits (mode {image.mode}) have no fixed range from black to white')
    if image.has_transparency_data:
        image = image if image.mode == 'RGBA' else image.convert('RGBA')
        return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image).convert('RGB')
    return image.convert('RGB')


def _middle(image, shorter, side):
    """float32 [side, side, 3], 0..255: the middle of the picture, once its shorter side has `shorter` pixels.

    Only what is kept is computed, however long the other side may be.
    """
    least = min(image.size)
    sizes = [shorter * length // least for length in image.size]
    places = [round((size - side) / 2) for size in sizes]
    part = [
        edge * length / size
        for edges in (places, [place + side for place in places])
        for edge, length, size in zip(edges, image.size, sizes, strict=True)
    ]
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=part), np.float32)


def _caffe(image, side, blue_green_red):
    """As Caffe's networks want it: channels blue, green, red, less the mean colour of their training pictures."""
    return _middle(image, 256, side)[:, :, ::-1] - np.array(blue_green_red, np.float32)


PREPARE = {
    # Shorter side 256, middle 227, BGR less (104, 117, 123): SqueezeNet v1.0 and AlexNet as trained in Caffe.
    'squeezenet': lambda image: _caffe(image, 227, (104, 117, 123)),
    # Shorter side 256, middle 224, less mean and over deviation of ImageNet: torchvision's networks.
    'imagenet': lambda image: (_middle(image, 256, 224) / 255 - _IMAGENET_MEAN) / _IMAGENET_STD,
    # The middle seven eighths at 299 pixels, from -1 to 1: the Inception family.
    'inception': lambda image: _middle(image, 342, 299) / 127.5 - 1,
    # Shorter side 256, middle 224, from -1 to 1: torchvision's GoogLeNet, whose weights came from TensorFlow.
    'googlenet': lambda image: _middle(image, 256, 224) / 127.5 - 1,
    # Shorter side 256, middle 224, BGR less the mean colour: VGG as published (Simonyan and Zisserman 2014).
    'vgg_caffe': lambda image: _caffe(image, 224, (103.939, 116.779, 123.68)),
    # The middle square at 32 pixels, 0..255 as it is: the CIFAR-10 ResNet of MLPerf Tiny.
    'cifar_raw': lambda image: _middle(image, 32, 32),
}


def prepare(name, pictures):
    """Pictures as the input of a network: float32 [n, height, width, 3].

    name: one of PREPARE. pictures: a list of files (str or Path), Pillow images of any mode, or uint8 arrays
    [height, width, 3]; or one of them, for n = 1. Raises DataError for another name, for what is no picture, and as
    open_picture does.
    """
    if name not in PREPARE:
        raise DataError(f'prepare: {unknown(name, list(PREPARE))}')
    if isinstance(pictures, str | Path | Image.Image) or getattr(pictures, 'ndim', None) == 3:
        pictures = [pictures]
    if not (isinstance(pictures, list | tuple) or getattr(pictures, 'ndim', None) == 4):
        raise DataError(_not_known(pictures))
    if not len(pictures):
        raise DataError('prepare: there is no picture in the list; expected one or more.')
    return np.stack([PREPARE[name](_image(picture)) for picture in pictures])


def _image(picture):
    if isinstance(picture, str | Path):
        return open_picture(picture)
    if isinstance(picture, Image.Image):
        try:
            return _rgb(ImageOps.exif_transpose(picture))
        except ValueError as problem:
            raise DataError(f'prepare: {problem}. Convert the picture to 8 bits a channel.') from None
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,) and picture.size:
        return Image.fromarray(np.ascontiguousarray(picture))
    raise DataError(_not_known(picture))


def _not_known(picture):
    found = type(picture).__name__
    if isinstance(picture, np.ndarray):
        found = f'an array {list(picture.shape)} of {picture.dtype}'
    return f'prepare: expected a file, a Pillow image or a uint8 array [height, width, 3], got {found}.'
