"""One definition of several workers of one task type, in one process or in two."""

import anyio
import httpx
import pytest
from registering import charging, definition, registered
from stage import stage

from anyworker import TaskDef, Worker
from anyworker.devserver import DevServer
from anyworker.errors import ConfigurationError
from anyworker.events import TaskDefRegistered

pytestmark = pytest.mark.virtual_time


def in_domains(first: TaskDef | None, second: TaskDef | None) -> list[Worker]:
    return [charging(first, domain="a"), charging(second, domain="b")]


async def test_workers_of_one_type_put_their_templates_together() -> None:
    server = DevServer()
    first, second = in_domains(
        TaskDef(name="charge", retry_count=7), TaskDef(name="x", retry_delay_seconds=2)
    )
    event = await registered(server, first, others=[second])
    assert isinstance(event, TaskDefRegistered)
    found = await definition(server)
    assert (found["retryCount"], found["retryDelaySeconds"]) == (7, 2)


async def test_processes_that_create_a_definition_at_the_same_moment_put_it_together() -> None:
    server, both_asked = DevServer(), anyio.Event()
    asked: list[str] = []

    async def wait_for_the_other(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and "/metadata/taskdefs" in request.url.path:
            asked.append(request.url.path)
            if len(asked) == 2:
                both_asked.set()
            await both_asked.wait()
        return None

    templates = TaskDef(name="charge", retry_count=7), TaskDef(name="x", retry_delay_seconds=2)
    first, second = in_domains(*templates)
    with anyio.fail_after(300):
        async with (
            stage(first, server=server, hook=wait_for_the_other, inline=True),
            stage(second, server=server, hook=wait_for_the_other, inline=True),
        ):
            await anyio.sleep(5)
    found = await definition(server)
    assert (found["retryCount"], found["retryDelaySeconds"]) == (7, 2)


async def test_templates_that_contradict_each_other_stop_the_start() -> None:
    workers = in_domains(TaskDef(name="charge", retry_count=7), TaskDef(name="charge", retry_count=2))
    with pytest.raises(ConfigurationError, match=r"retry_count=7 .* retry_count=2"):
        async with stage(*workers, inline=True):
            pass


async def test_schemas_that_differ_between_domains_are_named(caplog: pytest.LogCaptureFixture) -> None:
    server, other = DevServer(), charging(domain="b", function=lambda other: other)
    await registered(server, charging(domain="a"), others=[other])
    assert "'charge' is registered with the schemas of" in caplog.text
    assert (await definition(server))["inputSchema"]["data"]["required"] == ["order"]
