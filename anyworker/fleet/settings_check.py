"""Refuse settings of a fleet that cannot work."""

import importlib.util
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anyio

from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Publisher
from anyworker.fleet.lifespan import check_lifespan
from anyworker.fleet.limits import check_limits
from anyworker.fleet.serving import Problems, resolve_workers
from anyworker.options import ResolvedWorker
from anyworker.outbox_settings import OutboxChoice, OutboxSettings
from anyworker.runner.calling.wrapping import checked_middleware

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
    if not (_is_count(processes) or processes == "per-worker"):
        problems.append(
            f"processes={processes!r}: expected a number of processes, 1 or more, or 'per-worker'"
        )
    for name, value in upkeep.items():
        is_right = _is_count(value) if name in _COUNTS else _is_positive(value)
        may_be_none = name not in _NEVER_NONE
        if not (is_right or (value is None and may_be_none)):
            expected = _COUNTS.get(name, "number above 0") + (", or None" if may_be_none else "")
            problems.append(f"{name}={value!r}: expected a {expected}")
        elif value is not None and processes == 1 and name in _RECYCLING and not is_supervised:
            problems.append(
                f"{name}={value!r}: has no effect with processes=1; use 2 or more, or 'per-worker'"
            )
    _refuse(problems)


def checked(
    workers: Sequence[object] | None,
    *,
    configuration: Configuration | None,
    event_listeners: Iterable[object],
    grace: float,
    update_retry_delays: Sequence[float],
    lifespan: object,
    middleware: Iterable[object],
    outbox: OutboxChoice,
    max_tasks: int | None,
    **_: object,
) -> tuple[ResolvedWorker, ...]:
    """Return workers with their options, having looked at all settings of ``serving``.

    Args:
        workers: As for ``run``, like the settings; None where they could not be imported.

    Raises:
        ConfigurationError: Names all that cannot work.
    """
    resolved: tuple[ResolvedWorker, ...] = ()
    with Problems() as problems:
        with problems.of_one_part():
            configuration = configuration or Configuration()
        with problems.of_one_part():
            check_limits(grace, update_retry_delays, max_tasks)
        with problems.of_one_part():
            Publisher(event_listeners)
        with problems.of_one_part():
            check_lifespan(lifespan)
        with problems.of_one_part():
            checked_middleware(middleware)
        with problems.of_one_part():
            OutboxSettings.of(outbox, os.environ, configuration)
        with problems.of_one_part():
            resolved = () if workers is None else resolve_workers(workers, configuration)
    return resolved


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


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
