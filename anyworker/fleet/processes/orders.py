"""What the process of a fleet and its children say to each other."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from anyworker.fleet.main_module import MainModule
from anyworker.fleet.processes.link import Message
from anyworker.fleet.status import OutboxStatus, WorkerStatus
from anyworker.observe.ledger import News


class Logs(msgspec.Struct, frozen=True):
    """How the parent logs, for its children to do the same."""

    levels: dict[str, int]
    """Of the loggers that have one; the root's name is empty."""
    stream: str | None
    """``stdout`` or ``stderr``, None where the root logger has no handler for either."""
    formatter: bytes = b""
    """Pickled; empty for the usual one."""
    filters: Sequence[bytes] = ()
    """Those of the handler, pickled."""


class Begin(Message, frozen=True):
    """To a child, first: what to import and to run."""

    backend: str
    search_path: list[str]
    """``sys.path``."""
    places: dict[str, str]
    """Files and directories that names of modules mean, whatever the search path says."""
    arguments: list[str]
    """``sys.argv``."""
    targets: list[str]
    """Modules and files to import for the workers that they register."""
    main: MainModule | None
    """The parent's main module, where something that the child needs lives there."""
    payload: bytes
    """The workers and the settings, as :func:`anyworker.fleet.references.pack` made it."""
    logs: Logs
    beat_seconds: float
    is_quiet: bool = False
    """Whether to poll only once it is told to."""


class Quiet(Message, frozen=True):
    """To a child: poll no more."""


class Resume(Message, frozen=True):
    """To a child: poll again."""


class Drain(Message, frozen=True):
    """To a child: poll no more, finish, end."""


class Cancel(Message, frozen=True):
    """To a child: cancel what runs, hand back, end."""


class Refused(Message, frozen=True):
    """From a child: it cannot start, and ends."""

    problems: list[str]


class Serving(Message, frozen=True):
    """From a child: it polls."""


class Beat(Message, frozen=True):
    """From a child, again and again: its event loop turns."""

    workers: tuple[WorkerStatus, ...]
    rss_mb: float
    """Memory that it takes, in MB of 2**20 bytes."""
    outbox: OutboxStatus = OutboxStatus()


class Counted(Message, frozen=True):
    """From a child: what it has counted since it last said so."""

    news: News


Order: TypeAlias = Begin | Quiet | Resume | Drain | Cancel
Report: TypeAlias = Refused | Serving | Beat | Counted

ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
