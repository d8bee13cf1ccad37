"""What can be told of workers without running them: signatures, options, schemas, what the server has."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from anyworker.conductor.client import ConductorClient
from anyworker.configuration import Configuration
from anyworker.errors import AnyworkerError
from anyworker.events import Publisher
from anyworker.fleet.declarations import declared, merged
from anyworker.fleet.loader import load_all
from anyworker.fleet.serving import resolve_workers
from anyworker.options import ResolvedWorker
from anyworker.runner.registration import Registrar


@attrs.frozen
class Finding:
    """What the server has of one worker."""

    subject: str
    """The task type."""
    is_right: bool
    """Whether its definition can be read, and registered as the code says."""
    report: str


def load_workers(targets: Sequence[str]) -> tuple[ResolvedWorker, ...]:
    """Import modules or files and return the workers that they register, with their options.

    Raises:
        ConfigurationError: A module that cannot be imported, no workers, bad options.
    """
    load_all(targets)
    return resolve_workers(())


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


async def examine(
    workers: Sequence[ResolvedWorker], configuration: Configuration | None = None
) -> list[Finding]:
    """Ask the server about each worker's definition, changing nothing."""
    findings: list[Finding] = []
    async with ConductorClient(configuration) as client:
        registrar = Registrar(client, Publisher(), ())
        for resolved in workers:
            name = resolved.worker.task_definition_name
            try:
                planned = await registrar.plan(declared(resolved))
            except AnyworkerError as error:
                findings.append(Finding(name, is_right=False, report=str(error)))
                continue
            findings.append(_finding(resolved, planned.outcome, sorted(planned.changes)))
    return findings


def _finding(resolved: ResolvedWorker, outcome: str, changes: list[str]) -> Finding:
    name, registers = resolved.worker.task_definition_name, resolved.options.register_task_def
    reports = {
        "created": "the server has no definition of it and uses its defaults",
        "updated": f"the server's definition differs from the code's in {', '.join(changes)}",
        "unchanged": "the server's definition is the code's",
        "kept": "the server has a definition, which the code leaves alone (overwrite_task_def is off)",
    }
    remedy = ""
    if outcome in {"created", "updated"}:
        remedy = (
            "; a start registers it"
            if registers
            else "; register_task_def is off, so that a start changes nothing"
        )
    return Finding(name, is_right=True, report=reports[outcome] + remedy)
