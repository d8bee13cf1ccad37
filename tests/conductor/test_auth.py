"""The token: when it is fetched, renewed, refused and given up for a while."""

import functools
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_exchange import API, Handler, ScriptedExchange, Sent, refusal, reply

from anyworker.client import ConductorClient
from anyworker.conductor.auth import Authentication, renewal_due
from anyworker.conductor.exchange import Answer
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.errors import (
    AuthorizationError,
    ConductorError,
    NotFoundError,
    ServerError,
    TransportError,
    UnexpectedAnswerError,
)

SETTINGS = AuthenticationSettings("key", "s3cret")


class Server:
    """Hands out tokens 1, 2, 3 and accepts those that are valid."""

    def __init__(self) -> None:
        self.issued = 0
        self.valid: set[str] | None = None
        self.token_answer: Callable[[Sent], Answer | Exception] | None = None
        self.exchange = ScriptedExchange(handler=self._answer)

    def _answer(self, sent: Sent) -> Answer | Exception | Awaitable[Answer]:
        if sent.path == "/api/token":
            self.issued += 1
            return self.token_answer(sent) if self.token_answer else reply(200, {"token": f"T{self.issued}"})
        if self.valid is not None and sent.token not in self.valid:
            return reply(401, {"status": 401, "error": "INVALID_TOKEN", "message": "Token is invalid"})
        return reply(200)

    @property
    def tokens_sent(self) -> list[str | None]:
        return [sent.token for sent in self.exchange.sent if sent.path != "/api/token"]

    def client(self, **options: object) -> ConductorClient:
        options.setdefault("authentication_settings", SETTINGS)
        return ConductorClient(
            Configuration(server_api_url=API, environ={}, **options), exchange=self.exchange
        )


class Clock:
    """Loop time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """A fetcher whose outcome a test sets, and that counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure: ConductorError | None = None
        self.gate: anyio.Event | None = None

    async def __call__(self) -> str | None:
        self.calls += 1
        number = self.calls
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return f"T{number}"


def keeper(source: Source, clock: Clock, ttl: float = 2700.0, jitter: float = 0.5) -> Authentication:
    return Authentication(b"", source, ttl=ttl, now=clock, jitter=lambda: jitter)


def refused(status: int = 401) -> AuthorizationError:
    return AuthorizationError("no", method="POST", path="/token", status=status, is_retryable=True)


async def test_the_token_is_fetched_when_first_needed_and_kept():
    server = Server()
    async with server.client() as client:
        assert server.exchange.sent == []
        await client.decide("w")
        await client.decide("w")
    token, first, second = server.exchange.sent
    assert (token.method, token.target) == ("POST", "/api/token")
    assert token.json() == {"keyId": "key", "keySecret": "s3cret"}
    assert token.headers["content-type"] == "application/json"
    assert token.token is None
    assert first.token == second.token == "T1"


async def test_without_a_key_nothing_is_asked_and_nothing_sent():
    server = Server()
    async with server.client(authentication_settings=None) as client:
        await client.decide("w")
        server.valid = set()
        with pytest.raises(AuthorizationError):
            await client.decide("w")
    assert server.issued == 0
    assert server.tokens_sent == [None, None]


async def test_a_server_without_authentication_is_remembered():
    server = Server()
    server.token_answer = lambda _: refusal(404, "No static resource api/token.")
    async with server.client() as client:
        for _ in range(3):
            await client.decide("w")
    assert server.issued == 1
    assert server.tokens_sent == [None] * 3


async def test_a_server_that_demands_a_token_after_all_is_asked_again():
    server = Server()
    server.token_answer = lambda _: refusal(404, "No static resource api/token.")
    async with server.client() as client:
        await client.decide("w")
        server.valid = {"T2"}
        server.token_answer = None
        await client.decide("w")
    assert server.tokens_sent == [None, None, "T2"]


async def test_without_a_token_to_be_had_a_refused_request_is_not_repeated():
    server = Server()
    server.valid = set()
    server.token_answer = lambda _: refusal(404, "No static resource api/token.")
    async with server.client() as client:
        with pytest.raises(AuthorizationError, match="INVALID_TOKEN"):
            await client.decide("w")
    assert server.tokens_sent == [None]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("method", ["poll", "start_workflow", "update_task_v2", "add_log", "get_logs"])
