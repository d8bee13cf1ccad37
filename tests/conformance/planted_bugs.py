"""Bugs planted in the dev server's engine, one at a time, for the conformance suite to find.

Each is a mistake that one might make: a rule forgotten, a number off by one, a thing done too early. They
stand in the modules ``bugs_*.py``::

    @bug("5.3-", "what is wrong")
    def _(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(...)
"""

import importlib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

Plant = Callable[[pytest.MonkeyPatch], None]


@attrs.frozen
class Bug:
    """One wrong variant of the engine."""

    section: str
    """The beginning of the ids of the cases that ought to find it."""
    name: str
    """What is wrong, as a sentence."""
    plant: Plant


_bugs: list[Bug] = []


def bug(section: str, name: str) -> Callable[[Plant], Plant]:
    """Make a function plant a bug."""

    def add(plant: Plant) -> Plant:
        _bugs.append(Bug(section, name, plant))
        return plant

    return add


def all_bugs() -> tuple[Bug, ...]:
    """Return the bugs of all modules."""
    for path in sorted(Path(__file__).parent.glob("bugs_*.py")):
        importlib.import_module(path.stem)
    return tuple(_bugs)
