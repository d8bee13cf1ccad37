"""Each line of the library about a task has all of its fields, also where only its result is at hand."""

import logging

import anyio
import httpx
import pytest
from stage import is_update, stage

from anyworker import Worker
from anyworker.logs import FIELDS

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("status", [400, 503])
async def test_lines_about_a_result_tell_the_attempt(status: int, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_result = is_update(request)
        if calls < 2 or not is_result:
            return None
        return httpx.Response(status, json={"message": "trouble", "status": status})

    def work() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("once more")
        return "x" * 5000

    caplog.set_level(logging.DEBUG, "anyworker")
    async with stage(Worker("work", work, output_warning_kb=1), hook=hook, inline=True) as play:
        await play.define("work", retry_count=1, retry_delay_seconds=0)
        workflow = await play.start()
        await anyio.sleep(500)
        task = (await play.client.get_workflow(workflow)).tasks[-1]
    about = [record for record in caplog.records if hasattr(record, "task_id")]
    text = "\n".join(record.getMessage() for record in about)
    assert "Results of work are not accepted" in text
    assert "above output_warning_kb=1" in text
    expected = (task.task_id, task.workflow_instance_id, "work", 1)
    assert {tuple(getattr(record, name, None) for name in FIELDS) for record in about} == {expected}
