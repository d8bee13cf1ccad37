"""README tells the truth: its tables are the code's, its code runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anyworker
from anyworker import events
from anyworker.events.listener import KINDS
from anyworker.events.table import events_table
from anyworker.option_table import options_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_options_table_is_the_one_of_the_code() -> None:
    match = re.search(r"<!-- options: .*?-->\n(.*?)\n<!-- /options -->", README, re.DOTALL)
    assert match is not None
    assert match[1].strip() == options_table().strip()


def test_events_table_is_the_one_of_the_code() -> None:
    match = re.search(r"<!-- events: .*?-->\n(.*?)\n<!-- /events -->", README, re.DOTALL)
    assert match is not None
    assert match[1].strip() == events_table().strip()


def test_events_table_has_every_event_that_can_be_imported_and_says_when() -> None:
    rows = [row.split("|")[1:3] for row in events_table().splitlines()[2:]]
    named = {name.strip(" `") for name, _ in rows}
    leaves = {
        name
        for name in events.__all__
        if isinstance(kind := getattr(events, name), type)
        and issubclass(kind, events.TaskRunnerEvent)
        and not kind.__subclasses__()
    }
    assert named == leaves == {kind.__name__ for kind in KINDS}
    assert all(hasattr(anyworker, name) for name in named)
    assert all(when.strip().endswith(".") for _, when in rows)


CODE = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", CODE)
def test_code_blocks_can_be_executed(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_tests_in_code_blocks_pass(tmp_path: Path) -> None:
    tests = [code for code in CODE if "\nasync def test_" in code or "\ndef test_" in code]
    assert len(tests) == 3
    for number, code in enumerate(tests):
        (tmp_path / f"test_readme_{number}.py").write_text(code)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:asyncio",
        "-p",
        "no:trio",
        tmp_path,
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=without_pytest(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "4 passed" in done.stdout, done.stdout  # one of them on both backends


def without_pytest() -> dict[str, str]:
    """Return the environment without what is meant for the session that runs."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_first_command_shows_a_workflow_and_its_result(backend: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / "hello.py"), backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "workflow COMPLETED: {'text': 'HELLO ADA!'}" in done.stdout
