"""The endpoints under ``/api/tasks/queue``."""

from typing import Any

from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Call, Endpoints, as_json, as_text
from anyworker.devserver.queueing.polls import PollData
from anyworker.devserver.wire import complaints, errors
from anyworker.devserver.wire.java import trimmed


class QueueEndpoints:
    """How full queues are, who polls them, and putting them in order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "GET", "/api/tasks/queue/size", self.size
        yield "GET", "/api/tasks/queue/sizes", self.sizes
        yield "GET", "/api/tasks/queue/all", self.all_sizes
        yield "GET", "/api/tasks/queue/all/verbose", self.all_sizes_verbose
        yield "GET", "/api/tasks/queue/polldata", self.poll_data
        yield "GET", "/api/tasks/queue/polldata/all", self.all_poll_data
        yield "POST", "/api/tasks/queue/requeue/{type}", self.requeue

    def size(self, call: Call) -> Answer:
        """Return how many tasks of a type wait."""
        task_type = call.required_text("taskType")
        if call.text("isolationGroupId") or call.text("executionNamespace"):
            return as_json(0)  # queues of their own, which no worker polls
        return as_json(self._engine.queues.size(task_type, call.text("domain") or None))

    def sizes(self, call: Call) -> Answer:
        """Return the same for several types."""
        values = call.values("taskType")
        if values is None:
            raise complaints.missing_queue_names()
        types = values if len(values) > 1 else [trimmed(name) for name in values[0].split(",") if values[0]]
        return as_json({name: self._engine.queues.size(name, None) for name in types})

    def all_sizes(self, _call: Call) -> Answer:
        """Return how many tasks wait in each queue, without those that waiting polls hold."""
        return as_json({name: size - held for name, (size, held) in self._sizes().items()})

    def all_sizes_verbose(self, _call: Call) -> Answer:
        """Return the same, and how many of them waiting polls hold."""
        return as_json(
            {
                name: {"a": {"size": size - held, "uacked": held}}
                for name, (size, held) in self._sizes().items()
            }
        )

    def _sizes(self) -> dict[str, tuple[int, int]]:
        running = sum(workflow.status == "RUNNING" for workflow in self._engine.store.workflows())
        return dict(sorted({"_deciderQueue": (running, 0), **self._engine.queues.sizes()}.items()))

    def poll_data(self, call: Call) -> Answer:
        """Return who polled a task type last."""
        task_type = call.required_text("taskType")
        if not task_type:
            message = "TaskType cannot be null or empty."
            raise errors.invalid([errors.Violation("getPollData.arg0", message, "")])
        return as_json([_shown(data) for data in self._engine.queues.history.data(task_type)])

    def all_poll_data(self, _call: Call) -> Answer:
        """Return who polled last, for every task type."""
        return as_json([_shown(data) for data in self._engine.queues.history.data()])

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


def _shown(data: PollData) -> dict[str, Any]:
    wire: dict[str, Any] = {"queueName": data.task_type}
    if data.domain is not None:
        wire["domain"] = data.domain
    if data.worker_id is not None:
        wire["workerId"] = data.worker_id
    wire["lastPollTime"] = data.at
    return wire
