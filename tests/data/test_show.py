import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from data import Dataset, show
from data.augment import augmentation
from data.errors import DataError
from mathlib import rng, settings

XS = np.zeros([4, 12])
XS[1] = 255
GUESSES, TRUTHS = ['rose', 'tulip', 'rose', 'rose'], ['rose', 'rose', 'rose', 'tulip']


def titles(figure):
    return [(axis.get_title(), axis.title.get_color()) for axis in figure.axes if axis.get_title()]


def test_a_caption_under_every_picture():
    figure = show.draw_pictures(XS, [2, 2, 3], GUESSES, TRUTHS)
    assert titles(figure) == [
        ('estimate rose\nanswer rose => O', 'green'),
        ('estimate tulip\nanswer rose => X', 'red'),
        ('estimate rose\nanswer rose => O', 'green'),
        ('estimate rose\nanswer tulip => X', 'red'),
    ]
    shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert [int(image.max()) for image in shown] == [0, 255, 0, 0]
    assert shown[0].shape == (2, 2, 3)


def test_many_pictures_and_grey_ones():
    figure = show.draw_pictures(np.zeros([14, 4]), [2, 2, 1], ['3'] * 14, ['3'] * 14)
    assert len(titles(figure)) == 14
    assert figure.axes[0].get_gridspec().get_geometry() == (3, 6)
    figure.canvas.draw()


def test_korean_captions_only_where_a_font_has_the_letters(monkeypatch):
    monkeypatch.setattr(settings, 'book_lang', 'ko')
    latin, korean = set(range(32, 127)), set(range(32, 127)) | set(map(ord, '추정답'))
    both = {'DejaVu Sans': latin, 'NanumGothic': korean}
    assert show._caption('rose', 'tulip', both) == ('추정 rose\n정답 tulip => X', 'NanumGothic')
    assert show._caption('rose', 'tulip', {'DejaVu Sans': latin}) == ('estimate rose\nanswer tulip => X', 'DejaVu Sans')
    assert show._caption('장미', 'rose', {'DejaVu Sans': latin})[0] == 'estimate ??\nanswer rose => X'


@pytest.mark.parametrize('lang', ['en', 'ko'])
def test_drawing_warns_of_no_missing_glyph(monkeypatch, lang):
    monkeypatch.setattr(settings, 'book_lang', lang)
    show.draw_pictures(XS, [2, 2, 3], ['장미'] * 4, TRUTHS).canvas.draw()


def test_no_figure_where_nobody_would_see_it(monkeypatch):
    show.pictures(XS, [2, 2, 3], GUESSES, TRUTHS)  # on Agg; a warning would be an error
    assert plt.get_fignums() == []
    open_at_show = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'inline')
    monkeypatch.setattr(plt, 'show', lambda: open_at_show.extend(plt.get_fignums()))
    show.pictures(XS, [2, 2, 3], GUESSES, TRUTHS)
    assert len(open_at_show) == 1
    assert plt.get_fignums() == []


def test_numbers():
    assert show.numbers([0.5, 0.25]) == '[0.50,0.25]'
    assert show.numbers([1, 2, 3], '%2.0f', most=2) == '[ 1, 2,...]'
    assert show.numbers([1, 2], '%2.0f', most=2) == '[ 1, 2]'


def test_labels_of_figures_are_korean_only_where_a_font_has_the_letters(monkeypatch):
    monkeypatch.setattr(settings, 'book_lang', 'ko')
    latin, korean = set(range(32, 127)), set(range(32, 127)) | set(map(ord, '정확도'))
    monkeypatch.setattr(show, '_fonts', lambda: {'DejaVu Sans': latin, 'NanumGothic': korean})
    assert show.figure_labels('accuracy') == ({'accuracy': '정확도'}, 'NanumGothic')
    assert show.figure_labels('accuracy', 'epoch') == ({'accuracy': 'accuracy', 'epoch': 'epoch'}, 'DejaVu Sans')
    assert show.figure_labels('accuracy', also='별') == ({'accuracy': 'accuracy'}, 'DejaVu Sans')


def images(figure):
    return [np.asarray(axis.images[0].get_array()) for axis in figure.axes]


def test_a_picture_beside_its_variants():
    picture = np.arange(6 * 9 * 3, dtype=np.float32).reshape(6, 9, 3)
    rng.seed(77)
    before = rng.uniform(1)
    rng.seed(77)
    figure = show.draw_augmentations(picture, ['mirror', ['rotate', {'degrees': 20}]], 4)
    assert rng.uniform(1) == before
    shown = images(figure)
    assert len(shown) == 3 * 5
    assert all(np.array_equal(shown[line], picture) for line in (0, 5, 10))
    rng.seed()
    variants = augmentation([['rotate', {'degrees': 20}]])(np.stack([picture] * 4))
    assert np.array_equal(shown[6:10], variants.astype('uint8'))
    titles = [axis.get_title('left') for axis in figure.axes]
    assert [title for title in titles if title] == ['mirror', 'rotate', 'together']


def test_the_variants_of_a_data_set_are_those_of_its_first_training_picture():
    dataset = Dataset('grey', 'select')
    dataset.tr_xs, dataset.image_shape = np.arange(3 * 16.0).reshape(3, 16), [4, 4, 1]
    figure = show.draw_augmentations(dataset, ['crop'], 2)
    shown = images(figure)
    assert len(shown) == 3
    assert np.array_equal(shown[0].reshape(4, 4), np.arange(16).reshape(4, 4))
    figure.canvas.draw()
    show.show_augmentations(dataset, ['crop'])
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(
    ('source', 'names', 'count', 'message'),
    [
        ('cup.jpg', ['mirror'], 2, "a Pillow image .*open_picture reads a file.* got 'cup.jpg'"),
        (np.zeros((4, 4)), ['mirror'], 2, r'got an array \[4, 4\] of float64'),
        (np.zeros((4, 4, 3), bool), ['mirror'], 2, r'got an array \[4, 4, 3\] of bool'),
        (np.zeros((4, 4, 3)), 'mirror', 2, r"'mirror': expected a list of names, such as \['mirror'\]"),
        (np.zeros((4, 4, 3)), [], 2, r"expected a list of names, such as \['mirror'\]"),
        (np.zeros((4, 4, 3)), ['miror'], 2, "Did you mean 'mirror'"),
        (np.zeros((4, 4, 3)), ['mirror'], 0, 'count=0 variants to show: expected a whole number of at least 1'),
        (np.zeros((4, 4, 3)), ['mirror'], True, 'count=True'),
    ],
)
def test_what_cannot_be_changed_is_told_and_leaves_no_trace(source, names, count, message):
    figures, state = plt.get_fignums(), rng.get_state()
    with pytest.raises(DataError, match=message):
        show.draw_augmentations(source, names, count)
    following = rng.uniform(2)
    rng.set_state(state)
    assert (plt.get_fignums(), rng.uniform(2).tolist()) == (figures, following.tolist())


def test_a_pillow_image_beside_its_variants():
    image = Image.new('L', (6, 4), 90)
    assert [shown.shape for shown in images(show.draw_augmentations(image, ['mirror'], 1))] == [(4, 6, 3)] * 2
