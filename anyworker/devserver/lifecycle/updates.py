"""What a worker reports about a task, written into the task."""

from anyworker.devserver.lifecycle.heartbeats import Heartbeats
from anyworker.devserver.lifecycle.launching import Launcher
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.lifecycle.state import State
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.store import LogLine
from anyworker.devserver.wire import complaints, errors, payloads


class Updates:
    """Takes reports; what follows from them is the decider's."""

    def __init__(self, state: State, launcher: Launcher, heartbeats: Heartbeats) -> None:
        self._heartbeats = heartbeats
        self._state = state
        self._launcher = launcher

    def task_of(self, report: Report) -> TaskRecord:
        """Return the task that a report is about.

        Raises:
            RequestRefused: 404, there is none.
        """
        task = self._state.store.tasks.get(report.task_id or "")
        if task is None:
            raise errors.no_such_task(report.task_id or "")
        return task

    def extend_lease(self, task: TaskRecord, now: int) -> None:
        """Let the time for an answer begin anew."""
        if not task.is_terminal:
            task.updated = now
            self._launcher.watch(task, now)

    def take(self, task: TaskRecord, report: Report, workflow: WorkflowRecord, now: int) -> bool:
        """Write a report into its task; tell whether anything came of it.

        Raises:
            RequestRefused: 500: it has no status; or the output is not where it should be, or a line of the
                log has no text, after all else was written.
        """
        if task.is_terminal or workflow.is_terminal:
            self._state.queues.remove(task)
            return False
        if report.status is None:
            raise complaints.missing_status()
        if self._heartbeats.loses(task):
            return False
        task.reason = report.reason
        task.worker_id = report.worker_id
        task.callback_after = report.callback_after
        task.output = report.output
        task.sub_workflow_id = report.sub_workflow_id
        if report.external_output:
            self._take_stored_output(task, report.external_output)
        status = self._measure_output(task, report.status) if report.is_large else report.status
        self._give(task, status, report.callback_after * 1000, now)
        self._keep_logs(task, report)
        if task.workflow.lost_payload is not None:
            raise errors.payload_not_found(task.workflow.lost_payload)
        return True

    def _give(self, task: TaskRecord, status: str, delay: int, now: int) -> None:
        """Give a live task the reported status: in progress means back into the queue, for a worker's."""
        if status != "IN_PROGRESS":
            self._launcher.close(task, status, now)
            return
        task.updated = now
        if task.step.is_system:
            task.become("IN_PROGRESS", now)
            self._launcher.resume(task, delay, now)
        else:
            task.become("SCHEDULED", now)
            self._state.queues.push(task, delay, now)
        self._launcher.watch(task, now)

    def _take_stored_output(self, task: TaskRecord, path: str) -> None:
        found = self._state.store.find_payload(path)
        task.external_output, task.output = path, found or {}
        if found is None:
            task.workflow.lost_payload = path

    def _measure_output(self, task: TaskRecord, status: str) -> str:
        """Move a large output out of the task, or fail a task whose output is over the limit."""
        found = payloads.size(task.output)
        if found > payloads.LIMIT:
            task.reason = payloads.too_large_for_task(found, task.task_id, task.workflow.workflow_id)
            task.output = {}
            return "FAILED_WITH_TERMINAL_ERROR"
        if found > payloads.INLINE_LIMIT:
            task.external_output = f"{self._state.new_id()}.json"
            self._state.store.keep_payload(task.external_output, task.output)
        return status

    def _keep_logs(self, task: TaskRecord, report: Report) -> None:
        lines = [line for line in report.logs if line is not None]
        if len(lines) < len(report.logs):
            raise complaints.null_log_line()
        for text, created in lines:
            if text is None:
                raise complaints.log_without_text()
            self._state.store.log(LogLine(text, task.task_id, created))
