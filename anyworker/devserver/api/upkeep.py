"""Endpoints under ``/api/tasks`` that no worker needs: queues put in order, and where large payloads go."""

from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Call, as_json, as_text
from anyworker.devserver.wire import errors

_OPERATIONS = frozenset({"READ", "WRITE"})
_PAYLOADS = frozenset({"WORKFLOW_INPUT", "WORKFLOW_OUTPUT", "TASK_INPUT", "TASK_OUTPUT"})


class UpkeepEndpoints:
    """Requests about queues and storage as a whole."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def requeue(self, call: Call) -> Answer:
        """Put every task of a type that has not ended into its queue, those in work too."""
        task_type = call.variables[0]
        live = [
            task
            for task in self._engine.store.tasks.values()
            if task.task_type == task_type and not task.is_terminal
        ]
        for task in live:
            left = max(task.callback_after, 0) - (call.now - task.updated) // 1000
            self._engine.queues.push(task, max(left, 0) * 1000, call.now)
        return as_text(str(len(live)))

    def storage_location(self, call: Call) -> Answer:
        """Name a place for a payload; as the server's default storage does, without a way to reach it."""
        path = call.required_text("path")
        operation, payload = call.required_text("operation"), call.required_text("payloadType")
        if operation.upper() not in _OPERATIONS or payload.upper() not in _PAYLOADS:
            problem = f"Invalid input - Operation: {operation}, PayloadType: {payload}"
            raise errors.bad_request(problem)
        return as_json({"path": f"{path}{self._engine.new_id()}.json"})
