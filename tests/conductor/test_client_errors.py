"""Every answer that is no success, and every failure without an answer, as an error of ours."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import httpx
import pytest
from scripted_exchange import API, ScriptedExchange, refusal, reply

from anyworker.client import ConductorClient
from anyworker.conductor.exchange import Answer
from anyworker.configuration import Configuration
from anyworker.errors import (
    AuthorizationError,
    BadRequestError,
    ConductorError,
    ConflictError,
    MethodNotAllowedError,
    NotFoundError,
    ResponseError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    UnexpectedAnswerError,
)

LOGIN = b"<!doctype html><html><head><title>Sign in</title><style>b{}</style></head><body><b>Sign&nbsp;in</b>"


async def failure_of(
    answer: Answer | Exception, *, url: str = API, environ: dict[str, str] | None = None
) -> ConductorError:
    """Return what a read of a task raises."""
    configuration = Configuration(
        server_api_url=None if environ else url, environ=environ if environ is not None else {}
    )
    exchange = ScriptedExchange(answer, answer)
    with anyio.fail_after(5):
        async with ConductorClient(configuration, exchange=exchange) as client:
            with pytest.raises(ConductorError) as caught:
                await client.get_task("t 1")
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "is_retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthorizationError, False),
        (403, AuthorizationError, False),
        (404, NotFoundError, False),
        (405, MethodNotAllowedError, False),
        (408, ResponseError, True),
        (409, ConflictError, False),
        (413, ResponseError, False),
        (418, ResponseError, False),
        (429, TooManyRequestsError, True),
        (500, ServerError, True),
        (501, ServerError, True),
        (502, ServerError, True),
        (503, ServerError, True),
        (599, ServerError, True),
    ],
)
async def test_each_status_has_its_error_with_the_servers_message(status, kind, is_retryable):
    error = await failure_of(refusal(status, "Workflow is still running.  status=RUNNING"))
    assert type(error) is kind
    assert error.message == "Workflow is still running.  status=RUNNING"
    assert (error.method, error.path, error.status) == ("GET", "/tasks/t%201", status)
    assert error.is_retryable is is_retryable
    advice = "trying again can help" if is_retryable else "trying again cannot help"
    assert str(error) == f"GET /tasks/t%201 -> {status}: {error.message} ({advice})"


async def test_validation_errors_are_all_told_in_a_fixed_order():
    details = [{"path": "b", "message": "second"}, {"path": "a", "message": "first", "invalidValue": ""}]
    body = {"message": "Validation failed, check below errors for detail.", "validationErrors": details}
    error = await failure_of(reply(400, body))
    assert error.message == "Validation failed, check below errors for detail. a: first; b: second"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no message"),
        (b"plain words", "plain words"),
        (b'{"error": "INVALID_TOKEN", "message": "Token is invalid"}', "INVALID_TOKEN: Token is invalid"),
        (b'{"error": "Bad Request", "path": "/x"}', "Bad Request"),
        (b'{"message": 7}', '{"message": 7}'),
        (b'["x"]', '["x"]'),
        (b'{"message": "two\\nlines\\u001b[31m"}', "two lines [31m"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 5000, "[" * 200),
        (
            b"<html><head><title>Status 400 \xe2\x80\x94 Bad Request</title></head><h1>Status 400</h1>",
            "Status 400 \u2014 Bad Request Status 400",
        ),
    ],
)
async def test_a_body_without_a_message_is_quoted_from_its_beginning(body, message):
    assert (await failure_of(reply(400, body))).message == message


async def test_a_message_of_any_length_stays_one_bounded_line():
    assert len((await failure_of(refusal(500, "long " * 100_000))).message) <= 2000


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_read_in_seconds_or_as_a_date(status):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert (await failure_of(reply(status, retry_after="17"))).retry_after == 17.0
    assert (await failure_of(reply(status, retry_after=soon))).retry_after == pytest.approx(100, abs=5)
    assert (await failure_of(reply(status, retry_after=past))).retry_after == 0.0
    for nonsense in ("", "-1", "soon", "²", "1.5.2"):
        assert (await failure_of(reply(status, retry_after=nonsense))).retry_after is None
    assert (await failure_of(reply(status))).retry_after is None


@pytest.mark.parametrize(
    ("failure", "may_have_arrived"),
    [
        (httpx.ConnectError("All connection attempts failed"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.LocalProtocolError("x"), False),
        (httpx.UnsupportedProtocol("x"), False),
        (httpx.ProxyError("x"), False),
        (httpx.ReadTimeout("x"), True),
        (httpx.WriteTimeout("x"), True),
        (httpx.ReadError("x"), True),
        (httpx.WriteError("x"), True),
        (httpx.CloseError("x"), True),
        (httpx.RemoteProtocolError("x"), True),
        (httpx.DecodingError("x"), True),
    ],
)
async def test_a_transport_failure_tells_whether_the_request_may_have_arrived(failure, may_have_arrived):
    error = await failure_of(failure)
    assert type(error) is TransportError
    assert error.may_have_arrived is may_have_arrived
    assert error.is_retryable
    assert (error.method, error.path, error.status) == ("GET", "/tasks/t%201", None)
    assert error.reason == f"{type(failure).__name__}: {failure}"
    assert error.__cause__ is failure


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
async def test_a_redirect_is_refused_and_its_target_named(status):
    error = await failure_of(reply(status, LOGIN, location="https://login.test/?next=/api"))
    assert type(error) is UnexpectedAnswerError
    assert error.status == status
    assert "https://login.test/?next=/api" in str(error)
    assert f"server_api_url is {API}" in str(error)


@pytest.mark.parametrize("status", [200, 404])
async def test_a_page_instead_of_an_answer_is_one_line_with_the_remedy(status):
    environ = {"CONDUCTOR_SERVER_URL": "http://web.test/"}
    error = await failure_of(reply(status, LOGIN), environ=environ)
    assert type(error) is UnexpectedAnswerError
    assert not error.is_retryable
    assert "Sign in" in str(error)
    assert "b{}" not in str(error)
    assert "CONDUCTOR_SERVER_URL is http://web.test: it should end in /api" in str(error)
    assert "\n" not in str(error)


async def test_a_wrong_base_url_is_named_with_what_it_should_be():
    environ = {"CONDUCTOR_SERVER_URL": "http://h.test:8080"}
    error = await failure_of(refusal(404, "No static resource tasks/t 1."), environ=environ)
    assert type(error) is UnexpectedAnswerError
    assert (error.method, error.path, error.status) == ("GET", "/tasks/t%201", 404)
    assert "No static resource tasks/t 1." in str(error)
    assert "CONDUCTOR_SERVER_URL is http://h.test:8080: it should end in /api" in str(error)
    assert "\n" not in str(error)


async def test_a_path_that_the_server_lacks_is_no_missing_object():
    error = await failure_of(refusal(404, "No static resource api/tasks/t 1."))
    assert type(error) is UnexpectedAnswerError
    assert "the server lacks this call" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 405, 500, 502, 503, 504])
async def test_a_page_with_an_error_status_is_that_error(status):
    error = await failure_of(reply(status, b"<html><center>nginx</center>"))
    assert isinstance(error, ResponseError)
    assert error.message == "nginx"


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"{", b"[]", b"null", b'{"taskId": 7}', b"\xff", b"[" * 100_000]
)
async def test_a_success_that_is_no_such_object_is_an_unexpected_answer(body):
    error = await failure_of(reply(200, body))
    assert type(error) is UnexpectedAnswerError
    assert error.status == 200
    assert len(str(error)) < 600


async def test_a_bad_value_is_named_by_its_path_and_no_payload_is_quoted():
    body = {"taskId": "t", "pollCount": ["x"], "inputData": {"password": "hunter2"}}
    error = await failure_of(reply(200, body))
    assert "$.pollCount" in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("call", ["update_task", "add_log", "terminate_workflow", "start_workflow"])
async def test_a_write_that_a_page_answers_was_not_accepted(call):
    from anyworker.client import TaskResult

    arguments = {"update_task": [TaskResult(task_id="t", status="COMPLETED")], "add_log": ["t", "text"]}
    exchange = ScriptedExchange(reply(200, LOGIN))
    async with ConductorClient(Configuration(server_api_url=API, environ={}), exchange=exchange) as client:
        with pytest.raises(UnexpectedAnswerError):
            await getattr(client, call)(*arguments.get(call, ["w"]))


async def test_a_workflow_start_without_an_id_is_no_success():
    exchange = ScriptedExchange(reply(200, b" "))
    async with ConductorClient(Configuration(server_api_url=API, environ={}), exchange=exchange) as client:
        with pytest.raises(UnexpectedAnswerError, match="no id"):
            await client.start_workflow("w")


async def test_a_client_that_is_not_open_says_so():
    client = ConductorClient(Configuration(server_api_url=API, environ={}), exchange=ScriptedExchange())
    with pytest.raises(RuntimeError, match="async with"):
        await client.get_task("t")
    async with client:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        await client.get_task("t")
