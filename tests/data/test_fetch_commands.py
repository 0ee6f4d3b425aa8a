"""python -m data: what it prints, what it returns, and what it says when something is wrong."""

import gzip
import subprocess
import sys

import pytest

from data import __main__ as commands
from data import location
from data.fetch import layouts
from mathlib import settings
from tests.data.fetch_files import flowers, pack, picture


def idx(*shape):
    size = 1
    for side in shape:
        size *= side
    return bytes([0, 0, 8, len(shape)]) + b''.join(side.to_bytes(4, 'big') for side in shape) + bytes(size)


def mnist(train=30, test=10):
    shapes = dict(zip(layouts.DIGITS, [(train, 28, 28), (train,), (test, 28, 28), (test,)], strict=True))
    return {f'mnist/{name}': gzip.compress(idx(*shape)) for name, shape in shapes.items()}


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command; returns (status, lines on stdout, lines on stderr). The project's own folders stay untouched."""
    monkeypatch.setattr(settings, 'data_dir', None)
    monkeypatch.setattr(commands, 'DEFAULT', tmp_path / 'default')
    monkeypatch.setattr(commands, 'SAMPLE', tmp_path / 'sample')
    monkeypatch.setattr(location, 'cache_folder', lambda: tmp_path / 'cache')

    def run(*arguments):
        try:
            status = commands.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


def test_list_shows_each_set_with_counts_and_what_is_missing(run, tmp_path):
    root = pack(tmp_path / 'data', flowers() | mnist())
    size = sum(len(content) for content in flowers().values()) / 1000
    status, out, err = run('list', '--in', root)
    assert (status, err) == (0, [])
    assert out[0] == f'{root} (given by --in)'
    assert out[1].split() == ['set', 'items', 'size', 'broken', 'classes']
    assert out[2].split(maxsplit=6) == [
        *('flowers', '10', f'{size:.0f}', 'kB', 'not', 'checked'),
        'daisy 2, dandelion 2, rose 2, sunflower 2, tulip 2',
    ]
    assert out[3].split() == ['office31', '-', '-', 'not', 'there']
    assert out[4].endswith('train 30, test 10')
    assert out[5].split() == ['tabular', '-', '-', 'not', 'there']


def test_list_names_the_folder_in_use(run, tmp_path, monkeypatch):
    assert run('list')[1][0] == f'{tmp_path / "sample"} (the generated sample, made on first use)'
    monkeypatch.setattr(settings, 'data_dir', pack(tmp_path / 'data', flowers()))
    assert run('list')[1][0] == f'{tmp_path / "data"} (DATA_DIR, in use)'


def test_list_shows_what_was_fetched_and_is_not_in_use(run, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'ROOT', tmp_path)
    pack(tmp_path / 'default', flowers())
    out = run('list')[1]
    assert f'{tmp_path / "default"} (fetched; not in use: DATA_DIR is not set (DATA_DIR=default uses it))' in out


def test_check_of_good_sets(run, tmp_path):
    root = pack(tmp_path / 'data', flowers() | mnist())
    assert run('check', '--in', root) == (
        0,
        [
            f'flowers: 10 read from 10 files in {root / "flowers"}: all good',
            f'mnist: 40 read from 4 files in {root / "mnist"}: all good',
        ],
        [],
    )


def test_check_names_each_broken_picture(run, tmp_path):
    wrong = {
        'flowers/rose/cut.jpg': picture(7)[:200],
        'flowers/rose/gif.jpg': picture(8, 'GIF'),
        'flowers/rose/text.jpg': b'text',
        'flowers/tulip/empty.jpg': b'',
    }
    status, out, _ = run('check', 'flowers', '--in', pack(tmp_path / 'data', flowers() | wrong))
    assert status == 1
    assert out[0].endswith('10 read from 14 files in ' + str(tmp_path / 'data' / 'flowers') + ': 4 broken')
    assert [line.split(':')[1].strip() for line in out[1:]] == list(wrong)
    assert 'GIF' in out[2]


def test_check_finds_the_class_without_a_picture(run, tmp_path):
    files = {name: content for name, content in flowers().items() if '/rose/' not in name}
    status, out, _ = run('check', 'flowers', '--in', pack(tmp_path / 'data', files))
    assert (status, out[1:]) == (1, ['  broken: flowers/rose: no picture that can be read'])


def test_check_notes_the_same_picture_under_two_names(run, tmp_path):
    same = {'flowers/rose/again.jpg': picture(10), 'flowers/daisy/again.jpg': picture(50)}
    same |= {'flowers/tulip/again.jpg': picture(180)}
    status, out, _ = run('check', 'flowers', '--in', pack(tmp_path / 'data', flowers() | same))
    assert status == 0
    assert sorted(out[1:]) == [
        '  note: the same picture twice in its class: flowers/tulip/2.jpg = flowers/tulip/again.jpg',
        '  note: the same picture under two classes: flowers/daisy/1.jpg = flowers/rose/again.jpg',
        '  note: the same picture under two classes: flowers/daisy/again.jpg = flowers/dandelion/1.jpg',
    ]


def test_check_finds_cut_digits_and_counts_that_differ(run, tmp_path):
    files = mnist() | {'mnist/t10k-labels-idx1-ubyte.gz': gzip.compress(idx(9))}
    files['mnist/train-images-idx3-ubyte.gz'] = files['mnist/train-images-idx3-ubyte.gz'][:-12]
    status, out, _ = run('check', 'mnist', '--in', pack(tmp_path / 'data', files))
    assert status == 1
    assert 'train-images-idx3-ubyte.gz does not unpack' in out[1]
    assert out[2:] == [
        '  broken: mnist: train has 0 images and 30 labels',
        '  broken: mnist: t10k has 10 images and 9 labels',
    ]


