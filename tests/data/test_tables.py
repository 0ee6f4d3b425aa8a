import csv
import hashlib

import numpy as np
import pytest

from data import AbaloneDataset, DataError, PulsarDataset, PulsarSelectDataset, SteelDataset
from data.tables import ABALONE, PULSAR, STEEL, STEEL_FAULTS
from mathlib import rng, settings

COUNT = 40
SETS = {
    'abalone.csv': (AbaloneDataset, ABALONE),
    'pulsar_stars.csv': (PulsarDataset, PULSAR),
    'faults.csv': (SteelDataset, STEEL),
}


def fields(filename, random):
    """One row of the table as text; 9 digits, so that rounding to float32 changes something."""
    values = [f'{value:.9g}' for value in random.uniform(-1000, 1000, 40)]
    if filename == 'abalone.csv':
        return [random.choice(list('IMF')), *values[:7], str(random.randint(1, 30))]
    if filename == 'pulsar_stars.csv':
        return [*values[:8], str(random.randint(2))]
    return [*values[:27], *map(str, np.eye(7, dtype=int)[random.randint(7)])]


@pytest.fixture
def write(data_dir):
    """write(filename, change, header, begin) makes a table; `change` may alter its rows of text in place."""
    (data_dir / 'tabular').mkdir()

    def write_table(filename, change=None, header=None, begin=''):
        random = np.random.RandomState(1)
        rows = [fields(filename, random) for _ in range(COUNT)]
        if change:
            change(rows)
        path = data_dir / 'tabular' / filename
        with path.open('w', newline='', encoding='utf-8') as file:
            file.write(begin)
            csv.writer(file).writerows([header or SETS[filename][1], *rows])
        return rows

    return write_table


def order():
    indices = np.arange(COUNT)
    np.random.RandomState(1234).shuffle(indices)
    return indices


def put_together(dataset):
    xs = np.concatenate([dataset.tr_xs, dataset.va_xs, dataset.te_xs])
    return xs, np.concatenate([dataset.tr_ys, dataset.va_ys, dataset.te_ys])


def test_abalone_rows(write):
    rows = write('abalone.csv')
    rng.seed(1234)
    xs, ys = put_together(AbaloneDataset())
    assert xs.dtype == np.float64
    for x, y, row in zip(xs, ys, [rows[at] for at in order()], strict=True):
        assert list(x) == [*(float(row[0] == sex) for sex in 'IMF'), *map(float, row[1:8])]
        assert list(y) == [float(row[8])]


def test_pulsar_rows_are_rounded_to_float32(write):
    rows = np.asarray(write('pulsar_stars.csv'), dtype='float32')[order()]  # the book's reading
    rng.seed(1234)
    xs, ys = put_together(PulsarDataset())
    assert xs.dtype == ys.dtype == np.float32
    assert np.array_equal(xs, rows[:, :8])
    assert np.array_equal(ys, rows[:, 8:])
    rng.seed(1234)
    select = PulsarSelectDataset()
    xs, ys = put_together(select)
    assert np.array_equal(xs, rows[:, :8])
    assert np.array_equal(ys, np.eye(2)[rows[:, 8].astype(int)])
    assert (select.name, select.mode, select.output_shape) == ('pulsarselect', 'select', (2,))


def test_steel_rows(write):
    rows = np.asarray(write('faults.csv'), dtype='float32')[order()]
    rng.seed(1234)
    dataset = SteelDataset()
    xs, ys = put_together(dataset)
    assert np.array_equal(xs, rows[:, :27])
    assert np.array_equal(ys, rows[:, 27:])
    assert dataset.target_names == list(STEEL_FAULTS)
    assert str(dataset) == 'steel(select, 30+8+2)'


def test_a_set_knows_where_it_comes_from(write, data_dir):
    write('abalone.csv')
    dataset = AbaloneDataset()
    content = (data_dir / 'tabular' / 'abalone.csv').read_bytes()
    assert dataset.digest == hashlib.sha256(content).hexdigest()[:12]
    assert dataset.kind == 'real'
    assert dataset.skipped == []


def test_what_a_header_may_look_like(write):
    def reverse_and_add(rows):
        rows[:] = [['extra', *row[::-1]] for row in rows]

    write('pulsar_stars.csv')
    rng.seed(1)
    plain = PulsarDataset()
    for change in (
        {'begin': '\ufeff'},
        {'header': [f' {name} ' for name in PULSAR]},
        {'header': ['', *PULSAR[::-1]], 'change': reverse_and_add},
        {'change': lambda rows: rows.insert(3, [])},
    ):
        write('pulsar_stars.csv', **change)
        rng.seed(1)
        assert np.array_equal(PulsarDataset().te_xs, plain.te_xs)


def spoil(row, column, text):
    return lambda rows: rows[row].__setitem__(column, text)


