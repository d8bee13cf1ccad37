"""A signal while the lifespan opens: nothing is in hand, so the process ends at once."""

import signal
from pathlib import Path

import pytest
from fleet_rig import statuses, until
from process_rig import Process, Server

SCRIPT = """
import contextlib, logging, os, sys, time
import anyio
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

@anyworker.worker_task("idle")
def idle() -> None: ...

@contextlib.asynccontextmanager
async def slow():
    os.write(1, b"opening")
    try:
        await anyio.sleep(3600)
        yield
    finally:
        os.write(1, b"cancelled")

@contextlib.asynccontextmanager
async def broken():
    raise ConnectionRefusedError("no database")
    yield

@contextlib.asynccontextmanager
async def stubborn():
    yield
    os.write(1, b"closing")
    if "blocked" in sys.argv:
        time.sleep(60)
    with anyio.CancelScope(shield=True):
        await anyio.sleep(60)

if __name__ == "__main__":
    if sys.argv[2] == "stubborn":
        from anyworker.fleet.control import steering
        steering.CLOSE_SECONDS, steering.ABANDON_SECONDS = 0.3, 0.2
    processes = 2 if "two" in sys.argv else 1
    anyworker.run(backend=sys.argv[1], lifespan=globals()[sys.argv[2]], processes=processes)
    print("after run")
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_opening(
    backend: str, signum: signal.Signals, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    process = Process(["main.py", backend, "slow"], tmp_path, server.url)
    try:
        process.await_output("opening")
        process.send(signum)
        assert process.end() == 0
    finally:
        process.close()
    assert b"cancelledafter run" in process.out
    assert server.last_poll("idle") == 0


@pytest.mark.parametrize("processes", ["one", "two"])
def test_lifespan_that_fails_to_open_is_a_failed_start(
    processes: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    process = Process(["main.py", "asyncio", "broken", processes], tmp_path, server.url)
    try:
        assert process.end() == 3
    finally:
        process.close()
    assert b"Cannot start: lifespan __main__.broken failed to open: ConnectionRefusedError: no database" in (
        process.err
    )
    assert b"__anyworker_main__" not in process.err
    assert server.last_poll("idle") == 0


@pytest.mark.parametrize(("backend", "way"), [("asyncio", "blocked"), ("trio", "shielded")])
def test_lifespan_that_does_not_close_is_named_and_left(
    backend: str, way: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    process = Process(["main.py", backend, "stubborn", way], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[")
        task = server.start("idle")
        until(lambda: statuses(server, [task]) == {"COMPLETED"})
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert b"lifespan __main__.stubborn has not closed after 0.5 seconds: leaving" in process.err
