"""A progress bar for people that leaves no trace.

On a terminal it is drawn on standard error and wiped away. In a notebook that somebody looks at it is drawn where the
next log line will stand, and that line overwrites it. Where nobody looks (a pipe, a test, a notebook that is executed
by a program) nothing is drawn at all.
"""

import os
import sys

from tqdm import tqdm

# Front ends with a person before them set these for the kernels that they start; nbclient and nbval do not.
LIVE_NOTEBOOK = ('JPY_SESSION_NAME', 'VSCODE_PID')

# Narrower than every log line, so that the line that follows covers it.
NOTEBOOK_WIDTH = 26


def steps(count, label):
    """range(count) with a progress bar named `label` for whoever is watching."""
    if sys.stderr.isatty():
        return tqdm(range(count), desc=label, file=sys.stderr, leave=False, unit='step')
    if 'ipykernel' in sys.modules and any(name in os.environ for name in LIVE_NOTEBOOK):
        form = '{desc}: {percentage:3.0f} %'
        return tqdm(range(count), desc=label, file=sys.stdout, leave=False, ncols=NOTEBOOK_WIDTH, bar_format=form)
    return range(count)
