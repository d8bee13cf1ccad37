"""The endpoints that search: tasks, workflows, and workflows by their tasks."""

from collections.abc import Sequence
from typing import Any, TypeVar

from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Call, Endpoints, as_json
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.views import task_view, workflow_view
from anyworker.devserver.searches import task_search, workflow_search
from anyworker.devserver.searches.indexes import Query
from anyworker.devserver.searches.task_search import TASKS
from anyworker.devserver.searches.workflow_search import WORKFLOWS
from anyworker.devserver.wire import errors
from anyworker.devserver.wire.errors import Violation

MOST = 5000
"""Workflows in one answer of a search."""

Row = TypeVar("Row")


class SearchEndpoints:
    """What can be found by query and by free text, sorted and in pages."""

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "GET", "/api/tasks/search", self.tasks
        yield "GET", "/api/tasks/search-v2", self.tasks_v2
        yield "GET", "/api/workflow/search", self.workflows
        yield "GET", "/api/workflow/search-v2", self.workflows_v2
        yield "GET", "/api/workflow/search-by-tasks", self.by_tasks
        yield "GET", "/api/workflow/search-by-tasks-v2", self.by_tasks_v2

    def tasks(self, call: Call) -> Answer:
        """Return summaries of the tasks that fit a query."""
        found, page = self._tasks(call)
        return _results(found, [task_search.summary(task, call.now) for task in page])

    def tasks_v2(self, call: Call) -> Answer:
        """Return the tasks that fit a query, without those that were removed since they were indexed."""
        found, page = self._tasks(call)
        left = [task for task in page if task.task_id in self._store.tasks]
        return _results(found, [task_view(task, call.now) for task in left], len(page) - len(left))

    def _tasks(self, call: Call) -> tuple[list[TaskRecord], list[TaskRecord]]:
        start, size = call.whole("start", 0), call.whole("size", 100)
        found = TASKS.find(self._store.task_index.values(), _query(call))
        return found, _page(found, start, size)

    def workflows(self, call: Call) -> Answer:
        """Return summaries of the workflows that fit a query."""
        found, page = self._workflows(call, "searchWorkflows")
        return _results(found, [workflow_search.summary(workflow) for workflow in page])

    def workflows_v2(self, call: Call) -> Answer:
        """Return the workflows that fit a query, without their tasks and without those that were removed."""
        found, page = self._workflows(call, "searchWorkflowsV2")
        return self._present(call, found, page)

    def _workflows(self, call: Call, method: str) -> tuple[list[WorkflowRecord], list[WorkflowRecord]]:
        start, size = call.whole("start", 0), call.whole("size", 100)
        _check_size(method, size)
        classifier, is_top = call.text("classifier"), call.flag("topLevelOnly", default=False)
        rows = [
            workflow
            for workflow in self._store.workflow_index.values()
            if not (is_top and workflow.parent_id) and classifier in {None, "", "workflow"}
        ]
        found = WORKFLOWS.find(rows, _query(call))
        return found, _page(found, start, size)

    def by_tasks(self, call: Call) -> Answer:
        """Return summaries of the workflows whose tasks fit a query."""
        found, page = self._by_tasks(call)
        return _results(found, [workflow_search.summary(workflow) for workflow in page])

    def by_tasks_v2(self, call: Call) -> Answer:
        """Return the same workflows, without their tasks."""
        found, page = self._by_tasks(call)
        return self._present(call, found, page)

    def _by_tasks(self, call: Call) -> tuple[list[TaskRecord], list[WorkflowRecord]]:
        found, page = self._tasks(call)
        return found, [task.workflow for task in page]

    def _present(self, call: Call, found: Sequence[object], page: list[WorkflowRecord]) -> Answer:
        left = [one for one in page if self._store.find_workflow(one.workflow_id) is not None]
        shown = [workflow_view(workflow, call.now, with_tasks=False) for workflow in left]
        return _results(found, shown, len(page) - len(left))


def _query(call: Call) -> Query:
    return Query(call.text("query") or "", call.text("freeText") or "*", call.text("sort") or "")


def _check_size(method: str, size: int) -> None:
    if size > MOST:
        message = f"Cannot return more than {MOST} workflows. Please use pagination."
        raise errors.invalid([Violation(f"{method}.arg1", message, str(size))])


def _page(found: list[Row], start: int, size: int) -> list[Row]:
    """Return a page; for SQL a negative limit is none, and a negative offset the beginning."""
    first = max(start, 0)
    return found[first:] if size < 0 else found[first : first + size]


def _results(found: Sequence[object], shown: list[dict[str, Any]], missing: int = 0) -> Answer:
    return as_json({"totalHits": len(found) - missing, "results": shown})
