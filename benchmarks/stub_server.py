"""A Conductor server that costs next to nothing: what a worker needs of it, from a backlog of a given size.

    python benchmarks/stub_server.py [--core N] [--port N] [--keep-alive N] [--until-eof]

It prints its port. Bodies and heads are those that Conductor 3.32 was seen to send, two definitions to a
task, 2.1 KB, chunked. The backlog begins empty.

    POST /backlog/5000/3                       forget everything, 5000 new tasks, -1: no end of them, each
                                               with an input of 3 characters
    GET  /stats                                what happened since, as JSON (see `stub_backlog.Backlog.stats`)
    GET  /api/tasks/poll/batch/TYPE?count=&timeout=    takes tasks; waits only while there are none
    POST /api/tasks                            takes a result
    POST /api/tasks/update-v2                  takes a result and gives a task; without any, 204 at once

With --keep-alive 100, the default, every hundredth response on a connection closes it, as the server's do;
0 never does. With --until-eof it ends when its standard input does, and so never outlives who started it.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import threading
import urllib.parse
from collections import deque
from contextlib import suppress
from typing import cast

from stub_backlog import Backlog

try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]  # slower, and a loop all the same

# Tomcat's output buffer: a longer body comes in several chunks.
CHUNK_BYTES = 8192
DATE = b"Date: Sun, 22 Nov 2026 06:32:44 GMT\r\n"
CLOSE = b"Connection: close\r\n"


class Connection(asyncio.Protocol):
    """Answer the requests of one connection, one after the other."""

    transport: asyncio.Transport

    def __init__(self, backlog: Backlog, waiting: deque["Connection"], keep_alive: int) -> None:
        self._backlog = backlog
        self._waiting = waiting
        self._keep_alive = keep_alive
        self._received = b""
        self._responses = 0
        self._poll: tuple[int, bytes, bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's is one without saying so.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up a poll that waits."""
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        data = self._received + data if self._received else data
        while data and self._poll is None:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            total = end + 4
            if data.startswith(b"POST"):
                total += _content_length(data[:end])
                if len(data) < total:
                    break
            method, target, _ = data[: data.index(b"\r\n")].split(b" ", 2)
            self._answer(method, target, data[end + 4 : total])
            data = data[total:]
        self._received = data

    def tasks_came(self) -> None:
        """Answer the poll that waits."""
        if self._poll is not None:
            poll = self._poll
            self._stop_waiting()
            self._send_json(self._backlog.take(*poll))
            self.data_received(b"")

    def _answer(self, method: bytes, target: bytes, body: bytes) -> None:
        path, _, query = target.partition(b"?")
        if path == b"/api/tasks" and method == b"POST":
            self._send(b"Content-Type: text/plain;charset=UTF-8\r\n", self._backlog.update(body))
        elif path == b"/api/tasks/update-v2":
            self._exchange(body)
        elif path.startswith(b"/api/tasks/poll/batch/"):
            self._take(path[len(b"/api/tasks/poll/batch/") :], query)
        elif path == b"/stats":
            self._send(b"Content-Type: application/json\r\n", json.dumps(self._backlog.stats()).encode())
        elif path.startswith(b"/backlog/"):
            self._backlog.refill(*map(int, path.split(b"/")[2:]))
            self._send(b"Content-Type: text/plain\r\n", b"")
            while self._waiting and not self._backlog.is_empty:
                self._waiting.popleft().tasks_came()
        else:
            self._send(b"Content-Type: application/json\r\n", b'{"status":404}', b"404")

    def _exchange(self, body: bytes) -> None:
        following = self._backlog.exchange(body)
        if following is None:
            self._send(b"", b"", b"204")
        else:
            self._send_json(following)

    def _take(self, task_type: bytes, query: bytes) -> None:
        given = dict(pair.partition(b"=")[::2] for pair in query.split(b"&"))
        poll = int(given.get(b"count", 1)), _unquoted(task_type), _unquoted(given.get(b"workerid", b""))
        wait_ms = int(given.get(b"timeout", 100))
        if wait_ms > 0 and self._backlog.is_empty:
            self._poll = poll
            self._waiting.append(self)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_ms / 1000, self.tasks_came)
        else:
            self._send_json(self._backlog.take(*poll))

    def _stop_waiting(self) -> None:
        self._poll = None
        with suppress(ValueError):
            self._waiting.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_json(self, body: bytes) -> None:
        pieces = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
        chunked = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
        self._write(
            b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n%b%b\r\n"
            b"%b0\r\n\r\n" % (DATE, self._closing(), chunked)
        )

    def _send(self, content_type: bytes, body: bytes, status: bytes = b"200") -> None:
        self._write(
            b"HTTP/1.1 %b \r\n%bContent-Length: %d\r\n%b%b\r\n%b"
            % (status, content_type, len(body), DATE, self._closing(), body)
        )

    def _closing(self) -> bytes:
        self._responses += 1
        return CLOSE if self._responses == self._keep_alive else b""

    def _write(self, response: bytes) -> None:
        self.transport.write(response)
        if self._responses == self._keep_alive:
            self.transport.close()


def _content_length(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: ?(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


def _unquoted(text: bytes) -> bytes:
    return urllib.parse.unquote_to_bytes(text)


async def serve(port: int, keep_alive: int, *, until_eof: bool) -> None:
    """Serve until cancelled, or until standard input ends."""
    backlog, waiting = Backlog(), deque[Connection]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(backlog, waiting, keep_alive), "127.0.0.1", port)
    ended = asyncio.Event()

    def watch_stdin() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    print(server.sockets[0].getsockname()[1], flush=True)
    if until_eof:
        threading.Thread(target=watch_stdin, daemon=True).start()
    await ended.wait()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--core", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep-alive", type=int, default=100)
    parser.add_argument("--until-eof", action="store_true")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(given.port, given.keep_alive, until_eof=given.until_eof))


if __name__ == "__main__":
    main()
