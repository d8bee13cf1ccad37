"""Metrics of a run with known numbers: over HTTP, in a file, in a registry of the user's own."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import prometheus_client
import pytest
from metrics_port import fetch, port_url
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from stage import Stage, stage

from anyworker import (
    ConfigurationError,
    MetricsCollector,
    MetricsSettings,
    NonRetryableException,
    TaskExecutionCompleted,
    Worker,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def good(n: int) -> dict[str, Any]:
    if n < 0:
        raise ValueError("a message that is no label")
    if n == 0:
        raise NonRetryableException("never")
    return {"text": "x" * n}


async def play_script(play: Stage) -> None:
    """Run 3 tasks that end well with outputs of known lengths, 2 and 1 that fail by two classes."""
    await play.define("good", retry_count=0)
    for n in (1, 10, 100, -1, -2, 0):
        await play.play({"n": n})


def check_script(found: Samples, play: Stage) -> None:
    assert of(found, "task_execute_time_seconds_count", taskType="good", status="SUCCESS") == 3
    assert of(found, "task_execute_time_seconds_count", taskType="good", status="FAILURE") == 3
    assert of(found, "task_execute_error_total", taskType="good", exception="ValueError") == 2
    assert of(found, "task_execute_error_total", taskType="good", exception="NonRetryableException") == 1
    assert of(found, "task_result_size_bytes_count", taskType="good") == 3
    expected = sum(len(json.dumps({"text": "x" * n}, separators=(",", ":"))) for n in (1, 10, 100))
    assert of(found, "task_result_size_bytes_sum", taskType="good") == expected
    updates = [of(found, "http_api_client_request_count", method="POST", uri="/tasks", status="200")]
    assert updates == [len(play.tap.updates())] == [6]
    assert of(found, "task_update_attempts_total", taskType="good") == 6
    assert of(found, "task_update_attempts_failed_total", taskType="good") == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_scripted_run_is_told_exactly_over_http(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def awaited(n: int) -> dict[str, Any]:
        return good(n)

    caplog.set_level("INFO", "anyworker")
    settings = MetricsSettings(http_port=0)
    worker = Worker("good", good if kind == "def" else awaited, thread_count=7)
    async with stage(worker, metrics_settings=settings) as play:
        await play_script(play)
        await play.fleet.drain()
        found = samples((await fetch(caplog, "/metrics")).text)
    check_script(found, play)
    polls = len(play.tap.polls())
    assert of(found, "task_poll_total", taskType="good") == polls
    assert of(found, "task_poll_time_seconds_count", taskType="good") == polls
    assert of(found, "worker_slots", taskType="good", domain="") == 7
    assert of(found, "worker_tasks_in_hand", taskType="good", domain="") == 0
    assert of(found, "worker_slots_in_use", taskType="good", domain="") == 0
    assert of(found, "task_result_outbox_depth", storage="memory") == 0
    assert of(found, "anyworker_process_restarts_total") == 0
    for quantile in ("0.5", "0.75", "0.9", "0.95", "0.99"):
        value = of(found, "task_execute_time_seconds", taskType="good", status="SUCCESS", quantile=quantile)
        assert 0 <= value < 5
    p99 = of(found, "task_result_size_bytes", taskType="good", quantile="0.99")
    assert p99 == pytest.approx(len('{"text":""}') + 100, rel=0.026)


async def test_listeners_hear_of_every_task_beside_metrics_that_are_not_told_by_events() -> None:
    class Mine:
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
            self.sizes.append(event.output_size_bytes)

    mine, own = Mine(), MetricsCollector()
    settings = MetricsSettings(http_port=0)
    for listeners in ([mine], [mine, own]):
        mine.sizes.clear()
        async with stage(Worker("good", good), metrics_settings=settings, event_listeners=listeners) as play:
            await play_script(play)
        assert mine.sizes == [len('{"text":""}') + n for n in (1, 10, 100)]
    assert sum(own.tallies["good"].sizes.look()[1].values()) == 3


async def test_histograms_have_the_names_and_bounds_of_the_official_sdk(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "anyworker")
    settings = MetricsSettings(http_port=0, histograms=True)
    async with stage(Worker("good", good), metrics_settings=settings) as play:
        await play_script(play)
        found = samples((await fetch(caplog, "/metrics")).text)
    assert of(found, "task_result_size_bytes_bucket", taskType="good", le="100.0") == 2
    assert of(found, "task_result_size_bytes_bucket", taskType="good", le="+Inf") == 3
    key = {"method": "POST", "uri": "/tasks", "status": "200"}
    assert of(found, "http_api_client_request_seconds_bucket", **key, le="+Inf") == 6
    assert not any(name == "task_execute_time_seconds" for name, _ in found)


async def test_openmetrics_is_served_where_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    async with stage(Worker("good", good), metrics_settings=MetricsSettings(http_port=0)) as play:
        await play_script(play)
        answer = await fetch(caplog, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answer.text)}
    assert {"task_poll", "task_execute_time_seconds", "task_execute_error", "anyworker_build_info"} <= names


async def test_other_paths_are_not_found(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    async with stage(Worker("good", good), metrics_settings=MetricsSettings(http_port=0)):
        answer = await fetch(caplog, "/nothing")
    assert answer.status_code == 404
    assert "/metrics" in answer.text


@pytest.mark.blocking
async def test_metrics_answer_while_a_function_blocks_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    began, answered = threading.Event(), threading.Event()
    found: list[Samples] = []

    async def block(n: int) -> bool:
        began.set()
        return answered.wait(20)

    async with stage(Worker("block", block), metrics_settings=MetricsSettings(http_port=0)) as play:

        def ask() -> None:
            began.wait(20)
            text = httpx.get(port_url(caplog) + "/metrics", trust_env=False).text
            found.append(samples(text))
            answered.set()

        await play.define("block")
        # Begun here: once the loop is blocked it begins no thread.
        asking = threading.Thread(target=ask)
        asking.start()
        flow = await play.play({"n": 1})
        await anyio.to_thread.run_sync(asking.join)
    assert flow.output == {"result": True}
    for name in ("worker_tasks_in_hand", "worker_slots_in_use"):
        assert of(found[0], name, taskType="block", domain="") == 1


async def test_port_in_use_is_a_clear_error_and_nothing_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}.*another http_port"):
            async with stage(Worker("good", good), metrics_settings=MetricsSettings(http_port=port)):
                raise AssertionError


async def test_file_holds_the_last_numbers_once_the_fleet_has_ended(tmp_path: Path) -> None:
    settings = MetricsSettings(directory=tmp_path / "made", file_name="m.prom", update_interval=0.05)
    async with stage(Worker("good", good), metrics_settings=settings) as play:
        await play_script(play)
        with anyio.fail_after(10):
            while "task_execute_error_total" not in (tmp_path / "made" / "m.prom").read_text():  # noqa: ASYNC110 - no event
                await anyio.sleep(0.05)
    check_script(samples((tmp_path / "made" / "m.prom").read_text()), play)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["m.prom"]


async def test_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = MetricsSettings(directory=tmp_path / "file" / "below")
    with pytest.raises(ConfigurationError, match=r"cannot write .*choose another directory"):
        async with stage(Worker("good", good), metrics_settings=settings):
            raise AssertionError


async def test_collector_among_the_listeners_can_be_registered_by_hand() -> None:
    collector = MetricsCollector()
    async with stage(Worker("good", good), event_listeners=[collector]) as play:
        await play_script(play)
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    labels = {"taskType": "good", "exception": "ValueError"}
    assert registry.get_sample_value("task_execute_error_total", labels) == 2
    # Asked twice it counts nothing twice.
    assert registry.get_sample_value("task_execute_error_total", labels) == 2


@pytest.mark.blocking
async def test_lag_of_the_event_loop_is_measured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")

    async def block() -> None:
        threading.Event().wait(1.6)

    async with stage(Worker("block", block), metrics_settings=MetricsSettings(http_port=0)) as play:
        await play.define("block")
        await play.play()
        with anyio.fail_after(20):
            while (found := samples((await fetch(caplog, "/metrics")).text)) and of(  # noqa: ASYNC110 - no event
                found, "anyworker_loop_lag_seconds_sum"
            ) < 0.5:
                await anyio.sleep(0.05)
    assert of(found, "anyworker_loop_lag_seconds", quantile="0.99") > 0.5


@pytest.mark.parametrize("is_in_file", [False, True])
async def test_results_that_wait_in_the_outbox_are_shown(
    is_in_file: bool, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO", "anyworker")

    async def down(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if request.url.path.endswith("/tasks") else None

    options: dict[str, Any] = {"outbox": tmp_path / "results.db"} if is_in_file else {}
    options |= {"update_retry_delays": [0.01], "metrics_settings": MetricsSettings(http_port=0)}
    async with stage(Worker("good", good), hook=down, **options) as play:
        await play.define("good")
        for n in (1, 2):
            await play.start({"n": n})
        storage = "file" if is_in_file else "memory"
        with anyio.fail_after(20):
            while (found := samples((await fetch(caplog, "/metrics")).text)) and (  # noqa: ASYNC110 - no event
                of(found, "task_result_outbox_depth", storage=storage) < 2
            ):
                await anyio.sleep(0.05)
    for name in ("task_update_attempts_total", "task_update_attempts_failed_total"):
        assert of(found, name, taskType="good") == 4
    if is_in_file:
        assert of(found, "task_result_outbox_depth", storage="memory") == 0


async def test_cancelled_calls_are_counted_by_their_reason() -> None:
    collector = MetricsCollector()

    async def sleep() -> None:
        await anyio.sleep_forever()

    async with stage(Worker("sleep", sleep, timeout=0.05), event_listeners=[collector]) as play:
        await play.define("sleep", retry_count=0)
        await play.play()
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    labels = {"taskType": "sleep", "reason": "TimeoutExceeded"}
    assert registry.get_sample_value("task_cancel_total", labels) == 1


async def test_tasks_that_are_given_back_are_counted_by_the_reason() -> None:
    collector = MetricsCollector()
    begun = anyio.Event()

    async def sleep() -> None:
        begun.set()
        await anyio.sleep_forever()

    worker = Worker("sleep", sleep, restartable=True)
    async with stage(worker, event_listeners=[collector]) as play:
        await play.define("sleep")
        await play.start()
        with anyio.fail_after(20):
            await begun.wait()
            await play.fleet.stop()
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    labels = {"taskType": "sleep", "reason": "shutdown"}
    assert registry.get_sample_value("task_hand_back_total", labels) == 1


async def test_results_that_went_through_the_outbox_are_counted() -> None:
    is_down = False

    async def down(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if is_down and request.url.path.endswith("/tasks") else None

    collector = MetricsCollector()
    options = {"update_retry_delays": [0.01], "event_listeners": [collector]}
    async with stage(Worker("good", good), hook=down, **options) as play:
        await play.define("good")
        is_down = True
        workflow_id = await play.start({"n": 1})
        registry = prometheus_client.CollectorRegistry()
        registry.register(collector)
        labels = {"taskType": "good", "outcome": "stored"}
        with anyio.fail_after(20):
            while not registry.get_sample_value("task_result_outbox_total", labels):  # noqa: ASYNC110 - no event
                await anyio.sleep(0.02)
        is_down = False
        assert (await play.result(workflow_id)).status == "COMPLETED"
    for outcome in ("stored", "replayed"):
        labels = {"taskType": "good", "outcome": outcome}
        assert registry.get_sample_value("task_result_outbox_total", labels) == 1


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "nowhere to go"),
        ({"http_port": 70000}, "http_port=70000"),
        ({"http_port": True}, "http_port=True"),
        ({"directory": "d", "update_interval": 0}, "update_interval=0"),
        ({"directory": "d", "update_interval": "1"}, "update_interval='1'"),
        ({"directory": "d", "file_name": "../x"}, "file_name='../x'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem.replace(".", r"\.")):
        MetricsSettings(**settings)
