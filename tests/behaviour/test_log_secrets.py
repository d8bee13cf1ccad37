"""At any level, what is logged holds neither what tasks are about nor what opens doors."""

import logging
from typing import Any

import anyio
import httpx
import pytest
from stage import is_update, stage

import anyworker
from anyworker import AuthenticationSettings, ConfigurationError, NonRetryableException, TaskResult, Worker

SECRET = "hunter2-and-more"


def fail(name: str) -> None:
    raise ValueError(name)


async def linger(name: str) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        raise RuntimeError(name)


def final(name: str) -> None:
    raise NonRetryableException(name)


def reject(name: str) -> TaskResult:
    return TaskResult(status="FAILED", reason_for_incompletion=name, output_data={"key": name})


def unfit(name: int) -> int:
    return name


def unsendable(name: str) -> Any:
    return {name: {SECRET: object()}}


def logged(caplog: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter("%(levelname)s %(name)s %(message)s")
    return "\n".join(formatter.format(record) + repr(vars(record)) for record in caplog.records)


@pytest.mark.virtual_time
@pytest.mark.parametrize("function", [fail, linger, final, reject, unfit, unsendable, str.upper])
@pytest.mark.parametrize("status", [None, 500, 400])
async def test_input_and_output_are_in_no_line(
    function: Any, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if status is not None and is_update(request):
            return httpx.Response(status, json={"message": "trouble"})
        return None

    def upper(name: str) -> str:
        return name.upper() + name

    caplog.set_level(logging.DEBUG)
    worker = Worker("work", upper if function is str.upper else function)
    async with stage(worker, hook=hook, inline=True) as play:
        await play.define("work", retry_count=0)
        await play.start({"name": SECRET})
        await anyio.sleep(100)
    assert "Conductor Worker[" in caplog.text
    assert SECRET not in logged(caplog)


@pytest.mark.virtual_time
async def test_headers_keys_and_tokens_are_in_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    calls = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        calls.append(request.url.path)
        if request.url.path == "/api/token":
            if len(calls) % 2:
                return httpx.Response(200, json={"token": f"token-{SECRET}"})
            return httpx.Response(401, json={"message": f"no such secret: {SECRET}"})
        return httpx.Response(401, json={"message": "no"})

    configuration = {
        "headers": {"X-Api-Key": SECRET},
        "authentication_settings": AuthenticationSettings(key_id="id", key_secret=SECRET),
    }
    async with stage(Worker("work", fail), hook=hook, configuration=configuration, inline=True):
        await anyio.sleep(100)
    assert "Polling work fails" in caplog.text
    assert "/api/token" in calls
    assert SECRET not in logged(caplog)


def test_passwords_in_urls_are_not_repeated() -> None:
    for url in (f"http://user:{SECRET}@127.0.0.1:1/api", f"http://127.0.0.1:1/api?token={SECRET}"):
        with pytest.raises(ConfigurationError) as caught:
            anyworker.Configuration(server_api_url=url)
        assert SECRET not in str(caught.value)
