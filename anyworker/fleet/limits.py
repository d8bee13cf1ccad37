"""Refuse limits of a fleet that cannot work."""

import math
from collections.abc import Sequence

from anyworker.errors import ConfigurationError


def check_limits(grace: float, delays: Sequence[float], max_tasks: int | None) -> None:
    """Refuse times, and a number of tasks, that cannot work.

    Raises:
        ConfigurationError: Names the bad values.
    """
    named = [("grace", grace), *(("update_retry_delays", delay) for delay in delays)]
    problems = [
        f"{name}: {value!r} is not a number of seconds, 0 or more"
        for name, value in named
        if not _is_duration(value)
    ]
    if max_tasks is not None and not is_count(max_tasks):
        problems.append(f"max_tasks={max_tasks!r}: expected a whole number, 1 or more, or None")
    if problems:
        raise ConfigurationError(problems)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def is_count(value: object) -> bool:
    """Return whether a value is a whole number, 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
