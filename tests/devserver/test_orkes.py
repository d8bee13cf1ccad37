"""The Orkes flavor: who is let in."""

import base64
import json
from typing import Any

import anyio
import httpx
import pytest
from devserver_rig import Rig

import anyworker
from anyworker import Worker
from anyworker.client import ConductorClient, WorkflowDef, WorkflowTask
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.devserver import DevServer
from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.orkes.tokens import Tokens
from anyworker.errors import AuthorizationError, ConfigurationError, NotFoundError

CREDENTIALS = ("key", "s3cret")
GOOD = {"keyId": "key", "keySecret": "s3cret"}
LIFETIME = 60.0


def rig(credentials: tuple[str, str] | None = CREDENTIALS) -> Rig:
    return Rig(orkes=Orkes(Tokens(b"signed by the server", LIFETIME, credentials)))


def refusal(rig: Rig, method: str = "GET", path: str = "/metadata/taskdefs", body: Any = None) -> Any:
    answer = rig.send(method, path, body)
    assert answer.status == 401, answer.body
    return json.loads(answer.body)


def log_in(rig: Rig) -> None:
    rig.token = rig.ok("POST", "/token", GOOD)["token"]


# ---------------------------------------------------------------- who is let in


@pytest.mark.parametrize("path", ["/token", "/token/userInfo", "/schema", "/schema/s", "/schema/s/1"])
def test_oss_flavor_has_neither_tokens_nor_schemas(path: str) -> None:
    answer = Rig().send("GET", path)
    assert (answer.status, json.loads(answer.body)["message"]) == (404, f"No static resource api{path}.")
    assert Rig().send("POST", path, GOOD).status == 404


def test_nothing_is_done_without_a_token() -> None:
    server = rig()
    expected = {"message": "Token cannot be null or empty", "error": "INVALID_TOKEN", "timestamp": server.now}
    assert refusal(server) == expected
    assert refusal(server, "POST", "/metadata/taskdefs", [{"name": "t"}]) == expected
    assert refusal(server, "GET", "/no/such/path") == expected
    assert refusal(server, "GET", "/token/userInfo") == expected
    server.token = ""
    assert refusal(server) == expected
    log_in(server)
    assert server.get("/metadata/taskdefs") == []
    assert server.send("GET", "/no/such/path").status == 404


def test_state_of_the_server_is_told_without_a_token() -> None:
    server = rig()
    assert server.get("/root/health")["healthy"]
    assert server.get("/health")["healthy"]
    assert "dev server" in server.get("/version")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"keyId": "key"},
        {"keyId": "key", "keySecret": "wrong"},
        {"keyId": "other", "keySecret": "s3cret"},
        {"keyId": None, "keySecret": None},
    ],
)
def test_wrong_key_or_secret_gets_no_token(body: Any) -> None:
    told = refusal(rig(), "POST", "/token", body)
    # With either of these the official client would ask for a token again before it asks for a token.
    assert told["error"] not in {"INVALID_TOKEN", "EXPIRED_TOKEN"}
    assert "s3cret" not in json.dumps(told)


def test_token_is_good_for_its_lifetime_to_the_millisecond() -> None:
    server = rig()
    log_in(server)
    server.sleep(LIFETIME - 0.001)
    assert server.get("/metadata/taskdefs") == []
    server.sleep(0.001)
    assert refusal(server) == {
        "message": "Token has expired",
        "error": "EXPIRED_TOKEN",
        "timestamp": server.now,
    }
    log_in(server)
    assert server.get("/metadata/taskdefs") == []


def test_token_that_was_tampered_with_is_refused() -> None:
    server = rig()
    log_in(server)
    head, claims, signature = (server.token or "").split(".")
    later = json.loads(base64.urlsafe_b64decode(claims + "=="))
    later["exp"] += 1e9
    forged = base64.urlsafe_b64encode(json.dumps(later).encode()).decode().rstrip("=")
    for token in (f"{head}.{forged}.{signature}", f"{head}.{claims}.", "nonsense", "é", "..", signature):
        server.token = token
        assert refusal(server)["error"] == "INVALID_TOKEN"
        assert refusal(server)["message"] == "Token is invalid"


def test_token_of_another_server_is_refused() -> None:
    server, other = rig(), Rig(orkes=Orkes(Tokens(b"another signature", LIFETIME, CREDENTIALS)))
    log_in(other)
    server.token = other.token
    assert refusal(server)["error"] == "INVALID_TOKEN"


def test_holder_of_a_token_is_told() -> None:
    server = rig()
    log_in(server)
    assert server.get("/token/userInfo")["id"] == "key"


