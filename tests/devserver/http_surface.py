"""Requests of all sorts to a server's HTTP surface, most of them a little wrong.

Three marks in paths, queries and bodies stand for what each server names by itself: ``WORKFLOW`` for the id
of a running workflow, ``TASK`` for that of its one task, ``NAME`` for the name of both definitions.
"""

import copy
import json
from typing import Any
from urllib.parse import quote

import attrs
from hypothesis import strategies as st

WORKFLOW, TASK, NAME = "@workflow@", "@task@", "@name@"
NOBODY = "00000000-0000-0000-0000-000000000000"


@attrs.frozen
class Sample:
    """One request, with marks."""

    method: str
    path: str
    """Below ``/api``, encoded."""
    query: str = ""
    content_type: str | None = None
    body: bytes = b""

    def filled(self, values: dict[str, str]) -> "Sample":
        """Return the request with values for its marks."""
        path, query, body = self.path, self.query, self.body
        for mark, value in values.items():
            path, query = path.replace(mark, value), query.replace(mark, value)
            body = body.replace(mark.encode(), value.encode())
        return attrs.evolve(self, path=path, query=query, body=body)


SEGMENTS = """
    tasks workflow metadata taskdefs poll batch queue size sizes all verbose polldata requeue search search-v2
    update-v2 log decide pause resume retry restart rerun resetcallbacks skiptask remove bulk terminate
    validate status running correlated execute COMPLETED sync token schema health version
"""
JUNK = ("x", "a%20b", "%C3%A9", "a;b", "a:b", "..", "%2F", "%5C", "%00", "%", "", "1", "-1", "[", "a b")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
CONTENT_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "application/problem+json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "nonsense",
    "*/*",
    "",
    None,
)

RESULT: dict[str, Any] = {
    "workflowInstanceId": WORKFLOW,
    "taskId": TASK,
    "status": "COMPLETED",
    "outputData": {"a": 1},
    "reasonForIncompletion": "r",
    "callbackAfterSeconds": 0,
    "workerId": "w",
    "logs": [{"log": "line", "taskId": TASK, "createdTime": 1}],
    "extendLease": False,
}
TASK_DEFINITION: dict[str, Any] = {
    "name": NAME,
    "retryCount": 1,
    "retryLogic": "FIXED",
    "retryDelaySeconds": 1,
    "timeoutSeconds": 60,
    "timeoutPolicy": "RETRY",
    "responseTimeoutSeconds": 30,
    "pollTimeoutSeconds": 10,
    "totalTimeoutSeconds": 100,
    "backoffScaleFactor": 2,
    "maxRetryDelaySeconds": 5,
    "backoffJitterMs": 10,
    "concurrentExecLimit": 1,
    "rateLimitPerFrequency": 1,
    "rateLimitFrequencyInSeconds": 1,
    "inputKeys": ["a"],
    "outputKeys": ["b"],
    "inputTemplate": {"a": 1},
    "ownerEmail": "a@b.c",
    "description": "d",
}
STEP: dict[str, Any] = {
    "name": NAME,
    "taskReferenceName": "r",
    "type": "SIMPLE",
    "inputParameters": {"a": "${workflow.input.a}"},
    "optional": False,
    "startDelay": 0,
    "retryCount": 1,
}
WORKFLOW_DEFINITION: dict[str, Any] = {
    "name": NAME,
    "version": 1,
    "tasks": [STEP],
    "inputParameters": ["a"],
    "outputParameters": {"b": "${r.output.b}"},
    "timeoutSeconds": 60,
    "timeoutPolicy": "TIME_OUT_WF",
    "schemaVersion": 2,
    "restartable": True,
    "variables": {},
    "ownerEmail": "a@b.c",
}
START: dict[str, Any] = {
    "name": NAME,
    "version": 1,
    "input": {"a": 1},
    "correlationId": "c",
    "taskToDomain": {NAME: "d"},
    "priority": 1,
}

ODD = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 1.5, 2**31, 2**63, 10**20, [], [1], [None], {}, {"a": 1}),
        *("", "x", "1", "1.5", "true", NAME, TASK, WORKFLOW, NOBODY),
        *("COMPLETED", "IN_PROGRESS", "FAILED", "CANCELED", "FIXED", "RETRY"),
    ]
).map(copy.deepcopy)


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """Change a valid body in up to two places."""
    body = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(0, 2))):
        place = body
        while True:
            keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            if draw(st.integers(0, 3)) == 0:
                del place[key]
            else:
                place[key] = draw(ODD)
            break
    return body


