"""One method per endpoint: tasks here, definitions and workflows in `workflows`."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import attrs
import msgspec

from anyworker.conductor import replay
from anyworker.conductor.answers import answer_error, is_markup, not_json_error
from anyworker.conductor.auth import Authentication
from anyworker.conductor.calls import Calls, segment
from anyworker.conductor.decoding import (
    DECODING_FAILURES,
    TASK,
    TASKS,
    ModelDecoder,
    salvaged_task,
    salvaged_tasks,
)
from anyworker.conductor.encoding import encode
from anyworker.conductor.exchange import Exchange, Traffic
from anyworker.conductor.greeting import Greeting, greeting
from anyworker.conductor.models import PollData, Task, TaskExecLog, TaskResult
from anyworker.conductor.summaries import TaskIdPage, TaskPage
from anyworker.conductor.tokens import token_fetcher
from anyworker.conductor.wire import TEXT, Wire, api_url, header_lines, open_exchange, timeouts
from anyworker.conductor.workflows import WorkflowCalls
from anyworker.configuration import Configuration
from anyworker.events import Publisher

POLL_MARGIN = 10.0
"""Seconds beyond the server's own wait after which an answer to a poll no longer counts: the tasks that a
late one brings would be lost."""
CLOSE_TIMEOUT = 5.0
"""Seconds that closing connections may take, also when cancelled."""

_ONE_TASK = ModelDecoder(Task)
_LOG_LINES = ModelDecoder(list[TaskExecLog])
_TASK_PAGE = ModelDecoder(TaskPage)
_TASK_ID_PAGE = ModelDecoder(TaskIdPage)
_POLL_DATA = ModelDecoder(list[PollData])
_SIZES = ModelDecoder(dict[str, int])


class ConductorClient(WorkflowCalls):
    """Talk to one Conductor server; use it in ``async with``.

    Every method may raise:

    - `TransportError`: no usable answer arrived;
    - `UnexpectedAnswerError`: what answered is no Conductor server;
    - `ResponseError`: the server refused; its subclasses tell by what status.

    Names and ids that no URL can hold raise `DeclarationError` before anything is sent, values that JSON
    cannot hold `SerializationError`.

    Args:
        configuration: Which server, and how to reach it; by default from the environment.
        exchange: Carries the requests instead of what the configuration says; left open at the end.
        traffic: Makes, of the path of the API's URL, what hears of all requests.
        publisher: Hears of tokens.
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        exchange: Exchange | None = None,
        traffic: Callable[[str], Traffic] | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        self.configuration = Configuration() if configuration is None else configuration
        self._given = exchange
        self._traffic = traffic
        self._publisher = publisher
        self._exchange: Exchange | None = None
        self._opened: Calls | None = None
        self._timeouts = timeouts(self.configuration)
        self._polls: dict[tuple[str, str, str | None], bytes] = {}
        self._tasks = b""
        """The target of updates."""

    async def __aenter__(self) -> Self:
        configuration = self.configuration
        exchange = self._given
        if exchange is None:
            exchange = self._exchange = await open_exchange(configuration)
        api = api_url(configuration)
        traffic = None if self._traffic is None else self._traffic(api.prefix)
        wire = Wire(exchange, api, self._timeouts, traffic)
        headers = header_lines(configuration.headers)
        fetch = token_fetcher(configuration, wire, headers)
        ttl = configuration.auth_token_ttl_min * 60.0
        self._opened = Calls(wire, Authentication(headers, fetch, ttl=ttl, publisher=self._publisher))
        self._tasks = self._opened.target("/tasks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.authentication.ended()
        self._opened = None
        if self._exchange is not None:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + CLOSE_TIMEOUT):
                await self._exchange.aclose()
            self._exchange = None

    @property
    def _calls(self) -> Calls:
        if self._opened is None:
            reason = "the client is not open: use it in `async with`"
            raise RuntimeError(reason)
        return self._opened

    async def greet(self) -> Greeting:
        """Ask the server what it is, without a token."""
        wire, target = self._calls.wire, self._calls.target("/version")
        answer = await wire.send(replay.READ, target, header_lines(self.configuration.headers))
        if answer.status in {401, 403}:
            return greeting(answer, is_open=False)
        if not 200 <= answer.status < 300:
            raise answer_error(answer, self._calls.request(replay.READ, target))
        if is_markup(answer):
            raise not_json_error(answer, self._calls.request(replay.READ, target), "")
        return greeting(answer)

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token just now."""
        grant = self._calls.authentication.current()
        return grant is not None and grant.token is not None

    async def poll(
        self, task_type: str, *, count: int, timeout: float, worker_id: str, domain: str | None = None
    ) -> list[Task]:
        """Take up to ``count`` tasks, in progress from then on.

        It is never sent twice, and its answer is awaited well beyond the server's wait: the server may have
        given out the tasks already.

        Args:
            task_type: Whose queue.
            count: At most so many.
            timeout: Seconds the server may wait for them, 0 to 5.
            worker_id: Stands in the tasks as the one who has them.
            domain: Whose queue within the type; None for the one without.
        """
        key = (task_type, worker_id, domain)
        prefix = self._polls.get(key)
        if prefix is None:
            prefix = self._polls[key] = self._poll_prefix(task_type, worker_id, domain)
        target = b"%bcount=%d&timeout=%d" % (prefix, count, round(timeout * 1000))
        limits = self._timeouts
        if limits.read < timeout + POLL_MARGIN:
            limits = attrs.evolve(limits, read=timeout + POLL_MARGIN)
        answer = await self._calls.call(replay.POLL, target, timeouts=limits)
        if not answer.body:
            return []
        try:
            return TASKS(answer.body)
        except DECODING_FAILURES:
            return salvaged_tasks(answer, self._calls.request(replay.POLL, target))

    def _poll_prefix(self, task_type: str, worker_id: str, domain: str | None) -> bytes:
        path = f"/tasks/poll/batch/{segment(task_type, 'task type')}"
        # An empty domain would be a queue of its own.
        target = self._calls.target(path, {"workerid": worker_id, "domain": domain or None})
        return target + b"&"

    async def update_task(self, result: TaskResult) -> None:
        """Send a result; a terminal one may be sent again, the server ignores the second."""
        await self._update(_operation(result), encode(result))

    def send_result(self, body: bytes, *, is_terminal: bool = False) -> Coroutine[Any, Any, object]:
        """Send an encoded TaskResult.

        Args:
            body: As JSON.
            is_terminal: Whether it ends the task, so that it may be sent once more if a connection breaks.
        """
        return self._update(replay.FINISH if is_terminal else replay.HAND_BACK, body)

    async def extend_lease(self, task: Task) -> None:
        """Put off the response timeout of a task in progress."""
        result = TaskResult(
            task_id=task.task_id, workflow_instance_id=task.workflow_instance_id, extend_lease=True
        )
        await self._update(replay.EXTEND_LEASE, encode(result))

    def _update(self, operation: replay.Operation, body: bytes) -> Coroutine[Any, Any, object]:
        return self._calls.call(operation, self._tasks, body)

    async def keep_time(self) -> None:
        """Keep the time limits of all requests together, which costs less than one by one, until cancelled.

        Without it every request keeps its own.
        """
        exchange = self._given or self._exchange
        if exchange is not None:
            await exchange.keep_time()

    async def update_task_v2(self, result: TaskResult) -> Task | None:
        """Send a result and take the next task of its type and domain, if there is one.

        A server without this endpoint answers with `MethodNotAllowedError`, or `UnexpectedAnswerError` of
        status 404; an unknown task is a `NotFoundError`. It is never sent twice.
        """
        return await self.send_result_v2(encode(result))

    async def send_result_v2(self, body: bytes) -> Task | None:
        """Do as `update_task_v2` does with an encoded TaskResult."""
        target = self._tasks + b"/update-v2"
        answer = await self._calls.call(replay.FINISH_AND_POLL, target, body)
        if not answer.body:
            return None
        try:
            return TASK(answer.body)
        except DECODING_FAILURES:
            return salvaged_task(answer, self._calls.request(replay.FINISH_AND_POLL, target))

    async def get_task(self, task_id: str) -> Task:
        """Return a task as the server has it."""
        return await self._read(_ONE_TASK, f"/tasks/{segment(task_id, 'task id')}")

    async def add_log(self, task_id: str, text: str) -> None:
        """Append a line to a task's log; an empty one is left out, the server refuses it."""
        if not text:
            return
        target = self._calls.target(f"/tasks/{segment(task_id, 'task id')}/log")
        body = text.encode("utf-8", "replace")
        await self._calls.text(replay.ADD_LOG, target, body, content_type=TEXT)

    async def get_logs(self, task_id: str) -> list[TaskExecLog]:
        """Return a task's log."""
        return await self._read(_LOG_LINES, f"/tasks/{segment(task_id, 'task id')}/log", default=[])

    async def search_tasks(self, query: str, *, start: int = 0, size: int = 100) -> TaskPage:
        """Return the tasks that a query finds, whole.

        SQLite and Elasticsearch have it; PostgreSQL answers 500, a server without an index finds nothing.

        Args:
            query: Such as ``taskType=greet AND status=IN_PROGRESS``.
            start: How many to skip.
            size: At most so many.
        """
        return await self._read(
            _TASK_PAGE, "/tasks/search-v2", {"start": start, "size": size, "query": query}
        )

    async def search_task_ids(self, query: str, *, start: int = 0, size: int = 100) -> TaskIdPage:
        """Return the ids of the tasks that a query finds; unlike `search_tasks` PostgreSQL has it.

        Args:
            query: As for `search_tasks`; it must not name other fields than task type and status.
            start: How many to skip.
            size: At most so many.
        """
        return await self._read(
            _TASK_ID_PAGE, "/tasks/search", {"start": start, "size": size, "query": query}
        )

    async def queue_sizes(self, task_types: Iterable[str]) -> dict[str, int]:
        """Return how many tasks wait for each type."""
        types: Sequence[str] = list(task_types)
        return await self._read(_SIZES, "/tasks/queue/sizes", {"taskType": types}) if types else {}

    async def poll_data(self, task_type: str) -> list[PollData]:
        """Return who last polled a type, and when, one entry for each domain."""
        return await self._read(_POLL_DATA, "/tasks/queue/polldata", {"taskType": task_type}, default=[])


def _operation(result: TaskResult) -> replay.Operation:
    if result.extend_lease:
        return replay.EXTEND_LEASE
    is_terminal = result.status is not msgspec.UNSET and result.status != "IN_PROGRESS"
    return replay.FINISH if is_terminal else replay.HAND_BACK
