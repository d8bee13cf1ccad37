"""The example of workers inside a FastAPI application, on both event loops and under uvicorn."""

import importlib
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from process_rig import Process, Server

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the example's application, whose server is a development server on a socket."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with serve_in_thread(server=DevServer()) as url:
        monkeypatch.setenv("CONDUCTOR_SERVER_URL", url)
        yield importlib.import_module("fastapi_app").app
    del sys.modules["fastapi_app"]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Start and end an application as its server would, and give a client for it."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            yield client


@pytest.mark.blocking  # the application is not ours
async def test_the_application_answers_with_what_its_workers_did(example: Any) -> None:
    for name in ("Ada", "Bob"):  # the same one starts again
        with anyio.fail_after(20):
            async with running(example) as client:
                assert (await client.get(f"/greetings/{name}")).json() == {"text": f"Hello {name}!"}
                health = (await client.get("/health")).json()
                assert health == {"stage": "running", "in_hand": {"compose_greeting": 0}}


def test_uvicorn_ends_when_the_last_task_has_its_result(server: Server, tmp_path: Path) -> None:
    slow = (
        (EXAMPLES / "fastapi_app.py")
        .read_text()
        .replace(
            '    return f"Hello {name}!"',
            '    import anyio\n    await anyio.sleep(1)\n    return f"Hello {name}!"',
        )
    )
    assert "sleep" in slow
    (tmp_path / "slow_app.py").write_text(slow)
    process = Process(
        ["-m", "uvicorn", "--port", "0", "--no-access-log", "slow_app:app"], tmp_path, server.url
    )
    try:
        process.await_output("Uvicorn running on")
        found = re.search(rb"running on (http://\S+)", process.err)
        assert found is not None
        body = {"name": "greeting", "input": {"name": "Eve"}}
        workflow_id = server.http.post("/workflow", json=body).raise_for_status().text
        while server.task(workflow_id)["status"] == "SCHEDULED":
            assert httpx.get(f"{found[1].decode()}/health", trust_env=False).status_code == 200
        process.send(signal.SIGTERM)
        assert process.end() in {0, -signal.SIGTERM}
    finally:
        process.close()
    assert server.task(workflow_id)["status"] == "COMPLETED"
    assert server.task(workflow_id)["outputData"] == {"result": "Hello Eve!"}
