"""Short ways to write layers down. What they return is plain data, the same lists that a reader would write."""

# The argument by which a macro hands its actions on to the macros inside it.
ACT = {'#act': '#act'}


def conv(ksize, chn, **options):
    """A convolution; options: stride, padding, actions."""
    return ['conv', {'ksize': ksize, 'chn': chn, **options}]


def act(ksize, chn, **options):
    """A convolution with the actions that the macro is given."""
    return conv(ksize, chn, actions='#act', **options)


def maximum(ksize, stride, **options):
    """Max pooling; options: padding."""
    return ['max', {'ksize': ksize, 'stride': stride, **options}]


def average(ksize, stride):
    """Average pooling."""
    return ['avg', {'ksize': ksize, 'stride': stride}]


def serial(*layers):
    """Layers one after the other."""
    return ['serial', *layers]


def parallel(*branches):
    """Branches that read the same maps; their outputs are joined channel by channel."""
    return ['parallel', *branches]


def add(x, *branches):
    """The sum of the branches, and of the input itself if x is True."""
    return ['add', {'x': x}, *branches]


def loop(repeat, layer):
    """The layer so many times, each time with parameters of its own."""
    return ['loop', {'repeat': repeat}, layer]


def custom(macro, args=None):
    """A macro's layers. args: {'#name': value}; a value that is itself such a word is passed on from outside."""
    return ['custom', {'name': macro, 'args': dict(args)} if args else {'name': macro}]
