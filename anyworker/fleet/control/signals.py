"""Turn the signals that stop a process into stages: drain, then cancel, then exit at once; or hush it.

The handlers are plain ``signal.signal`` handlers in the main thread. They work before there is an event loop
and while user code blocks it, where the receivers of an event loop hear nothing. One call of a handler counts
as one signal: the interpreter merges those of one kind that arrive while a single C call runs.
"""

import _thread  # a lock that may be taken under a signal handler
import contextlib
import enum
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Self, TypeAlias

import anyio
import attrs

from anyworker.fleet.control.leaving import exit_for_third
from anyworker.fleet.control.waking import in_main_thread, woken_by_signals

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_QUIET, _RESUME = "SIGUSR1", "SIGUSR2"
_WHISPERS = tuple(signal.Signals[name] for name in (_QUIET, _RESUME) if name in signal.Signals.__members__)
"""Not where there are none, as on Windows."""

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int


class Stage(enum.IntEnum):
    """How urgently the process was asked to stop; a third signal ends it before any stage is seen."""

    NONE = 0
    DRAIN = 1
    CANCEL = 2


@attrs.define(eq=False)
class SignalStages:
    """Own the signals that stop inside the ``with`` block; the handlers from before come back after it.

    The first of them sets ``Stage.DRAIN``, the second ``Stage.CANCEL``, the third leaves the process
    from the handler itself with status 128 + its number. A signal that is ignored on entry (``nohup``, a
    background job of a shell) stays ignored, and one whose handler was not installed from Python stays as it
    is, because it could not be put back. Outside of the main thread nothing is installed, with a warning.

    SIGUSR1 asks for quiet and SIGUSR2 takes it back; these have no default but to kill, so they are taken
    whatever was there before. Of several such blocks in a process, in whatever order they are left, each
    hears every signal.

    Args:
        stops: The signals that stop: by default SIGINT and SIGTERM.
        last: The stage that no further signal goes beyond; by default the third signal ends the process.
        farewell: Called before the third signal ends the process; takes no lock and is quick.
        is_quiet: Whether SIGUSR1 has come before.
    """

    stops: Sequence[signal.Signals] = STOP_SIGNALS
    last: Stage | None = None
    farewell: Callable[[], object] | None = None
    is_quiet: bool = False
    """Whether the last word was SIGUSR1."""
    is_awaited: bool = attrs.field(default=False, init=False)
    """Whether the main thread waits for the end of what the signals stop."""

    _arrived: list[int] = attrs.field(factory=list, init=False)
    """Every signal so far. Appending is atomic, so that a handler that interrupts another loses nothing."""
    _whispers: int = attrs.field(default=0, init=False)
    _previous: dict[int, _Handler] = attrs.field(factory=dict, init=False)
    _wires: tuple[socket.socket, socket.socket] | None = attrs.field(default=None, init=False)
    """Where handlers write and ``follow`` reads, None while nothing is installed."""
    _process: int = attrs.field(factory=os.getpid, init=False)
    _leaving: _thread.LockType = attrs.field(factory=_thread.allocate_lock, init=False)
    """Taken by the call of the handler that ends the process."""
    _is_importing: bool = attrs.field(default=False, init=False)
    _exit_status: int | None = attrs.field(default=None, init=False)
    """How what the signals stop has ended, None as long as it has not."""

    def __enter__(self) -> Self:
        if not in_main_thread():
            logger.warning("not in the main thread: SIGINT and SIGTERM will not drain the workers")
            return self
        self._wires = socket.socketpair()
        for wire in self._wires:
            wire.setblocking(False)
        for signum in self.stops:
            if signal.getsignal(signum) != signal.SIG_IGN:
                self._take(signum, self._on_signal)
        for signum in _WHISPERS:
            self._take(signum, self._on_whisper)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        wires, self._wires = self._wires, None
        if in_main_thread():  # elsewhere handlers cannot be put back: the first signal does it
            for signum, previous in self._previous.items():
                self._put_back(signum, previous)
            self._previous.clear()
        for wire in wires or ():
            wire.close()

    @property
    def is_installed(self) -> bool:
        """Whether signals reach this object."""
        return self._wires is not None and bool(self._previous)

    @property
    def stage(self) -> Stage:
        """The stage as of now, readable from every thread, with or without an event loop."""
        return Stage(min(len(self._arrived), Stage.CANCEL))

    @property
    def signum(self) -> signal.Signals | None:
        """The first signal that arrived, None as long as there is none."""
        return signal.Signals(self._arrived[0]) if self._arrived else None

    @property
    def forced_status(self) -> int | None:
        """The exit status that tells of a second signal, None as long as there is none."""
        return 128 + self._arrived[1] if len(self._arrived) >= Stage.CANCEL else None

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Let the second signal break off the block, which imports user modules and has no task in hand.

        The second signal raises ``KeyboardInterrupt`` inside the block, which leaves it as ``SystemExit``. A
        module that installs a signal handler of its own loses it, with a warning.

        Raises:
            SystemExit: The second signal arrived in the block or before it; the code is 128 + its number.
        """
        try:
            self._is_importing = True
            try:
                if self.stage < Stage.CANCEL:
                    yield
            finally:
                self._is_importing = False
        except KeyboardInterrupt:
            if self.stage < Stage.CANCEL:
                raise
        if self.forced_status is not None:
            raise SystemExit(self.forced_status)
        self._take_back()

    def release(self, exit_status: int) -> None:
        """Say that what the signals stop has ended: from now on they are the program's again.

        A main thread that waits for something else gets the first signal now, as it would have had it
        without this object; where that would kill the process it is ``SystemExit`` with this status. From
        any thread.
        """
        self._exit_status = exit_status
        if self.signum is None:
            return
        top, main = _owner(signal.getsignal(self.signum)), threading.main_thread().ident
        if top is not None and main is not None and top._is_released(self.signum):  # noqa: SLF001 - of this class
            signal.pthread_kill(main, self.signum)

    async def follow(self, enter: Callable[[Stage], object], hush: Callable[[bool], object] = bool) -> None:
        """Call ``enter`` in the event loop once for every stage, in order, until the last; then return.

        Stages reached before the call come first. Without installed handlers it waits until it is cancelled.
        One call at a time.

        Args:
            enter: Gets ``Stage.DRAIN``, then ``Stage.CANCEL``.
            hush: Gets whether to be quiet, whenever that has been said before the first stage.
        """
        if self._wires is None:
            await anyio.sleep_forever()
            return
        entered, heard = Stage.NONE, -1 if self.is_quiet else 0
        with woken_by_signals(self._wires[1]) if in_main_thread() else contextlib.nullcontext():
            while True:
                while entered < self.stage:
                    entered = Stage(entered + 1)
                    enter(entered)
                if entered == (self.last or Stage.CANCEL):
                    return
                if self._whispers > heard and entered is Stage.NONE:
                    heard = self._whispers
                    hush(self.is_quiet)
                await anyio.wait_readable(self._wires[0])
                with contextlib.suppress(BlockingIOError):
                    self._wires[0].recv(4096)

    def _take(self, signum: signal.Signals, handler: Callable[[int, FrameType | None], object]) -> None:
        previous = signal.getsignal(signum)
        if previous is not None:
            self._previous[signum] = previous
            signal.signal(signum, handler)

    def _put_back(self, signum: int, previous: _Handler) -> None:
        """Leave no trace, also where a later one has been put on top and stays."""
        top = _owner(signal.getsignal(signum))
        for above in top._from_here_down(signum) if top is not None else ():  # noqa: SLF001 - of this class
            if _owner(above._previous.get(signum)) is self:  # noqa: SLF001
                above._previous[signum] = previous  # noqa: SLF001
                return
        signal.signal(signum, previous)

    def _pass_on(self, signum: int, frame: FrameType | None) -> None:
        """Let the one below hear it, too."""
        below = self._previous.get(signum)
        if _owner(below) is not None and callable(below):
            below(signum, frame)

    def _is_for_another(self, signum: int) -> bool:
        """Return whether the process, a forked child or after the end, reacts as before instead."""
        if os.getpid() == self._process and self._wires is not None:
            return False
        signal.signal(signum, self._previous[signum])
        signal.raise_signal(signum)
        return True

    def _on_whisper(self, signum: int, frame: FrameType | None) -> None:
        if not self._is_for_another(signum):
            self._pass_on(signum, frame)
            self.is_quiet = signal.Signals(signum).name == _QUIET
            self._whispers += 1
            self._wake()

    def _wake(self) -> None:
        if self._wires is not None:
            with contextlib.suppress(BlockingIOError):
                self._wires[1].send(b"\0")

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._is_for_another(signum):
            return
        if _owner(signal.getsignal(signum)) is self and self._is_released(signum):
            self._let_go(signum)
            return
        self._pass_on(signum, frame)
        if self._exit_status is not None or (self.last is not None and len(self._arrived) >= self.last):
            return
        self._arrived.append(signum)
        if len(self._arrived) > Stage.CANCEL:
            self._leave_at_once(signum)
            return
        self._wake()
        if self._is_importing and self.stage is Stage.CANCEL:
            raise KeyboardInterrupt

    def _leave_at_once(self, signum: int) -> None:
        if not self._leaving.acquire(blocking=False):
            return  # an earlier call of the handler, which this one interrupts, is leaving already
        try:
            if self.farewell is not None:
                self.farewell()
        finally:
            exit_for_third(signal.Signals(signum))

    def _from_here_down(self, signum: int) -> "list[SignalStages]":
        """Return this one and those below it, whose handlers it has put aside."""
        below = _owner(self._previous.get(signum))
        return [self] if below is None else [self, *below._from_here_down(signum)]  # noqa: SLF001 - of this class

    def _is_released(self, signum: int) -> bool:
        return all(stages._exit_status is not None for stages in self._from_here_down(signum))  # noqa: SLF001

    def _let_go(self, signum: int) -> None:
        """Have the program react as it would have done without any of these."""
        every = self._from_here_down(signum)
        if any(stages.is_awaited for stages in every):
            return
        previous = every[-1]._previous[signum]  # noqa: SLF001 - of this class
        signal.signal(signum, previous)
        if previous == signal.SIG_DFL:
            raise SystemExit(max(stages._exit_status or 0 for stages in every))  # noqa: SLF001
        signal.raise_signal(signum)

    def _take_back(self) -> None:
        for signum in self._previous:
            handler = self._on_whisper if signum in _WHISPERS else self._on_signal
            if signal.signal(signum, handler) != handler:
                logger.warning(
                    "an imported module handled %s itself; the workers' handler replaces it",
                    signal.Signals(signum).name,
                )


def _owner(handler: object) -> SignalStages | None:
    """Return whose handler it is, None for one that is not from here."""
    owner = getattr(handler, "__self__", None)
    return owner if isinstance(owner, SignalStages) else None
