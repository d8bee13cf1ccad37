"""Search the server for the tasks that it has given to a worker id."""

import logging
from typing import Protocol

from anyworker.conductor.models import Task, TaskStatus
from anyworker.conductor.summaries import TaskIdPage, TaskPage
from anyworker.errors import (
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    ServerError,
)

logger = logging.getLogger(__name__)

PAGE = 100
"""Tasks on a page of a search."""
PAGES = 10
"""Most pages that are looked at."""

_ABSENT = (NotFoundError, MethodNotAllowedError, BadRequestError)
"""How a server answers that has no such search."""


class SearchClient(Protocol):
    """What a search needs of the client."""

    async def search_tasks(self, query: str, *, start: int, size: int) -> TaskPage:
        """Return a page of the tasks that a query finds, whole."""
        ...

    async def search_task_ids(self, query: str, *, start: int, size: int) -> TaskIdPage:
        """Return a page of the ids of the tasks that a query finds."""
        ...

    async def get_task(self, task_id: str) -> Task:
        """Return the task as the server has it."""
        ...


class Search:
    """Find the tasks of one type and domain that a worker id has.

    An index tells whole tasks on SQLite and Elasticsearch and ids on PostgreSQL; it may be late, so what it
    says is a hint that `confirmed` checks. A server without an index finds nothing.

    Args:
        client: The server.
        task_type: Of the tasks.
        domain: Of the tasks, None for those without.
        worker_id: Who has them.
    """

    def __init__(self, client: SearchClient, task_type: str, domain: str | None, worker_id: str) -> None:
        self._client = client
        self._task_type = task_type
        self._domain = domain
        self._worker_id = worker_id
        self._has_whole_tasks = True
        self.is_possible = True
        """Whether the server can be searched, as far as is known."""

    async def candidates(self) -> list[str]:
        """Return the ids of tasks in progress that the worker id may have, as the index knows them.

        Raises:
            ConductorError: The search failed, and another may succeed.
        """
        try:
            if self._has_whole_tasks:
                try:
                    return await self._of_whole_tasks()
                except ServerError:
                    found = await self._of_ids()
                    self._has_whole_tasks = False
                    return found
            return await self._of_ids()
        except _ABSENT as error:
            logger.info("Tasks of %s cannot be searched for here: %s", self._task_type, error)
            self.is_possible = False
            return []

    async def confirmed(self, task_id: str) -> Task | None:
        """Return a task if the worker id has it, None if not.

        Raises:
            ConductorError: The server does not say.
        """
        try:
            task = await self._client.get_task(task_id)
        except NotFoundError:
            return None
        return task if task.status == TaskStatus.IN_PROGRESS and self._is_own(task) else None

    async def _of_whole_tasks(self) -> list[str]:
        found: list[str] = []
        for start in range(0, PAGES * PAGE, PAGE):
            page = await self._client.search_tasks(self._query, start=start, size=PAGE)
            found += [task.task_id for task in page.results if self._is_own(task)]
            if start + PAGE >= page.total_hits:
                return found
        return self._all_that_were_looked_at(found)

    async def _of_ids(self) -> list[str]:
        found: list[str] = []
        for start in range(0, PAGES * PAGE, PAGE):
            page = await self._client.search_task_ids(self._query, start=start, size=PAGE)
            found += [summary.task_id for summary in page.results]
            if start + PAGE >= page.total_hits:
                return found
        return self._all_that_were_looked_at(found)

    @property
    def _query(self) -> str:
        return f"taskType={self._task_type} AND status=IN_PROGRESS"

    def _is_own(self, task: Task) -> bool:
        return task.worker_id == self._worker_id and (task.domain or None) == (self._domain or None)

    def _all_that_were_looked_at(self, found: list[str]) -> list[str]:
        text = "More than %d tasks of %s are in progress; only so many were searched for lost ones"
        logger.info(text, PAGES * PAGE, self._task_type)
        return found
