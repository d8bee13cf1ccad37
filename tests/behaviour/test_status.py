"""What the status says, beside the page that shows it."""

from typing import Any

import anyio
import anyio.lowlevel
import httpx
import prometheus_client  # noqa: F401 - it reads /proc when it is imported, which no event loop is to wait for
import pytest
from metrics_port import fetch
from stage import stage

from anyworker import MetricsSettings, Worker


def echo(n: int) -> int:
    if n < 0:
        raise ValueError(n)
    return n


async def workers_of(caplog: pytest.LogCaptureFixture) -> dict[str | None, dict[str, Any]]:
    body = (await fetch(caplog, "/status")).json()
    return {row["domain"]: row for row in body["workers"]}


async def test_counts_of_a_type_in_several_domains_are_said_to_be_of_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "anyworker")
    workers = [Worker("echo", echo), Worker("echo", echo, domain="eu", thread_count=3)]
    async with stage(*workers, metrics_settings=MetricsSettings(http_port=0)) as play:
        await play.define("echo", retry_count=0)
        for n in (1, 2, -1):
            await play.play({"n": n})
        rows = await workers_of(caplog)
    assert {domain: (row["slots"], row["done"], row["failed"]) for domain, row in rows.items()} == {
        None: (1, 2, 1),
        "eu": (3, 2, 1),
    }
    assert all(row["is_of_all_domains"] for row in rows.values())


async def test_counts_of_a_type_in_one_domain_are_its_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    async with stage(Worker("echo", echo), metrics_settings=MetricsSettings(http_port=0)):
        assert not (await workers_of(caplog))[None]["is_of_all_domains"]


async def test_result_that_could_not_be_delivered_is_among_the_failures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "anyworker")

    async def down(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if request.url.path.endswith("/tasks") else None

    settings = MetricsSettings(http_port=0, ui_url="https://conductor.example/")
    options = {"metrics_settings": settings, "update_retry_delays": [0.01]}
    async with stage(Worker("echo", echo), hook=down, **options) as play:
        await play.define("echo")
        workflow_id = await play.start({"n": 1})
        with anyio.fail_after(20):
            while not (failures := (await fetch(caplog, "/status")).json()["failures"]):  # noqa: ASYNC110 - no event
                await anyio.sleep(0.02)
    [failure] = failures
    assert failure["reason"].startswith("its result could not be delivered: ServerError: ")
    assert failure["link"] == f"https://conductor.example/execution/{workflow_id}"


@pytest.mark.parametrize("is_heard", [False, True])
async def test_free_port_is_told_where_nobody_listens_to_the_log(
    is_heard: bool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO" if is_heard else "WARNING", "anyworker")
    async with stage(Worker("echo", echo), metrics_settings=MetricsSettings(http_port=0)):
        await anyio.lowlevel.checkpoint()
    assert ("Status: http://127.0.0.1:" in capsys.readouterr().err) is not is_heard
