"""The guides tell the truth: their code runs, their tables are the code's, what they quote is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from anyworker.migration.guide import migration_tables
from anyworker.registry import clear_registry

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGES = {str(path.relative_to(EXAMPLES)): path.read_text() for path in EXAMPLES.rglob("*.md")}
GUIDES = {name: text for name, text in PAGES.items() if name.startswith("guides/")}
CODE = [code for text in GUIDES.values() for code in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)]


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    clear_registry()
    yield
    clear_registry()


def test_there_is_code() -> None:
    assert len(CODE) >= 2


@pytest.mark.parametrize("code", CODE)
def test_code_blocks_can_be_executed(code: str) -> None:
    exec(compile(code, "guide", "exec"), {"__name__": "guide"})


def test_tables_of_the_migration_are_the_ones_of_the_code() -> None:
    match = re.search(
        r"<!-- migration: .*?-->\n(.*?)\n<!-- /migration -->", GUIDES["guides/migrating.md"], re.S
    )
    assert match is not None
    assert match[1].strip() == migration_tables().strip()


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[name]):
        assert ((EXAMPLES / name).parent / link).exists(), link


def test_lines_of_the_log_that_are_quoted_are_ones_that_are_written() -> None:
    sources = "".join(path.read_text() for path in (EXAMPLES.parent / "anyworker").rglob("*.py"))
    for quoted in (
        "Polling %s fails%s, going on with backoff",
        "kept the event loop for",
        "cannot be stopped",
        "Results of %s are not accepted",
    ):
        assert quoted in sources
        assert quoted.split("%s")[-1].strip(" ,") in GUIDES["guides/troubleshooting.md"]


def test_all_guides_are_in_the_index() -> None:
    assert all(f"]({name})" in PAGES["README.md"] for name in GUIDES)
