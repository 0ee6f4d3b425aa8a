"""Chapter 9: the inception networks, after Szegedy et al. 2014 (GoogLeNet) and 2015 (Inception-v3).

Which kernel size is best for a picture? A module tries several side by side and joins what they find. Convolutions of
1x1 before the larger ones make the channels fewer, and a 1x7 followed by a 7x1 stands for a 7x7 with 14 weights
instead of 49. `inception_v3` has the kernels and channels of the paper in the book's form: no batch normalisation, no
auxiliary head, and reductions that keep SAME padding. `inception_flower` is the book's small one for the flowers.
"""

from chapters.nets.shorthand import ACT, act, average, conv, custom, maximum, parallel, serial


def wide_and_tall(convolution, chn):
    """A 1x3 and a 3x1 side by side on the same maps."""
    return parallel(convolution([1, 3], chn), convolution([3, 1], chn))


V3 = {
    # The stem: 299x299x3 -> 34x34x192.
    'v3_preproc': serial(
        conv(3, 32, stride=2, padding='VALID'),
        conv(3, 32, padding='VALID'),
        conv(3, 64),
        maximum(3, 2, padding='VALID'),
        conv(1, 80, padding='VALID'),
        conv(3, 192, padding='VALID'),
        maximum(3, 2, padding='VALID'),
    ),
    # 34x34: 1x1, 5x5, two 3x3, and a pool whose channels are #chn.
    'v3_inception1': parallel(
        conv(1, 64),
        serial(conv(1, 48), conv(5, 64)),
        serial(conv(1, 64), conv(3, 96), conv(3, 96)),
        serial(average(3, 1), conv(1, '#chn')),
    ),
    # 34x34 -> 17x17.
    'v3_resize1': parallel(
        conv(3, 384, stride=2),
        serial(conv(1, 64), conv(3, 96), conv(3, 96, stride=2)),
        maximum(3, 2),
    ),
    # 17x17: 7x7 in pieces, once and twice, through #chn channels.
    'v3_inception2': parallel(
        conv(1, 192),
        serial(conv(1, '#chn'), conv([1, 7], '#chn'), conv([7, 1], 192)),
        serial(
            conv(1, '#chn'),
            conv([7, 1], '#chn'),
            conv([1, 7], '#chn'),
            conv([7, 1], '#chn'),
            conv([1, 7], 192),
        ),
        serial(average(3, 1), conv(1, 192)),
    ),
    # 17x17 -> 8x8.
    'v3_resize2': parallel(
        serial(conv(1, 192), conv(3, 320, stride=2)),
        serial(conv(1, 192), conv([1, 7], 192), conv([7, 1], 192), conv(3, 192, stride=2)),
        maximum(3, 2),
    ),
    # 8x8, to 2048 channels: branches that branch again.
    'v3_inception3': parallel(
        conv(1, 320),
        serial(conv(3, 384), wide_and_tall(conv, 384)),
        serial(conv(1, 448), conv(3, 384), wide_and_tall(conv, 384)),
        serial(average(3, 1), conv(1, 192)),
    ),
    # 8x8 -> 1x1: an average in place of full layers.
    'v3_postproc': serial(average(8, 8), ['dropout', {'keep_prob': 0.7}]),
    # 299x299x3 -> 200.
    'inception_v3': serial(
        custom('v3_preproc'),
        *[custom('v3_inception1', {'#chn': chn}) for chn in (32, 64, 64)],
        custom('v3_resize1'),
        *[custom('v3_inception2', {'#chn': chn}) for chn in (128, 160, 160, 192)],
        custom('v3_resize2'),
        custom('v3_inception3'),
        custom('v3_inception3'),
        custom('v3_postproc'),
    ),
}

FLOWER = {
    # 96x96x3 -> 48x48x6.
    'flower_preproc': serial(act(3, 6, stride=2)),
    # To 20 channels, as v3_inception1.
    'flower_inception1': parallel(
        act(1, 4),
        act(3, 6),
        serial(act(3, 6), act(3, 6)),
        serial(average(3, 1), act(1, 4)),
    ),
    # Sides halved, 24 channels more.
    'flower_resize': parallel(
        act(3, 12, stride=2),
        serial(act(3, 12), act(3, 12, stride=2)),
        average(3, 2),
    ),
    # To 48 channels, as v3_inception3.
    'flower_inception2': parallel(
        act(1, 8),
        serial(act(3, 8), wide_and_tall(act, 8)),
        serial(act(1, 8), act(3, 8), wide_and_tall(act, 8)),
        serial(average(3, 1), act(1, 8)),
    ),
    # 6x6 -> 1x1.
    'flower_postproc': serial(average(6, 6), ['dropout', {'keep_prob': 0.7}]),
    # 96x96x3 -> 5.
    'inception_flower': serial(
        custom('flower_preproc', ACT),
        custom('flower_inception1', ACT),
        custom('flower_resize', ACT),
        custom('flower_inception1', ACT),
        custom('flower_resize', ACT),
        custom('flower_inception2', ACT),
        custom('flower_resize', ACT),
        custom('flower_inception2', ACT),
        custom('flower_postproc'),
    ),
}

MACROS = V3 | FLOWER