async def test_a_refused_request_is_repeated_once_with_a_new_token(status, method):
    from anyworker.client import TaskResult

    answers: dict[str, object] = {"start_workflow": "id", "poll": [], "get_logs": []}

    def answer(sent: Sent) -> Answer:
        if sent.path == "/api/token":
            return reply(200, {"token": f"T{len(exchange.sent)}"})
        return reply(status) if sent.token == "T1" else reply(200, answers.get(method, b""))

    exchange = ScriptedExchange(handler=answer)
    configuration = Configuration(server_api_url=API, environ={}, authentication_settings=SETTINGS)
    async with ConductorClient(configuration, exchange=exchange) as client:
        calls = {
            "poll": lambda: client.poll("a", count=1, timeout=0, worker_id="w"),
            "start_workflow": lambda: client.start_workflow("a"),
            "update_task_v2": lambda: client.update_task_v2(TaskResult(task_id="t", status="COMPLETED")),
            "add_log": lambda: client.add_log("t", "text"),
            "get_logs": lambda: client.get_logs("t"),
        }
        await calls[method]()
    assert [sent.token for sent in exchange.sent] == [None, "T1", None, "T3"]
    assert exchange.sent[1].body == exchange.sent[3].body


async def test_a_request_refused_twice_is_an_error_with_the_servers_message():
    server = Server()
    server.valid = set()
    async with server.client() as client:
        with pytest.raises(AuthorizationError, match="INVALID_TOKEN: Token is invalid") as caught:
            await client.decide("w")
    assert caught.value.path == "/workflow/decide/w"
    assert not caught.value.is_retryable
    assert server.tokens_sent == ["T1", "T2"]


async def test_callers_refused_with_the_same_token_share_one_renewal():
    server = Server()
    async with server.client() as client:
        await client.decide("w")
        server.valid = {"T2"}
        with anyio.fail_after(5):
            async with anyio.create_task_group() as callers:
                for _ in range(50):
                    callers.start_soon(client.decide, "w")
    assert server.issued == 2


async def test_fifty_callers_wait_for_one_request():
    source, clock, granted = Source(), Clock(), []
    source.gate = anyio.Event()
    authentication = keeper(source, clock)

    async def call() -> None:
        granted.append(await authentication.grant())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as callers:
            for _ in range(50):
                callers.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            assert source.calls == 1
            source.gate.set()
    assert source.calls == 1
    assert {grant.token for grant in granted} == {"T1"}
    assert len(granted) == 50


async def test_all_who_wait_see_the_failure_and_nobody_repeats_it():
    source, failures = Source(), []
    source.gate = anyio.Event()
    source.failure = refused()
    # However much time passes: the attempt that ended while they waited was theirs.
    leaps = itertools.count(0.0, 1000.0)
    authentication = Authentication(b"", source, ttl=2700.0, now=lambda: next(leaps))

    async def call() -> None:
        with pytest.raises(AuthorizationError) as caught:
            await authentication.grant()
        failures.append(caught.value)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as callers:
            for _ in range(50):
                callers.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            source.gate.set()
    assert source.calls == 1
    assert len({id(failure) for failure in failures}) == 50


async def test_a_waiter_takes_over_from_a_cancelled_fetcher():
    source, clock, granted = Source(), Clock(), []
    source.gate = anyio.Event()
    authentication = keeper(source, clock)
    first = anyio.CancelScope()

    async def fetch_first() -> None:
        with first:
            await authentication.grant()

    async def call() -> None:
        granted.append(await authentication.grant())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as callers:
            callers.start_soon(fetch_first)
            await anyio.wait_all_tasks_blocked()
            for _ in range(5):
                callers.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            first.cancel()
            await anyio.wait_all_tasks_blocked()
            assert source.calls == 2
            source.gate.set()
    assert {grant.token for grant in granted} == {"T2"}
    assert source.calls == 2


async def test_a_cancelled_waiter_disturbs_nobody():
    source, clock = Source(), Clock()
    source.gate = anyio.Event()
    authentication = keeper(source, clock)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as callers:
            callers.start_soon(authentication.grant)
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0):
                await authentication.grant()
            source.gate.set()
        assert (await authentication.grant()).token == "T1"
    assert source.calls == 1


@given(ttl=st.floats(1, 1e6), jitter=st.floats(0, 1, exclude_max=True), fetched=st.floats(0, 1e9))
def test_renewal_comes_at_most_a_tenth_early_and_never_late(ttl, jitter, fetched):
    due = renewal_due(fetched, ttl, jitter) - fetched
    assert 0.899 * ttl - 1e-6 <= due <= 0.981 * ttl + 1e-6


