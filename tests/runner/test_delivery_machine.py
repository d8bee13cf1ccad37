"""Delivery and outbox as one machine: whatever server and users do, each result is in exactly one place."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import anyio
import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anyworker.client import ConductorClient
from anyworker.conductor.models import TaskResult
from anyworker.configuration import Configuration
from anyworker.devserver import DevServer
from anyworker.devserver.http.exchange import Request
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.records.records import TaskRecord
from anyworker.events import Publisher
from anyworker.outbox_settings import OutboxSettings
from anyworker.runner.delivery import Delivery
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.parcel import pack
from anyworker.testing import virtual_backend

if TYPE_CHECKING:
    import asyncio

    from anyio.abc import TaskGroup

Status = Literal["COMPLETED", "FAILED", "IN_PROGRESS"]
Place = Literal["under way", "stored", "delivered", "refused", "given up"]

POST, GET = "POST /tasks", "GET /tasks/{id}"
TROUBLES: dict[str, Callable[[DevServer], object]] = {
    "away": lambda server: server.faults.drop(how="refuse"),
    "lost before": lambda server: server.faults.drop([POST, GET]),
    "lost after": lambda server: server.faults.drop(POST, after_effect=True),
    "busy": lambda server: server.faults.answer(503, [POST, GET], retry_after=2),
    "broken": lambda server: server.faults.answer(500, POST, after_effect=True),
    "unreadable": lambda server: server.faults.drop(GET),
    "slow": lambda server: server.faults.delay(5.0, [POST, GET]),
    "behind a page": lambda server: server.faults.garble(POST, after_effect=True),
}
CALM_SECONDS = 3600.0
"""Within which a server that works has everything."""


@attrs.define(eq=False)
class Sent:
    """A result, and where it is by what was seen of it."""

    task_id: str
    status: Status
    poll_count: int
    place: Place = "under way"
    is_held: bool = True
    """Whether no heartbeats go beside it."""

    async def hold(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.is_held = True

    def release(self) -> None:
        self.is_held = False


class Delivering(RuleBasedStateMachine):
    """Results come, the server has its moods, users terminate, others poll what was given back."""

    @initialize()
    def begin(self) -> None:
        name, options = virtual_backend("asyncio")
        assert name == "asyncio"
        self.loop: asyncio.AbstractEventLoop = options["loop_factory"]()
        self.server = DevServer(waiting="first", epoch=1_700_000_000.0, seed=1)
        self.update, self.server.engine.update = self.server.engine.update, self.updated  # type: ignore[method-assign]
        self.sent: dict[str, Sent] = {}
        self.is_hurried = False
        self.tasks: TaskGroup
        self.life = self.loop.create_task(self.live())
        self.within(anyio.sleep(0.1))

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.within(self.leave())
            self.loop.close()

    def within(self, steps: Awaitable[Any]) -> Any:
        """Let the loop run until something is done."""
        return self.loop.run_until_complete(cast("Any", steps))

    async def live(self) -> None:
        configuration = Configuration(
            server_api_url="http://devserver/api", transport=self.server.transport(), environ={}
        )
        publisher = Publisher([self])
        async with ConductorClient(configuration) as client, anyio.create_task_group() as self.tasks:
            self.outbox = Outbox(client, publisher, OutboxSettings(max_results=3), draw=lambda: 0.5)
            self.delivery = Delivery(
                client,
                task_type="work",
                worker_id="me",
                publisher=publisher,
                outbox=self.outbox,
                delays=(1.0, 3.0),
                random=lambda: 0.5,
            )
            self.ask("POST", "/metadata/taskdefs", [{"name": "work", "retryCount": 0}])
            steps = [{"name": "work", "taskReferenceName": "work"}]
            self.ask("PUT", "/metadata/workflow", [{"name": "flow", "tasks": steps}])
            self.tasks.start_soon(self.outbox.run)
            await anyio.sleep_forever()

    async def leave(self) -> None:
        self.tasks.cancel_scope.cancel()
        await self.life

    async def change(self, change: Callable[[], object]) -> None:
        """Change what the server does, in its own loop."""
        change()

    def ask(self, method: str, path: str, content: object = None, query: str = "") -> Any:
        """Return what the server says to somebody to whom nothing ever happens."""
        body = b"" if content is None else json.dumps(content).encode()
        answer = self.server.answer(Request(method, f"/api{path}", query, "application/json", body))
        assert answer.status < 300, answer.body
        return answer.body

    def poll(self, worker_id: str) -> Any:
        """Return all tasks that are in the queue."""
        query = f"workerid={worker_id}&count=100&timeout=0"
        return json.loads(self.ask("GET", "/tasks/poll/batch/work", query=query))

    # What is seen

    def updated(self, report: Report, now: int) -> TaskRecord | None:
        sent, record = self.sent[str(report.task_id)], self.record(str(report.task_id))
        is_ours = record.status == "IN_PROGRESS" and record.worker_id == "me"
        assert is_ours or record.is_terminal or report.status != "IN_PROGRESS", "given back twice"
        assert sent.is_held or sent.place == "stored", "sent beside heartbeats"
        return self.update(report, now)

    def on_result_stored(self, event: Any) -> None:
        self.move(event, "under way", "stored")

    def on_result_replayed(self, event: Any) -> None:
        self.move(event, "stored", "delivered")

    def on_result_refused(self, event: Any) -> None:
        self.sent[event.task_id].place = "refused"

    def on_task_update_failure(self, event: Any) -> None:
        sent = self.sent[event.task_id]
        if sent.place == "stored":
            sent.place = "given up"

    def move(self, event: Any, before: Place, after: Place) -> None:
        assert self.sent[event.task_id].place == before
        self.sent[event.task_id].place = after

    def record(self, task_id: str) -> TaskRecord:
        return self.server.engine.store.tasks[task_id]

    def at(self, *places: Place) -> Iterator[Sent]:
        return (sent for sent in self.sent.values() if sent.place in places)

    # What happens

    @rule(status=st.sampled_from(["COMPLETED", "FAILED", "IN_PROGRESS"]))
    def result_comes(self, status: Status) -> None:
        async def come() -> None:
            self.poll("you")
            self.ask("POST", "/workflow", {"name": "flow"})
            [task] = self.poll("me")
            sent = self.sent[task["taskId"]] = Sent(task["taskId"], status, task["pollCount"])
            self.tasks.start_soon(self.deliver, sent, task["workflowInstanceId"])
            await anyio.sleep(0.01)

        self.within(come())

    async def deliver(self, sent: Sent, workflow_id: str) -> None:
        result = TaskResult(
            task_id=sent.task_id,
            workflow_instance_id=workflow_id,
            worker_id="me",
            status=sent.status,
            output_data={"n": 1},
            callback_after_seconds=5,
        )
        if await self.delivery.deliver(pack(result, sent.poll_count), sent):
            assert sent.place == "under way"
            sent.place = "delivered"
        elif sent.place == "under way":
            sent.place = "given up"

    @rule(trouble=st.sampled_from(sorted(TROUBLES)))
    def trouble_begins(self, trouble: str) -> None:
        self.within(self.change(lambda: TROUBLES[trouble](self.server)))

    @rule()
    def trouble_ends(self) -> None:
        self.within(self.change(self.server.faults.clear))

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 20.0, 90.0]))
    def time_passes(self, seconds: float) -> None:
        self.within(anyio.sleep(seconds))

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 10**6))
    def user_terminates(self, number: int) -> None:
        async def terminate() -> None:
            record = self.record(list(self.sent)[number % len(self.sent)])
            if record.workflow.status == "RUNNING":
                self.ask("DELETE", f"/workflow/{record.workflow.workflow_id}")

        self.within(terminate())

    @rule()
    def somebody_else_polls(self) -> None:
        async def poll() -> None:
            assert all(self.sent[task["taskId"]].status == "IN_PROGRESS" for task in self.poll("you"))

        self.within(poll())

    @rule()
    def shutdown_hurries(self) -> None:
        self.delivery.hurry()
        self.is_hurried = True

    @rule()
    def everything_arrives_in_the_end(self) -> None:
        self.within(self.change(self.server.faults.clear))
        self.within(anyio.sleep(CALM_SECONDS))
        assert not list(self.at("under way", "stored"))

    # What holds

    @invariant()
    def outbox_holds_what_is_stored(self) -> None:
        if hasattr(self, "outbox"):
            assert self.outbox.waiting == len(list(self.at("stored"))) <= 3

    @invariant()
    def nothing_is_given_up_but_what_the_outbox_could_not_take(self) -> None:
        if hasattr(self, "delivery"):
            lost = set(self.delivery.given_up)
            assert {sent.task_id for sent in self.at("given up")} <= lost
            assert lost <= {sent.task_id for sent in self.at("given up", "refused")}

    @invariant()
    def server_has_what_is_delivered(self) -> None:
        for sent in self.at("delivered"):
            record = self.record(sent.task_id)
            has_gone_on = sent.status == "IN_PROGRESS" and (
                record.status == "SCHEDULED" or record.worker_id != "me"
            )
            assert record.is_terminal or has_gone_on, f"{sent} although the server has {record.status}"

    @invariant()
    def only_ended_tasks_refuse(self) -> None:
        assert all(self.record(sent.task_id).is_terminal for sent in self.at("refused"))


TestDelivering = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=25)(
    Delivering
).TestCase
