"""The fleets of a chaos run, and what is done to their processes."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import attrs
from bound_process import launching
from chaos_count import Death, executions
from fleet_rig import descendants, is_alive

END_PATIENCE = 45.0
"""Seconds for a fleet that was told to end: its grace, and what its children may take to obey."""
BEGIN_PATIENCE = 30.0
"""Seconds for a new fleet's first task."""
BUSY_PATIENCE = 5.0
"""Seconds for a child that has a task in hand."""
LOOK_SECONDS = 0.1


@attrs.define(eq=False)
class Fleet:
    """A parent and its children."""

    process: subprocess.Popen[bytes]
    name: str
    begun: int
    """When, in nanoseconds of the monotonic clock."""

    def family(self) -> set[int]:
        """Return the children, and theirs, that are alive."""
        return {pid for pid in descendants(self.process.pid) if is_alive(pid)}


@attrs.define(eq=False)
class Fleets:
    """Keep one fleet at work, and kill, end and replace it.

    Args:
        command: Starts a fleet.
        environment: Its environment.
        directory: Takes the logs.
        journal: The file in which functions say what they do.
        dice: Chooses whom it meets.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    journal: Path
    dice: random.Random
    deaths: list[Death] = attrs.field(factory=list)
    exits: list[int | None] = attrs.field(factory=list)
    """How fleets ended that were told to end; None if they had to be killed."""
    _all: list[Fleet] = attrs.field(factory=list)

    @property
    def current(self) -> Fleet:
        """The one that is to work."""
        return self._all[-1]

    def start(self) -> Fleet:
        """Start a fleet, which is the current one from now on."""
        name = f"fleet-{len(self._all) + 1}"
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                launching(list(self.command)),
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._all.append(Fleet(process, name, time.monotonic_ns()))
        return self.current

    async def until_at_work(self) -> None:
        """Wait until a child of the current fleet has begun a task."""
        with anyio.move_on_after(BEGIN_PATIENCE):
            while not self._workers(self.current):  # noqa: ASYNC110 - a file tells no event
                await anyio.sleep(LOOK_SECONDS)

    def _workers(self, fleet: Fleet, *, busy: bool = False) -> list[int]:
        """Return the processes that have run a task; those that only log or share memory have not.

        Args:
            fleet: Whose.
            busy: Whether they are to have one in hand.
        """
        found = executions(self.journal.read_text())
        seen = {execution.pid for execution in found if not busy or execution.over is None}
        return sorted(fleet.family() & seen)

    async def _victim(self) -> list[int]:
        """Return a child with a task in hand, any that works where none gets one soon, or none."""
        with anyio.move_on_after(BUSY_PATIENCE):
            while not self._workers(self.current, busy=True):  # noqa: ASYNC110 - as above
                await anyio.sleep(LOOK_SECONDS)
        workers = self._workers(self.current, busy=True) or self._workers(self.current)
        return [self.dice.choice(workers)] if workers else []

    def _note(self, kind: str, pids: set[int]) -> None:
        self.deaths.append(Death(kind, frozenset(pids), time.monotonic_ns()))

    async def kill_child(self) -> None:
        """SIGKILL for a child; its parent sees to the rest."""
        victim = await self._victim()
        self._note("kill_child", set(victim))
        _send(victim, signal.SIGKILL)

    async def term_child(self) -> None:
        """SIGTERM for a child; its parent sees to the rest."""
        _send(await self._victim(), signal.SIGTERM)

    async def kill_parent(self) -> None:
        """SIGKILL for the parent alone; a new fleet begins at once."""
        self._note("kill_parent", {self.current.process.pid})
        _send([self.current.process.pid], signal.SIGKILL)
        self.current.process.wait()
        self.start()

    async def term_parent(self) -> None:
        """SIGTERM for the parent; a new fleet begins when it has ended."""
        await self._end(self.current)
        self.start()

    async def roll(self) -> None:
        """Start a new fleet, and end the old one once that works."""
        old = self.current
        self.start()
        await self.until_at_work()
        await self._end(old)

    async def kill_fleet(self) -> None:
        """SIGKILL for the parent and all children in one moment; a new fleet begins at once."""
        await self._victim()
        fleet = self.current
        pids = {fleet.process.pid, *fleet.family()}
        self._note("kill_fleet", pids)
        _send(pids, signal.SIGKILL)
        fleet.process.wait()
        self.start()

    async def close(self) -> int:
        """End the current fleet; kill what is left of all, and return how many processes that were."""
        await self._end(self.current)
        left = {pid for pid in self._own() if is_alive(pid)}
        while remaining := self._own():
            _send(remaining, signal.SIGKILL)
            _reap(remaining)
            await anyio.sleep(LOOK_SECONDS)
        return len(left)

    def _own(self) -> set[int]:
        """Return the processes of all fleets, which have a session each; orphans among them are ours."""
        sessions = {fleet.process.pid for fleet in self._all}
        found = set[int]()
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) in sessions:
                    found.add(pid)
        return found

    async def _end(self, fleet: Fleet) -> None:
        _send([fleet.process.pid], signal.SIGTERM)
        try:
            self.exits.append(await anyio.to_thread.run_sync(fleet.process.wait, END_PATIENCE))
        except subprocess.TimeoutExpired:
            self.exits.append(None)
            _send({fleet.process.pid, *fleet.family()}, signal.SIGKILL)
            fleet.process.wait()


def _reap(pids: set[int]) -> None:
    """Take leave of those that have ended."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _send(pids: set[int] | list[int], signum: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
