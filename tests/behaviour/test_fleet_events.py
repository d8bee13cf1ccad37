"""Listeners hear of workers, stages, hand-backs, tokens and blocked event loops, whatever the function is."""

import os
import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from ear import Ear
from stage import stage

from anyworker import (
    LoopBlocked,
    ShutdownStageEntered,
    TaskCancelled,
    TaskHandedBack,
    TokenRefreshed,
    TokenRefreshFailure,
    Worker,
    WorkerPaused,
    WorkerResumed,
    WorkerStarted,
    WorkerStopped,
)
from anyworker.configuration import AuthenticationSettings
from anyworker.policy.cancellation import Draining

LIFE = (WorkerStarted, WorkerPaused, WorkerResumed, WorkerStopped, ShutdownStageEntered)


def awaitable_from_plain(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a plain function that returns what the event loop awaits."""

    def plain() -> Any:
        return function()

    return plain


def seconds_long(seconds: float, *, is_async: bool) -> Callable[..., Any]:
    """Return a function that takes its time; the plain one returns what the event loop awaits."""

    async def work() -> str:
        await anyio.sleep(seconds)
        return "done"

    return work if is_async else awaitable_from_plain(work)


@pytest.mark.virtual_time
@pytest.mark.parametrize("is_async", [False, True])
async def test_life_of_a_worker_is_told_in_order(is_async: bool) -> None:
    ear = Ear(*LIFE)
    worker = Worker("work", seconds_long(5, is_async=is_async), thread_count=3, domain="eu")
    async with stage(worker, event_listeners=[ear], inline=True) as play:
        await anyio.sleep(1)
        play.fleet.quiet()
        play.fleet.quiet()
        await anyio.sleep(1)
        play.fleet.resume()
        await anyio.sleep(1)
        await play.fleet.drain()
    assert ear.names() == [
        "WorkerStarted",
        "ShutdownStageEntered",
        "WorkerPaused",
        "WorkerResumed",
        "ShutdownStageEntered",
        "WorkerStopped",
        "ShutdownStageEntered",
    ]
    [started], [paused], [stopped] = ear.of(WorkerStarted), ear.of(WorkerPaused), ear.of(WorkerStopped)
    assert (started.task_type, started.domain, started.slots) == ("work", "eu", 3)
    assert (paused.reason, paused.in_hand, paused.worker_id) == ("quiet", 0, started.worker_id)
    assert (stopped.finished, stopped.undelivered, stopped.abandoned) == (0, 0, 0)
    assert [event.stage for event in ear.of(ShutdownStageEntered)] == ["quiet", "draining", "ended"]


@pytest.mark.virtual_time
async def test_worker_that_is_paused_by_its_option_says_so_and_is_not_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_WORK_PAUSED", "true")
    ear = Ear(*LIFE)
    async with stage(Worker("work", lambda: 1), event_listeners=[ear], inline=True) as play:
        await anyio.sleep(1)
        play.fleet.quiet()
        play.fleet.resume()
    assert ear.names()[:2] == ["WorkerStarted", "WorkerPaused"]
    assert [event.reason for event in ear.of(WorkerPaused)] == ["option"]
    assert not ear.of(WorkerResumed)


@pytest.mark.virtual_time
async def test_fleet_that_is_quiet_from_the_outset_tells_of_the_worker_first() -> None:
    ear = Ear(*LIFE)
    async with stage(Worker("work", lambda: 1), event_listeners=[ear], inline=True) as play:
        play.fleet.quiet()
        await anyio.sleep(1)
        play.fleet.resume()
    assert ear.names()[:4] == ["ShutdownStageEntered", "WorkerStarted", "WorkerPaused", "WorkerResumed"]
    assert [event.reason for event in ear.of(WorkerPaused)] == ["quiet"]


@pytest.mark.virtual_time
@pytest.mark.parametrize("is_async", [False, True])
async def test_task_that_outlasts_the_grace_is_cancelled_and_handed_back(is_async: bool) -> None:
    ear = Ear(*LIFE, TaskCancelled, TaskHandedBack)
    worker = Worker("work", seconds_long(600, is_async=is_async))
    async with stage(worker, event_listeners=[ear], inline=True, grace=5) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(2)
    assert ear.names() == [
        "WorkerStarted",
        "ShutdownStageEntered",
        "ShutdownStageEntered",
        "TaskCancelled",
        "TaskHandedBack",
        "WorkerStopped",
        "ShutdownStageEntered",
    ]
    stages = [(event.stage, event.in_hand) for event in ear.of(ShutdownStageEntered)]
    assert stages == [("draining", 1), ("cancelling", 1), ("ended", 0)]
    [cancelled], [back], [stopped] = ear.of(TaskCancelled), ear.of(TaskHandedBack), ear.of(WorkerStopped)
    assert cancelled.reason == Draining()
    assert (back.reason, back.was_running, back.task_id) == ("shutdown", True, cancelled.task_id)
    assert stopped.finished == 1


@pytest.mark.virtual_time
async def test_surplus_task_that_is_handed_back_is_told_of() -> None:
    ear = Ear(TaskHandedBack)
    fetched: list[httpx.Response] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if "/poll/" not in request.url.path or fetched:
            return None
        asked = request.url.copy_set_param("count", 3)
        answer = await play.tap.inner.handle_async_request(
            httpx.Request("GET", asked, headers=request.headers)
        )
        body = await answer.aread()
        if body != b"[]":
            fetched.append(answer)
        return httpx.Response(200, content=body)

    async with stage(
        Worker("work", seconds_long(1, is_async=True)), event_listeners=[ear], inline=True
    ) as play:
        await play.define("work")
        play.fleet.quiet()
        await anyio.sleep(10)
        for _ in range(3):
            await play.start()
        play.tap.hook = hook
        play.fleet.resume()
        await anyio.sleep(10)
    assert [(event.reason, event.was_running) for event in ear.of(TaskHandedBack)] == [("surplus", False)] * 2


@pytest.mark.virtual_time
async def test_function_that_ignores_its_cancellation_is_abandoned_in_a_stage_of_its_own() -> None:
    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(100)

    ear = Ear(ShutdownStageEntered)
    async with stage(Worker("work", stubborn), event_listeners=[ear], inline=True, grace=1) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(2)
    assert [event.stage for event in ear.of(ShutdownStageEntered)] == [
        "draining",
        "cancelling",
        "abandoning",
        "ended",
    ]


@pytest.mark.virtual_time
async def test_tokens_are_told_of_and_never_shown() -> None:
    refused = 0

    async def hook(request: httpx.Request) -> httpx.Response | None:
        nonlocal refused
        if request.url.path != "/api/token":
            return None
        if 1 <= refused <= 2:
            refused += 1
            return httpx.Response(403, json={"message": "not s3cret", "status": 403})
        refused = max(refused, 1)
        return httpx.Response(200, json={"token": "t0ken"})

    ear = Ear(TokenRefreshed, TokenRefreshFailure)
    settings = {
        "authentication_settings": AuthenticationSettings("k3y", "s3cret"),
        "auth_token_ttl_min": 1,
    }
    async with stage(
        Worker("work", lambda: 1), hook=hook, event_listeners=[ear], configuration=settings, inline=True
    ):
        await anyio.sleep(70)
    assert ear.names()[:4] == [
        "TokenRefreshed",
        "TokenRefreshFailure",
        "TokenRefreshFailure",
        "TokenRefreshed",
    ]
    first, second = ear.of(TokenRefreshFailure)
    assert (first.attempts, second.attempts) == (1, 2)
    assert (first.retry_in_ms, second.retry_in_ms) == (2000, 4000)
    assert first.is_still_good
    assert ear.of(TokenRefreshed)[0].ttl_seconds == 60
    for event in ear.events:
        assert "t0ken" not in repr(event)
        assert "s3cret" not in repr(event)


@pytest.mark.blocking
@pytest.mark.parametrize("is_async", [False, True])
async def test_function_that_keeps_the_event_loop_is_told_of(is_async: bool) -> None:
    async def work() -> None:
        time.sleep(0.4)  # noqa: ASYNC251, TID251 - what the test is about

    ear, chosen = Ear(LoopBlocked), Worker("work", work if is_async else awaitable_from_plain(work))
    async with stage(chosen, event_listeners=[ear]) as play:
        await play.define("work")
        with anyio.fail_after(20):
            workflow = await play.play()
    [task] = workflow.tasks
    [event] = ear.of(LoopBlocked)
    assert (event.task_type, event.task_id, event.pid) == ("work", task.task_id, os.getpid())
    assert 400 <= event.duration_ms < 4000


@pytest.mark.blocking
async def test_unknown_code_that_keeps_the_event_loop_is_told_of() -> None:
    ear = Ear(LoopBlocked)
    async with stage(Worker("work", lambda: 1), event_listeners=[ear]):
        await anyio.sleep(0.1)
        time.sleep(1)  # noqa: ASYNC251, TID251 - what the test is about
        await anyio.sleep(0.3)
    [event] = ear.of(LoopBlocked)
    assert (event.task_type, event.task_id) == ("", None)
    assert event.duration_ms >= 500
