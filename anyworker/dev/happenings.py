"""What happens to a session, and what its workers are at."""

import enum
from typing import TypeAlias

import attrs

from anyworker.conductor.models import Workflow
from anyworker.dev.messages import Report
from anyworker.dev.process import WorkerProcess
from anyworker.fleet.control.signals import Stage


class Phase(enum.Enum):
    """What the process of the workers is at."""

    IMPORTING = "importing"
    SERVING = "serving"
    LEAVING = "leaving"
    """It is to end, and another takes its place."""
    BROKEN = "broken"
    """There is none, until the code changes."""
    STOPPING = "stopping"
    """It is to end for good."""


@attrs.frozen
class Stopped:
    """A signal asks for the end."""

    stage: Stage


@attrs.frozen
class Changed:
    """Code has changed."""

    paths: list[str]


@attrs.frozen
class Said:
    """The process of the workers says something."""

    process: WorkerProcess
    report: Report


@attrs.frozen
class Ended:
    """The process of the workers has ended."""

    process: WorkerProcess
    status: int


@attrs.frozen
class Finished:
    """The workflow that was started has ended."""

    workflow: Workflow


Happening: TypeAlias = Stopped | Changed | Said | Ended | Finished
