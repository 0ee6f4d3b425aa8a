"""environment.yml and environment-gpu.yml ask conda for what pyproject.toml asks pip for."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from rattler import MatchSpec, Version, VersionSpec

from tools import latest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']

BUILD = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['build-system']['requires']
EVERY_LINE = [*PROJECT['dependencies'], *itertools.chain(*PROJECT['optional-dependencies'].values()), *BUILD]

# Packages whose name on conda-forge is another: this one leaves out the window toolkit of the full "matplotlib".
CONDA_NAMES = {'matplotlib': 'matplotlib-base', 'cupy-cuda13x': 'cupy', 'cupy-cuda12x': 'cupy'}
EXTRAS = {'environment.yml': ('book', 'test'), 'environment-gpu.yml': ('book', 'test', 'gpu')}
# What an environment needs before pip can be asked: no requirement of the project.
CONDA_ITSELF = {'python', 'pip'}


def pip_requirements(extras):
    """{conda name: specifiers} of the dependencies and the extras named."""
    lines = PROJECT['dependencies'] + [line for extra in extras for line in PROJECT['optional-dependencies'][extra]]
    requirements = [Requirement(line) for line in lines]
    return {CONDA_NAMES.get(one.name, one.name): one.specifier for one in requirements}


def conda_specs(file):
    """{name: MatchSpec} of an environment file, parsed as conda's own tools parse it."""
    entries = yaml.safe_load((ROOT / file).read_text(encoding='utf-8'))['dependencies']
    specs = [MatchSpec(entry, strict=True) for entry in entries if isinstance(entry, str)]
    return {str(spec).split()[0]: spec for spec in specs}


def neighbours(specifiers):
    """Versions on both sides of every bound: each number one less, the same, one more; and a micro release."""
    found = set()
    for specifier in specifiers:
        parts = [int(part) for part in specifier.version.split('.')]
        for steps in itertools.product((-1, 0, 1), repeat=len(parts)):
            moved = [part + step for part, step in zip(parts, steps, strict=True)]
            if min(moved) >= 0:
                found |= {'.'.join(map(str, moved)), '.'.join(map(str, [*moved, 7]))}
    return sorted(found)


@pytest.mark.parametrize('file', EXTRAS)
def test_the_same_packages(file):
    assert set(conda_specs(file)) - CONDA_ITSELF == set(pip_requirements(EXTRAS[file]))


@pytest.mark.parametrize('file', EXTRAS)
def test_the_same_versions(file):
    specs = conda_specs(file)
    for name, specifiers in pip_requirements(EXTRAS[file]).items():
        for version in neighbours(specifiers):
            by_conda = VersionSpec(specs[name].version).matches(Version(version))
            assert by_conda == specifiers.contains(version), f'{file}: {specs[name]} and {version}'


@pytest.mark.parametrize('file', EXTRAS)
def test_python_is_the_same(file):
    lowest = re.fullmatch(r'>=([\d.]+)', PROJECT['requires-python']).group(1)
    assert conda_specs(file)['python'].version == f'>={lowest}'
    assert Version(lowest) >= Version('3.11')


@pytest.mark.parametrize('line', EVERY_LINE)
def test_every_requirement_is_bounded_below_and_above(line):
    operators = {specifier.operator for specifier in Requirement(line).specifier}
    assert operators in ({'>=', '<'}, {'=='})


def test_the_gpu_environment_is_the_other_one_and_cupy():
    plain, gpu = conda_specs('environment.yml'), conda_specs('environment-gpu.yml')
    assert {name: str(spec) for name, spec in gpu.items() if name != 'cupy'} == {
        name: str(spec) for name, spec in plain.items()
    }


def test_both_cuda_versions_ask_for_the_same_cupy():
    thirteen, twelve = (Requirement(PROJECT['optional-dependencies'][extra][0]) for extra in ('gpu', 'gpu-cuda12'))
    assert thirteen.specifier == twelve.specifier


def test_the_newest_versions_are_asked_for_with_lower_bounds_alone():
    lines = [Requirement(line) for line in latest.requirements()]
    assert {one.name for one in lines} == {
        Requirement(line).name for line in PROJECT['dependencies'] + PROJECT['optional-dependencies']['test']
    }
    assert {specifier.operator for one in lines for specifier in one.specifier} == {'>='}
    assert latest.unbounded('numpy>=2.0,<3') == 'numpy>=2.0'
    assert latest.unbounded('torch==2.13.0') == 'torch'
