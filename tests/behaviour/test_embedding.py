"""Workers inside of programs with an event loop of their own: several at once, again and again, in trio's."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
from stage import Stage, stage

import anyworker
from anyworker import Configuration, Worker
from anyworker.client import ConductorClient, WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.fleet.status import FleetStage

URL = "http://dev/api"


def say(word: str) -> Worker:
    async def work() -> str:
        await anyio.lowlevel.checkpoint()
        return word

    return Worker("work", work)


async def word(played: Stage) -> Any:
    await played.define("work")
    return (await played.play()).tasks[0].output_data["result"]


async def test_several_fleets_of_one_loop_keep_to_their_servers() -> None:
    async with stage(say("one")) as first, stage(say("two")) as second:
        assert (await word(first), await word(second)) == ("one", "two")
        await first.fleet.drain()
        assert first.fleet.status().stage is FleetStage.ENDED
        assert second.fleet.status().stage is FleetStage.RUNNING
        assert await word(second) == "two"


async def test_several_fleets_share_the_tasks_of_one_server() -> None:
    server = DevServer()
    workers = [Worker(name, lambda: 1) for name in ("a", "b")]
    async with stage(workers[0], server=server) as first, stage(workers[1], server=server):
        await first.define("a", "b")
        assert (await first.play()).status == "COMPLETED"


async def test_a_worker_is_served_again_after_its_fleet_has_ended() -> None:
    server, worker = DevServer(), say("again")
    for _ in range(3):
        async with stage(worker, server=server) as played:
            assert await word(played) == "again"
        assert played.fleet.status().stage is FleetStage.ENDED


def test_a_worker_is_served_in_one_event_loop_after_the_other() -> None:
    server, worker = DevServer(), say("everywhere")

    async def main() -> None:
        async with stage(worker, server=server) as played:
            assert await word(played) == "everywhere"

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)


async def test_the_end_of_the_block_waits_for_what_runs() -> None:
    begun = anyio.Event()

    async def slow() -> str:
        begun.set()
        await anyio.sleep(0.2)
        return "done"

    server = DevServer()
    async with stage(Worker("work", slow), server=server) as played:
        await played.define("work")
        workflow_id = await played.start()
        await begun.wait()
    async with ConductorClient(Configuration(server_api_url=URL, transport=server.transport())) as client:
        assert (await client.get_workflow(workflow_id)).status == "COMPLETED"


def test_a_program_of_trio_serves_in_its_own_nursery() -> None:
    """Nothing of anyio is started: trio.run and a nursery are the program's own."""
    server = DevServer()
    configuration = Configuration(server_api_url=URL, transport=server.transport())
    results: list[Any] = []

    async def serve(task_status: trio.TaskStatus[anyworker.fleet.fleet.Fleet]) -> None:
        async with anyworker.serving(say("trio"), configuration=configuration) as fleet:
            task_status.started(fleet)
            await fleet.wait()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            fleet = await nursery.start(serve)
            async with ConductorClient(configuration) as client:
                task = WorkflowTask(name="work", task_reference_name="it", type="SIMPLE")
                await client.register_workflow_def(WorkflowDef(name="flow", tasks=[task]))
                workflow_id = await client.start_workflow("flow", {})
                workflow = await client.wait_for_workflow(workflow_id)
                results.append(workflow.tasks[0].output_data["result"])
            await fleet.drain()

    trio.run(main)
    assert results == ["trio"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_cancellation_of_a_host_hands_back_what_runs(backend: str) -> None:
    server = DevServer()

    async def main() -> str:
        begun = anyio.Event()

        async def forever() -> None:
            begun.set()
            await anyio.sleep_forever()

        with anyio.CancelScope() as scope:
            async with stage(Worker("work", forever), server=server) as played:
                await played.define("work")
                workflow_id = await played.start()
                await begun.wait()
                scope.cancel()
                await anyio.sleep_forever()
        async with ConductorClient(Configuration(server_api_url=URL, transport=server.transport())) as client:
            return str((await client.get_workflow(workflow_id)).tasks[0].status)

    assert anyio.run(main, backend=backend) == "SCHEDULED"
