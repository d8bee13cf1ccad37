"""The reference is made from docstrings, by the command in README, and nothing public is without one."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import anyworker

ROOT = Path(__file__).parents[2]
COMMAND = re.search(r"^python -m pdoc (.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_reference_is_made_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    assert COMMAND is not None
    words = [str(tmp_path) if word == "reference" else word for word in shlex.split(COMMAND[1])]
    done = subprocess.run(
        [sys.executable, "-m", "pdoc", *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "anyworker.html").read_text()
    assert [name for name in anyworker.__all__ if f'id="{name}"' not in page] == []


@pytest.mark.parametrize("name", anyworker.__all__)
def test_public_name_says_what_it_is(name: str) -> None:
    it = getattr(anyworker, name)
    assert it.__doc__ or not (inspect.isclass(it) or callable(it))
    if inspect.isclass(it):
        own = [
            member
            for key, member in vars(it).items()
            if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
        ]
        assert [member for member in own if not inspect.getdoc(member)] == []
