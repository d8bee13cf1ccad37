"""The server of a run: what it serves, and what happens to it."""

import json
from collections.abc import Callable

import anyio
import attrs
import httpx
from anyio.abc import TaskGroup
from scenario import Scenario, TaskKind
from weather import STORM_ENDS, Jump, Outage

from anyworker.devserver import DevServer
from anyworker.devserver.faults.chaos import CHAOS_KINDS
from anyworker.devserver.http.exchange import Request

KEY, SECRET = "key", "secret"

Note = Callable[[str, str], None]
"""Writes down who did what."""


@attrs.define(eq=False)
class Line(httpx.AsyncBaseTransport):
    """Carry requests to the server, for as long as it is there."""

    inner: httpx.AsyncBaseTransport
    is_down: bool = False
    _under_way: dict[anyio.CancelScope, None] = attrs.field(factory=dict, init=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("connection refused")
        with anyio.CancelScope() as scope:
            self._under_way[scope] = None
            try:
                return await self.inner.handle_async_request(request)
            finally:
                del self._under_way[scope]
        raise httpx.ReadError("connection reset")

    def go_down(self) -> None:
        """Cut off what is under way, and refuse what comes."""
        self.is_down = True
        for scope in list(self._under_way):
            scope.cancel()


class Service:
    """Serve a scenario.

    Args:
        scenario: What happens.
        epoch: What the server's clock shows at first, in epoch seconds.
    """

    def __init__(self, scenario: Scenario, epoch: float) -> None:
        self._scenario = scenario
        self._lifetime = scenario.weather.token_lifetime
        auth = {"flavor": "orkes", "auth": (KEY, SECRET), "token_lifetime": self._lifetime}
        self._server = DevServer(
            waiting=scenario.waiting,
            epoch=epoch,
            seed=scenario.seed,
            **(auth if self._lifetime is not None else {}),  # type: ignore[arg-type]  # by their names
        )
        self.engine = self._server.engine
        self.faults = self._server.faults
        self.line = Line(self._server.transport())

    def ask(self, method: str, path: str, content: object = None) -> bytes:
        """Return what the server says to somebody to whom nothing ever happens."""
        token = None
        if self._lifetime is not None:
            token = json.loads(self._answer("POST", "/token", {"keyId": KEY, "keySecret": SECRET}))["token"]
        return self._answer(method, path, content, token)

    def _answer(self, method: str, path: str, content: object, token: str | None = None) -> bytes:
        body = b"" if content is None else json.dumps(content).encode()
        answer = self._server.answer(Request(method, f"/api{path}", "", "application/json", body, token))
        assert answer.status < 300, answer.body
        return answer.body

    def define(self) -> None:
        """Register task types and workflows."""
        self.ask("POST", "/metadata/taskdefs", [_task_definition(kind) for kind in self._scenario.kinds])
        flows = [
            {
                "name": f"flow{flow.number}",
                "tasks": [
                    {
                        "name": step,
                        "taskReferenceName": f"{step}{number}",
                        "inputParameters": {"flow": flow.number, "reference": f"{step}{number}"},
                    }
                    for number, step in enumerate(flow.steps)
                ],
            }
            for flow in self._scenario.flows
        ]
        self.ask("PUT", "/metadata/workflow", flows)

    def let_loose(self, history: TaskGroup, note: Note) -> None:
        """Let the faults begin."""
        scenario, weather, faults = self._scenario, self._scenario.weather, self.faults
        if weather.lockout is not None:
            starts, seconds = weather.lockout.starts, weather.lockout.seconds
            faults.answer(401, weather.lockout.match, starting_in=starts, lasting=seconds)
        for outage in scenario.outages:
            faults.drop(outage.match, how="refuse", starting_in=outage.starts, lasting=outage.seconds)
        if scenario.chaos_rate:
            is_barred = {"surplus": not scenario.has_surplus, "duplicate": not scenario.hands_out_twice}
            kinds = [kind for kind in CHAOS_KINDS if not is_barred.get(kind, False)]
            faults.chaos(seed=scenario.seed, rate=scenario.chaos_rate, kinds=kinds, lasting=STORM_ENDS)
        for restart in weather.restarts:
            history.start_soon(self._restart, restart, note)
        for jump in weather.server_jumps:
            history.start_soon(self._jump, jump, note)

    async def _restart(self, restart: Outage, note: Note) -> None:
        await anyio.sleep_until(restart.starts)
        note("server", "ends")
        self.line.go_down()
        await anyio.sleep_until(restart.starts + restart.seconds)
        note("server", "is back")
        self.line.is_down = False

    async def _jump(self, jump: Jump, note: Note) -> None:
        await anyio.sleep_until(jump.at)
        note("server", f"sets its clock by {jump.seconds:+} s")
        shell = self._server._shell
        shell._clock._start += round(jump.seconds * 1000)
        shell._engine.advance(shell._clock.now())
        shell._reset_alarm()


def _task_definition(kind: TaskKind) -> dict[str, object]:
    return {
        "name": kind.name,
        "responseTimeoutSeconds": kind.response_timeout,
        "timeoutSeconds": 0,
        "retryCount": kind.retry_count,
        "retryDelaySeconds": 1,
    }
