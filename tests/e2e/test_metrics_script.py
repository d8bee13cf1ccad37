"""Every metric equals what a scripted server has seen, in all modes, in one process and in three."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_rig import until
from process_rig import Process, fetch, port_url
from prometheus_client.parser import text_string_to_metric_families as parse
from script_server import Script, Step, script_of, scripted_server

PROGRAM = """
import logging, sys, time
import anyio
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
IS_ASYNC, BACKEND, PROCESSES = {is_async!r}, {backend!r}, {processes!r}

def outcome(name):
    match name.partition("-")[0]:
        case "good":
            return {{"text": "x" * int(name.rpartition("-")[2])}}
        case "value":
            raise ValueError("a message that is no label")
        case "key":
            raise KeyError(name)
        case "never":
            raise anyworker.NonRetryableException("never")
        case "group":
            raise ExceptionGroup("several", [OSError("first"), ValueError("second")])
        case "says":
            return anyworker.TaskResult(status="FAILED", reason_for_incompletion="said so")
        case "huge":
            return {{"text": object()}}
    return {{}}

def seconds(name):
    return {{"slow": 1.5, "late": 0.6}}.get(name.partition("-")[0], 0)

if IS_ASYNC:
    async def work(name: str):
        await anyio.sleep(seconds(name))
        return outcome(name)
else:
    def work(name: str):
        time.sleep(seconds(name))
        return outcome(name)

anyworker.worker_task("work", thread_count=4, lease_extend_enabled=True)(work)
anyworker.worker_task("late", thread_count=2, timeout=0.2)(work)

if __name__ == "__main__":
    anyworker.run(
        processes=PROCESSES,
        backend=BACKEND,
        update_retry_delays=[0.05, 0.05],
        metrics_settings=anyworker.MetricsSettings(http_port=0, update_interval=0.1),
    )
"""

SIZES = (1, 10, 100, 1000)
STEPS = [
    *(Step(f"good-{size}") for size in SIZES),
    *(Step(f"value-{number}") for number in range(3)),
    *(Step(f"key-{number}") for number in range(2)),
    Step("never-1"),
    Step("group-1"),
    Step("says-1"),
    Step("huge-1"),
    Step("slow-1", response_timeout=1),
    Step("late-1", task_type="late"),
    Step("good-a-5", answers=(503, 500)),
    Step("good-b-5", answers=(503, 503, 503)),
    Step("good-c-5", answers=(404,)),
]
SUCCEEDED = [*SIZES, 5, 5, 5]
FAILED = {
    "ValueError": 3,
    "KeyError": 2,
    "NonRetryableException": 1,
    "OSError": 1,
    "ReportedFailure": 1,
    "SerializationError": 1,
}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def counters(process: Process) -> Samples:
    """Return all that only grows, but for times, and for what is zero."""
    found: Samples = {}
    for family in parse(fetch(port_url(process) + "metrics").decode()):
        for sample in family.samples:
            is_counter = sample.name.endswith(("_total", "_count", "bytes_sum")) and sample.value
            if not is_counter or sample.name.startswith("anyworker_loop_lag"):
                continue
            # Nobody waits for a search's answer once there is nothing to be found any more.
            labels = {name: value.replace("cancelled", "200") for name, value in sample.labels.items()}
            key = sample.name, tuple(sorted(labels.items()))
            found[key] = found.get(key, 0.0) + sample.value
    return found


def expected(script: Script, kind: str) -> Samples:
    found: Samples = {}

    def add(name: str, value: float, **labels: str) -> None:
        if value:
            found[name, tuple(sorted(labels.items()))] = value

    for task_type in ("work", "late"):
        add("task_poll_total", script.polls[task_type], taskType=task_type)
        add("task_poll_time_seconds_count", script.polls[task_type], taskType=task_type)
        add("task_poll_empty_total", script.empty[task_type], taskType=task_type)
        failed = script.failed_polls[task_type]
        add("task_poll_error_total", failed, taskType=task_type, exception="ServerError")
        beats = script.heartbeats[task_type]
        add("task_lease_total", beats, taskType=task_type, outcome="extended")
    for (method, uri, status), count in script.requests.items():
        add("http_api_client_request_count", count, method=method, uri=uri, status=status)
    execute_time = "task_execute_time_seconds_count"
    add(execute_time, len(SUCCEEDED) + 1, taskType="work", status="SUCCESS")  # the slow one, too
    add(execute_time, sum(FAILED.values()), taskType="work", status="FAILURE")
    add(execute_time, 1, taskType="late", status="FAILURE")
    for exception, count in FAILED.items():
        add("task_execute_error_total", count, taskType="work", exception=exception)
    add("task_execute_error_total", 1, taskType="late", exception="ExecutionTimeout")
    add("task_cancel_total", 1, taskType="late", reason="TimeoutExceeded")
    add("task_result_size_bytes_count", len(SUCCEEDED) + 1, taskType="work")
    sizes = sum(len('{"text":""}') + size for size in SUCCEEDED) + len("{}")
    add("task_result_size_bytes_sum", sizes, taskType="work")
    in_vain = {"good-a-5": 2, "good-b-5": 3, "good-c-5": 1}
    add("task_update_attempts_total", len(STEPS) - 1 + 2 + 2 + script.chained_in_vain, taskType="work")
    add("task_update_attempts_total", 1, taskType="late")
    add("task_update_attempts_failed_total", sum(in_vain.values()) + script.chained_in_vain, taskType="work")
    add("task_update_error_total", 1, taskType="work", exception="ServerError")
    add("task_update_error_total", 1, taskType="work", exception="NotFoundError")
    add("task_result_outbox_total", 1, taskType="work", outcome="stored")
    add("task_result_outbox_total", 1, taskType="work", outcome="replayed")
    add("task_result_outbox_total", 1, taskType="work", outcome="refused")
    if kind == "def":
        # Its thread comes to an end after all, with a result that nobody wants any more.
        add("task_result_outbox_total", 1, taskType="late", outcome="refused")
    return found


@pytest.fixture(params=[1, 3], ids=["one process", "three processes"])
def processes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def script(processes: int) -> Script:
    return script_of(STEPS, poll_answers=[500, 503, 500], processes=processes)


@pytest.fixture(params=["asyncio", "trio"])
def running(
    request: pytest.FixtureRequest, kind: str, processes: int, script: Script, tmp_path: Path
) -> Iterator[Process]:
    program = PROGRAM.format(is_async=kind == "async def", backend=request.param, processes=processes)
    (tmp_path / "main.py").write_text(program)
    with scripted_server(script) as url:
        process = Process(["main.py"], tmp_path, url)
        try:
            process.await_output("Conductor Worker[name=late", processes)
            yield process
        finally:
            process.close()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_every_metric_equals_the_script(running: Process, script: Script, processes: int, kind: str) -> None:
    until(lambda: len(script.done) == len(STEPS) - 1)
    assert len(script.pollers) == processes
    # From here on nobody polls, so that both sides come to rest.
    running.send(signal.SIGUSR1)
    with contextlib.suppress(AssertionError):
        until(lambda: counters(running) == expected(script, kind))
    assert counters(running) == expected(script, kind)
