"""Some spoilt files for each reader; `python -m tests.stress.fuzz` tries thousands."""

import sys

import pytest

from data import DataError, location
from data.pictures import open_picture
from tests.fuzz.cases import Case, Reader
from tests.fuzz.harness import run
from tests.fuzz.readers import READERS
from tests.fuzz.readers_data import picture_seeds
from tests.fuzz.trial import Guard, attempt, spoilt

EACH = 20


@pytest.fixture(scope='module')
def results():
    """The Results of all readers by name."""
    found = run([reader.name for reader in READERS], 0, EACH, 7)
    assert [result for result in found if ',' in result.reader] == []
    return {reader.name: [result for result in found if result.reader == reader.name] for reader in READERS}


@pytest.mark.parametrize('name', [reader.name for reader in READERS])
def test_spoilt_files_are_read_or_refused(results, name):
    assert [result for result in results[name] if result.outcome == 'found'] == []
    assert [result.number for result in results[name]] == list(range(EACH))


def test_the_inputs_are_neither_all_sound_nor_all_beyond_reading(results):
    outcomes = [result.outcome for each in results.values() for result in each]
    assert outcomes.count('read') > 30
    assert outcomes.count('refused') > 60


# ---- the trial itself finds what it is there to find ------------------------------------------------------------


@pytest.fixture(scope='module')
def guard():
    """One Guard for all tests: what watches a process cannot be taken away again."""
    return Guard('')


def outcome(tmp_path, guard, read):
    """What a trial says of a reader that does `read`."""
    guard.folder = str(tmp_path)
    case = Case(tmp_path / 'case' / 'input', 'seed', tmp_path / 'case', tmp_path)
    case.folder.mkdir()
    return attempt(Reader('one', dict, (), read), case, guard)


def test_other_errors_and_warnings_are_finds(tmp_path, guard):
    assert outcome(tmp_path, guard, lambda case: 1 / 0)[0] == 'found'


def test_the_own_error_is_a_refusal(tmp_path, guard):
    def refuse(case):
        raise DataError('no')

    assert outcome(tmp_path, guard, refuse) == ('refused', 'no')


@pytest.mark.parametrize('message', ['x' * 7000, '\udcff'])
def test_an_error_that_cannot_be_shown_is_a_find(tmp_path, guard, message):
    def refuse(case):
        raise DataError(message)

    assert outcome(tmp_path, guard, refuse)[0] == 'found'


def test_what_is_written_outside_is_a_find(tmp_path, guard, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere') / 'evil.txt'
    found, word = outcome(tmp_path, guard, lambda case: elsewhere.write_text('x'))
    assert (found, str(elsewhere) in word) == ('found', True)


def test_what_is_written_beside_the_input_s_folder_is_a_find(tmp_path, guard):
    assert outcome(tmp_path, guard, lambda case: (tmp_path / 'evil.txt').write_text('x'))[0] == 'found'


def test_a_program_that_is_started_is_a_find(tmp_path, guard):
    def start(case):
        import subprocess

        return subprocess.run([sys.executable, '--version'], check=True, capture_output=True)

    found, word = outcome(tmp_path, guard, start)
    assert (found, word.startswith('subprocess.Popen')) == ('found', True)


def test_an_input_is_the_same_for_the_same_numbers():
    reader = next(one for one in READERS if one.name == 'table')
    seeds = reader.seeds(location.folder('tabular').parent)
    assert spoilt(reader, seeds, 3, 7) == spoilt(reader, seeds, 3, 7)
    assert len({spoilt(reader, seeds, number, 7)[1] for number in range(50)}) > 40


def test_an_eps_file_runs_no_program(tmp_path):
    seeds = picture_seeds(location.folder('flowers').parent)
    (tmp_path / 'a.jpg').write_bytes(seeds['letter.eps'])
    with pytest.raises(DataError, match='its format is EPS, and read are JPEG, '):
        open_picture(tmp_path / 'a.jpg')
