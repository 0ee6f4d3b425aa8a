"""Archives that are damaged, or built to write where they should not: each is refused, and nothing is left behind."""

import gzip
import struct
import tarfile
import zipfile

import pytest

from data.errors import DataError
from data.fetch import import_file
from data.fetch.archive import Limits, kind, members, safe_parts
from tests.data.fetch_files import flowers, pack, picture, tree


def special(name, kind, link=''):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def place(tmp_path):
    """A folder for archives and, inside it, a data folder with a neighbour that nobody may touch."""
    (tmp_path / 'neighbour.txt').write_text('untouched')
    return tmp_path


def refused(place, archive, match, **options):
    """Import must fail with this error, and leave the folders as they were."""
    before = tree(place)
    with pytest.raises(DataError, match=match) as caught:
        import_file(archive, place / 'data', **options)
    assert '\n' not in str(caught.value)
    assert tree(place) == before
    assert not (place / 'data').exists()


EVIL = {
    '../evil.jpg': 'leads out of the folder',
    'flowers/daisy/../../../evil.jpg': 'leads out of the folder',
    '/tmp/evil.jpg': 'the name is absolute',
    'C:/evil.jpg': 'drive letter',
    'c:evil.jpg': 'drive letter',
    '..\\evil.jpg': 'backslash',
    'flowers\\daisy\\evil.jpg': 'backslash',
    'flowers/daisy/evil\n.jpg': 'control character',
}


@pytest.mark.parametrize(('name', 'why'), EVIL.items())
@pytest.mark.parametrize('suffix', ['zip', 'tar', 'tgz'])
def test_a_name_that_leads_elsewhere_is_refused(place, name, why, suffix):
    files = flowers() | {name: picture(9)}
    refused(place, pack(place / f'set.{suffix}', files), f'{why}.*evil')


@pytest.mark.parametrize(
    'info',
    [
        special('flowers/daisy/evil.jpg', tarfile.SYMTYPE, '../../../neighbour.txt'),
        special('flowers/daisy', tarfile.SYMTYPE, '/tmp'),
        special('flowers/daisy/evil.jpg', tarfile.LNKTYPE, 'flowers/daisy/1.jpg'),
        special('flowers/daisy/evil.jpg', tarfile.CHRTYPE),
        special('flowers/daisy/evil.jpg', tarfile.BLKTYPE),
        special('flowers/daisy/evil.jpg', tarfile.FIFOTYPE),
    ],
    ids=['symlink', 'symlinked folder', 'hard link', 'character device', 'block device', 'pipe'],
)
def test_a_link_or_a_device_in_a_tar_is_refused(place, info):
    refused(place, pack(place / 'set.tar', flowers(), [info]), 'link, a device .*flowers/daisy')


def test_a_link_in_a_zip_is_refused(place):
    info = zipfile.ZipInfo('flowers/daisy/evil.jpg')
    info.external_attr = 0o120777 << 16
    refused(place, pack(place / 'set.zip', flowers() | {info: b'/etc/passwd'}), 'a link or a device.*evil')


def test_a_link_in_a_folder_is_refused(place):
    pack(place, flowers())
    (place / 'flowers/daisy/evil.jpg').symlink_to(place / 'neighbour.txt')
    refused(place, place / 'flowers', 'a link or a device.*daisy/evil.jpg')


def test_a_bomb_is_stopped_by_its_ratio(place):
    zeros = {'flowers/daisy/zeros.jpg': bytes(30_000_000)}
    match = r'unpack to more than 100 times as many'
    few = Limits(floor=1_000_000)
    refused(place, pack(place / 'b.zip', flowers() | zeros, packing=zipfile.ZIP_DEFLATED), match, limits=few)
    refused(place, pack(place / 'b.tgz', flowers() | zeros), match, limits=few)


def test_a_bomb_that_lies_about_its_size_is_stopped_too(place):
    """The central directory says 10 bytes where 3 MB follow."""
    archive = pack(place / 'b.zip', flowers() | {'LICENSE.txt': bytes(3_000_000)}, packing=zipfile.ZIP_DEFLATED)
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack('<I', 3_000_000), struct.pack('<I', 10)))
    refused(place, archive, 'damaged or cut short')


def test_too_many_files_are_refused(place):
    archive = pack(place / 'set.tar', flowers())
    refused(place, archive, r'more than 9 files \(at .flowers/tulip/2.jpg', limits=Limits(files=9))


def test_too_many_bytes_are_refused(place):
    archive = pack(place / 'set.zip', flowers())
    refused(place, archive, 'unpacks to more than 3,000 bytes', limits=Limits(total=3000))


def test_too_large_a_file_is_refused(place):
    archive = pack(place / 'set.zip', flowers() | {'flowers/rose/big.jpg': bytes(10_000)})
    refused(place, archive, 'flowers/rose/big.jpg. is larger than 9,000 bytes', limits=Limits(single=9000))


