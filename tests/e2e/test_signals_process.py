"""Signals in processes of their own, where the kernel delivers them: idle, blocked, importing, forked."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

BACKENDS = ["asyncio", "uvloop", "trio"]
INT, TERM = signal.SIGINT, signal.SIGTERM

PRELUDE = """
import logging, os, signal, sys, threading, time
import anyio
from anyworker.fleet.control.leaving import exit_now
from anyworker.fleet.control.signals import SignalStages, Stage


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())


def run(main):
    if sys.argv[1] == "uvloop":
        anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})
    else:
        anyio.run(main, backend=sys.argv[1])


def say_stages():
    # Tells from another thread what the main thread's handlers did while user code keeps the loop.
    said = Stage.NONE
    while True:
        if signals.stage > said:
            said = signals.stage
            say(said.name)
        time.sleep(0.002)


async def serve():
    async with anyio.create_task_group() as group:
        async def obey():
            await signals.follow(lambda stage: say(stage.name))
            group.cancel_scope.cancel()

        group.start_soon(obey)
        await anyio.wait_all_tasks_blocked()
        say("ready")
        await anyio.sleep_forever()


signals = SignalStages()
"""


class Child:
    """A Python process that says lines, ended for certain after half a minute."""

    def __init__(self, script: str, backend: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(script), backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        )
        self._watchdog = threading.Timer(30, self.process.kill)
        self._watchdog.start()

    def expect(self, *lines: str) -> None:
        assert self.process.stdout is not None
        assert [self.process.stdout.readline().rstrip("\n") for _ in lines] == list(lines)

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def ends(self, status: int) -> tuple[str, str]:
        """Return the rest of stdout and stderr."""
        rest, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == status, errors
        return rest, errors

    def close(self) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(script: str, backend: str = "asyncio") -> Iterator[Child]:
    child = Child(script, backend)
    try:
        yield child
    finally:
        child.close()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("first", "second"), [(INT, INT), (TERM, TERM), (TERM, INT)])
def test_an_idle_loop_hears_each_signal_at_once(
    backend: str, first: signal.Signals, second: signal.Signals
) -> None:
    script = """
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with signals:
        run(serve)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    say("restored")
    """
    with running(script, backend) as child:
        child.expect("ready")
        child.send(first)
        child.expect("DRAIN")
        child.send(second)
        child.expect("CANCEL", "restored")
        assert child.ends(0) == ("", "")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_that_another_thread_receives_wakes_the_loop(backend: str) -> None:
    script = """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with signals:
        run(serve)
    """
    with running(script, backend) as child:
        child.expect("ready")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        child.expect("CANCEL")
        child.ends(0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("block", ["time.sleep(60)", "while True: pass", "lock.acquire()"])
def test_the_third_signal_ends_a_process_whose_loop_is_blocked(backend: str, block: str) -> None:
    script = f"""
    lock = threading.Lock()
    lock.acquire()

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, lambda stage: say("not reached"))
            await anyio.wait_all_tasks_blocked()
            threading.Thread(target=say_stages, daemon=True).start()
            sys.stdout.write("kept in a buffer")
            say("blocked")
            {block}

    with signals:
        run(main)
    """
    with running(script, backend) as child:
        child.expect("blocked")
        child.send(INT)
        child.expect("DRAIN")
        child.send(INT)
        child.expect("CANCEL")
        child.send(INT)
        rest, errors = child.ends(128 + INT)
        assert rest == "kept in a buffer"
        assert errors == "third signal (SIGINT): leaving with status 130\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loop_that_comes_back_learns_what_it_missed(backend: str) -> None:
    script = """
    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, lambda stage: say("entered", stage.name))
            await anyio.wait_all_tasks_blocked()
            threading.Thread(target=say_stages, daemon=True).start()
            say("blocked")
            sys.stdin.readline()

    with signals:
        run(main)
    """
    with running(script, backend) as child:
        child.expect("blocked")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(INT)
        child.expect("CANCEL")
        rest, _ = child.process.communicate("\n", timeout=30)
        assert rest == "entered DRAIN\nentered CANCEL\n"
        assert child.process.returncode == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_while_importing_drains_once_the_loop_runs(backend: str) -> None:
    script = """
    async def main():
        async with anyio.create_task_group() as group:
            async def obey():
                await signals.follow(lambda stage: (say(stage.name), group.cancel_scope.cancel()))
            group.start_soon(obey)

    with signals:
        threading.Thread(target=say_stages, daemon=True).start()
        with signals.importing():
            say("importing")
            sys.stdin.readline()
            say("imported")
        run(main)
    """
    with running(script, backend) as child:
        child.expect("importing")
        child.send(TERM)
        child.expect("DRAIN")
        rest, errors = child.process.communicate("\n", timeout=30)
        assert (rest, errors, child.process.returncode) == ("imported\nDRAIN\n", "", 0)


def test_the_second_signal_ends_an_import_and_its_finalizers_run() -> None:
    script = """
    with signals:
        threading.Thread(target=say_stages, daemon=True).start()
        with signals.importing():
            try:
                say("importing")
                time.sleep(60)
            finally:
                say("finalized")
    """
    with running(script) as child:
        child.expect("importing")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        rest, errors = child.ends(128 + TERM)
        assert "finalized" in rest
        assert errors == ""


def test_the_third_signal_ends_an_import_that_swallows_the_second() -> None:
    script = """
    with signals:
        threading.Thread(target=say_stages, daemon=True).start()
        with signals.importing():
            say("importing")
            try:
                time.sleep(60)
            except BaseException:
                say("swallowed")
            time.sleep(60)
    """
    with running(script) as child:
        child.expect("importing")
        child.send(INT)
        child.expect("DRAIN")
        child.send(INT)
        assert child.process.stdout is not None
        assert {child.process.stdout.readline() for _ in range(2)} == {"CANCEL\n", "swallowed\n"}
        child.send(TERM)
        child.ends(128 + TERM)


@pytest.mark.parametrize(
    "hold",
    [
        "logging.root.handlers[0].acquire()",
        "threading._active_limbo_lock.acquire()",
        "logging._acquireLock()",
        "threading.Thread(target=hold_for_ever, daemon=True).start()",
    ],
)
def test_no_lock_under_the_handler_keeps_the_process(hold: str) -> None:
    script = f"""
    def hold_for_ever():
        logging.root.handlers[0].acquire()
        time.sleep(60)

    logging.basicConfig()
    logging.root.addHandler(logging.StreamHandler(sys.stdout))
    threading.Thread(target=say_stages, daemon=True).start()
    sys.stdout.write("kept in a buffer")
    with signals:
        {hold}
        say("holding")
        time.sleep(60)
    """
    with running(script) as child:
        child.expect("holding")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        child.expect("CANCEL")
        child.send(TERM)
        rest, _ = child.ends(128 + TERM)
        assert "kept in a buffer" in rest


def test_signals_after_the_third_do_not_repeat_the_farewell() -> None:
    script = """
    class Slow(logging.Handler):
        def emit(self, record):
            say("farewell")
            time.sleep(0.2)

    logging.root.addHandler(Slow())
    threading.Thread(target=say_stages, daemon=True).start()
    with signals:
        say("ready")
        time.sleep(60)
    """
    with running(script) as child:
        child.expect("ready")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        child.expect("CANCEL")
        child.send(TERM)
        child.expect("farewell")
        child.send(INT)
        assert child.ends(128 + TERM) == ("", "")


def test_a_reader_that_does_not_read_keeps_no_process() -> None:
    script = """
    threading.Thread(target=say_stages, daemon=True).start()
    with signals:
        say("writing")
        while True:
            sys.stderr.write("x" * 4096)
    """
    with running(script) as child:
        child.expect("writing")
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        child.expect("CANCEL")
        child.send(TERM)
        assert child.process.wait(30) == 128 + TERM


def test_log_records_held_in_memory_are_flushed_on_the_way_out() -> None:
    script = """
    from logging.handlers import MemoryHandler
    memory = MemoryHandler(1000, flushLevel=1000, target=logging.StreamHandler())
    logging.getLogger("mine").addHandler(memory)
    logging.getLogger("mine").error("kept in memory")
    exit_now(4)
    """
    with running(script) as child:
        assert child.ends(4) == ("", "kept in memory\n")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_burst_of_signals_ends_the_process_cleanly(backend: str) -> None:
    script = """
    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(signals.follow, lambda stage: say(stage.name))
            await anyio.wait_all_tasks_blocked()
            say("ready")
            await anyio.sleep_forever()

    with signals:
        run(main)
    """
    with running(script, backend) as child:
        child.expect("ready")
        for signum in (INT, TERM, INT):
            child.send(signum)
        # Two of one kind that are pending at once are one: whoever wants out goes on pressing.
        while child.process.poll() is None:
            child.send(TERM)
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(0.05)
        rest, errors = child.process.communicate()
        assert child.process.returncode in {128 + INT, 128 + TERM}
        assert errors.startswith("third signal (SIG")
        assert errors.count("\n") == 1
        assert "DRAIN\nCANCEL\n".startswith(rest)


def test_a_forked_child_dies_of_the_signal_as_usual() -> None:
    script = """
    with signals:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(-os.waitstatus_to_exitcode(status), signals.stage.name)
    """
    with running(script) as child:
        child.expect(f"{int(TERM)} NONE")
        child.ends(0)


def test_a_background_job_that_ignores_interrupts_goes_on_ignoring_them() -> None:
    script = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals:
        run(serve)
    """
    with running(script, "trio") as child:
        child.expect("ready")
        child.send(INT)
        child.send(TERM)
        child.expect("DRAIN")
        child.send(TERM)
        child.expect("CANCEL")
        child.ends(0)