async def test_a_token_is_renewed_before_its_time_is_over():
    source, clock = Source(), Clock()
    authentication = keeper(source, clock, ttl=2700.0, jitter=0.0)
    assert (await authentication.grant()).token == "T1"
    clock.now += 2700 * 0.9 - 1
    assert (await authentication.grant()).token == "T1"
    clock.now += 2
    assert (await authentication.grant()).token == "T2"


async def test_while_a_good_token_is_renewed_the_others_go_on_with_it():
    source, clock = Source(), Clock()
    authentication = keeper(source, clock)
    await authentication.grant()
    clock.now += 2700 * 0.99
    source.gate = anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as callers:
            callers.start_soon(authentication.grant)
            await anyio.wait_all_tasks_blocked()
            assert (await authentication.grant()).token == "T1"
            source.gate.set()
    assert (await authentication.grant()).token == "T2"


async def test_an_early_renewal_that_fails_leaves_the_good_token_in_use():
    source, clock = Source(), Clock()
    authentication = keeper(source, clock)
    await authentication.grant()
    clock.now += 2700 * 0.99
    source.failure = refused()
    assert (await authentication.grant()).token == "T1"
    assert (await authentication.grant()).token == "T1"
    assert source.calls == 2
    clock.now += 2.1
    assert (await authentication.grant()).token == "T1"
    assert source.calls == 3
    clock.now += 2700
    with pytest.raises(AuthorizationError):
        await authentication.grant()


async def test_failures_back_off_up_to_a_minute_and_recover_for_ever():
    source, clock = Source(), Clock()
    source.failure = refused()
    authentication = keeper(source, clock)
    for attempt in range(1, 200):
        expected = min(2.0**attempt, 60.0)
        with pytest.raises(AuthorizationError) as caught:
            await authentication.grant()
        assert source.calls == attempt
        assert caught.value.retry_after == expected
        assert caught.value.is_retryable
        clock.now += expected - 0.5
        with pytest.raises(AuthorizationError) as caught:
            await authentication.grant()
        assert source.calls == attempt
        assert caught.value.retry_after == pytest.approx(0.5)
        assert "0.5 s" in str(caught.value)
        clock.now += 0.6
    source.failure = None
    assert (await authentication.grant()).token == "T200"
    source.failure = refused()
    clock.now += 10_000
    with pytest.raises(AuthorizationError) as caught:
        await authentication.grant()
    assert caught.value.retry_after == 2.0


async def test_a_refused_token_is_not_sent_again_while_no_other_can_be_had():
    server = Server()
    async with server.client() as client:
        await client.decide("w")
        server.valid = set()
        server.token_answer = lambda _: reply(503)
        for _ in range(3):
            with pytest.raises(ServerError) as caught:
                await client.decide("w")
            assert caught.value.retry_after is not None
            assert caught.value.path == "/token"
    assert server.tokens_sent == ["T1", "T1"]
    assert server.issued == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, "wrong key"), AuthorizationError),
        (refusal(403, "wrong key"), AuthorizationError),
        (refusal(400, "wrong key"), AuthorizationError),
        (refusal(500, "oops"), ServerError),
        (reply(302, location="http://login.test"), UnexpectedAnswerError),
        (reply(200, b"<html>login"), UnexpectedAnswerError),
        (reply(200, {"access_token": "hunter2"}), UnexpectedAnswerError),
        (reply(200, {"token": ""}), UnexpectedAnswerError),
        (reply(200, {"token": "hunter2\r\nX-Evil: 1"}), UnexpectedAnswerError),
        (reply(200, b""), UnexpectedAnswerError),
        (httpx.ConnectError("refused"), TransportError),
        (httpx.ReadTimeout("late"), TransportError),
    ],
    ids=repr,
)
async def test_without_a_token_the_request_itself_is_not_sent(answer, kind):
    server = Server()
    server.token_answer = lambda _: answer
    async with server.client() as client:
        for _ in range(2):
            with pytest.raises(kind) as caught:
                await client.decide("w")
            assert caught.value.is_retryable
            assert (caught.value.method, caught.value.path) == ("POST", "/token")
            assert "hunter2" not in str(caught.value)
            if isinstance(caught.value, TransportError):
                assert not caught.value.may_have_arrived
    assert server.issued == 1
    assert server.tokens_sent == []


