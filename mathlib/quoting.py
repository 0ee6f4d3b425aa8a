"""What a reader wrote, quoted in an error: whatever it is, the quotation is short, and there is one."""

# How deep lists may stand in lists, and how many parts there may be in all, in anything that a reader writes.
DEEPEST_PARTS = 120
MOST_PARTS = 200_000
# What is quoted is cut off after so many letters.
QUOTED = 300


def excess(value):
    """What is too much about a value, in words: lists and dicts that are too deep, or too many; '' for nothing.

    A list that stands in itself is as deep as can be, and one that stands in another twice, which stands in a third
    twice, and so on, soon has more parts than there is memory.
    """
    level, count = [value], 0
    for _ in range(DEEPEST_PARTS):
        count += len(level)
        if count > MOST_PARTS:
            return f'more than {MOST_PARTS:,} parts'
        level = [part for each in level for part in _inside(each)]
        if not level:
            return ''
    return f'lists in lists more than {DEEPEST_PARTS} deep, or one of them in itself'


def _inside(value):
    """What stands in a list or a dict."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def quoted(value):
    """A value as Python writes it: cut off where that is long, its type alone where it cannot be written."""
    kind = f'something of the type {type(value).__name__}'
    if told := excess(value):
        return f'{kind} ({told})'
    try:
        text = repr(value)
    except Exception:  # what a reader hands in may be anything, with a __repr__ of its own
        return kind
    return text if len(text) <= QUOTED else f'{text[:QUOTED]}...'
