"""The engine under any requests in any order: nothing is in two hands or vanishes, and all can end."""

import json
from collections import Counter
from typing import Any

from devserver_rig import Rig, ids
from generated_workflows import ANY_STEPS, LINEAR, TYPES, Tree, definition
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from anyworker.devserver.http.exchange import Answer
from anyworker.devserver.lifecycle.limits import next_due, workflow_due
from anyworker.devserver.queueing.queues import queue_name
from anyworker.devserver.records.changes import Change
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord

RESULTS = ("COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED", "IN_PROGRESS")
LEFT_BEHIND = frozenset({"TIMED_OUT", "COMPLETED_WITH_ERRORS"})
"""A task that timed out leaves its message in the queue, also when it is forgiven."""
LIVE = frozenset({"SCHEDULED", "IN_PROGRESS"})
OVER = frozenset({"COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED"})
POLICIES = st.sampled_from(["RETRY", "TIME_OUT_WF", "ALERT_ONLY"])
LIMITS = st.fixed_dictionaries(
    {"retryDelaySeconds": st.integers(0, 2), "responseTimeoutSeconds": st.integers(1, 4)},
    optional={
        "retryCount": st.integers(0, 2),
        "retryLogic": st.sampled_from(["FIXED", "LINEAR_BACKOFF", "EXPONENTIAL_BACKOFF"]),
        "pollTimeoutSeconds": st.integers(1, 8),
        "timeoutPolicy": POLICIES,
        "totalTimeoutSeconds": st.integers(5, 20),
    },
)
ROUNDS = 400
"""More rounds of answers than any generated workflow needs."""


