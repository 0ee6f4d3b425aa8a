import pytest

from chapters.config import Option, normalize, positive_int
from mathlib.errors import ConfigError

TYPES = {'full': {'width': Option(positive_int)}, 'scale': {'factor': Option(positive_int, 2)}}


def test_every_way_to_write_a_layer():
    (layer,) = normalize(30, TYPES)
    assert (layer.type, layer['width'], layer.path) == ('full', 30, 'layer 1 > full')
    assert (
        normalize([30], TYPES)
        == normalize(['full', {'width': 30}], TYPES)
        == normalize([['full', {'width': 30}]], TYPES)
    )
    assert [layer['width'] for layer in normalize([30, ['full', {'width': 10}]], TYPES)] == [30, 10]
    assert normalize([], TYPES) == ()


def test_options_left_out_get_their_default():
    assert [layer['factor'] for layer in normalize([['scale'], ['scale', {'factor': 5}]], TYPES)] == [2, 5]


def test_what_the_reader_wrote_is_left_alone():
    written = [30, ['scale', {}]]
    normalize(written, TYPES)
    assert written == [30, ['scale', {}]]


@pytest.mark.parametrize(
    ('written', 'message'),
    [
        ({'width': 3}, "the configuration is {'width': 3}: expected a list of layers, such as [30, 10]"),
        ([30, -3], "layer 2 > full: 'width' is -3: expected a whole number above 0"),
        ([0], "layer 1 > full: 'width' is 0: expected a whole number above 0"),
        ([True], "layer 1 > full: 'width' is True: expected a whole number above 0"),
        ([['full', {'width': 2.5}]], "layer 1 > full: 'width' is 2.5: expected a whole number above 0"),
        ([30, 1.5], 'layer 2 is 1.5: expected a width such as 30'),
        ([None], 'layer 1 is None: expected a width such as 30'),
        (
            [['ful', {'width': 3}]],
            "layer 1: the layer type 'ful' is not known; did you mean 'full'? known: full, scale",
        ),
        ('full', "layer 1 is 'full': expected a width such as 30"),
        ([['full']], "layer 1 > full: 'width' is missing"),
        (
            [['full', {'widht': 3}]],
            "layer 1 > full: the option 'widht' is not known; did you mean 'width'? known: width",
        ),
        ([['full', {'width': 3}, 4]], "layer 1 > full: a 'full' layer takes options only, but 4 follows them"),
    ],
)
def test_a_mistake_is_named_with_its_place(written, message):
    with pytest.raises(ConfigError) as problem:
        normalize(written, TYPES)
    assert str(problem.value).startswith(message)
