"""Options as they come out of code and environment, each with its source.

Pure: the environment and the settings file are arguments. For each option the first of these that is set
counts:

1. ``conductor.worker.<name>.<property>``
2. ``CONDUCTOR_WORKER_<NAME>_<PROPERTY>``
3. ``conductor.worker.all.<property>``
4. ``CONDUCTOR_WORKER_ALL_<PROPERTY>``
5. the settings file, the worker's table, then that of all workers
6. the declaration in code, then the default
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from anyworker.environment import ALL, Environment, environment_tiers, read_environment
from anyworker.errors import ConfigurationError, DuplicateWorkerError
from anyworker.option_table import FIRST_POLL_TIMEOUT, OPTIONS, Option
from anyworker.settings_file import Setting, SettingsFile, dotted
from anyworker.spelling import nearest
from anyworker.worker import Worker


@attrs.frozen
class Source:
    """Where a value comes from."""

    kind: Literal["default", "code", "file", "environment"]
    key: str = ""
    """The environment's key, ``file:key`` of a settings file, or the parameter in code."""

    @property
    def is_outside(self) -> bool:
        """Whether the value comes from outside of the code."""
        return self.kind in {"environment", "file"}

    def __str__(self) -> str:
        """Return the key, or what stands in for one."""
        return self.key if self.is_outside else self.kind


@attrs.frozen(kw_only=True)
class WorkerOptions:
    """The options that a worker runs with; durations in seconds."""

    poll_interval: float
    thread_count: int
    domain: str | None
    worker_id: str | None
    poll_timeout: float | None
    """None adapts, from ``FIRST_POLL_TIMEOUT`` to ``idle_poll_timeout``."""
    idle_poll_timeout: float
    timeout: float | None
    rate_limit: str | None
    """As ``100/s``, ``100/m`` or ``100/h``."""
    lease_extend_enabled: bool
    restartable: bool | None
    """None leaves it to the task's definition."""
    register_task_def: bool
    overwrite_task_def: bool
    strict_schema: bool
    lax: bool
    output_warning_kb: int | None
    output_limit_kb: int | None
    forward_logs: int | None
    """A level of `logging`."""
    paused: bool
    sources: Mapping[str, Source] = attrs.field(hash=False)
    """The source of each of the above, by its name."""


@attrs.frozen
class ResolvedWorker:
    """A worker and the options that it runs with."""

    worker: Worker
    options: WorkerOptions


@attrs.frozen
class Resolution:
    """The workers of a start."""

    workers: tuple[ResolvedWorker, ...]
    warnings: tuple[str, ...]
    """What environment and settings file say in vain, a sentence each."""


def resolve(worker: Worker, environ: Mapping[str, str], file: SettingsFile | None = None) -> WorkerOptions:
    """Return the options that one worker runs with.

    Raises:
        ConfigurationError: Values in the environment are not accepted.
    """
    return resolve_all([worker], environ, file).workers[0].options


def resolve_all(
    workers: Iterable[Worker], environ: Mapping[str, str], file: SettingsFile | None = None
) -> Resolution:
    """Return the options that workers run with together.

    Args:
        workers: The same one given twice counts once.
        environ: The environment; keys of other workers in it are left alone.
        file: The settings file; tables of workers that are not here are warned about.

    Raises:
        ConfigurationError: Values in the environment are not accepted, or name two things at once, or two
            workers end up with one task type and domain. All problems are named.
        DuplicateWorkerError: The last of these, when it is the only problem.
    """
    unique = list(dict.fromkeys(workers))
    names = {worker.task_definition_name for worker in unique}
    environment = read_environment(names, environ)
    tables = {} if file is None else file.workers
    resolved = tuple(ResolvedWorker(worker, _options_of(worker, environment, tables)) for worker in unique)
    duplicates = _duplicates(resolved)
    if len(duplicates) == 1 and not environment.problems:
        raise duplicates[0]
    if duplicates or environment.problems:
        raise ConfigurationError([*environment.problems, *map(str, duplicates)])
    return Resolution(resolved, (*environment.warnings, *_strangers(names, file)))


