"""WAIT: for a time, for a date, for a signal."""

from typing import Any

import pytest
from control_steps import simple, wait
from devserver_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from anyworker.devserver.metadata import waits
from anyworker.devserver.wire.errors import RequestRefused

DAY = 86_400


def begin(*steps: Any) -> tuple[Rig, str]:
    rig = Rig()
    rig.flow("flow", *steps, "after")
    return rig, rig.start("flow")


def first(rig: Rig, workflow_id: str) -> Any:
    return rig.workflow(workflow_id)["tasks"][0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 seconds", 10),
        ("10s", 10),
        ("10 SEC", 10),
        ("2 mins", 120),
        ("1m", 60),
        ("1 hr", 3600),
        ("2 hours", 7200),
        ("1d", DAY),
        ("1 day 2 hours 3 minutes 4 seconds", DAY + 7384),
        ("1d2h3m4s", DAY + 7384),
        (" 1d  4s ", DAY + 4),
        ("0 s", 0),
    ],
)
def test_durations_are_read_in_all_spellings(text: str, seconds: int) -> None:
    assert waits.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "10", "1.5 s", "-1 s", "4s 3m", "1w", "PT10S"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="Not valid duration: "):
        waits.seconds_of(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01 00:01", 60),
        ("1970-01-01 00:01 UTC", 60),
        ("1970-01-01 03:00 GMT+02:00", 3600),
        ("1970-01-01 03:00 +0200", 3600),
        ("1970-01-01 00:00 EST", 18_000),
        ("1970-13-01", 365 * DAY),
        ("1970-01-01 25:61", DAY + 7260),
        (" 1970-01-01  00:01", 60),
        ("1970-01-01 00:00 +02:00", None),
        ("1970-01-01 00:00 Z", None),
        ("tomorrow", None),
        ("1970-01-01T00:00", None),
        ("1970-01-01 00:00:00", None),
        ("1970-01-01 00:00 Nowhere", None),
        ("999999-01-01", None),
    ],
)
def test_dates_are_read_as_the_server_does(text: str, moment: int | None) -> None:
    assert waits.moment_of(text) == (None if moment is None else moment * 1000)


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert waits.moment_of(text) is None or "-" in text


def test_wait_ends_on_its_millisecond() -> None:
    rig, workflow_id = begin(wait(duration="2 seconds"))
    assert (first(rig, workflow_id)["status"], first(rig, workflow_id)["callbackAfterSeconds"]) == (
        "IN_PROGRESS",
        2,
    )
    rig.sleep(1.999)
    assert first(rig, workflow_id)["status"] == "IN_PROGRESS"
    rig.sleep(0.001)
    assert first(rig, workflow_id)["status"] == "COMPLETED"
    assert rig.size("after") == 1


def test_wait_until_a_date_in_the_past_is_over_at_once() -> None:
    rig, workflow_id = begin(wait(until="2020-01-01"))
    rig.engine.advance(rig.now)
    assert first(rig, workflow_id)["status"] == "COMPLETED"


def test_wait_without_a_time_waits_for_its_signal() -> None:
    rig, workflow_id = begin(wait())
    rig.sleep(10 * DAY)
    assert first(rig, workflow_id)["status"] == "IN_PROGRESS"
    rig.ok("POST", f"/tasks/{workflow_id}/wait/COMPLETED", {"by": "hand"})
    task = first(rig, workflow_id)
    assert (task["status"], task["outputData"]) == ("COMPLETED", {"by": "hand"})
    assert rig.size("after") == 1


@pytest.mark.parametrize(
    ("status", "ending"), [("COMPLETED", "RUNNING"), ("FAILED", "FAILED"), ("CANCELED", "TERMINATED")]
)
def test_wait_is_ended_by_an_update(status: str, ending: str) -> None:
    rig, workflow_id = begin(wait(duration="1 hour"))
    rig.report(first(rig, workflow_id), status, outputData={"x": 1})
    assert first(rig, workflow_id)["status"] == status
    assert rig.workflow(workflow_id)["status"] == ending
    rig.sleep(7200)
    assert first(rig, workflow_id)["status"] == status


def test_progress_of_a_wait_leaves_it_waiting() -> None:
    rig, workflow_id = begin(wait(duration="5 s"))
    rig.report(first(rig, workflow_id), "IN_PROGRESS", outputData={"seen": 1}, callbackAfterSeconds=1)
    assert (first(rig, workflow_id)["status"], rig.poll("WAIT")) == ("IN_PROGRESS", [])
    rig.sleep(5)
    task = first(rig, workflow_id)
    assert (task["status"], task["outputData"]) == ("COMPLETED", {"seen": 1})


def test_number_too_large_for_a_duration_is_refused() -> None:
    with pytest.raises(RequestRefused, match="For input string: "):
        waits.seconds_of("99999999999 s")


def test_wait_until_an_unreadable_date_fails_when_something_decides() -> None:
    rig, workflow_id = begin(wait(until="${workflow.input.u}"))
    rig.ok("POST", f"/tasks/{workflow_id}/wait/COMPLETED", {})
    workflow_id = rig.start("flow", input={"u": "tomorrow"})
    task = first(rig, workflow_id)
    assert task["status"] == "FAILED_WITH_TERMINAL_ERROR"
    assert task["reasonForIncompletion"] == "Invalid/Unsupported Wait Until format.  Provided: tomorrow"
    assert rig.workflow(workflow_id)["status"] == "RUNNING", "nothing has asked the decider"
    rig.sleep(30)
    assert rig.workflow(workflow_id)["status"] == "FAILED"


def test_bad_duration_refuses_the_start_and_leaves_nothing() -> None:
    rig, _ = begin(wait(duration="${workflow.input.d}"))
    refused = rig.send("POST", "/workflow", {"name": "flow", "input": {"d": "soon"}})
    assert (refused.status, b"Not valid duration: soon" in refused.body) == (400, True)
    assert len(rig.engine.store.workflows()) == 1


def test_bad_duration_later_refuses_what_leads_to_it_and_stops_the_workflow() -> None:
    rig = Rig()
    rig.flow("flow", simple("a"), wait(duration="${a.output.d}"))
    workflow_id = rig.start("flow")
    task = rig.take("a")
    update = {"workflowInstanceId": workflow_id, "taskId": task["taskId"], "status": "COMPLETED"}
    assert rig.send("POST", "/tasks", {**update, "outputData": {"d": "soon"}}).status == 400
    assert (rig.statuses(workflow_id), rig.workflow(workflow_id)["status"]) == (["COMPLETED"], "RUNNING")
    assert rig.send("PUT", f"/workflow/decide/{workflow_id}").status == 400


def test_wait_goes_on_while_its_workflow_is_paused() -> None:
    rig, workflow_id = begin(wait(duration="1 s"))
    rig.ok("PUT", f"/workflow/{workflow_id}/pause")
    rig.sleep(1)
    assert (first(rig, workflow_id)["status"], rig.size("after")) == ("COMPLETED", 0)
    rig.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert rig.size("after") == 1


def test_limits_of_a_registered_wait_apply() -> None:
    rig = Rig()
    limits = {"timeoutSeconds": 1, "responseTimeoutSeconds": 1, "timeoutPolicy": "RETRY"}
    rig.define("wait", **limits, retryCount=1, retryDelaySeconds=0)
    rig.flow("flow", wait())
    workflow_id = rig.start("flow")
    rig.sleep(1)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "IN_PROGRESS"]
