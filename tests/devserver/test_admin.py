"""Faults over HTTP."""

from typing import Any

import anyio
import httpx
import pytest

from anyworker.devserver import DevServer

pytestmark = pytest.mark.virtual_time

ROOT = "/admin/faults"


def client(server: DevServer, *, admin: bool = True) -> httpx.AsyncClient:
    transport = server.transport(admin=admin)
    return httpx.AsyncClient(transport=transport, base_url="http://devserver", timeout=None)


async def test_there_is_no_admin_route_unless_asked_for() -> None:
    async with client(DevServer(), admin=False) as http:
        for method, path in (("GET", ROOT), ("POST", ROOT), ("DELETE", f"{ROOT}/1")):
            answer = await http.request(method, path)
            assert (answer.status_code, answer.json()["status"]) == (404, 404)


async def test_fault_is_added_shown_and_removed() -> None:
    server = DevServer()
    async with client(server) as http:
        step = {"kind": "answer", "match": "GET /health", "status": 503, "retry_after": 3, "times": 2}
        (shown,) = (await http.post(ROOT, json=step)).json()["faults"]
        assert shown == {
            "id": 1,
            "kind": "answer",
            "match": ["GET /health"],
            "times": 2,
            "hits": 0,
            "seen": 0,
            "waiting": 0,
        }
        answer = await http.get("/api/health")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
        assert (await http.get(f"{ROOT}/1")).json()["hits"] == 1
        overview = (await http.get(ROOT)).json()
        assert (overview["counts"], len(overview["faults"])) == ({"answer": 1}, 1)
        assert [(hit["request"], hit["fault"]) for hit in overview["log"]] == [("GET /api/health", 1)]
        assert (await http.delete(f"{ROOT}/1")).json()["id"] == 1
        assert (await http.get("/api/health")).status_code == 200
        assert (await http.post(f"{ROOT}/reset")).json() == {"faults": [], "counts": {}, "log": []}


async def test_scripts_and_lists_are_taken_whole_or_not_at_all() -> None:
    server = DevServer()
    async with client(server) as http:
        burst = [{"kind": "answer", "status": status} for status in (500, 429)]
        assert len((await http.post(f"{ROOT}/script", json=burst)).json()["faults"]) == 2
        found = [(await http.get("/api/health")).status_code for _ in range(3)]
        assert found == [500, 429, 200]
        assert (await http.delete(ROOT)).json()["faults"] == []
        answer = await http.post(ROOT, json=[{"kind": "drop"}, {"kind": "drop", "how": "x"}])
        assert answer.json()["problems"] == ["step 2: how: 'x' is not one of close, reset, refuse"]
        assert len(server.faults) == 0


async def test_hanging_requests_are_released() -> None:
    server = DevServer()
    async with client(server) as http:
        for path in (f"{ROOT}/1/release", f"{ROOT}/release"):
            if len(server.faults) == 0:
                await http.post(ROOT, json={"kind": "hang", "match": "/health"})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(http.get, "/api/health")
                await anyio.sleep(3)
                assert (await http.get(f"{ROOT}/1")).json()["waiting"] == 1
                await http.post(path)
            assert (await http.get(f"{ROOT}/1")).json()["waiting"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", ROOT, b"{", 400, "the body is no JSON"),
        ("POST", ROOT, b"", 400, "the body is no JSON"),
        ("POST", ROOT, b"7", 400, "7 is no fault"),
        ("POST", ROOT, b'{"kind":"x"}', 400, "kind: 'x' is not one of drop"),
        ("POST", ROOT, b'{"kind":"drop","match":"GET /nosuch"}', 400, "fits no endpoint"),
        ("POST", f"{ROOT}/script", b'{"kind":"drop"}', 400, "is no list of faults"),
        ("POST", f"{ROOT}/script", b"[1]", 400, "step 1: 1 is no fault"),
        ("GET", f"{ROOT}/7", b"", 404, "no fault '7'"),
        ("DELETE", f"{ROOT}/x", b"", 404, "no fault 'x'"),
        ("PUT", ROOT, b"", 405, "takes GET, POST, DELETE"),
        ("GET", "/admin/nosuch", b"", 404, "no such path"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    method: str, path: str, body: bytes, status: int, problem: str
) -> None:
    async with client(DevServer()) as http:
        answer = await http.request(method, path, content=body)
        told: dict[str, Any] = answer.json()
        assert (answer.status_code, told["status"]) == (status, status)
        assert problem in told["message"]
