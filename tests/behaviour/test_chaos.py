"""Workers and a server between which everything goes wrong now and then: the work is done all the same."""

import anyio
import httpx
import pytest

import anyworker
from anyworker.devserver import DevServer
from anyworker.devserver.records.changes import Change

pytestmark = pytest.mark.virtual_time

URL = "http://devserver/api"
WORKFLOWS = 30


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_workflow_ends_in_spite_of_chaos(seed: int) -> None:
    done: list[int] = []

    async def count(n: int) -> int:
        done.append(n)
        return n

    ended: dict[str, str] = {}
    all_ended = anyio.Event()

    def note(change: Change) -> None:
        if change.task_id is None and change.status != "RUNNING":
            ended[change.workflow_id] = change.status
            if len(ended) == WORKFLOWS:
                all_ended.set()

    server = DevServer(seed=seed)
    server.engine.on_change.append(note)
    worker = anyworker.Worker("t", count, thread_count=2)
    configuration = anyworker.Configuration(server_api_url=URL, transport=server.transport())
    async with httpx.AsyncClient(transport=server.transport(), base_url=URL, timeout=None) as http:
        definition = {"name": "t", "responseTimeoutSeconds": 30, "retryCount": 10, "retryDelaySeconds": 1}
        await http.post("/metadata/taskdefs", json=[definition])
        step = {"name": "t", "taskReferenceName": "t", "inputParameters": {"n": "${workflow.input.n}"}}
        await http.put("/metadata/workflow", json=[{"name": "w", "tasks": [step]}])
        started = [
            (await http.post("/workflow", json={"name": "w", "input": {"n": number}})).text
            for number in range(WORKFLOWS)
        ]
        chaos = server.faults.chaos(seed=seed, rate=0.3)
        with anyio.fail_after(3600):
            async with anyworker.serving(worker, configuration=configuration):
                await all_ended.wait()
                server.faults.clear()
    assert ended == dict.fromkeys(started, "COMPLETED")
    assert set(done) == set(range(WORKFLOWS))
    assert chaos.hits > 5
