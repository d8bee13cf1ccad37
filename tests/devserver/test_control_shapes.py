"""Workflows with control tasks, key for key as the real server shows them."""

from typing import Any

from devserver_rig import Rig, captured, masked

_UNORDERED = frozenset({"inputData", "outputData", "input", "output", "variables"})
"""Payloads: the real server's maps have no order of their own."""


def alike(found: Any, expected: Any) -> None:
    assert masked(_comparable(found)) == masked(_comparable(expected))


def _comparable(value: Any) -> Any:
    """Return a workflow without what depends on how often the real server has looked at a JOIN."""
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {
        key: dict(sorted(item.items())) if key in _UNORDERED else _comparable(item)
        for key, item in value.items()
    }
    if result.get("taskType") == "JOIN":
        result |= {"pollCount": None, "updateTime": None}
    return result


def begin(name: str) -> tuple[Rig, Any]:
    """Register what a capture was made with."""
    rig, shown = Rig(), captured(name)
    rig.ok("PUT", "/metadata/workflow", shown["definitions"])
    return rig, shown


def test_fork_and_join_look_as_captured() -> None:
    rig, shown = begin("control-fork-join")
    workflow_id = rig.start("golden_fork", input={"n": 1}, correlationId="c1")
    alike(rig.workflow(workflow_id), shown["running"])
    for name, output in (("left", {"l": 1}), ("right", {"r": 2}), ("last", {"z": 3})):
        rig.sleep(0.1)
        rig.report(rig.take(f"golden_{name}"), "COMPLETED", outputData=output, workerId="w")
    alike(rig.workflow(workflow_id), shown["completed"])


def test_switch_and_set_variable_look_as_captured() -> None:
    rig, shown = begin("control-switch")
    workflow_id = rig.start("golden_switch", input={"key": "A"})
    alike(rig.workflow(workflow_id), shown["running"])
    rig.sleep(0.1)
    rig.report(rig.take("golden_case"), "COMPLETED", outputData={"done": True}, workerId="w")
    alike(rig.workflow(workflow_id), shown["completed"])


def test_terminate_looks_as_captured() -> None:
    rig, shown = begin("control-terminate")
    workflow_id = rig.start("golden_terminate")
    alike(rig.workflow(workflow_id), shown["running"])
    rig.sleep(0.1)
    rig.report(rig.take("golden_first"), "COMPLETED", outputData={"x": 5}, workerId="w")
    alike(rig.workflow(workflow_id), shown["completed"])


def test_waits_look_as_captured() -> None:
    rig, shown = begin("control-wait")
    workflow_id = rig.start("golden_wait")
    alike(rig.workflow(workflow_id), shown["running"])
    rig.sleep(1)
    rig.ok("POST", f"/tasks/{workflow_id}/signal/COMPLETED", {"by": "hand"})
    alike(rig.workflow(workflow_id), shown["completed"])


def test_sub_workflow_looks_as_captured() -> None:
    rig, shown = begin("control-sub-workflow")
    workflow_id = rig.start("golden_parent", input={"n": 1}, priority=3)
    running = rig.workflow(workflow_id)
    alike(running, shown["running"])
    alike(rig.workflow(running["tasks"][0]["subWorkflowId"]), shown["child"])
    rig.sleep(0.1)
    failed = {"outputData": {"x": 1}, "reasonForIncompletion": "no", "workerId": "w"}
    rig.report(rig.take("golden_inner"), "FAILED_WITH_TERMINAL_ERROR", **failed)
    alike(rig.workflow(workflow_id), shown["failed"])
