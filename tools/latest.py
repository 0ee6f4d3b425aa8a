"""The project's requirements without their upper bounds, for `make test-latest`: one on each line, for pip."""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ('test',)


def unbounded(line):
    """A requirement with its lower bounds alone: 'numpy>=2.0,<3' becomes 'numpy>=2.0'."""
    requirement = Requirement(line)
    requirement.specifier = SpecifierSet(','.join(str(one) for one in requirement.specifier if one.operator == '>='))
    return str(requirement)


def requirements(path=ROOT / 'pyproject.toml', extras=EXTRAS):
    """The lines for pip, of the project itself and of the extras, in order and each once."""
    project = tomllib.loads(path.read_text(encoding='utf-8'))['project']
    lines = project['dependencies'] + [line for extra in extras for line in project['optional-dependencies'][extra]]
    return list(dict.fromkeys(map(unbounded, lines)))


if __name__ == '__main__':
    sys.stdout.write('\n'.join(requirements()) + '\n')
