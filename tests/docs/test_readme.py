"""README tells the truth: its options table is the code's, its code runs."""

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


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
def test_code_blocks_can_be_executed(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_first_command_shows_a_workflow_and_its_result(backend: str) -> None:
    command = [sys.executable, str(ROOT / "examples" / "hello.py"), backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "workflow COMPLETED: {'text': 'HELLO ADA!'}" in done.stdout
