"""The number of a turn serves as a checkpoint, whatever happens to a task between two turns."""

import anyio
import attrs
import pytest
from stage import stage

from anyworker import Configuration, TaskInProgress, TaskReclaimed, Worker, get_task_context
from anyworker.devserver import DevServer
from anyworker.events import Publisher
from anyworker.fleet.estates.salvage import Salvage
from anyworker.runner.threads import run_inline

pytestmark = pytest.mark.virtual_time

POLL = "GET /tasks/poll/batch/{type}"
DEAD = "host-1-dead"


@pytest.mark.parametrize("seconds", [2.3, 3.0, 4.7])
async def test_seeds_example_does_each_item_once_although_its_task_is_drained_and_reclaimed(
    seconds: float,
) -> None:
    """Each round ends with a shutdown at another moment of a turn, a lost poll, and a process that dies."""
    done: list[int] = []
    ends: list[str] = []

    async def process_batch() -> dict[str, object] | TaskInProgress:
        poll_count = get_task_context().get_poll_count()
        await anyio.sleep(1)
        chunk = range(2000)[poll_count * 100 : poll_count * 100 + 100]
        done.extend(chunk)
        if len(chunk) < 100:
            return {"status": "completed", "total_processed": poll_count * 100 + len(chunk)}
        return TaskInProgress(callback_after_seconds=1, output={"progress": poll_count * 100 + len(chunk)})

    class Listener:
        def on_task_reclaimed(self, event: TaskReclaimed) -> None:
            ends.append(event.outcome)

    server, status, workflow_id = DevServer(), "RUNNING", ""
    configuration = Configuration(server_api_url="http://devserver/api", transport=server.transport())
    salvage = Salvage(configuration, Publisher([Listener()]), None, draw=lambda: 0.5, run_sync=run_inline)
    worker = Worker("work", process_batch)
    with anyio.fail_after(1000):
        while status == "RUNNING":
            async with stage(worker, server=server, event_listeners=[Listener()], inline=True) as play:
                if not workflow_id:
                    await play.define("work", timeout_seconds=0)
                    workflow_id = await play.start()
                await anyio.sleep(seconds / 2)
                server.faults.drop(POLL, after_effect=True, times=1)
                await anyio.sleep(seconds)
                await play.fleet.stop()
                await play.client.poll("work", count=1, timeout=2, worker_id=DEAD)
                dead = attrs.evolve(play.fleet.status().workers[0], worker_id=DEAD)
                await salvage.give_back("process 1 of 1", [dead])
                workflow = await play.client.get_workflow(workflow_id)
            status = workflow.status
    assert done == list(range(100, 2000))
    assert workflow.output == {"status": "completed", "total_processed": 2000}
    assert len(workflow.tasks) == 1
    # Turns are a part of the polls only.
    assert ends.count("handed_back") >= 5
    assert workflow.tasks[0].poll_count >= 20 + ends.count("handed_back")
