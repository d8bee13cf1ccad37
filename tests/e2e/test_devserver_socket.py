"""The dev server on a socket treats connections as the real server does."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread
from anyworker.devserver.shells import protocol
from anyworker.errors import ConfigurationError

PATIENCE = 10.0
"""Real seconds for what takes milliseconds."""
Address = tuple[str, int]


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with serve_in_thread(admin=True) as url:
        yield "127.0.0.1", int(url.split(":")[2].partition("/")[0])


def exchange(address: Address, request: bytes) -> bytes:
    """Send bytes; return all that comes until the server closes."""
    with socket.create_connection(address, PATIENCE) as end:
        end.sendall(request)
        return end.makefile("rb").read()


def get(target: str, *headers: str, version: str = "1.1") -> bytes:
    lines = (f"GET {target} HTTP/{version}", "Host: x", *headers, "", "")
    return "\r\n".join(lines).encode()


def read_answer(reader: BinaryIO) -> tuple[int, dict[str, str], bytes]:
    """Read one answer of a kept connection."""
    status = int(reader.readline().split()[1])
    headers = {}
    while (line := reader.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int(reader.readline(), 16)) > 0:
            body += reader.read(size)
            reader.readline()
        reader.readline()
        return status, headers, body
    return status, headers, reader.read(int(headers.get("content-length", 0)))


@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/api/tasks/poll/" + "x" * 8200),
        get("/api/version", "A: " + "x" * 8200),
        get("/api/version", *(f"H{number}: x" for number in range(100))),
        b"nonsense\r\n\r\n",
        get("/api/tasks/poll/a%2Fb"),
    ],
    ids=["long-line", "long-header", "many-headers", "nonsense", "encoded-slash"],
)
def test_unusable_request_is_answered_with_a_page(address: Address, request_bytes: bytes) -> None:
    head, _, body = exchange(address, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"text/html" in head.lower()
    assert b"connection: close" in head.lower()
    assert body.lower().lstrip(b"0123456789abcdef\r\n").startswith(b"<!doctype html>") or b"<!doctype" in body


def test_request_line_of_7900_characters_passes(address: Address) -> None:
    answer = exchange(address, get("/api/version?" + "x" * 7900, "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200")


def test_http2_is_closed_without_an_answer_and_upgrades_are_ignored(address: Address) -> None:
    assert exchange(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)) == b""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    with socket.create_connection(address, PATIENCE) as end:
        end.sendall(get("/api/version", *upgrade))
        assert read_answer(end.makefile("rb"))[0] == 200


def test_old_http_works_and_the_connection_ends(address: Address) -> None:
    assert exchange(address, get("/api/version", version="1.0")).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(address: Address) -> None:
    with socket.create_connection(address, PATIENCE) as end:
        end.sendall(get("/api/tasks/poll/batch/x?timeout=300") + get("/api/version"))
        reader = end.makefile("rb")
        assert read_answer(reader)[2] == b"[]"
        assert b"dev server" in read_answer(reader)[2]


def test_head_on_a_poll_is_a_poll(address: Address) -> None:
    tasks = [{"name": "h", "taskReferenceName": "h"}]
    definition = {"name": "h", "version": 1, "tasks": tasks}
    body = json.dumps({"name": "h", "workflowDef": definition}).encode()
    head = "POST /api/workflow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(address, PATIENCE) as end:
        reader = end.makefile("rb")
        end.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert read_answer(reader)[0] == 200
        end.sendall(get("/api/tasks/queue/size?taskType=h"))
        assert read_answer(reader)[2] == b"1"
        end.sendall(get("/api/tasks/poll/h").replace(b"GET", b"HEAD"))
        status_line = reader.readline()
        assert status_line.startswith(b"HTTP/1.1 200")
        while reader.readline().strip():
            pass
        end.sendall(get("/api/tasks/queue/size?taskType=h"))
        assert read_answer(reader)[2] == b"0", "taken, and without a body"


@pytest.mark.parametrize("is_fresh", [True, False])
def test_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch, is_fresh: bool) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr("anyworker.devserver.serve.IDLE_SECONDS", 0.3)
    with serve_in_thread() as url, socket.create_connection(_address(url), PATIENCE) as end:
        reader = end.makefile("rb")
        if not is_fresh:
            end.sendall(get("/api/version"))
            assert read_answer(reader)[0] == 200
        assert reader.read() == b""


def _address(url: str) -> Address:
    return "127.0.0.1", int(url.split(":")[2].partition("/")[0])


def test_port_that_cannot_be_had_is_refused_with_the_reason(address: Address) -> None:
    for port, reason in ((address[1], "Address already in use"), (65536, "a port is from 0 to 65535")):
        expected = f"port {port}: {reason}; give another one, or 0 for a free one"
        with pytest.raises(ConfigurationError, match=expected), serve_in_thread(port):
            pass


def test_serving_ends_at_once_although_a_poll_waits() -> None:
    server = DevServer()
    with serve_in_thread(server=server) as url:
        end = socket.create_connection(_address(url), PATIENCE)
        end.sendall(get("/api/version") + get("/api/tasks/poll/batch/x?timeout=5000"))
        reader = end.makefile("rb")
        assert read_answer(reader)[0] == 200
        before = time.monotonic()
    with end:
        status, _, body = read_answer(reader)
        assert (status, body) == (200, b"[]")
    assert time.monotonic() - before < 2
    assert not server.engine.is_hurried, "it can be served again"


def test_admin_route_is_there_when_asked_for(address: Address) -> None:
    with socket.create_connection(address, PATIENCE) as end:
        end.sendall(get("/admin/faults"))
        assert json.loads(read_answer(end.makefile("rb"))[2])["faults"] == []


def test_server_does_not_import_httpx_before_it_has_to() -> None:
    script = "import sys, anyworker.devserver.serve; print('httpx' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=30)
    assert answer.stdout.strip() == b"False"
