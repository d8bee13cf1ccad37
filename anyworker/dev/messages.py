"""What the command and the process of its workers say to each other."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from anyworker.fleet.processes.link import Message


class Import(Message, frozen=True):
    """To the workers, first: import these."""

    targets: list[str]
    lifespan: str | None = None
    middleware: Sequence[str] = ()


class Serve(Message, frozen=True):
    """To the workers, once they are known: begin."""

    url: str
    grace: float


class Drain(Message, frozen=True):
    """To the workers: poll no more; what still runs after the grace is cancelled."""

    grace: float | None = None
    """Seconds; None for what :class:`Serve` said."""


class Cancel(Message, frozen=True):
    """To the workers: cancel what runs."""


class Sources(msgspec.Struct, frozen=True):
    """Where code comes from."""

    files: frozenset[str] = frozenset()
    """Modules that belong to no package."""
    packages: frozenset[str] = frozenset()
    """Directories of packages."""

    def __or__(self, other: "Sources") -> "Sources":
        """Return all of both."""
        return Sources(self.files | other.files, self.packages | other.packages)


class Card(msgspec.Struct, frozen=True):
    """What a workflow for one worker needs to know about it."""

    task_type: str
    origin: str
    """Where the function stands, for people."""
    inputs: list[str] = []
    """Names of the input that it takes."""
    defaults: dict[str, Any] = {}
    """Values of those that may be left out."""
    example: dict[str, Any] = {}
    """An input to begin with."""
    task_def: dict[str, Any] | None = None
    """The task definition that its declaration brings."""
    domain: str | None = None
    registers: bool = False
    """Whether the worker registers its task definition itself."""


class Declared(Message, frozen=True):
    """From the workers: the code is imported, and this is what it declares."""

    workers: list[Card]
    sources: Sources


class Refused(Message, frozen=True):
    """From the workers: they cannot work, and their process ends."""

    problems: list[str]
    sources: Sources | None = None


class Serving(Message, frozen=True):
    """From the workers: they poll."""

    worker_ids: list[str]


class Draining(Message, frozen=True):
    """From the workers: they poll no more."""


Order: TypeAlias = Import | Serve | Drain | Cancel
Report: TypeAlias = Declared | Refused | Serving | Draining

ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
