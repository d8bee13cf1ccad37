"""From a worker's options to what calls its function."""

from anyworker.options import ResolvedWorker
from anyworker.runner.execution import Executor
from anyworker.runner.threads import RunSync
from anyworker.values.resolve import resolve_call


def executor_of(resolved: ResolvedWorker, run_sync: RunSync) -> Executor:
    """Return what calls a worker's function.

    Raises:
        DeclarationError: Its parameters cannot be filled from a task; all problems are named.
    """
    worker, options = resolved.worker, resolved.options
    call = resolve_call(worker.execute_function, whole_task=worker.takes_task, strict=options.strict_schema)
    return Executor(
        function=worker.execute_function,
        call=call,
        is_async=worker.is_async,
        timeout=options.timeout,
        run_sync=run_sync,
    )
