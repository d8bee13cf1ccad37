"""What the dev server costs: CPU time of its exchanges in process, and its start on a socket.

    python benchmarks/bench_devserver.py [--workflows 3000]

A workflow of one task is three exchanges: start, poll (``timeout=0``), update to COMPLETED. They are counted
by CPU time of this one thread at four levels:

- ``api``: ``Api.handle``, with the engine, reading and writing of JSON; no carrier.
- ``transport``: ``DevServerTransport.handle_async_request`` with requests made beforehand: what an
  ``httpx.AsyncBaseTransport`` itself can be held to, and what anyworker uses in process.
- ``httpx``: the same through ``httpx.AsyncClient``, as a test writes it.
- ``floor``: ``httpx.AsyncClient`` over a transport that answers with fixed bytes: what of the line above is
  httpx's own, and no server can save.

``start`` is the wall time from the start of a Python process to its first answer on a socket.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import anyio
import httpx

from anyworker.devserver import DevServer
from anyworker.devserver.api.api import Api
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Pending, Request
from anyworker.testing import virtual_backend

URL = "http://devserver/api"
START = json.dumps({"name": "w", "input": {"name": "Ada"}}).encode()
DEFINITION = json.dumps([{"name": "w", "tasks": [{"name": "t", "taskReferenceName": "t"}]}]).encode()
POLL = "/tasks/poll/batch/t?timeout=0&count=1&workerid=bench"
HEADERS = {"content-type": "application/json"}

Exchange = Callable[[str, str, bytes], Awaitable[bytes]]


def result(polled: bytes) -> bytes:
    """Return the update that completes a polled task."""
    (task,) = json.loads(polled)
    ids = {key: task[key] for key in ("workflowInstanceId", "taskId")}
    return json.dumps(ids | {"status": "COMPLETED", "outputData": {"result": "Ada"}}).encode()


def report(level: str, workflows: int, seconds: float, exchanges_each: int = 3) -> None:
    """Print a rate."""
    per_exchange = seconds / workflows / exchanges_each * 1e6
    print(
        f"{level:<24} {per_exchange:7.1f} us/exchange {1e6 / per_exchange:9,.0f} exchanges/s "
        f"{workflows / seconds:8,.0f} workflows/s"
    )


def measure_api(workflows: int) -> None:
    """Measure without a carrier."""
    api = Api(Engine(chance=random.Random(1)))
    now = 1_800_000_000_000

    def ask(method: str, path: str, body: bytes = b"") -> bytes:
        path, _, query = path.partition("?")
        answer = api.handle(Request(method, f"/api{path}", query, "application/json", body), now)
        if isinstance(answer, Pending):
            answer = answer.answer(now)
        assert isinstance(answer, Answer)
        assert answer.status == 200, answer
        return answer.body

    ask("PUT", "/metadata/workflow", DEFINITION)
    spent = parsing = 0.0
    for _ in range(workflows):
        now += 1
        begun = time.process_time()
        ask("POST", "/workflow", START)
        polled = ask("GET", POLL)
        paused = time.process_time()
        body = result(polled)
        resumed = time.process_time()
        ask("POST", "/tasks", body)
        spent += time.process_time() - begun
        parsing += resumed - paused
    report("api", workflows, spent - parsing)


async def run_workflows(ask: Exchange, workflows: int) -> float:
    """Return the CPU time of so many workflows, without that of the client's own JSON."""
    await ask("PUT", "/metadata/workflow", DEFINITION)
    spent = 0.0
    for _ in range(workflows):
        begun = time.process_time()
        await ask("POST", "/workflow", START)
        polled = await ask("GET", POLL, b"")
        paused = time.process_time()
        body = result(polled)
        resumed = time.process_time()
        await ask("POST", "/tasks", body)
        spent += time.process_time() - begun - (resumed - paused)
    return spent


async def measure_transport(level: str, workflows: int) -> None:
    """Measure the transport alone."""
    transport = DevServer(seed=1).transport()
    making = 0.0

    async def ask(method: str, path: str, body: bytes) -> bytes:
        nonlocal making
        begun = time.process_time()
        request = httpx.Request(method, URL + path, headers=HEADERS, content=body)
        making += time.process_time() - begun
        answer = await transport.handle_async_request(request)
        return await answer.aread()

    spent = await run_workflows(ask, workflows)
    report(level, workflows, spent - making)


async def measure_httpx(level: str, workflows: int) -> None:
    """Measure through a client."""
    async with httpx.AsyncClient(transport=DevServer(seed=1).transport()) as http:

        async def ask(method: str, path: str, body: bytes) -> bytes:
            return (await http.request(method, URL + path, headers=HEADERS, content=body)).content

        report(level, workflows, await run_workflows(ask, workflows))


class _Fixed(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        return httpx.Response(200, headers={"content-type": "application/json"}, content=b"[]")


async def measure_floor(level: str, workflows: int) -> None:
    """Measure what httpx costs by itself."""
    async with httpx.AsyncClient(transport=_Fixed()) as http:
        begun = time.process_time()
        for _ in range(workflows * 3):
            await http.request("POST", f"{URL}/tasks", headers=HEADERS, content=START)
        report(level, workflows, time.process_time() - begun)


SERVE = """
import http.client
from anyworker.devserver.serve import serve_in_thread
with serve_in_thread() as url:
    connection = http.client.HTTPConnection(url.split("/")[2])
    connection.request("GET", "/api/version")
    connection.getresponse().read()
    print(flush=True)
"""


def measure_start() -> None:
    """Measure from the start of a process to the first answer."""
    found = []
    for _ in range(5):
        begun = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            found.append(time.perf_counter() - begun)
    print(f"{'start':<24} {min(found):7.3f} s at best of {len(found)}, {max(found):.3f} s at worst")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workflows", type=int, default=3000)
    workflows = parser.parse_args().workflows
    gc.collect()
    gc.freeze()
    measure_api(workflows)
    for name, measure in (
        ("transport", measure_transport),
        ("httpx", measure_httpx),
        ("floor", measure_floor),
    ):
        for backend in ("asyncio", "trio"):
            chosen, options = virtual_backend(backend)
            anyio.run(measure, f"{name} {backend}", workflows, backend=chosen, backend_options=options)
    measure_start()


if __name__ == "__main__":
    main()
