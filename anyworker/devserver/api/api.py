"""The REST API: a request and the time give an answer, or a poll that the answer waits for.

Pure routing: no I/O, no clock. A carrier (``asgi``, ``transport``) brings requests and waits.
"""

import re
from collections.abc import Callable

from anyworker.devserver.api.bulk import BulkEndpoints
from anyworker.devserver.api.metadata import MetadataEndpoints
from anyworker.devserver.api.reading import ReadingEndpoints
from anyworker.devserver.api.search import SearchEndpoints
from anyworker.devserver.api.synchronous import SynchronousEndpoints
from anyworker.devserver.api.tasks import TaskEndpoints
from anyworker.devserver.api.upkeep import UpkeepEndpoints
from anyworker.devserver.api.workflows import WorkflowEndpoints
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import (
    HTML,
    Answer,
    Call,
    Outcome,
    Request,
    as_json,
    as_text,
    refused,
    segments,
)
from anyworker.devserver.http.routing import Router, WrongMethod
from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.wire import complaints, errors

VERSION = "3.32.3 (anyworker dev server)"
"""The Conductor OSS version that this server is like."""

_Endpoint = Callable[[Call], Outcome]

_UNUSABLE_PATH = re.compile(r'[^!-~]|["<>\\^`{|}\[\]]|%(?![0-9A-Fa-f]{2})|%(?:2[Ff]|5[Cc]|00)')
_PAGE = b"<!DOCTYPE html><html><head><title>Conductor dev server</title></head><body>API: /api</body></html>"