def encoded(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Return bodies as JSON."""
    return bodies.map(lambda body: json.dumps(body).encode())


JUNK_BODIES = st.one_of(
    st.binary(max_size=20),
    st.text('{}[]":,019.eE-+tfn\\u ', max_size=20).map(str.encode),
    st.sampled_from([b"", b"null", b"{}", b"[]", b"1", b'"x"', b"[null]", b"[{}]", b'{"a":1}{', b"NaN"]),
)


@st.composite
def calls(draw: st.DrawFn, method: str, path: str, bodies: st.SearchStrategy[bytes]) -> Sample:
    """Call an endpoint, mostly with a body that fits and is called JSON."""
    body = draw(bodies) if draw(st.integers(0, 7)) else draw(JUNK_BODIES)
    content_type = "application/json" if draw(st.integers(0, 7)) else draw(st.sampled_from(CONTENT_TYPES))
    return Sample(method, path, draw(QUERIES), content_type, body)


PARAMETER_NAMES = """
    count timeout workerid domain taskType start size query freeText version overwrite includeTasks reason
    correlationId priority archiveWorkflow sort includeClosed
"""
VALUES = (
    *("", "0", "1", "-1", "20", "x", "1.5", "true", "99", "100", "5001", "2147483648", NAME, "%20", "+"),
    *("0x1", "+1", "status=RUNNING", f"taskType={NAME}", "1_0", "%C3%A9", "TRUE", "on"),
)
PARAMETERS = st.tuples(st.sampled_from(PARAMETER_NAMES.split()), st.sampled_from(VALUES))
QUERIES = st.one_of(
    st.just(""),
    st.lists(PARAMETERS, max_size=3).map(lambda pairs: "&".join(f"{k}={quote(v, '%+')}" for k, v in pairs)),
    st.text("counttimeout=&%1+-20", max_size=12),
)

BODIED = st.one_of(
    calls("POST", "/tasks", encoded(mutated(RESULT))),
    calls("POST", "/tasks/update-v2", encoded(mutated(RESULT))),
    calls("POST", f"/tasks/{WORKFLOW}/r/COMPLETED", encoded(mutated({"a": 1}))),
    calls("POST", f"/tasks/{WORKFLOW}/r/COMPLETED/sync", encoded(mutated({"a": 1}))),
    calls("POST", f"/tasks/{TASK}/log", st.binary(max_size=10)),
    calls("POST", "/metadata/taskdefs", encoded(mutated([TASK_DEFINITION]))),
    calls("PUT", "/metadata/taskdefs", encoded(mutated(TASK_DEFINITION))),
    calls("POST", "/metadata/workflow", encoded(mutated(WORKFLOW_DEFINITION))),
    calls("POST", "/metadata/workflow/validate", encoded(mutated(WORKFLOW_DEFINITION))),
    calls("PUT", "/metadata/workflow", encoded(mutated([WORKFLOW_DEFINITION]))),
    calls("POST", "/workflow", encoded(mutated(START))),
    calls("POST", "/workflow", encoded(mutated({**START, "workflowDef": WORKFLOW_DEFINITION}))),
    calls("POST", f"/workflow/{NAME}", encoded(mutated({"a": 1}))),
    calls("POST", "/workflow/bulk/terminate", encoded(mutated([WORKFLOW, NOBODY]))),
    calls("PUT", f"/workflow/{WORKFLOW}/skiptask/r", encoded(mutated({"taskInput": {}, "taskOutput": {}}))),
    calls("POST", f"/workflow/{WORKFLOW}/rerun", encoded(mutated({"reRunFromTaskId": TASK}))),
)

PLAIN_PATHS = (
    f"GET /tasks/poll/{NAME}",
    f"GET /tasks/poll/batch/{NAME}",
    f"HEAD /tasks/poll/{NAME}",
    f"GET /tasks/{TASK}",
    f"GET /tasks/{TASK}/log",
    "GET /tasks/queue/size",
    "GET /tasks/queue/sizes",
    "GET /tasks/queue/polldata",
    f"POST /tasks/queue/requeue/{NAME}",
    "GET /tasks/search",
    "GET /tasks/search-v2",
    "GET /tasks/externalstoragelocation",
    f"GET /workflow/{WORKFLOW}",
    f"GET /workflow/{WORKFLOW}/status",
    f"GET /workflow/{WORKFLOW}/tasks",
    f"GET /workflow/running/{NAME}",
    f"GET /workflow/{NAME}/correlated/c",
    "GET /workflow/search",
    f"PUT /workflow/decide/{WORKFLOW}",
    f"PUT /workflow/{WORKFLOW}/pause",
    f"PUT /workflow/{WORKFLOW}/resume",
    f"POST /workflow/{WORKFLOW}/retry",
    f"POST /workflow/{WORKFLOW}/restart",
    f"POST /workflow/{WORKFLOW}/resetcallbacks",
    f"DELETE /workflow/{WORKFLOW}",
    f"DELETE /workflow/{WORKFLOW}/remove",
    f"GET /metadata/taskdefs/{NAME}",
    f"DELETE /metadata/taskdefs/{NAME}",
    f"GET /metadata/workflow/{NAME}",
    f"DELETE /metadata/workflow/{NAME}/1",
)
PLAIN = st.builds(
    lambda line, query: Sample(*line.split(" "), query=query), st.sampled_from(PLAIN_PATHS), QUERIES
)

WILD_SEGMENTS = st.one_of(
    st.sampled_from(SEGMENTS.split()), st.sampled_from(JUNK), st.sampled_from([NAME, TASK, WORKFLOW, NOBODY])
)
WILD = st.builds(
    Sample,
    st.sampled_from(METHODS),
    st.lists(WILD_SEGMENTS, max_size=5).map(lambda parts: "".join(f"/{part}" for part in parts)),
    QUERIES,
    st.sampled_from(CONTENT_TYPES),
    JUNK_BODIES,
)

SAMPLES = BODIED | PLAIN | WILD
