"""The alerts and the dashboard ask for metrics that there are, by labels that these have."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyworker.observe import catalog

HERE = Path(__file__).parents[2] / "examples" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((HERE / "dashboard.json").read_text())
ALERTS: list[dict[str, Any]] = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [
    rule["expr"] for rule in ALERTS
]
_PROMETHEUS = {"up": {"job", "instance"}}
_WORDS = {"sum", "max", "by", "rate", "increase"}


def exposed() -> dict[str, set[str]]:
    """Return the labels of each series by its name."""
    found = {name: set(labels) for name, labels in _PROMETHEUS.items()}
    for metric in (each for each in vars(catalog).values() if isinstance(each, catalog.Metric)):
        if metric.kind == "distribution":
            found[metric.name] = {*metric.labels, "quantile"}
            found |= {f"{metric.name}_{part}": set(metric.labels) for part in ("count", "sum")}
        else:
            found[metric.name] = set(metric.labels)
    return found


def series(query: str) -> Iterator[tuple[str, set[str]]]:
    """Return the names in a query, each with the labels by which it is asked for."""
    grouping = {
        label for labels in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", labels)
    }
    bare = re.sub(r"by \([^)]*\)", "", query)
    for name, selector in re.findall(
        r"\b([a-z][a-z_]+)\b(?!\s*\()(\{[^}]*\})?", re.sub(r"\[[^]]*\]", "", bare)
    ):
        if name not in _WORDS and not re.search(
            rf'["{{,][^"}}]*\b{name}(=|")', bare.replace(f"{name}{{", "")
        ):
            yield name, set(re.findall(r"(\w+)=", selector)) | grouping


@pytest.mark.parametrize("query", QUERIES)
def test_query_asks_for_what_there_is(query: str) -> None:
    there, asked = exposed(), list(series(query))
    assert asked
    for name, labels in asked:
        assert name in there, name
        assert labels <= there[name], (name, labels)


def test_panels_stand_side_by_side_and_use_variables_that_there_are() -> None:
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= variables | {
        "__rate_interval",
        "__range",
        "__all",
    }
    taken = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(taken)


def test_legends_and_summaries_name_labels_that_the_queries_keep() -> None:
    told = [
        (target["expr"], target["legendFormat"])
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ] + [(rule["expr"], rule["annotations"]["summary"].replace("$labels.", "")) for rule in ALERTS]
    for query, text in told:
        kept = {
            label for labels in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", labels)
        }
        wanted = set(re.findall(r"\{\{\s*(\w+)", text))
        assert wanted <= kept | ({"instance"} if query.startswith("up") else set()), query


def test_prometheus_takes_settings_alerts_and_queries(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: Debian's prometheus brings it")
    rules = [{"record": f"q{n}", "expr": re.sub(r"\$__\w+", "5m", query)} for n, query in enumerate(QUERIES)]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    for command in (
        ["check", "config", str(HERE / "prometheus.yml")],
        ["check", "rules", str(tmp_path / "queries.yml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
