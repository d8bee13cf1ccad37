"""From a worker's options to what calls its function."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from anyworker.errors import DeclarationError
from anyworker.events import Publisher
from anyworker.options import ResolvedWorker
from anyworker.runner.calling.blocking import Blocking, LoopWatch
from anyworker.runner.calling.execution import Executor
from anyworker.runner.calling.packing import Packer
from anyworker.runner.calling.wrapping import Middleware
from anyworker.runner.threads import RunSync
from anyworker.values.resolve import BoundCall, resolve_call
from anyworker.values.signatures import name_of


def call_of(resolved: ResolvedWorker) -> BoundCall:
    """Return how a worker's function is called for a task.

    Raises:
        DeclarationError: Its parameters cannot be filled from a task; all problems are named.
    """
    worker, options = resolved.worker, resolved.options
    return resolve_call(
        worker.execute_function,
        whole_task=worker.takes_task,
        strict=options.strict_schema,
        lax=options.lax,
        namespace=worker.local_types,
    )


def executor_of(
    resolved: ResolvedWorker,
    run_sync: RunSync,
    resources: Mapping[str, Any] = MappingProxyType({}),
    middleware: Sequence[Middleware] = (),
    watch: LoopWatch | None = None,
) -> Executor:
    """Return what calls a worker's function.

    Args:
        resolved: The worker.
        run_sync: Runs plain functions.
        resources: What the process's lifespan yielded.
        middleware: What stands around each call, the outermost first.
        watch: Hears when the function keeps the event loop; by default nobody does.

    Raises:
        DeclarationError: Its parameters cannot be filled from a task, or lack a resource; all are named.
    """
    worker, options = resolved.worker, resolved.options
    call = call_of(resolved)
    try:
        call = call.with_resources(resources)
    except DeclarationError as error:
        owner = name_of(worker.execute_function)
        raise DeclarationError([f"{owner}: {problem}" for problem in error.problems]) from None
    return Executor(
        function=worker.execute_function,
        call=call,
        is_async=worker.is_async,
        timeout=options.timeout,
        restartable=options.restartable,
        run_sync=run_sync,
        packer=Packer(
            worker.task_definition_name,
            run_sync,
            output_warning=_bytes(options.output_warning_kb),
            output_limit=_bytes(options.output_limit_kb),
        ),
        resources=resources,
        log_level=options.forward_logs,
        middleware=middleware,
        blocking=Blocking(name_of(worker.execute_function), watch or LoopWatch(Publisher())),
    )


def _bytes(kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes * 1024
