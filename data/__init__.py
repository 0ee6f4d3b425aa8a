"""The data sets of the book: tables, photos, digits.

=================  ==================  ====================================================
set                answer              files
=================  ==================  ====================================================
AbaloneDataset     a number            tabular/abalone.csv
PulsarDataset      yes or no           tabular/pulsar_stars.csv
PulsarSelect-      one of 2            the same
Dataset
SteelDataset       one of 7            tabular/faults.csv
FlowersDataset     one of 5            flowers/<class>/*.jpg
Office31Dataset    one of 3, of 31     office31/<domain>/images/<category>/*.jpg
MnistDataset       one of 10           mnist/*.gz
DummyDataset       (shapes only)       none
=================  ==================  ====================================================

The files lie under DATA_DIR, or in a small sample that is generated on first use. `python -m data` fetches the real
ones. For a set of your own derive from Dataset (or DualSelectDataset) and call `shuffle_data(xs, ys)`.

`augment=` of the sets of photos changes what is trained on (data/augment.py). data/pictures.py prepares a photo of
yours for a published network.
"""

from data.dataset import Dataset
from data.dummy import DummyDataset
from data.errors import DataError
from data.flowers import FlowersDataset
from data.mnist import MnistDataset
from data.office31 import DualSelectDataset, Office31Dataset
from data.rows import ImageRows
from data.tables import AbaloneDataset, PulsarDataset, PulsarSelectDataset, SteelDataset

__all__ = [
    'AbaloneDataset',
    'DataError',
    'Dataset',
    'DualSelectDataset',
    'DummyDataset',
    'FlowersDataset',
    'ImageRows',
    'MnistDataset',
    'Office31Dataset',
    'PulsarDataset',
    'PulsarSelectDataset',
    'SteelDataset',
]
