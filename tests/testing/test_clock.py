"""Virtual time: exact, instant, the same on both backends, and never a hang."""

import subprocess
import sys
import time

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from anyworker.testing import VIRTUAL_BACKENDS, DeadlockError, run_virtual
from anyworker.testing.clock import BackendName

HOUR = 3600.0

on_each_backend = pytest.mark.parametrize("backend", VIRTUAL_BACKENDS)


@pytest.mark.virtual_time
async def test_ten_hours_pass_in_an_instant() -> None:
    began = time.perf_counter()
    for _ in range(100):
        await anyio.sleep(0.1 * HOUR)
    assert anyio.current_time() == pytest.approx(10 * HOUR)
    assert time.perf_counter() - began < 5


@pytest.mark.virtual_time
async def test_every_test_starts_at_zero() -> None:
    assert anyio.current_time() == 0.0


@pytest.mark.virtual_time
async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    woken: list[tuple[int, float]] = []

    async def sleep(seconds: int) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, anyio.current_time()))

    async with anyio.create_task_group() as group:
        for seconds in (30, 10, 20):
            group.start_soon(sleep, seconds)
    assert woken == [(10, 10.0), (20, 20.0), (30, 30.0)]


@pytest.mark.virtual_time
async def test_scope_ends_exactly_at_its_deadline() -> None:
    with anyio.move_on_after(7.5) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert anyio.current_time() == 7.5


@pytest.mark.virtual_time
async def test_an_event_ends_a_wait_before_its_deadline() -> None:
    event = anyio.Event()

    async def ring() -> None:
        await anyio.sleep(3)
        event.set()

    async with anyio.create_task_group() as group:
        group.start_soon(ring)
        with anyio.fail_after(60):
            await event.wait()
    assert anyio.current_time() == 3.0


@pytest.mark.virtual_time
async def test_time_stands_still_while_a_task_can_run() -> None:
    with anyio.move_on_after(1) as scope:
        for _ in range(1000):
            await anyio.lowlevel.checkpoint()
    assert not scope.cancelled_caught
    assert anyio.current_time() == 0.0


@pytest.mark.virtual_time
async def test_sleeping_longer_than_the_loop_waits_at_once_is_one_sleep() -> None:
    await anyio.sleep(30 * 24 * HOUR)
    assert anyio.current_time() == pytest.approx(30 * 24 * HOUR)


@pytest.mark.virtual_time
async def test_a_thread_is_awaited_when_no_deadline_competes() -> None:
    assert await anyio.to_thread.run_sync(lambda: 42) == 42
    assert anyio.current_time() == 0.0


@on_each_backend
def test_run_virtual_returns_the_result_and_passes_arguments(backend: BackendName) -> None:
    async def wait(seconds: float, name: str) -> tuple[str, float]:
        await anyio.sleep(seconds)
        return name, anyio.current_time()

    assert run_virtual(wait, HOUR, "done", backend=backend) == ("done", HOUR)


@on_each_backend
def test_run_virtual_passes_on_what_the_function_raises(backend: BackendName) -> None:
    async def fail() -> None:
        await anyio.sleep(1)
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        run_virtual(fail, backend=backend)


# In a process of its own: threads that other tests left idle would make the loop patient.
DEADLOCK = """
import anyio
from anyworker.testing import DeadlockError, run_virtual

async def wait_in_vain():
    await anyio.sleep(5)
    await anyio.Event().wait()

try:
    run_virtual(wait_in_vain, backend={backend!r})
except DeadlockError as error:
    print(error)
"""


@on_each_backend
def test_waiting_for_nothing_is_a_deadlock_error(backend: BackendName) -> None:
    script = DEADLOCK.format(backend=backend)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == f"{DeadlockError()}\n"


def test_asyncio_alone_does_not_import_trio() -> None:
    script = (
        "import sys, anyio; from anyworker.testing import run_virtual; "
        "run_virtual(anyio.sleep, 1.0); sys.exit('trio' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], timeout=30, check=True)
