"""Whatever comes in over HTTP: no failure, no 500 that a real server would not give, no hang."""

import contextlib
import http.client
import json
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

from devserver_rig import Rig
from http_surface import NAME, SAMPLES, TASK, WORKFLOW, Sample
from hypothesis import HealthCheck, Phase, given, settings

from anyworker.devserver.http.exchange import Answer, Pending

KNOWN_500 = (
    r"JSON parse error: ",
    r"Could not write JSON: Null key for a Map",
    r"Required request body is missing: ",
    r"Content-Type '.*' is not supported",
    r"Invalid mime type \"",
    r"Required request parameter '",
    r"Method parameter '",
    r"Cannot invoke \"",
    r"HV000028: Unexpected exception during isValid call",
    r"Validation failed for argument \[0\] in ",
    r"\[SQLITE_CONSTRAINT_NOTNULL\]",
    r"Cannot prepare statement for query: \[SQLITE_ERROR\]",
    r"Index \d+ out of bounds for length \d+",
    r"For input string: \"",
    r"No such task definition",
    r"No such workflow definition",
    r"The workflow \S+ is not PAUSED so cannot resume",
    r"The task referenced .* has already been processed",
)
"""The families of messages with which the real server answers 500."""


def dev_answer(rig: Rig, sample: Sample) -> Answer:
    """Send a request to a dev server, and let it take the time it wants."""
    target = f"{sample.path}?{sample.query}"
    answer = rig.raw(sample.method, target, sample.body, sample.content_type)
    return rig.finish(answer) if isinstance(answer, Pending) else answer


def running(rig: Rig, name: str) -> dict[str, str]:
    """Start a workflow of one task; return what the marks stand for."""
    rig.define(name)
    rig.flow(name, {"name": name, "taskReferenceName": "r"})
    workflow_id = rig.start(name)
    (task,) = rig.workflow(workflow_id)["tasks"]
    return {WORKFLOW: workflow_id, TASK: task["taskId"], NAME: name}


@given(SAMPLES)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_request_is_answered_as_a_server_would(sample: Sample) -> None:
    rig = Rig()
    answer = dev_answer(rig, sample.filled(running(rig, "t")))
    assert answer.status in {200, 204, 400, 404, 405, 409, 500}
    if answer.status == 500:
        message = json.loads(answer.body)["message"]
        assert re.match("|".join(KNOWN_500), message), message
    rig.sleep(100)
    rig.engine.advance(rig.now)
    for workflow in rig.engine.store.workflows():
        rig.workflow(workflow.workflow_id)


@contextlib.contextmanager
def connected(url: str) -> Iterator[http.client.HTTPConnection]:
    """Hold a connection to a real server."""
    parts = urlsplit(url)
    with contextlib.closing(
        http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    ) as found:
        yield found


def real_status(url: str, sample: Sample) -> int:
    """Send a request to a real server; return the status of its answer."""
    with connected(url) as connection:
        target = f"{urlsplit(url).path}{sample.path}"
        connection.putrequest(sample.method, f"{target}?{sample.query}" if sample.query else target)
        if sample.content_type is not None:
            connection.putheader("Content-Type", sample.content_type)
        connection.putheader("Content-Length", str(len(sample.body)))
        connection.endheaders(sample.body or None)
        return connection.getresponse().status


def started(url: str, name: str) -> dict[str, str]:
    """Start a workflow of one task on a real server; return what the marks stand for."""

    def ask(method: str, path: str, body: object = None) -> bytes:
        with connected(url) as connection:
            content = None if body is None else json.dumps(body).encode()
            target = f"{urlsplit(url).path}{path}"
            connection.request(method, target, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()

    step = {"name": name, "taskReferenceName": "r"}
    ask("POST", "/metadata/taskdefs", [{"name": name}])
    for _ in range(5):  # a busy SQLite refuses it now and then, in an answer of 200
        answer = json.loads(ask("PUT", "/metadata/workflow", [{"name": name, "tasks": [step]}]))
        if answer["bulkSuccessfulResults"]:
            break
    workflow_id = ask("POST", "/workflow", {"name": name}).decode()
    (task,) = json.loads(ask("GET", f"/workflow/{workflow_id}"))["tasks"]
    return {WORKFLOW: workflow_id, TASK: task["taskId"], NAME: name}


NOT_THE_SAME = re.compile(r".*/(\.\.|event)(/|$)")
"""Paths that the container takes apart, or of parts of the API that the dev server does not have."""


def test_statuses_are_those_of_a_real_server(conductor_url: str) -> None:
    @given(SAMPLES)
    @settings(
        max_examples=60,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    def compare(sample: Sample) -> None:
        if any(ord(char) <= 32 or ord(char) > 126 for char in sample.path + sample.query):
            return
        if NOT_THE_SAME.match(sample.path):
            return
        name = f"surface-{uuid.uuid4().hex}"
        rig = Rig()
        expected = real_status(conductor_url, sample.filled(started(conductor_url, name)))
        answer = dev_answer(rig, sample.filled(running(rig, name)))
        # What is not served at all is for the conformance suite to tell.
        assert answer.status == expected or b"No static resource" in answer.body

    compare()
