"""The three tables of chapters 1 to 3: abalone, pulsar stars, faults of steel plates."""

import csv
import hashlib
import io

import numpy as np

from data import location
from data.dataset import Dataset
from data.errors import DataError, shortened
from data.labels import word

ABALONE = (
    'Sex',
    'Length',
    'Diameter',
    'Height',
    'Whole weight',
    'Shucked weight',
    'Viscera weight',
    'Shell weight',
    'Rings',
)
PULSAR = tuple(
    f'{statistic} of the {curve}'
    for curve in ('integrated profile', 'DM-SNR curve')
    for statistic in ('Mean', 'Standard deviation', 'Excess kurtosis', 'Skewness')
) + ('target_class',)
STEEL_FAULTS = ('Pastry', 'Z_Scratch', 'K_Scatch', 'Stains', 'Dirtiness', 'Bumps', 'Other_Faults')
STEEL = (
    'X_Minimum',
    'X_Maximum',
    'Y_Minimum',
    'Y_Maximum',
    'Pixels_Areas',
    'X_Perimeter',
    'Y_Perimeter',
    'Sum_of_Luminosity',
    'Minimum_of_Luminosity',
    'Maximum_of_Luminosity',
    'Length_of_Conveyer',
    'TypeOfSteel_A300',
    'TypeOfSteel_A400',
    'Steel_Plate_Thickness',
    'Edges_Index',
    'Empty_Index',
    'Square_Index',
    'Outside_X_Index',
    'Edges_X_Index',
    'Edges_Y_Index',
    'Outside_Global_Index',
    'LogOfAreas',
    'Log_X_Index',
    'Log_Y_Index',
    'Orientation_Index',
    'Luminosity_Index',
    'SigmoidOfAreas',
) + STEEL_FAULTS

LARGEST = 64 * 1024**2  # bytes; the largest of the three has 2 million
_SEXES = {'I': (1.0, 0.0, 0.0), 'M': (0.0, 1.0, 0.0), 'F': (0.0, 0.0, 1.0)}
_LARGEST = float(np.finfo('float32').max)


class Table:
    """A CSV file with one header line, checked while it is read.

    `columns` are the names that the header must hold, spaces around them aside; they may stand in any order, and other
    columns are not read. A byte order mark and empty lines are allowed. `rows` is a list of (line, fields) with the
    fields as text in the order of `columns`; `digest` the first 12 hexadecimal digits of the file's SHA-256.

    Raises DataError, with file, line and column, where the file is missing, too large, not text, lacks a column or has
    no rows, and where a row has too few or too many fields.
    """

    def __init__(self, path, columns):
        self.path = path
        self.columns = columns
        try:
            with path.open('rb') as file:
                content = file.read(LARGEST + 1)
        except OSError as problem:
            raise DataError(
                f'{path} cannot be read ({problem.strerror}). "python -m data fetch tabular" brings it.'
            ) from None
        if len(content) > LARGEST:
            raise DataError(f'{path} is larger than {LARGEST:,} bytes: no table of this book is. Fetch it again.')
        self.digest = hashlib.sha256(content).hexdigest()[:12]
        try:
            text = content.decode('utf-8-sig')
        except UnicodeDecodeError as problem:
            raise DataError(f'{path} is not UTF-8 text ({problem}). Save it as CSV in UTF-8.') from None
        self.rows = self._read(csv.reader(io.StringIO(text, newline=''), strict=True))

    def _read(self, reader):
        try:
            header = [name.strip() for name in next(reader, [])]
            picked = [self._position(header, column) for column in self.columns]
            rows = []
            for fields in reader:
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise DataError(
                        f'{self.path}, line {reader.line_num}: {len(fields)} fields, but the header names '
                        f'{len(header)} columns (from {shortened(header[0])!r} to {shortened(header[-1])!r}). '
                        f'Correct or delete the line.'
                    )
                rows.append((reader.line_num, [fields[at] for at in picked]))
        except csv.Error as problem:
            raise DataError(
                f'{self.path}, line {reader.line_num}: not readable as CSV ({shortened(problem)}).'
            ) from None
        if not rows:
            raise DataError(f'{self.path} has a header but no rows. Fetch the file again.')
        return rows

    def _position(self, header, column):
        if header.count(column) == 1:
            return header.index(column)
        found = 'twice or more' if column in header else 'not at all'
        raise DataError(
            f'{self.path}, line 1: the column {column!r} must be there once, and is there {found}. '
            f'The header has {len(header)} columns: {shortened(", ".join(header), 1000) or "it is empty"}.'
        )

    def fault(self, line, column, found, expected):
        """A DataError about one field: line number, column name, the text found there, what was expected."""
        return DataError(
            f'{self.path}, line {line}, column {column!r}: found {shortened(found)!r}, expected {expected}. '
            f'Correct the field or delete the line.'
        )

    def numbers(self, first=0):
        """The fields from column number `first` on, as a float64 array [rows, columns - first].

        Raises DataError where a field is no number, not finite, or too large for float32.
        """
        columns = self.columns[first:]
        values = np.empty((len(self.rows), len(columns)))
        for at, (line, fields) in enumerate(self.rows):
            for k, text in enumerate(fields[first:]):
                try:
                    value = float(text)
                except ValueError:
                    raise self.fault(line, columns[k], text, 'a number') from None
                if not abs(value) <= _LARGEST:
                    raise self.fault(line, columns[k], text, 'a finite number')
                values[at, k] = value
        return values