class EngineMachine(RuleBasedStateMachine):
    """Clients and workers that do what they like, with linear workflows."""

    steps = LINEAR
    workflows = Bundle("workflows")
    hands = Bundle("hands")

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.statuses: dict[str, str] = {}
        """The last status that listeners heard of each task and workflow."""
        self.given_away: set[str] = set()
        """Tasks that a worker handed back, and tasks whose queues were told to deliver again."""
        self.started: list[str] = []
        self.numbers = 0
        self.is_reviving = False
        """Whether a client sets an ended workflow going again, the only time when what was over goes on."""

    @initialize(waiting=st.sampled_from(["fill", "first"]), limits=st.lists(LIMITS, min_size=3, max_size=3))
    def prepare(self, waiting: Any, limits: list[dict[str, Any]]) -> None:
        self.rig = Rig(waiting)
        self.rig.engine.on_change.append(self.heard)
        for name, fields in zip(TYPES, limits, strict=True):
            self.rig.define(name, **fields)

    def heard(self, change: Change) -> None:
        key = change.task_id or change.workflow_id
        before, after = self.statuses.get(key), change.status
        self.statuses[key] = after
        if change.task_id is None:
            return
        if after == "IN_PROGRESS" and change.task_type in TYPES:
            assert before == "SCHEDULED", f"{key} was taken while {before}"
        if before == "IN_PROGRESS" and after == "SCHEDULED":
            assert key in self.given_away, f"{key} went back by itself"
        if before is not None and before not in LIVE and not self.is_reviving:
            assert after == "COMPLETED_WITH_ERRORS", f"{key} was {before} and became {after}"

    # Clients

    @rule(
        target=workflows,
        steps=st.runner().flatmap(lambda machine: machine.steps),
        fields=st.fixed_dictionaries({}, optional={"timeoutSeconds": st.integers(5, 30)}),
    )
    def start(self, steps: list[Tree], fields: dict[str, Any]) -> str:
        self.numbers += 1
        workflow = definition(f"w{self.numbers}", steps, timeoutPolicy="TIME_OUT_WF", **fields)
        workflow_id: str = self.rig.ok(
            "POST", "/workflow", {"name": workflow["name"], "workflowDef": workflow, "input": {"n": 1}}
        )
        self.started.append(workflow_id)
        return workflow_id

    @rule(workflow_id=workflows, verb=st.sampled_from(["pause", "resume", "decide"]))
    def steer(self, workflow_id: str, verb: str) -> None:
        path = f"/workflow/decide/{workflow_id}" if verb == "decide" else f"/workflow/{workflow_id}/{verb}"
        assert self.rig.send("PUT", path).status in {200, 409, 500}

    @rule(workflow_id=workflows, verb=st.sampled_from(["retry", "restart", "resetcallbacks"]))
    def revive(self, workflow_id: str, verb: str) -> None:
        self.is_reviving = True
        assert self.rig.send("POST", f"/workflow/{workflow_id}/{verb}").status in {204, 404, 409}
        self.is_reviving = False

    @rule(workflow_id=workflows)
    def terminate(self, workflow_id: str) -> None:
        assert self.rig.send("DELETE", f"/workflow/{workflow_id}").status in {200, 409}

    @rule(seconds=st.sampled_from([0.001, 0.5, 1, 2, 5]))
    def let_time_pass(self, seconds: float) -> None:
        self.rig.sleep(seconds)
        self.rig.engine.advance(self.rig.now)

    # Workers

    @rule(
        target=hands,
        task_type=st.sampled_from(TYPES),
        count=st.integers(1, 3),
        timeout=st.sampled_from([0, 0, 300]),
    )
    def poll(self, task_type: str, count: int, timeout: int) -> Any:
        tasks = self.rig.poll(task_type, count, timeout)
        assert len(tasks) <= count
        for task in tasks:
            assert task["status"] == "IN_PROGRESS"
            self.given_away.discard(task["taskId"])
        return multiple(*tasks)

    @rule(task=consumes(hands), status=st.sampled_from(RESULTS), seconds=st.integers(0, 3))
    def report(self, task: Any, status: str, seconds: int) -> None:
        if status == "IN_PROGRESS":
            self.given_away.add(task["taskId"])
        self.update(task, status, callbackAfterSeconds=seconds)

    @rule(task=hands, status=st.sampled_from(RESULTS))
    def report_and_keep(self, task: Any, status: str) -> None:
        """Do as a worker does that retries an update which the server has taken."""
        if status == "IN_PROGRESS":
            self.given_away.add(task["taskId"])
        self.update(task, status)

    @rule(target=hands, task=consumes(hands), status=st.sampled_from(RESULTS))
    def report_and_poll(self, task: Any, status: str) -> Any:
        if status == "IN_PROGRESS":
            self.given_away.add(task["taskId"])
        answer = self.update(task, status, path="/tasks/update-v2")
        return json.loads(answer.body) if answer.status == 200 else multiple()

    @rule(task=hands)
    def extend(self, task: Any) -> None:
        self.update(task, None, extendLease=True)

    def update(self, task: Any, status: str | None, path: str = "/tasks", **fields: Any) -> Answer:
        """Send an update; a task that is gone is one whose workflow was restarted."""
        is_known = task["taskId"] in self.rig.engine.store.tasks
        answer = self.rig.send("POST", path, {**ids(task), "status": status, **fields})
        assert answer.status in ({200, 204} if is_known else {404})
        return answer

    # What always holds

    @invariant()
    def queues_hold_just_the_tasks_that_wait(self) -> None:
        waiting = Counter(
            queue_name(task.task_type, task.domain)
            for task in self.rig.engine.store.tasks.values()
            if task.message is not None
        )
        sizes = {name: size for name, (size, _) in self.rig.engine.queues.sizes().items() if size}
        assert sizes == dict(waiting)

    @invariant()
    def worker_tasks_wait_or_are_in_hand_and_nothing_else(self) -> None:
        for task in self.rig.engine.store.tasks.values():
            if task.task_type in TYPES:
                timed_out = task.status in {"TIMED_OUT", "COMPLETED_WITH_ERRORS"}
                is_left_behind = timed_out and task.message is not None
                assert is_left_behind or (task.message is not None) == (task.status == "SCHEDULED"), task

    @invariant()
    def live_workflows_have_live_tasks_and_ended_ones_have_none(self) -> None:
        for workflow in self.rig.engine.store.workflows():
            has_live = any(not task.is_terminal for task in workflow.tasks)
            if workflow.is_terminal:
                assert not has_live
            elif workflow.status == "RUNNING":
                assert has_live, "nothing could ever move it on"

    @invariant()
    def limits_are_watched(self) -> None:
        for workflow in self.rig.engine.store.workflows():
            watched = [(workflow.check, None if workflow.is_terminal else workflow_due(workflow))]
            if workflow.status != "PAUSED":
                watched += [
                    (task.due, None if task.is_terminal else next_due(task)) for task in workflow.tasks
                ]
            for deadline, due in watched:
                is_set = deadline is not None and deadline.action is not None
                assert (deadline.at if is_set else None) == due

    @invariant()
    def listeners_heard_it_all(self) -> None:
        store = self.rig.engine.store
        for task in store.tasks.values():
            assert self.statuses[task.task_id] == task.status
        for workflow in store.workflows():
            assert self.statuses[workflow.workflow_id] == workflow.status

    def teardown(self) -> None:
        """Answer everything, and see every workflow end."""
        for _ in range(ROUNDS):
            live = [workflow for workflow in self.rig.engine.store.workflows() if not workflow.is_terminal]
            if not live:
                return
            for workflow in live:
                self.answer(workflow)
            for task_type in TYPES:
                for task in self.rig.poll(task_type, count=100):
                    self.rig.report(task, "COMPLETED")
            self.let_time_pass(1)
        assert not live, "it got all answers, and did not end"

    def answer(self, workflow: WorkflowRecord) -> None:
        if workflow.status == "PAUSED":
            self.rig.ok("PUT", f"/workflow/{workflow.workflow_id}/resume")
        for task in list(workflow.tasks):
            if not task.is_terminal and is_signal(task):
                self.rig.ok("POST", f"/tasks/{workflow.workflow_id}/{task.reference}/COMPLETED", {})


def is_signal(task: TaskRecord) -> bool:
    """Whether it is a WAIT that only an update ends, or a worker task in a hand that has gone."""
    return (task.task_type == "WAIT" and not task.input.get("duration")) or (
        task.task_type in TYPES and task.status == "IN_PROGRESS"
    )


class ControlMachine(EngineMachine):
    """The same with workflows of any shape."""

    steps = ANY_STEPS


TestLinear = EngineMachine.TestCase


TestControl = ControlMachine.TestCase
