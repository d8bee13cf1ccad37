"""The parent's side of a child process: what it says, whether it lives, how it ended."""

import logging
import math
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Self

import anyio
import anyio.to_thread

from anyworker.fleet.processes.exits import describe_status
from anyworker.fleet.processes.link import Link, Message
from anyworker.fleet.processes.orders import REPORTS, Beat, Begin, Counted, Refused, Report, Serving
from anyworker.fleet.processes.spawning import spawn
from anyworker.observe.ledger import News

logger = logging.getLogger(__name__)

_LAST_WORDS_SECONDS = 1.0
"""How long an ended process's socket is listened to: something that it forked may hold it."""
_DUMP_SECONDS = 1.0
"""How long a wedged process may write the stacks of its threads."""
_READING_SECONDS = 0.05
_LATENESS_SECONDS = 2.0
_CHUNK = 65536


class ChildProcess:
    """One process of a fleet, from its start to its end.

    Args:
        name: What messages call it.
        changed: Called whenever one of the attributes has changed.
        counted: Called with what it says that it has counted.
    """

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        link: Link[Report],
        dump: int,
        changed: Callable[[], object],
        *,
        counted: Callable[[News], object],
    ) -> None:
        self.name = name
        self._process = process
        self._link = link
        self._dump = dump
        self._changed = changed
        self._counted = counted
        self._serves = anyio.Event()
        self._heard = anyio.Event()
        self._last_beat = math.nan
        self._was_killed_here = False
        self.serving_since = math.nan
        """Loop time, NaN as long as it does not serve."""
        self._unsaid: list[Message] | None = []
        self.beat = Beat((), 0.0)
        """What it said last of its workers."""
        self.problems: list[str] = []
        """Why it could not start."""
        self.status: int | None = None
        """Its exit status once it has ended, -n where signal n killed it."""
        self.ended_at = math.nan
        """Loop time of its end."""
        self.silence = 0.0
        """Seconds without a sign of life for which it was killed, 0 where it was not."""
        self.is_retiring = False
        """Whether it was told to end."""
        self.was_dismissed = False
        """Whether it was ended before it had any task."""

    @classmethod
    def start(cls, name: str, changed: Callable[[], object], counted: Callable[[News], object]) -> Self:
        """Start a process, which waits for its orders."""
        dump, theirs = os.pipe()
        try:
            process, wire = spawn(
                "anyworker.fleet.processes.child",
                [str(theirs)],
                descriptors=[theirs],
                stdin=subprocess.DEVNULL,
            )
        except BaseException:
            os.close(dump)
            raise
        finally:
            os.close(theirs)
        return cls(name, process, Link(wire, REPORTS), dump, changed, counted=counted)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def is_serving(self) -> bool:
        """Whether it has begun to poll."""
        return self._serves.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether it is no more."""
        return self.status is not None

    @property
    def served(self) -> float:
        """Seconds from its first poll to its end."""
        return self.ended_at - self.serving_since if self.is_serving else 0.0

    def say(self, message: Message) -> None:
        """Tell it something, behind what it is to run; one that has ended does not hear it."""
        if self._unsaid is not None:
            self._unsaid.append(message)
        else:
            self._link.say(message)

    @property
    def ending(self) -> str:
        """How it ended, as the predicate of a sentence."""
        assert self.status is not None  # noqa: S101 - it has ended
        if self._was_killed_here and self.status == -signal.SIGKILL:
            return "was killed by its parent"
        return describe_status(self.status)

    def kill(self) -> None:
        """End it at once."""
        if not self.has_ended:
            self._was_killed_here = True
            self._process.kill()

    def dismiss(self) -> None:
        """End it at once if it has no task yet: an import cannot be asked to stop."""
        if not self.is_serving:
            self.was_dismissed = True
            self.kill()

    async def follow(self, begin: Begin, watchdog: float | None) -> None:
        """Give it its orders, listen to it, and wait for its end.

        Args:
            begin: What to run.
            watchdog: Seconds without a beat after which it is replaced.
        """
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, begin)
                if watchdog is not None:
                    tasks.start_soon(self._watch, watchdog)
                status = await anyio.to_thread.run_sync(
                    self._process.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
                tasks.cancel_scope.deadline = anyio.current_time() + _LAST_WORDS_SECONDS
                await self._heard.wait()
                tasks.cancel_scope.cancel()
            self.ended_at = anyio.current_time()
            self.status = status
        finally:
            self.close()
        self._changed()

    def close(self) -> None:
        """Leave nothing of it behind."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._link.close()
        if self._dump >= 0:
            os.close(self._dump)
            self._dump = -1

    async def _listen(self, begin: Begin) -> None:
        # A payload may be larger than what the socket holds, and the process is not there yet to read it.
        await anyio.to_thread.run_sync(self._link.say, begin)
        while self._unsaid:
            await anyio.to_thread.run_sync(self._link.say, self._unsaid.pop(0))
        self._unsaid = None
        while (report := await self._link.listen()) is not None:
            self._hear(report)
            self._changed()
        self._heard.set()

    def _hear(self, report: Report) -> None:
        self._last_beat = anyio.current_time()
        match report:
            case Refused(problems):
                self.problems = problems
            case Serving():
                self.serving_since = self._last_beat
                self._serves.set()
            case Beat():
                self.beat = report
            case Counted(news):
                self._counted(news)

    async def _watch(self, seconds: float) -> None:
        """Kill it when it has not said anything for so long although it serves."""
        await self._serves.wait()
        silent = 0.0
        while silent < seconds:
            due = self._last_beat + seconds
            await anyio.sleep_until(due)
            # This loop may be late itself, or all processes were stopped: what they say comes first.
            late = anyio.current_time() - due
            await anyio.sleep(_READING_SECONDS + min(late, _LATENESS_SECONDS))
            silent = anyio.current_time() - self._last_beat
        if self.is_retiring:
            return  # its last moments have a limit of their own
        self.silence = silent
        stacks = await self.stacks()
        logger.error(
            "%s (pid %d) has given no sign of life for %.1f s: its event loop is blocked, by code that "
            "should run in a thread or await. It is killed. Its stacks:\n%s",
            *(self.name, self.pid, silent, stacks),
        )
        self.kill()

    async def stacks(self) -> str:
        """Return what all its threads are doing."""
        self._process.send_signal(signal.SIGQUIT)
        text = b""
        with anyio.move_on_after(_DUMP_SECONDS):
            while True:
                await anyio.wait_readable(self._dump)
                chunk = os.read(self._dump, _CHUNK)
                if not chunk:
                    break
                text += chunk
        return text.decode(errors="replace") or "(it does not answer)"
