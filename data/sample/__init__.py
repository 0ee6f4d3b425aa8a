"""The sample: small stand-ins for the book's data sets, so that the book runs before anything is fetched.

Folders, file names and formats are those of the real sets. Nothing in it comes from them: every picture and every row
is made here, from fixed seeds, and comes out the same each time on one machine. Nothing here touches the random stream
of the networks.
"""

from pathlib import Path

from data.sample import digits, flowers, office31, tables

README = """\
This folder was made by the book itself. Nothing in it is a photograph or a measurement.

flowers/    drawings of five flowers, laid out like the flowers-recognition set
office31/   drawings of 31 office objects in three looks, laid out like Office-31
mnist/      drawn digits in the four files of MNIST
tabular/    made-up tables with the columns of abalone.csv, pulsar_stars.csv and faults.csv

It is small, so that every cell of the book runs in seconds, and easier than the real data: figures reached here say
nothing about the real sets. To get those, run

    python -m data fetch flowers office31 mnist tabular

and set DATA_DIR to the folder that it names. This folder may be deleted; it is made again when it is needed.
"""


def make(folder):
    """Writes the whole sample into `folder` (flowers/, office31/, mnist/, tabular/, README.txt), some seconds of work.

    `folder` is made if it is missing; files of the sample that are already there are written again.
    """
    folder = Path(folder)
    for part in (tables, digits, office31, flowers):
        part.make(folder)
    (folder / 'README.txt').write_text(README, encoding='utf-8')
