"""Where the boxes and lines of a network's picture go (see diagram): blocks that know how large they are.

Data flows from top to bottom. A block is entered at its top and left at its bottom, both on one vertical line, its
spine; `left` and `right` are what it needs on the two sides of the spine. Blocks are compared by value: equal blocks
are equal layers between equal shapes. Lengths are inches, for letters of FONT points.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import NamedTuple

FONT = 7
LINE, MARGIN = 0.13, 0.07  # a line of text; the space between text and its box, or a frame and what stands in it
GAP, BUS, BESIDE = 0.13, 0.08, 0.14  # between blocks; from a split to its branches; between branches
TAIL, HEAD = 0.17, 0.19  # for a shape on an edge; for the name of a frame
TALLEST, WIDEST, LANE = 8.0, 16.0, 0.45  # a column, all columns together, and between two of them
APART = 0.035  # half of what keeps a shortcut away from the lines of other branches
# Equal plain layers are folded from so many on: two small boxes are read faster than a number.
FOLD_PLAIN = 3


class Mark(NamedTuple):
    """A text with the rectangle that it fills; kind: what it is, such as 'conv', 'shape', 'frame'."""

    left: float
    top: float
    right: float
    bottom: float
    text: str
    kind: str


class Line(NamedTuple):
    """A line through points (x, y); arrow: whether it ends in one; kind: 'edge', 'shortcut' or 'column'."""

    points: tuple
    arrow: bool = False
    kind: str = 'edge'


@dataclass
class Drawing:
    """What is to be drawn, y counted downwards."""

    width: float = 0
    height: float = 0
    marks: list = field(default_factory=list)
    lines: list = field(default_factory=list)

    def mark(self, left, top, width, height, text, kind):
        """Add a text in its rectangle."""
        self.marks.append(Mark(left, top, left + width, top + height, text, kind))

    def line(self, *points, arrow=False, kind='edge'):
        """Add a line."""
        self.lines.append(Line(points, arrow, kind))

    def shape(self, x, top, text):
        """A text to the right of a vertical edge."""
        self.mark(x + MARGIN, top, text_width(text), LINE, text, 'shape')


def text_width(text):
    """About how wide a text of one or more lines is: letters of other scripts are nearly square."""
    lines = text.split('\n')
    return max(sum(0.1 if ord(letter) > 0x1100 else 0.061 for letter in line) for line in lines)


def beside(text):
    """What a text beside the spine takes on its side, 0 for none."""
    return text_width(text) + 2 * MARGIN if text else 0


@dataclass(frozen=True)
class Plain:
    """A layer in a box. shape: of its output, '' if that of its input; key: tells layers of the same text apart."""

    text: str
    kind: str
    shape: str = ''
    key: str = ''
    plain = pointed = True

    @cached_property
    def half(self):
        return max(text_width(self.text) / 2 + MARGIN, 0.3)

    @cached_property
    def box(self):
        """The height of the box."""
        return LINE * (1 + self.text.count('\n')) + MARGIN

    @property
    def left(self):
        return self.half

    @property
    def right(self):
        return max(self.half, beside(self.shape))

    @property
    def height(self):
        return self.box + (TAIL if self.shape else 0)

    def place(self, x, y, drawing):
        """Put it into the drawing, with the spine at x and the top at y."""
        drawing.mark(x - self.half, y, 2 * self.half, self.box, self.text, self.kind)
        if self.shape:
            drawing.line((x, y + self.box), (x, y + self.height))
            drawing.shape(x, y + self.box + 0.03, self.shape)


@dataclass(frozen=True)
class Row:
    """Blocks one after the other."""

    blocks: tuple
    plain = False

    @property
    def pointed(self):
        return bool(self.blocks) and self.blocks[0].pointed

    @cached_property
    def left(self):
        return max((block.left for block in self.blocks), default=0)

    @cached_property
    def right(self):
        return max((block.right for block in self.blocks), default=0)

    @cached_property
    def height(self):
        return sum(block.height for block in self.blocks) + GAP * max(len(self.blocks) - 1, 0)

    def place(self, x, y, drawing):
        """As for Plain."""
        for number, block in enumerate(self.blocks):
            if number:
                drawing.line((x, y), (x, y + GAP), arrow=block.pointed)
                y += GAP
            block.place(x, y, drawing)
            y += block.height


@dataclass(frozen=True)
class Split:
    """Branches side by side that are joined. kind: 'concat' or 'sum'; text: of the join; shape: as for Plain (a sum has
    that of its first branch).

    tiled: for each branch, whether its channels are repeated. shortcut: None, or whether those of the input are, which
    goes around the branches on a line of its own. word: what says so; another where missing channels are zero instead.
    """

    branches: tuple
    kind: str
    text: str
    shape: str = ''
    tiled: tuple = ()
    shortcut: bool | None = None
    word: str = 'tiled'
    plain = pointed = False

    @cached_property
    def rights(self):
        """What each branch takes on the right of its spine, with the word at its end."""
        tiled = self.tiled or (False,) * len(self.branches)
        return [
            max(block.right, beside(self.word)) if narrow else block.right
            for block, narrow in zip(self.branches, tiled, strict=True)
        ]

    @cached_property
    def spines(self):
        """Where the spines of the branches are, seen from that of the split: for a sum, the first is in line."""
        places, edge = [], 0
        for block, right in zip(self.branches, self.rights, strict=True):
            places.append(edge + block.left)
            edge += block.left + right + BESIDE
        middle = places[0] if self.kind == 'sum' else (places[0] + places[-1]) / 2
        return [place - middle for place in places]

    @cached_property
    def join(self):
        """Half the width of the box that joins the branches."""
        half = text_width(self.text) / 2 + MARGIN
        return half if self.kind == 'sum' else max(half, self.spines[-1] + 0.25)

    @property
    def edge(self):
        """How far the last branch reaches to the right."""
        return self.spines[-1] + self.rights[-1]

    @cached_property
    def around(self):
        """Where the shortcut goes."""
        return max(self.edge, self.join + BESIDE) + BESIDE / 2

    @cached_property
    def left(self):
        return max(self.branches[0].left - self.spines[0], self.join)

    @cached_property
    def right(self):
        inner = max(self.edge, self.join, beside(self.shape))
        if self.shortcut is None:
            return inner
        return self.around + (beside(self.word) if self.shortcut else MARGIN)

    @cached_property
    def deep(self):
        """From the top to the join."""
        tails = [TAIL if word else 0 for word in self.tiled] or [0] * len(self.branches)
        heights = [block.height + tail for block, tail in zip(self.branches, tails, strict=True)]
        return BUS + GAP + max(heights) + GAP

    @property
    def height(self):
        return self.deep + LINE + MARGIN + (TAIL if self.shape else 0)

    def place(self, x, y, drawing):
        """As for Plain."""
        bus, start, join = y + BUS, y + BUS + GAP, y + self.deep
        middle, apart = join + (LINE + MARGIN) / 2, APART if len(self.branches) > 1 else 0
        for number, (block, offset) in enumerate(zip(self.branches, self.spines, strict=True)):
            spine, end = x + offset, start + block.height
            drawing.line((x, y), (x, bus), (spine, bus), (spine, start), arrow=block.pointed)
            block.place(spine, start, drawing)
            if self.kind == 'concat' or number == 0:
                drawing.line((spine, end), (spine, join), arrow=True)
            else:
                drawing.line((spine, end), (spine, middle - apart), (x + self.join, middle - apart), arrow=True)
            if self.tiled and self.tiled[number]:
                drawing.shape(spine, join - TAIL - 0.03, self.word)
        if self.shortcut is not None:
            side, over, under = x + self.around, bus - 2 * apart, middle + apart
            drawing.line((x, over), (side, over), (side, under), (x + self.join, under), arrow=True, kind='shortcut')
            if self.shortcut:
                drawing.shape(side, join - TAIL - 0.03, self.word)
        drawing.mark(x - self.join, join, 2 * self.join, LINE + MARGIN, self.text, self.kind)
        if self.shape:
            drawing.line((x, join + LINE + MARGIN), (x, y + self.height))
            drawing.shape(x, join + LINE + MARGIN + 0.03, self.shape)


@dataclass(frozen=True)
class Side:
    """A block beside the spine, which reads what goes by there and gives nothing back."""

    block: object
    plain = pointed = False
    left = MARGIN

    @property
    def offset(self):
        """Where the spine of the block is, seen from the one that goes by."""
        return BESIDE + self.block.left

    @cached_property
    def right(self):
        return self.offset + self.block.right

    @property
    def height(self):
        return BUS + GAP + self.block.height

    def place(self, x, y, drawing):
        """As for Plain."""
        spine, bus, start = x + self.offset, y + BUS, y + BUS + GAP
        drawing.line((x, y), (x, y + self.height))
        drawing.line((x, bus), (spine, bus), (spine, start), arrow=True)
        self.block.place(spine, start, drawing)


@dataclass(frozen=True)
class Frame:
    """A frame around a block, with the name of a macro, and how many times the block stands there."""

    block: object
    name: str = ''
    count: int = 1
    plain = False

    @property
    def pointed(self):
        return self.block.plain

    @property
    def times(self):
        return f'× {self.count}' if self.count > 1 else ''

    @cached_property
    def left(self):
        return self.block.left if self.block.plain else max(self.block.left + MARGIN, beside(self.name))

    @cached_property
    def right(self):
        if self.block.plain:
            return max(self.block.right, self.block.left + beside(self.times))
        return max(self.block.right + MARGIN, beside(self.times))

    @property
    def height(self):
        return self.block.height if self.block.plain else HEAD + self.block.height + MARGIN

    def place(self, x, y, drawing):
        """As for Plain."""
        if self.block.plain:
            self.block.place(x, y, drawing)
            times = x + self.block.left + MARGIN
            drawing.mark(times, y + MARGIN / 2, text_width(self.times), LINE, self.times, 'count')
            return
        drawing.mark(x - self.left, y, self.left + self.right, self.height, '', 'frame')
        width = text_width(self.name)
        drawing.mark(x - self.left + MARGIN, y + 0.03, width, LINE, self.name, 'name')
        drawing.mark(x + MARGIN, y + 0.03, text_width(self.times), LINE, self.times, 'count')
        drawing.line((x, y), (x, y + HEAD), arrow=self.block.pointed)
        self.block.place(x, y + HEAD, drawing)
        drawing.line((x, y + HEAD + self.block.height), (x, y + self.height))


def in_line(blocks, fold):
    """One block of several in a line: neighbours that are equal become one with their number, if fold is set."""
    line = []
    for block, run in groupby(blocks) if fold else ((block, [block]) for block in blocks):
        count = len(list(run))
        if count >= (FOLD_PLAIN if block.plain else 2):
            named = isinstance(block, Frame) and block.count == 1
            line.append(replace(block, count=count) if named else Frame(block, count=count))
        else:
            line += count * (block.blocks if isinstance(block, Row) else (block,))
    return line[0] if len(line) == 1 else Row(tuple(line))


def pruned(block, inside=False):
    """The block with the outermost frames of macros alone; one around a single layer would only be in the way."""
    if isinstance(block, Row):
        return in_line([pruned(part, inside) for part in block.blocks], fold=False)
    if isinstance(block, Split):
        return replace(block, branches=tuple(pruned(part, inside) for part in block.branches))
    if isinstance(block, Side):
        return replace(block, block=pruned(block.block, inside))
    if isinstance(block, Frame):
        if block.count == 1 and (inside or pruned(block.block, True).plain):
            return pruned(block.block, inside)
        return replace(block, block=pruned(block.block, True))
    return block


def column_blocks(blocks):
    """The blocks in a line that columns are made of: a macro that is taller than a column loses its frame."""
    found = []
    for block in blocks:
        shown = pruned(block)
        if isinstance(block, Frame) and block.count == 1 and shown.height > TALLEST:
            block = block.block
            found += column_blocks(block.blocks if isinstance(block, Row) else (block,))
        else:
            found += shown.blocks if isinstance(shown, Row) else (shown,)
    return found


def wrapped(blocks):
    """The blocks as columns: a list of Rows, as few as are not too tall, and no more than are not too wide."""
    best = [Row(tuple(blocks))]
    for count in range(2, len(blocks) + 1):
        if max(column.height for column in best) <= TALLEST:
            break
        columns = _balanced(blocks, count)
        if sum(column.left + column.right + LANE for column in columns) > WIDEST:
            break
        best = columns
    return best


def _balanced(blocks, count):
    """The blocks in at most so many columns, as low as can be; a column is filled up to a limit found by halving."""
    low, high = max(block.height for block in blocks), Row(tuple(blocks)).height
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(blocks, middle)) <= count else (middle, high)
    return _filled(blocks, high)


def _filled(blocks, limit):
    """The blocks as columns, each filled up to the limit."""
    columns = [[]]
    for block in blocks:
        if columns[-1] and Row((*columns[-1], block)).height > limit:
            columns.append([])
        columns[-1].append(block)
    return [Row(tuple(column)) for column in columns]


def arranged(block):
    """The Drawing of a whole network, in columns side by side where it is tall; a faint line leads to the next."""
    blocks = column_blocks(block.blocks if isinstance(block, Row) else (block,))
    columns = wrapped(blocks)
    drawing, x, spines = Drawing(), 0.1, []
    for column in columns:
        spines.append(x + column.left)
        column.place(spines[-1], 0.1 + GAP, drawing)
        x += column.left + column.right + LANE
    drawing.width, drawing.height = x - LANE + 0.1, max(column.height for column in columns) + 2 * GAP + 0.2
    for (column, spine), (follower, after) in pairwise(zip(columns, spines, strict=True)):
        end, lane = 0.1 + GAP + column.height, after - follower.left - LANE / 2
        path = [(spine, end), (spine, end + GAP), (lane, end + GAP), (lane, 0.1), (after, 0.1), (after, 0.1 + GAP)]
        drawing.line(*path, arrow=follower.pointed, kind='column')
    return drawing
