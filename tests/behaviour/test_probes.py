"""Health and readiness, asked for over HTTP while a fleet lives through what they are about."""

import threading
from typing import Any

import anyio
import anyio.to_thread
import httpx
import prometheus_client  # noqa: F401 - it reads /proc when it is imported, which no event loop is to wait for
import pytest
from metrics_port import fetch, port_url
from stage import stage

from anyworker import MetricsSettings, Worker


def good(n: int) -> int:
    return n


async def probe(caplog: pytest.LogCaptureFixture, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a probe."""
    answer = await fetch(caplog, path)
    return answer.status_code, answer.json()


async def until(caplog: pytest.LogCaptureFixture, path: str, status: int, word: str = "") -> dict[str, Any]:
    """Return the body of the first probe that is answered with this HTTP status, and has this word for it."""
    with anyio.fail_after(20):
        while True:
            found, body = await probe(caplog, path)
            if found == status and word in body["status"]:
                return body
            await anyio.sleep(0.02)


async def test_ready_from_the_first_poll_until_quiet_or_draining(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    is_down = True

    async def down(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(503) if is_down else None

    worker = Worker("good", good, thread_count=3)
    async with stage(worker, metrics_settings=MetricsSettings(http_port=0), hook=down) as play:
        body = await until(caplog, "/ready", 503)
        assert (await probe(caplog, "/health"))[0] == 200
        is_down = False
        body = await until(caplog, "/ready", 200)
        assert (body["status"], body["stage"], body["problems"]) == ("ok", "running", [])
        assert body["workers"][0]["slots"] == 3
        play.fleet.quiet()
        assert (await until(caplog, "/ready", 503))["stage"] == "quiet"
        play.fleet.resume()
        await until(caplog, "/ready", 200)
        is_down = True
        [problem] = (await until(caplog, "/health", 200, "degraded"))["problems"]
        assert problem["subject"] == "worker 'good'"
        assert "503" in problem["problem"]
        is_down = False
        await play.fleet.drain()
        status, body = await probe(caplog, "/ready")
        assert (status, body["stage"]) == (503, "ended")
        assert (await probe(caplog, "/health"))[0] == 200


@pytest.mark.blocking
async def test_health_fails_while_the_loop_is_blocked_beyond_the_watchdog(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "anyworker")
    began, answered = threading.Event(), threading.Event()
    answers: list[tuple[int, dict[str, Any]]] = []

    async def block(n: int) -> bool:
        began.set()
        return answered.wait(20)

    settings = MetricsSettings(http_port=0)
    async with stage(Worker("block", block), metrics_settings=settings, watchdog=0.1) as play:

        def ask() -> None:
            began.wait(20)
            try:
                for _ in range(2000):
                    answer = httpx.get(port_url(caplog) + "/health", trust_env=False)
                    answers.append((answer.status_code, answer.json()))
                    if answer.status_code == 503:
                        return
            finally:
                answered.set()

        await play.define("block")
        # Begun here: once the loop is blocked it begins no thread.
        asking = threading.Thread(target=ask)
        asking.start()
        await play.play({"n": 1})
        await anyio.to_thread.run_sync(asking.join)
        assert answers[-1][0] == 503
        [problem] = answers[-1][1]["problems"]
        assert (problem["subject"], problem["workers"]) == ("worker 'block'", ["block"])
        assert "task " in problem["problem"]
        await until(caplog, "/health", 200)