def _strangers(names: set[str], file: SettingsFile | None) -> Iterator[str]:
    """Yield a warning about each table of a worker that is not here."""
    if file is None:
        return
    for name in sorted(file.workers.keys() - names - {ALL}):
        match = nearest(name.lower(), names)
        hint = f"; did you mean {match!r}?" if match else ""
        yield f"{file.name}: [{dotted(('workers', name))}] is for no worker that is here{hint}"


def _options_of(
    worker: Worker, environment: Environment, tables: Mapping[str, Mapping[str, Setting]]
) -> WorkerOptions:
    fields: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for option in OPTIONS:
        value, sources[option.field] = _value_of(option, worker, environment, tables)
        fields[option.field] = option.resolve(value)
    return WorkerOptions(sources=sources, **fields)


def _value_of(
    option: Option,
    worker: Worker,
    environment: Environment,
    tables: Mapping[str, Mapping[str, Setting]],
) -> tuple[object, Source]:
    for tier in environment_tiers(worker.task_definition_name, option):
        for key in tier:
            if key in environment.values:
                return environment.values[key], Source("environment", key)
    for owner in (worker.task_definition_name, ALL):
        setting = tables.get(owner, {}).get(option.name)
        if setting is not None:
            return setting.value, Source("file", setting.source)
    if option.name in worker.declared:
        return worker.declared[option.name], Source("code", option.name)
    return option.default, Source("default")


def _duplicates(workers: Sequence[ResolvedWorker]) -> list[DuplicateWorkerError]:
    first: dict[tuple[str, str | None], ResolvedWorker] = {}
    errors: list[DuplicateWorkerError] = []
    for resolved in workers:
        key = (resolved.worker.task_definition_name, resolved.options.domain)
        earlier = first.setdefault(key, resolved)
        if earlier is not resolved:
            errors.append(DuplicateWorkerError(*key, _place(earlier), _place(resolved)))
    return errors


def _place(resolved: ResolvedWorker) -> str:
    source = resolved.options.sources["domain"]
    origin = str(resolved.worker.origin)
    return f"{origin} with its domain from {source}" if source.is_outside else origin


def startup_line(
    resolved: ResolvedWorker,
    *,
    pid: int,
    mode: Literal["async", "thread"],
    backend: str,
    max_tasks: int | None = None,
) -> str:
    """Return the one line that a worker's start is logged with: what runs, and who says so.

    Args:
        resolved: The worker.
        pid: The process it runs in.
        mode: Where its function runs: on the event loop, or in threads.
        backend: The event loop, as ``asyncio`` or ``trio``.
        max_tasks: Most tasks of all workers in hand at once, None for any number.
    """
    options = resolved.options
    poll_timeout = options.poll_timeout
    fields = {
        "name": resolved.worker.task_definition_name,
        "pid": str(pid),
        "status": "paused" if options.paused else "active",
        "poll_interval": _millis(options.poll_interval),
        "domain": options.domain,
        "thread_count": str(options.thread_count),
        "poll_timeout": _millis(
            min(FIRST_POLL_TIMEOUT, options.idle_poll_timeout) if poll_timeout is None else poll_timeout
        ),
        "lease_extend": str(options.lease_extend_enabled).lower(),
        "idle_poll_timeout": _millis(options.idle_poll_timeout) if poll_timeout is None else None,
        "rate_limit": options.rate_limit,
        "max_tasks": max_tasks,
        "mode": mode,
        "backend": backend,
        "sources": _outside_sources(options.sources),
    }
    shown = ", ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    return f"Conductor Worker[{shown}]"


def _millis(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _outside_sources(sources: Mapping[str, Source]) -> str | None:
    outside = [f"{name}: {source}" for name, source in sorted(sources.items()) if source.is_outside]
    return f"[{', '.join(outside)}]" if outside else None
