"""Bytes changed at random, as damage and malice would change them: each function takes them and a random.Random."""

import gzip
import io
import json
import re
import struct
import tarfile
import zipfile
import zlib

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
NUMBERS = (b'', b'0', b'-1', b'9' * 30, b'1e999', b'-1e308', b'nan', b'inf', b'0x10', b'1_0', b'\xd9\xa3', b'"', b'\0')
VALUES = (
    None,
    True,
    0,
    -1,
    2**31,
    2**70,
    1e308,
    float('nan'),
    float('inf'),
    '',
    'x',
    '\ud800',
    '\0',
    [],
    {},
    [[]],
    [0],
)
# Kinds of chunks in a PNG.
CHUNKS = (b'tEXt', b'zTXt', b'iTXt', b'iCCP', b'eXIf', b'acTL', b'fcTL', b'fdAT', b'PLTE', b'tRNS', b'IHDR', b'pHYs')
# Headers stand at the beginning; the directory of a zip at the end.
HEADER = 200


def flip(content, random):
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[_place(content, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def extreme(content, random):
    """A number of 1, 2, 4 or 8 bytes, in either order, becomes one at the end of its range."""
    size = random.choice((1, 2, 4, 8))
    number = (random.choice(EXTREMES) % 256**size).to_bytes(size, random.choice(('big', 'little')))
    at = _place(content, random)
    return (content[:at] + number + content[at + size :])[: max(len(content), 1)]


def cut(content, random):
    return content[: _place(content, random)]


def cut_front(content, random):
    return content[_place(content, random) :]


def zero(content, random):
    begin, end = _span(content, random)
    return content[:begin] + bytes(end - begin) + content[end:]


def remove(content, random):
    begin, end = _span(content, random)
    return content[:begin] + content[end:]


def repeat(content, random):
    begin, end = _span(content, random)
    return content[:end] + content[begin:end] * random.choice((1, 2, 30)) + content[end:]


def splice(content, random):
    """A piece of the content, copied over another place."""
    begin, end = _span(content, random)
    at = _place(content, random)
    return content[:at] + content[begin:end] + content[at + end - begin :]


def noise(content, random):
    at = _place(content, random)
    return content[:at] + random.randbytes(random.choice((1, 4, 64))) + content[at:]


def number(content, random):
    """A number written in digits becomes one that is none, or too large."""
    places = [match.span() for match in re.finditer(rb'-?\d[\d.]*', content[:20_000])]
    if not places:
        return flip(content, random)
    begin, end = random.choice(places)
    return content[:begin] + random.choice(NUMBERS) + content[end:]


PLAIN = (flip, extreme, extreme, cut, cut_front, zero, remove, repeat, splice, noise, number)


def damaged(content, random):
    """One to three of these changes; never empty bytes without need."""
    for _ in range(random.choice((1, 1, 2, 3))):
        content = random.choice(PLAIN)(content or b'\0', random)
    return content


def _place(content, random):
    if not content:
        return 0
    near = random.random()
    if near < 0.4:
        return random.randrange(min(HEADER, len(content)))
    if near < 0.5:
        return max(0, len(content) - 1 - random.randrange(HEADER))
    return random.randrange(len(content))


def _span(content, random):
    begin = _place(content, random)
    return begin, min(len(content), begin + random.choice((1, 4, 16, 512, 20_000)))


# ---- damage below a checksum: the inside is changed and packed again, so that it is read ------------------------


def in_gzip(content, random):
    return gzip.compress(damaged(gzip.decompress(content), random), 1, mtime=0)


def gzip_bomb(content, random):
    """Far more data than announced, or as much as a header announces that has been raised."""
    inside = bytearray(gzip.decompress(content))
    if random.random() < 0.5:
        inside[4:8] = struct.pack('>I', random.choice((10**6, 2**31, 2**32 - 1)))
    return gzip.compress(
        bytes(inside) + bytes(random.choice((10**6, 3 * 10**8 if random.random() < 0.1 else 10**7))), 1, mtime=0
    )


def in_zip(content, random):
    """One member of a zip changed, and its checksum made to fit."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    chosen = random.randrange(len(members))
    packing = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', packing) as archive:
        for place, (info, inside) in enumerate(members):
            one = zipfile.ZipInfo(info.filename)
            one.external_attr = info.external_attr
            if place == chosen:
                inside = damaged(inside, random)
                if random.random() < 0.2:
                    one.filename = one.orig_filename = wicked_name(info.filename, random)
                    one.external_attr = random.choice((0, 0o120777 << 16, 0o020666 << 16, 0x10))
            archive.writestr(one, inside, packing)
    return file.getvalue()


def zip_bomb(content, random):
    """A zip with a member that unpacks to a hundred times its size and more, or with very many members."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, 'a', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if random.random() < 0.5:
            archive.writestr(
                random.choice(('flowers/rose/9.jpg', 'abalone.csv', 'a.npy')),
                bytes(random.choice((10**7, 10**7, 10**8))),
            )
        else:
            for at in range(random.choice((30, 300, 3000))):
                archive.writestr(f'flowers/rose/b{at}.jpg', b'')
    return file.getvalue()


def in_tar(content, random):
    """One member of a tar (packed or not) changed: its content, its name, its kind, or its header with a right sum."""
    packed = content[:2] == b'\x1f\x8b'
    changed = bytearray(gzip.decompress(content) if packed else content)
    headers = []
    with tarfile.open(fileobj=io.BytesIO(changed)) as archive:
        headers = [(info.offset, info.offset_data, info.size) for info in archive]
    start, begin, size = random.choice(headers)
    kind = random.random()
    if kind < 0.3:
        inside = damaged(bytes(changed[begin : begin + size]), random)[:size]
        changed[begin : begin + len(inside)] = inside
    elif kind < 0.5:
        name = wicked_name('flowers/rose/1.jpg', random).encode('utf-8', 'surrogateescape')[:100]
        changed[start : start + 100] = name.ljust(100, b'\0')
    elif kind < 0.7:
        changed[start + 156] = random.choice(b'\x001234567LKSxgXDAVMN')
        changed[start + 157 : start + 257] = b'../../../neighbour.txt'.ljust(100, b'\0')
    else:
        changed[start : start + 512] = damaged(bytes(changed[start : start + 512]), random)[:512].ljust(512, b'\0')
    header = bytes(changed[start : start + 148]) + b' ' * 8 + bytes(changed[start + 156 : start + 512])
    changed[start + 148 : start + 156] = b'%06o\0 ' % sum(header)
    return gzip.compress(bytes(changed), 1, mtime=0) if packed else bytes(changed)


def tar_extensions(content, random):
    """A tar that begins with an extended header, as long names and sparse files have it, full of nonsense."""
    sizes = (random.randrange(100), 10**6, 10**7)
    inside = random.choice(
        (
            b'30 path=../../evil.jpg\n' + b'20 size=99999999999\n',
            b'9' * 20 + b' path=x\n',
            b'22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=a.jpg\n',
            b'22 GNU.sparse.map=0,x,\n',
            b'19 hdrcharset=nope\n',
            random.randbytes(40),
            bytes(random.choice(sizes)),
        )
    )
    info = tarfile.TarInfo('extended')
    info.type, info.size = random.choice((b'x', b'g', b'X', b'L', b'K', b'S')), len(inside)
    if random.random() < 0.3:
        info.size = random.choice((2**31, 2**33 - 1))
    file = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + inside + bytes(-len(inside) % 512))
    plain = content if content[:2] != b'\x1f\x8b' else gzip.decompress(content)
    whole = file.getvalue() + plain
    return gzip.compress(whole, 1, mtime=0) if content[:2] == b'\x1f\x8b' else whole


def wicked_name(name, random):
    """A name for a member of an archive that it should not have."""
    return random.choice(
        (
            f'../{name}',
            f'/tmp/fuzz/{name}',
            f'flowers/rose/../../../../{name}',
            f'C:/{name}',
            name.replace('/', '\\'),
            f'{name}\n',
            f'{name}/',
            f'{"d/" * 300}{name}',
            f'flowers/rose/{"n" * 300}.jpg',
            'flowers/rose/\udcff.jpg',
            'flowers/rose/\u202egpj.jpg',
            'flowers/rose',
            './',
        )
    )


def in_png(content, random):
    """A chunk of a PNG changed, its checksum right."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        size = struct.unpack('>I', content[at : at + 4])[0]
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + size]])
        at += 12 + size
    chosen = random.choice(chunks)
    kind = random.random()
    if kind < 0.2:
        chosen[1] = zlib.compress(damaged(bytes(4000), random))
    elif kind < 0.4:
        text = b'k\0\0' + zlib.compress(bytes(random.choice((10, 10**7))))
        chunks.insert(random.randrange(1, len(chunks)), [random.choice(CHUNKS), text])
    else:
        chosen[1] = damaged(chosen[1], random)
    body = b''.join(
        struct.pack('>I', len(inside)) + kind + inside + struct.pack('>I', zlib.crc32(kind + inside))
        for kind, inside in chunks
    )
    return content[:8] + body


def in_json(content, random):
    """A value somewhere in a JSON text becomes another one, or its key is misspelt, or it lies very deep."""
    whole = {'': json.loads(content)}
    places, level = [], [whole]
    while level:
        node = level.pop()
        entries = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
        places += [(node, key) for key, _ in entries]
        level += [value for _, value in entries if isinstance(value, (dict, list))]
    for _ in range(random.choice((1, 1, 2))):
        node, key = random.choice(places)
        kind = random.random()
        if kind < 0.7 or not isinstance(node, dict):
            node[key] = random.choice(VALUES)
        elif kind < 0.85 and key in node:
            node[random.choice(('', 'x', f'{key}s'))] = node.pop(key)
        else:
            node.pop(key, None)
    text = json.dumps(whole.get(''))
    if random.random() < 0.05:
        text = text.replace('null', '[' * 100_000 + ']' * 100_000)
    return text.encode('utf-8', 'surrogatepass')
