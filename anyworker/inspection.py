"""What can be told of workers without running them: signatures, options, schemas."""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from anyworker.configuration import Configuration
from anyworker.environment import ALL
from anyworker.errors import ConfigurationError
from anyworker.fleet.declarations import merged
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.serving import resolve_workers
from anyworker.options import ResolvedWorker, resolve
from anyworker.registry import registered_workers
from anyworker.worker import Worker


def load_workers(
    targets: Sequence[str], configuration: Configuration | None = None
) -> tuple[ResolvedWorker, ...]:
    """Import modules or files and return the workers that they register, with their options.

    Args:
        targets: What ``run`` imports.
        configuration: Its settings file, if it has one, is the source of options, too.

    Raises:
        ConfigurationError: A module that cannot be imported, no workers, bad options.
    """
    load_all(targets)
    if not registered_workers():
        reason = f"no workers in {', '.join(targets)}: decorate a function there with @worker_task"
        raise ConfigurationError(reason)
    return resolve_workers((), configuration)


def any_worker(configuration: Configuration) -> ResolvedWorker:
    """Return a worker with the options that hold where nothing is said of one in particular.

    Raises:
        ConfigurationError: What is said for all workers is not accepted.
    """
    worker = Worker(ALL, _nothing)
    return ResolvedWorker(worker, resolve(worker, os.environ, configuration.file))


def _nothing() -> None:
    """Stand in for any function."""


def describe(resolved: ResolvedWorker) -> dict[str, Any]:
    """Return what a worker is: its function, where that stands, and the options with their sources."""
    worker, options = resolved.worker, resolved.options
    values = attrs.asdict(options, filter=lambda field, _: field.name != "sources")
    return {
        "task_type": worker.task_definition_name,
        "kind": "async def" if worker.is_async else "def",
        "signature": f"{worker.origin.qualname}{_signature(worker.execute_function)}",
        "module": worker.origin.module,
        "file": worker.origin.file,
        "line": worker.origin.line,
        "options": values,
        "sources": {
            name: str(source) for name, source in options.sources.items() if source.kind != "default"
        },
    }


def _signature(function: Callable[..., object]) -> inspect.Signature:
    """Return a signature that shows annotations as they are written, those that are text too."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_as_written(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returned = _as_written(signature.return_annotation)
    return signature.replace(parameters=parameters, return_annotation=returned)


def _as_written(annotation: object) -> object:
    return _Written(annotation) if isinstance(annotation, str) else annotation


@attrs.frozen(repr=False)
class _Written:
    text: str

    def __repr__(self) -> str:
        """Return the text without quotes."""
        return self.text


def definitions(workers: Sequence[ResolvedWorker]) -> dict[str, Any]:
    """Return for each task type the schemas and the definition that registration would send."""
    return {
        said.task_type: {"input": said.input_schema, "output": said.output_schema, "taskDef": said.said()}
        for said in merged(workers)
    }
