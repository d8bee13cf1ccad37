"""Whatever comes in, the API answers, and as the real server would: never with a failure of its own."""

import json
from typing import Any

from devserver_rig import UNKNOWN, Rig, ids
from hypothesis import given
from hypothesis import strategies as st

from anyworker.devserver.http.exchange import Answer

KEYS = """
    name taskReferenceName type tasks inputParameters input version priority taskToDomain correlationId
    workflowDef workflowInstanceId taskId status outputData logs log createdTime reasonForIncompletion
    callbackAfterSeconds extendLease retryCount retryLogic timeoutSeconds timeoutPolicy
    responseTimeoutSeconds inputTemplate inputKeys taskDefinition inputSchema forkTasks decisionCases
    defaultCase outputParameters variables optional
"""
SEGMENTS = ("tasks", "workflow", "metadata", "taskdefs", "poll", "batch", "queue", "size", "all", "a", "")
ENDPOINTS = (
    "POST /metadata/taskdefs",
    "PUT /metadata/taskdefs",
    "POST /metadata/workflow",
    "PUT /metadata/workflow",
    "POST /metadata/workflow/validate",
    "POST /workflow",
    "POST /workflow/t",
    "POST /tasks",
    "POST /tasks/update-v2",
    "POST /tasks/{workflow}/t/COMPLETED",
    "POST /tasks/{workflow}/t/COMPLETED/sync",
    "POST /tasks/{task}/log",
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "t", "COMPLETED", "FIXED", "${t.output.x}", "$${x", "${workflow.input.a[0]}", UNKNOWN]
    )
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=6)
    ),
    max_leaves=20,
)


def usable() -> tuple[Rig, Any]:
    rig = Rig()
    rig.single()
    rig.start()
    return rig, rig.take()


def check(rig: Rig, answer: Answer) -> None:
    assert answer.status in {200, 204, 400, 404, 405, 409, 500}
    if answer.content_type == b"application/json":
        json.loads(answer.body)
    rig.sleep(10_000)
    rig.engine.advance(rig.now)
    for workflow in rig.engine.store.workflows():
        rig.workflow(workflow.workflow_id)


@given(st.sampled_from(ENDPOINTS), VALUES, st.booleans())
def test_any_json_is_answered(endpoint: str, body: Any, is_about_the_task: bool) -> None:
    rig, task = usable()
    method, path = endpoint.split(" ")
    if is_about_the_task and isinstance(body, dict):
        body |= ids(task) | {"name": "t"}
    path = path.format(workflow=task["workflowInstanceId"], task=task["taskId"])
    check(rig, rig.send(method, path, body))


@given(st.sampled_from(ENDPOINTS), st.binary(max_size=30) | st.text('{}[]":,019.eE-+tfn\\u', max_size=20))
def test_any_body_is_answered(endpoint: str, body: bytes | str) -> None:
    rig, task = usable()
    method, path = endpoint.split(" ")
    path = path.format(workflow=task["workflowInstanceId"], task=task["taskId"])
    answer = rig.raw(method, path, body.encode() if isinstance(body, str) else body)
    check(rig, answer if isinstance(answer, Answer) else rig.finish(answer))


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    st.lists(st.sampled_from(SEGMENTS)),
    st.text("counttimeout=&%1+-20 ", max_size=20),
)
def test_any_path_and_query_is_answered(method: str, path: list[str], query: str) -> None:
    rig, _ = usable()
    answer = rig.raw(method, "/" + "/".join(path) + "?" + query)
    check(rig, answer if isinstance(answer, Answer) else rig.finish(answer))


def test_deep_nesting_is_refused_or_kept() -> None:
    rig, task = usable()
    for depth in (300, 900, 1100, 100_000):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        body = b'{"workflowInstanceId":"%s","taskId":"%s","status":"IN_PROGRESS","outputData":%s}' % (
            task["workflowInstanceId"].encode(),
            task["taskId"].encode(),
            nested,
        )
        answer = rig.raw("POST", "/tasks", body)
        assert isinstance(answer, Answer)
        assert answer.status == (200 if depth < 1000 else 500)
        assert rig.send("GET", f"/tasks/{task['taskId']}").status == 200