@pytest.mark.parametrize('suffix', ['tar', 'tgz'])
def test_a_cut_tar_is_refused_wherever_it_is_cut(place, suffix):
    whole = pack(place / f'whole.{suffix}', flowers()).read_bytes()
    end = whole.rstrip(b'\0') if suffix == 'tar' else whole
    archive = place / f'set.{suffix}'
    for cut in (len(end) // 3, len(end) // 2, len(end) // 512 * 512 - 1024, len(end) - 5):
        archive.write_bytes(whole[:cut])
        refused(place, archive, 'damaged or cut short')


def test_a_damaged_tar_header_is_not_taken_for_the_end(place):
    archive = pack(place / 'set.tar', flowers())
    content = bytearray(archive.read_bytes())
    content[content.index(b'flowers/rose/1.jpg')] ^= 1
    archive.write_bytes(content)
    refused(place, archive, 'damaged or cut short')


def test_a_cut_zip_is_refused(place):
    archive = pack(place / 'set.zip', flowers())
    archive.write_bytes(archive.read_bytes()[:-100])
    refused(place, archive, 'damaged or cut short')


def test_a_wrong_checksum_is_found_in_zip_and_gzip(place):
    content = flowers()
    for archive in (pack(place / 'set.zip', content), pack(place / 'set.tgz', content)):
        damaged = bytearray(archive.read_bytes())
        at = damaged.index(content['flowers/tulip/2.jpg']) + 300 if archive.suffix == '.zip' else len(damaged) - 8
        damaged[at] ^= 1
        archive.write_bytes(damaged)
        refused(place, archive, 'damaged or cut short')


@pytest.mark.parametrize('packing', [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_a_packed_member_is_found(place, packing):
    archive = pack(place / 'set.zip', flowers(), packing=packing)
    damaged = bytearray(archive.read_bytes())
    start = damaged.index(b'flowers/rose/1.jpg') + len('flowers/rose/1.jpg')
    damaged[start + 20 : start + 60] = bytes(40)
    archive.write_bytes(damaged)
    refused(place, archive, 'damaged or cut short')


def test_an_encrypted_zip_is_refused(place):
    archive = pack(place / 'set.zip', flowers())
    content = bytearray(archive.read_bytes())
    for signature, flags in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        content[content.index(signature) + flags] |= 1
    archive.write_bytes(content)
    refused(place, archive, r'is encrypted \(at .flowers/daisy/1.jpg')


@pytest.mark.parametrize(
    ('one', 'other'),
    [('a.jpg', 'A.JPG'), ('caf\u00e9.jpg', 'cafe\u0301.jpg'), ('stra\u00dfe.jpg', 'STRASSE.jpg')],
)
def test_two_names_for_one_place_are_refused(place, one, other):
    archive = pack(place / 'set.tar', flowers() | {f'flowers/rose/{name}': picture(7) for name in (one, other)})
    refused(place, archive, f'rose/{one} and flowers/rose/{other} would be written to one place')


def test_a_name_that_is_there_twice_is_refused(place):
    again = tarfile.TarInfo('./flowers/rose/1.jpg')
    again.size = 5
    archive = pack(place / 'set.tar', flowers(), [again])
    refused(place, archive, 'holds flowers/rose/1.jpg 2 times')


@pytest.mark.parametrize('content', [b'', b'no archive at all\n' * 100, bytes(10240), gzip.compress(b'hello' * 200)])
def test_what_is_no_archive_says_so(place, content):
    (place / 'file.zip').write_bytes(content)
    refused(place, place / 'file.zip', 'holds nothing that is known as flowers, office31, mnist or tabular')


def test_a_missing_file_says_so(place):
    refused(place, place / 'nothing.zip', 'There is no file or folder .*nothing.zip')


def test_kinds_are_told_by_content_not_by_name(place):
    for suffix, told in (('zip', 'zip'), ('tar', 'tar'), ('tgz', 'tar.gz')):
        named = pack(place / f'set.{suffix}', flowers()).rename(place / f'{suffix}.csv')
        assert kind(named) == told
    assert kind(place) == 'folder'
    assert kind(place / 'neighbour.txt') == 'file'


def test_members_are_read_as_they_are(place):
    for archive in (pack(place / 'a.zip', flowers()), pack(place / 'b.tgz', flowers())):
        assert {member.label: member.read() for member in members(archive)} == flowers()
        assert {member.label: member.read(3) for member in members(archive)} == dict.fromkeys(
            flowers(), b'\xff\xd8\xff'
        )


def test_harmless_names_are_kept():
    assert safe_parts('./flowers//daisy/a..b.jpg') == ('flowers', 'daisy', 'a..b.jpg')
    assert safe_parts('flowers/caf\u00e9 (1).jpg') == ('flowers', 'caf\u00e9 (1).jpg')


def test_a_write_that_fails_leaves_nothing(place, monkeypatch):
    archive = pack(place / 'set.zip', flowers())
    moved = []

    def fails(path, target):
        moved.append(target)
        raise OSError(28, 'No space left on device', str(target))

    monkeypatch.setattr('pathlib.Path.rename', fails)
    refused(place, archive, 'cannot write .*No space left on device. Nothing was changed')
    assert len(moved) == 1
