"""Estimates beside answers: the book's lines, pictures with a caption, and pictures beside their variants."""

import math
from numbers import Integral

import numpy as np
from PIL import Image

from data.augment import augmentation
from data.errors import DataError
from data.labels import word
from mathlib import rng

_FEWEST_COLUMNS, _MOST_COLUMNS, _FONT_SIZE = 3, 6, 8
_KOREAN_FONTS = (
    'NanumGothic',
    'NanumBarunGothic',
    'Malgun Gothic',
    'AppleGothic',
    'Apple SD Gothic Neo',
    'Noto Sans KR',
    'Noto Sans CJK KR',
    'Noto Sans CJK JP',
    'UnDotum',
    'Baekmuk Gulim',
)


def numbers(vector, form='%.2f', most=0):
    """A vector as text, '[0.10,0.90]'; of a longer one than `most` (0: no limit) only the first, then '...'."""
    shown = vector[:most] if 0 < most < len(vector) else vector
    rest = ',...' if len(shown) < len(vector) else ''
    return '[' + ','.join(form % value for value in shown) + rest + ']'


def mark(right):
    """The book's O for a right estimate, X for a wrong one."""
    return 'O' if right else 'X'


def print_regression(xs, estimates, answers):
    """One line a row. xs [n, inputs]; estimates, answers [n, 1]."""
    for x, estimate, answer in zip(xs, estimates, answers, strict=True):
        row = numbers(x, '%4.2f')
        print(f'{row} => {word("estimate")} {estimate[0]:4.1f} : {word("answer")} {answer[0]:4.1f}')


def print_binary(xs, estimates, answers, names):
    """One line a row. xs [n, inputs]; estimates [n, 1] are probabilities of names[1], answers [n, 1] are 0 or 1."""
    for x, estimate, answer in zip(xs, estimates, answers, strict=True):
        guess, truth = names[int(round(float(estimate[0])))], names[int(round(float(answer[0])))]
        print(
            f'{numbers(x, "%5.1f", most=3)} => {word("estimate")} {guess}({word("probability")} {estimate[0]:4.2f}) : '
            f'{word("answer")} {truth} => {mark(guess == truth)}'
        )


def print_select(estimates, answers, names, most=0):
    """One line a row. estimates [n, classes] are distributions, answers [n, classes] one-hot; shares in per cent."""
    for estimate, answer in zip(estimates, answers, strict=True):
        guess, truth = names[np.argmax(estimate)], names[np.argmax(answer)]
        print(
            f'{word("estimated distribution")} {numbers(100 * estimate, "%2.0f", most)} => '
            f'{word("estimate")} {guess} : {word("answer")} {truth} => {mark(guess == truth)}'
        )


def chosen(distributions, names):
    """The name of the largest share in each row of distributions [n, classes]."""
    return [names[best] for best in np.argmax(distributions, axis=1)]


def pictures(xs, image_shape, guesses, truths):
    """Show pictures with the estimated and the true name, and O (green) or X (red); then close the figure.

    xs [n, ...] with values 0..255 are reshaped to [n, *image_shape]; guesses, truths are n names each.
    """
    show_figure(lambda: draw_pictures(xs, image_shape, guesses, truths))


def show_figure(draw):
    """Show the figure that `draw` makes, and close it.

    Where matplotlib's backend only writes files, nobody would see the figure, so none is drawn.
    """
    import matplotlib.pyplot as plt
    from matplotlib.backends import BackendFilter, backend_registry

    if plt.get_backend().lower() in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        return
    figure = draw()
    plt.show()
    plt.close(figure)


def draw_pictures(xs, image_shape, guesses, truths):
    """The figure that `pictures` shows: at most six pictures in a row."""
    import matplotlib.pyplot as plt

    columns = min(max(len(xs), _FEWEST_COLUMNS), _MOST_COLUMNS)
    lines = math.ceil(len(xs) / columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2 * columns, 2.4 * lines), squeeze=False, layout='constrained')
    fonts = _fonts()
    for axis in axes.flat:
        axis.axis('off')
    for axis, x, guess, truth in zip(axes.flat, xs, guesses, truths, strict=False):
        image = np.clip(np.reshape(x, image_shape), 0, 255).astype('uint8')
        axis.imshow(image, cmap='gray' if image_shape[-1] == 1 else None, vmin=0, vmax=255)
        text, font = _caption(guess, truth, fonts)
        axis.set_title(text, fontfamily=font, fontsize=_FONT_SIZE, color='green' if guess == truth else 'red')
    return figure


