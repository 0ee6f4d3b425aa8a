"""The product of a full layer, x w, shared sensibly when the weights are more than the rows (chapter 5)."""

from mathlib import team
from mathlib.backend import xp

# Weights of at least this many numbers do not stay in a cache, so that reading them takes longer than multiplying.
LARGE = 1 << 20
FEW_ROWS = 16


def product(x, w):
    """x w for x [n, inputs] and w [inputs, width].

    A member of a team that has few rows would read all of w for them. So the members of a team, if they are threads,
    take the rows of all of them, and each reads some of the columns of w.
    """
    who = team.member()
    if who.size == 1 or who.apart or w.size < LARGE:
        return xp.matmul(x, w)
    rows = who.gather(x)
    # Members may differ by a row; what all of them see decides, so that none waits for another in vain.
    if max(len(each) for each in rows) > FEW_ROWS:
        return xp.matmul(x, w)
    columns = who.gather(xp.matmul(xp.concatenate(rows), w[:, who.part(w.shape[1])]))
    start = sum(len(each) for each in rows[: who.rank])
    return xp.concatenate([each[start : start + len(x)] for each in columns], axis=1)
