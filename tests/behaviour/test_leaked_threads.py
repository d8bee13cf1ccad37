"""Plain functions beyond their timeout: reported in time, counted, their slots given back up to a bound."""

import threading
from collections.abc import Iterator

import anyio
import pytest
from stage import Stage, stage

from anyworker import Worker


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def stuck(release: threading.Event, **options: float) -> Worker:
    def work() -> str:
        release.wait(20)
        return "too late"

    return Worker("work", work, timeout=0.1, **options)  # type: ignore[arg-type]


async def until_leaked(play: Stage, count: int) -> None:
    while play.fleet.status().workers[0].leaked != count:  # noqa: ASYNC110 - threads tell no event
        await anyio.sleep(0.01)


async def test_plain_function_fails_at_its_deadline_and_its_thread_is_shown(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(15):
        async with stage(stuck(release)) as play:
            await play.define("work", retry_count=0)
            workflow = await play.play()
            await until_leaked(play, 1)
            assert play.fleet.status().workers[0].threads == 1
            release.set()
            await until_leaked(play, 0)
            assert play.fleet.status().is_everything_handed_over
    task = workflow.tasks[0]
    assert (task.status, task.reason_for_incompletion) == ("FAILED", "took longer than timeout=0.1 seconds")
    assert task.output_data == {}
    assert "in work" in caplog.text
    assert len(play.tap.updates()) == 1


async def test_slots_are_given_back_until_as_many_threads_are_left_as_there_are_slots(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(20):
        async with stage(stuck(release, thread_count=2)) as play:
            await play.define("work", retry_count=0)
            ids = [await play.start() for _ in range(6)]
            await until_leaked(play, 4)
            while "slot stays taken" not in caplog.text:  # noqa: ASYNC110 - logs tell no event
                await anyio.sleep(0.01)
            # Two beside the slots, and two that keep them: nothing more is begun.
            await anyio.sleep(0.5)
            [worker] = play.fleet.status().workers
            assert (worker.threads, worker.leaked, worker.finished) == (4, 4, 4)
            release.set()
            for workflow_id in ids:
                await play.result(workflow_id)
            await until_leaked(play, 0)


async def test_threads_that_keep_their_slots_do_not_hold_up_a_drain(release: threading.Event) -> None:
    with anyio.fail_after(15):
        async with stage(stuck(release, thread_count=1), grace=10) as play:
            await play.define("work", retry_count=0)
            for _ in range(2):
                await play.start()
            await until_leaked(play, 2)
            began = anyio.current_time()
            await play.fleet.drain()
            assert anyio.current_time() - began < 4
            release.set()