def show_augmentations(source, names, count=6):
    """Show a picture and, in a line for each of the augmentations, `count` variants of it; then close the figure.

    source: a data set of pictures (its first training picture is shown), a Pillow image, or an array [height, width,
    channels] with values 0..255. names: as in data.augment; where there are several, a last line has them all
    together. The variants are the same each time, and the book's stream is afterwards where it was.
    """
    show_figure(lambda: draw_augmentations(source, names, count))


def draw_augmentations(source, names, count=6):
    """The figure that `show_augmentations` shows. Raises DataError for what is no picture, name or count."""
    import matplotlib.pyplot as plt

    picture, training = _picture(source)
    if isinstance(names, str) or not names:
        raise DataError(f'augmentations to show: {names!r}: expected a list of names, such as [{names or "mirror"!r}]')
    if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
        raise DataError(f'count={count!r} variants to show: expected a whole number of at least 1')
    share = picture.shape[0] / picture.shape[1]
    lines = [[name] for name in names] + ([list(names)] if len(names) > 1 else [])
    rows = list(_variants(np.stack([picture] * count), lines, training))
    figure, axes = plt.subplots(
        len(lines),
        count + 1,
        figsize=(1.3 * count + 1.3, (1.3 * share + 0.2) * len(lines)),
        squeeze=False,
        layout='constrained',
    )
    for line, row, variants in zip(lines, axes, rows, strict=True):
        title = ' + '.join(entry if isinstance(entry, str) else entry[0] for entry in line)
        row[0].set_title(title if len(line) == 1 else 'together', fontsize=_FONT_SIZE, loc='left')
        for axis, image in zip(row, [picture, *variants], strict=True):
            axis.axis('off')
            axis.imshow(image.astype('uint8'), cmap='gray' if image.shape[-1] == 1 else None, vmin=0, vmax=255)
    return figure


def _variants(pictures, lines, training):
    """What each line of augmentations makes of the pictures; the book's stream stays where it is."""
    position = rng.get_state()
    try:
        for line in lines:
            rng.seed()
            yield augmentation(line, training)(pictures)
    finally:
        rng.set_state(position)


def _picture(source):
    """A picture, float32 [height, width, channels], from a data set or itself; and all training pictures, or None."""
    training = getattr(source, 'tr_xs', None)
    shape = getattr(source, 'image_shape', None) or getattr(source, 'input_shape', ())
    if training is not None and len(shape) == 3:
        return training[0].reshape(shape), training
    array = np.asarray(source.convert('RGB')) if isinstance(source, Image.Image) else source
    is_array = isinstance(array, np.ndarray)
    if not is_array or array.shape[2:] not in ((1,), (3,)) or array.dtype.kind not in 'fiu' or not array.size:
        found = f'an array {list(array.shape)} of {array.dtype}' if is_array else repr(source)[:60]
        raise DataError(
            f'a picture to change: expected a data set of pictures, a Pillow image (data.pictures.open_picture reads a '
            f'file), or an array [height, width, channels] with values 0..255, got {found}'
        )
    return array.astype(np.float32), None


def _caption(guess, truth, fonts):
    """The caption and a font that has its letters: in the reader's language if a font can write it, else in English."""
    for lang in (None, 'en'):
        text = f'{word("estimate", lang)} {guess}\n{word("answer", lang)} {truth} => {mark(guess == truth)}'
        for family, letters in fonts.items():
            if all(ord(letter) in letters for letter in text if letter != '\n'):
                return text, family
    family, letters = next(iter(fonts.items()))
    return ''.join(letter if ord(letter) in letters or letter == '\n' else '?' for letter in text), family


def figure_labels(*words, also=''):
    """{word: label} for a figure, and the font to write them with.

    words: keys of labels.WORDS. The labels are in the reader's language if some font has all their letters, and those
    of `also` (names that the figure shows), else in English.
    """
    fonts = _fonts()
    for lang in (None, 'en'):
        labels = {english: word(english, lang) for english in words}
        letters = set(map(ord, ''.join(labels.values()) + also))
        able = [family for family, known in fonts.items() if all(letter in known for letter in letters)]
        if able:
            return labels, able[0]
    return labels, next(iter(fonts))


def _fonts():
    """{family: the code points it can draw} of matplotlib's own font and the Korean ones that are installed."""
    from matplotlib import font_manager

    installed = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    families = ['DejaVu Sans', *(family for family in _KOREAN_FONTS if family in installed)]
    return {family: font_manager.get_font(installed[family]).get_charmap() for family in families}
