"""Refuse settings of a fleet that cannot work."""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from anyworker.errors import ConfigurationError
from anyworker.fleet.limits import is_count

_COUNTS = {
    "restart_max_attempts": "whole number, 1 or more",
    "max_tasks_per_process": "whole number, 1 or more",
}
_RECYCLING = {"max_tasks_per_process", "max_rss_mb"}
_NEVER_NONE = {"monitor_interval_seconds", "restart_backoff_seconds", "restart_backoff_max_seconds"}


def check_backend(backend: str, backend_options: Mapping[str, Any]) -> None:
    """Refuse an event loop that is not there.

    Raises:
        ConfigurationError: Says what to do.
    """
    _refuse(_backend_problems(backend, backend_options))


def check_settings(
    backend: str,
    backend_options: Mapping[str, Any],
    processes: object,
    upkeep: Mapping[str, object],
    *,
    is_supervised: bool = False,
) -> None:
    """Refuse what no fleet can be run with.

    Args:
        backend: The event loop.
        backend_options: Its options.
        processes: How many.
        upkeep: What is to be numbers, by the names that the user knows.
        is_supervised: Whether even a single process has a parent.

    Raises:
        ConfigurationError: Names every bad value.
    """
    problems = _backend_problems(backend, backend_options)
    if not (is_count(processes) or processes == "per-worker"):
        problems.append(
            f"processes={processes!r}: expected a number of processes, 1 or more, or 'per-worker'"
        )
    for name, value in upkeep.items():
        is_right = is_count(value) if name in _COUNTS else _is_positive(value)
        may_be_none = name not in _NEVER_NONE
        if not (is_right or (value is None and may_be_none)):
            expected = _COUNTS.get(name, "number above 0") + (", or None" if may_be_none else "")
            problems.append(f"{name}={value!r}: expected a {expected}")
        elif value is not None and processes == 1 and name in _RECYCLING and not is_supervised:
            problems.append(
                f"{name}={value!r}: has no effect with processes=1; use 2 or more, or 'per-worker'"
            )
    _refuse(problems)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _backend_problems(backend: str, backend_options: Mapping[str, Any]) -> list[str]:
    problems = []
    if backend not in anyio.get_all_backends():
        remedy = ", with backend_options={'use_uvloop': True}" if backend == "uvloop" else ""
        problems.append(f"backend={backend!r}: expected 'asyncio' or 'trio'{remedy}")
    if backend_options.get("use_uvloop") and importlib.util.find_spec("uvloop") is None:
        problems.append("backend_options: uvloop is not installed; pip install 'anyworker[uvloop]'")
    return problems


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError(problems)
