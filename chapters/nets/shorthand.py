"""Short ways to write layers down. What they return is plain data, the same lists that a reader would write."""

# The argument by which a macro hands its actions on to the macros inside it.
ACT = {'#act': '#act'}


def conv(ksize, chn, **options):
    """A convolution; options: stride, padding, actions, and what else its model knows."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


def act(ksize, chn, **options):
    """A convolution with the actions that the macro is given."""
    return conv(ksize, chn, actions='#act', **options)


def around(ksize):
    """The padding with which a kernel of odd sides, at a stride of 1, keeps the sides of its maps."""
    if isinstance(ksize, int):
        return ksize // 2
    return [[side // 2] * 2 for side in ksize]


def padded(ksize, chn, **options):
    """A convolution, with a bias and its activation, that reads half a kernel beyond the edges."""
    return conv(ksize, chn, **{'padding': around(ksize), **options})


def normed(ksize, chn, **options):
    """The same without a bias, and with a batch normalisation before the activation, unless options say otherwise."""
    return padded(ksize, chn, **{'actions': 'LBA', 'bias': False, **options})


def full(width, **options):
    """A full layer; options: actfunc."""
    return ['full', {'width': width, **options}]


def maximum(ksize, stride, **options):
    """Max pooling; options: padding, ceil."""
    return ['max', {'ksize': ksize, 'stride': stride, **options}]


def average(ksize, stride, **options):
    """Average pooling; options: padding, ceil, count_outside."""
    return ['avg', {'ksize': ksize, 'stride': stride, **options}]


def global_average():
    """The mean of each map: [h, w, c] becomes [c]."""
    return ['global_avg']


def dropout(keep_prob):
    """Dropout that keeps each number with this probability."""
    return ['dropout', {'keep_prob': keep_prob}]


def serial(*layers):
    """Layers one after the other."""
    return ['serial', *layers]


def parallel(*branches):
    """Branches that read the same maps; their outputs are joined channel by channel."""
    return ['parallel', *branches]


def add(x, *branches, **options):
    """The sum of the branches, and of the input itself if x is True; options: actions, fill, scale."""
    return ['add', {'x': x, **options}, *branches]


def loop(repeat, layer):
    """The layer so many times, each time with parameters of its own."""
    return ['loop', {'repeat': repeat}, layer]


def custom(macro, args=None):
    """A macro's layers. args: {'#name': value}; a value that is itself such a word is passed on from outside."""
    return ['custom', {'name': macro, 'args': dict(args)} if args else {'name': macro}]
