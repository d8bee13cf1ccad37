"""The REST API: a request and the time give an answer, or a poll or watch that the answer waits for.

Pure routing: no I/O, no clock. A shell brings requests and waits.
"""

import re

from anyworker.devserver.api.bulk import BulkEndpoints
from anyworker.devserver.api.metadata import MetadataEndpoints
from anyworker.devserver.api.queues import QueueEndpoints
from anyworker.devserver.api.reading import ReadingEndpoints
from anyworker.devserver.api.search import SearchEndpoints
from anyworker.devserver.api.synchronous import SynchronousEndpoints
from anyworker.devserver.api.tasks import TaskEndpoints
from anyworker.devserver.api.workflows import WorkflowEndpoints
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import (
    HTML,
    Answer,
    Call,
    Endpoint,
    Endpoints,
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
        self._router: Router[Endpoint] = Router()
        for endpoints in (
            _general(),
            TaskEndpoints(engine).endpoints(),
            QueueEndpoints(engine).endpoints(),
            WorkflowEndpoints(engine).endpoints(),
            ReadingEndpoints(engine).endpoints(),
            SearchEndpoints(engine).endpoints(),
            BulkEndpoints(engine).endpoints(),
            SynchronousEndpoints(engine).endpoints(),
            MetadataEndpoints(engine.catalog).endpoints(),
            () if orkes is None else orkes.endpoints(),
        ):
            for method, path, endpoint in endpoints:
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
            The answer, whatever was wrong with the request, or what it waits for and comes of.
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


def _general() -> Endpoints:
    health = as_json({"healthResults": [], "suppressedHealthResults": [], "healthy": True})
    for prefix in ("", "/api"):
        yield "GET", f"{prefix}/health", lambda _: health
    yield "GET", "/api/version", lambda _: as_text(VERSION)
    yield "GET", "/", lambda _: Answer(200, b"text/html;charset=UTF-8", _PAGE)


def _options(found: WrongMethod) -> Answer:
    methods = [
        name for method in found.allowed for name in ((method, "HEAD") if method == "GET" else (method,))
    ]
    return Answer(200, allow=",".join((*methods, "OPTIONS")))
