"""From a worker's options to what calls its function."""

from anyworker.options import ResolvedWorker
from anyworker.runner.execution import Executor
from anyworker.runner.threads import RunSync
from anyworker.values.resolve import BoundCall, resolve_call


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
    )


def executor_of(resolved: ResolvedWorker, run_sync: RunSync) -> Executor:
    """Return what calls a worker's function.

    Raises:
        DeclarationError: Its parameters cannot be filled from a task; all problems are named.
    """
    worker, options = resolved.worker, resolved.options
    return Executor(
        function=worker.execute_function,
        call=call_of(resolved),
        is_async=worker.is_async,
        timeout=options.timeout,
        run_sync=run_sync,
    )