class _TableDataset(Dataset):
    """A data set of one CSV file in the folder `tabular`. A subclass names the file and its columns."""

    filename = None
    columns = ()

    def __init__(self, name, mode):
        super().__init__(name, mode)
        self.kind = location.kind()
        table = self.table()
        self.digest = table.digest
        self.shuffle_data(*self.split_columns(table))

    @classmethod
    def table(cls):
        """The Table behind this data set."""
        return Table(location.folder('tabular') / cls.filename, cls.columns)

    @classmethod
    def read(cls):
        """Inputs [rows, inputs] and answers [rows, outputs] in the order of the file; draws no random numbers."""
        return cls.split_columns(cls.table())

    @classmethod
    def split_columns(cls, table):
        """The Table as inputs [rows, inputs] and answers [rows, outputs]."""
        raise TypeError(f'{cls.__name__} must say how its table divides into inputs and answers')


class AbaloneDataset(_TableDataset):
    """The age of 4,177 sea snails (in rings of the shell) from 8 measurements: a regression (chapter 1).

    10 inputs: the sex one-hot as I (infant), M, F, then seven lengths and weights; float64, as in the book.
    """

    filename, columns = 'abalone.csv', ABALONE

    def __init__(self):
        super().__init__('abalone', 'regression')

    @classmethod
    def split_columns(cls, table):
        sexes = np.array([cls._sex(table, line, fields[0]) for line, fields in table.rows])
        values = table.numbers(first=1)
        return np.concatenate([sexes, values[:, :-1]], axis=1), values[:, -1:]

    @staticmethod
    def _sex(table, line, text):
        if text.strip() not in _SEXES:
            raise table.fault(line, 'Sex', text, f'one of {", ".join(_SEXES)}')
        return _SEXES[text.strip()]


class PulsarDataset(_TableDataset):
    """Which of 17,898 signals come from a pulsar, from 8 statistics of the signal: yes or no (chapter 2).

    The numbers are rounded to float32, as in the book.
    """

    filename, columns = 'pulsar_stars.csv', PULSAR

    def __init__(self, name='pulsar', mode='binary'):
        super().__init__(name, mode)
        self.target_names = [word('star'), word('pulsar')]

    @classmethod
    def split_columns(cls, table):
        values = table.numbers().astype('float32')
        for (line, fields), answer in zip(table.rows, values[:, -1], strict=True):
            if answer not in (0, 1):
                raise table.fault(line, table.columns[-1], fields[-1], '0 (a star) or 1 (a pulsar)')
        return values[:, :-1], values[:, -1:]


class PulsarSelectDataset(PulsarDataset):
    """The pulsars again, asked as a choice of one in two: 8 inputs, 2 outputs (chapter 3)."""

    def __init__(self):
        super().__init__('pulsarselect', 'select')

    @classmethod
    def split_columns(cls, table):
        xs, ys = super().split_columns(table)
        return xs, np.concatenate([1 - ys, ys], axis=1)


class SteelDataset(_TableDataset):
    """Which of 7 faults 1,941 steel plates have, from 27 measurements: one of many (chapter 3).

    The numbers are rounded to float32, as in the book.
    """

    filename, columns = 'faults.csv', STEEL

    def __init__(self):
        super().__init__('steel', 'select')
        self.target_names = list(STEEL_FAULTS)

    @classmethod
    def split_columns(cls, table):
        values = table.numbers().astype('float32')
        count = len(STEEL_FAULTS)
        xs, ys = values[:, :-count], values[:, -count:]
        wrong = np.flatnonzero((np.sum(ys == 1, axis=1) != 1) | (np.sum(ys == 0, axis=1) != count - 1))
        if len(wrong):
            line, fields = table.rows[wrong[0]]
            columns = f'{STEEL_FAULTS[0]} to {STEEL_FAULTS[-1]}'
            raise table.fault(line, columns, ','.join(fields[-count:]), f'exactly one 1 and {count - 1} times 0')
        return xs, ys
