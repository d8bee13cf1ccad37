"""Tasks that were in hand when processes died: not run for ever, and nobody else is blamed."""

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from stage import Stage, stage

from anyworker import OutboxSettings, Worker
from anyworker.conductor.models import Task, TaskDef, WorkflowDef, WorkflowTask
from anyworker.errors import ProcessDied
from anyworker.runner.outbox.file import OutboxFile
from anyworker.runner.outbox.hands import Hand, burying, enter_all

pytestmark = [pytest.mark.virtual_time, pytest.mark.blocking]

URL = "http://devserver/api"


def kill(path: Path, *tasks: Task, times: int = 1) -> None:
    """Let so many processes have died with the tasks in hand."""
    for number in range(times):
        owner = f"host-{number + 1}-{len(tasks)}"
        file = OutboxFile(path, server=URL, owner=owner)
        file.open()
        hands = [Hand.of(task, server=URL, owner=owner, now=0.0, limit=3) for task in tasks]
        file.apply([partial(enter_all, hands=hands)])
        file.apply([burying(owner, 5.0, "was killed by signal 11")])
        assert file._connection is not None
        file._connection.close()  # not the file itself, which would take its hands back


async def hush(play: Stage) -> None:
    """Let no task come until the fleet is resumed."""
    play.fleet.quiet()
    await anyio.sleep(5)


def task(workflow_id: str) -> Task:
    return Task("t", workflow_instance_id=workflow_id, reference_task_name="work_1")


async def test_task_of_three_deaths_fails_for_good_with_the_evidence_and_is_not_run(tmp_path: Path) -> None:
    path, failures, ran = tmp_path / "outbox.db", list[Any](), list[int]()

    class Listener:
        on_task_execution_failure = failures.append

    async with stage(
        Worker("work", lambda: ran.append(1)), inline=True, outbox=path, event_listeners=[Listener()]
    ) as play:
        await hush(play)
        await play.define("work", retry_count=5)
        workflow_id = await play.start()
        kill(path, task(workflow_id), times=3)
        play.fleet.resume()
        workflow = await play.result(workflow_id)
    [failed] = workflow.tasks
    assert (failed.status, ran) == ("FAILED_WITH_TERMINAL_ERROR", [])
    assert failed.reason_for_incompletion is not None
    assert failed.reason_for_incompletion.startswith("its process died 3 times while it ran")
    assert failed.reason_for_incompletion.count("was killed by signal 11 1970-01-01T00:00:05Z") == 3
    [failure] = failures
    assert isinstance(failure.cause, ProcessDied)
    assert failure.duration_ms < 1000


