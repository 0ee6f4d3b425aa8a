"""What README.md names is there: make targets, files, settings, and the two licences."""

import re
import subprocess
from pathlib import Path

import pytest

from mathlib import settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / 'README.md').read_text(encoding='utf-8')
MAKEFILE = (ROOT / 'Makefile').read_text(encoding='utf-8')
TARGETS = set(re.findall(r'^([a-z-]+):', MAKEFILE, flags=re.MULTILINE))


def test_its_make_targets_exist():
    shown_as_code = '\n'.join(re.findall(r'`[^`]+`|^    .*$', README, flags=re.MULTILINE))
    named = set(re.findall(r'\bmake ([a-z][a-z-]*)', shown_as_code))
    assert {'book', 'test'} <= named
    assert named - TARGETS == set()


def test_its_links_lead_to_files():
    links = [link.split('#')[0] for link in re.findall(r'\]\(([^)]+)\)', README) if '://' not in link]
    assert links
    assert [link for link in links if link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize('variable', ['BACKEND', 'DTYPE', 'DATA_DIR', 'WORKERS', 'BOOK_LANG'])
def test_it_explains_every_setting(variable):
    assert f'`{variable}`' in README
    assert variable in settings.__doc__


def test_help_lists_every_target():
    shown = subprocess.run(['make', 'help'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r'^make ([a-z-]+) ', shown, flags=re.MULTILINE)) == TARGETS


def test_an_old_python_is_refused_with_advice(tmp_path):
    old = tmp_path / 'python old'
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.10\nexit 1\n')
    old.chmod(0o755)
    for name in ('Makefile', 'pyproject.toml'):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding='utf-8'), encoding='utf-8')
    done = subprocess.run(['make', 'test', f'PYTHON={old}'], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'Python 3.11 or newer' in done.stdout
    assert 'Python 3.8.10' in done.stdout
    assert 'make PYTHON=' in done.stdout
    assert not (tmp_path / '.venv').exists()


def test_the_book_is_named_and_the_licences_are_whole():
    assert '파이썬 날코딩으로 알고 짜는 딥러닝' in README
    assert (ROOT / 'LICENSE').read_text(encoding='utf-8').startswith('MIT License')
    text = (ROOT / 'LICENSE-text').read_text(encoding='utf-8')
    assert text.startswith('Attribution 4.0 International')
    assert text.rstrip().endswith('Creative Commons may be contacted at creativecommons.org.')
    assert all(f'\nSection {number} -- ' in text for number in range(1, 9))
