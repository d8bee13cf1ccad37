"""What a process of a fleet does: import what it is told, run its workers, end with its parent.

SIGTERM is a drain, however often it comes; other signals that a terminal or a group sends mean nothing here,
since the parent has them, too, and says over the socket what follows. When that closes the parent is gone:
the process drains by itself, or ends at once while it still imports. SIGQUIT writes the stacks of all threads
for the parent to log.
"""

import contextlib
import faulthandler
import gc
import logging
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import msgspec

from anyworker.errors import ConfigurationError
from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.control.steering import enter, leave, serve
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.fleet.discovery.finder import settle
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.fleet import CANCEL_SECONDS, Fleet
from anyworker.fleet.main_module import as_in_parent, import_main
from anyworker.fleet.processes.link import Link
from anyworker.fleet.processes.logs import follow_logs
from anyworker.fleet.processes.orders import (
    ORDERS,
    Beat,
    Begin,
    Cancel,
    Counted,
    Drain,
    Order,
    Quiet,
    Refused,
    Resume,
    Serving,
)
from anyworker.fleet.processes.parent import ParentWatch
from anyworker.fleet.processes.spawning import given_socket, let_signals_through
from anyworker.fleet.references import unpack
from anyworker.worker import Worker

if TYPE_CHECKING:
    from anyworker.observe.metrics import Remote

logger = logging.getLogger(__name__)

_DEAF = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_LATEST_END = CANCEL_SECONDS + 5.0
"""Seconds beyond the grace after which a process whose parent is gone ends, whatever holds it."""


def main(arguments: Sequence[str]) -> None:
    """Run the process.

    Args:
        arguments: The descriptors of the socket, and of where to write the stacks of all threads on SIGQUIT.
    """
    wire, dump = given_socket(arguments[0]), int(arguments[1])
    os.set_inheritable(dump, False)
    faulthandler.register(signal.SIGQUIT, dump, all_threads=True)
    link = Link(wire, ORDERS)
    with SignalStages(stops=(signal.SIGTERM,), last=Stage.DRAIN) as stages:
        for signum in _DEAF:
            signal.signal(signum, _ignore)
        let_signals_through()
        match link.hear():
            case Begin() as begin:
                pass
            case _:
                return
        _work(link, begin, stages)


def _ignore(*_: object) -> None:
    """Do nothing. Unlike SIG_IGN this is not passed on to programs that a worker starts."""


def _work(link: Link[Order], begin: Begin, stages: SignalStages) -> None:
    watch = ParentWatch(link.wire)
    try:
        with _refusing(link):
            workers, settings = _prepare(begin)
            is_quiet = _is_to_be_quiet(link, begin.is_quiet)
            if is_quiet is None or stages.stage is not Stage.NONE:
                return
            watch.patience = settings["grace"] + _LATEST_END
            counts = _counts(settings)
            begin = msgspec.structs.replace(begin, is_quiet=is_quiet)
            steer = partial(_steer, link, stages, begin, counts)
            backend_options = settings.pop("backend_options")
            status = anyio.run(
                partial(serve, steer, workers, **settings),
                backend=begin.backend,
                backend_options=backend_options,
            )
            counts.tell(link)
    finally:
        link.close()
    leave(status)


def _is_to_be_quiet(link: Link[Order], is_quiet: bool) -> bool | None:
    """Return whether to begin quietly after what the parent has said meanwhile, None for not at all."""
    while link.has_news():
        match link.hear():
            case Quiet():
                is_quiet = True
            case Resume():
                is_quiet = False
            case _:
                return None
    return is_quiet


@contextlib.contextmanager
def _refusing(link: Link[Order]) -> Iterator[None]:
    """Tell the parent why there is no start."""
    try:
        yield
    except ConfigurationError as error:
        link.say(Refused([as_in_parent(problem) for problem in error.problems]))
        sys.exit(EXIT_COULD_NOT_START)


def _prepare(begin: Begin) -> tuple[tuple[Worker, ...], dict[str, Any]]:
    """Import what the workers need and return them, and the settings of ``serving``."""
    sys.path[:] = begin.search_path
    sys.argv[:] = begin.arguments
    with follow_logs(begin.logs):
        settle({name: Path(place) for name, place in begin.places.items()})
        if begin.main is not None:
            import_main(begin.main)
        load_all(begin.targets)
        try:
            workers, settings = unpack(begin.payload)
        except ConfigurationError:
            raise
        except Exception as error:
            logger.exception("What the process was given cannot be restored")
            problem = f"a process cannot restore what it was given: {type(error).__name__}: {error}"
            raise ConfigurationError(problem) from error
    # What is loaded stays for the life of the process: a full collection need not walk through it.
    gc.collect()
    gc.freeze()
    return workers, settings


@attrs.frozen
class _Counts:
    """What the parent is to know of what was counted here."""

    remote: "Remote | None"
    """None where nothing counts."""
    interval: float = math.inf
    """Seconds between two looks at it."""

    def tell(self, link: Link[Order]) -> None:
        if self.remote is not None and (news := self.remote.news()):
            link.say(Counted(news))

    async def keep_telling(self, link: Link[Order]) -> None:
        while self.remote is not None:
            await anyio.sleep(self.interval)
            if link.has_room():
                self.tell(link)


def _counts(settings: dict[str, Any]) -> _Counts:
    """Let the parent's metrics settings mean that it is told what is counted here."""
    given = settings["metrics_settings"]
    if given is None:
        return _Counts(None)
    from anyworker.observe.metrics import Remote  # noqa: PLC0415 - it brings prometheus-client along

    settings["metrics_settings"] = remote = Remote()
    return _Counts(remote, given.update_interval)


async def _steer(
    link: Link[Order], stages: SignalStages, begin: Begin, counts: _Counts, fleet: Fleet
) -> None:
    """Do what the parent says, for as long as the fleet runs; without a parent, drain."""
    if begin.is_quiet:
        fleet.quiet()
    link.say(Serving())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stages.follow, lambda _: fleet.drain())
        tasks.start_soon(_beat, link, begin.beat_seconds, fleet)
        tasks.start_soon(counts.keep_telling, link)
        while True:
            match await link.listen():
                case Quiet():
                    fleet.quiet()
                case Resume():
                    fleet.resume()
                case Drain():
                    enter(fleet, Stage.DRAIN)
                case Cancel():
                    enter(fleet, Stage.CANCEL)
                case None:
                    logger.warning("The parent process is gone: draining")
                    enter(fleet, Stage.DRAIN)
                    return


async def _beat(link: Link[Order], seconds: float, fleet: Fleet) -> None:
    while True:
        status = fleet.status()
        link.mention(Beat(status.workers, _rss_mb(), status.outbox))
        await anyio.sleep(seconds)


def _rss_mb() -> float:
    """Return the memory that this process takes, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB
    except FileNotFoundError:
        return 0.0