class Api:
    """All endpoints of an engine.

    Args:
        engine: What they act on.
        orkes: For the Orkes flavor, what it adds and whom it lets in.
    """

    def __init__(self, engine: Engine, orkes: Orkes | None = None) -> None:
        self._engine = engine
        self._orkes = orkes
        self._router: Router[_Endpoint] = Router()
        tasks = TaskEndpoints(engine)
        self._add_general()
        self._add_tasks(tasks)
        self._add_queues(tasks)
        self._add_upkeep(UpkeepEndpoints(engine))
        self._add_workflows(WorkflowEndpoints(engine))
        self._add_reading(ReadingEndpoints(engine))
        self._add_searches(SearchEndpoints(engine))
        self._add_bulk(BulkEndpoints(engine))
        self._add_synchronous(SynchronousEndpoints(engine))
        self._add_metadata(MetadataEndpoints(engine.catalog))
        for method, path, endpoint in () if orkes is None else orkes.endpoints():
            self._router.add(method, path, endpoint)

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Method and path template of every endpoint."""
        return self._router.routes

    def handle(self, request: Request, now: int) -> Outcome:
        """Carry out a request.

        Args:
            request: What was asked.
            now: Epoch milliseconds, never less than before.

        Returns:
            The answer, whatever was wrong with the request, or a poll that makes it once it is done.
        """
        self._engine.advance(now)
        if _UNUSABLE_PATH.search(request.path):
            return Answer(400, HTML, errors.UNUSABLE_REQUEST_PAGE)
        method = "GET" if request.method == "HEAD" else request.method
        found = self._router.find(method, segments(request.path))
        try:
            if self._orkes is not None:
                self._orkes.admit(request, now)
            match found:
                case None:
                    raise errors.unknown_path(request.path)
                case WrongMethod() if method == "OPTIONS":
                    return _options(found)
                case WrongMethod():
                    raise complaints.wrong_method(request.method)
                case endpoint, variables:
                    return endpoint(Call(request, now, variables))
        except errors.RequestRefused as error:
            return refused(error)

    def _add_general(self) -> None:
        add = self._router.add
        health = as_json({"healthResults": [], "suppressedHealthResults": [], "healthy": True})
        for prefix in ("", "/api"):
            add("GET", f"{prefix}/health", lambda _: health)
        add("GET", "/api/version", lambda _: as_text(VERSION))
        add("GET", "/", lambda _: Answer(200, b"text/html;charset=UTF-8", _PAGE))

    def _add_tasks(self, tasks: TaskEndpoints) -> None:
        add = self._router.add
        add("POST", "/api/tasks", tasks.update)
        add("POST", "/api/tasks/update-v2", tasks.update_v2)
        add("POST", "/api/tasks/{workflow}/{reference}/{status}", tasks.update_by_reference)
        add("POST", "/api/tasks/{workflow}/{reference}/{status}/sync", tasks.update_by_reference_sync)
        add("GET", "/api/tasks/poll/{type}", tasks.poll)
        add("GET", "/api/tasks/poll/batch/{type}", tasks.poll_batch)
        add("GET", "/api/tasks/{id}", tasks.read)
        add("POST", "/api/tasks/{id}/log", tasks.add_log)
        add("GET", "/api/tasks/{id}/log", tasks.read_log)

    def _add_queues(self, tasks: TaskEndpoints) -> None:
        add = self._router.add
        add("GET", "/api/tasks/queue/size", tasks.queue_size)
        add("GET", "/api/tasks/queue/sizes", tasks.queue_sizes)
        add("GET", "/api/tasks/queue/all", tasks.all_queues)
        add("GET", "/api/tasks/queue/all/verbose", tasks.all_queues_verbose)
        add("GET", "/api/tasks/queue/polldata", tasks.poll_data)
        add("GET", "/api/tasks/queue/polldata/all", tasks.all_poll_data)

    def _add_upkeep(self, upkeep: UpkeepEndpoints) -> None:
        self._router.add("POST", "/api/tasks/queue/requeue/{type}", upkeep.requeue)
        self._router.add("GET", "/api/tasks/externalstoragelocation", upkeep.storage_location)

    def _add_workflows(self, workflows: WorkflowEndpoints) -> None:
        add = self._router.add
        add("POST", "/api/workflow", workflows.start)
        add("POST", "/api/workflow/{name}", workflows.start_named)
        add("GET", "/api/workflow/{id}", workflows.read)
        add("GET", "/api/workflow/{id}/status", workflows.status)
        add("GET", "/api/workflow/{id}/tasks", workflows.tasks)
        add("DELETE", "/api/workflow/{id}", workflows.terminate)
        add("DELETE", "/api/workflow/{id}/remove", workflows.remove)
        add("DELETE", "/api/workflow/{id}/terminate-remove", workflows.terminate_and_remove)
        add("PUT", "/api/workflow/decide/{id}", workflows.decide)
        add("PUT", "/api/workflow/{id}/pause", workflows.pause)
        add("PUT", "/api/workflow/{id}/resume", workflows.resume)
        add("POST", "/api/workflow/{id}/retry", workflows.retry)
        add("POST", "/api/workflow/{id}/restart", workflows.restart)
        add("POST", "/api/workflow/{id}/rerun", workflows.rerun)
        add("PUT", "/api/workflow/{id}/skiptask/{reference}", workflows.skip)
        add("POST", "/api/workflow/{id}/resetcallbacks", workflows.reset_callbacks)

    def _add_searches(self, searches: SearchEndpoints) -> None:
        add = self._router.add
        add("GET", "/api/tasks/search", searches.tasks)
        add("GET", "/api/tasks/search-v2", searches.tasks_v2)
        add("GET", "/api/workflow/search", searches.workflows)
        add("GET", "/api/workflow/search-v2", searches.workflows_v2)
        add("GET", "/api/workflow/search-by-tasks", searches.by_tasks)
        add("GET", "/api/workflow/search-by-tasks-v2", searches.by_tasks_v2)

    def _add_reading(self, reading: ReadingEndpoints) -> None:
        add = self._router.add
        add("GET", "/api/workflow/running/{name}", reading.running)
        add("GET", "/api/workflow/{name}/correlated/{id}", reading.correlated)
        add("POST", "/api/workflow/{name}/correlated", reading.correlated_by_id)

    def _add_bulk(self, bulk: BulkEndpoints) -> None:
        add = self._router.add
        add("PUT", "/api/workflow/bulk/pause", bulk.pause)
        add("PUT", "/api/workflow/bulk/resume", bulk.resume)
        add("POST", "/api/workflow/bulk/restart", bulk.restart)
        add("POST", "/api/workflow/bulk/retry", bulk.retry)
        add("POST", "/api/workflow/bulk/terminate", bulk.terminate)
        add("DELETE", "/api/workflow/bulk/remove", bulk.remove)
        add("DELETE", "/api/workflow/bulk/terminate-remove", bulk.terminate_and_remove)

    def _add_synchronous(self, endpoints: SynchronousEndpoints) -> None:
        add = self._router.add
        add("POST", "/api/workflow/execute/{name}/{version}", endpoints.execute)
        add("POST", "/api/tasks/{workflow}/{status}/signal", endpoints.signal)
        add("POST", "/api/tasks/{workflow}/{status}/signal/sync", endpoints.signal_sync)

    def _add_metadata(self, metadata: MetadataEndpoints) -> None:
        add = self._router.add
        add("POST", "/api/metadata/taskdefs", metadata.register_tasks)
        add("PUT", "/api/metadata/taskdefs", metadata.replace_task)
        add("GET", "/api/metadata/taskdefs", metadata.tasks)
        add("GET", "/api/metadata/taskdefs/{name}", metadata.task)
        add("DELETE", "/api/metadata/taskdefs/{name}", metadata.remove_task)
        add("POST", "/api/metadata/workflow", metadata.add_workflow)
        add("PUT", "/api/metadata/workflow", metadata.put_workflows)
        add("GET", "/api/metadata/workflow", metadata.workflows)
        add("POST", "/api/metadata/workflow/validate", metadata.validate_workflow)
        add("GET", "/api/metadata/workflow/names", metadata.workflow_names)
        add("GET", "/api/metadata/workflow/names-and-versions", metadata.workflow_names_and_versions)
        add("GET", "/api/metadata/workflow/latest-versions", metadata.latest_workflows)
        add("GET", "/api/metadata/workflow/{name}/versions", metadata.workflow_versions)
        add("GET", "/api/metadata/workflow/{name}", metadata.workflow)
        add("DELETE", "/api/metadata/workflow/{name}/{version}", metadata.remove_workflow)


def _options(found: WrongMethod) -> Answer:
    methods = [
        name for method in found.allowed for name in ((method, "HEAD") if method == "GET" else (method,))
    ]
    return Answer(200, allow=",".join((*methods, "OPTIONS")))