async def test_person_who_retries_the_workflow_gives_the_task_new_attempts(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with stage(Worker("work", lambda: 1), inline=True, outbox=path) as play:
        await hush(play)
        await play.define("work")
        workflow_id = await play.start()
        kill(path, task(workflow_id), times=3)
        play.fleet.resume()
        assert (await play.result(workflow_id)).status == "FAILED"
        async with httpx.AsyncClient(transport=play.tap.inner, base_url=URL) as person:
            await person.post(f"{URL}/workflow/{workflow_id}/retry")
        await anyio.sleep(1)
        assert (await play.result(workflow_id)).status == "COMPLETED"


async def test_number_is_what_the_settings_say_and_zero_is_any(tmp_path: Path) -> None:
    async def status(max_deaths: int, deaths: int) -> str:
        path = tmp_path / f"{max_deaths}-{deaths}.db"
        settings = OutboxSettings(path, max_deaths=max_deaths)
        async with stage(Worker("work", lambda: 1), inline=True, outbox=settings) as play:
            await hush(play)
            await play.define("work")
            workflow_id = await play.start()
            kill(path, task(workflow_id), times=deaths)
            play.fleet.resume()
            return (await play.result(workflow_id)).tasks[0].status

    assert await status(1, 1) == "FAILED_WITH_TERMINAL_ERROR"
    assert await status(1, 0) == "COMPLETED"
    assert await status(5, 4) == "COMPLETED"
    assert await status(5, 5) == "FAILED_WITH_TERMINAL_ERROR"
    assert await status(0, 9) == "COMPLETED"


async def _suspects(play: Stage, path: Path, count: int) -> list[str]:
    await hush(play)
    await play.define("work")
    ids = [await play.start() for _ in range(count)]
    kill(path, *map(task, ids), times=2)
    return ids


async def test_suspects_run_one_at_a_time_while_others_go_on_beside_them(tmp_path: Path) -> None:
    path, running, most, times = tmp_path / "outbox.db", 0, 0, list[float]()

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        times.append(anyio.current_time())
        await anyio.sleep(1)
        running -= 1

    async with stage(Worker("work", work, thread_count=10), inline=True, outbox=path) as play:
        ids = await _suspects(play, path, 3)
        play.fleet.resume()
        await anyio.sleep(0.1)
        ids += [await play.start() for _ in range(2)]
        workflows = [await play.result(workflow_id) for workflow_id in ids]
    assert {workflow.status for workflow in workflows} == {"COMPLETED"}
    assert most == 3, "one suspect, two others"
    assert max(times) - min(times) == pytest.approx(2, abs=0.1)


async def test_suspects_that_wait_for_their_turn_are_handed_back_when_the_worker_drains(
    tmp_path: Path,
) -> None:
    path, ran = tmp_path / "outbox.db", list[int]()

    async def work() -> None:
        ran.append(1)
        await anyio.sleep(5)

    async with stage(Worker("work", work, thread_count=10), inline=True, outbox=path) as play:
        ids = await _suspects(play, path, 3)
        play.fleet.resume()
        await anyio.sleep(1)
        await play.fleet.drain()
        statuses = [(await play.client.get_workflow(each)).tasks[0].status for each in ids]
    assert len(ran) == 1
    assert sorted(statuses) == ["COMPLETED", "SCHEDULED", "SCHEDULED"]


async def test_nothing_is_left_in_the_journal_once_tasks_are_settled(tmp_path: Path) -> None:
    """However they end: returned, raised, called again, handed back, dropped."""
    path = tmp_path / "outbox.db"

    async def work(n: int = 0) -> Any:
        match n:
            case 1:
                raise ValueError(n)
            case 2:
                await anyio.sleep(100)
        return n

    async with stage(Worker("work", work, thread_count=10), inline=True, outbox=path) as play:
        await play.define("work", response_timeout_seconds=3600)
        ids = [await play.start({"n": number}) for number in range(3)]
        await anyio.sleep(1)
        file = OutboxFile(path, server=URL, owner="reader")
        file.open()
        count = "SELECT count(*) FROM hands"
        assert file.ask(lambda connection: connection.execute(count).fetchone()[0]) == 1
        await play.client.terminate_workflow(ids[2])
        await anyio.sleep(60)
        assert file.ask(lambda connection: connection.execute(count).fetchone()[0]) == 0
        file.close()


async def test_file_that_cannot_be_used_keeps_nobody_from_running_tasks(tmp_path: Path) -> None:
    async with stage(Worker("work", lambda: 1), inline=True, outbox=tmp_path / "no" / "file.db") as play:
        await play.define("work")
        assert (await play.play()).status == "COMPLETED"


async def test_tasks_of_one_workflow_are_told_apart_by_their_reference_names(tmp_path: Path) -> None:
    path, ran = tmp_path / "outbox.db", list[int]()
    async with stage(Worker("work", lambda: ran.append(1)), inline=True, outbox=path) as play:
        await hush(play)
        await play.client.register_task_defs([TaskDef(name="work")])
        tasks = [WorkflowTask(name="work", task_reference_name=name) for name in ("work_0", "work_1")]
        await play.client.register_workflow_def(WorkflowDef(name="two", tasks=tasks), overwrite=True)
        workflow_id = await play.start(name="two")
        kill(path, task(workflow_id), times=3)
        play.fleet.resume()
        workflow = await play.result(workflow_id)
    assert [each.status for each in workflow.tasks] == ["COMPLETED", "FAILED_WITH_TERMINAL_ERROR"]
    assert len(ran) == 1
