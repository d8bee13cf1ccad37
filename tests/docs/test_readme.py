"""README tells the truth: its options table is the code's, its code runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anyworker.option_table import options_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_options_table_is_the_one_of_the_code() -> None:
    match = re.search(r"<!-- options: .*?-->\n(.*?)\n<!-- /options -->", README, re.DOTALL)
    assert match is not None
    assert match[1].strip() == options_table().strip()


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
