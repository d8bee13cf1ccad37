"""README's figures are those of one run of `python -m benchmarks overview`, whose results are kept."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    sys.modules.pop("overview_report", None)


@pytest.mark.usefixtures("benchmarks")
def test_table_and_plot_are_made_of_the_results() -> None:
    from overview_report import plot, table

    data = json.loads((RESULTS / "overview.json").read_text())
    match = re.search(
        r"<!-- figures: .*?-->\n(.*?)\n<!-- /figures -->", (ROOT / "README.md").read_text(), re.S
    )
    assert match is not None
    assert match[1].strip() == table(data).strip()
    assert (RESULTS / "overview.svg").read_text() == plot(data)


def test_plot_has_a_bar_and_a_figure_for_each_measurement() -> None:
    root = ET.fromstring((RESULTS / "overview.svg").read_text())
    names = [element.tag.rpartition("}")[2] for element in root]
    rows = len(json.loads((RESULTS / "overview.json").read_text())["task"]["rows"])
    assert names.count("rect") == 3 + 3 * rows
    assert names.count("text") == 3 + 4 * rows