def test_without_a_key_everybody_is_let_in_and_gets_a_token() -> None:
    server = rig(None)
    assert server.get("/metadata/taskdefs") == []
    assert server.get("/token/userInfo")["id"] == "anonymous"
    for body in ({}, GOOD):
        server.token = server.ok("POST", "/token", body)["token"]
        assert server.get("/metadata/taskdefs") == []
    server.token = "of another server"
    assert server.get("/metadata/taskdefs") == []


def test_key_that_nobody_asks_for_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"auth: .*flavor='orkes'"):
        DevServer(auth=CREDENTIALS)


def test_everything_that_makes_no_sense_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        DevServer(
            waiting="firts",  # type: ignore[arg-type]  # what the check is for
            flavor="orks",  # type: ignore[arg-type]  # as above
            max_finished=-1,
            postpone=float("nan"),
            lease_race=-0.1,
            token_lifetime=0.0,
        )
    assert caught.value.problems == (
        "waiting: 'firts' is not one of first, fill",
        "flavor: 'orks' is not one of oss, orkes",
        "max_finished: -1 is not a number, 0 or more",
        "postpone: nan is not a number, 0 or more",
        "lease_race: -0.1 is not a number, 0 or more",
        "token_lifetime: 0.0 is not greater than 0",
    )


# ---------------------------------------------------------------- our own client


class Watched(httpx.AsyncBaseTransport):
    """Counts how many tokens were asked for, and what was refused."""

    def __init__(self, server: DevServer) -> None:
        self._transport = server.transport()
        self.tokens = 0
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        self.tokens += request.url.path == "/api/token"
        self.refused += response.status_code == 401
        return response


def configuration(
    transport: httpx.AsyncBaseTransport, secret: str = "s3cret", minutes: float = 45
) -> Configuration:
    return Configuration(
        transport=transport,
        authentication_settings=AuthenticationSettings("key", secret),
        auth_token_ttl_min=minutes,
        environ={},
    )


@pytest.mark.virtual_time
async def test_our_client_renews_its_token_before_it_expires() -> None:
    watched = Watched(DevServer(flavor="orkes", auth=CREDENTIALS, token_lifetime=LIFETIME))
    async with ConductorClient(configuration(watched, minutes=LIFETIME / 60)) as client:
        for _ in range(10):
            with pytest.raises(NotFoundError):
                await client.get_task("t")
            await anyio.sleep(LIFETIME / 4)
    assert (watched.tokens, watched.refused) == (3, 0)


@pytest.mark.virtual_time
async def test_our_workers_work_on_with_tokens_that_expire() -> None:
    watched = Watched(DevServer(flavor="orkes", auth=CREDENTIALS, token_lifetime=LIFETIME))
    settings = configuration(watched, minutes=LIFETIME / 60)

    async def work() -> str:
        return "done"

    step = WorkflowTask(name="work", task_reference_name="work")
    async with (
        ConductorClient(settings) as client,
        anyworker.serving(Worker("work", work), configuration=settings),
    ):
        await client.register_workflow_def(WorkflowDef(name="flow", tasks=[step]))
        for _ in range(5):
            workflow = await client.wait_for_workflow(await client.start_workflow("flow"))
            assert workflow.output == {"result": "done"}
            await anyio.sleep(LIFETIME)
    # The client got one for each of its five calls, the worker renewed its own in time, the sixth at the end.
    assert (watched.refused, watched.tokens) == (0, 5 + 6)


@pytest.mark.virtual_time
async def test_our_client_recovers_from_a_token_that_expired_early() -> None:
    watched = Watched(DevServer(flavor="orkes", auth=CREDENTIALS, token_lifetime=LIFETIME))
    async with ConductorClient(configuration(watched)) as client:
        for _ in range(3):
            with pytest.raises(NotFoundError):
                await client.get_task("t")
            await anyio.sleep(2 * LIFETIME)
    assert (watched.tokens, watched.refused) == (3, 2)


@pytest.mark.virtual_time
async def test_our_client_tells_that_its_secret_is_wrong() -> None:
    server = DevServer(flavor="orkes", auth=CREDENTIALS)
    async with ConductorClient(configuration(server.transport(), secret="wrong")) as client:
        with pytest.raises(AuthorizationError, match="Invalid key or secret"):
            await client.get_task("t")


@pytest.mark.virtual_time
async def test_our_client_works_with_a_server_that_has_no_tokens() -> None:
    watched = Watched(DevServer())
    async with ConductorClient(configuration(watched)) as client:
        for _ in range(2):
            with pytest.raises(NotFoundError, match="Task not found"):
                await client.get_task("t")
    assert (watched.tokens, watched.refused) == (1, 0)