@pytest.mark.parametrize(
    ('filename', 'change', 'message'),
    [
        ('abalone.csv', spoil(4, 2, 'wide'), r"line 6, column 'Diameter': found 'wide', expected a number"),
        ('abalone.csv', spoil(0, 8, ''), r"line 2, column 'Rings': found '', expected a number"),
        ('abalone.csv', spoil(1, 3, 'nan'), r"line 3, column 'Height': found 'nan', expected a finite number"),
        ('abalone.csv', spoil(9, 0, 'X'), r"line 11, column 'Sex': found 'X', expected one of I, M, F"),
        ('abalone.csv', lambda rows: rows[7].pop(), r'line 9: 8 fields, but the header names 9 columns'),
        ('abalone.csv', lambda rows: rows[7].append('1'), r'line 9: 10 fields, but the header names 9 columns'),
        ('abalone.csv', list.clear, r'abalone.csv has a header but no rows'),
        ('pulsar_stars.csv', spoil(2, 0, '-inf'), r"line 4, column 'Mean of the integrated profile': found '-inf'"),
        ('pulsar_stars.csv', spoil(2, 0, '1e39'), r"found '1e39', expected a finite number"),
        ('pulsar_stars.csv', spoil(5, 8, '2'), r"line 7, column 'target_class': found '2', expected 0 \(a star\) or 1"),
        (
            'faults.csv',
            spoil(3, slice(27, 34), list('0000000')),
            r"line 5, .*found '0,0,0,0,0,0,0', expected exactly one 1",
        ),
        ('faults.csv', spoil(3, slice(27, 34), list('0110000')), r"line 5, .*'Pastry to Other_Faults': found '0,1,1,0"),
        ('faults.csv', spoil(3, slice(27, 34), list('0120000')), r'line 5, .*expected exactly one 1 and 6 times 0'),
    ],
)
def test_a_wrong_field_is_named_with_line_and_column(write, filename, change, message):
    write(filename, change)
    with pytest.raises(DataError, match=message) as caught:
        SETS[filename][0]()
    assert filename in str(caught.value)


def test_a_wrong_header_names_the_column(write):
    write('abalone.csv', header=[*ABALONE[:3], 'Hight', *ABALONE[4:]])
    with pytest.raises(
        DataError, match=r"line 1: the column 'Height' must be there once, and is there not at all.*Hight"
    ):
        AbaloneDataset()
    write('abalone.csv', header=[*ABALONE[:3], 'Length', *ABALONE[4:]])
    with pytest.raises(DataError, match=r"the column 'Length' must be there once, and is there twice"):
        AbaloneDataset()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'it is empty'),
        (b'\xff\xfe\x00S\x00e\x00x', 'is not UTF-8 text'),
        (','.join(ABALONE).encode() + b'\nM,"0.4', r'line 2: not readable as CSV'),
    ],
)
def test_a_file_that_is_no_table(data_dir, content, message):
    (data_dir / 'tabular').mkdir()
    (data_dir / 'tabular' / 'abalone.csv').write_bytes(content)
    with pytest.raises(DataError, match=message):
        AbaloneDataset()


def test_a_missing_file_and_a_missing_folder(data_dir):
    with pytest.raises(DataError, match='holds no folder tabular'):
        AbaloneDataset()
    (data_dir / 'tabular').mkdir()
    with pytest.raises(DataError, match=r'abalone.csv cannot be read \(No such file'):
        AbaloneDataset()


def test_the_estimates_are_printed_as_in_the_book(write, capsys, monkeypatch):
    for filename in SETS:
        write(filename)
    snail = np.array([[0, 0, 1, 0.7, 0.535, 0.175, 1.773, 0.605, 0.4475, 0.538]])
    signals = np.array([[121.78, 48.0, 0.2, 0, 0, 0, 0, 0]] * 2)
    shares = np.array([[0.09, 0.1, 0.17, 0.08, 0.07, 0.18, 0.31]])
    for lang in ('en', 'ko'):
        monkeypatch.setattr(settings, 'book_lang', lang)
        AbaloneDataset().visualize(snail, np.array([[12.94]]), np.array([[10.0]]))
        PulsarDataset().visualize(signals, np.array([[0.01], [0.6]]), np.array([[0.0], [0.0]]))
        PulsarSelectDataset().visualize(signals[:1], np.array([[0.2, 0.8]]), np.array([[0.0, 1.0]]))
        SteelDataset().visualize(None, shares, np.eye(7)[5:6])
    assert capsys.readouterr().out.splitlines() == [
        '[0.00,0.00,1.00,0.70,0.54,0.17,1.77,0.60,0.45,0.54] => estimate 12.9 : answer 10.0',
        '[121.8, 48.0,  0.2,...] => estimate star(probability 0.01) : answer star => O',
        '[121.8, 48.0,  0.2,...] => estimate pulsar(probability 0.60) : answer star => X',
        'estimated distribution [20,80] => estimate pulsar : answer pulsar => O',
        'estimated distribution [ 9,10,17, 8, 7,18,31] => estimate Other_Faults : answer Bumps => X',
        '[0.00,0.00,1.00,0.70,0.54,0.17,1.77,0.60,0.45,0.54] => 추정 12.9 : 정답 10.0',
        '[121.8, 48.0,  0.2,...] => 추정 별(확률 0.01) : 정답 별 => O',
        '[121.8, 48.0,  0.2,...] => 추정 펄서(확률 0.60) : 정답 별 => X',
        '추정확률분포 [20,80] => 추정 펄서 : 정답 펄서 => O',
        '추정확률분포 [ 9,10,17, 8, 7,18,31] => 추정 Other_Faults : 정답 Bumps => X',
    ]
