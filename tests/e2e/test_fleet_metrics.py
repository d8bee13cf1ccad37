"""What several processes count, in one place: sums without pids, a dead process's share kept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_rig import Process, Server, fetch, port_url
from prometheus_client.parser import text_string_to_metric_families as parse
from test_fleet_process import children, fleet, naps_begun, statuses, until

RUN = """
from anyworker import MetricsSettings
anyworker.run(
    processes=3,
    backend=sys.argv[1],
    import_modules=["workers"],
    metrics_settings=MetricsSettings(http_port=0, update_interval=0.1, directory="unused"),
)
"""


class Metrics:
    """What the fleet's port tells."""

    def __init__(self, process: Process) -> None:
        self._url = port_url(process) + "metrics"

    def text(self) -> str:
        return str(fetch(self._url), "utf-8")

    def value(self, name: str, **labels: str) -> float:
        """Return the value with these labels, 0 of none."""
        return next(
            (
                sample.value
                for family in parse(self.text())
                for sample in family.samples
                if sample.name == name and sample.labels == labels
            ),
            0.0,
        )

    def done(self) -> float:
        return self.value("task_execute_time_seconds_count", taskType="nap", status="SUCCESS")


@pytest.fixture(params=["asyncio", "trio"])
def running(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Process]:
    with fleet(server, tmp_path, RUN, request.param, count=3) as process:
        yield process


def test_processes_are_summed_and_a_dead_ones_counts_are_kept(running: Process, server: Server) -> None:
    metrics = Metrics(running)
    ids = naps_begun(server, running, 15, seconds=0.1)
    until(lambda: statuses(server, ids) == {"COMPLETED"})
    until(lambda: metrics.done() == 15)
    assert metrics.value("worker_slots", taskType="nap", domain="") == 30
    updates = {"method": "POST", "uri": "/tasks", "status": "200"}
    until(lambda: metrics.value("http_api_client_request_count", **updates) >= 15)
    for pid in children(running):
        os.kill(pid, signal.SIGKILL)
    running.await_output("restarting in", 3)
    assert metrics.done() == 15
    running.await_output("Conductor Worker[name=nap", 6)
    assert metrics.value("anyworker_process_restarts_total") == 3
    more = naps_begun(server, running, 4, seconds=0.1)
    until(lambda: statuses(server, more) == {"COMPLETED"})
    until(lambda: metrics.done() == 19)
    assert "pid" not in metrics.text()
    running.send(signal.SIGTERM)
    assert running.end() == 0


def test_port_in_use_stops_the_start(server: Server, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2].split("/")[0]
    code = f"""
from anyworker import MetricsSettings
anyworker.run(processes=2, import_modules=["workers"], metrics_settings=MetricsSettings(http_port={port}))
"""
    with fleet(server, tmp_path, code, wait_for="Cannot start", count=1) as process:
        assert process.end() == 3
    assert f"cannot listen on 127.0.0.1:{port}".encode() in process.err