async def test_a_broken_connection_during_the_token_request_is_no_failure():
    server = Server()
    answers = iter([httpx.RemoteProtocolError("closed"), reply(200, {"token": "T"})])
    server.token_answer = lambda _: next(answers)
    async with server.client() as client:
        await client.decide("w")
    assert server.tokens_sent == ["T"]


async def test_a_secret_that_the_server_repeats_is_masked():
    server = Server()
    server.token_answer = lambda _: refusal(401, "no user key with s3cret")
    async with server.client() as client:
        with pytest.raises(AuthorizationError) as caught:
            await client.decide("w")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(client.configuration)


@pytest.fixture
def in_files(tmp_path: Path) -> AuthenticationSettings:
    for name, content in (("key", "old\n"), ("secret", "old-secret\n")):
        (tmp_path / name).write_text(content)
    return AuthenticationSettings(key_id_file=tmp_path / "key", key_secret_file=tmp_path / "secret")


async def test_rotated_files_are_read_again_when_the_server_refuses_them(in_files):
    server = Server()

    def token(sent: Sent) -> Answer:
        body = sent.json()
        assert isinstance(body, dict)
        is_new = body == {"keyId": "new", "keySecret": "new-secret"}
        return reply(200, {"token": body["keyId"]}) if is_new or server.valid is None else refusal(401, "no")

    server.token_answer = token
    async with server.client(authentication_settings=in_files) as client:
        await client.decide("w")
        server.valid = {"new"}
        await anyio.Path(in_files.key_id_file).write_text("new")
        await anyio.Path(in_files.key_secret_file).write_text("new-secret")
        await client.decide("w")
    assert server.tokens_sent == ["old", "old", "new"]


async def test_a_file_that_cannot_be_read_is_a_failure_to_recover_from(in_files):
    await anyio.Path(in_files.key_secret_file).unlink()
    server = Server()
    async with server.client(authentication_settings=in_files) as client:
        with pytest.raises(AuthorizationError) as caught:
            await client.decide("w")
    assert in_files.key_secret_file in str(caught.value)
    assert caught.value.retry_after == 2.0
    assert server.exchange.sent == []


def provide() -> str:
    return "provided"


async def provide_async() -> str:
    return "provided"


def provide_awaitable() -> Awaitable[str]:
    return provide_async()


@pytest.mark.parametrize(
    "provider",
    [provide, provide_async, provide_awaitable, functools.partial(provide_async)],
    ids=["def", "async def", "def that returns an awaitable", "partial"],
)
async def test_a_token_provider_stands_for_key_and_secret(provider):
    server = Server()
    async with server.client(authentication_settings=None, token_provider=provider) as client:
        await client.decide("w")
        await client.decide("w")
    assert server.issued == 0
    assert server.tokens_sent == ["provided", "provided"]


async def test_a_provider_is_asked_again_when_its_token_is_refused():
    server = Server()
    tokens = iter(["A", "B"])

    async def rotating() -> str:
        return next(tokens)

    async with server.client(authentication_settings=None, token_provider=rotating) as client:
        await client.decide("w")
        server.valid = {"B"}
        await client.decide("w")
    assert server.tokens_sent == ["A", "A", "B"]


@pytest.mark.parametrize("outcome", [ValueError("vault is sealed"), None, 7, "", "two\r\nlines"], ids=repr)
async def test_a_provider_that_brings_no_token_is_a_refusal_with_backoff(outcome):
    calls = 0

    async def failing() -> object:
        nonlocal calls
        calls += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    server = Server()
    async with server.client(authentication_settings=None, token_provider=failing) as client:
        for _ in range(2):
            with pytest.raises(AuthorizationError, match="token_provider") as caught:
                await client.decide("w")
            assert caught.value.retry_after is not None
    assert calls == 1
    assert server.exchange.sent == []


async def test_a_permission_that_is_missing_is_no_failure_of_the_token():
    server = Server()

    def forbid(sent: Sent) -> Answer:
        if sent.path == "/api/token":
            server.issued += 1
            return reply(200, {"token": f"T{server.issued}"})
        return refusal(403, "not yours") if sent.path.endswith("/secret") else refusal(404, "No such thing")

    handler: Handler = forbid
    server.exchange = ScriptedExchange(handler=handler)
    async with server.client() as client:
        with pytest.raises(AuthorizationError, match="not yours"):
            await client.decide("secret")
        with pytest.raises(NotFoundError):
            await client.decide("open")
    assert server.tokens_sent == ["T1", "T2", "T2"]
