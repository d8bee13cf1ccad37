"""A real Prometheus scrapes a fleet; the queries that users have give the numbers that are true."""

import contextlib
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bound_process import free_port, process
from fleet_rig import until
from process_rig import Process, Server, fetch, port_url

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="no prometheus on this machine; Debian's package has it",
)

SCRIPT = """
import logging, sys
import anyio
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

@anyworker.worker_task("nap", thread_count=10)
async def nap(seconds: float) -> str:
    await anyio.sleep(abs(seconds))
    if seconds < 0:
        raise ValueError("a message that is no label")
    return "rested"

if __name__ == "__main__":
    settings = anyworker.MetricsSettings(http_port=0, update_interval=0.1)
    anyworker.run(processes=2, metrics_settings=settings)
"""

CONFIG = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: workers
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture
def workers(server: Server, tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "main.py").write_text(SCRIPT)
    running = Process(["main.py"], tmp_path, server.url)
    try:
        running.await_output("Conductor Worker[name=nap", 2)
        yield running
    finally:
        running.close()


def metrics_url(workers: Process) -> str:
    return port_url(workers) + "metrics"


class Prometheus:
    def __init__(self, url: str) -> None:
        self._url = url

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return b"Ready" in fetch(f"{self._url}/-/ready")
        return False

    def query(self, query: str) -> list[dict[str, Any]]:
        answer = json.loads(fetch(f"{self._url}/api/v1/query?query={urllib.parse.quote(query)}"))
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, query: str) -> float:
        """Return the value of a query that has one row, NaN where it has none."""
        rows = self.query(query)
        assert len(rows) <= 1, rows
        return float(rows[0]["value"][1]) if rows else float("nan")


@pytest.fixture
def prometheus(workers: Process, tmp_path: Path) -> Iterator[Prometheus]:
    target = metrics_url(workers).removeprefix("http://").removesuffix("/metrics")
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(target=target))
    port = free_port()
    program = shutil.which("prometheus")
    assert program is not None
    command = [
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    found = Prometheus(f"http://127.0.0.1:{port}")
    with process(command, tmp_path / "prometheus.log", is_ready=found.is_ready, patience=30):
        yield found


def run_tasks(server: Server, prometheus: Prometheus, good: int, bad: int, total: int) -> None:
    """Run tasks; return when Prometheus knows of so many in all."""
    for seconds in [0.2] * good + [-0.2] * bad:
        server.start("nap", seconds=seconds, retryCount=0)
    until(lambda: prometheus.value("sum(task_execute_time_seconds_count)") == total)


def test_queries_of_users_return_what_happened(server: Server, prometheus: Prometheus) -> None:
    run_tasks(server, prometheus, good=1, bad=1, total=2)
    run_tasks(server, prometheus, good=6, bad=2, total=10)
    averages = prometheus.query(
        "rate(task_execute_time_seconds_sum[5m]) / rate(task_execute_time_seconds_count[5m])"
    )
    assert {row["metric"]["status"] for row in averages} == {"SUCCESS", "FAILURE"}
    assert all(0.2 <= float(row["value"][1]) < 1 for row in averages)
    succeeded = prometheus.value(
        'sum(rate(task_execute_time_seconds_count{status="SUCCESS"}[5m]))'
        " / sum(rate(task_execute_time_seconds_count[5m]))"
    )
    # A rate over five minutes is an estimate from the seconds that were seen.
    assert succeeded == pytest.approx(0.75, abs=0.1)
    p95 = prometheus.query('task_execute_time_seconds{quantile="0.95"}')
    assert len(p95) == 2
    assert all(0.19 <= float(row["value"][1]) < 1 for row in p95)
    [errors] = prometheus.query("sum(rate(task_execute_error_total[5m])) by (taskType)")
    assert errors["metric"] == {"taskType": "nap"}
    assert float(errors["value"][1]) > 0
    assert prometheus.value('task_execute_error_total{exception="ValueError"}') == 3
    assert prometheus.value('up{job="workers"}') == 1


def test_promtool_finds_nothing_but_the_name_of_a_label(workers: Process, server: Server) -> None:
    server.start("nap", seconds=0)
    server.start("nap", seconds=-0.01, retryCount=0)
    until(lambda: b"task_execute_error_total" in fetch(metrics_url(workers)))
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=fetch(metrics_url(workers)),
        capture_output=True,
        timeout=30,
        check=False,
    )
    complaints = checked.stderr.decode().splitlines()
    assert [line for line in complaints if "camelCase" not in line] == []
