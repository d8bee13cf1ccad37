"""How a trace calls things: ids are for machines."""

from wire import Exchange

from anyworker.devserver.engine import Engine


class Names:
    """Name what is on a server.

    Args:
        engine: The server's.
    """

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store

    def task(self, task_id: str) -> str:
        """Return workflow, reference and attempt of a task."""
        record = self._store.tasks.get(task_id)
        if record is None:
            return task_id
        return f"{self.flow(record.workflow.workflow_id)}.{record.reference}.{record.attempt}"

    def flow(self, workflow_id: str) -> str:
        """Return the number of a workflow."""
        workflow = self._store.find_workflow(workflow_id)
        return "?" if workflow is None else f"w{workflow.input.get('flow')}"

    def exchange(self, exchange: Exchange) -> str:
        """Return what a request is about."""
        if exchange.what == "poll":
            params = exchange.params
            return f"poll {exchange.task_type} count={params.get('count')} timeout={params.get('timeout')}"
        if exchange.task_id is None:
            return exchange.label
        detail = exchange.body["status"] if exchange.what == "update" else ""
        return f"{exchange.what} {self.task(exchange.task_id)} {detail}".rstrip()