def test_check_names_the_row_and_the_missing_tables(run, tmp_path):
    table = (
        'Sex,Length,Diameter,Height,Whole weight,Shucked weight,Viscera weight,Shell weight,Rings\nM,1,2,3,4,5,6,7,x\n'
    )
    root = pack(tmp_path / 'data', {'tabular/abalone.csv': table.encode()})
    status, out, _ = run('check', 'tabular', '--in', root)
    assert status == 1
    assert out[1].startswith(f"  broken: {root / 'tabular' / 'abalone.csv'}, line 2, column 'Rings': found 'x'")
    assert out[2:] == [
        f'  note: tabular/{name} is not there: "python -m data fetch tabular" brings it'
        for name in ('pulsar_stars.csv', 'faults.csv')
    ]


def test_list_remembers_the_last_check_until_the_set_changes(run, tmp_path):
    root = pack(tmp_path / 'data', flowers() | {'flowers/rose/text.jpg': b'text'})
    run('check', '--in', root)
    assert run('list', '--in', root)[1][2].split()[4] == '1'
    pack(root, {'flowers/rose/text.jpg': b'another text'})
    assert run('list', '--in', root)[1][2].split()[4:6] == ['not', 'checked']


def test_check_of_nothing_is_an_error(run, tmp_path):
    (tmp_path / 'data').mkdir()
    status, out, err = run('check', '--in', tmp_path / 'data')
    assert (status, out, len(err)) == (1, [], 1)
    assert err[0].startswith(f'error: {tmp_path / "data"} holds none of flowers, office31, mnist, tabular.')
    status, out, err = run('check', 'mnist', '--in', tmp_path / 'data')
    assert (status, out) == (1, [])
    assert err == [
        f'error: {tmp_path / "data"} holds no mnist. Get it with "python -m data fetch mnist", or import an archive.'
    ]


def test_import_goes_to_the_default_and_says_how_to_use_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'ROOT', tmp_path)
    status, out, err = run('import', pack(tmp_path / 'a.zip', flowers()))
    assert (status, err) == (0, [])
    assert out == [
        f'flowers: 10 in {tmp_path / "default" / "flowers"}: daisy 2, dandelion 2, rose 2, sunflower 2, tulip 2',
        'To use it, set DATA_DIR, for example: DATA_DIR=default make book',
    ]


def test_import_goes_to_data_dir_and_into_goes_before_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'data_dir', tmp_path / 'mine')
    file = pack(tmp_path / 'a.zip', flowers())
    assert len(run('import', file)[1]) == 1
    assert (tmp_path / 'mine' / 'flowers' / 'rose' / '1.jpg').read_bytes() == flowers()['flowers/rose/1.jpg']
    assert run('import', file, '--into', tmp_path / 'other')[0] == 0
    assert (tmp_path / 'other' / 'flowers' / 'rose' / '1.jpg').exists()
    status, out, err = run('import', file)
    assert (status, out) == (1, [])
    place = tmp_path / 'mine' / 'flowers'
    assert err == [f'error: {place} is there already and was left as it is. --replace puts the new one there.']
    assert run('import', file, '--replace')[0] == 0


def test_a_target_that_cannot_be_written_is_an_error(run, tmp_path):
    (tmp_path / 'file').write_text('')
    status, _, err = run('import', pack(tmp_path / 'a.zip', flowers()), '--into', tmp_path / 'file' / 'data')
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith(f'error: cannot write {tmp_path / "file"}')


def test_ctrl_c_says_what_is_kept(run, tmp_path, monkeypatch):
    def pressed(*_, **__):
        pack(tmp_path / 'default', {'.downloads/flowers/flower_photos.tgz.part': bytes(1234)})
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.fetch, 'fetch', pressed)
    kept = 'stopped. 1,234 bytes of flower_photos.tgz are kept; the same command goes on from there.'
    assert run('fetch', 'flowers') == (130, [], [kept])


def test_ctrl_c_during_an_import_leaves_nothing(run, tmp_path, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('data.fetch._checked', pressed)
    file = pack(tmp_path / 'a.zip', flowers())
    assert run('import', file) == (130, [], ['stopped. No half-written file is left.'])
    assert not (tmp_path / 'default').exists()


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ([], 'the following arguments are required: COMMAND'),
        (['fetch'], 'the following arguments are required: NAME'),
        (['fetch', 'roses'], "error: 'roses' is not known: expected flowers"),
        (['import', 'a.zip', '--as', 'roses'], "invalid choice: 'roses'"),
        (['bring'], "invalid choice: 'bring'"),
    ],
)
def test_a_wrong_command_is_one_line_and_status_2(run, arguments, said):
    status, out, err = run(*arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith('error: ')
    assert said in err[0]


def test_sample_says_so_where_real_data_is_in_use(run, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, 'data_dir', tmp_path)
    status, out, err = run('sample')
    assert (status, err) == (0, [])
    assert out == [f'DATA_DIR={tmp_path} is set: the data there is used. Unset DATA_DIR to work on the sample.']


def test_the_command_runs_from_a_shell(tmp_path):
    command = [sys.executable, '-m', 'data', 'import', str(tmp_path / 'nothing.zip')]
    ended = subprocess.run(command, cwd=settings.ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f'error: There is no file or folder {tmp_path / "nothing.zip"}.\n'


def test_help_names_the_commands_and_how_to_use_the_data(run):
    status, out, _ = run('--help')
    text = '\n'.join(out)
    assert status == 0
    for words in ('fetch flowers', 'import archive.zip', 'list', 'check', 'sample', 'DATA_DIR=build/data make book'):
        assert words in text
