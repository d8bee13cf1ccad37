"""The settings of one run of ``anyworker dev``."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from anyworker.dev.definitions import Definitions
from anyworker.dev.messages import Import

EXIT_ENDED_BADLY = 1
"""Exit status: the workflow that was waited for did not complete."""


@attrs.frozen(kw_only=True)
class Settings:
    """What the command was told."""

    targets: tuple[str, ...]
    """Modules and files with workers."""
    lifespan: str | None = None
    """Where it is to be imported from."""
    middleware: tuple[str, ...] = ()
    """Where each is to be imported from."""
    backend: str = "asyncio"
    """The workers' event loop: ``asyncio``, ``uvloop`` or ``trio``."""
    grace: float = 25.0
    """Seconds that tasks in hand may take to finish at the end."""
    level: str = "INFO"
    """Of anyworker's own log."""
    port: int = 8080
    """0 for a free one."""
    waiting: Literal["first", "fill"] = "fill"
    is_orkes: bool = False
    has_admin: bool = False
    """Whether there is the route by which things go wrong on demand."""
    has_reload: bool = True
    definitions: Definitions | None = None
    """From files; None has a workflow made for each worker."""
    start: str | None = None
    """Name of a workflow to start."""
    input: Mapping[str, Any] = attrs.field(factory=dict)
    is_once: bool = False
    """End when the started workflow has ended."""

    @property
    def wanted(self) -> Import:
        """What the process of the workers is to import."""
        return Import(list(self.targets), self.lifespan, self.middleware)
